"""The embedded KKR impurity solver against JuKKR's KKRimp, on the calculations of AiiDA archives.

    python benchmarks/kkrimp_against_jukkr.py cu_fcc_asa.aiida ag_fcc_asa.aiida cu_fcc_asa_mn_pair.aiida

Three comparisons for each impurity, whose self-consistency JuKKR did in two stages (simple mixing in an initial field,
then Anderson mixing):

*first*      one iteration from JuKKR's input of each stage;
*as jukkr*   both stages from the archived start potential with JuKKR's settings, and with the initial field
             accumulating in the potential as in JuKKR's release build;
*field off*  from the archived start potential on another path: the initial field acts on the density only, as it
             should, and Anderson mixing takes over after five iterations (without the accumulated field the simple
             mixing of the archived first stages makes the charge of some impurities oscillate, with JuKKR too).

Exit status 1 if a deviation is beyond its limit.
"""

import argparse
import contextlib
import csv
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from archived_runs import HOST_FILES, ArchivedRun, extract
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from aiida_mlkkr.kkr.history import ScfHistory, read_history
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.solver.config import read_config
from aiida_mlkkr.solver.main import run

QUICK = re.compile(r'Z=(11|24|25|29|42|44|51) |pair')

NOISE = 1e-7
"""Errors of the spin part below this [Ry] are rounding: a non-magnetic cluster; they are not compared relatively."""


@dataclass(frozen=True)
class FirstIteration:
    """Largest deviations of one iteration from JuKKR's over all sites; charges in e, moments in µB, energies in Ry."""

    run: str
    stage: int
    charge: float
    moment: float
    error: float
    energy: float


@dataclass(frozen=True)
class Convergence:
    """Deviations of the converged solution; the total moment is JuKKR's [µB], the potential's in mRy."""

    run: str
    field: str
    jukkr_iterations: str
    iterations: str
    difference: float
    total_moment: float
    charge: float
    moment: float
    potential: float
    energy: float
    seconds: float


Row = FirstIteration | Convergence

LIMITS: dict[type[Row], dict[str, float]] = {
    FirstIteration: {'charge': 1e-5, 'moment': 1e-5, 'error': 1e-3, 'energy': 1e-6},
    Convergence: {'difference': 2.0, 'charge': 1e-4, 'moment': 1e-3, 'potential': 0.1},
}
"""Largest deviations that pass."""

Steps = list[tuple[Path, dict[str, str]]]
"""Input folder and changed settings of successive calculations."""


def history(folder: Path) -> ScfHistory:
    """Return the history of a KKRimp run from its output files."""
    return read_history((folder / 'out_log.000.txt').read_text(), (folder / 'out_kkrimp').read_text())


def calculate(stage: Path, folder: Path, potential: Path, **settings: str) -> ScfHistory:
    """Run the embedded solver on the input of ``stage`` in a new ``folder``, with another potential and settings."""
    folder.mkdir(parents=True)
    for name in ('kkrflex_atominfo', 'kkrflex_llyfac', *HOST_FILES):
        if (stage / name).is_file():
            (folder / name).symlink_to((stage / name).resolve())
    (folder / 'potential').symlink_to(potential.resolve())
    lines = (stage / 'config.cfg').read_text().splitlines()
    kept = [line for line in lines if line.partition('=')[0].strip().upper() not in settings]
    changed = [f'{key}= {value}' for key, value in settings.items()]
    (folder / 'config.cfg').write_text('\n'.join([*kept, *changed]) + '\n')
    with (folder / 'out_kkrimp').open('w') as stdout, contextlib.redirect_stdout(stdout):
        run(folder)
    return history(folder)


def relative(ours: float, theirs: float) -> float:
    """Return |ours/theirs − 1|, 0 where both are rounding."""
    return 0.0 if max(ours, theirs) < NOISE else abs(ours / theirs - 1)


