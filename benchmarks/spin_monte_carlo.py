"""Monte Carlo of spin models: its speed, how fast models are made, and the transition of the simple cubic lattice.

``python spin_monte_carlo.py speed`` prints updates per second and core at 4000 moments and 27,000 pairs, ``cores`` how
much faster ``mlkkr-monte-carlo`` is with two threads than with one (to be run where nothing else runs), ``models`` the
time in which 10,000 moments with 100,000 pairs are placed, and ``cubic`` the crossings of Binder's cumulants, to be
compared with k_B T_c/J = 1.4429(1) (K. Chen, A. M. Ferrenberg and D. P. Landau, Phys. Rev. B 48, 3249, 1993). A second
argument is the folder that rows are written to.
"""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from aiida_mlkkr.spins import kernels
from aiida_mlkkr.spins.couplings import Bond, Couplings
from aiida_mlkkr.spins.dilute import Dopants, dilute_model
from aiida_mlkkr.spins.files import write_model
from aiida_mlkkr.spins.graph import PairGraph
from aiida_mlkkr.spins.lattice import HostLattice
from aiida_mlkkr.spins.model import SpinModel
from aiida_mlkkr.spins.montecarlo import Simulation
from aiida_mlkkr.spins.observables import Measurements
from aiida_mlkkr.spins.schedule import Schedule
from aiida_mlkkr.spins.transition import Cumulant, crossing
from aiida_mlkkr.spins.units import BOLTZMANN

MOMENTS, PAIRS = 4000, 27_000
SWEEPS, TRIALS = 100, 5
SIZES = (8, 12, 16)
REDUCED = np.linspace(1.41, 1.47, 7)


def speed() -> list[Sequence[object]]:
    """Updates per second of processor time, the best of some trials."""
    rows: list[Sequence[object]] = [('couplings', 'sweep', 'updates_per_second_and_core')]
    rng = np.random.default_rng(1)
    pairs = np.unique(np.sort(rng.integers(0, MOMENTS, (PAIRS + 3000, 2)), axis=1), axis=0)
    pairs = rng.permutation(pairs[pairs[:, 0] != pairs[:, 1]])[:PAIRS]
    graph = PairGraph.of_pairs(MOMENTS, pairs, rng.normal(size=(PAIRS, 1, 1)) * np.eye(3))
    spins = rng.normal(size=(MOMENTS, 3))
    spins /= np.linalg.norm(spins, axis=1, keepdims=True)
    state = np.random.SeedSequence(1).generate_state(4, np.uint64)
    zeeman, nothing = np.zeros((MOMENTS, 3)), np.zeros((0, 3, 3))
    for name, couplings in (('scalar J', np.ascontiguousarray(graph.scalars)), ('tensors', graph.tensors)):
        for sweep in (kernels.heat_bath, kernels.over_relaxation, kernels.metropolis):
            arguments = (spins, graph.starts, graph.neighbours, couplings, zeeman, nothing, 1.0, state)
            sweep(*arguments)
            times = []
            for _ in range(TRIALS):
                begin = time.process_time()
                for _ in range(SWEEPS):
                    sweep(*arguments)
                times.append(time.process_time() - begin)
            rows.append((name, sweep.__name__, f'{SWEEPS * MOMENTS / min(times):.3g}'))
    return rows


def models() -> list[Sequence[object]]:
    """Seconds of processor time for 10,000 moments on a face-centred lattice with pairs on four shells."""
    rows: list[Sequence[object]] = [('moments', 'pairs', 'couplings_seconds', 'model_seconds')]
    lattice = HostLattice(1.805 * (np.ones((3, 3)) - np.eye(3)), ('Cu',), np.zeros((1, 3)))
    shells = 1.805 * np.array([[1.0, 1.0, 0.0], [2.0, 0.0, 0.0], [2.0, 1.0, 1.0], [2.0, 2.0, 0.0]])
    for _ in range(TRIALS):
        begin = time.process_time()
        bonds = [Bond(('Mn', 'Mn'), np.zeros(3), vector, np.eye(3)) for vector in shells]
        couplings = Couplings.of_bonds(lattice, bonds)
        between = time.process_time()
        model = dilute_model(lattice, couplings, Dopants({'Mn': 0.37}, {'Mn': 4.0}, [0]), [30] * 3, seed=1)
        graph = model.graph
        rows.append(
            (len(graph.starts) - 1, len(model.pairs), f'{between - begin:.2f}', f'{time.process_time() - between:.2f}')
        )
    return rows


