"""``mlkkr-monte-carlo``: simulations of spin models as a program that runs where its input files are, without AiiDA.

It reads ``monte_carlo.json`` and the models that are named there in the current directory, and writes ``results.npz``,
``progress.jsonl`` and ``checkpoint.npz`` there. A checkpoint that it finds is gone on with.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, ValidationError

from aiida_mlkkr import __version__
from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.common.order import FileName, Order
from aiida_mlkkr.common.program import PROGRESS, STATUSES, Watch, argument_parser, exit_statuses, say

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
CHECKPOINT: Final = 'checkpoint.npz'

GROUND_STATE: Final = 'ground_state_'
"""Begin of the names of arrays of the states of lowest energy."""

_DIRECTIONS: Final = f'{GROUND_STATE}directions'
_MINIMA: Final = 'minima'
_ENERGIES: Final = f'{GROUND_STATE}energies'
_BETWEEN_LINES: Final = 5.0
_BETWEEN_CHECKPOINTS: Final = 300.0


class MonteCarloOrder(Order):
    """The content of ``monte_carlo.json``.

    :param schedule: what is simulated.
    :param models: names of the files of the models, configurations of one kind.
    :param threads: replicas that are swept at once; as many as there are cores where absent.
    """

    schedule: Schedule
    models: tuple[FileName, ...] = Field(min_length=1)
    threads: PositiveInt | None = None


def read_order(folder: Path) -> tuple[MonteCarloOrder, list[SpinModel]]:
    """Read ``monte_carlo.json`` and the models.

    :raises SpinModelError: something is missing or not valid.
    """
    try:
        order = MonteCarloOrder.model_validate_json((folder / INPUT).read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise SpinModelError(f'{INPUT} is missing in {folder}') from error
    except ValidationError as error:
        raise SpinModelError(f'{INPUT} is not valid: {first_complaint(error)}') from error
    return order, [read_model(folder / name) for name in order.models]


class Job:
    """The simulations of an order, one model after the other, with a checkpoint to go on from."""

    def __init__(self, folder: Path, order: MonteCarloOrder, models: Sequence[SpinModel]) -> None:
        self._folder, self._order, self._models = folder, order, models
        self._finished: list[Measurements] = []
        self._grounds: list[GroundState] = []
        self._minima: list[NDArray[np.float64]] = []
        self._arrays: dict[str, Any] = {}
        self._told = -math.inf
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
            self._tell(name, simulation, watch)
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

    def _tell(self, name: str, simulation: Simulation, watch: Watch) -> None:
        """Say how many rounds of a model are behind, now and then."""
        done, total = int(simulation.done), simulation.schedule.rounds
        if done == total or time.monotonic() > self._told + _BETWEEN_LINES:
            watch.write(model=name, done=done, total=total)
            say(f'{name}: {done}/{total}')
            self._told = time.monotonic()

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
    watch = Watch(folder, begin, order.walltime)
    job = Job(folder, order, models)
    restored = job.restore()
    watch.write(started=__version__)
    say(f'{PROGRAM} {__version__}: {len(models)} models{restored * f", going on from {CHECKPOINT}"}')
    finished = job.run(watch)
    if finished is None:
        watch.write(stopped=watch.reason)
        say(f'{watch.reason}; run it again to go on from {CHECKPOINT}')
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
    say(f'done in {time.monotonic() - begin:.1f} s')
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; its help lists the exit statuses."""
    parser = argument_parser(
        PROGRAM,
        f'Monte Carlo of spin models: reads {INPUT} and the models that it names in the current directory, '
        f'writes {RESULTS}, {PROGRESS} and {CHECKPOINT}, and goes on from a checkpoint that is there.',
        STATUSES,
    )
    parser.parse_args(arguments)
    with exit_statuses(PROGRAM, refused=(SpinModelError,)):
        raise SystemExit(run(Path()))


if __name__ == '__main__':
    main()
