"""Exchange: the Mn pair that JuKKR converged, and Liechtenstein's formula against Lloyd's for many pairs."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.constants import RYDBERG_EV
from aiida_mlkkr.kkr.potential import ImpurityPotential
from aiida_mlkkr.solver.biquadratic import pair_energies, pair_energy
from aiida_mlkkr.solver.config import KkrimpConfig
from aiida_mlkkr.solver.dyson import VoidGreenFunction, free_green_function, group_borders
from aiida_mlkkr.solver.errors import InconsistentInputError
from aiida_mlkkr.solver.exchange import (
    DOWN,
    UP,
    MagneticSites,
    exchange_by_orbital,
    exchange_matrix,
    magnetic_sites,
    turning_energies,
)
from aiida_mlkkr.solver.problem import ImpurityProblem, read_problem
from aiida_mlkkr.solver.scattering import solve_single_site
from aiida_mlkkr.solver.start import standard_start

MEV = 1000 * RYDBERG_EV
MOMENTS = {23: 2.0, 24: 4.0, 25: 4.0, 26: 2.5, 27: 1.5, 42: 2.0}
NEIGHBOUR = 4.824  # distance of neighbours in Cu [Bohr]


def along(*angles: float) -> np.ndarray:
    """One configuration of directions in the xz plane."""
    return np.stack([np.sin(angles), np.zeros(len(angles)), np.cos(angles)], axis=1)


@pytest.fixture(scope='module')
def host(pair_source: Path, read_stored_potential: Callable[[Path], ImpurityPotential]) -> ImpurityPotential:
    return ImpurityPotential(read_stored_potential(pair_source / 'gf' / 'out_potential.gz').sites[:1])


@pytest.fixture
def pair(
    make_run: Callable[..., Path], pair_source: Path, read_stored_potential: Callable[[Path], ImpurityPotential]
) -> ImpurityProblem:
    """Two Mn atoms in Cu, converged by JuKKR."""
    problem = read_problem(make_run('calc1'), KkrimpConfig())
    converged = read_stored_potential(pair_source / 'calc1' / 'out' / 'out_potential.gz')
    return dataclasses.replace(problem, potential=converged)


def with_elements(problem: ImpurityProblem, host: ImpurityPotential, *z: int) -> ImpurityProblem:
    """Atoms of these elements in the cluster, as they start; a negative number turns the moment round."""
    elements = np.abs(np.array(z, dtype=float))
    moments = [np.sign(number) * MOMENTS.get(abs(number), 0.0) for number in z]
    start = standard_start(elements, [2] * len(z), host, -0.5, moments)
    return dataclasses.replace(problem, z=elements, potential=start)


def in_free_electrons(problem: ImpurityProblem, positions: np.ndarray) -> ImpurityProblem:
    """The problem with sites at any positions [Bohr], among free electrons instead of Cu."""
    offsets = 9 * np.arange(len(positions) + 1)
    void = VoidGreenFunction.empty(problem.contour.energies.size, group_borders(offsets))
    for energy, kappa in enumerate(problem.contour.kappa):
        blocks = [
            [
                np.zeros((9, 9)) if i == j else free_green_function(a - b, complex(kappa), 2)
                for j, b in enumerate(positions)
            ]
            for i, a in enumerate(positions)
        ]
        void.set_energy(energy, np.block(blocks))
    return dataclasses.replace(problem, void=(void, void), offsets=offsets, lmax=np.full(len(positions), 2))


def curvature(sites: MagneticSites, i: int, j: int, angle: float = 0.02) -> float:
    """J_ij from grand potentials: both moments turned by the same angle, and by opposite ones."""

    def difference(theta: float) -> float:
        both = np.zeros((2, sites.number))
        both[:, i], both[0, j], both[1, j] = theta, theta, -theta
        same, opposite = turning_energies(
            sites, np.stack([along(*np.zeros(sites.number)), *(along(*b) for b in both)])
        )[1:]
        return float(opposite - same) / (2 * np.sin(theta) ** 2)

    # the next order, θ², extrapolated away
    return (4 * difference(angle) - difference(2 * angle)) / 3


# --- the pair of the archive ------------------------------------------------------------------------------------------


def test_manganese_pair(pair: ImpurityProblem) -> None:
    sites = magnetic_sites(pair, [0, 1])
    j_matrix = exchange_matrix(sites) * MEV
    assert j_matrix[0, 1] == pytest.approx(-96.2, abs=0.5)  # antiferromagnetic neighbours
    np.testing.assert_array_equal(j_matrix, j_matrix.T)
    # one moment turned: E = −J cos θ near θ = 0
    turned = turning_energies(sites, np.stack([along(0, 0), along(0.003, 0)]))[1] * MEV
    assert turned / (1 - np.cos(0.003)) == pytest.approx(j_matrix[0, 1], rel=1e-5)


def test_all_angles_of_the_manganese_pair(pair: ImpurityProblem) -> None:
    sites = magnetic_sites(pair, [0, 1])
    found = pair_energy(sites, 0, 1)
    assert found.reversal * MEV == pytest.approx(-200.5, abs=0.1)
    assert found.biquadratic * MEV == pytest.approx(2.3, abs=0.1)
    assert found.rest * MEV < 0.1
    # both orders explain the reversal, to which only odd ones contribute, and the curvature at θ = 0
    assert 2 * found.bilinear == pytest.approx(found.reversal, abs=5 * found.rest)
    slope = exchange_matrix(sites)[0, 1]
    assert found.bilinear + 2 * found.biquadratic == pytest.approx(slope, abs=15 * found.rest)
    assert abs(found.bilinear - slope) > 30 * found.rest
    angles = np.linspace(0, np.pi, 19)
    x = np.cos(angles)
    fitted = found.bilinear * (1 - x) + found.biquadratic * (1 - x**2)
    np.testing.assert_allclose(pair_energies(sites, 0, 1, angles), fitted, atol=5 * found.rest)


def test_orbitals_and_energies(pair: ImpurityProblem) -> None:
    sites = magnetic_sites(pair, [0, 1])
    parts = exchange_by_orbital(sites, 0, 1)
    assert parts.shape == (sites.energies.size, 9, 9)
    total = exchange_matrix(sites)[0, 1]
    assert parts.imag.sum() == pytest.approx(total, rel=1e-12)
    assert parts[:, 4:, 4:].imag.sum() == pytest.approx(total, rel=0.15)  # it is exchange of d electrons
    # the sites along [110] are alike, so that L and L' may be exchanged, and x with y
    np.testing.assert_allclose(parts, exchange_by_orbital(sites, 1, 0).swapaxes(1, 2), atol=1e-12 * np.abs(parts).max())
    np.testing.assert_allclose(parts[:, 1, 1], parts[:, 3, 3], atol=1e-5 * np.abs(parts).max())


# --- the proof of prefactor and sign ----------------------------------------------------------------------------------


@pytest.mark.parametrize('elements', [(25, 25), (24, 26), (26, 27), (24, -25)])
def test_liechtenstein_is_the_curvature_in_copper(
    pair: ImpurityProblem, host: ImpurityPotential, elements: tuple[int, int]
) -> None:
    sites = magnetic_sites(with_elements(pair, host, *elements), [0, 1])
    exchange = exchange_matrix(sites)[0, 1]
    assert abs(exchange) * MEV > 0.1
    assert curvature(sites, 0, 1) == pytest.approx(exchange, rel=1e-5)


@pytest.mark.parametrize(
    ('elements', 'shell'),
    [((25, 26), 2), ((24, 23), 3), ((26, 26), 4), ((24, 42), 5), ((23, -26), 6), ((25, 25), 2)],
)
def test_liechtenstein_is_the_curvature_at_any_distance(
    pair: ImpurityProblem, host: ImpurityPotential, elements: tuple[int, int], shell: int
) -> None:
    direction = np.array([0.36, 0.48, 0.8])
    free = in_free_electrons(pair, NEIGHBOUR * np.sqrt(shell) * np.array([np.zeros(3), direction]))
    sites = magnetic_sites(with_elements(free, host, *elements), [0, 1])
    exchange = exchange_matrix(sites)[0, 1]
    assert abs(exchange) * MEV > 1e-3
    assert curvature(sites, 0, 1) == pytest.approx(exchange, rel=1e-5)


def test_pairs_of_a_trimer(pair: ImpurityProblem, host: ImpurityPotential) -> None:
    corners = NEIGHBOUR * np.array([[0, 0, 0], [1, 0, 0], [0.3, 1.1, 0.4]])
    problem = with_elements(in_free_electrons(pair, corners), host, 25, 24, 26)
    sites = magnetic_sites(problem, [0, 1, 2])
    j_matrix = exchange_matrix(sites)
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        assert curvature(sites, i, j) == pytest.approx(j_matrix[i, j], rel=1e-5)
        small = pair_energies(sites, i, j, np.array([0, 0.01]))[1]
        assert small / (1 - np.cos(0.01)) == pytest.approx(j_matrix[i, j], rel=1e-3)
    # one moment against all others
    one = turning_energies(sites, np.stack([along(0, 0, 0), along(0, 0.002, 0)]))[1]
    assert one / (1 - np.cos(0.002)) == pytest.approx(j_matrix[1].sum(), rel=1e-4)
    # fewer sites, in another order, are the same
    some = exchange_matrix(magnetic_sites(problem, [2, 0]))
    assert some[0, 1] == pytest.approx(j_matrix[0, 2], rel=1e-12)


def test_turning_energies_are_determinants_of_the_whole_cluster(pair: ImpurityProblem, host: ImpurityPotential) -> None:
    """Lloyd's formula as it stands, with 2×2 t matrices of all sites, one of which does not turn."""
    corners = NEIGHBOUR * np.array([[0, 0, 0], [1, 0, 0], [0.3, 1.1, 0.4]])
    problem = with_elements(in_free_electrons(pair, corners), host, 25, 24, 26)
    t = []
    for spin in (DOWN, UP):
        solved = [
            solve_single_site(b[spin].v, b[spin].mesh, b[spin].z, 2, problem.contour, 2)
            for b in problem.potential.sites
        ]
        t.append(np.concatenate([np.repeat(site.t, [1, 3, 5], axis=0) for site in solved]).T)
    void = problem.void[0].whole()
    pauli = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    directions = np.zeros((5, 3, 3))
    for step, angle in enumerate(np.linspace(0, 0.6, 5)):
        directions[step] = along(angle, -0.5 * angle, 0)
        directions[step, 1] = [0.6 * np.sin(angle), 0.8 * np.sin(angle), np.cos(angle)]
    logarithms = []
    for vectors in directions:
        spins = np.einsum('sx,xab->sab', vectors, pauli)[np.repeat(range(3), 9)]
        total = []
        for energy in range(problem.contour.energies.size):
            up, down = t[UP][energy], t[DOWN][energy]
            blocks = 0.5 * (up + down)[:, None, None] * np.eye(2) + 0.5 * (up - down)[:, None, None] * spins
            t_matrix = np.block([[np.diag(blocks[:, a, b]) for b in (0, 1)] for a in (0, 1)])
            matrix = np.eye(54) - np.kron(np.eye(2), void[energy]) @ t_matrix
            sign, logarithm = np.linalg.slogdet(matrix)
            total.append(logarithm + np.log(sign))
        logarithms.append(total)
    ln_det = np.array(logarithms)
    ln_det = ln_det.real + 1j * np.unwrap(ln_det.imag, axis=0)
    steps = -0.5 * np.pi * problem.contour.weights
    expected = np.imag((ln_det - ln_det[0]) @ steps) / np.pi
    found = turning_energies(magnetic_sites(problem, [0, 1]), directions[:, :2])
    np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max())


