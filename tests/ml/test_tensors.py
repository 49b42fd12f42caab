import numpy as np
import pytest
from model_clusters import SITES, host
from rotations import rotation_matrices

from aiida_mlkkr.ml.sites import Sites, sites_of_cluster
from aiida_mlkkr.ml.tensors import crystal_tensors, impurity_tensors

CHARGES = np.array([25.0] + [29.0] * (len(SITES) - 1))


def cluster() -> Sites:
    return sites_of_cluster([host()], 0, SITES, np.ones(len(SITES), dtype=np.int64), CHARGES, np.ones(len(SITES)))


def rank(tensors: np.ndarray) -> int:
    return int(np.linalg.matrix_rank(tensors, tol=1e-6))


@pytest.mark.parametrize(('l', 'invariants'), [(1, 0), (2, 0), (3, 0), (4, 1)])
def test_a_cubic_site_allows_one_channel_up_to_four(l: int, invariants: int) -> None:
    assert rank(crystal_tensors(cluster(), l)[0]) == invariants


@pytest.mark.parametrize(('l', 'invariants'), [(1, 1), (2, 2), (3, 2), (4, 3)])
def test_a_pair_of_neighbours_allows_what_mm2_does(l: int, invariants: int) -> None:
    """No more than the totally symmetric components of the point group mm2, and all of them."""
    sites = cluster().subset(np.array([1]))
    assert rank(impurity_tensors(sites, np.flatnonzero(sites.neighbour_changed), l)[0]) == invariants


def test_tensors_rotate() -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    sites = cluster().subset(np.array([0, 4]))
    turned = sites.rotated(rotation)
    near = np.flatnonzero(sites.neighbour_changed)
    for l, matrix in enumerate(rotation_matrices(rotation, 4)):
        np.testing.assert_allclose(crystal_tensors(turned, l), crystal_tensors(sites, l) @ matrix.T, atol=1e-10)
        np.testing.assert_allclose(
            impurity_tensors(turned, near, l), impurity_tensors(sites, near, l) @ matrix.T, atol=1e-10
        )


def test_no_sites() -> None:
    none = cluster().subset(np.empty(0, dtype=np.int64))
    assert crystal_tensors(none, 2).shape[::2] == (0, 5)
    assert impurity_tensors(none, np.empty(0, dtype=np.int64), 2).shape[::2] == (0, 5)
