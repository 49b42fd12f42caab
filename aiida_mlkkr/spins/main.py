"""``mlkkr-monte-carlo``: simulations of spin models as a program that runs where its input files are, without AiiDA.

It reads ``monte_carlo.json`` and the models that are named there in the current directory, and writes ``results.npz``,
``progress.jsonl`` and ``checkpoint.npz`` there. A checkpoint that it finds is gone on with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from aiida_mlkkr import __version__

from .errors import SpinModelError
from .files import read_arrays, read_model, write_arrays
from .groundstate import GroundState, candidates, cooled, lowest
from .model import SpinModel
from .montecarlo import Simulation
from .observables import Measurements
from .results import measurements_from_arrays, measurements_to_arrays, results_to_arrays
from .schedule import Schedule

PROGRAM: Final = 'mlkkr-monte-carlo'
INPUT: Final = 'monte_carlo.json'
RESULTS: Final = 'results.npz'
PROGRESS: Final = 'progress.jsonl'
CHECKPOINT: Final = 'checkpoint.npz'

GROUND_STATE: Final = 'ground_state_'
"""Begin of the names of arrays of the states of lowest energy."""

EXIT_REFUSED: Final = 2
"""Exit status when the input is refused: nothing to go on from."""

EXIT_FILE_SYSTEM: Final = 4
"""Exit status when a file can be neither read nor written: no permission, disk full."""

EXIT_OUT_OF_WALLTIME: Final = 75
"""Exit status when the time is over; the checkpoint is there to go on from."""

OUT_OF_TIME: Final = 'out of walltime'
"""The reason for a stop in the record, if it is no signal."""

_DIRECTIONS: Final = f'{GROUND_STATE}directions'
_MINIMA: Final = 'minima'
_ENERGIES: Final = f'{GROUND_STATE}energies'
_BETWEEN_LINES: Final = 5.0
_BETWEEN_CHECKPOINTS: Final = 300.0


class Order(BaseModel):
    """The content of ``monte_carlo.json``.

    :param schedule: what is simulated.
    :param models: names of the files of the models, configurations of one kind.
    :param threads: replicas that are swept at once; as many as there are cores where absent.
    :param walltime: seconds after which the program saves a checkpoint and stops.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    schedule: Schedule
    models: tuple[Annotated[str, Field(pattern=r'^[\w.-]+$')], ...] = Field(min_length=1)
    threads: PositiveInt | None = None
    walltime: float | None = Field(default=None, gt=0.0)


class Watch:
    """Says when to stop, because the time is over or a signal has come, and writes down how far the program is."""

    def __init__(self, folder: Path, walltime: float | None) -> None:
        self._end = time.monotonic() + (walltime or math.inf)
        self._progress = folder / PROGRESS
        self._signal: int | None = None
        self._said = -math.inf
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait

    def should_stop(self) -> bool:
        """Whether the time is over or a signal has come."""
        return self._signal is not None or time.monotonic() > self._end

    @property
    def exit_status(self) -> int:
        """Exit status of the program that was stopped: as a shell reports the signal, or that of the walltime."""
        return EXIT_OUT_OF_WALLTIME if self._signal is None else 128 + self._signal

    @property
    def reason(self) -> str:
        """Why the program was stopped."""
        return OUT_OF_TIME if self._signal is None else f'stopped by {signal.Signals(self._signal).name}'

    def tell(self, model: str, done: int, total: int) -> None:
        """Write down how many rounds of a model are behind, now and then."""
        if done == total or time.monotonic() > self._said + _BETWEEN_LINES:
            self.write(model=model, done=done, total=total)
            print(f'{model}: {done}/{total}', flush=True)
            self._said = time.monotonic()

    def write(self, **entry: Any) -> None:
        """Add a line for programs to the record."""
        with self._progress.open('a', encoding='utf-8') as file:
            file.write(f'{json.dumps({"time": round(time.time(), 3), **entry})}\n')