def first_iterations(archived: ArchivedRun, folder: Path) -> list[Row]:
    """Compare the first iteration of each stage: the input of a later one is not in the archive."""
    rows: list[Row] = []
    for number, stage in enumerate(archived.stages, start=1):
        theirs = history(stage / 'jukkr')
        settings = {'SCFSTEPS': '1', 'TESTFLAG': 'accumulate_hfield'}
        ours = calculate(stage, folder / str(number), stage / 'potential', **settings)
        rows.append(
            FirstIteration(
                run=archived.name,
                stage=number,
                charge=float(np.abs(ours.charge[0] - theirs.charge[0]).max()),
                moment=float(np.abs(ours.spin_moment[0] - theirs.spin_moment[0]).max()),
                error=max(
                    relative(ours.rms_charge[0], theirs.rms_charge[0]), relative(ours.rms_spin[0], theirs.rms_spin[0])
                ),
                energy=abs(ours.total_energy[0] - theirs.total_energy[0]),
            )
        )
    return rows


def potential_difference(ours: ImpurityPotential, theirs: ImpurityPotential) -> float:
    """Return the root of ∫ΔV² r² dr / ∫ r² dr over all sites and spins [Ry]."""
    square, volume = 0.0, 0.0
    for our_site, their_site in zip(ours.sites, theirs.sites, strict=True):
        for our_block, their_block in zip(our_site, their_site, strict=True):
            weights = their_block.mesh.r**2 * their_block.mesh.drdi
            square += float(weights @ (our_block.v - their_block.v) ** 2)
            volume += float(weights.sum())
    return float(np.sqrt(square / volume))


def convergence(archived: ArchivedRun, folder: Path, field: str) -> list[Row]:
    """Converge from the archived start potential and compare the solutions; ``field`` is one of :data:`PATHS`."""
    begin = time.process_time()
    theirs = [history(stage / 'jukkr') for stage in archived.stages]
    potential = archived.stages[0] / 'potential'
    ours = []
    for number, (stage, settings) in enumerate(PATHS[field](archived), start=1):
        ours.append(calculate(stage, folder / str(number), potential, **settings))
        potential = folder / str(number) / 'out_potential'
    difference = 0
    if field == AS_JUKKR:
        difference = max(abs(a.iteration.size - b.iteration.size) for a, b in zip(ours, theirs, strict=True))
    our_potential, their_potential = (
        read_potential(potential),
        read_potential(archived.stages[-1] / 'jukkr' / 'out_potential'),
    )
    moments, their_moments = ours[-1].spin_moment[-1].sum(), theirs[-1].spin_moment[-1].sum()
    if moments * their_moments < 0:
        # the solution with all moments reversed is as good, and which one is found is a matter of chance
        our_potential = ImpurityPotential(tuple(site[::-1] for site in our_potential.sites))
        moments = -moments
    return [
        Convergence(
            run=archived.name,
            field=field,
            jukkr_iterations=' + '.join(str(stage.iteration.size) for stage in theirs),
            iterations=' + '.join(str(stage.iteration.size) for stage in ours),
            difference=float(difference),
            total_moment=float(their_moments),
            charge=float(np.abs(ours[-1].charge[-1] - theirs[-1].charge[-1]).max()),
            moment=float(abs(moments - their_moments)),
            potential=1e3 * potential_difference(our_potential, their_potential),
            energy=abs(ours[-1].total_energy[-1] - theirs[-1].total_energy[-1]),
            seconds=time.process_time() - begin,
        )
    ]


def archived_path(archived: ArchivedRun) -> Steps:
    """Return the stages of the archive, with the initial field accumulating."""
    return [(stage, {'TESTFLAG': 'accumulate_hfield'}) for stage in archived.stages]


def direct_path(archived: ArchivedRun) -> Steps:
    """Return the last stage alone, in the initial field of the first one, Anderson mixing from the sixth iteration on.

    Converged further than the archive, as at its criterion moments of nearly magnetic impurities are known to 1e-3 µB.
    """
    config = read_config(archived.stages[0] / 'config.cfg')
    field = f'{config.hfield} {config.hfield_iterations}'
    return [(archived.stages[-1], {'HFIELD': field, 'NSIMPLEMIXFIRST': '5', 'SCFSTEPS': '200', 'QBOUND': '1e-8'})]


AS_JUKKR = 'as jukkr'
PATHS: dict[str, Callable[[ArchivedRun], Steps]] = {AS_JUKKR: archived_path, 'field off': direct_path}


