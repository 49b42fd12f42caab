"""Valence densities: the free-electron gas, brute-force sums, and copper from its own Green function."""

from collections.abc import Callable
from math import pi, sqrt
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.kkrflex import HostGreen, read_green
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import AtomicPotential, ImpurityPotential
from aiida_mlkkr.solver.angular import gaunt, l_of_lm, product_quadrature, real_harmonics
from aiida_mlkkr.solver.density import ValenceDensity, valence_density
from aiida_mlkkr.solver.quadrature import simpson_weights
from aiida_mlkkr.solver.radial import BLOCK
from aiida_mlkkr.solver.scattering import Contour, SingleSite, solve_single_site

INVERSE_C2 = 1 / SPEED_OF_LIGHT**2


def semicircle(bottom: float, fermi: float, points: int, inverse_c2: float) -> Contour:
    """Contour from ``bottom`` to ``fermi`` through the upper half plane, with JuKKR's weights −(2/π) dE."""
    x, w = np.polynomial.legendre.leggauss(points)
    angle = pi / 2 * (1 - x)
    middle, radius = (bottom + fermi) / 2, (fermi - bottom) / 2
    energies = middle + radius * np.exp(1j * angle)
    de = -1j * radius * np.exp(1j * angle) * pi / 2 * w
    return Contour(energies, -2 / pi * de, inverse_c2)


def density_of(
    v: np.ndarray, mesh: RadialMesh, z: float, lmax: int, contour: Contour, g: np.ndarray, nspin: int
) -> tuple[SingleSite, ValenceDensity]:
    site = solve_single_site(v, mesh, z, lmax, contour, nspin)
    return site, valence_density(site, g, contour.weights / nspin, contour.inverse_c2)


