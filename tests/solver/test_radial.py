"""The scalar-relativistic radial equations: powers at the nucleus, Wronskian, limits; with real potentials."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import AtomicPotential, ImpurityPotential
from aiida_mlkkr.solver.radial import BLOCK, power_of_r
from aiida_mlkkr.solver.scattering import Contour, SingleSite, solve_single_site

INVERSE_C2 = 1 / SPEED_OF_LIGHT**2
ENERGIES = np.array([-0.3 + 0.1j, 0.2 + 0.05j, 0.73 + 0.02j])


@pytest.fixture(scope='module')
def manganese(pair_source: Path, read_stored_potential: Callable[[Path], ImpurityPotential]) -> AtomicPotential:
    return read_stored_potential(pair_source / 'calc1' / 'potential.gz').sites[0][0]


def solve(
    v: np.ndarray, mesh: RadialMesh, z: float, lmax: int, energies: np.ndarray, inverse_c2: float, weight: complex = 1.0
) -> SingleSite:
    contour = Contour(energies, np.full(energies.size, weight, dtype=complex), inverse_c2)
    return solve_single_site(v, mesh, z, lmax, contour, nspin=1)


def large_and_small(site: SingleSite, l: int, energy: int) -> tuple[np.ndarray, np.ndarray]:
    """P and F of one l and energy, shape (n,) each."""
    block, lane = divmod(energy, BLOCK)
    wave = site.waves[l, block, :, :, lane]
    factor = site.alpha[l, energy] * site.powers[l]
    return factor * (wave[:, 0] + 1j * wave[:, 1]), factor * (wave[:, 2] + 1j * wave[:, 3])


def regular_times_irregular(atom: AtomicPotential, l: int, energy: complex) -> np.ndarray:
    """P Q + F G/c² of one l and energy: the density is its imaginary part with the weight, times κ (2l+1)."""
    energies = np.array([energy])

    def density(weight: complex) -> np.ndarray:
        total = solve(atom.v, atom.mesh, atom.z, l, energies, INVERSE_C2, weight).irregular_density
        return (
            total - solve(atom.v, atom.mesh, atom.z, l - 1, energies, INVERSE_C2, weight).irregular_density
            if l
            else total
        )

    kappa = Contour(energies, energies, INVERSE_C2).kappa[0]
    return (density(1j) + 1j * density(1.0)) / (kappa * (2 * l + 1))


def index_derivative(values: np.ndarray) -> np.ndarray:
    """d/di of values (n,) on all but four points at each end, by the eighth-order formula."""
    coefficients = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    n = values.size
    return sum(c * (values[4 + k : n - 4 + k] - values[4 - k : n - 4 - k]) for k, c in enumerate(coefficients, start=1))


def test_powers_at_the_nucleus() -> None:
    assert [power_of_r(l, 0.0, INVERSE_C2) for l in range(3)] == [0.0, 1.0, 2.0]
    assert [power_of_r(l, 92.0, 0.0) for l in range(3)] == [0.0, 1.0, 2.0]
    # Dirac's s states: P ~ r^γ with γ² = 1 − (Zα)²; P = r^s p
    alpha = 1 / 137.0360221
    assert power_of_r(0, 79.0, INVERSE_C2) == pytest.approx(np.sqrt(1 - (79.0 * alpha) ** 2), rel=1e-8)


@pytest.mark.parametrize('l', [0, 1, 2])
def test_regular_solutions_obey_the_equations(manganese: AtomicPotential, l: int) -> None:
    # P' = P/r + M F and F' = −F/r + [l(l+1)/(r²M) − U] P with the derivative taken numerically, which is possible where
    # the mesh is logarithmic (from point 60 on)
    mesh, z = manganese.mesh, manganese.z
    site = solve(manganese.v, mesh, z, 2, ENERGIES, INVERSE_C2)
    inner = slice(60, -4)
    r, drdi = mesh.r[inner], mesh.drdi[inner]
    for number, energy in enumerate(ENERGIES):
        p, f = large_and_small(site, l, number)
        u = energy - manganese.v[inner] + 2 * z / r
        mass = 1 + u * INVERSE_C2
        for function, right_hand_side in (
            (p, p[inner] / r + mass * f[inner]),
            (f, -f[inner] / r + (l * (l + 1) / (r**2 * mass) - u) * p[inner]),
        ):
            slope = index_derivative(function)[56:]
            # local error of the fifth-order scheme with the step of 0.025: 5e-7 of the largest slope
            np.testing.assert_allclose(slope, right_hand_side * drdi, atol=1e-6 * np.abs(slope).max())


@pytest.mark.parametrize('l', [0, 1, 2])
def test_wronskian_is_constant(manganese: AtomicPotential, l: int) -> None:
    # With P G − Q F = 1/κ the density's P Q + F G/c² gives Q and G; then Q' = Q/r + M G must hold, numerically.
    mesh = manganese.mesh
    inner = slice(60, -4)
    for energy in ENERGIES:
        energies = np.array([energy])
        p, f = large_and_small(solve(manganese.v, mesh, manganese.z, l, energies, INVERSE_C2), l, 0)
        p, f, total = p[1:], f[1:], regular_times_irregular(manganese, l, energy)[1:]
        wronskian = 1 / Contour(energies, energies, INVERSE_C2).kappa[0]
        q = (total - f / p * wronskian * INVERSE_C2) / (p + f * f / p * INVERSE_C2)
        g = (wronskian + q * f) / p
        r = mesh.r[1:]
        mass = 1 + (energy - manganese.v[1:] + 2 * manganese.z / r) * INVERSE_C2
        error = index_derivative(q)[56:] - ((q / r + mass * g) * mesh.drdi[1:])[inner]
        scale = ((np.abs(q / r) + np.abs(mass * g)) * mesh.drdi[1:])[inner]
        # the local error of the scheme for Q, 1e-5 of its slope; dividing by P amplifies it near the nodes of P
        assert (np.abs(error) / scale * (np.abs(p) / np.abs(p).max())[inner]).max() < 2e-5