def cores() -> list[Sequence[object]]:
    """Seconds of the whole program with one and with two threads, one after the other so that both see one machine."""
    rows: list[Sequence[object]] = [('one_thread_seconds', 'two_threads_seconds', 'ratio')]
    schedule = {'temperatures': (REDUCED / BOLTZMANN).tolist(), 'thermalisation': 100, 'measurement': 1500, 'seed': 1}
    with TemporaryDirectory() as folder:
        write_model(Path(folder, 'cubic.npz'), simple_cubic(12))

        def seconds(threads: int, **changes: int) -> float:
            order = {'schedule': schedule | changes, 'models': ['cubic.npz'], 'threads': threads}
            Path(folder, 'monte_carlo.json').write_text(json.dumps(order), encoding='utf-8')
            begin = time.perf_counter()
            subprocess.run(['mlkkr-monte-carlo'], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - begin

        seconds(1, measurement=64)  # compiles
        for _ in range(TRIALS):
            one, two = seconds(1), seconds(2)
            rows.append((f'{one:.2f}', f'{two:.2f}', f'{one / two:.2f}'))
    return rows


def simple_cubic(size: int) -> SpinModel:
    """Nearest neighbours with J = 1 meV."""
    lattice = HostLattice(np.eye(3), ('Mn',), np.zeros((1, 3)))
    couplings = Couplings.of_bonds(lattice, [Bond(('Mn', 'Mn'), np.zeros(3), np.eye(3)[0], np.eye(3))])
    return dilute_model(lattice, couplings, Dopants({'Mn': 1.0}, {'Mn': 1.0}, [0]), [size] * 3, seed=1)


def cubic(measurement: int = 12_000) -> list[Sequence[object]]:
    """Crossings of the cumulants of all pairs of sizes."""
    cumulants = {}
    for size in SIZES:
        begin = time.perf_counter()
        schedule = Schedule(
            temperatures=tuple(REDUCED / BOLTZMANN), thermalisation=1000, measurement=measurement, reflections=3, seed=1
        )
        simulation = Simulation(simple_cubic(size), schedule, threads=1)
        simulation.run()
        found = Measurements.of_simulation(simulation).observables()
        cumulants[size] = Cumulant(REDUCED, found.values['binder'], found.deviations['binder'])
        print(f'L = {size}: thermalised {found.measurements.thermalised.all()}, {time.perf_counter() - begin:.0f} s')
        print('   ', np.round(found.values['binder'], 4), '±', np.round(found.errors['binder'], 4), flush=True)
    rows: list[Sequence[object]] = [('small', 'large', 'crossing', 'error')]
    for small, large in combinations(SIZES, 2):
        crossed = crossing(cumulants[small], cumulants[large])
        rows.append((small, large, *(('', '') if crossed is None else (f'{number:.4f}' for number in crossed))))
    return rows


def main(what: str, folder: str | None = None) -> None:
    """Measure and print, and write the rows if there is a folder."""
    rows = {'speed': speed, 'cores': cores, 'models': models, 'cubic': cubic}[what]()
    for row in rows:
        print(*row, sep='  ')
    if folder is not None:
        with Path(folder, f'spin_{what}.csv').open('w', encoding='utf-8', newline='') as file:
            csv.writer(file, lineterminator='\n').writerows(rows)


if __name__ == '__main__':
    main(*sys.argv[1:])
