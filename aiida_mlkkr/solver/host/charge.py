"""Charge moments of a host atom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from ..core import solve_core
from ..density import valence_density
from ..electrostatics import intracell_potential
from ..scattering import SingleSite
from .problem import HostProblem

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

LARGEST_SHIFT = 0.05
"""The Fermi energy is shifted by no more than this for the sake of neutrality [Ry]."""


@dataclass(frozen=True)
class HostCharge:
    """The electrons of a host atom.

    :param moments: ∫ r^l ρ_L r² dr, core included, in a neutral sphere, shape ((2 lmax+1)²,) [Bohr^l].
    :param excess: electrons minus nuclear charge up to the Fermi energy of the potential.
    :param spin_moment: up minus down [µB].
    :param density_of_states: at the Fermi energy, all spins [1/Ry].
    """

    moments: FloatArray
    excess: float
    spin_moment: float
    density_of_states: float


def host_charge(problem: HostProblem, sites: list[SingleSite], onsite: ComplexArray) -> HostCharge:
    """Return the charge of a host atom, the Fermi energy shifted to neutrality as KKRhost does.

    :param sites: single-site solutions of each spin.
    :param onsite: on-site blocks of the Green function, shape (nspin, nE, lm, lm).
    """
    nspin, contour = problem.nspin, problem.contour
    cores = [
        solve_core(atom.v, atom.mesh, atom.z, atom.core, nspin, problem.relativistic, f'the host, spin {spin + 1}')
        for spin, atom in enumerate(problem.atom)
    ]
    valence = [
        valence_density(site, green, contour.weights / nspin, contour.inverse_c2)
        for site, green in zip(sites, onsite, strict=True)
    ]
    dos = np.stack([density.dos.sum(axis=0) for density in valence])
    electrons = np.imag(dos @ contour.weights) / nspin + np.array([core.charge for core in cores])
    at_fermi = -2 / pi * float(np.imag(dos[:, -1]).sum()) / nspin
    excess = float(electrons.sum()) - problem.atom[0].z
    shift = float(np.clip(-excess / at_fermi, -LARGEST_SHIFT, LARGEST_SHIFT))
    rho = _valence_up_to(problem, onsite, shift)
    rho[0] += np.sum([core.density for core in cores], axis=0) / sqrt(4 * pi)
    moments = intracell_potential(rho, problem.atom[0].mesh).moments
    return HostCharge(moments, excess, float(electrons[-1] - electrons[0]), at_fermi)


def _valence_up_to(problem: HostProblem, onsite: ComplexArray, shift: float) -> FloatArray:
    """Valence density ρ_L r² of all spins up to a shifted Fermi energy, to first order, shape (L, n)."""
    weights = problem.contour.weights.copy()
    weights[-1] -= 2 / pi * shift
    contour = replace(problem.contour, weights=weights)
    densities = [
        valence_density(site, green, weights / problem.nspin, contour.inverse_c2).rho
        for site, green in zip(problem.solve_sites(contour), onsite, strict=True)
    ]
    rho: FloatArray = np.sum(densities, axis=0)
    return rho
