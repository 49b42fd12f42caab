"""Surrogates of exchange against one another on a table of pairs, split in honest ways and in the one that leaks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from aiida_mlkkr.benchmark.rows import Row, Table
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.exchange.metrics import PairScores, pair_scores
from aiida_mlkkr.ml.exchange.moments import magnetic_class
from aiida_mlkkr.ml.exchange.splits import SEEDED, SPLITS, PairSplit, growing_training_sets, pair_folds
from aiida_mlkkr.ml.exchange.surrogate import LEVEL, ExchangeSurrogate, PairPrediction
from aiida_mlkkr.ml.splits import Fold

FloatArray = NDArray[np.float64]

_NOTHING: Final = PairScores(0, *[float('nan')] * 7)
SCORES, PARITY = 'scores.csv', 'parity.csv'


@dataclass(frozen=True)
class PairRow(Row):
    """How the pairs that a fold leaves out are predicted; energies in meV as in :class:`PairScores`.

    :param d_mae: mean length of ΔD, ``d_size`` that of D, ``d_coverage`` share of ΔD within the interval; NaN if the
        model knows nothing of D.
    :param mean, variance: of the true J, to put folds together.
    :param training: number of rows learnt from, a part ``fraction`` of those that the fold has.
    :param training_seconds, seconds: of the processor, for the training with its calibration and for the prediction.
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
    d_mae: float
    d_size: float
    d_coverage: float
    mean: float
    variance: float
    outside: float
    training_seconds: float
    seconds: float
    refusal: str


@dataclass(frozen=True)
class ParityRow(Row):
    """A pair of the split ``pair``, first seed: its number in the cleaned table, J computed and predicted [meV]."""

    key_fields: ClassVar[tuple[str, ...]] = ('model', 'pair')

    model: str
    pair: int
    computed: float
    predicted: float


@dataclass(frozen=True)
class PairPlan:
    """What is measured.

    :param models: names; ``splits`` likewise.
    :param seeds: of the splits that are dealt at random, into so many ``folds``.
    :param fractions: of the training pairs of elements, for learning curves in the first fold of the split ``pair``.
    :param slow: models for which the first seed is enough.
    """

    models: tuple[str, ...]
    splits: tuple[PairSplit, ...] = SPLITS
    seeds: tuple[int, ...] = (0, 1, 2)
    folds: int = 5
    fractions: tuple[float, ...] = (0.1, 0.2, 0.4, 0.7)
    slow: tuple[str, ...] = ()

    def models_of(self, seed: int) -> list[str]:
        """Models that are measured with a seed."""
        return [model for model in self.models if seed == self.seeds[0] or model not in self.slow]


@dataclass(frozen=True, eq=False)
class Task:
    """One training and what it is judged by."""

    split: PairSplit
    seed: int
    fold: Fold
    fraction: float
    model: str

    @property
    def key(self) -> tuple[str, ...]:
        """As that of its row."""
        return self.split, str(self.seed), self.fold.name, str(self.fraction), self.model


