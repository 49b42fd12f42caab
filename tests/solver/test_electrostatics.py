"""Coulomb potentials and energies against closed forms: spheres, multipoles, displaced charges, pairs of ions."""

from math import pi, sqrt

import numpy as np
import pytest

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.solver.angular import l_of_lm, lm_size, real_harmonics
from aiida_mlkkr.solver.electrostatics import (
    Intracell,
    add_intercell,
    coulomb_energy,
    intracell_potential,
    madelung_matrices,
)

MESH = RadialMesh(a=0.025, b=4.4418808e-4, n=349)
# Simpson's rule with the step of a = 0.025 errs by (k a)⁴/180 for ∫ r^k dr/r: 2e-7 for the volume (k = 3), 3e-5 for the
# moments of r^l with l = 4 (k = 11)
SPHERICAL, MULTIPOLES = 2e-7, 4e-5


def uniform(charge: float, mesh: RadialMesh = MESH, lmax_pot: int = 4) -> np.ndarray:
    """ρ_L r² of a uniformly charged sphere."""
    rho = np.zeros((lm_size(lmax_pot), mesh.n))
    rho[0] = sqrt(4 * pi) * mesh.r**2 * charge / (4 * pi / 3 * mesh.rmax**3)
    return rho


def point_moments(charge: float, at: np.ndarray, lmax_pot: int) -> np.ndarray:
    """Moments of a point charge at ``at`` from the centre."""
    l = l_of_lm(lmax_pot)
    if not np.any(at):
        return charge * real_harmonics(np.array([0.0, 0.0, 1.0]), lmax_pot) * (l == 0)
    return charge * np.linalg.norm(at) ** l * real_harmonics(at, lmax_pot)


def potential_near(coefficients: np.ndarray, at: np.ndarray) -> float:
    """Σ_L (−r)^l a_L Y_L."""
    lmax_pot = int(sqrt(coefficients.size)) - 1
    l = l_of_lm(lmax_pot)
    return float(((-np.linalg.norm(at)) ** l * coefficients) @ real_harmonics(at, lmax_pot))


def test_uniformly_charged_sphere() -> None:
    charge, radius = 7.0, MESH.rmax
    result = intracell_potential(uniform(charge), MESH)
    # twice the charge (e² = 2) times (3R² − r²)/2R³
    expected = charge * (3 * radius**2 - MESH.r**2) / radius**3
    np.testing.assert_allclose(result.potential[0] / sqrt(4 * pi), expected, rtol=SPHERICAL)
    np.testing.assert_array_equal(result.potential[1:], 0.0)
    assert result.moments[0] * sqrt(4 * pi) == pytest.approx(charge, rel=SPHERICAL)


def test_exponential_density() -> None:
    # the electron of a hydrogen-like ion: V = 2/r − 2 (Z + 1/r) e^{−2Zr}, the sphere holds all of it
    z = 8.0
    rho = np.zeros((1, MESH.n))
    rho[0] = sqrt(4 * pi) * MESH.r**2 * z**3 / pi * np.exp(-2 * z * MESH.r)
    result = intracell_potential(rho, MESH)
    r = MESH.r[1:]
    exact = 2 / r - 2 * (z + 1 / r) * np.exp(-2 * z * r)
    # Simpson's rule for e^{−2Zr} of r: exponent 2Z r a = 0.4 at the radius of the shell, to the fourth over 180
    np.testing.assert_allclose(result.potential[0, 1:] / sqrt(4 * pi), exact, rtol=1e-5)
    assert result.potential[0, 0] / sqrt(4 * pi) == pytest.approx(2 * z, rel=1e-5)


@pytest.mark.parametrize('l', [1, 2, 3, 4])
def test_multipole_density(l: int) -> None:
    # ρ_L = r^l: V_L = 8π/(2l+1) [r^{l+2}/(2l+3) + r^l (R² − r²)/2]
    rho = np.zeros((25, MESH.n))
    lm = l * l + 1
    r, radius = MESH.r, MESH.rmax
    rho[lm] = r ** (l + 2)
    result = intracell_potential(rho, MESH)
    expected = 8 * pi / (2 * l + 1) * (r ** (l + 2) / (2 * l + 3) + r**l * (radius**2 - r**2) / 2)
    np.testing.assert_allclose(result.potential[lm, 1:], expected[1:], rtol=MULTIPOLES)
    assert result.moments[lm] == pytest.approx(radius ** (2 * l + 3) / (2 * l + 3), rel=MULTIPOLES)
    np.testing.assert_array_equal(np.delete(result.potential, lm, axis=0), 0.0)
    np.testing.assert_array_equal(np.delete(result.moments, lm), 0.0)


