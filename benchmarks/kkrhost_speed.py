"""Time and memory of mlkkr-kkrhost against the number of sites.

    python benchmarks/kkrhost_speed.py FOLDER [--sites 1 13 43 100] [--kmesh-large] [--csv benchmarks/results]

FOLDER holds the input of a write-out (inputcard, potential, scoef) of a host with one atom per cell. Its cluster is
replaced by the sites that are next to an atom. Everything runs in processes of its own, one after the other, with one
thread, after one that is not counted and leaves compiled code behind. CPU time is measured, which other work on the
machine disturbs least; the memory is the largest resident set of the process.
"""

import argparse
import csv
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from aiida_mlkkr.kkr.cluster import ImpurityCluster, write_scoef
from aiida_mlkkr.kkr.inputcard import InputCard
from aiida_mlkkr.kkr.potential import read_potential

FIRST_RADIUS = 1.1
"""Of the region that is searched for sites [alat]; doubled until there are enough."""


def lay_out(source: Path, folder: Path, sites: int, large: bool) -> None:
    """Write the input for so many sites; a single one needs double precision."""
    folder.mkdir()
    shutil.copy(source / 'potential', folder)
    card = source / 'inputcard'
    options = '<write_double_precision>= T\n' * (sites == 1) + '<set_kmesh_large>= T\n' * large
    (folder / 'inputcard').write_text(f'{options}{card.read_text()}')
    z = np.array([read_potential(source / 'potential').sites[0][0].z])
    lattice = InputCard.read(card).lattice(z)
    radius = FIRST_RADIUS
    while len(table := lattice.sites_within(radius)) < sites:
        radius *= 2
    write_scoef(ImpurityCluster.from_table(table[:sites]), folder / 'scoef')


def measure(folder: Path) -> dict[str, float]:
    """Run it."""
    threads = dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'NUMBA_NUM_THREADS'), '1')
    with (folder / 'out').open('w') as output:
        process = subprocess.Popen(['mlkkr-kkrhost'], cwd=folder, stdout=output, env={**os.environ, **threads})
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f'mlkkr-kkrhost failed in {folder}')
    return {
        'cpu_seconds': usage.ru_utime + usage.ru_stime,
        'memory_MB': usage.ru_maxrss / 1024,
        'kkrflex_green_MB': (folder / 'kkrflex_green').stat().st_size / 1e6,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('input', type=Path, help='folder with the input of a write-out')
    parser.add_argument('--sites', type=int, nargs='+', default=[1, 13, 43, 100])
    parser.add_argument('--kmesh-large', action='store_true', help='the finest k mesh at all energies')
    parser.add_argument('--csv', type=Path, metavar='FOLDER', help='write kkrhost_sizes.csv here')
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, sites in enumerate([arguments.sites[0], *arguments.sites]):
            folder = Path(scratch) / 'run'
            lay_out(arguments.input, folder, sites, arguments.kmesh_large)
            row = {'sites': float(sites), **measure(folder)}
            if number:
                rows.append(row)
            shutil.rmtree(folder)
    table = Table(title='mlkkr-kkrhost')
    for name in rows[0]:
        table.add_column(name.replace('_', ' '), justify='right')
    for row in rows:
        whole = ('sites', 'memory_MB')
        table.add_row(*(f'{value:.{0 if name in whole else 1}f}' for name, value in row.items()))
    Console().print(table)
    if arguments.csv:
        with (arguments.csv / 'kkrhost_sizes.csv').open('w', newline='') as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator='\n')
            writer.writeheader()
            writer.writerows({name: f'{value:.6g}' for name, value in row.items()} for row in rows)


if __name__ == '__main__':
    main()
