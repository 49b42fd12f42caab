"""What the pictures take from a table."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.views import chosen, element_pairs, j_of_shells, j_over_distance, strongly_biquadratic

J = {(0, 1): 1.0, (0, 2): 2.0, (0, 3): 4.0, (1, 2): 8.0, (1, 3): 16.0, (2, 3): 32.0}


@pytest.fixture
def table() -> ExchangeTable:
    """A square, iron at one of its corners."""
    tensors = np.zeros((4, 4, 3, 3))
    for (i, j), value in J.items():
        tensors[i, j] = tensors[j, i] = value * np.eye(3)
    corners = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [2.0, 2.0, 0.0], [0.0, 2.0, 0.0]])
    return ExchangeTable.of_cluster('Cu', ['Fe', 'Mn', 'Mn', 'Mn'], corners, np.full(4, 3.0), tensors, 'synthetic')


def test_elements_in_one_order(table):
    assert element_pairs(table)[:4] == [('Mn', 'Fe')] * 3 + [('Mn', 'Mn')]


def test_j_by_shell_is_the_mean_of_like_pairs(table):
    assert j_of_shells(table) == {
        2.0: {('Mn', 'Fe'): 2.5, ('Mn', 'Mn'): 20.0},
        2.83: {('Mn', 'Fe'): 2.0, ('Mn', 'Mn'): 16.0},
    }


def test_j_over_the_distance_has_all_pairs(table):
    r, j = j_over_distance(table)['Mn-Mn']
    assert sorted(j[:2].tolist()) == [8.0, 32.0]
    np.testing.assert_allclose(r, [2.0, 2.0, np.sqrt(8)])
    assert j[2] == 16.0


def test_pairs_whose_biquadratic_exchange_matters(table):
    assert not len(strongly_biquadratic(table).pairs)
    strong = strongly_biquadratic(replace(table, biquadratic=np.array([-0.6, 0.9, 0.0, 4.1, 7.9, -20.0])))
    assert strong.terms().j.tolist() == [1.0, 8.0, 32.0]


def test_a_choice_of_pairs(table):
    for wanted in (('Fe', 'Mn'), ('Mn', 'Fe')):
        assert set(element_pairs(chosen(table, [wanted]))) == {('Mn', 'Fe')}
    assert len(chosen(table, [('Fe', 'Mn'), ('Mn', 'Mn')]).pairs) == 6
    with pytest.raises(ExchangeError, match='no pair Cr-Cr'):
        chosen(table, [('Cr', 'Cr')])
