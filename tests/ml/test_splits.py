"""No split lets anything of what is tested into the training set."""

from __future__ import annotations

import numpy as np
import pytest
from model_clusters import host, record

from aiida_mlkkr.ml.splits import SPLITS, grouped_folds, growing_subsets, labels_of, split_folds

COPPER, SILVER = host(), host(47.0, alat=7.72)
RECORDS = [
    record({0: 25.0}, COPPER),
    record({0: 25.0}, COPPER, source='the same again'),
    record({0: 25.0}, SILVER),
    record({0: 26.0}, COPPER),
    record({0: 43.0}, COPPER),
    record({0: 25.0, 1: 43.0}, COPPER),
]


def left_out(split):
    return {fold.name: (fold.train.tolist(), fold.test.tolist()) for fold in split_folds(RECORDS, split)}


def test_an_impurity_takes_all_its_runs_along():
    folds = left_out('impurity')
    assert len(folds) == 5
    assert ([2, 3, 4, 5], [0, 1]) in folds.values()


def test_an_element_takes_its_pairs_and_other_hosts_along():
    folds = left_out('element')
    assert folds['Mn'] == ([3, 4], [0, 1, 2, 5])
    assert folds['Tc'] == ([0, 1, 2, 3], [4, 5])


def test_rows_and_hosts():
    assert left_out('row') == {'row 4': ([4], [0, 1, 2, 3, 5]), 'row 5': ([0, 1, 2, 3], [4, 5])}
    assert left_out('host')[SILVER.name] == ([0, 1, 3, 4, 5], [2])


@pytest.mark.parametrize('split', SPLITS)
def test_no_label_is_on_both_sides(split):
    for fold in split_folds(RECORDS, split):
        assert sorted([*fold.train, *fold.test]) == list(range(len(RECORDS)))
        assert not any(fold.name in labels_of(RECORDS[index], split) for index in fold.train)


def test_one_host_alone_cannot_be_left_out():
    assert split_folds(RECORDS[:2], 'host') == []


def test_folds_of_groups_are_even_and_reproducible():
    groups = [f'g{number % 11}' for number in range(40)]
    folds = grouped_folds(groups, 4, seed=3)
    sizes = []
    for fold in folds:
        its = {groups[index] for index in fold.test}
        assert not its & {groups[index] for index in fold.train}
        sizes.append(len(its))
    assert sorted(sizes) == [2, 3, 3, 3]
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(40))
    again = grouped_folds(groups, 4, seed=3)
    assert all(np.array_equal(fold.test, other.test) for fold, other in zip(folds, again, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(folds, grouped_folds(groups, 4, seed=4), strict=True))


def test_more_folds_than_groups_and_too_few_groups():
    assert len(grouped_folds(['a', 'b', 'b'], 5, seed=0)) == 2
    with pytest.raises(ValueError, match='of 1 groups'):
        grouped_folds(['a', 'a'], 5, seed=0)


def test_subsets_of_a_learning_curve_grow():
    groups = ['a', 'b', 'b', 'c', 'd']
    small, large, everything = growing_subsets(groups, [1, 3, 9], seed=1)
    assert set(small) < set(large) < set(everything)
    assert len({groups[index] for index in large}) == 3
    assert everything.tolist() == [0, 1, 2, 3, 4]
