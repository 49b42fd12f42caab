"""A training from its data to a model and a report: cross-validation first, then the model of all data.

It can be stopped and gone on with: a checkpoint holds what the folds behind have found, and what the model in training
wants to keep. Units: Rydberg, Bohr magnetons, seconds.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aiida_mlkkr import __version__
from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.files import checksum
from aiida_mlkkr.ml.monitor import Arrays, Checkpoint, Monitor, TrainingInterrupted
from aiida_mlkkr.ml.validation import CrossValidation, Tested, assess, summary, validation_folds
from aiida_mlkkr.ml.versions import versions

FINAL: Final = 'model'
"""The stage in which the model of all data is trained."""

_BETWEEN_CHECKPOINTS: Final = 10.0
"""Seconds; models may offer checkpoints at every step."""


class TrainingTask(BaseModel):
    """What is to be trained.

    :param emulator: settings of the emulator, the seed among them.
    :param cross_validation: how it is validated before; not at all if None.
    :param final: whether the model of all data is trained; without it the cross-validation is all.
    """

    model_config = ConfigDict(extra='forbid', frozen=True)

    emulator: EmulatorSettings = Field(default_factory=EmulatorSettings)  # a model is imported when it is asked for
    cross_validation: CrossValidation | None = CrossValidation()
    final: bool = True

    @model_validator(mode='after')
    def _asks_for_something(self) -> TrainingTask:
        if not self.final and self.cross_validation is None:
            raise ValueError('neither a cross_validation nor a final model is asked for')
        return self


@dataclass
class _Course:
    """How far a training is.

    :param identity: hashes of its task and its data.
    :param found: results of the folds behind.
    :param seconds: what the training took before this run of it; ``runs`` is the number of runs.
    :param stage, kept: what the model of a stage wanted to keep.
    :param losses: the last ones of each stage.
    """

    monitor: Monitor
    identity: dict[str, str]
    found: list[list[Tested]] = field(default_factory=list)
    seconds: float = 0.0
    runs: int = 1
    stage: str = ''
    kept: Checkpoint | None = None
    losses: dict[str, dict[str, float]] = field(default_factory=dict)
    begin: float = field(default_factory=time.monotonic)

    @property
    def seconds_in_all(self) -> float:
        return self.seconds + time.monotonic() - self.begin

    def go_on(self) -> None:
        """Take up the checkpoint, if there is one.

        :raises ModelError: if it is that of another training.
        """
        checkpoint = self.monitor.restore()
        if checkpoint is None:
            return
        arrays, state = checkpoint
        for name, value in self.identity.items():
            if state.get('identity', {}).get(name) != value:
                raise ModelError(
                    f'the checkpoint belongs to a training with another {name}: train without it, or go on with the '
                    f'{name} that it was made with'
                )
        self.found = [[Tested(**one) for one in fold] for fold in state['found']]
        self.seconds, self.runs, self.losses = state['seconds'], state['runs'] + 1, state['losses']
        self.stage, self.kept = state['stage'], (arrays, state['model']) if state['stage'] else None

    def save(self, stage: str = '', arrays: Arrays | None = None, model: dict[str, Any] | None = None) -> None:
        """Keep a checkpoint."""
        found = [[asdict(one) for one in fold] for fold in self.found]
        state = {'identity': self.identity, 'found': found, 'seconds': self.seconds_in_all, 'runs': self.runs}
        self.monitor.save(arrays or {}, {**state, 'losses': self.losses, 'stage': stage, 'model': model or {}})

    def pause_if_asked(self) -> None:
        """After a stage.

        :raises TrainingInterrupted: if the monitor says so.
        """
        self.save()
        if self.monitor.should_stop():
            raise TrainingInterrupted


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
            self._course.save(self._name, arrays, state)
            self._saved = time.monotonic()

    def restore(self) -> Checkpoint | None:
        return self._course.kept if self._course.stage == self._name else None


def train(
    dataset: ImpurityDataset, task: TrainingTask, monitor: Monitor | None = None
) -> tuple[PotentialEmulator | None, dict[str, Any]]:
    """Train an emulator. Equal data, task and versions give the same model, bit for bit, on one machine's CPU.

    :return: the emulator (None if no final one is asked for), and a report in plain JSON: ``task``, ``data``,
        ``validation``, ``left_out`` (what the emulator says of its own training data), ``losses``, ``versions``,
        ``seconds`` and ``runs``.
    :raises DatasetError: if there are too few data, or they are of a kind that cannot be learnt.
    :raises ModelError: if the model cannot learn from these data, or the checkpoint is that of another training.
    :raises TrainingInterrupted: if the monitor says so.
    """
    hashes = {'task': checksum(task.model_dump(mode='json'), {}), 'data': data_hash(dataset)}
    course = _Course(monitor or Monitor(), {**hashes, 'version of aiida-mlkkr': __version__})
    course.go_on()
    validation = None if task.cross_validation is None else _validate(dataset, task, task.cross_validation, course)
    emulator = None
    if task.final:
        emulator = PotentialEmulator.fit(dataset, task.emulator, _Stage(course, FINAL))
    report = {
        'task': task.model_dump(mode='json'),
        'data': _data(dataset, hashes['data']),
        'validation': validation,
        'left_out': None if emulator is None else emulator.report,
        'losses': course.losses,
        'versions': versions(),
        'seconds': course.seconds_in_all,
        'runs': course.runs,
    }
    return emulator, report


def data_hash(dataset: ImpurityDataset) -> str:
    """SHA-256 of all numbers of a dataset, and where they come from."""
    arrays, description = dataset.to_arrays()
    return checksum(description, arrays)


def _validate(
    dataset: ImpurityDataset, task: TrainingTask, settings: CrossValidation, course: _Course
) -> dict[str, Any]:
    records = [record for record in dataset.impurities if len(record.impurities)]
    folds = validation_folds(records, settings, task.emulator.seed)
    for fold in folds[len(course.found) :]:
        known = ImpurityDataset(dataset.kind, tuple(records[place] for place in fold.train))
        emulator = PotentialEmulator.fit(known, task.emulator, _Stage(course, f'fold {fold.name}'))
        course.found.append([assess(emulator, dataset.kind, records[place]) for place in fold.test])
        error = summary(course.found[-1:], settings)['error_Ry']
        course.monitor.progress('cross-validation', len(course.found), len(folds), {'error_Ry': error})
        if task.final or len(course.found) < len(folds):
            course.pause_if_asked()
    return summary(course.found, settings)


def _data(dataset: ImpurityDataset, sha256: str) -> dict[str, Any]:
    return {
        'sha256': sha256,
        'clusters': len(dataset.impurities),
        'hosts': [host.name for host in dataset.hosts],
        'elements': list(dataset.elements),
        'kind': asdict(dataset.kind),
    }
