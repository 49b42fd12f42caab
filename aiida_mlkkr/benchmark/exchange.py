"""Surrogates of exchange against one another on a table of pairs, split in honest ways and in the one that leaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.benchmark.rows import Row, Table
from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.exchange.metrics import PairScores, pair_scores
from aiida_mlkkr.ml.exchange.moments import magnetic_class
from aiida_mlkkr.ml.exchange.splits import SEEDED, SPLITS, PairSplit, growing_training_sets, pair_folds
from aiida_mlkkr.ml.exchange.surrogate import LEVEL, ExchangeSurrogate, PairPrediction
from aiida_mlkkr.ml.splits import Fold

FloatArray = NDArray[np.float64]

_NOTHING: Final = PairScores(0, *[float('nan')] * 7)


@dataclass(frozen=True)
class PairRow(Row):
    """How the pairs that a fold leaves out are predicted; energies in meV as in :class:`PairScores`.

    :param mean, variance: of the true J, to put folds together.
    :param training: number of rows learnt from, a part ``fraction`` of those that the fold has.
    :param training_seconds, seconds: for the training with its calibration, and for the prediction.
    :param outside: share of pairs flagged as outside of what was learnt.
    :param refusal: why there is no prediction; empty if there is.
    """

    key_fields: ClassVar[tuple[str, ...]] = ('split', 'seed', 'fold', 'fraction', 'model')

    split: str
    seed: int
    fold: str
    fraction: float
    model: str
    training: int
    number: int
    mae: float
    rmse: float
    r2: float
    magnetic_mae: float
    coverage: float
    width: float
    interval_score: float
    mean: float
    variance: float
    outside: float
    training_seconds: float
    seconds: float
    refusal: str


@dataclass(frozen=True)
class PairPlan:
    """What is measured.

    :param models: names; ``splits`` likewise.
    :param seeds: of the splits that are dealt at random, into so many ``folds``.
    :param fractions: of the training pairs of elements, for learning curves in the first fold of the split ``pair``.
    """

    models: tuple[str, ...]
    splits: tuple[PairSplit, ...] = SPLITS
    seeds: tuple[int, ...] = (0, 1, 2)
    folds: int = 5
    fractions: tuple[float, ...] = (0.1, 0.2, 0.4, 0.7)


class ExchangeBenchmark:
    """Measures a plan; what its table holds already is not computed again.

    :param pairs: the cleaned table; ``with_duplicates`` the same with the rows that occur twice, for the leaky split.
    :param folder: for the table.
    :param progress: told what is being done.
    """

    def __init__(
        self, pairs: Pairs, with_duplicates: Pairs, plan: PairPlan, folder: Path, progress: Callable[[str], None]
    ) -> None:
        self.pairs, self.with_duplicates, self.plan, self._progress = pairs, with_duplicates, plan, progress
        self.table = Table(folder / 'scores.csv', PairRow)
        self.parity: dict[str, tuple[FloatArray, FloatArray]] = {}

    def run(self) -> None:
        """Measure what is missing."""
        for split in self.plan.splits:
            for seed in self.plan.seeds if split in SEEDED else self.plan.seeds[:1]:
                for model in self.plan.models:
                    self._measure(split, seed, model)
        if 'pair' in self.plan.splits:
            for model in self.plan.models:
                self._learning_curve(model)

    def _pairs(self, split: PairSplit) -> Pairs:
        return self.with_duplicates if split == 'leaky' else self.pairs

    def _measure(self, split: PairSplit, seed: int, model: str) -> None:
        pairs = self._pairs(split)
        folds = pair_folds(pairs, split, self.plan.folds, seed)
        self._progress(f'{model}: {split}, seed {seed}')
        predicted = [self._one(split, seed, fold, 1.0, model) for fold in folds]
        if split == 'pair' and seed == self.plan.seeds[0]:
            found = [(pairs.j[fold.test], one.j) for fold, one in zip(folds, predicted, strict=True) if one is not None]
            if found:
                self.parity[model] = np.concatenate([j for j, _ in found]), np.concatenate([j for _, j in found])

    def _learning_curve(self, model: str) -> None:
        seed = self.plan.seeds[0]
        fold = pair_folds(self.pairs, 'pair', self.plan.folds, seed)[0]
        parts = growing_training_sets(self.pairs, fold, self.plan.fractions, seed)
        for fraction, rows in zip(self.plan.fractions, parts, strict=True):
            self._progress(f'{model}: learning curve, {fraction:.0%}')
            self._one('pair', seed, Fold(fold.name, rows, fold.test), fraction, model)

    def _one(self, split: PairSplit, seed: int, fold: Fold, fraction: float, model: str) -> PairPrediction | None:
        if (split, str(seed), fold.name, str(fraction), model) in self.table:
            return None
        row, prediction = measured(self._pairs(split), split, seed, fold, fraction, model)
        self.table.add(row)
        return prediction


def measured(
    pairs: Pairs, split: str, seed: int, fold: Fold, fraction: float, model: str
) -> tuple[PairRow, PairPrediction | None]:
    """Train on one part and judge on the other."""
    train, test = pairs.subset(fold.train), pairs.subset(fold.test)
    begin = time.perf_counter()
    prediction, refusal, trained = None, '', begin
    try:
        surrogate = ExchangeSurrogate.fit(model, train, seed=seed)
        trained = time.perf_counter()
        prediction = surrogate.predict(test)
    except (ModelError, DatasetError) as error:
        refusal = str(error)
    scores = _NOTHING if prediction is None else _scores(test, prediction)
    row = PairRow(
        split=split,
        seed=seed,
        fold=fold.name,
        fraction=fraction,
        model=model,
        training=len(train),
        **asdict(scores),
        mean=float(test.j.mean()),
        variance=float(test.j.var()),
        outside=float('nan') if prediction is None else float(prediction.outside.mean()),
        training_seconds=trained - begin,
        seconds=time.perf_counter() - trained,
        refusal=refusal.replace('\n', ' ')[:120],
    )
    return row, prediction


def _scores(test: Pairs, prediction: PairPrediction) -> PairScores:
    magnetic = magnetic_class(test.moments) == 2
    return pair_scores(test.j, prediction.j, prediction.half_width, magnetic, LEVEL)


def pooled(rows: Sequence[PairRow]) -> dict[str, float]:
    """Scores over several folds together, each pair counting once; NaN where a fold says nothing.

    :return: by the names of :class:`PairRow`.
    """
    weights = np.array([row.number for row in rows], dtype=np.float64)
    weights /= weights.sum()

    def mean(name: str, power: int = 1) -> float:
        values = np.array([getattr(row, name) for row in rows]) ** power
        said = np.isfinite(values)
        return float(np.average(values[said], weights=weights[said])) if said.any() else float('nan')

    squares = mean('rmse', 2)
    variance = mean('variance') + mean('mean', 2) - mean('mean') ** 2
    found = {name: mean(name) for name in ('mae', 'magnetic_mae', 'coverage', 'width', 'interval_score', 'outside')}
    times = {name: float(np.mean([getattr(row, name) for row in rows])) for name in ('training_seconds', 'seconds')}
    return found | times | {'rmse': float(np.sqrt(squares)), 'r2': 1.0 - squares / variance}


def by_seed(rows: Sequence[PairRow], split: str, model: str) -> Iterator[dict[str, float]]:
    """Pooled scores of a model on a split, for each seed."""
    its = [row for row in rows if (row.split, row.model, row.fraction) == (split, model, 1.0) and not row.refusal]
    for seed in sorted({row.seed for row in its}):
        yield pooled([row for row in its if row.seed == seed])
