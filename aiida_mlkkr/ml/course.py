"""What trainings have in common: a cross-validation, a final model, and that they can be stopped and gone on with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

from aiida_mlkkr import __version__
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.files import checksum
from aiida_mlkkr.ml.monitor import Arrays, Monitor, TrainingInterrupted
from aiida_mlkkr.ml.versions import versions

Found = TypeVar('Found')
"""What is found in a fold."""


class Task(BaseModel):
    """What is to be trained.

    :param cross_validation: how it is validated before; not at all if None.
    :param final: whether the model of all data is trained; without it the cross-validation is all.
    """

    model_config = ConfigDict(extra='forbid', frozen=True)

    cross_validation: BaseModel | None
    final: bool = True

    @model_validator(mode='after')
    def _asks_for_something(self) -> Task:
        if not self.final and self.cross_validation is None:
            raise ValueError('neither a cross_validation nor a final model is asked for')
        return self


@dataclass
class Course(Generic[Found]):
    """How far a training is.

    :param identity: of its task and its data.
    :param found: results of the folds behind.
    :param seconds: what the training took before this run of it; ``runs`` is the number of runs.
    """

    task: Task
    monitor: Monitor
    identity: dict[str, str]
    found: list[Found] = field(default_factory=list)
    seconds: float = 0.0
    runs: int = 1
    begin: float = field(default_factory=time.monotonic)

    @classmethod
    def begun(cls, task: Task, data: str, monitor: Monitor) -> Self:
        """A training from its beginning, or from the monitor's checkpoint if there is one.

        :param data: hash of the data.
        :raises ModelError: if the checkpoint is that of another training.
        """
        hashes = {'task': checksum(task.model_dump(mode='json'), {}), 'data': data}
        course = cls(task, monitor, {**hashes, 'version of aiida-mlkkr': __version__})
        if checkpoint := monitor.restore():
            course._go_on(*checkpoint)
        return course

    def _go_on(self, arrays: Arrays, state: dict[str, Any]) -> None:
        for name, value in self.identity.items():
            if state.get('identity', {}).get(name) != value:
                raise ModelError(
                    f'the checkpoint belongs to a training with another {name}: train without it, or go on with the '
                    f'{name} that it was made with'
                )
        self.seconds, self.runs = state['seconds'], state['runs'] + 1
        self.take_up(arrays, state)

    def take_up(self, arrays: Arrays, state: dict[str, Any]) -> None:
        """What was found, from the checkpoint."""
        self.found = state['found']

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds beside arrays, in plain JSON."""
        return {'identity': self.identity, 'found': self.found, 'seconds': self._seconds_in_all(), 'runs': self.runs}

    def fold_is_behind(self, folds: int, losses: dict[str, float]) -> None:
        """Tell it, and keep a checkpoint if there is anything left to do.

        :param folds: how many there are in all.
        :raises TrainingInterrupted: if the monitor says so.
        """
        self.monitor.progress('cross-validation', len(self.found), folds, losses)
        if self.task.final or len(self.found) < folds:
            self.monitor.save({}, self.state())
            if self.monitor.should_stop():
                raise TrainingInterrupted

    def report(self, **parts: Any) -> dict[str, Any]:
        """Report in plain JSON: parts of the training, and what all reports hold."""
        return {
            'task': self.task.model_dump(mode='json'),
            **parts,
            'versions': versions(),
            'seconds': self._seconds_in_all(),
            'runs': self.runs,
        }

    def _seconds_in_all(self) -> float:
        return self.seconds + time.monotonic() - self.begin