# --- symmetries -------------------------------------------------------------------------------------------------------


def test_turning_all_moments_costs_nothing(pair: ImpurityProblem) -> None:
    sites = magnetic_sites(pair, [0, 1])
    angles = np.linspace(0, np.pi, 13)
    energies = turning_energies(sites, np.stack([along(angle, angle) for angle in angles]))
    np.testing.assert_allclose(energies * MEV, 0.0, atol=1e-8)
    # and the direction in which one turns does not matter
    polar = np.stack([along(angle, 0) for angle in angles])
    azimuth = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    np.testing.assert_allclose(turning_energies(sites, polar @ azimuth), turning_energies(sites, polar), atol=1e-12)


def test_rotating_the_pair_in_free_electrons(pair: ImpurityProblem, host: ImpurityPotential) -> None:
    values = []
    for direction in ([1, 0, 0], [0, 0, 1], [0.36, 0.48, 0.8]):
        free = in_free_electrons(pair, NEIGHBOUR * np.array([[0.0, 0, 0], direction]))
        values.append(exchange_matrix(magnetic_sites(with_elements(free, host, 25, 24), [0, 1]))[0, 1])
    np.testing.assert_allclose(values, values[0], rtol=1e-10)


def test_reversing_spins(pair: ImpurityProblem, host: ImpurityPotential) -> None:
    parallel = exchange_matrix(magnetic_sites(with_elements(pair, host, 25, 24), [0, 1]))[0, 1]
    reversed_ = exchange_matrix(magnetic_sites(with_elements(pair, host, -25, -24), [0, 1]))[0, 1]
    assert reversed_ == pytest.approx(parallel, rel=1e-8)
    # J belongs to the spin axes, not to the moments: about the opposite for antiparallel moments
    opposite = exchange_matrix(magnetic_sites(with_elements(pair, host, 25, -24), [0, 1]))[0, 1]
    assert opposite == pytest.approx(-parallel, rel=0.3)


def test_without_moment_there_is_no_exchange(pair: ImpurityProblem, host: ImpurityPotential) -> None:
    sites = magnetic_sites(with_elements(pair, host, 25, 29), [0, 1])
    assert exchange_matrix(sites)[0, 1] * MEV == pytest.approx(0.0, abs=1e-3)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_refused(pair: ImpurityProblem) -> None:
    restricted = tuple(blocks[:1] for blocks in pair.potential.sites)
    with pytest.raises(InconsistentInputError, match='two spins'):
        magnetic_sites(dataclasses.replace(pair, potential=ImpurityPotential(restricted)), [0, 1])
    for wrong in ([0, 2], [], [1, 1], [-1]):
        with pytest.raises(InconsistentInputError, match='sites 0 to 1'):
            magnetic_sites(pair, wrong)
    with pytest.raises(ValueError, match=r'instead of \(n, 2, 3\)'):
        turning_energies(magnetic_sites(pair, [0, 1]), along(0.0, 0.0))