class ExchangeBenchmark:
    """Measures a plan; what its tables hold already is not computed again.

    :param pairs: the cleaned table; ``with_duplicates`` the same with the rows that occur twice, for the leaky split.
    :param folder: for the tables.
    :param processes: how many train at the same time, each on one core: as many as there are cores if None.
        The scores do not depend on it.
    """

    def __init__(
        self,
        pairs: Pairs,
        with_duplicates: Pairs,
        plan: PairPlan,
        folder: Path,
        progress: Progress,
        processes: int | None = None,
    ) -> None:
        self.pairs, self.with_duplicates, self.plan = pairs, with_duplicates, plan
        self._progress, self._processes = progress, processes or len(os.sched_getaffinity(0))
        self.impossible: dict[PairSplit, str] = {}
        """Splits that the pairs do not allow, and why."""
        self.table, self._parity = Table(folder / SCORES, PairRow), Table(folder / PARITY, ParityRow)

    def run(self) -> None:
        """Measure what is missing; rows are written in the order of the plan."""
        tasks = [task for task in self._tasks() if task.key not in self.table]
        bar = self._progress.add_task('training and predicting', total=len(tasks))
        with ProcessPoolExecutor(self._processes, get_context('spawn'), _on_one_core) as pool:
            found = pool.map(measured, [self._pairs(task.split) for task in tasks], tasks)
            for task, (row, prediction) in zip(tasks, found, strict=True):
                self._keep(task, row, prediction)
                self._progress.update(bar, description=f'{task.model}: {task.split} {task.seed}, {task.fold.name}')
                self._progress.advance(bar)

    def parity(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Computed and predicted J of the pairs left out, by model."""
        found = {}
        for model in self.plan.models:
            if its := [(row.computed, row.predicted) for row in self._parity.rows if row.model == model]:
                computed, predicted = np.array(its).T
                found[model] = computed, predicted
        return found

    def _tasks(self) -> Iterator[Task]:
        for split in self.plan.splits:
            try:
                yield from self._tasks_of(split)
            except DatasetError as error:
                self.impossible[split] = str(error)
        if 'pair' in self.plan.splits and 'pair' not in self.impossible:
            yield from self._learning_curves()

    def _tasks_of(self, split: PairSplit) -> Iterator[Task]:
        for seed in self.plan.seeds if split in SEEDED else self.plan.seeds[:1]:
            folds = pair_folds(self._pairs(split), split, self.plan.folds, seed)
            models = self.plan.models_of(seed)
            yield from (Task(split, seed, fold, 1.0, model) for model in models for fold in folds)

    def _learning_curves(self) -> Iterator[Task]:
        seed = self.plan.seeds[0]
        fold = pair_folds(self.pairs, 'pair', self.plan.folds, seed)[0]
        parts = list(growing_training_sets(self.pairs, fold, self.plan.fractions, seed))
        for model in self.plan.models:
            for fraction, rows in zip(self.plan.fractions, parts, strict=True):
                yield Task('pair', seed, Fold(fold.name, rows, fold.test), fraction, model)

    def _pairs(self, split: PairSplit) -> Pairs:
        return self.with_duplicates if split == 'leaky' else self.pairs

    def _keep(self, task: Task, row: PairRow, prediction: PairPrediction | None) -> None:
        if prediction is not None and (task.split, task.seed, task.fraction) == ('pair', self.plan.seeds[0], 1.0):
            for pair, predicted in zip(task.fold.test.tolist(), prediction.j.tolist(), strict=True):
                if (task.model, str(pair)) not in self._parity:
                    self._parity.add(ParityRow(task.model, pair, float(self.pairs.j[pair]), predicted))
        self.table.add(row)


def _on_one_core() -> None:
    """Prepare a process: one thread, of libraries loaded now or later; an interrupt is for the first one."""
    os.environ.update(dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1'))
    threadpool_limits(limits=1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def measured(pairs: Pairs, task: Task) -> tuple[PairRow, PairPrediction | None]:
    """Train on one part and judge on the other."""
    train, test = pairs.subset(task.fold.train), pairs.subset(task.fold.test)
    begin = time.process_time()
    prediction, refusal, trained = None, '', begin
    try:
        surrogate = ExchangeSurrogate.fit(task.model, train, seed=task.seed)
        trained = time.process_time()
        prediction = surrogate.predict(test)
    except (ModelError, DatasetError, ExchangeError) as error:
        refusal = str(error)
    end = time.process_time()
    d_mae, d_size, d_coverage = _scores_of_d(test, prediction)
    row = PairRow(
        split=task.split,
        seed=task.seed,
        fold=task.fold.name,
        fraction=task.fraction,
        model=task.model,
        training=len(train),
        **asdict(_NOTHING if prediction is None else _scores(test, prediction)),
        d_mae=d_mae,
        d_size=d_size,
        d_coverage=d_coverage,
        mean=float(test.j.mean()),
        variance=float(test.j.var()),
        outside=float('nan') if prediction is None else float(prediction.outside.mean()),
        training_seconds=trained - begin,
        seconds=end - trained,
        refusal=refusal.replace('\n', ' ')[:120],
    )
    return row, prediction


def _scores(test: Pairs, prediction: PairPrediction) -> PairScores:
    magnetic = magnetic_class(test.moments) == 2
    return pair_scores(test.j, prediction.j, prediction.half_width, magnetic, LEVEL)


def _scores_of_d(test: Pairs, prediction: PairPrediction | None) -> tuple[float, float, float]:
    """Mean lengths of ΔD and of D, and the share of ΔD within the intervals."""
    if prediction is None or prediction.d is None or prediction.d_half_width is None:
        return float('nan'), float('nan'), float('nan')
    misses, sizes = np.linalg.norm(prediction.d - test.d, axis=1), np.linalg.norm(test.d, axis=1)
    return float(misses.mean()), float(sizes.mean()), float(np.mean(misses <= prediction.d_half_width))


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
    names = ('mae', 'magnetic_mae', 'coverage', 'width', 'interval_score', 'd_mae', 'd_size', 'd_coverage', 'outside')
    found = {name: mean(name) for name in names}
    times = {name: float(np.mean([getattr(row, name) for row in rows])) for name in ('training_seconds', 'seconds')}
    r2 = 1.0 - squares / variance if variance > 0.0 else float('nan')
    return found | times | {'rmse': float(np.sqrt(squares)), 'r2': r2}


def by_seed(rows: Sequence[PairRow], split: str, model: str) -> Iterator[dict[str, float]]:
    """Pooled scores of a model on a split, for each seed, and how many folds it ``refused``, which are not in them."""
    its = [row for row in rows if (row.split, row.model, row.fraction) == (split, model, 1.0)]
    for seed in sorted({row.seed for row in its}):
        of_seed = [row for row in its if row.seed == seed]
        said = [row for row in of_seed if not row.refusal]
        yield {'refused': float(len(of_seed) - len(said)), **(pooled(said) if said else {})}
