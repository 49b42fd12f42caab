"""Single sites against free electrons, the Coulomb potential, the square well and the optical theorem."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import hyp1f1, spherical_jn, spherical_yn

from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import AtomicPotential, ImpurityPotential
from aiida_mlkkr.solver.bessel import spherical_bessel, spherical_hankel
from aiida_mlkkr.solver.radial import BLOCK
from aiida_mlkkr.solver.scattering import Contour, SingleSite, solve_single_site

INVERSE_C2 = 1 / SPEED_OF_LIGHT**2
RADIUS = 2.67
ENERGIES = np.array([-0.5 + 0.1j, -0.2 + 0.02j, 0.02 + 0.001j, 0.3 + 0.1j, 0.7 + 0.01j, 0.7 + 0j])


def copper_mesh(step: float = 0.025) -> RadialMesh:
    """JuKKR's mesh for Cu (step 0.025), or a finer one with the same first radius scale and the same sphere."""
    b = 4.4418808e-4
    n = round(np.log(RADIUS / b + 1) / step) + 1
    return RadialMesh(a=step, b=RADIUS / np.expm1(step * (n - 1)), n=n)


def solve(
    v: np.ndarray | float,
    mesh: RadialMesh,
    z: float,
    lmax: int,
    energies: np.ndarray,
    inverse_c2: float = 0.0,
    weight: complex = 1.0,
) -> SingleSite:
    energies = np.asarray(energies, dtype=complex)
    contour = Contour(energies, np.full(energies.size, weight, dtype=complex), inverse_c2)
    return solve_single_site(np.broadcast_to(v, mesh.n) + np.zeros(mesh.n), mesh, z, lmax, contour, nspin=1)


def kappa_of(energies: np.ndarray, inverse_c2: float = 0.0) -> np.ndarray:
    return np.sqrt(np.asarray(energies, dtype=complex) * (1 + np.asarray(energies) * inverse_c2))


def large_component(site: SingleSite, l: int, energy: int) -> np.ndarray:
    block, lane = divmod(energy, BLOCK)
    wave = site.waves[l, block, :, :2, lane]
    return site.alpha[l, energy] * site.powers[l] * (wave[:, 0] + 1j * wave[:, 1])


def bessel(l: int, z: np.ndarray) -> np.ndarray:
    return np.array([spherical_bessel(complex(x), l + 1)[l] for x in np.atleast_1d(z)])


def hankel(l: int, z: np.ndarray) -> np.ndarray:
    return np.array([spherical_hankel(complex(x), l + 1)[l] for x in np.atleast_1d(z)])


def slope_of(function: Callable[[int, np.ndarray], np.ndarray], l: int, z: np.ndarray) -> np.ndarray:
    """Derivative of a spherical Bessel or Hankel function with respect to its argument."""
    return l / np.asarray(z) * function(l, z) - function(l + 1, z)


def t_of_logarithmic_derivative(derivative: complex, l: int, kappa: complex) -> complex:
    """t = −sin δ exp(iδ)/κ from the logarithmic derivative of P/r at the sphere."""
    x = kappa * RADIUS
    j, h = bessel(l, x)[0], hankel(l, x)[0]
    dj, dh = kappa * slope_of(bessel, l, x)[0], kappa * slope_of(hankel, l, x)[0]
    return 1j / kappa * (derivative * j - dj) / (dh - derivative * h)


def coulomb_function(r: np.ndarray, z: float, energy: complex, l: int) -> tuple[np.ndarray, np.ndarray]:
    """Regular solution of P'' = [l(l+1)/r² − 2Z/r − E] P and its derivative, by its power series."""
    terms = 150
    a = np.zeros(terms, dtype=complex)
    a[0] = 1.0
    for j in range(1, terms):
        a[j] = (-2 * z * a[j - 1] - (energy * a[j - 2] if j > 1 else 0)) / (j * (j + 2 * l + 1))
    powers = np.arange(terms) + l + 1
    return (a * r[:, None] ** powers).sum(axis=1), (a * powers * r[:, None] ** (powers - 1)).sum(axis=1)


