"""CPU time and memory of emulators on a synthetic dataset: pairs of impurities in two hosts, by a smooth law.

    python benchmarks/synthetic_emulator.py --number 10000 --models jacobi_legendre kernel

Each model is trained in a process of its own, whose peak memory is that of Python, dataset and training together.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from rich.console import Console
from rich.table import Table

from aiida_mlkkr.kkr.cluster import HostLattice
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.dataset import Host, ImpurityDataset, ImpurityRecord, PotentialKind
from aiida_mlkkr.ml.elements import element_features
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
from aiida_mlkkr.ml.metrics import rms

KIND = PotentialKind(False, 2, 2, 'scalar-relativistic', 'LDA-VWN', 'jukkr')
MESH = RadialMesh(a=0.025, b=4.4e-4, n=349)
CELL = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
PLACES = (np.array([0.5, 0.5, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([1.0, 0.5, 0.5]))
ELEMENTS = tuple(z for z in range(3, 84) if z not in (29, 47) and not 57 <= z <= 70)
TEST = 100


@dataclass(frozen=True)
class Result:
    """What one model takes; CPU times in s, memory in MB, errors in mRy."""

    model: str
    number: int
    building: float
    training: float
    prediction: float
    error: float
    spread: float
    memory: float


def host(z: float, alat: float) -> Host:
    """An fcc crystal."""
    return Host(
        alat, 0.6, HostLattice(CELL, np.zeros((1, 3)), np.array([z]), alat=1.0), (MESH,), (40.0 * np.exp(-MESH.r),)
    )


def law(z: int, crystal: Host, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Spin average and splitting that an impurity causes at a distance (0: on its own site)."""
    period, group, sp, _, f = element_features(z) - element_features(int(crystal.z[0]))
    x, decay = MESH.r / MESH.rmax, np.exp(-2.0 * distance)
    average = decay * (0.02 * group * np.cos(2 * x) + 0.03 * period * (1 - x) + 0.01 * (sp + f) * x**2)
    moment = 4.0 * np.exp(-(((element_features(z)[3] - 5.0) / 2.0) ** 2)) if element_features(z)[3] else 0.0
    return average, decay * 0.02 * moment * (1.0 - x**2)


def record(crystal: Host, place: np.ndarray, z: tuple[int, int]) -> ImpurityRecord:
    """Two impurities."""
    positions, distance = np.array([np.zeros(3), place]), float(np.linalg.norm(place))
    v, moments = [], []
    for own, other in (z, z[::-1]):
        parts = [law(own, crystal, 0.0), law(other, crystal, distance)]
        average, splitting = (sum(part) for part in zip(*parts, strict=True))
        v.append(np.stack([crystal.v[0] + average + splitting, crystal.v[0] + average - splitting]))
        moments.append(50.0 * parts[0][1][0])
    charges = np.array(z, dtype=np.float64)
    source = f'{crystal.name} {z} {place}'
    reference = (crystal.v[0], crystal.v[0])
    return ImpurityRecord(
        source, crystal, positions, np.ones(2, dtype=np.int64), charges, tuple(v), reference, np.array(moments), charges
    )


def records(number: int) -> Iterator[ImpurityRecord]:
    """Different pairs, in an order without system."""
    hosts = (host(29.0, 6.82), host(47.0, 7.72))
    everything = list(itertools.product(hosts, PLACES, itertools.combinations_with_replacement(ELEMENTS, 2)))
    if number > len(everything):
        raise SystemExit(f'there are {len(everything)} different pairs')
    for choice in np.random.default_rng(0).permutation(len(everything))[:number]:
        yield record(*everything[choice])


def measure(model: str, number: int) -> Result:
    """Build, train, predict what was left out."""
    begin = time.process_time()
    everything = list(records(number + TEST))
    train, test = everything[:number], everything[number:]
    dataset = ImpurityDataset(KIND, tuple(train))
    built = time.process_time()
    emulator = PotentialEmulator.fit(dataset, EmulatorSettings(model=model))
    trained = time.process_time()
    errors, spread = [], []
    for one in test:
        prediction = emulator.predict(KIND, one.host, one.positions, one.layer, one.z, one.reference)
        errors.append(rms(MESH, np.array(prediction.v) - np.array(one.v)))
        spread.append(rms(MESH, np.array(one.v) - np.array(one.reference)[:, None]))
    predicted = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Result(
        model, number, built - begin, trained - built, (predicted - trained) / len(test),
        1e3 * float(np.median(errors)), 1e3 * float(np.median(spread)), memory,
    )  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--number', type=int, default=10000, help='impurity clusters (default: 10000)')
    parser.add_argument('--models', nargs='+', default=['jacobi_legendre', 'kernel'])
    options = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = '1'
    table = Table(
        'model', 'clusters', 'building (s)', 'training (s)', 'prediction (ms)', 'error (mRy)', 'of', 'peak (MB)'
    )
    for model in options.models:
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
            found = pool.submit(measure, model, options.number).result()
        table.add_row(
            found.model, str(found.number), f'{found.building:.1f}', f'{found.training:.1f}',
            f'{1e3 * found.prediction:.0f}', f'{found.error:.2g}', f'{found.spread:.3g}', f'{found.memory:.0f}',
        )  # fmt: skip
    Console(width=110).print(table)


if __name__ == '__main__':
    main()