def compare(archived: ArchivedRun, what: str, folder: Path) -> list[Row]:
    """Do one of the comparisons and remove its files."""
    folder = folder / f'{archived.name} {what}'.replace(' ', '_').replace('/', '_')
    try:
        return first_iterations(archived, folder) if what == 'first' else convergence(archived, folder, what)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def all_comparisons(
    runs: list[ArchivedRun], kinds: list[str], processes: int, folder: Path, report: Callable[[list[Row]], None]
) -> None:
    """Do the comparisons in ``processes`` processes; ``report`` gets the rows as they come."""
    with ProcessPoolExecutor(processes, mp_context=get_context('spawn')) as pool:
        tasks = [pool.submit(compare, archived, what, folder) for what in kinds for archived in runs]
        for task in as_completed(tasks):
            report(task.result())


def print_table(rows: list[Row], title: str, console: Console) -> bool:
    """Print the rows and their worst values; return whether all are within the limits."""
    names = [field.name for field in fields(rows[0])]
    limits = LIMITS[type(rows[0])]
    table = Table(title=title, show_footer=True)
    within = True
    for name in names:
        footer = 'worst (limit)' if name == 'run' else ''
        if name in limits:
            worst = max(getattr(row, name) for row in rows)
            passed = worst <= limits[name]
            within &= passed
            footer = f'[{"green" if passed else "red"}]{worst:.2g} ({limits[name]:g})'
        table.add_column(name.replace('_', ' '), footer, justify='left' if name in ('run', 'field') else 'right')
    for row in rows:
        table.add_row(*(_cell(name, value, limits) for name, value in asdict(row).items()))
    console.print(table)
    return within


def _cell(name: str, value: str | float, limits: dict[str, float]) -> str:
    if isinstance(value, (str, int)):
        return str(value)
    if name in ('seconds', 'difference', 'total_moment'):
        text = f'{value:.4f}' if name == 'total_moment' else f'{value:.0f}'
    else:
        text = f'{value:.1e}'
    return text if value <= limits.get(name, np.inf) else f'[red]{text}[/red]'


def write_csv(rows: list[Row], path: Path) -> None:
    """Write the rows as comma-separated values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(rows[0])], lineterminator='\n')
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _plain(value) for key, value in asdict(row).items()})


def _plain(value: str | float) -> str:
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def sort_key(row: Row) -> tuple[str, int]:
    """Sort by archive and nuclear charge."""
    found = re.search(r'Z=(\d+)', row.run)
    return row.run.partition(':')[0], int(found[1]) if found else 0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'archives', nargs='+', type=Path, metavar='ARCHIVE', help='AiiDA archive with kkr_imp_wc workflows'
    )
    parser.add_argument('--quick', action='store_true', help='a few impurities only')
    parser.add_argument('--only', type=re.compile, metavar='REGEX', help='impurities whose name matches')
    parser.add_argument('--what', nargs='+', choices=('first', *PATHS), default=('first', *PATHS))
    parser.add_argument('--processes', type=int, default=1)
    parser.add_argument(
        '--csv', type=Path, metavar='FOLDER', help='write first_iterations.csv and convergence.csv here'
    )
    options = parser.parse_args()
    for threads in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        os.environ[threads] = '1'  # for the processes that do the work
    console = Console()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix='against-jukkr-') as name:
        folder = Path(name)
        with console.status('reading the archives'):
            runs = [archived for archive in options.archives for archived in extract(archive, folder)]
        chosen = options.only or (QUICK if options.quick else re.compile(''))
        runs = [archived for archived in runs if chosen.search(archived.name)]
        if not runs:
            parser.error('no calculation matches')
        with Progress(console=console) as progress:
            bar = progress.add_task('comparisons', total=len(runs) * len(options.what))

            def report(new: Iterable[Row]) -> None:
                rows.extend(new)
                progress.advance(bar)

            all_comparisons(runs, options.what, options.processes, folder, report)
    rows.sort(key=sort_key)
    within = True
    for kind, title, file in (
        (FirstIteration, "One iteration from JuKKR's input", 'first_iterations.csv'),
        (Convergence, 'Converged from the archived start', 'convergence.csv'),
    ):
        of_kind = [row for row in rows if isinstance(row, kind)]
        if of_kind:
            within &= print_table(of_kind, title, console)
            if options.csv:
                write_csv(of_kind, options.csv / file)
    console.print('all within the limits' if within else '[red]deviations beyond the limits')
    sys.exit(0 if within else 1)


if __name__ == '__main__':
    main()