def test_nucleus_at_another_site() -> None:
    lmax_pot, alat = 6, 4.82
    positions = np.array([[0.0, 0.0, 0.0], [0.7, 0.7, 0.0], [0.1, -0.5, 0.6]])
    _, b_matrix = madelung_matrices(positions, alat, lmax_pot)
    rng = np.random.default_rng(4)
    for i in range(3):
        for j in range(3):
            at = 0.02 * alat * rng.normal(size=3)
            exact = 0.0 if i == j else -2 * 29.0 / np.linalg.norm((positions[i] - positions[j]) * alat + at)
            # (r/d)⁷ with r/d < 0.1
            assert potential_near(29.0 * b_matrix[i, j], at) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize('lm', range(9))
def test_single_multipole_at_another_site(lm: int) -> None:
    # the potential of moments q_L outside their sphere is Σ 8π/(2l+1) q_L Y_L / r^{l+1}
    lmax_pot, alat = 6, 4.82
    positions = np.array([[0.0, 0.0, 0.0], [0.3, -0.4, 0.6]])
    a_matrix, _ = madelung_matrices(positions, alat, lmax_pot)
    moments = np.zeros(lm_size(lmax_pot))
    moments[lm] = 1.7
    l = int(l_of_lm(2)[lm])
    for at in 0.02 * alat * np.random.default_rng(2).normal(size=(5, 3)):
        d = (positions[0] - positions[1]) * alat + at
        exact = 8 * pi / (2 * l + 1) * 1.7 * real_harmonics(d, 2)[lm] / np.linalg.norm(d) ** (l + 1)
        scale = 8 * pi / (2 * l + 1) * 1.7 / np.linalg.norm(d) ** (l + 1)
        # the expansion at the other site ends with (r/d)⁷, r/d < 0.1, with a binomial factor from l
        assert potential_near(a_matrix[0, 1] @ moments, at) == pytest.approx(exact, abs=1e-5 * scale)


def test_displaced_charge_acts_like_a_charge_where_it_is() -> None:
    lmax_pot, alat = 6, 4.82
    positions = np.array([[0.0, 0.0, 0.0], [0.707, 0.0, 0.707]])
    a_matrix, _ = madelung_matrices(positions, alat, lmax_pot)
    away = np.array([0.1, -0.15, 0.12])
    moments = point_moments(3.0, away, lmax_pot)
    for at in 0.1 * np.random.default_rng(3).normal(size=(6, 3)):
        exact = 2 * 3.0 / np.linalg.norm((positions[0] - positions[1]) * alat + at - away)
        # both expansions end with l = 6: ((|r| + |d|)/4.8)⁷
        assert potential_near(a_matrix[0, 1] @ moments, at) == pytest.approx(exact, rel=1e-7)


def test_matrices_are_reciprocal() -> None:
    # the energy of two multipoles does not depend on which one is asked: q(i) · V at i of q(j) = q(j) · V at j of q(i)
    positions = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.1]])
    a_matrix, b_matrix = madelung_matrices(positions, 4.8, 4)
    sign = (-1.0) ** l_of_lm(4)
    np.testing.assert_allclose(sign[:, None] * a_matrix[0, 1], (sign[:, None] * a_matrix[1, 0]).T, rtol=1e-12)
    # a nucleus is a positive monopole
    np.testing.assert_allclose(b_matrix, -a_matrix[..., 0] / sqrt(4 * pi), atol=1e-12 * np.abs(b_matrix).max())


def test_single_site_has_no_neighbours() -> None:
    a_matrix, b_matrix = madelung_matrices(np.zeros((1, 3)), 4.8, 4)
    assert a_matrix.shape == (1, 1, 25, 25)
    assert not a_matrix.any()
    assert not b_matrix.any()


