"""Monte Carlo of spin models: its speed, and the transition of the simple cubic lattice.

``python spin_monte_carlo.py speed`` prints updates per second and core at 4000 moments and 27,000 pairs;
``python spin_monte_carlo.py cubic`` the crossings of Binder's cumulants, to be compared with k_B T_c/J = 1.4429(1)
(K. Chen, A. M. Ferrenberg and D. P. Landau, Phys. Rev. B 48, 3249, 1993).
"""

import sys
import time
from itertools import combinations

import numpy as np

from aiida_mlkkr.spins import kernels
from aiida_mlkkr.spins.couplings import Bond, Couplings
from aiida_mlkkr.spins.dilute import Dopants, dilute_model
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


def speed() -> None:
    """Updates per second of processor time, the best of some trials."""
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
            print(f'{name:8}  {sweep.__name__:15}  {SWEEPS * MOMENTS / min(times):.2e} updates/s')


def simple_cubic(size: int) -> SpinModel:
    """Nearest neighbours with J = 1 meV."""
    lattice = HostLattice(np.eye(3), ('Mn',), np.zeros((1, 3)))
    couplings = Couplings.of_bonds(lattice, [Bond(('Mn', 'Mn'), np.zeros(3), np.eye(3)[0], np.eye(3))])
    return dilute_model(lattice, couplings, Dopants({'Mn': 1.0}, {'Mn': 1.0}, [0]), [size] * 3, seed=1)


def cubic(measurement: int = 12_000) -> None:
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
        cumulants[size] = Cumulant(REDUCED, found.values['binder'], found.errors['binder'])
        print(f'L = {size}: thermalised {found.measurements.thermalised.all()}, {time.perf_counter() - begin:.0f} s')
        print('   ', np.round(found.values['binder'], 4), '±', np.round(found.errors['binder'].max(), 4), flush=True)
    for small, large in combinations(SIZES, 2):
        print(f'crossing of L = {small} and {large}: k_B T_c/J = {crossing(cumulants[small], cumulants[large])}')


if __name__ == '__main__':
    {'speed': speed, 'cubic': cubic}[sys.argv[1]]()
