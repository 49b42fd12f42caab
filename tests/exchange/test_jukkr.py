"""Tensors from JuKKR's matrices: the real Mn pair, and a Hamiltonian without symmetry as JuKKR would write it."""

import numpy as np
import pytest

from aiida_mlkkr.exchange.conventions import RYDBERG_MEV
from aiida_mlkkr.exchange.jukkr import physical_tensors
from aiida_mlkkr.exchange.tensors import dm_vector, isotropic, pair_energy, rotated, swapped
from aiida_mlkkr.kkr.jij_matrix import JijMatrices


def test_manganese_pair(jukkr_pair: JijMatrices) -> None:
    found = physical_tensors(jukkr_pair)
    tensor = found.tensors[0, 1]
    assert isotropic(tensor) == pytest.approx(-118.9, abs=0.05)
    np.testing.assert_allclose(np.diag(tensor), [-118.96, -118.96, -118.84], atol=0.02)
    assert np.abs(dm_vector(tensor)).max() < 1e-3  # the middle of the pair is a centre of inversion
    # 𝒥_ji = 𝒥_ijᵀ within 1e-6 of J
    np.testing.assert_allclose(found.tensors[1, 0], swapped(tensor), atol=1e-6 * 118.9)
    assert found.spread[0, 1] == pytest.approx(0.0375, abs=0.001)  # 8.74202 and 8.74477 mRy
    # nothing of a site with itself, which the file has too
    assert not found.tensors[[0, 1], [0, 1]].any()
    assert not found.spread[[0, 1], [0, 1]].any()
    # mirrors of the pair along [110], within the spread
    for mirror in (np.diag([1.0, 1, -1]), np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])):
        np.testing.assert_allclose(rotated(tensor, mirror), tensor, atol=0.05)


def test_low_symmetry_as_jukkr_writes_it() -> None:
    """E = Σ_(i<j) e_i·𝒥 e_j in Ry fixes sign and factor of D; elements along the moments are not to be seen."""
    rng = np.random.default_rng(5)
    raw = rng.normal(size=(3, 3, 3, 3)) / RYDBERG_MEV
    raw += np.transpose(raw, (1, 0, 3, 2))  # 𝒥_ji = 𝒥_ijᵀ
    values = np.stack([raw] * 3)
    for axis in range(3):
        values[axis, :, :, axis, :] = 173.0
        values[axis, :, :, :, axis] = -99.0
    found = physical_tensors(JijMatrices(values))
    e = rng.normal(size=(3, 3))
    for i, j in [(0, 1), (0, 2), (2, 1)]:
        energy = e[i] @ raw[i, j] @ e[j] * RYDBERG_MEV
        assert pair_energy(found.tensors[i, j], e[i], e[j]) == pytest.approx(energy, rel=1e-12)
        d_z = -0.5 * (raw[i, j, 0, 1] - raw[i, j, 1, 0]) * RYDBERG_MEV
        assert dm_vector(found.tensors[i, j])[2] == pytest.approx(d_z, rel=1e-12)
    np.testing.assert_allclose(found.spread, 0.0, atol=1e-12)


def test_twice_given_elements_are_averaged() -> None:
    values = np.zeros((3, 2, 2, 3, 3))
    values[1, :, :, 0, 0], values[2, :, :, 0, 0] = 1e-3, 3e-3  # xx with moments along y, and along z
    found = physical_tensors(JijMatrices(values))
    assert found.tensors[0, 1, 0, 0] == pytest.approx(-2e-3 * RYDBERG_MEV)
    assert found.spread[0, 1] == pytest.approx(2e-3 * RYDBERG_MEV)
