"""What of a table can be used: rows that are no pairs, repeat others or contradict them are dropped or flagged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import SYMBOLS

from .errors import ExchangeError
from .pairs import SAME_PLACE, Pairs
from .reading import RawTable

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

OWN_MOMENT: Final = 0.1
"""Smaller moments are induced by the other site, and have no direction of their own [µB]."""

DUPLICATE: Final = 'exact duplicate of another row'

_REPEATED: Final = 1e-6
"""Relative difference below which two J are one number."""
_SMALL: Final = 1e-3
"""J below which equal values prove nothing [meV]."""
_SHARED: Final = 3
"""Numbers that two geometries must share before that is no chance."""


@dataclass(frozen=True, eq=False)
class Finding:
    """Rows of a table that are dropped, or kept and flagged, for one reason.

    :param rows: counted from 0.
    """

    reason: str
    rows: IntArray
    dropped: bool


@dataclass(frozen=True)
class SwapNoise:
    """How far J of (A, B) and of (B, A), the same dimer, differ [meV].

    :param number: of such pairs of rows.
    :param mean, largest: of the absolute differences.
    :param error: standard error of one label that they mean, the root mean square divided by √2.
    """

    number: int
    mean: float
    largest: float
    error: float


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A table that can be learnt from.

    :param pairs: those kept.
    :param rows: which rows of the table they are.
    :param findings: what was dropped or flagged, and why.
    :param noise: of the labels, over all and by geometry; from the swap pairs.
    """

    pairs: Pairs
    rows: IntArray
    findings: tuple[Finding, ...]
    noise: dict[str, SwapNoise]

    def lines(self) -> list[str]:
        """The report, a line for each finding."""
        total = len(self.rows) + sum(len(one.rows) for one in self.findings if one.dropped)
        lines = [f'{len(self.rows)} of {total} rows are used']
        for one in self.findings:
            lines.append(f'{len(one.rows)} rows {"dropped" if one.dropped else "flagged"}: {one.reason}')
        for name, noise in self.noise.items():
            lines.append(
                f'label noise, {name}: {noise.number} swap pairs differ by {noise.mean:.3f} meV on average, '
                f'{noise.largest:.2f} at most; a label is sure to {noise.error:.3f} meV'
            )
        return lines


def clean(table: RawTable) -> Cleaned:
    """Drop rows that are no pairs or repeat others, and geometries that repeat another one's J; flag the doubtful.

    :raises ExchangeError: nothing is left.
    """
    left: BoolArray = np.ones(len(table.pairs), dtype=np.bool_)
    findings: list[Finding] = []
    for step in (_no_pairs, _duplicates, _repeated_geometries):
        for reason, rows in step(table, left):
            findings.append(Finding(reason, rows, dropped=True))
            left[rows] = False
    if not left.any():
        raise ExchangeError(f'no row of the table is left: {"; ".join(one.reason for one in findings)}')
    kept = np.flatnonzero(left)
    pairs = table.pairs.subset(kept)
    findings += [Finding(reason, kept[rows], dropped=False) for reason, rows in _doubtful(pairs) if len(rows)]
    return Cleaned(pairs, kept, tuple(findings), swap_noise(pairs))


def with_duplicates(table: RawTable, cleaned: Cleaned) -> Pairs:
    """The rows kept and their exact duplicates: what those who do not look for duplicates learn from and test with."""
    repeated = [one.rows for one in cleaned.findings if one.reason == DUPLICATE]
    rows = np.concatenate([cleaned.rows, *repeated])
    geometries = set(cleaned.pairs.geometries)
    pairs = table.pairs.subset(np.sort(rows))
    return pairs.subset(np.array([name in geometries for name in pairs.geometries], dtype=np.bool_))


def swap_noise(pairs: Pairs) -> dict[str, SwapNoise]:
    """The noise of labels, for ``all`` and for each geometry that has swap pairs."""
    one, other = swap_pairs(pairs)
    differences = np.abs(pairs.j[one] - pairs.j[other])
    geometries = np.array(pairs.geometries)[one] if len(one) else np.array([])
    groups = {'all': np.ones(len(one), dtype=np.bool_)} | {name: geometries == name for name in np.unique(geometries)}
    return {
        str(name): SwapNoise(
            number=int(its.sum()),
            mean=float(differences[its].mean()),
            largest=float(differences[its].max()),
            error=float(np.sqrt(np.mean(differences[its] ** 2) / 2)),
        )
        for name, its in groups.items()
        if its.any()
    }


