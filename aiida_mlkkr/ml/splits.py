"""Honest splits of a dataset: what is tested has nothing like it in the training set, whatever "like" is to mean.

A record has one or several labels of a kind: its own group, the elements of its impurities, their rows of the periodic
table, its host. A label that is left out takes along every record that has it; runs of one impurity are never parted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.ml.dataset import ImpurityRecord
from aiida_mlkkr.ml.elements import FEATURES, element_features

IntArray = NDArray[np.int64]
Labels = frozenset[str]

SplitName = Literal['impurity', 'element', 'row', 'host']
SPLITS: Final[tuple[SplitName, ...]] = get_args(SplitName)
"""What is left out: an impurity (its element may remain in another host), an element everywhere, a row, a host."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One part of a split.

    :param name: what is left out.
    :param train, test: indices of the records, ascending.
    """

    name: str
    train: IntArray
    test: IntArray


def labels_of(record: ImpurityRecord, split: SplitName) -> Labels:
    """The labels that a split goes by."""
    charges = [int(z) for z in record.z[record.impurities]]
    match split:
        case 'impurity':
            return frozenset([record.group])
        case 'element':
            return frozenset(symbol(z) for z in charges)
        case 'row':
            return frozenset(f'row {element_features(z)[FEATURES.index("period")]:.0f}' for z in charges)
        case 'host':
            return frozenset([record.host.name])


def leave_one_out(labels: Sequence[Labels]) -> list[Fold]:
    """For each label a fold: the records that have it, and those that do not; folds without training data are none.

    :param labels: of each record.
    """
    folds = []
    for name in sorted(frozenset[str]().union(*labels)):
        test = np.array([name in its for its in labels], dtype=np.bool_)
        if not test.all():
            folds.append(Fold(name, np.flatnonzero(~test), np.flatnonzero(test)))
    return folds


def split_folds(records: Sequence[ImpurityRecord], split: SplitName) -> list[Fold]:
    """The folds of a split of records; empty if all records are alike in it."""
    return leave_one_out([labels_of(record, split) for record in records])


def grouped_folds(groups: Sequence[str], folds: int, seed: int) -> list[Fold]:
    """Groups dealt to folds of nearly equal numbers of groups, for cross-validation.

    :param groups: of each record; records of one group stay together.
    :param folds: how many; fewer if there are fewer groups.
    :param seed: of the shuffling.
    :raises ValueError: if there are fewer than two folds or groups.
    """
    names = sorted(set(groups))
    number = min(folds, len(names))
    if number < 2:
        raise ValueError(f'{folds} folds of {len(names)} groups: a cross-validation needs two of each')
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[group]: place % number for place, group in enumerate(order)}
    places = np.array([fold_of[group] for group in groups])
    return [
        Fold(f'{fold + 1} of {number}', np.flatnonzero(places != fold), np.flatnonzero(places == fold))
        for fold in range(number)
    ]


def growing_subsets(groups: Sequence[str], sizes: Sequence[int], seed: int) -> Iterator[IntArray]:
    """Indices of training sets of so many groups, each within the next one, for a learning curve.

    :param groups: of each record.
    :param sizes: numbers of groups.
    """
    names = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    for size in sizes:
        chosen = {names[place] for place in order[:size]}
        yield np.flatnonzero([group in chosen for group in groups])
