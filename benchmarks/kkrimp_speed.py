"""Time and memory of the embedded KKR impurity solver, side by side with JuKKR's KKRimp if its executable is given.

    python benchmarks/kkrimp_speed.py INPUT [--kkrimp kkrflex.exe] [--sites 13 28 55 60]

INPUT is a folder with KKRimp's input files, or an AiiDA archive, whose first calculation of Mn is taken (of the first
impurity if there is none). First table: the cluster as it is, CPU seconds per iteration and what they are spent on.
Second table: CPU seconds per iteration and peak memory against the number of sites, for clusters made of copies of the
given one side by side (without scattering between the copies; the cost does not depend on it).

Everything runs in processes of its own, on one core with one thread; CPU time is measured, so that other work on the
machine disturbs little.
"""

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

PARTS = {
    'solve_single_site': 'single sites',
    'onsite_blocks': 'Dyson equation',
    'valence_density': 'valence density',
    'solve_core': 'core states',
    'exchange_correlation': 'exchange-correlation',
}
"""Functions of :mod:`aiida_mlkkr.solver.scf` and what they do; the rest is electrostatics, energies and mixing."""

HOST_FILES = ('kkrflex_green', 'kkrflex_tmat', 'kkrflex_intercell_ref', 'kkrflex_intercell_cmoms')
INPUT_FILES = ('config.cfg', 'kkrflex_atominfo', 'potential', *HOST_FILES)

FAR_AWAY = 50.0
"""Distance between the copies of the cluster [alat]."""

TARGETS = {'seconds': 0.1, 'ratio': 0.36, 'memory': 500.0}
"""Of the 13-site cluster: seconds per iteration, or its ratio to JuKKR's; of all clusters: peak memory [MB]."""


@dataclass(frozen=True)
class Measurement:
    """Cost of one program on one input.

    :param seconds: CPU time per iteration; ``reading`` CPU time before the first one.
    :param parts: CPU time per iteration of the parts in :data:`PARTS`.
    :param memory: largest resident memory of the process [MB].
    """

    seconds: float
    reading: float
    parts: dict[str, float]
    memory: float


def work(folder: Path, iterations: int) -> Measurement:
    """Run some iterations in this process."""
    from aiida_mlkkr.solver import scf
    from aiida_mlkkr.solver.config import read_config
    from aiida_mlkkr.solver.problem import read_problem

    spent = dict.fromkeys(PARTS, 0.0)

    def timed(name: str) -> Any:
        function = getattr(scf, name)

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            begin = time.process_time()
            result = function(*args, **kwargs)
            spent[name] += time.process_time() - begin
            return result

        return call

    for name in PARTS:
        setattr(scf, name, timed(name))
    begin = time.process_time()
    config = replace(read_config(folder / 'config.cfg'), scfsteps=iterations + 1, qbound=0.0)
    problem = read_problem(folder, config)
    reading = time.process_time() - begin
    steps = []
    for _ in scf.iterate(problem, config):
        steps.append({'all': time.process_time(), **spent})
    # the first iteration compiles, or loads what is compiled
    means = {name: (steps[-1][name] - steps[0][name]) / iterations for name in steps[0]}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measurement(means.pop('all'), reading, means, memory)


