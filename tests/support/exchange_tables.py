"""Pairs that follow the law of ``model_pairs`` as tables of dimers on the shells of a simple cubic crystal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from model_pairs import MOMENTS, law

from aiida_mlkkr.exchange.origins import Origins
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.kkr.elements import symbol

HOST = 'model crystal'
A = 4.0
SHELLS = ((A, 0.0, 0.0), (A, A, 0.0), (A, A, A))
ELEMENTS = (23, 24, 25, 26, 27)


def dimer_table(
    pairs: Sequence[tuple[int, int]],
    vectors: Sequence[Sequence[float]] = SHELLS,
    host: str = HOST,
    origins: Origins | None = None,
) -> ExchangeTable:
    """Every pair of nuclear charges at every vector, each with two sites of its own."""
    listed = [(a, b, np.array(vector)) for a, b in pairs for vector in vectors]
    j = np.array([law(a, b, float(np.linalg.norm(vector))) for a, b, vector in listed])
    return ExchangeTable(
        host=host,
        elements=tuple(symbol(z) for a, b, _ in listed for z in (a, b)),
        positions=np.array([place for _, _, vector in listed for place in (np.zeros(3), vector)]),
        moments=np.array([MOMENTS[z] for a, b, _ in listed for z in (a, b)]),
        pairs=np.arange(2 * len(listed)).reshape(-1, 2),
        tensors=j[:, None, None] * np.eye(3),
        method='a law',
        spread=np.zeros(len(listed)),
        origins=origins,
    )


def all_pairs(elements: Sequence[int] = ELEMENTS) -> list[tuple[int, int]]:
    """Each pair of elements once."""
    return [(a, b) for a in elements for b in elements if a <= b]
