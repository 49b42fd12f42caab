"""Reference system and integration over the Brillouin zone, against free electrons and symmetry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.kkrflex import read_green
from aiida_mlkkr.solver.angular import l_of_lm, real_harmonics
from aiida_mlkkr.solver.dyson import free_green_function
from aiida_mlkkr.solver.host.brillouin import crystal_green_function, k_meshes
from aiida_mlkkr.solver.host.screening import BARRIER, ReferenceSystem, lattice_points, touching_radius

FCC = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]) * 3.41
BCC = np.array([[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]) * 2.7
TETRAGONAL = np.diag([4.6, 4.6, 5.3])
LMAX = 2


def reference_system(cell: np.ndarray, reach: float = 2.4) -> ReferenceSystem:
    radius = touching_radius(cell)
    length = reach * 2 * radius
    return ReferenceSystem(lattice_points(cell, length, length), cell, 0.99 * radius, LMAX)


def test_lattice_points_by_hand() -> None:
    # shells of fcc: 1, 12, 6, 24; of bcc: 1, 8, 6, 12
    neighbour = 3.41 * np.sqrt(2)
    assert [len(lattice_points(FCC, reach * neighbour, 99.0)) for reach in (1.01, 1.42, 1.74)] == [13, 19, 43]
    neighbour = 2.7 * np.sqrt(3)
    assert [len(lattice_points(BCC, reach * neighbour, 99.0)) for reach in (1.01, 1.16, 1.64)] == [9, 15, 27]
    # the axis and the four nearest chains, seven sites each
    assert len(lattice_points(np.eye(3), 3.4, 1.0)) == 7 + 4 * 7
    assert touching_radius(FCC) == pytest.approx(3.41 / np.sqrt(2))


def test_t_matrix_of_a_repulsive_sphere() -> None:
    energy = 0.6 + 0j
    reference = reference_system(FCC)
    t = reference.t(energy)
    k, q, radius = np.sqrt(0.6), np.sqrt(BARRIER - 0.6), reference.radius
    shift = np.arctan(k / q * np.tanh(q * radius)) - k * radius
    assert t[0] == pytest.approx(-np.sin(shift) * np.exp(1j * shift) / k, rel=1e-12)
    np.testing.assert_allclose((1 / t).imag, k, rtol=1e-12)


def test_reference_system_is_screened() -> None:
    reference = reference_system(FCC)
    green = np.abs(reference.green_function(0.66 + 0.01j)).max(axis=(1, 2))
    distance = np.linalg.norm(reference.steps @ FCC, axis=1)
    assert green[distance > 10].max() < 1e-2 * green[1]
    free = np.abs(free_green_function(reference.steps[1:] @ FCC, np.sqrt(0.66 + 0.01j), LMAX)).max(axis=(1, 2))
    assert free[distance[1:] > 10].min() > 0.1 * free[0]


def empty_crystal(cell: np.ndarray, energy: complex, steps: np.ndarray, n: int) -> np.ndarray:
    reference = reference_system(cell)
    delta_t = np.repeat(-reference.t(energy), 2 * np.arange(LMAX + 1) + 1)
    return crystal_green_function(reference.green_function(energy), reference.steps, delta_t, (n, n, n), steps)


@pytest.mark.parametrize('cell', [FCC, BCC, TETRAGONAL], ids=['fcc', 'bcc', 'tetragonal'])
def test_an_empty_crystal_is_free_space(cell: np.ndarray) -> None:
    energy = 0.4 + 0.5j
    steps = lattice_points(cell, 10.0, 10.0)
    green = empty_crystal(cell, energy, steps, 16)
    free = free_green_function(steps[1:] @ cell, np.sqrt(energy), LMAX)
    largest = np.abs(free).max()
    # what the finite reference cluster leaves
    assert np.abs(green[0]).max() < 2e-3 * largest
    assert np.abs(green[1:] - free).max() < 2e-3 * largest


def test_symmetry() -> None:
    energy = 0.5 + 0.03j
    steps = lattice_points(FCC, 7.0, 7.0)
    green = empty_crystal(FCC, energy, steps, 8)
    where = {tuple(step): index for index, step in enumerate(steps.tolist())}
    opposite = [where[tuple(step)] for step in (-steps).tolist()]
    largest = np.abs(green).max()
    np.testing.assert_allclose(green[opposite], green.swapaxes(1, 2), rtol=0, atol=1e-11 * largest)
    # fourfold rotation about z: G(QR) = D G(R) Dᵀ with Y(Qx) = D Y(x)
    rotation = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    points = np.random.default_rng(1).normal(size=(30, 3))
    turned, given = (real_harmonics(directions, LMAX) for directions in (points @ rotation.T, points))
    matrix = np.linalg.lstsq(given, turned, rcond=None)[0].T
    rotated_steps = np.rint(steps @ FCC @ rotation.T @ np.linalg.inv(FCC)).astype(int)
    image = [where[tuple(step)] for step in rotated_steps.tolist()]
    np.testing.assert_allclose(green[image], matrix @ green @ matrix.T, rtol=0, atol=1e-10 * largest)
    # no mixing of s and p on a site with inversion symmetry
    odd = (l_of_lm(LMAX)[:, None] + l_of_lm(LMAX)) % 2 == 1
    assert np.abs(green[0][odd]).max() < 1e-11 * largest


def test_meshes_of_jukkr(jukkr_files: Path) -> None:
    # JuKKR lists 20, 14, 10 and 7; the first energy has the coarsest although it is near the axis
    energies = read_green(jukkr_files / 'kkrflex_green').energies
    meshes = [mesh[0] for mesh in k_meshes((20, 20, 20), energies)]
    assert set(meshes) == {20, 14, 10, 7}
    assert meshes[0] == 7
    assert meshes[-5:] == [7, 10, 10, 14, 20]