def random_green(energies: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    g = rng.normal(size=(energies, size, size)) + 1j * rng.normal(size=(energies, size, size))
    return g + g.swapaxes(1, 2)


@pytest.fixture(scope='module')
def copper(pair_source: Path, read_stored_potential: Callable[[Path], ImpurityPotential]) -> AtomicPotential:
    return read_stored_potential(pair_source / 'gf' / 'out_potential.gz').sites[0][0]


@pytest.fixture(scope='module')
def copper_green(pair_source: Path) -> HostGreen:
    return read_green(pair_source / 'gf' / 'kkrflex_green')


@pytest.fixture(scope='module')
def copper_density(copper: AtomicPotential, copper_green: HostGreen) -> tuple[Contour, SingleSite, ValenceDensity]:
    """Both spins of a Cu atom in the crystal, from the on-site block that KKRhost wrote."""
    contour = Contour(copper_green.energies, copper_green.weights, INVERSE_C2)
    g = np.asarray(copper_green.values[0, :, :9, :9], dtype=np.complex128)
    return (contour, *density_of(copper.v, copper.mesh, copper.z, 2, contour, g, 1))


@pytest.mark.parametrize('nspin', [1, 2])
def test_free_electron_gas(nspin: int) -> None:
    # no scatterer and no backscattering: n = k_F³/3π² for both spins
    k_fermi, lmax = 0.8, 4
    mesh = RadialMesh(a=0.025, b=2e-4, n=341)
    contour = semicircle(-0.2, k_fermi**2, 40, 0.0)
    lm = (lmax + 1) ** 2
    site, valence = density_of(np.zeros(mesh.n), mesh, 0.0, lmax, contour, np.zeros((40, lm, lm)), nspin)
    exact = k_fermi**3 / (3 * pi**2) / nspin
    density = valence.rho[0, 1:] / sqrt(4 * pi) / mesh.r[1:] ** 2
    outer = mesh.r[1:] > 3e-3
    # radial solutions: 1e-6; the neglected l = 5 carries 11 j_5(k_F R)² = 1e-7 at the sphere of 1 Bohr; the square root
    # at the bottom of the band does not disturb the contour, which begins below it
    np.testing.assert_allclose(density[outer], exact, rtol=3e-6)
    # next to the nucleus the irregular solution is of second order; 4πr² n is 1e-8 there
    np.testing.assert_allclose(density[~outer], exact, rtol=1e-3)
    np.testing.assert_array_equal(valence.rho[1:], 0.0)
    # density of states per l: at the sphere's own scale, ∫ dE n(E) = n · volume
    charge = np.imag(valence.dos @ (contour.weights / nspin)).sum()
    assert charge == pytest.approx(exact * 4 * pi / 3 * mesh.rmax**3, rel=3e-6)
    assert site.t.shape == (lmax + 1, 40)


def test_free_electron_density_of_states_on_the_real_axis() -> None:
    # −Im n(E)/π = √E/(4π²) per volume and spin (Rydberg units)
    lmax, energy = 4, 0.5
    mesh = RadialMesh(a=0.025, b=2e-4, n=341)
    contour = Contour(np.array([energy + 0j]), np.ones(1, dtype=complex), 0.0)
    _, valence = density_of(np.zeros(mesh.n), mesh, 0.0, lmax, contour, np.zeros((1, 25, 25)), 2)
    volume = 4 * pi / 3 * mesh.rmax**3
    assert -valence.dos.sum().imag / pi == pytest.approx(sqrt(energy) / (4 * pi**2) * volume, rel=3e-6)  # as above


def test_density_against_the_plain_double_sum(copper: AtomicPotential) -> None:
    # ρ_L = Im Σ_E w Σ_L1L2 C_L1L2L G_L1L2 (P P + F F/c²), written out; and the part of the irregular solutions
    energies = np.linspace(-0.3, 0.6, 18) + 0.1j
    rng = np.random.default_rng(8)
    contour = Contour(energies, rng.normal(size=18) + 1j * rng.normal(size=18), INVERSE_C2)
    g = random_green(18, 9)
    site, valence = density_of(copper.v, copper.mesh, copper.z, 2, contour, g, 2)
    waves = site.waves.transpose(0, 1, 4, 3, 2).reshape(3, -1, 4, copper.mesh.n)[:, :18]
    scale = site.alpha[:, :, None] * site.powers[:, None, :]
    p, f = scale * (waves[:, :, 0] + 1j * waves[:, :, 1]), scale * (waves[:, :, 2] + 1j * waves[:, :, 3])
    l = l_of_lm(2)
    expected = np.zeros((25, copper.mesh.n))
    for a in range(9):
        for b in range(9):
            product = p[l[a]] * p[l[b]] + INVERSE_C2 * f[l[a]] * f[l[b]]
            radial = np.imag((contour.weights / 2 * g[:, a, b]) @ product)
            expected += gaunt(2, 2)[a, b][:, None] * radial
    expected[0] += site.irregular_density / sqrt(4 * pi)
    # the same sums in another order
    np.testing.assert_allclose(valence.rho[:, 1:], expected[:, 1:], atol=1e-11 * np.abs(expected).max())
    assert BLOCK == 16  # 18 energies make two blocks


def test_charge_is_the_integral_of_the_density(copper: AtomicPotential, copper_density: tuple) -> None:
    contour, _, valence = copper_density
    integral = sqrt(4 * pi) * valence.rho[0] @ (simpson_weights(copper.mesh.n) * copper.mesh.drdi)
    # the same products with the same weights
    assert integral == pytest.approx(np.imag(valence.dos @ contour.weights).sum(), rel=1e-11)


def test_copper_from_its_own_green_function_is_neutral(copper_density: tuple) -> None:
    contour, _, valence = copper_density
    charges = np.imag(valence.dos @ contour.weights)
    # eleven valence electrons; the host was converged to 1e-6 Ry, and its contour and k points are those of this Green
    # function; single precision adds 1e-6
    assert charges.sum() == pytest.approx(11.0, abs=2e-4)
    # a full d shell, with s and p electrons of copper
    assert 9.2 < charges[2] < 9.8
    assert (charges[:2] > 0.5).all()


def test_copper_density_has_cubic_symmetry(copper_density: tuple) -> None:
    _, _, valence = copper_density
    rho = valence.rho
    scale = np.abs(rho[0]).max()
    cubic_4 = {16 + 4, 16 + 8}  # l = 4, m = 0 and m = 4
    for lm in range(1, 25):
        if lm not in cubic_4:
            np.testing.assert_allclose(rho[lm], 0.0, atol=1e-6 * scale)  # single precision of the Green function
    # the cubic harmonic of l = 4 is Y_40 + √(5/7) Y_44
    assert np.abs(rho[20]).max() > 1e-3 * scale
    np.testing.assert_allclose(rho[24], sqrt(5 / 7) * rho[20], atol=1e-6 * scale)


def test_copper_density_is_positive_everywhere(copper_density: tuple) -> None:
    _, _, valence = copper_density
    directions, _ = product_quadrature(8)
    density = real_harmonics(directions, 4) @ valence.rho[:, 1:]
    assert (density > 0).all()


def test_only_symmetric_part_of_the_green_function_counts(copper: AtomicPotential) -> None:
    contour = Contour(np.array([0.3 + 0.1j]), np.ones(1, dtype=complex), INVERSE_C2)
    g = random_green(1, 9)
    g_skew = g.copy()
    g_skew[0, 2, 6] += 0.4
    g_skew[0, 6, 2] -= 0.4
    _, one = density_of(copper.v, copper.mesh, copper.z, 2, contour, g, 1)
    _, other = density_of(copper.v, copper.mesh, copper.z, 2, contour, g_skew, 1)
    np.testing.assert_allclose(one.rho, other.rho, atol=1e-12 * np.abs(one.rho).max())
