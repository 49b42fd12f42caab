"""Lattice sums of multipoles."""

from __future__ import annotations

import numpy as np

from aiida_mlkkr.solver.angular import l_of_lm, real_harmonics
from aiida_mlkkr.solver.host.madelung import lattice_multipoles
from aiida_mlkkr.solver.host.screening import lattice_points

FCC = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]) / np.sqrt(2)


def test_against_the_direct_sum() -> None:
    # l ≥ 6 converges fast enough to be summed as it stands
    sums = lattice_multipoles(FCC, 8)
    vectors = lattice_points(FCC, 25.0, 25.0)[1:] @ FCC
    l = l_of_lm(8)
    direct = np.sum(real_harmonics(vectors, 8) / np.linalg.norm(vectors, axis=1)[:, None] ** (l + 1), axis=0)
    np.testing.assert_allclose(sums[l >= 6], direct[l >= 6], rtol=0, atol=1e-5)
    np.testing.assert_allclose(sums[l == 4], direct[l == 4], rtol=0, atol=1e-2)
    assert np.abs(sums[l == 4]).max() > 1
    # cubic symmetry leaves nothing of the rest
    assert np.abs(sums[(l % 2 == 1) | (l < 4)]).max() < 1e-12


def test_another_cell_of_the_lattice() -> None:
    cell = np.array([[1.0, 0.0, 0.1], [0.2, 1.3, 0.0], [0.0, 0.3, 0.9]])
    other = np.array([[1, 0, 0], [2, 1, 0], [-1, 3, 1]]) @ cell
    np.testing.assert_allclose(lattice_multipoles(other, 8), lattice_multipoles(cell, 8), rtol=1e-10, atol=1e-10)


def test_scaling() -> None:
    expected = lattice_multipoles(FCC, 8) / 3.0 ** (l_of_lm(8) + 1)
    np.testing.assert_allclose(lattice_multipoles(3 * FCC, 8), expected, rtol=1e-11, atol=1e-15)
