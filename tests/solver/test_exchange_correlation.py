"""Exchange and correlation in a sphere: isotropic and anisotropic densities, rotations, functional derivatives."""

from math import pi, sqrt

import numpy as np
import pytest

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.solver.angular import product_quadrature, real_harmonics
from aiida_mlkkr.solver.exchange_correlation import exchange_correlation
from aiida_mlkkr.solver.quadrature import simpson_weights
from aiida_mlkkr.solver.xc import MORUZZI_JANAK_WILLIAMS, VON_BARTH_HEDIN, VWN, lsda

MESH = RadialMesh(a=0.025, b=4.4418808e-4, n=349)
KINDS = [VWN, VON_BARTH_HEDIN, MORUZZI_JANAK_WILLIAMS]


def density(anisotropy: float = 0.0, nspin: int = 2) -> np.ndarray:
    """ρ_L r² of charge and spin like those of a transition metal, with random angular parts."""
    rng = np.random.default_rng(6)
    r = MESH.r
    rho = np.zeros((nspin, 25, MESH.n))
    rho[0, 0] = sqrt(4 * pi) * r**2 * (200 * np.exp(-8 * r) + 3 * np.exp(-2 * r) + 0.02)
    if nspin == 2:
        rho[1, 0] = 0.4 * rho[0, 0] * np.tanh(r)
    for spin in range(nspin):
        shape = rng.normal(size=24)
        shape *= 1 / np.abs(shape).sum()
        rho[spin, 1:] = anisotropy * shape[:, None] * rho[0, 0] * (r / MESH.rmax) ** 2
    return rho


def by_brute_force(rho: np.ndarray, kind: int) -> tuple[np.ndarray, float]:
    """Spherical potentials without the first point, and the energy, on a quadrature of degree 60."""
    directions, weights = product_quadrature(60)
    harmonics = real_harmonics(directions, 4)
    n = harmonics @ rho[0][:, 1:] / MESH.r[1:] ** 2
    m = harmonics @ rho[1][:, 1:] / MESH.r[1:] ** 2
    exc, down, up = (values.reshape(n.shape) for values in lsda(n.ravel(), m.ravel(), kind))
    damping = 1 - np.exp(-4000 * pi * n)
    energy_density = np.concatenate([[0.0], weights @ (exc * n) * MESH.r[1:] ** 2])
    spherical = np.stack([weights @ (v * damping) / (4 * pi) for v in (down, up)])
    return spherical, float(energy_density @ (simpson_weights(MESH.n) * MESH.drdi))


@pytest.mark.parametrize('kind', KINDS)
def test_isotropic_density_is_that_of_the_homogeneous_gas(kind: int) -> None:
    rho = density()
    potential, energy = exchange_correlation(rho, MESH, kind)
    n, m = rho[:, 0, 1:] / sqrt(4 * pi) / MESH.r[1:] ** 2
    exc, down, up = lsda(n, m, kind)
    # n > 0.02: the damping at low densities is 1 − e^(−250); the rest is rounding
    np.testing.assert_allclose(potential[:, 1:], [down, up], rtol=1e-12)
    weights = (simpson_weights(MESH.n) * MESH.drdi)[1:]
    assert energy == pytest.approx(4 * pi * float((exc * n * MESH.r[1:] ** 2) @ weights), rel=1e-12)


def test_potential_at_the_nucleus_is_extrapolated() -> None:
    potential, _ = exchange_correlation(density(), MESH, VWN)
    slope = (potential[:, 2] - potential[:, 1]) / (MESH.r[2] - MESH.r[1])
    np.testing.assert_allclose(potential[:, 0], potential[:, 1] - slope * MESH.r[1], rtol=1e-13)


