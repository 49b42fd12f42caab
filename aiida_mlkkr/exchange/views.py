"""A table of pairs as its pictures want it: by elements, by distance, a choice of pairs."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import SYMBOLS

from .errors import ExchangeError
from .table import ExchangeTable
from .tensors import isotropic

FloatArray = NDArray[np.float64]
Pair = tuple[str, str]

_SAME_DISTANCE = 2
"""Decimals of a distance in Å by which shells are told apart."""


def element_pairs(table: ExchangeTable) -> list[Pair]:
    """The elements of each pair, the lighter one first."""
    named = ((table.elements[i], table.elements[j]) for i, j in table.pairs.tolist())
    return [(a, b) if SYMBOLS.index(a) <= SYMBOLS.index(b) else (b, a) for a, b in named]


def chosen(table: ExchangeTable, wanted: Collection[Pair]) -> ExchangeTable:
    """The pairs of these elements, in whatever order they are named.

    :raises ExchangeError: there are none of one of them.
    """
    there = element_pairs(table)
    missing = [pair for pair in wanted if pair not in there and pair[::-1] not in there]
    if missing:
        raise ExchangeError(f'there is no pair {", ".join("-".join(pair) for pair in missing)} among these')
    return table.subset(np.array([pair in wanted or pair[::-1] in wanted for pair in there]))


def closest(table: ExchangeTable, shells: int) -> ExchangeTable:
    """The pairs on the first shells."""
    steps = np.round(table.distances, _SAME_DISTANCE)
    return table.subset(np.isin(steps, np.unique(steps)[:shells]))


def strongly_biquadratic(table: ExchangeTable) -> ExchangeTable:
    """The pairs whose B is more than half of their J: J alone describes their angle badly."""
    if table.biquadratic is None:
        return table.subset(np.zeros(len(table.pairs), dtype=bool))
    return table.subset(np.abs(table.biquadratic) > 0.5 * np.abs(isotropic(table.tensors)))


def j_over_distance(table: ExchangeTable) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Distances [Å] and J [meV] of all pairs of the same elements, by their names, closest first."""
    names = np.array(['-'.join(pair) for pair in element_pairs(table)])
    order = np.argsort(table.distances, kind='stable')
    j = isotropic(table.tensors)
    return {
        str(name): (table.distances[order][names[order] == name], j[order][names[order] == name])
        for name in dict.fromkeys(names.tolist())
    }


def j_of_shells(table: ExchangeTable) -> dict[float, dict[Pair, float]]:
    """J [meV] by elements, by distance [Å]; the mean where several pairs have the same elements and distance."""
    shells = np.round(table.distances, _SAME_DISTANCE)
    j = isotropic(table.tensors)
    values: dict[float, dict[Pair, list[float]]] = {shell: {} for shell in sorted(set(shells.tolist()))}
    for shell, pair, value in zip(shells.tolist(), element_pairs(table), j.tolist(), strict=True):
        values[shell].setdefault(pair, []).append(value)
    return {shell: {pair: float(np.mean(js)) for pair, js in pairs.items()} for shell, pairs in values.items()}
