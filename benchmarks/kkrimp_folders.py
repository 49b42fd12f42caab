"""The embedded KKR impurity solver against runs of JuKKR's KKRimp that lie in folders, with input and output files.

    python benchmarks/kkrimp_folders.py FOLDER...

For the settings that no archived calculation has: NSPIN= 1, clusters of one and of many sites, lmax 3 and mixed lmax,
heavy elements, different radial meshes, removed and virtual sites, other mixing and functionals. Each input is run with
the same settings; if JuKKR did not take the initial field off again (its release build), neither do we. Exit status 1
if a deviation is beyond its limit.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from kkrimp_against_jukkr import LIMITS, calculate, history, potential_difference, print_table, relative, write_csv
from rich.console import Console

from aiida_mlkkr.kkr.potential import read_potential
from aiida_mlkkr.solver.config import read_config


@dataclass(frozen=True)
class FolderRun:
    """Deviations from a run in a folder, in e, µB, Ry and (the last potential) mRy.

    Charge, moment, error and energy are those of the first iteration; the last ones are of the last iteration.
    """

    run: str
    sites: int
    jukkr_iterations: int
    iterations: int
    charge: float
    moment: float
    error: float
    energy: float
    last_charge: float
    last_moment: float
    last_energy: float
    potential: float


LIMITS[FolderRun] = {
    'charge': 1e-5,
    'moment': 1e-5,
    'error': 1e-3,
    'energy': 1e-6,
    'last_charge': 1e-4,
    'last_moment': 1e-3,
    'potential': 0.1,
}


def compare(folder: Path, scratch: Path) -> FolderRun:
    """Run the input in ``folder`` and compare with the output in it."""
    theirs = history(folder)
    flags = set(read_config(folder / 'config.cfg').test_flags)
    if 'shifted back by' not in (folder / 'out_kkrimp').read_text(errors='replace'):
        flags.add('accumulate_hfield')
    made = scratch / folder.name
    ours = calculate(folder, made, folder / 'potential', TESTFLAG=' '.join(sorted(flags)))
    potentials = [read_potential(where / 'out_potential') for where in (made, folder)]
    return FolderRun(
        run=folder.name,
        sites=theirs.charge.shape[1],
        jukkr_iterations=theirs.iteration.size,
        iterations=ours.iteration.size,
        charge=float(np.abs(ours.charge[0] - theirs.charge[0]).max()),
        moment=float(np.abs(ours.spin_moment[0] - theirs.spin_moment[0]).max()),
        error=max(relative(ours.rms_charge[0], theirs.rms_charge[0]), relative(ours.rms_spin[0], theirs.rms_spin[0])),
        energy=abs(ours.total_energy[0] - theirs.total_energy[0]),
        last_charge=float(np.abs(ours.charge[-1] - theirs.charge[-1]).max()),
        last_moment=abs(float(ours.spin_moment[-1].sum() - theirs.spin_moment[-1].sum())),
        last_energy=abs(ours.total_energy[-1] - theirs.total_energy[-1]),
        potential=1e3 * potential_difference(*potentials),
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folders', nargs='+', type=Path, metavar='FOLDER')
    parser.add_argument('--csv', type=Path, metavar='FILE', help='write the table here')
    options = parser.parse_args()
    for threads in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'):
        os.environ[threads] = '1'  # for the process that does the work
    console = Console()
    with tempfile.TemporaryDirectory(prefix='kkrimp-folders-') as name, console.status('running') as status:
        rows = []
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
            for folder in options.folders:
                status.update(folder.name)
                rows.append(pool.submit(compare, folder, Path(name)).result())
    within = print_table(rows, 'Deviations from runs in folders', console)
    if options.csv:
        write_csv(rows, options.csv)
    console.print('all within the limits' if within else '[red]deviations beyond the limits')
    sys.exit(0 if within else 1)


if __name__ == '__main__':
    main()
