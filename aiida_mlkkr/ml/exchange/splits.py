"""Splits of pairs, from the leaky one of published numbers to pairs, elements and geometries never seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.ml.splits import Fold, grouped_folds, growing_subsets, leave_one_out

IntArray = NDArray[np.int64]

PairSplit = Literal['leaky', 'random', 'swap', 'pair', 'element', 'geometry']
SPLITS: Final[tuple[PairSplit, ...]] = get_args(PairSplit)
"""What is left out: rows whose exact duplicates may stay (leaky), rows, dimers whatever the order of their elements,
pairs of elements in all geometries, elements with all their pairs, geometries."""

SEEDED: Final = ('leaky', 'random', 'swap', 'pair')
"""Splits that are dealt at random; the others leave out one label at a time."""


def pair_folds(pairs: Pairs, split: PairSplit, folds: int, seed: int) -> list[Fold]:
    """The folds of a split.

    :param pairs: for ``leaky`` those of the table with its duplicates.
    :param folds: how many, of the splits that are dealt at random.
    :raises DatasetError: there is nothing to leave out, or nothing would be left to learn from.
    """
    match split:
        case 'leaky' | 'random':
            groups = [str(row) for row in range(len(pairs))]
        case 'swap':
            groups = dimers(pairs)
        case 'pair':
            groups = pairs.element_pairs
        case 'element':
            return _leaving_out([frozenset(symbol(z) for z in both) for both in pairs.z.tolist()], split)
        case 'geometry':
            return _leaving_out([frozenset([name]) for name in pairs.geometries], split)
    if len(set(groups)) < 2:
        raise DatasetError(f'the split {split} has one class only: there is nothing to test with')
    return grouped_folds(groups, folds, seed)


def dimers(pairs: Pairs) -> list[str]:
    """What is one dimer: the elements in any order, and the geometry."""
    return [f'{both} {place}' for both, place in zip(pairs.element_pairs, pairs.geometries, strict=True)]


def growing_training_sets(pairs: Pairs, fold: Fold, fractions: Sequence[float], seed: int) -> Iterator[IntArray]:
    """Parts of the training rows of a fold that are more and more pairs of elements, each within the next one."""
    groups = pairs.subset(fold.train).element_pairs
    number = len(set(groups))
    for chosen in growing_subsets(groups, [max(2, round(fraction * number)) for fraction in fractions], seed):
        yield fold.train[chosen]


def _leaving_out(labels: list[frozenset[str]], split: PairSplit) -> list[Fold]:
    folds = leave_one_out(labels)
    if not folds:
        raise DatasetError(f'every pair has the same {split}: leaving it out leaves nothing to learn from')
    return folds
