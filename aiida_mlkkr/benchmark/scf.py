"""Self-consistencies in this process: the embedded solver on KKRimp's files, stage after stage of a schedule.

What fails is treated as ``mlkkr.kkrimp.base`` treats the first failure: simple mixing that makes no progress gives way
to Anderson mixing. A start that needs more cures than that has failed here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.benchmark.cases import Case
from aiida_mlkkr.benchmark.starts import Start
from aiida_mlkkr.kkr.cures import Cures
from aiida_mlkkr.kkr.history import ScfHistory, is_beyond_simple_mixing, read_history
from aiida_mlkkr.kkr.potential import ImpurityPotential, write_potential
from aiida_mlkkr.kkr.run import LOG, POTENTIAL, STDOUT
from aiida_mlkkr.kkr.schedule import NO_FIELD, Schedule
from aiida_mlkkr.kkr.start_check import is_magnetic
from aiida_mlkkr.kkr.writeout import HOST_FILES
from aiida_mlkkr.solver.core import CoreStateError
from aiida_mlkkr.solver.errors import SolverError
from aiida_mlkkr.solver.main import run

MOST_ITERATIONS: Final = 300
_INPUT_FILES: Final = ('kkrflex_atominfo', 'kkrflex_llyfac', *HOST_FILES)


@dataclass(frozen=True, eq=False)
class Scf:
    """How a self-consistency ended.

    :param iterations: of all its calculations.
    :param converged: whether the error asked for was reached; ``problem`` says why not.
    :param moments, charges: (natom,) of the last iteration, in µB and electrons; empty if there was none.
    :param energy: total energy in Ry; NaN if there was no iteration.
    """

    iterations: int
    converged: bool
    problem: str
    moments: NDArray[np.float64]
    charges: NDArray[np.float64]
    energy: float

    @classmethod
    def failed(cls, problem: str) -> Scf:
        """One that came to no end, or to no beginning."""
        return cls(0, False, problem, np.empty(0), np.empty(0), float('nan'))


@dataclass(frozen=True)
class InProcess:
    """Runs self-consistencies in this process.

    :param cures: what is done differently where there is no progress.
    """

    cures: Cures

    def __call__(self, case: Case, start: Start, schedule: Schedule) -> Scf:
        """From a start potential of an impurity that has files."""
        assert case.files is not None
        known = start.state_known or is_magnetic(start.potential)
        field = schedule.field(known, None)
        return converge(case.files.folder, start.potential, schedule.after(start.expected), field, self.cures)


def converge(
    inputs: Path, potential: ImpurityPotential, schedule: Schedule, field: tuple[float, int], cures: Cures
) -> Scf:
    """Iterate from a start potential.

    :param inputs: folder with KKRimp's input files, potential aside.
    :param field: the initial field, see :meth:`Schedule.field`.
    """
    with TemporaryDirectory(prefix='mlkkr-scf-') as name:
        folder = Path(name)
        with (folder / 'start').open('w') as stream:
            write_potential(potential, stream)
        try:
            return _stages(inputs, folder, schedule, field, cures)
        except (SolverError, CoreStateError) as error:
            return Scf.failed(f'{type(error).__name__}: {error}')


def _stages(inputs: Path, folder: Path, schedule: Schedule, field: tuple[float, int], cures: Cures) -> Scf:
    total, current = 0, folder / 'start'
    for stage in range(len(schedule.stages)):
        settings, errors = schedule.settings(stage, field), np.empty(0)
        while True:
            done = folder / f'after_{total}'
            history = calculate(inputs, done, current, settings)
            current, total = done / POTENTIAL, total + history.niter
            errors = np.append(errors, history.error)
            if history.converged:
                break
            if total >= MOST_ITERATIONS or not np.isfinite(errors[-1]):
                return _ending(total, history, f'not converged after {total} iterations')
            settings = {**settings, 'HFIELD': list(NO_FIELD)}
            if settings['IMIX'] < 3 and is_beyond_simple_mixing(errors, settings['MIXFAC']):
                settings, errors = cures.other_mixing(settings), np.empty(0)
    return _ending(total, history, '')


def _ending(total: int, history: ScfHistory, problem: str) -> Scf:
    return Scf(
        total, not problem, problem, history.spin_moment[-1], history.charge[-1], float(history.total_energy[-1])
    )


def calculate(inputs: Path, folder: Path, potential: Path, settings: Mapping[str, Any]) -> ScfHistory:
    """Run the embedded solver once in a new folder; the initial field stays on, as in JuKKR and in ``mlkkr.imp_scf``.

    :param inputs: folder with ``config.cfg`` and the other input files.
    :param potential: file to start from.
    :param settings: keys of ``config.cfg`` that replace those of the folder.
    """
    folder.mkdir(parents=True)
    for name in _INPUT_FILES:
        if (inputs / name).is_file():
            (folder / name).symlink_to((inputs / name).resolve())
    (folder / 'potential').symlink_to(potential.resolve())
    written = {key: _words(value) for key, value in {'TESTFLAG': 'accumulate_hfield', **settings}.items()}
    lines = (inputs / 'config.cfg').read_text().splitlines()
    kept = [line for line in lines if line.partition('=')[0].strip().upper() not in written]
    (folder / 'config.cfg').write_text('\n'.join([*kept, *(f'{key}= {word}' for key, word in written.items())]) + '\n')
    with (folder / STDOUT).open('w') as stdout, contextlib.redirect_stdout(stdout):
        run(folder)
    return read_history((folder / LOG).read_text(), (folder / STDOUT).read_text())


def _words(value: Any) -> str:
    return ' '.join(map(str, value)) if isinstance(value, list | tuple) else str(value)
