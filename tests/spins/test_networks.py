"""Networks whose percolation is known, symmetries that forbid order, and mean-field temperatures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spin_models import CUBIC, FCC, free, simple_cubic

from aiida_mlkkr.exchange.tensors import compose
from aiida_mlkkr.spins.couplings import Bond, Couplings
from aiida_mlkkr.spins.dilute import Dopants, dilute_model
from aiida_mlkkr.spins.meanfield import dilute_mean_field_temperature
from aiida_mlkkr.spins.model import SpinModel
from aiida_mlkkr.spins.network import free_rotations, network, order_forbidden
from aiida_mlkkr.spins.units import BOLTZMANN

ONE = np.eye(3)


def cubic(vectors: list[list[float]], tensor: np.ndarray = ONE, share: float = 1.0, size: int = 5) -> SpinModel:
    bonds = [Bond(('Mn', 'Mn'), np.zeros(3), 3.0 * np.array(vector), tensor) for vector in vectors]
    couplings = Couplings.of_bonds(CUBIC, bonds, symmetric=False)
    return dilute_model(CUBIC, couplings, Dopants({'Mn': share}, {'Mn': 4.0}, [0]), [size] * 3, seed=2)


@pytest.mark.parametrize(
    ('vectors', 'directions', 'clusters'),
    [
        ([[1, 0, 0]], 1, 25),
        ([[1, 0, 0], [0, 1, 0]], 2, 5),
        ([[1, 1, 0], [1, -1, 0]], 2, 5),
        ([[1, 1, 1]], 1, 25),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 3, 1),
    ],
)
def test_full_lattices(vectors: list[list[float]], directions: int, clusters: int) -> None:
    found = network(cubic(vectors))
    assert (found.percolates, len(found.dimensions)) == (directions, clusters)
    assert found.largest_share == pytest.approx(1 / clusters)
    assert set(found.coordination) == {2 * len(vectors)}


def test_loops_that_close_in_the_box_do_not_percolate() -> None:
    ring = free({(0, 1): ONE, (1, 2): ONE, (0, 2): ONE}, 4)
    found = network(ring)
    assert (found.percolates, found.isolated_share, found.largest_share) == (0, 0.25, 0.75)
    assert found.crowded_share == 0.25  # of three in a line, which all are coupled, the one in the middle
    assert 'along 0 directions' in order_forbidden(ring)


def test_percolation_threshold_of_the_simple_cubic_lattice() -> None:
    """0.3116 for sites (J. Wang et al., Phys. Rev. E 87, 052107, 2013)."""
    reached = {
        share: [network(simple_cubic(14, share=share, seed=seed)).percolates for seed in range(3)]
        for share in (0.26, 0.37)
    }
    assert (max(reached[0.26]), min(reached[0.37])) == (0, 3)


def test_weak_pairs_do_not_count() -> None:
    assert network(simple_cubic(4, exchange=0.5), threshold=0.6).percolates == 0


def test_free_rotations() -> None:
    zero = np.zeros((3, 3))
    dm = compose(np.array(1.0), np.array([0.0, 0.0, 0.4]), zero)
    axial = compose(np.array(1.0), np.zeros(3), np.diag([-0.1, -0.1, 0.2]))
    tilted = compose(np.array(1.0), np.array([0.3, 0.0, 0.4]), np.diag([-0.1, -0.1, 0.2]))
    layer = [[1, 0, 0], [0, 1, 0]]
    assert [free_rotations(cubic(layer, tensor)) for tensor in (ONE, dm, axial, tilted)] == [3, 1, 1, 0]
    assert free_rotations(simple_cubic(4).in_field(np.array([0.0, 1.0, 1.0]))) == 1
    easy = replace(simple_cubic(4), anisotropy=np.tile(np.diag([0.0, 0.0, 0.1]), (64, 1, 1)))
    assert free_rotations(easy) == 1
    assert 'Mermin and Wagner' in order_forbidden(cubic(layer))
    assert order_forbidden(cubic(layer, axial)) is None
    assert order_forbidden(simple_cubic(4)) is None
    assert 'a field' in order_forbidden(simple_cubic(4).in_field(np.array([0.0, 0.0, 1.0])))


def test_mean_field_temperatures() -> None:
    """2J on the simple cubic lattice; proportional to the concentration; two elements against the closed form."""
    bond = Bond(('Mn', 'Mn'), np.zeros(3), np.array([3.0, 0.0, 0.0]), 5.0 * ONE)
    couplings = Couplings.of_bonds(CUBIC, [bond])
    for share in (1.0, 0.3):
        found = dilute_mean_field_temperature(couplings, Dopants({'Mn': share}, {'Mn': 4.0}, [0]))
        assert found == pytest.approx(share * 2 * 5.0 / BOLTZMANN, rel=1e-12)
    vector = 1.805 * np.array([1.0, 1.0, 0.0])
    values = {('Mn', 'Mn'): -10.0, ('Cr', 'Mn'): 4.0, ('Cr', 'Cr'): 7.0}
    couplings = Couplings.of_bonds(FCC, [Bond(pair, np.zeros(3), vector, j * ONE) for pair, j in values.items()])
    found = dilute_mean_field_temperature(couplings, Dopants({'Mn': 0.05, 'Cr': 0.02}, {'Mn': 4.0, 'Cr': 3.0}, [0]))
    a, b, c = -10 * 0.05, 7 * 0.02, 4 * np.sqrt(0.05 * 0.02)
    assert found == pytest.approx(12 * ((a + b) / 2 + np.hypot((a - b) / 2, c)) / (3 * BOLTZMANN), rel=1e-12)
    alone = dilute_mean_field_temperature(couplings, Dopants({'Mn': 0.05}, {'Mn': 4.0}, [0]))
    assert alone == 0.0
