"""A pair found in a table, turned or from its other end: its tensor is the one that the energy asks for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_mlkkr.exchange.matching import find_pair
from aiida_mlkkr.exchange.table import ExchangeTable

TURN = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
ALL = np.array([np.eye(3), TURN, TURN @ TURN])
PLACES = np.array([[5.0, 5.0, 5.0], [6.0, 7.0, 8.0]])


@pytest.fixture
def table() -> ExchangeTable:
    """Mn and Fe at (1, 2, 3), and at twice that, with general tensors."""
    return ExchangeTable(
        host='a host',
        elements=('Mn', 'Fe', 'Fe'),
        positions=np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]),
        moments=np.array([4.0, 3.0, 2.5]),
        pairs=np.array([[0, 1], [0, 2]]),
        tensors=np.random.default_rng(0).normal(size=(2, 3, 3)),
        method='random',
        spread=np.zeros(2),
    )


@pytest.mark.parametrize('rotation', ALL)
@pytest.mark.parametrize('swap', [False, True], ids=['as it is', 'from the other end'])
def test_the_pair_of_a_turned_table(table: ExchangeTable, rotation: np.ndarray, swap: bool) -> None:
    other = table.rotated(rotation)
    match = find_pair(other.seen_from_the_other_site() if swap else other, ('Mn', 'Fe'), PLACES, ALL)
    assert match is not None
    assert match.row == 0
    assert match.reversed is swap
    found = other.seen_from_the_other_site() if swap else other
    np.testing.assert_allclose(match.tensor(found), table.tensors[0], atol=1e-12)
    assert match.moments(found).tolist() == [4.0, 3.0]


def test_what_is_not_there(table: ExchangeTable) -> None:
    assert find_pair(table, ('Mn', 'Mn'), PLACES, ALL) is None
    assert find_pair(table, ('Mn', 'Fe'), 1.1 * PLACES, ALL) is None
    mirrored = PLACES * [-1.0, 1.0, 1.0]
    assert find_pair(table, ('Mn', 'Fe'), mirrored, ALL) is None, 'no operation of these brings it there'


def test_where_sites_differ_the_places_count(table: ExchangeTable) -> None:
    assert find_pair(table, ('Mn', 'Fe'), PLACES, None) is None
    moved = replace(table, positions=table.positions + 5.0)
    match = find_pair(moved, ('Mn', 'Fe'), PLACES, None)
    assert match is not None
    np.testing.assert_array_equal(match.tensor(moved), table.tensors[0])
    swapped = find_pair(moved, ('Fe', 'Mn'), PLACES[::-1], None)
    assert swapped is not None
    np.testing.assert_array_equal(swapped.tensor(moved), table.tensors[0].T)
