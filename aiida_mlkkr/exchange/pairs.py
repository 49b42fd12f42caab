"""Pairs of moments of many dimers or clusters as plain arrays: what surrogates learn from and are asked for.

The two sites of a pair are taken to be equivalent: a symmetry of the host exchanges them, as an inversion in the
middle or a mirror plane between them does. Then J of A on site i and B on site j is that of B on i and A on j.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import SYMBOLS, symbol

from .errors import ExchangeError
from .structure import HostStructure
from .table import ExchangeTable
from .tensors import compose

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SAME_PLACE: Final = 0.01
"""Pairs whose distances differ by less than this have the same geometry [Å]."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pairs, in the convention ``aiida-mlkkr``: e_i along the moments.

    :param z: nuclear charges of the two sites, shape (n, 2).
    :param vectors: from site i to site j, shape (n, 3) [Å].
    :param layers: numbers of the layers, or of the places in the unit cell, shape (n, 2).
    :param moments: spin moments, shape (n, 2) [µB].
    :param j: shape (n) [meV]; zeros where it is asked for.
    :param d: shape (n, 3) [meV].
    :param host: the crystal around the pairs, if it is known.
    :param s: shape (n, 3, 3) [meV]; None if it is not known.
    :raises ExchangeError: the parts contradict each other.
    """

    z: IntArray
    vectors: FloatArray
    layers: IntArray
    moments: FloatArray
    j: FloatArray
    d: FloatArray
    host: HostStructure | None = None
    s: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.z)
        shapes: dict[str, tuple[int, ...]] = {
            'z': (n, 2),
            'vectors': (n, 3),
            'layers': (n, 2),
            'moments': (n, 2),
            'j': (n,),
            'd': (n, 3),
        }
        for name, shape in (shapes if self.s is None else shapes | {'s': (n, 3, 3)}).items():
            if getattr(self, name).shape != shape:
                raise ExchangeError(f'{name} of pairs: shape {shape} expected, found {getattr(self, name).shape}')

    def __len__(self) -> int:
        return len(self.z)

    @property
    def distances(self) -> FloatArray:
        """Shape (n) [Å]."""
        lengths: FloatArray = np.linalg.norm(self.vectors, axis=1)
        return lengths

    @property
    def element_pairs(self) -> list[str]:
        """The two elements whatever their order, such as ``Cr-Mn``, by Z."""
        return ['-'.join(symbol(z) for z in sorted(both)) for both in self.z.tolist()]

    @property
    def geometries(self) -> list[str]:
        """Layers, distance and, if there is any, the part of it along z, such as ``3-4 7.51 (6.10) Å``."""
        layers = np.sort(self.layers, axis=1).tolist()
        steps = SAME_PLACE * np.round(np.column_stack([self.distances, np.abs(self.vectors[:, 2])]) / SAME_PLACE)
        return [f'{a}-{b} {r:.2f}{f" ({z:.2f})" if z else ""} Å' for (a, b), (r, z) in zip(layers, steps, strict=True)]

    def subset(self, chosen: IntArray | NDArray[np.bool_]) -> Self:
        """Some of the pairs."""
        arrays = {name: getattr(self, name)[chosen] for name in ARRAYS}
        return type(self)(**arrays, host=self.host, s=None if self.s is None else self.s[chosen])

    def exchanged(self) -> Self:
        """The same geometries with the elements exchanged; D and S are not known then."""
        return type(self)(
            self.z[:, ::-1],
            self.vectors,
            self.layers,
            self.moments[:, ::-1],
            self.j,
            np.zeros_like(self.d),
            self.host,
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays, from which :meth:`from_arrays` makes the same pairs."""
        own = {f'pairs_{name}': np.ascontiguousarray(getattr(self, name)) for name in ARRAYS}
        own |= {} if self.s is None else {'pairs_s': np.ascontiguousarray(self.s)}
        return own | ({} if self.host is None else self.host.to_arrays())

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Take back what :meth:`to_arrays` gave.

        :raises ExchangeError: they do not fit together; ``KeyError`` means the same.
        """
        host = HostStructure.from_arrays(arrays) if HostStructure.is_in(arrays) else None
        return cls(**{name: arrays[f'pairs_{name}'] for name in ARRAYS}, host=host, s=arrays.get('pairs_s'))


ARRAYS: Final = tuple(field.name for field in fields(Pairs) if field.name not in ('host', 's'))
"""Names of the arrays that pairs always have."""


def pairs_of_tables(tables: Sequence[ExchangeTable]) -> Pairs:
    """The pairs of clusters; all sites are of one kind of place.

    :raises ExchangeError: there are none, or they are in different hosts.
    """
    if not tables:
        raise ExchangeError('there are no tables of exchange to take pairs from')
    if hosts := {table.host for table in tables[1:]} - {tables[0].host}:
        raise ExchangeError(f'pairs of one set are in one host, but there are {tables[0].host}, {", ".join(hosts)}')
    terms = [table.terms() for table in tables]
    number = sum(len(table.pairs) for table in tables)
    return Pairs(
        z=np.concatenate([np.array([SYMBOLS.index(name) for name in one.elements])[one.pairs] for one in tables]),
        vectors=np.concatenate([table.vectors for table in tables]),
        layers=np.ones((number, 2), dtype=np.int64),
        moments=np.concatenate([table.moments[table.pairs] for table in tables]),
        j=np.concatenate([one.j for one in terms]),
        d=np.concatenate([one.d for one in terms]),
        s=np.concatenate([one.s for one in terms if one.s is not None]),
    )


def table_of_pairs(pairs: Pairs, host: str, method: str) -> ExchangeTable:
    """Pairs as a table, each with two sites of its own: where they are in the crystal, or the first one at the origin.

    :raises ExchangeError: the crystal has no such layer.
    """
    number = len(pairs)
    first = np.zeros((number, 3)) if pairs.host is None else pairs.host.places(pairs.layers[:, 0])
    return ExchangeTable(
        host=host,
        elements=tuple(symbol(z) for z in pairs.z.ravel().tolist()),
        positions=np.stack([first, first + pairs.vectors], axis=1).reshape(-1, 3),
        moments=pairs.moments.ravel(),
        pairs=np.arange(2 * number).reshape(-1, 2),
        tensors=compose(pairs.j, pairs.d, np.zeros((number, 3, 3)) if pairs.s is None else pairs.s),
        method=method,
        spread=np.zeros(number),
    )