@pytest.fixture(scope='module')
def manganese(pair_source: Path, read_stored_potential: Callable[[Path], ImpurityPotential]) -> AtomicPotential:
    return read_stored_potential(pair_source / 'calc1' / 'potential.gz').sites[0][1]


# --- the contour ------------------------------------------------------------------------------------------------------


def test_contour() -> None:
    energies = np.linspace(0.1, 0.6, 21) + 0.05j
    contour = Contour(energies, energies, INVERSE_C2)
    assert contour.fermi_energy == pytest.approx(0.6)
    np.testing.assert_allclose(contour.kappa**2, energies + energies**2 * INVERSE_C2, rtol=1e-14)
    assert (contour.kappa.imag > 0).all()
    blocks = contour.blocks
    assert blocks.shape == (2, 2, BLOCK)
    flat = (blocks[:, 0] + 1j * blocks[:, 1]).ravel()
    np.testing.assert_array_equal(flat[:21], energies)
    np.testing.assert_array_equal(flat[21:], energies[-1])


def test_energies_do_not_know_of_each_other(manganese: AtomicPotential) -> None:
    # the energies are handled in blocks of 16: neither place in a block nor padding may matter
    energies = np.linspace(-0.4, 0.7, 19) + 0.03j
    together = solve(manganese.v, manganese.mesh, 25.0, 2, energies, INVERSE_C2)
    density = 0.0
    for number in range(energies.size):
        alone = solve(manganese.v, manganese.mesh, 25.0, 2, energies[number : number + 1], INVERSE_C2)
        # the same operations in the same order: rounding of compiled variants only
        np.testing.assert_allclose(alone.t[:, 0], together.t[:, number], rtol=1e-11)
        np.testing.assert_allclose(alone.norm_irregular[:, 0], together.norm_irregular[:, number], rtol=1e-11)
        density = density + alone.irregular_density
    np.testing.assert_allclose(density, together.irregular_density, atol=1e-12 * np.abs(density).max())
    # all l of a larger lmax are those of the smaller one
    larger = solve(manganese.v, manganese.mesh, 25.0, 3, energies, INVERSE_C2)
    np.testing.assert_allclose(larger.t[:3], together.t, rtol=1e-11)


def test_spins_share_the_weights(manganese: AtomicPotential) -> None:
    contour = Contour(ENERGIES, np.ones(ENERGIES.size, dtype=complex), INVERSE_C2)
    both = solve_single_site(manganese.v, manganese.mesh, 25.0, 2, contour, nspin=1)
    one = solve_single_site(manganese.v, manganese.mesh, 25.0, 2, contour, nspin=2)
    np.testing.assert_allclose(one.irregular_density, both.irregular_density / 2, rtol=1e-12)
    np.testing.assert_array_equal(one.t, both.t)


# --- free electrons ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('inverse_c2', [0.0, INVERSE_C2])
def test_free_electrons_do_not_scatter(inverse_c2: float) -> None:
    mesh = copper_mesh()
    site = solve(0.0, mesh, 0.0, 4, ENERGIES, inverse_c2)
    kappa = kappa_of(ENERGIES, inverse_c2)
    # the fifth-order scheme with the step of 0.025: the phase shifts err by 2e-7
    np.testing.assert_allclose(site.t * kappa, 0.0, atol=1e-6)
    for l in range(5):
        for number, k in enumerate(kappa):
            wave = large_component(site, l, number)
            np.testing.assert_allclose(wave[1:], (mesh.r * bessel(l, k * mesh.r))[1:], rtol=5e-7)


