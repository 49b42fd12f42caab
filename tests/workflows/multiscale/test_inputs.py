"""What the builder refuses, and what it makes of compositions."""

from __future__ import annotations

import pytest

from aiida_mlkkr.workflows.multiscale.wishes import labelled


@pytest.mark.parametrize(
    ('compositions', 'overrides', 'message'),
    [
        ({}, {}, 'compositions: give one at least'),
        ({'5 % Mn': {'Mn': 0.05}}, {}, 'a label is made of letters'),
        ({'Mn5': {}}, {}, 'Mn5 has no elements'),
        ({'X5': {'X': 0.05}}, {}, 'there is no element X'),
        ({'Mn5': {'Mn': 0.0}}, {}, 'shares are above 0'),
        ({'all': {'Mn': 0.6, 'Cr': 0.6}}, {}, 'their sum is at most 1'),
        ({'Cu5': {'Cu': 0.05}}, {}, 'Cu is the element of the host'),
        ({'Mn5': {'Mn': 0.05}}, {'shells': []}, 'shells are counted from 1'),
        ({'Mn5': {'Mn': 0.05}}, {'shells': [1, 1]}, 'each is named once'),
        ({'Mn5': {'Mn': 0.05}}, {'max_parallel': 0}, 'a number from 1 is needed'),
        ({'Mn5': {'Mn': 0.05}}, {'dilution': {'sizes': []}}, 'give one box at least'),
        ({'Mn5': {'Mn': 0.05}}, {'dilution': {'sizes': [[5, 5]]}}, 'dilution: repetitions'),
        ({'Mn5': {'Mn': 0.05}}, {'dilution': {'moments': {'Mn': 4.0}}}, 'filled in by the chain'),
        ({'Mn5': {'Mn': 0.05}}, {'dilution': {'sublattice': [1]}}, 'has no atom 1'),
        ({'Mn5': {'Mn': 0.05}}, {'spin_dynamics': {'temperatures': {'values': [20.0, 10.0]}}}, 'must ascend'),
    ],
)
def test_refused(build, compositions, overrides, message):
    with pytest.raises(ValueError, match=message):
        build(compositions, overrides=overrides)


def test_computing_pairs_needs_both_programs(pair, build):
    with pytest.raises(ValueError, match='kkr'):
        build(code=pair.code)


def test_labels_of_compositions():
    assert labelled([{'Mn': 0.05}, {'Mn': 0.025, 'Fe': 0.025}]) == {
        'Mn5': {'Mn': 0.05},
        'Mn2p5_Fe2p5': {'Mn': 0.025, 'Fe': 0.025},
    }