def measure(folder: Path, iterations: int) -> Measurement:
    """Measure the embedded solver in a fresh process."""
    command = [sys.executable, __file__, '--worker', str(iterations), str(folder)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Measurement(**json.loads(answer.stdout))


def measure_jukkr(executable: Path, source: Path, folder: Path, iterations: int) -> Measurement:
    """Measure JuKKR: the difference between runs of 1 and of ``iterations`` + 1 iterations."""
    seconds, memory = [], 0.0
    for steps in (1, iterations + 1):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in INPUT_FILES:
            (folder / name).symlink_to((source / name).resolve())
        (folder / 'config.cfg').unlink()
        settings = (source / 'config.cfg').read_text() + f'\nSCFSTEPS= {steps}\nQBOUND= 0\n'
        (folder / 'config.cfg').write_text(settings)
        with (folder / 'out_kkrimp').open('w') as output:
            process = subprocess.Popen([executable], cwd=folder, stdout=output, stderr=subprocess.STDOUT)
            _, _, usage = os.wait4(process.pid, 0)
        if (folder / 'out_kkrimp').read_text().count('TOTAL ENERGY') != steps:
            raise RuntimeError(f'{executable} did not do {steps} iterations in {folder}')
        seconds.append(usage.ru_utime + usage.ru_stime)
        memory = max(memory, usage.ru_maxrss / 1024)
    per_iteration = (seconds[1] - seconds[0]) / iterations
    return Measurement(per_iteration, seconds[0] - per_iteration, {}, memory)


def copies(source: Path, folder: Path, sites: int, magnetic: bool) -> None:
    """Write the input of a cluster of ``sites`` sites made of copies of the cluster in ``source``.

    :param magnetic: make the host's spins differ (by 1e-6), so that nothing can be shared between them.
    """
    from aiida_mlkkr.kkr import kkrflex
    from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential, write_potential

    folder.mkdir()
    shutil.copy(source / 'config.cfg', folder)
    atoms = kkrflex.read_atominfo(source / 'kkrflex_atominfo')
    of_site = np.arange(sites) % atoms.natom
    shifts = FAR_AWAY * (np.arange(sites) // atoms.natom)[:, None] * np.array([1.0, 0.0, 0.0])
    cluster = kkrflex.AtomInfo(
        positions=atoms.positions[of_site] + shifts,
        z=atoms.z[of_site],
        virtual=atoms.virtual[of_site],
        removed=atoms.removed[of_site],
        lmax=atoms.lmax[of_site],
        serial=atoms.serial,
    )
    kkrflex.write_atominfo(cluster, folder / 'kkrflex_atominfo')
    potential = read_potential(source / 'potential')
    write_potential(ImpurityPotential(tuple(potential.sites[site] for site in of_site)), folder / 'potential')
    t_host = kkrflex.read_tmat(source / 'kkrflex_tmat')
    kkrflex.write_tmat(replace(t_host, values=t_host.values[of_site]), folder / 'kkrflex_tmat')
    reference = kkrflex.read_intercell_ref(source / 'kkrflex_intercell_ref')
    reference = replace(reference, coefficients=reference.coefficients[of_site])
    kkrflex.write_intercell_ref(reference, folder / 'kkrflex_intercell_ref')
    moments = kkrflex.read_intercell_cmoms(source / 'kkrflex_intercell_cmoms')
    moments = replace(moments, z_host=moments.z_host[of_site], moments=moments.moments[of_site])
    kkrflex.write_intercell_cmoms(moments, folder / 'kkrflex_intercell_cmoms')
    green = kkrflex.read_green(source / 'kkrflex_green')
    nspin, n_energies = green.values.shape[:2]
    values = np.zeros((nspin, n_energies, sites * green.lmsize, sites * green.lmsize), dtype=np.complex64)
    for begin in range(0, sites, atoms.natom):
        rows = slice(begin * green.lmsize, min(begin + atoms.natom, sites) * green.lmsize)
        size = rows.stop - rows.start
        values[:, :, rows, rows] = green.values[:, :, :size, :size]
    if magnetic:
        values[-1] *= 1 + 1e-6
    kkrflex.write_green(replace(green, values=values, natom=sites), folder / 'kkrflex_green')


def prepare(source: Path, folder: Path) -> Path:
    """Return a folder with the input: ``source`` itself, or a calculation of the archive."""
    if source.is_dir():
        return source
    from archived_runs import extract

    runs = extract(source, folder)
    return next((run for run in runs if 'Z=25' in run.name), runs[0]).stages[-1]


def passed(value: float, limit: float, text: str) -> str:
    """Colour the text by the limit."""
    return f'[{"green" if value <= limit else "red"}]{text}[/]'


def print_parts(ours: Measurement, jukkr: Measurement | None, console: Console) -> None:
    """Print what an iteration of the given cluster is spent on."""
    table = Table(title='The given cluster: CPU time per iteration')
    table.add_column('part')
    table.add_column('ms', justify='right')
    for name, words in PARTS.items():
        table.add_row(words, f'{1e3 * ours.parts[name]:.1f}')
    table.add_row('rest', f'{1e3 * (ours.seconds - sum(ours.parts.values())):.1f}', end_section=True)
    table.add_row('iteration', passed(ours.seconds, TARGETS['seconds'], f'{1e3 * ours.seconds:.1f}'))
    if jukkr is not None:
        ratio = ours.seconds / jukkr.seconds
        table.add_row("JuKKR's KKRimp", f'{1e3 * jukkr.seconds:.1f}')
        table.add_row('ratio', passed(ratio, TARGETS['ratio'], f'{ratio:.2f}'))
    console.print(table)


def print_sizes(rows: list[dict[str, float]], console: Console) -> None:
    """Print cost and memory against the number of sites."""
    table = Table(title='Copies of the cluster: CPU seconds per iteration, peak memory in MB')
    for name in rows[0]:
        table.add_column(name.replace('_', ' '), justify='right')
    for row in rows:
        cells = [
            f'{value:.3g}' if name.endswith(('seconds', 'reading')) else f'{value:.0f}' for name, value in row.items()
        ]
        index = list(row).index('memory')
        cells[index] = passed(row['memory'], TARGETS['memory'], cells[index])
        table.add_row(*cells)
    console.print(table)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('input', type=Path, help="folder with KKRimp's input, or AiiDA archive")
    parser.add_argument('--kkrimp', type=Path, metavar='EXE', help="executable of JuKKR's KKRimp to compare with")
    parser.add_argument('--iterations', type=int, default=8)
    parser.add_argument('--sites', type=int, nargs='*', default=[2, 13, 26, 39, 60], help='sizes of the second table')
    parser.add_argument('--magnetic-host', action='store_true', help='as for a host whose spins differ')
    parser.add_argument('--csv', type=Path, metavar='FOLDER', help='write kkrimp_parts.csv and kkrimp_sizes.csv here')
    parser.add_argument('--worker', type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(vars(work(options.input, options.worker))))
        return
    for threads in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ[threads] = '1'
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    console = Console()
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix='kkrimp-speed-') as name, console.status('measuring') as status:
        folder = Path(name)
        given = prepare(options.input, folder)
        ours = min((measure(given, options.iterations) for _ in range(2)), key=lambda one: one.seconds)
        jukkr = None
        if options.kkrimp:
            jukkr = measure_jukkr(options.kkrimp.resolve(), given, folder / 'jukkr', options.iterations)
        print_parts(ours, jukkr, console)
        for sites in options.sites:
            status.update(f'{sites} sites')
            made = folder / f'sites_{sites}'
            copies(given, made, sites, options.magnetic_host)
            one = measure(made, max(2, options.iterations // 4))
            row: dict[str, float] = {
                'sites': sites,
                'seconds': one.seconds,
                'reading': one.reading,
                'memory': one.memory,
            }
            if options.kkrimp:
                other = measure_jukkr(options.kkrimp.resolve(), made, folder / 'jukkr', 2)
                row |= {'jukkr_seconds': other.seconds, 'jukkr_reading': other.reading, 'jukkr_memory': other.memory}
            rows.append(row)
            shutil.rmtree(made)
    if rows:
        print_sizes(rows, console)
    if options.csv:
        options.csv.mkdir(parents=True, exist_ok=True)
        parts = {PARTS[name]: seconds for name, seconds in ours.parts.items()} | {'iteration': ours.seconds}
        parts |= {'JuKKR': jukkr.seconds} if jukkr is not None else {}
        write_csv(
            [{'part': part, 'ms': f'{1e3 * seconds:.1f}'} for part, seconds in parts.items()],
            options.csv / 'kkrimp_parts.csv',
        )
        if rows:
            write_csv(
                [{key: f'{value:.4g}' for key, value in row.items()} for row in rows], options.csv / 'kkrimp_sizes.csv'
            )


def write_csv(rows: list[dict[str, str]], path: Path) -> None:
    """Write a table as comma-separated values."""
    with path.open('w', newline='') as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


if __name__ == '__main__':
    main()
