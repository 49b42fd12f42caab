"""Impurity clusters whose potentials follow a simple law, so that what an emulator should predict is known."""

from __future__ import annotations

import numpy as np

from aiida_mlkkr.kkr.cluster import HostLattice
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.dataset import Host, ImpurityDataset, ImpurityRecord, PotentialKind

KIND = PotentialKind(False, 2, 2, 'scalar-relativistic', 'LDA-VWN', 'jukkr')
MESH = RadialMesh(a=0.025, b=4.4e-4, n=349)
CELL = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
_STEPS = (-0.5, 0.0, 0.5)
SITES = np.array(
    sorted(
        ([x, y, z] for x in _STEPS for y in _STEPS for z in _STEPS if abs(x) + abs(y) + abs(z) in (0.0, 1.0)),
        key=np.linalg.norm,
    )
)
"""An fcc site and its twelve neighbours."""


def host(z: float = 29.0, zero: float = 0.0, alat: float = 6.82) -> Host:
    """A host with one atom in the cell; ``zero`` moves the zero of its potential."""
    lattice = HostLattice(CELL, np.zeros((1, 3)), np.array([z]), alat=1.0)
    return Host(alat, 0.6 + zero, lattice, (MESH,), (40.0 * np.exp(-MESH.r) + zero,))


def moment_of(z: float) -> float:
    """A moment that rises and falls along the row, as Hund's rule has it; none for sp elements."""
    return max(0.0, 4.0 - 0.7 * abs(z - 25.0)) if 21 <= z <= 28 else 0.0


def law(z: float, z_host: float = 29.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Spin average and splitting that an impurity causes on its own site."""
    x = MESH.r / MESH.rmax
    d = (z - z_host) / 10.0
    return d * (0.2 + 0.1 * d) * np.cos(2.0 * x) + shift * d, 0.02 * moment_of(z) * (1.0 - x**2)


def law_around(z: float, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Spin average and splitting that an impurity causes on a site at a distance."""
    average, splitting = law(z)
    return 0.1 * np.exp(-distance) * average, 0.05 * np.exp(-distance) * splitting


def record(
    impurities: dict[int, float], of: Host | None = None, signs: dict[int, int] | None = None, source: str | None = None
) -> ImpurityRecord:
    """A cluster with impurities on some of its sites, by the law, sums of what each of them causes."""
    crystal = of or host()
    z = np.full(len(SITES), crystal.z[0])
    moments = np.zeros(len(SITES))
    for site, charge in impurities.items():
        z[site] = charge
        moments[site] = moment_of(charge) * (signs or {}).get(site, 1)
    reference = tuple(crystal.v[0] + 0.3 * (charge - crystal.z[0]) * np.exp(-2 * MESH.r) for charge in z)
    v = []
    for site, position in enumerate(SITES):
        average, splitting = reference[site].copy(), np.zeros(MESH.n)
        for other, charge in impurities.items():
            distance = float(np.linalg.norm(SITES[other] - position))
            parts = law(charge, crystal.z[0]) if other == site else law_around(charge, distance)
            average += parts[0]
            splitting += parts[1] * (signs or {}).get(other, 1)
        v.append(np.stack([average + splitting, average - splitting]))
    name = source or f'{crystal.name} {impurities} {signs}'
    return ImpurityRecord(name, crystal, SITES, np.ones(len(SITES), dtype=np.int64), z, tuple(v), reference, moments, z)


def row(of: Host | None = None, without: tuple[int, ...] = ()) -> ImpurityDataset:
    """Single impurities from Sc to As, host atom included."""
    return ImpurityDataset(
        KIND, tuple(record({0: float(z)}, of) for z in range(21, 34) if z not in without and z != 29)
    )
