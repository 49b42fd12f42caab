"""A training from its data to a model and a report: cross-validation first, then the model of all data.

It can be stopped and gone on with: a checkpoint holds what the folds behind have found, and what the model in training
wants to keep. Units: Rydberg, Bohr magnetons, seconds.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pydantic import Field

from aiida_mlkkr.ml.course import Course, Task
from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
from aiida_mlkkr.ml.files import checksum
from aiida_mlkkr.ml.monitor import Arrays, Checkpoint, Monitor
from aiida_mlkkr.ml.validation import CrossValidation, Tested, assess, summary, validation_folds

FINAL: Final = 'model'
"""The stage in which the model of all data is trained."""

_BETWEEN_CHECKPOINTS: Final = 10.0
"""Seconds; models may offer checkpoints at every step."""


class TrainingTask(Task):
    """What is to be trained.

    :param emulator: settings of the emulator, the seed among them.
    """

    emulator: EmulatorSettings = Field(default_factory=EmulatorSettings)  # a model is imported when it is asked for
    cross_validation: CrossValidation | None = CrossValidation()


@dataclass
class _Course(Course[list[Tested]]):
    """How far a training is.

    :param stage, kept: what the model of a stage wanted to keep.
    :param losses: the last ones of each stage.
    """

    stage: str = ''
    kept: Checkpoint | None = None
    losses: dict[str, dict[str, float]] = field(default_factory=dict)

    def take_up(self, arrays: Arrays, state: dict[str, Any]) -> None:
        self.found = [[Tested(**one) for one in fold] for fold in state['found']]
        self.losses = state['losses']
        self.stage, self.kept = state['stage'], (arrays, state['model']) if state['stage'] else None

    def state(self) -> dict[str, Any]:
        found = [[asdict(one) for one in fold] for fold in self.found]
        return {**super().state(), 'found': found, 'losses': self.losses, 'stage': '', 'model': {}}


class _Stage(Monitor):
    """What the model in training talks to: one stage of the whole."""

    def __init__(self, course: _Course, name: str) -> None:
        self._course = course
        self._name = name
        self._saved = time.monotonic()

    def progress(self, stage: str, done: int, total: int, losses: dict[str, float]) -> None:
        if losses:
            self._course.losses[self._name] = losses
        self._course.monitor.progress(f'{self._name}, {stage}', done, total, losses)

    def should_stop(self) -> bool:
        return self._course.monitor.should_stop()

    def save(self, arrays: Arrays, state: dict[str, Any]) -> None:
        if self.should_stop() or time.monotonic() > self._saved + _BETWEEN_CHECKPOINTS:
            course = self._course
            course.monitor.save(arrays, {**course.state(), 'stage': self._name, 'model': state})
            self._saved = time.monotonic()

    def restore(self) -> Checkpoint | None:
        return self._course.kept if self._course.stage == self._name else None


def train(
    dataset: ImpurityDataset,
    task: TrainingTask,
    monitor: Monitor | None = None,
    spheres: PotentialEmulator | None = None,
) -> tuple[PotentialEmulator | None, dict[str, Any]]:
    """Train an emulator. Equal data, task and versions give the same model, bit for bit, on one machine's CPU.

    :param spheres: see :meth:`~aiida_mlkkr.ml.emulator.PotentialEmulator.fit`. It stays as it is in the
        cross-validation, also where it has learnt from what is left out there.
    :return: the emulator (None if no final one is asked for), and a report in plain JSON: ``task``, ``data``,
        ``validation``, ``left_out`` (what the emulator says of its own training data), ``losses``, ``versions``,
        ``seconds`` and ``runs``.
    :raises DatasetError: if there are too few data, or they are of a kind that cannot be learnt.
    :raises ModelError: if the model cannot learn from these data, or the checkpoint is that of another training.
    :raises TrainingInterrupted: if the monitor says so.
    """
    course = _Course.begun(task, data_hash(dataset, spheres), monitor or Monitor())
    validation = None
    if task.cross_validation is not None:
        validation = _validate(dataset, task, task.cross_validation, course, spheres)
    emulator = None
    if task.final:
        emulator = PotentialEmulator.fit(dataset, task.emulator, _Stage(course, FINAL), spheres)
    report = course.report(
        data=_data(dataset, course.identity['data']),
        validation=validation,
        left_out=None if emulator is None else emulator.report,
        losses=course.losses,
    )
    return emulator, report


def data_hash(dataset: ImpurityDataset, spheres: PotentialEmulator | None = None) -> str:
    """SHA-256 of all numbers of a dataset, and where they come from; with those of the emulator below, if any."""
    arrays, description = dataset.to_arrays()
    own = checksum(description, arrays)
    if spheres is None:
        return own
    its_arrays, spec = spheres.export()
    return checksum({'dataset': own, 'spheres': checksum(spec.model_dump(mode='json'), its_arrays)}, {})


def _validate(
    dataset: ImpurityDataset,
    task: TrainingTask,
    settings: CrossValidation,
    course: _Course,
    spheres: PotentialEmulator | None,
) -> dict[str, Any]:
    records = [record for record in dataset.impurities if len(record.impurities)]
    folds = validation_folds(records, settings, task.emulator.seed)
    for fold in folds[len(course.found) :]:
        known = ImpurityDataset(dataset.kind, tuple(records[place] for place in fold.train))
        emulator = PotentialEmulator.fit(known, task.emulator, _Stage(course, f'fold {fold.name}'), spheres)
        course.found.append([assess(emulator, dataset.kind, records[place]) for place in fold.test])
        error = summary(course.found[-1:], settings)['error_Ry']
        course.fold_is_behind(len(folds), {'error_Ry': error})
    return summary(course.found, settings)


def _data(dataset: ImpurityDataset, sha256: str) -> dict[str, Any]:
    return {
        'sha256': sha256,
        'clusters': len(dataset.impurities),
        'hosts': [host.name for host in dataset.hosts],
        'elements': list(dataset.elements),
        'kind': asdict(dataset.kind),
    }
