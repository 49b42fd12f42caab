"""``aiida-mlkkr-train``: a training as a program that runs where its input files are; it needs no AiiDA.

It reads ``train.json`` and the files of data that are named there in the current directory, datasets of impurities or
tables of exchange, and writes ``model.safetensors``, ``report.json``, ``progress.jsonl`` and
``checkpoint.safetensors`` there. A checkpoint that it finds is gone on with.
"""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from aiida_mlkkr import __version__
from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.common.order import FileName, Order
from aiida_mlkkr.common.program import PROGRESS, STATUSES, Watch, argument_parser, exit_statuses, say
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.tables import read_csv
from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.ml.dataset import merge
from aiida_mlkkr.ml.emulator import PotentialEmulator
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.exchange.training import ExchangeTask, train_exchange
from aiida_mlkkr.ml.files import read_checkpoint, read_dataset, read_model, write_checkpoint, write_model
from aiida_mlkkr.ml.monitor import Arrays, Checkpoint, Monitor, TrainingInterrupted
from aiida_mlkkr.ml.spec import SurrogateSpec
from aiida_mlkkr.ml.training import TrainingTask, train

PROGRAM: Final = 'aiida-mlkkr-train'
INPUT: Final = 'train.json'
MODEL: Final = 'model.safetensors'
REPORT: Final = 'report.json'
CHECKPOINT: Final = 'checkpoint.safetensors'

_BETWEEN_LINES: Final = 1.0

Vector = tuple[float, float, float]


class TrainingOrder(Order, ABC):
    """The content of ``train.json``.

    :param datasets: names of the files of data.
    """

    datasets: tuple[FileName, ...] = Field(min_length=1)

    @abstractmethod
    def training(self, folder: Path) -> Training:
        """Read the data.

        :raises DatasetError, ExchangeError, ModelError: if they are not valid, or cannot be mixed.
        """


@dataclass(frozen=True)
class Training:
    """What is ready to begin.

    :param data: in words.
    :param train: gives arrays and spec of the model (None if none is asked for), and the report.
    :param error: of the cross-validation in words.
    """

    data: str
    train: Callable[[Monitor], tuple[tuple[dict[str, NDArray[Any]], SurrogateSpec] | None, dict[str, Any]]]
    error: Callable[[dict[str, Any]], str]


class EmulatorOrder(TrainingOrder):
    """An emulator of impurity potentials from datasets of impurities.

    :param task: what is to be trained.
    :param spheres: name of a model file, of atomic spheres, on top of which one of full potentials is trained.
    """

    task: TrainingTask = Field(default_factory=TrainingTask)
    spheres: FileName | None = None

    def training(self, folder: Path) -> Training:
        """Read and merge the datasets, and read the model below."""
        dataset = merge(read_dataset(folder / name) for name in self.datasets)
        below = None if self.spheres is None else PotentialEmulator.load(*read_model(folder / self.spheres))

        def run(monitor: Monitor) -> Any:
            emulator, report = train(dataset, self.task, monitor, below)
            return (None if emulator is None else emulator.export()), report

        return Training(
            f'{len(dataset.impurities)} clusters, {", ".join(dataset.elements)}',
            run,
            lambda found: f'error of left-out impurities: {1e3 * found["error_Ry"]:.2f} mRy',
        )


class ExchangeOrder(TrainingOrder):
    """A surrogate of exchange from tables (CSV).

    :param task: what is to be trained.
    :param rotations: orthogonal matrices that bring the host onto itself, if they are known.
    """

    task: ExchangeTask
    rotations: list[tuple[Vector, Vector, Vector]] | None = None

    def training(self, folder: Path) -> Training:
        """Read the tables."""
        tables = [read_csv(folder / name) for name in self.datasets]
        rotations = None if self.rotations is None else np.array(self.rotations)

        def run(monitor: Monitor) -> Any:
            surrogate, report = train_exchange(tables, self.task, monitor, rotations)
            return (None if surrogate is None else surrogate.export()), report

        elements = sorted({name for table in tables for name in table.elements}, key=SYMBOLS.index)
        return Training(
            f'{sum(len(table.pairs) for table in tables)} pairs, {", ".join(elements)}',
            run,
            lambda found: f'error of left-out pairs ({found["split"]}): {found["mae"]:.2f} meV',
        )


