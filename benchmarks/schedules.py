"""Iterations of impurity self-consistencies: start potentials against each other, with both mixing schedules.

    python benchmarks/schedules.py cu_fcc_asa.aiida ag_fcc_asa.aiida --csv benchmarks/results/schedules.csv

Starts: the archive's own (by the voronoi code); the same without initial field where the impurity ends without moment,
as for somebody who knows that; the standard start from free atoms, with the moments of Hund's rule; an emulator trained
on all other impurities of the archives; one trained on those of other elements only. The schedules are those of
``aiida_mlkkr/workflows/protocols/schedules.yaml``, failures are handled as ``mlkkr.kkrimp.base`` handles the first of
them: simple mixing that makes no progress gives way to Anderson mixing.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from archived_runs import ArchivedRun, extract
from kkrimp_against_jukkr import calculate, write_csv
from rich.console import Console
from rich.progress import track
from rich.table import Table

from aiida_mlkkr.calculations.records import (
    PotentialKind,
    Writeout,
    predicted_potential,
    read_writeout,
    record_of_run,
)
from aiida_mlkkr.kkr.cures import Cures
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.history import ScfHistory, is_beyond_simple_mixing
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential, write_potential
from aiida_mlkkr.kkr.run import read_run
from aiida_mlkkr.kkr.schedule import Schedule, schedule_values
from aiida_mlkkr.ml.dataset import ImpurityDataset, ImpurityRecord
from aiida_mlkkr.ml.emulator import PotentialEmulator
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.solver.core import CoreStateError
from aiida_mlkkr.solver.errors import SolverError
from aiida_mlkkr.solver.start import free_moment, host_of_cluster, standard_start
from aiida_mlkkr.workflows.protocols import protocol_inputs, read_protocols

ARCHIVED, NO_FIELD, ATOMS, EMULATOR, UNSEEN = 'archived', 'archived, no field', 'free atoms', 'emulator', 'new element'
STARTS = (ARCHIVED, NO_FIELD, ATOMS, EMULATOR, UNSEEN)
CONVERGENCE = 1e-6
MOST_ITERATIONS = 300
SAME_MOMENT = 1e-3
SAME_CHARGE = 1e-3
"""Per site (e): a false solution without moment differs from a true one in its charges only."""
NO_MOMENT = 0.1


@dataclass(frozen=True)
class Impurity:
    """A finished impurity of an archive.

    :param z: its nuclear charge.
    :param moment: total spin moment of the archived solution in µB.
    """

    run: ArchivedRun
    writeout: Writeout
    kind: PotentialKind
    record: ImpurityRecord
    z: float
    moment: float

    @property
    def info(self) -> dict[str, Any]:
        """Its ``impurity_info``, as far as it is needed."""
        return {'Zimp': [self.z]}


@dataclass(frozen=True)
class Row:
    """One self-consistency; ``iterations`` is 0 where it failed, ``problem`` says how.

    :param moment_error: of the total moment in µB.
    :param charge_error: largest one of a site, in e.
    """

    host: str
    element: str
    magnetic: bool
    start: str
    schedule: str
    iterations: int
    moment_error: float
    charge_error: float
    problem: str


def impurities_of(runs: Iterable[ArchivedRun]) -> Iterator[Impurity]:
    """The impurities of the archives that models may learn from; the others are named on the console."""
    writeouts: dict[Path, Writeout] = {}
    for run in runs:
        found = re.search(r'Z=(\d+)', run.name)
        if not found:
            continue
        z = float(found[1])
        host = (run.stages[-1] / 'kkrflex_green').resolve().parent
        writeout = writeouts.setdefault(host, read_writeout(host))
        jukkr = run.stages[-1] / 'jukkr'
        files = {path.name: path.read_text(errors='replace') for path in jukkr.iterdir()}
        files['config.cfg'] = (run.stages[-1] / 'config.cfg').read_text()
        files['kkrflex_atominfo'] = (run.stages[-1] / 'kkrflex_atominfo').read_text()
        try:
            kind, record = record_of_run(run.name, writeout, {'Zimp': [z]}, read_run(files))
        except DatasetError as error:
            Console().print(f'{run.name} is left out: {error}')
            continue
        yield Impurity(run, writeout, kind, record, z, float(record.moments.sum()))


def start_potential(
    start: str, impurity: Impurity, all_of_them: list[Impurity]
) -> tuple[ImpurityPotential, bool, list[float] | None]:
    """A start potential, whether its maker knows the magnetic state, and the moments asked for.

    :raises ModelError: the emulator does not know the element.
    """
    if start in (ARCHIVED, NO_FIELD):
        text = (impurity.run.stages[0] / 'potential').read_text()
        return read_potential(io.StringIO(text)), False, [0.0] if start == NO_FIELD else None
    writeout = impurity.writeout
    if start == ATOMS:
        cluster = writeout.with_impurities(impurity.info)
        sites = host_of_cluster(writeout.potential, cluster.layer)
        moments = [free_moment(int(impurity.z)), *[0.0] * (cluster.natom - 1)]
        return standard_start(cluster.z, writeout.lmax, sites, writeout.contour_bottom, moments), True, None
    left = [
        other.record
        for other in all_of_them
        if (other.z != impurity.z if start == UNSEEN else other.run.name != impurity.run.name)
    ]
    emulator = PotentialEmulator.fit(ImpurityDataset(impurity.kind, tuple(left)))
    return predicted_potential(emulator, writeout, impurity.info)[0], True, None


def converge(
    impurity: Impurity, potential: ImpurityPotential, schedule: Schedule, field: Any, folder: Path
) -> tuple[int, ScfHistory]:
    """Iterations of a self-consistency and its last calculation."""
    cures = Cures.from_values(protocol_inputs('kkrimp_base')['cures'], {})
    total, calculation = 0, 0
    current = folder / 'start'
    folder.mkdir(parents=True)
    with current.open('w') as stream:
        write_potential(potential, stream)
    for stage in range(len(schedule.stages)):
        settings = schedule.settings(stage, field)
        errors: list[float] = []
        while True:
            calculation += 1
            done = folder / str(calculation)
            written = {
                key: ' '.join(map(str, value)) if isinstance(value, list) else str(value)
                for key, value in settings.items()
            }
            history = calculate(impurity.run.stages[-1], done, current, TESTFLAG='accumulate_hfield', **written)
            current = done / 'out_potential'
            total += history.niter
            errors += history.error.tolist()
            if history.converged:
                break
            if total >= MOST_ITERATIONS or not np.isfinite(errors[-1]):
                return total, history
            settings = {**settings, 'HFIELD': [0.0, 0]}
            if settings['IMIX'] < 3 and is_beyond_simple_mixing(np.array(errors), settings['MIXFAC']):
                settings, errors = cures.other_mixing(settings), []
    return total, history


def measure(impurity: Impurity, start: str, schedule: Schedule, all_of_them: list[Impurity], folder: Path) -> Row:
    """One self-consistency."""
    iterations, problem = 0, ''
    moment_error = charge_error = float('nan')
    try:
        potential, known, asked = start_potential(start, impurity, all_of_them)
        number, last = converge(impurity, potential, schedule, schedule.field(known, asked), folder)
        moment_error = abs(float(last.spin_moment[-1].sum()) - impurity.moment)
        charge_error = float(np.abs(last.charge[-1] - impurity.record.charges).max())
        if not last.converged:
            problem = 'not converged'
        elif moment_error > SAME_MOMENT or charge_error > SAME_CHARGE:
            problem = 'another solution'
        else:
            iterations = number
    except (ModelError, SolverError, CoreStateError, ValueError) as error:
        problem = f'{type(error).__name__}: {str(error)[:80]}'
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    host = impurity.run.name.partition('_')[0]
    return Row(
        host, symbol(impurity.z), abs(impurity.moment) > NO_MOMENT, start, schedule.name, iterations,
        moment_error, charge_error, problem,
    )  # fmt: skip


def print_summary(rows: list[Row], console: Console) -> None:
    """Medians of the iterations and of the savings against the archived start; a failure saves nothing."""
    archived = {(row.host, row.element, row.schedule): row.iterations for row in rows if row.start == ARCHIVED}
    table = Table('schedule', 'impurities', 'start', 'number', 'failed', 'median iterations', 'median saving', 'worse')
    for schedule in dict.fromkeys(row.schedule for row in rows):
        for magnetic in (True, False):
            for start in dict.fromkeys(row.start for row in rows):
                group = [row for row in rows if (row.schedule, row.magnetic, row.start) == (schedule, magnetic, start)]
                good = [row.iterations for row in group if row.iterations]
                pairs = [(row.iterations, archived.get((row.host, row.element, schedule), 0)) for row in group]
                savings = [1 - ours / theirs if ours else 0.0 for ours, theirs in pairs if theirs]
                if group:
                    table.add_row(
                        schedule, 'magnetic' if magnetic else 'non-magnetic', start, str(len(group)),
                        str(len(group) - len(good)), f'{median(good):.1f}' if good else '-',
                        f'{median(savings):.0%}' if savings else '-', str(sum(saving < 0 for saving in savings)),
                    )  # fmt: skip
    console.print(table)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('archives', nargs='+', type=Path, metavar='ARCHIVE', help='archives with kkr_imp_wc workchains')
    parser.add_argument('--starts', nargs='+', choices=STARTS, default=STARTS)
    parser.add_argument('--only', type=re.compile, default=re.compile(''), metavar='REGEX', help='names that match')
    parser.add_argument('--csv', type=Path, metavar='FILE', help='write the table here')
    options = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    definitions = read_protocols('schedules')
    schedules = [Schedule.from_values(schedule_values(definitions, name, CONVERGENCE)) for name in definitions]
    console = Console()
    with tempfile.TemporaryDirectory(prefix='schedules-') as name:
        folder = Path(name)
        runs = [run for archive in options.archives for run in extract(archive, folder)]
        everything = list(impurities_of(runs))
        tasks = [
            (impurity, start, schedule)
            for impurity in everything
            if options.only.search(impurity.run.name)
            for start in options.starts
            if start != NO_FIELD or abs(impurity.moment) < NO_MOMENT
            for schedule in schedules
        ]
        rows = []
        for impurity, start, schedule in track(tasks, 'self-consistencies', console=console):
            rows.append(measure(impurity, start, schedule, everything, folder / 'work'))
            if options.csv:
                write_csv(rows, options.csv)
    print_summary(rows, console)


if __name__ == '__main__':
    main()