def read_order(folder: Path) -> tuple[Order, list[SpinModel]]:
    """Read ``monte_carlo.json`` and the models.

    :raises SpinModelError: something is missing or not valid.
    """
    try:
        order = Order.model_validate_json((folder / INPUT).read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise SpinModelError(f'{INPUT} is missing in {folder}') from error
    except ValidationError as error:
        raise SpinModelError(f'{INPUT} is not valid: {first_complaint(error)}') from error
    return order, [read_model(folder / name) for name in order.models]


def first_complaint(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors()[0]
    return ': '.join(filter(None, ['.'.join(map(str, first['loc'])), first['msg']]))


class Job:
    """The simulations of an order, one model after the other, with a checkpoint to go on from."""

    def __init__(self, folder: Path, order: Order, models: Sequence[SpinModel]) -> None:
        self._folder, self._order, self._models = folder, order, models
        self._finished: list[Measurements] = []
        self._grounds: list[GroundState] = []
        self._minima: list[NDArray[np.float64]] = []
        self._arrays: dict[str, Any] = {}
        self._sign = hashlib.sha256(order.schedule.model_dump_json().encode())
        for name in order.models:
            self._sign.update((folder / name).read_bytes())

    def restore(self) -> bool:
        """Take the checkpoint in the folder, if there is one.

        :raises SpinModelError: it is of other models or of another schedule, or damaged.
        """
        if not (self._folder / CHECKPOINT).is_file():
            return False
        arrays, meta = read_arrays(self._folder / CHECKPOINT)
        if meta.get('sign') != self._sign.hexdigest():
            raise SpinModelError(f'{CHECKPOINT} belongs to other models or to another schedule')
        for k, part in enumerate(meta['finished']):
            prefix = f'finished_{k}_'
            own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
            if _DIRECTIONS in own:
                self._grounds.append(GroundState(own.pop(_DIRECTIONS), own.pop(_ENERGIES)))
            self._finished.append(measurements_from_arrays(own, part))
        self._minima = list(arrays.pop(_MINIMA))
        self._arrays = {name: array for name, array in arrays.items() if not name.startswith('finished_')}
        return True

    def run(self, watch: Watch) -> tuple[list[Measurements], list[GroundState]] | None:
        """Simulate all models; None if it was told to stop, the checkpoint is written then."""
        threads = self._order.threads or len(os.sched_getaffinity(0))
        names = self._order.models[len(self._finished) :]
        for name, model in zip(names, self._models[len(self._finished) :], strict=True):
            simulation = Simulation(model, self._order.schedule, threads)
            if self._arrays:
                simulation.restore(self._arrays)
            if not self._simulate(name, simulation, watch):
                return None
            if self._order.schedule.cooling and not self._cool(simulation, threads, watch):
                return None
            self._arrays = {}
            self._finished.append(Measurements.of_simulation(simulation))
        return self._finished, self._grounds

    def _simulate(self, name: str, simulation: Simulation, watch: Watch) -> bool:
        """Whether it came to its end."""
        saved = time.monotonic()

        def pause() -> bool:
            watch.tell(name, int(simulation.done), simulation.schedule.rounds)
            return watch.should_stop() or time.monotonic() > saved + _BETWEEN_CHECKPOINTS

        while not simulation.is_finished:
            simulation.run(pause)
            if simulation.is_finished:
                break
            self._save(simulation)
            watch.write(checkpoint=True)
            saved = time.monotonic()
            if watch.should_stop():
                return False
        return True

    def _cool(self, simulation: Simulation, threads: int, watch: Watch) -> bool:
        """Whether all candidates of the ground state were cooled; some are, whatever the time."""
        places = candidates(simulation)
        with ThreadPoolExecutor(threads) as pool:
            while len(self._minima) < len(places):
                batch = places[len(self._minima) : len(self._minima) + threads]
                self._minima += pool.map(lambda place: cooled(simulation, place), batch)
                if watch.should_stop() and len(self._minima) < len(places):
                    self._save(simulation)
                    watch.write(checkpoint=True)
                    return False
        self._grounds.append(lowest(simulation.model, self._minima))
        self._minima = []
        return True

    def _save(self, simulation: Simulation) -> None:
        arrays = {**simulation.checkpoint(), _MINIMA: np.array(self._minima)}
        finished = []
        for k, measurements in enumerate(self._finished):
            own, meta = measurements_to_arrays(measurements)
            if self._grounds:
                own |= {_DIRECTIONS: self._grounds[k].directions, _ENERGIES: self._grounds[k].energies}
            arrays |= {f'finished_{k}_{name}': array for name, array in own.items()}
            finished.append(meta)
        write_arrays(self._folder / CHECKPOINT, arrays, {'sign': self._sign.hexdigest(), 'finished': finished})


def run(folder: Path) -> int:
    """Simulate in a folder; return the exit status.

    :raises SpinModelError: the input is refused.
    """
    begin = time.monotonic()
    order, models = read_order(folder)
    watch = Watch(folder, order.walltime)
    job = Job(folder, order, models)
    restored = job.restore()
    watch.write(started=__version__)
    print(f'{PROGRAM} {__version__}: {len(models)} models{restored * f", going on from {CHECKPOINT}"}', flush=True)
    finished = job.run(watch)
    if finished is None:
        watch.write(stopped=watch.reason)
        print(f'{watch.reason}; run it again to go on from {CHECKPOINT}')
        return watch.exit_status
    measurements, grounds = finished
    arrays, meta = results_to_arrays(measurements)
    if grounds:
        arrays[_DIRECTIONS] = np.stack([ground.directions for ground in grounds])
        arrays[_ENERGIES] = np.stack([ground.energies for ground in grounds])
    details = {'version': __version__, 'schedule': order.schedule.model_dump(mode='json'), 'models': len(models)}
    write_arrays(folder / RESULTS, arrays, meta | details)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    watch.write(finished=True)
    print(f'done in {time.monotonic() - begin:.1f} s')
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program.

    Exit status: 0 done, 2 input refused, 4 a file can be neither read nor written, 75 out of walltime, 130 and 143
    stopped by a signal; after 75, 130 and 143 it goes on from the checkpoint when it is run again.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=f'Monte Carlo of spin models: reads {INPUT} and the models that it names in the current directory, '
        f'writes {RESULTS}, {PROGRESS} and {CHECKPOINT}, and goes on from a checkpoint that is there.',
        epilog=str(main.__doc__).partition('\n\n')[2],
    )
    parser.add_argument('--version', action='version', version=f'{PROGRAM} {__version__}')
    parser.parse_args(arguments)
    try:
        status = run(Path())
    except SpinModelError as error:
        print(f'{PROGRAM}: error: {error}', file=sys.stderr)
        status = EXIT_REFUSED
    except OSError as error:
        print(f'{PROGRAM}: aborted: {error.filename or "output"}: {error.strerror}', file=sys.stderr)
        status = EXIT_FILE_SYSTEM
    raise SystemExit(status)


if __name__ == '__main__':
    main()
