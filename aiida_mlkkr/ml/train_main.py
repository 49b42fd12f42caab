"""``aiida-mlkkr-train``: a training as a program that runs where its input files are; it needs no AiiDA.

It reads ``train.json`` and the files of data that are named there in the current directory, datasets of impurities or
tables of exchange, and writes ``model.safetensors``, ``report.json``, ``progress.jsonl`` and
``checkpoint.safetensors`` there. A checkpoint that it finds is gone on with.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aiida_mlkkr import __version__
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.tables import read_csv
from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.ml.dataset import merge
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.exchange.training import ExchangeTask, train_exchange
from aiida_mlkkr.ml.files import read_checkpoint, read_dataset, write_checkpoint, write_model
from aiida_mlkkr.ml.monitor import Arrays, Checkpoint, Monitor, TrainingInterrupted
from aiida_mlkkr.ml.spec import SurrogateSpec, first_complaint
from aiida_mlkkr.ml.training import TrainingTask, train

INPUT: Final = 'train.json'
MODEL: Final = 'model.safetensors'
REPORT: Final = 'report.json'
PROGRESS: Final = 'progress.jsonl'
CHECKPOINT: Final = 'checkpoint.safetensors'

EXIT_REFUSED: Final = 2
"""Exit status when the input is refused, or the model cannot learn from it: nothing to go on from."""

EXIT_FILE_SYSTEM: Final = 4
"""Exit status when a file can be neither read nor written: no permission, disk full."""

EXIT_OUT_OF_WALLTIME: Final = 75
"""Exit status when the time is over; the checkpoint, if a step could be done, is there to go on from."""

OUT_OF_TIME: Final = 'out of walltime'
"""The reason for a stop in the record, if it is no signal."""

_BETWEEN_LINES: Final = 1.0

Vector = tuple[float, float, float]


class Order(BaseModel, ABC):
    """The content of ``train.json``.

    :param datasets: names of the files of data.
    :param walltime: seconds after which the program saves a checkpoint and stops.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    datasets: tuple[Annotated[str, Field(pattern=r'^[\w.-]+$')], ...] = Field(min_length=1)
    walltime: float | None = Field(default=None, gt=0.0)

    @abstractmethod
    def training(self, folder: Path) -> Training:
        """Read the data.

        :raises DatasetError, ExchangeError: if they are not valid, or cannot be mixed.
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


class EmulatorOrder(Order):
    """An emulator of impurity potentials from datasets of impurities.

    :param task: what is to be trained.
    """

    task: TrainingTask = Field(default_factory=TrainingTask)

    def training(self, folder: Path) -> Training:
        """Read and merge the datasets."""
        dataset = merge(read_dataset(folder / name) for name in self.datasets)

        def run(monitor: Monitor) -> Any:
            emulator, report = train(dataset, self.task, monitor)
            return (None if emulator is None else emulator.export()), report

        return Training(
            f'{len(dataset.impurities)} clusters, {", ".join(dataset.elements)}',
            run,
            lambda found: f'error of left-out impurities: {1e3 * found["error_Ry"]:.2f} mRy',
        )


class ExchangeOrder(Order):
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
    """Writes down how far a training is, and stops it when the time is over or a signal says so.

    :param folder: where the files are.
    :param end: when the time is over, on the monotonic clock.
    :param stdout: where lines for people go.
    :param has_saved: whether a checkpoint has been written: the training has got further.
    """

    def __init__(self, folder: Path, end: float, stdout: TextIO) -> None:
        self._checkpoint = folder / CHECKPOINT
        self._progress = folder / PROGRESS
        self._end = end
        self._stdout = stdout
        self.has_saved = False
        self._signal: int | None = None
        self._said = -math.inf
        self._stage = ''
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait

    @property
    def exit_status(self) -> int:
        """Exit status of the program that was stopped: as a shell reports the signal, or that of the walltime."""
        return EXIT_OUT_OF_WALLTIME if self._signal is None else 128 + self._signal

    @property
    def reason(self) -> str:
        """Why the program was stopped."""
        return OUT_OF_TIME if self._signal is None else f'stopped by {signal.Signals(self._signal).name}'

    def progress(self, stage: str, done: int, total: int, losses: dict[str, float]) -> None:
        """Write down every step; for people the ends of stages, and a line a second."""
        self.write(stage=stage, done=done, total=total, losses=losses)
        if done == total or stage != self._stage or time.monotonic() > self._said + _BETWEEN_LINES:
            listed = ', '.join(f'{name} {value:.4g}' for name, value in losses.items())
            self.say(f'{stage}: {done}/{total}{listed and f", {listed}"}')
            self._stage, self._said = stage, time.monotonic()

    def should_stop(self) -> bool:
        """Whether the time is over or a signal has come."""
        return self._signal is not None or time.monotonic() > self._end

    def save(self, arrays: Arrays, state: dict[str, Any]) -> None:
        """Write the checkpoint."""
        write_checkpoint(self._checkpoint, arrays, state)
        self.write(checkpoint=True)
        self.has_saved = True

    def restore(self) -> Checkpoint | None:
        """The checkpoint in the folder."""
        if not self._checkpoint.is_file():
            return None
        self.say(f'going on from {CHECKPOINT}')
        return read_checkpoint(self._checkpoint)

    def write(self, **entry: Any) -> None:
        """Add a line for programs to the record."""
        with self._progress.open('a', encoding='utf-8') as file:
            file.write(f'{json.dumps({"time": round(time.time(), 3), **entry})}\n')

    def say(self, line: str) -> None:
        """Print a line for people."""
        print(line, file=self._stdout, flush=True)


def read_order(folder: Path) -> Order:
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
    monitor = FileMonitor(folder, begin + (order.walltime or math.inf), sys.stdout)
    monitor.write(started=__version__)
    monitor.say(f'aiida-mlkkr-train {__version__}: {training.data}')
    try:
        model, report = training.train(monitor)
    except TrainingInterrupted:
        monitor.write(stopped=monitor.reason, further=monitor.has_saved)
        advice = f'run it again to go on from {CHECKPOINT}' if monitor.has_saved else 'not one step fits into the time'
        monitor.say(f'{monitor.reason}; {advice}')
        return monitor.exit_status
    if model is not None:
        write_model(folder / MODEL, *model)
    (folder / REPORT).write_text(json.dumps(report, indent=1), encoding='utf-8')
    (folder / CHECKPOINT).unlink(missing_ok=True)
    monitor.write(finished=True)
    if report['validation']:
        monitor.say(training.error(report['validation']))
    monitor.say(f'done in {report["seconds"]:.1f} s')
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program.

    Exit status: 0 done, 2 input refused, 4 a file can be neither read nor written, 75 out of walltime, 130 and 143
    stopped by a signal; after 75, 130 and 143 it goes on from the checkpoint when it is run again.
    """
    parser = argparse.ArgumentParser(
        prog='aiida-mlkkr-train',
        description='Train an emulator of impurity potentials or a surrogate of exchange: reads '
        f'{INPUT} and files of data in the current directory, writes {MODEL}, {REPORT}, {PROGRESS} and {CHECKPOINT}, '
        'and goes on from a checkpoint that is there.',
        epilog=str(main.__doc__).partition('\n\n')[2],
    )
    parser.add_argument('--version', action='version', version=f'aiida-mlkkr-train {__version__}')
    parser.parse_args(arguments)
    try:
        status = run(Path())
    except (OrderError, DatasetError, ExchangeError, ModelError) as error:
        print(f'aiida-mlkkr-train: error: {error}', file=sys.stderr)
        status = EXIT_REFUSED
    except OSError as error:
        print(f'aiida-mlkkr-train: aborted: {error.filename or "output"}: {error.strerror}', file=sys.stderr)
        status = EXIT_FILE_SYSTEM
    raise SystemExit(status)


if __name__ == '__main__':
    main()
