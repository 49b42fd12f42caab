"""Differences of the grand potential between magnetic states of one cluster, by Lloyd's formula.

The energy that is summed over the sites of a cluster leaves out what changes outside of it. Lloyd's formula has all of
the single-particle part (Lloyd, Proc. Phys. Soc. 90, 207 (1967); Drittler, Weinert, Zeller, Dederichs, Phys. Rev. B 39,
930 (1989)): with the t matrices and the normalisation factors α of the regular solutions, up to a constant,

    Ω = (1/π) Im ∫^EF dE Σ_spin { ln det(1 − G_void t) − Σ_iL ln α_iL } .

Core states and the electrostatic and exchange-correlation energies are those of the sites; outside the change of the
density enters them in second order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.potential import ImpurityPotential

from .config import KkrimpConfig
from .dyson import log_determinant
from .errors import InconsistentInputError, ScfBreakdownError
from .mixing import Potentials
from .problem import ImpurityProblem
from .scattering import cluster_t, solve_single_site
from .scf import iterate

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

FEWEST_STEPS = 16
MOST_STEPS = 256
"""Potentials on the way from one state to the other, along which the logarithms are continued."""

SAME = 1e-6


def grand_potentials(
    problem: ImpurityProblem, config: KkrimpConfig, states: Sequence[ImpurityPotential]
) -> tuple[FloatArray, FloatArray]:
    """Return the grand potential of each state, and the energy summed over the sites, less those of the first [Ry].

    :param problem: the cluster; its own potential does not matter.
    :param states: self-consistent potentials of the same elements on the same meshes.
    :return: shape (n) each.
    :raises InconsistentInputError: if the states do not belong to the same cluster.
    :raises ScfBreakdownError: if the logarithms cannot be continued from one state to another.
    """
    values = [_values(potential) for potential in states]
    if any([v.shape for v in of_state] != [v.shape for v in values[0]] for of_state in values):
        raise InconsistentInputError('the states do not have the same sites, spins and meshes')
    rest, total = np.array([_energies(problem, config, potential) for potential in states]).T
    lloyd = np.array([lloyd_change(problem, values[0], of_state) for of_state in values])
    return rest - rest[0] + lloyd, total - total[0]


def lloyd_change(problem: ImpurityProblem, before: Potentials, after: Potentials) -> float:
    """Return how the grand potential of the valence electrons differs between two potentials, in Ry.

    :param before: V of each site without −2Z/r, shape (nspin, n) each [Ry]; ``after`` likewise.
    :raises ScfBreakdownError: if the logarithms cannot be continued from one to the other.
    """
    steps = FEWEST_STEPS
    logarithms = {share: _logarithms(problem, before, after, share) for share in np.linspace(0, 1, steps + 1)}
    while steps <= MOST_STEPS:
        coarse = _continued(logarithms)
        for share in np.linspace(0, 1, 2 * steps + 1)[1::2]:
            logarithms[share] = _logarithms(problem, before, after, share)
        fine = _continued(logarithms)
        if np.abs(fine - coarse).max() < SAME:
            return -float(np.imag(problem.contour.weights @ fine)) / problem.nspin
        steps *= 2
    raise ScfBreakdownError(f'the logarithm of the determinant cannot be followed in {steps} steps from state to state')


def _continued(logarithms: dict[float, ComplexArray]) -> ComplexArray:
    """Last less first, summed over spins, each energy followed along the way; shape (nE,)."""
    way = np.stack([logarithms[share] for share in sorted(logarithms)])
    change = way[-1].real - way[0].real + 1j * (np.unwrap(way.imag, axis=0)[-1] - way[0].imag)
    summed: ComplexArray = change.sum(axis=0)
    return summed


def _logarithms(problem: ImpurityProblem, before: Potentials, after: Potentials, share: float) -> ComplexArray:
    """Ln det(1 − G_void t) − Σ ln α of each spin and energy, shape (nspin, nE)."""
    result = np.empty((problem.nspin, problem.contour.energies.size), dtype=np.complex128)
    for spin in range(problem.nspin):
        sites, normalisation = [], np.zeros(result.shape[1], dtype=np.complex128)
        for v, w, mesh, z, lmax in zip(before, after, problem.meshes, problem.z, problem.lmax, strict=True):
            mixed = (1 - share) * v[spin] + share * w[spin]
            site = solve_single_site(mixed, mesh, z, int(lmax), problem.contour, problem.nspin)
            sites.append(site)
            normalisation += (2 * np.arange(int(lmax) + 1) + 1) @ np.log(site.alpha)
        void = problem.void_of(spin)
        for energy, t in enumerate(cluster_t(sites)):
            result[spin, energy] = log_determinant(void.at(energy) * t) - normalisation[energy]
    return result


def _energies(problem: ImpurityProblem, config: KkrimpConfig, potential: ImpurityPotential) -> tuple[float, float]:
    """Energy of the sites without that of the valence electrons [Ry], and JuKKR's total energy.

    Charge and single-particle energies of a site change together with the zero of the potential, so that in the first
    one −∫ρV is without its shift: a state with less charge on the sites has the rest of it outside.
    """
    step = replace(config, scfsteps=1, hfield=0.0, imix=0, mixfac=0.0)
    iteration = next(iterate(replace(problem, potential=potential), step))
    valence = sum(float(site.energies.valence.sum()) for site in iteration.sites)
    charge = sum(site.charge for site in iteration.sites)
    return iteration.total_energy - valence + problem.vbc * charge, iteration.total_energy


def _values(potential: ImpurityPotential) -> list[FloatArray]:
    return [np.stack([block.v for block in site]) for site in potential.sites]