def test_neutral_sphere_is_not_felt_outside() -> None:
    positions = np.array([[0.0, 0.0, 0.0], [0.707, 0.707, 0.0]])
    a_matrix, b_matrix = madelung_matrices(positions, 4.82, 4)
    moments = intracell_potential(uniform(29.0), MESH).moments
    felt = a_matrix[0, 1] @ moments + 29.0 * b_matrix[0, 1]
    np.testing.assert_allclose(felt, 0.0, atol=1e-5)  # of 29 electrons integrated to 2e-7


def test_potential_from_outside_is_added_with_its_signs() -> None:
    # a homogeneous field: a_{1,0} (−r) Y_10
    coefficients = np.zeros(25)
    coefficients[[0, 2, 6]] = sqrt(4 * pi) * 0.3, 0.7, 0.11
    potential = add_intercell(Intracell(np.zeros((25, MESH.n)), np.zeros(25)), coefficients, MESH)
    np.testing.assert_allclose(potential[0], sqrt(4 * pi) * 0.3, rtol=1e-14)
    np.testing.assert_allclose(potential[2], -0.7 * MESH.r, rtol=1e-14)
    np.testing.assert_allclose(potential[6], 0.11 * MESH.r**2, rtol=1e-14)


def test_energy_of_a_uniformly_charged_sphere() -> None:
    charge, z = 7.0, 5.0
    rho = uniform(charge)
    inside = intracell_potential(rho, MESH)
    # 3/5 Q²/R times e² = 2; the nucleus does not count, as nothing is outside
    alone = coulomb_energy(rho, inside.potential, inside.moments, z, MESH)
    assert alone == pytest.approx(6 / 5 * charge**2 / MESH.rmax, rel=2 * SPHERICAL)
    # in a constant potential the charge of electrons and nucleus counts, by half
    coefficients = np.zeros(25)
    coefficients[0] = sqrt(4 * pi) * 0.4
    shifted = coulomb_energy(rho, add_intercell(inside, coefficients, MESH), inside.moments, z, MESH)
    assert shifted - alone == pytest.approx(0.5 * 0.4 * (charge - z), rel=1e-5)


def test_energy_of_two_ions() -> None:
    # beyond their self-energies two spherical ions have 2 q₁ q₂ / d
    positions, alat = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 1.0]]), 4.0
    charges, nuclei = (10.5, 24.0), np.array([11.0, 22.5])
    a_matrix, b_matrix = madelung_matrices(positions, alat, 4)
    densities = [uniform(charge) for charge in charges]
    inside = [intracell_potential(rho, MESH) for rho in densities]
    moments = np.stack([cell.moments for cell in inside])
    outside = np.einsum('ijkl,jl->ik', a_matrix, moments) + np.einsum('ijk,j->ik', b_matrix, nuclei)
    energy = sum(
        coulomb_energy(rho, add_intercell(cell, outside[site], MESH), cell.moments, nuclei[site], MESH)
        - coulomb_energy(rho, cell.potential, cell.moments, nuclei[site], MESH)
        for site, (rho, cell) in enumerate(zip(densities, inside, strict=True))
    )
    exact = 2 * (charges[0] - nuclei[0]) * (charges[1] - nuclei[1]) / (sqrt(2) * alat)
    assert energy == pytest.approx(exact, abs=1e-4)  # charges of 24 are integrated to 2e-7 and act on 24 over 5 Bohr


def test_dipole_in_the_field_of_a_neighbour() -> None:
    # the energy of a small dipole density in the potential of a distant nucleus, by the matrix and directly
    positions, alat, z = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), 8.0, 3.0
    _, b_matrix = madelung_matrices(positions, alat, 4)
    rho = np.zeros((25, MESH.n))
    rho[3] = 0.01 * MESH.r**3 * (MESH.rmax - MESH.r)  # along x, towards the nucleus for positive x
    inside = intracell_potential(rho, MESH)
    potential = add_intercell(inside, z * b_matrix[0, 1], MESH)
    energy = 2 * (
        coulomb_energy(rho, potential, inside.moments, 0.0, MESH)
        - coulomb_energy(rho, inside.potential, inside.moments, 0.0, MESH)
    )
    # dipole p = √(4π/3) q_1 of electrons that lean to the nucleus, −2Z/|r − d|: −2Z p/d²
    dipole = sqrt(4 * pi / 3) * inside.moments[3]
    assert energy == pytest.approx(-2 * z * dipole / alat**2, rel=MULTIPOLES)