def test_norms_of_free_electrons() -> None:
    # ∫ z² f_l g_l dz = z³/4 [2 f_l g_l − f_{l−1} g_{l+1} − f_{l+1} g_{l−1}]
    mesh = copper_mesh()
    site = solve(0.0, mesh, 0.0, 3, ENERGIES)
    kappa = kappa_of(ENERGIES)
    x = kappa * RADIUS
    for l in range(4):
        j_below = bessel(l - 1, x) if l else np.cos(x) / x
        h_below = hankel(l - 1, x) if l else np.exp(1j * x) / x
        regular = (x / kappa) ** 3 / 2 * (bessel(l, x) ** 2 - j_below * bessel(l + 1, x))
        # the product j_{l−1} h_{l+1} has the limit −i (2l+1)/z³ at zero
        mixed = x**3 / 4 * (2 * bessel(l, x) * hankel(l, x) - j_below * hankel(l + 1, x) - bessel(l + 1, x) * h_below)
        irregular = -1j / kappa**3 * (mixed - 1j * (2 * l + 1) / 4)
        # Simpson's rule for r^{2l+3} exp(2|κ|r), at most an exponential of the index with exponent (2l + 3 + 2|κ|R) a,
        # errs by its fourth power over 180
        rtol = ((2 * l + 3 + 2 * np.abs(x).max()) * mesh.a) ** 4 / 180
        np.testing.assert_allclose(site.norm_regular[l], regular, rtol=rtol)
        np.testing.assert_allclose(site.norm_irregular[l], kappa * (2 * l + 1) * irregular, rtol=rtol)


# --- Coulomb potential ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(('z', 'accuracy'), [(1.0, 5e-7), (4.0, 2e-5), (10.0, 5e-4)])
def test_pure_coulomb_potential(z: float, accuracy: float) -> None:
    # the wave oscillates faster with Z: the error of the fifth-order scheme at the step of 0.025 grows like Z³
    mesh = copper_mesh()
    site = solve(0.0, mesh, z, 3, ENERGIES)
    kappa = kappa_of(ENERGIES)
    for l in range(4):
        for number, energy in enumerate(ENERGIES):
            p, slope = coulomb_function(mesh.r, z, energy, l)
            t = t_of_logarithmic_derivative(slope[-1] / p[-1] - 1 / RADIUS, l, kappa[number])
            assert abs(site.t[l, number] - t) < accuracy * abs(t)
            wave = large_component(site, l, number)
            p *= wave[-1] / p[-1]
            np.testing.assert_allclose(wave, p, atol=accuracy * np.abs(p).max())


def test_coulomb_waves_below_zero_are_confluent_hypergeometric() -> None:
    # P ∝ r^{l+1} e^{−γr} M(l+1−Z/γ, 2l+2, 2γr), E = −γ²; at a bound state it is the hydrogen-like function
    mesh, z = copper_mesh(), 4.0
    for l, n in ((0, 4.0), (0, 3.1), (1, 4.0), (2, 3.0), (3, 4.0), (3, 4.7)):
        gamma = z / n
        site = solve(0.0, mesh, z, l, np.array([-(gamma**2)]))
        wave = large_component(site, l, 0)
        exact = mesh.r ** (l + 1) * np.exp(-gamma * mesh.r) * hyp1f1(l + 1 - n, 2 * l + 2, 2 * gamma * mesh.r)
        # 2e-5: as above for Z = 4
        np.testing.assert_allclose(wave / wave[-1], exact / exact[-1], atol=2e-5 * np.abs(exact / exact[-1]).max())


@pytest.mark.parametrize('z', [1.0, 10.0])
def test_error_falls_with_the_fifth_power_of_the_mesh_step(z: float) -> None:
    energies = np.array([0.1 + 0.05j, 0.3 + 0.1j, 0.6 + 0.1j, 0.9 + 0.02j])
    kappa = kappa_of(energies)
    exact = np.empty((3, energies.size), dtype=complex)
    for l, row in enumerate(exact):
        for number, energy in enumerate(energies):
            p, slope = coulomb_function(np.array([RADIUS]), z, energy, l)
            row[number] = t_of_logarithmic_derivative(slope[0] / p[0] - 1 / RADIUS, l, kappa[number])
    errors = [
        np.abs(solve(0.0, copper_mesh(step), z, 2, energies).t - exact).max() for step in (0.025, 0.0125, 0.00625)
    ]
    # 2⁵ = 32 asymptotically, more while the start at the nucleus still counts
    assert errors[0] > 28 * errors[1] > 28**2 * errors[2]