def swap_pairs(pairs: Pairs) -> tuple[IntArray, IntArray]:
    """Rows (A, B), A lighter than B, and the rows (B, A) of the same geometry."""
    place = {(*z, geometry): row for row, (z, geometry) in enumerate(_keys(pairs))}
    found = [(row, place[(b, a, geometry)]) for (a, b, geometry), row in place.items() if (b, a, geometry) in place]
    chosen = np.array([both for both in found if pairs.z[both[0], 0] < pairs.z[both[0], 1]], dtype=np.int64)
    return chosen.reshape(-1, 2)[:, 0], chosen.reshape(-1, 2)[:, 1]


def _keys(pairs: Pairs) -> list[tuple[tuple[int, int], str]]:
    return [((a, b), geometry) for (a, b), geometry in zip(pairs.z.tolist(), pairs.geometries, strict=True)]


def _no_pairs(table: RawTable, left: BoolArray) -> Iterator[tuple[str, IntArray]]:
    pairs = table.pairs
    numbers = np.column_stack([pairs.vectors, pairs.moments, pairs.j, pairs.d])
    unknown = ((pairs.z < 1) | (pairs.z >= len(SYMBOLS))).any(axis=1)
    finite = np.isfinite(numbers).all(axis=1)
    checks = {
        'a number is missing or not finite': ~finite,
        'there is no such element, or no such layer': unknown | (pairs.layers < 0).any(axis=1),
        'i and j are the same site': table.own_site | (finite & (pairs.distances < SAME_PLACE)),
    }
    for reason, wrong in checks.items():
        rows = np.flatnonzero(wrong & left)
        if len(rows):
            yield reason, rows


def _duplicates(table: RawTable, left: BoolArray) -> Iterator[tuple[str, IntArray]]:
    pairs = table.pairs
    numbers = np.column_stack([pairs.z, pairs.layers, pairs.vectors, pairs.moments, pairs.j, pairs.d])[left]
    _, first = np.unique(numbers, axis=0, return_index=True)
    again = np.delete(np.flatnonzero(left), first)
    if len(again):
        yield DUPLICATE, np.sort(again)


def _repeated_geometries(table: RawTable, left: BoolArray) -> Iterator[tuple[str, IntArray]]:
    """J at two distances cannot be one number for all elements: of such geometries only the larger can be right."""
    rows = np.flatnonzero(left)
    geometries = np.array(table.pairs.subset(rows).geometries)
    sizes = Counter(geometries.tolist())
    values = {
        name: {tuple(table.pairs.z[row].tolist()): float(table.pairs.j[row]) for row in rows[geometries == name]}
        for name in sizes
    }
    wrong: dict[str, str] = {}
    for one, other in combinations(sorted(sizes, key=lambda name: -sizes[name]), 2):
        shared = [z for z in values[one].keys() & values[other].keys() if abs(values[one][z]) > _SMALL]
        same = [z for z in shared if abs(values[one][z] - values[other][z]) < _REPEATED * abs(values[one][z])]
        if len(same) >= _SHARED and 2 * len(same) > len(shared):
            wrong.setdefault(other, one)
            if sizes[one] == sizes[other]:
                wrong.setdefault(one, other)
    for name, source in wrong.items():
        yield f'geometry {name} has the same J as {source}', rows[geometries == name]


def _doubtful(pairs: Pairs) -> Iterator[tuple[str, IntArray]]:
    yield (
        f'a moment below {OWN_MOMENT} µB is opposite to the other: J changes its sign with it',
        np.flatnonzero((pairs.moments.prod(axis=1) < 0) & (np.abs(pairs.moments).min(axis=1) < OWN_MOMENT)
                       & (np.abs(pairs.j) > _SMALL)),
    )  # fmt: skip
    one, other = swap_pairs(pairs)
    if len(one):
        differences = np.abs(pairs.j[one] - pairs.j[other])
        far = differences > max(5 * float(differences.mean()), _SMALL)
        yield (
            'the swap pair differs by more than five times the mean difference',
            np.sort(np.concatenate([one[far], other[far]])),
        )
