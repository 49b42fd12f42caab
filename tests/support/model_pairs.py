"""Pairs whose exchange follows a simple law, as pairs, as a table in a file, and its mapping."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.kkr.elements import SYMBOLS

ROWS = ((22, 23, 24, 25, 26, 27, 28, 29), (41, 42, 43, 44, 45))
MOMENTS = {22: 0.8, 23: 2.6, 24: 3.8, 25: 4.4, 26: 3.4, 27: 2.1, 28: 0.9, 29: 0.0}
MOMENTS |= {41: 1.1, 42: 2.6, 43: 2.3, 44: 0.4, 45: 0.0}
VECTORS = ((4.0, 0.0, 0.0), (8.0, 0.0, 0.0), (4.0, 0.0, 6.0))
COLUMNS = ('Za', 'Zb', 'la', 'lb', 'x', 'y', 'z', 'J', 'Dx', 'Dy', 'Dz', 'ma', 'mb')

MAPPING = """
host: model crystal
convention: pairs-once
energy_unit: meV
length_unit: 2.0
columns: {z_i: Za, z_j: Zb, layer_i: la, layer_j: lb, x: x, y: y, z: z, j: J, dx: Dx, dy: Dy, dz: Dz,
  moment_i: ma, moment_j: mb}
"""


def law(a: int, b: int, distance: float) -> float:
    """J in meV: moments times a function of the filling of both d shells, which changes its sign, and of distance."""
    fillings = [z - (18 if z < 35 else 36) for z in (a, b)]
    phase = 0.35 * (sum(fillings) - 13.0) + 0.4 * distance
    return float(60.0 * MOMENTS[a] * MOMENTS[b] * np.cos(phase) / distance**3)


def model_pairs(noise: float = 0.0, seed: int = 0) -> Pairs:
    """All ordered pairs of elements in three geometries.

    :param noise: standard error of J relative to the product of the moments, at the smallest distance.
    """
    elements = [z for row in ROWS for z in row]
    z = np.array([(a, b) for _ in VECTORS for a in elements for b in elements])
    vectors = np.repeat(np.array(VECTORS), len(elements) ** 2, axis=0)
    distances = np.linalg.norm(vectors, axis=1)
    moments = np.vectorize(MOMENTS.__getitem__)(z).astype(float)
    j = np.array([law(int(a), int(b), r) for (a, b), r in zip(z, distances, strict=True)])
    j += noise * moments.prod(axis=1) * (4.0 / distances) ** 3 * np.random.default_rng(seed).normal(size=len(j))
    layers = np.column_stack([np.ones(len(z), dtype=int), np.where(vectors[:, 2] > 0, 2, 1)])
    return Pairs(z, vectors, layers, moments, j, np.zeros((len(z), 3)))


def rows_of(pairs: Pairs) -> list[list[float]]:
    """Rows of a table, lengths in units of 2 Å."""
    parts = [pairs.z, pairs.layers, pairs.vectors / 2.0, pairs.j[:, None], pairs.d, pairs.moments]
    return np.hstack(parts).tolist()


def write_table(path: Path, rows: list[list[float]]) -> Path:
    """Write rows in the columns that the mapping names."""
    with path.open('w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return path


def names(pairs: Pairs) -> list[tuple[str, str]]:
    """Symbols of both sites of each pair."""
    return [(SYMBOLS[a], SYMBOLS[b]) for a, b in pairs.z.tolist()]