def test_potential_vanishes_with_the_density() -> None:
    rho = np.zeros((2, 25, MESH.n))
    rho[0, 0] = sqrt(4 * pi) * MESH.r**2 * 1e-6
    potential, _ = exchange_correlation(rho, MESH, VWN)
    _, down, _ = lsda(np.array([1e-6]), np.zeros(1), VWN)
    # 1 − exp(−1000 · 4π · 1e-6) = 1.25 %
    np.testing.assert_allclose(potential, down[0] * -np.expm1(-4e-3 * pi), rtol=1e-9)
    potential, energy = exchange_correlation(np.zeros_like(rho), MESH, VWN)
    np.testing.assert_array_equal(potential, 0.0)
    assert energy == 0.0


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('anisotropy', 'tolerance'), [(1e-6, 1e-11), (1e-3, 2e-9), (0.03, 2e-9), (0.2, 2e-9)])
def test_anisotropic_density_against_a_fine_quadrature(kind: int, anisotropy: float, tolerance: float) -> None:
    rho = density(anisotropy)
    potential, energy = exchange_correlation(rho, MESH, kind)
    exact, exact_energy = by_brute_force(rho, kind)
    # the first neglected order in the anisotropy is 1e-10 and changes the potential by some 1e-9 Ry
    np.testing.assert_allclose(potential[:, 1:], exact, atol=tolerance)
    assert energy == pytest.approx(exact_energy, abs=10 * tolerance)  # of 25 electrons


@pytest.mark.parametrize('anisotropy', [0.01, 0.3])
def test_rotation_changes_nothing(anisotropy: float) -> None:
    rho = density(anisotropy)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    directions, weights = product_quadrature(8)
    matrix = (real_harmonics(directions @ rotation, 4).T * weights) @ real_harmonics(directions, 4)
    rotated = np.einsum('ab,sbn->san', matrix.T, rho)
    np.testing.assert_allclose((rotated**2).sum(axis=1), (rho**2).sum(axis=1), rtol=1e-12)
    potential, energy = exchange_correlation(rho, MESH, VWN)
    potential_rotated, energy_rotated = exchange_correlation(rotated, MESH, VWN)
    # as above; the largest anisotropy is up to 0.6 somewhere: 8 orders are exact, the ninth is left, 0.6⁹/9! = 3e-8
    np.testing.assert_allclose(potential_rotated, potential, atol=5e-8)
    assert energy_rotated == pytest.approx(energy, abs=1e-6)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('anisotropy', [0.0, 0.1])
def test_potential_is_the_derivative_of_the_energy(kind: int, anisotropy: float) -> None:
    rho = density(anisotropy)
    potential, _ = exchange_correlation(rho, MESH, kind)
    shell = sqrt(4 * pi) * MESH.r**2 * np.exp(-((MESH.r - 1.2) ** 2) / 0.1)
    step = 1e-4
    weights = simpson_weights(MESH.n) * MESH.drdi
    for spin, sign in enumerate((-1.0, 1.0)):
        change = np.zeros_like(rho)
        change[0, 0], change[1, 0] = shell, sign * shell
        forward, backward = (exchange_correlation(rho + s * step * change, MESH, kind)[1] for s in (1, -1))
        # δE = ∫ V_σ δn_σ. Central differences: (1e-4/0.05)² of the third derivative, and the digits of the parameters:
        # von Barth and Hedin's constants are consistent to 1e-6, those of VWN to 2e-6
        derivative = (forward - backward) / (2 * step)
        assert derivative == pytest.approx(sqrt(4 * pi) * float((shell * potential[spin]) @ weights), rel=1e-5)


def test_spin_flip_exchanges_the_potentials() -> None:
    rho = density(0.1)
    flipped = rho.copy()
    flipped[1] *= -1
    potential, energy = exchange_correlation(rho, MESH, VWN)
    potential_flipped, energy_flipped = exchange_correlation(flipped, MESH, VWN)
    np.testing.assert_allclose(potential_flipped, potential[::-1], rtol=1e-12)
    assert energy_flipped == pytest.approx(energy, rel=1e-13)


@pytest.mark.parametrize('kind', KINDS)
def test_without_spin(kind: int) -> None:
    rho = density(0.1)
    rho[1] = 0.0
    both, energy = exchange_correlation(rho, MESH, kind)
    one, energy_one = exchange_correlation(rho[:1], MESH, kind)
    np.testing.assert_allclose(both, [one[0], one[0]], rtol=1e-12)
    assert energy_one == pytest.approx(energy, rel=1e-13)
