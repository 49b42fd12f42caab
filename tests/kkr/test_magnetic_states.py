"""Magnetic states to try, and solutions that are the same."""

from __future__ import annotations

import pytest

from aiida_mlkkr.kkr.magnetic_states import distinct_solutions, signs_of, trial_states


@pytest.mark.parametrize(
    ('moments', 'states'),
    [
        ([5.0], {'up': [5], 'low': [1], 'nonmagnetic': [0]}),
        ([5.0, 4.0], {'up_up': [5, 4], 'up_down': [5, -4], 'low': [1, 1], 'nonmagnetic': [0, 0]}),
        ([5.0, 0.0], {'up_none': [5, 0], 'low': [1, 0], 'nonmagnetic': [0, 0]}),
        ([0.0], {'nonmagnetic': [0]}),
    ],
)
def test_states_to_try(moments: list[float], states: dict[str, list[float]]) -> None:
    assert trial_states(moments) == states


def test_numbers_of_states() -> None:
    """2^(n−1) of the signs up to three impurities; a low and a vanishing moment besides."""
    assert len(trial_states([3.0] * 3)) == 4 + 2
    many = trial_states([3.0] * 5)
    assert len(many) == 4
    assert many['up_down_up_down_up'] == [3, -3, 3, -3, 3]


def test_signs() -> None:
    assert signs_of([3.0, -0.09, -0.2]) == '+0-'


def test_solutions_that_are_the_same() -> None:
    moments = [[3.0, 3.0], [3.07, -3.07], [-3.001, -3.001], [3.01, 2.99], [-3.07, 3.07], [0.0, 0.0]]
    assert distinct_solutions(moments, reversible=True) == [0, 1, 0, 0, 1, 2]
    # in a magnetic host up is not down
    assert distinct_solutions(moments, reversible=False) == [0, 1, 2, 0, 3, 4]