# --- square well ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('inverse_c2', [0.0, INVERSE_C2])
def test_phase_shifts_of_the_square_well(inverse_c2: float) -> None:
    depth = 1.3
    energies = np.array([0.05, 0.3, 0.7])
    k = kappa_of(energies, inverse_c2).real
    q = kappa_of(energies + depth, inverse_c2).real
    site = solve(-depth, copper_mesh(), 0.0, 4, energies, inverse_c2)
    for l in range(5):
        j_in, dj_in = spherical_jn(l, q * RADIUS), q * spherical_jn(l, q * RADIUS, True)
        j, dj = spherical_jn(l, k * RADIUS), k * spherical_jn(l, k * RADIUS, True)
        n, dn = spherical_yn(l, k * RADIUS), k * spherical_yn(l, k * RADIUS, True)
        delta = np.arctan2(dj * j_in - dj_in * j, dn * j_in - dj_in * n)
        # the fifth-order scheme with the step of 0.025
        np.testing.assert_allclose(site.t[l], -np.sin(delta) * np.exp(1j * delta) / k, atol=1e-6)


def test_bound_state_of_the_square_well_is_a_pole_of_t() -> None:
    depth = 1.3
    # s waves: q cot(qR) = −γ, E = −γ², q² = depth − γ²; the lowest state
    energy = -brentq(
        lambda b: np.sqrt(depth - b) / np.tan(np.sqrt(depth - b) * RADIUS) + np.sqrt(b), 0.35, depth - 0.01
    )
    below, above = (solve(-depth, copper_mesh(), 0.0, 0, np.array([energy + shift])).t[0, 0] for shift in (-1e-3, 1e-3))
    at_pole = solve(-depth, copper_mesh(), 0.0, 0, np.array([energy])).t[0, 0]
    # t ~ residue/(E − E_b): it changes sign, and at the exact energy only the error of the scheme is left of E − E_b
    assert below.real * above.real < 0
    assert abs(at_pole) > 500 * abs(above)


def test_irregular_solution_in_the_square_well() -> None:
    depth, mesh = 1.3, copper_mesh()
    r = mesh.r[1:]
    for energy in (-0.3 + 0.1j, 0.3 + 0.2j, 0.7 + 0.01j):
        k, q = kappa_of(energy), kappa_of(energy + depth)
        x, y = np.array([k * RADIUS]), np.array([q * RADIUS])
        below = np.zeros(mesh.n, dtype=complex)
        for l in range(3):
            # inside, Q = −ir [a j(qr) + b h(qr)] continues −ir h(κr) smoothly, P = r c j(qr) continues r (j − iκt h)
            inside = np.array(
                [[bessel(l, y)[0], hankel(l, y)[0]], [q * slope_of(bessel, l, y)[0], q * slope_of(hankel, l, y)[0]]]
            )
            a, b = np.linalg.solve(inside, [hankel(l, x)[0], k * slope_of(hankel, l, x)[0]])
            t = t_of_logarithmic_derivative(q * slope_of(bessel, l, y)[0] / bessel(l, y)[0], l, k)
            c = (bessel(l, x)[0] - 1j * k * t * hankel(l, x)[0]) / bessel(l, y)[0]
            product = -1j * r**2 * c * bessel(l, q * r) * (a * bessel(l, q * r) + b * hankel(l, q * r))
            # the density is the imaginary part of weight κ (2l+1) P Q, summed over l
            total = 0j
            for weight in (1j, 1.0):
                part = solve(-depth, mesh, 0.0, l, np.array([energy]), weight=weight).irregular_density
                total = total + (part if weight == 1j else 1j * part)
            found, below = (total - below) / (k * (2 * l + 1)), total
            # of the fifth-order scheme for P and Q; the second-order start at the nucleus has no larger error here
            np.testing.assert_allclose(found[1:], product, rtol=1e-5)


