"""The training of a surrogate of exchange: cross-validation first, then the model of all pairs.

It can be stopped after each fold and gone on with. Energies in meV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.ml.course import Course, Task
from aiida_mlkkr.ml.exchange.in_host import ExchangeSettings, HostSurrogate, alike, learnable
from aiida_mlkkr.ml.exchange.metrics import pair_scores
from aiida_mlkkr.ml.exchange.moments import SiteMoments, magnetic_class
from aiida_mlkkr.ml.exchange.splits import PairSplit, pair_folds
from aiida_mlkkr.ml.exchange.surrogate import LEVEL
from aiida_mlkkr.ml.files import checksum
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.splits import Fold

FloatArray = NDArray[np.float64]
_Course = Course[dict[str, list[float]]]
"""J and half widths of the intervals of the folds behind [meV]."""


class PairCrossValidation(BaseModel):
    """How a surrogate is validated.

    :param split: what is left out: ``pair`` (of elements, in all geometries), ``element``, ``geometry``, ``swap``.
    :param folds: how many, of the splits that are dealt at random (``pair``, ``swap``).
    """

    model_config = ConfigDict(extra='forbid', frozen=True)

    split: PairSplit = 'pair'
    folds: int = Field(default=5, ge=2)


class ExchangeTask(Task):
    """What is to be trained.

    :param exchange: settings of the surrogate, the seed among them.
    """

    exchange: ExchangeSettings
    cross_validation: PairCrossValidation | None = PairCrossValidation()


def train_exchange(
    tables: Sequence[ExchangeTable],
    task: ExchangeTask,
    monitor: Monitor | None = None,
    rotations: FloatArray | None = None,
) -> tuple[HostSurrogate | None, dict[str, Any]]:
    """Train a surrogate on the computed pairs of tables. Equal data, task and versions give the same model.

    :param rotations: orthogonal matrices that bring the host onto itself, shape (g, 3, 3), if they are known.
    :return: the surrogate (None if no final one is asked for), and a report in plain JSON: ``task``, ``data``,
        ``validation`` (scores of all folds together), ``left_out`` (what the surrogate says of its own training),
        ``versions``, ``seconds`` and ``runs``.
    :raises ExchangeError: there are no pairs, or they are in different hosts.
    :raises ModelError: if the model cannot learn from them, or the checkpoint is that of another training.
    :raises DatasetError: nothing can be left out.
    :raises TrainingInterrupted: if the monitor says so.
    """
    pairs, host = learnable(tables)
    if rotations is not None and not pairs.d.any():
        pairs = alike(pairs, rotations)
    course = _Course.begun(task, checksum({'host': host}, pairs.to_arrays()), monitor or Monitor())
    validation = None
    if task.cross_validation is not None:
        validation = _validate(pairs, host, task, task.cross_validation, course, rotations)
    surrogate = HostSurrogate.fit(pairs, host, task.exchange, rotations) if task.final else None
    data = {
        'sha256': course.identity['data'],
        'pairs': len(pairs),
        'host': host,
        'elements': [symbol(z) for z in np.unique(pairs.z).tolist()],
    }
    left_out = None if surrogate is None else surrogate.report
    return surrogate, course.report(data=data, validation=validation, left_out=left_out)


def _validate(
    pairs: Pairs,
    host: str,
    task: ExchangeTask,
    settings: PairCrossValidation,
    course: _Course,
    rotations: FloatArray | None,
) -> dict[str, Any]:
    folds = pair_folds(pairs, settings.split, settings.folds, task.exchange.seed)
    for fold in folds[len(course.found) :]:
        surrogate = HostSurrogate.fit(pairs.subset(fold.train), host, task.exchange, rotations)
        prediction = surrogate.predict(pairs.subset(fold.test), host)
        course.found.append({'j': prediction.j.tolist(), 'half_width': prediction.half_width.tolist()})
        scores = _scores(pairs, folds, course.found)
        course.fold_is_behind(len(folds), {'mae_meV': scores['mae']})
    return {**settings.model_dump(mode='json'), **_scores(pairs, folds, course.found)}


def _scores(pairs: Pairs, folds: Sequence[Fold], found: Sequence[dict[str, list[float]]]) -> dict[str, Any]:
    """Of all pairs that have been left out so far."""
    rows = np.concatenate([fold.test for fold in folds[: len(found)]])
    j, widths = (np.concatenate([one[name] for one in found]) for name in ('j', 'half_width'))
    moments = SiteMoments.of_training(pairs).of_sites(pairs.z, pairs.layers)
    scores = pair_scores(pairs.j[rows], j, widths, magnetic_class(moments)[rows] == 2, LEVEL)
    return {name: value if np.isfinite(value) else None for name, value in asdict(scores).items()}