class OrderError(ValueError):
    """``train.json`` is missing or not valid."""


class FileMonitor(Monitor):
    """Writes down how far a training is, and stops it when its watch says so.

    :param folder: where the checkpoint is.
    :param has_saved: whether a checkpoint has been written: the training has got further.
    """

    def __init__(self, folder: Path, watch: Watch) -> None:
        self._checkpoint = folder / CHECKPOINT
        self._watch = watch
        self.has_saved = False
        self._said = -math.inf
        self._stage = ''

    def progress(self, stage: str, done: int, total: int, losses: dict[str, float]) -> None:
        """Write down every step; for people the ends of stages, and a line a second."""
        self._watch.write(stage=stage, done=done, total=total, losses=losses)
        if done == total or stage != self._stage or time.monotonic() > self._said + _BETWEEN_LINES:
            listed = ', '.join(f'{name} {value:.4g}' for name, value in losses.items())
            say(f'{stage}: {done}/{total}{listed and f", {listed}"}')
            self._stage, self._said = stage, time.monotonic()

    def should_stop(self) -> bool:
        """Whether the time is over or a signal has come."""
        return self._watch.should_stop()

    def save(self, arrays: Arrays, state: dict[str, Any]) -> None:
        """Write the checkpoint."""
        write_checkpoint(self._checkpoint, arrays, state)
        self._watch.write(checkpoint=True)
        self.has_saved = True

    def restore(self) -> Checkpoint | None:
        """The checkpoint in the folder."""
        if not self._checkpoint.is_file():
            return None
        say(f'going on from {CHECKPOINT}')
        return read_checkpoint(self._checkpoint)


def read_order(folder: Path) -> TrainingOrder:
    """Read ``train.json``: of exchange, if its task says so.

    :raises OrderError: if it is missing or not valid.
    """
    try:
        content = json.loads((folder / INPUT).read_text(encoding='utf-8'))
        task = content.get('task') if isinstance(content, dict) else None
        kind = ExchangeOrder if isinstance(task, dict) and 'exchange' in task else EmulatorOrder
        return kind.model_validate(content)
    except FileNotFoundError as error:
        raise OrderError(f'{INPUT} is missing in {folder}') from error
    except ValidationError as error:
        raise OrderError(f'{INPUT} is not valid: {first_complaint(error)}') from error
    except (ValueError, RecursionError) as error:
        raise OrderError(f'{INPUT} is no JSON file: {error}') from error


def run(folder: Path) -> int:
    """Train in a folder; return the exit status.

    :raises OrderError, DatasetError, ExchangeError, ModelError: if the input is refused.
    """
    begin = time.monotonic()
    order = read_order(folder)
    training = order.training(folder)
    watch = Watch(folder, begin, order.walltime)
    monitor = FileMonitor(folder, watch)
    watch.write(started=__version__)
    say(f'{PROGRAM} {__version__}: {training.data}')
    try:
        model, report = training.train(monitor)
    except TrainingInterrupted:
        watch.write(stopped=watch.reason, further=monitor.has_saved)
        advice = f'run it again to go on from {CHECKPOINT}' if monitor.has_saved else 'not one step fits into the time'
        say(f'{watch.reason}; {advice}')
        return watch.exit_status
    if model is not None:
        write_model(folder / MODEL, *model)
    (folder / REPORT).write_text(json.dumps(report, indent=1), encoding='utf-8')
    (folder / CHECKPOINT).unlink(missing_ok=True)
    watch.write(finished=True)
    if report['validation']:
        say(training.error(report['validation']))
    say(f'done in {report["seconds"]:.1f} s')
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; its help lists the exit statuses."""
    parser = argument_parser(
        PROGRAM,
        'Train an emulator of impurity potentials or a surrogate of exchange: reads '
        f'{INPUT} and files of data in the current directory, writes {MODEL}, {REPORT}, {PROGRESS} and {CHECKPOINT}, '
        'and goes on from a checkpoint that is there.',
        STATUSES,
    )
    parser.parse_args(arguments)
    with exit_statuses(PROGRAM, refused=(OrderError, DatasetError, ExchangeError, ModelError)):
        raise SystemExit(run(Path()))


if __name__ == '__main__':
    main()