# --- real potentials --------------------------------------------------------------------------------------------------


def test_optical_theorem(manganese: AtomicPotential) -> None:
    energies = np.linspace(0.05, 1.0, 12)
    site = solve(manganese.v, manganese.mesh, manganese.z, 3, energies, INVERSE_C2)
    kappa = kappa_of(energies, INVERSE_C2).real
    # an identity whatever the mesh, as the logarithmic derivative is real: rounding, times 1/κ
    np.testing.assert_allclose(site.t.imag, -kappa * np.abs(site.t) ** 2, atol=1e-13)
    assert np.abs(site.t[2]).max() > 0.5  # the resonance of the d states is among the energies


def test_waves_join_the_free_solution_at_the_sphere(manganese: AtomicPotential) -> None:
    site = solve(manganese.v, manganese.mesh, manganese.z, 2, ENERGIES, INVERSE_C2)
    radius = manganese.mesh.rmax
    for number, k in enumerate(kappa_of(ENERGIES, INVERSE_C2)):
        for l in range(3):
            outside = bessel(l, k * radius) - 1j * k * site.t[l, number] * hankel(l, k * radius)
            # by construction, to rounding
            assert large_component(site, l, number)[-1] == pytest.approx(radius * outside[0], rel=1e-10)


def test_nonrelativistic_limit(manganese: AtomicPotential) -> None:
    limit = solve(manganese.v, manganese.mesh, manganese.z, 2, ENERGIES, 0.0).t
    change = [
        np.abs(solve(manganese.v, manganese.mesh, manganese.z, 2, ENERGIES, INVERSE_C2 / factor).t - limit).max()
        for factor in (1.0, 10.0, 100.0)
    ]
    # the corrections are of the order 1/c²; the next order, (Zα)² = 3 %, is what is missing at full strength
    assert change[0] / change[1] == pytest.approx(10.0, rel=0.05)
    assert change[1] / change[2] == pytest.approx(10.0, rel=0.01)


def test_t_changes_sign_with_the_potential_in_born_approximation() -> None:
    # first order: t = −∫ V (r j)² dr ... for a weak potential; and the phase shift of an attractive one is positive
    mesh, energies = copper_mesh(), np.array([0.4])
    k = kappa_of(energies)[0].real
    weak = 1e-4 * np.exp(-mesh.r)
    for l in range(3):
        born = quad(lambda r, l=l: 1e-4 * np.exp(-r) * (r * spherical_jn(l, k * r)) ** 2, 0, RADIUS)[0]
        free = solve(0.0, mesh, 0.0, l, energies).t[l, 0]
        for sign in (1, -1):
            t = solve(sign * weak, mesh, 0.0, l, energies).t[l, 0] - free
            # the second order is 1e-4 of the first
            assert t.real == pytest.approx(sign * born, rel=1e-3)


def test_t_converges_with_the_mesh(manganese: AtomicPotential) -> None:
    # JuKKR's mesh against twice as many points, on an analytic potential of Mn's size
    def screened(mesh: RadialMesh) -> np.ndarray:
        v = np.empty(mesh.n)
        v[1:] = -50 / mesh.r[1:] * np.expm1(-1.8 * mesh.r[1:])
        v[0] = 50 * 1.8
        return v - 1.0

    coarse, fine = (
        solve(screened(copper_mesh(step)), copper_mesh(step), 25.0, 2, ENERGIES, INVERSE_C2).t
        for step in (0.025, 0.0125)
    )
    kappa = kappa_of(ENERGIES, INVERSE_C2)
    np.testing.assert_allclose(coarse * kappa, fine * kappa, atol=1e-4)
