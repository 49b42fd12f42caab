"""Exchange of the pairs of one cluster, as a table that knows its sites."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .conventions import OURS, Convention, PairTerms, convert
from .errors import ExchangeError
from .origins import Origins
from .tensors import anisotropic, dm_vector, isotropic, rotated, swapped

if TYPE_CHECKING:
    import pandas

FloatArray = NDArray[np.float64]

CLOSEST: Final = 0.1
"""Sites closer than this coincide [Å]."""

CONVENTION_LINE: Final = f'# convention {OURS.name}: H = {OURS.hamiltonian}; e along the moments'
"""The first line of a CSV file."""


@dataclass(frozen=True, eq=False)
class ExchangeTable:
    """Pairs of moments in a host and their exchange tensors, in the convention ``aiida-mlkkr``: e_i along the moments.

    :param host: name of the host crystal.
    :param elements: symbols of the n sites.
    :param positions: shape (n, 3) [Å].
    :param moments: spin moments along the common axis, shape (n) [µB].
    :param pairs: numbers i, j of the sites of each pair, from 0, shape (p, 2).
    :param tensors: 𝒥_ij, shape (p, 3, 3) [meV].
    :param method: where the tensors come from.
    :param spread: by how much the diagonal elements are uncertain, shape (p) [meV]; zero if they are not.
    :param biquadratic: B_ij, shape (p) [meV]; None if it was not computed.
    :param origins: where each pair comes from; None if all are computed together.
    :raises ExchangeError: the parts contradict each other.
    """

    host: str
    elements: tuple[str, ...]
    positions: FloatArray
    moments: FloatArray
    pairs: NDArray[np.int64]
    tensors: FloatArray
    method: str
    spread: FloatArray
    biquadratic: FloatArray | None = None
    origins: Origins | None = None

    def __post_init__(self) -> None:
        n, p = len(self.elements), len(self.pairs)
        expected: dict[str, tuple[int, ...]] = {
            'positions': (n, 3),
            'moments': (n,),
            'pairs': (p, 2),
            'tensors': (p, 3, 3),
            'spread': (p,),
        }
        if self.biquadratic is not None:
            expected['biquadratic'] = (p,)
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise ExchangeError(f'{name}: {shape} finite numbers expected, found {array.shape}')
        within = np.isin(self.pairs, np.arange(n)).all()
        if not within or (self.pairs[:, 0] == self.pairs[:, 1]).any():
            raise ExchangeError(f'a pair is not of two different sites from 0 to {n - 1}')
        if len({frozenset(pair) for pair in self.pairs.tolist()}) < p:
            raise ExchangeError('a pair occurs twice; list each once, whatever its direction')
        if p and self.distances.min() < CLOSEST:
            raise ExchangeError('two sites of a pair are at the same place')
        if self.origins is not None and len(self.origins) != p:
            raise ExchangeError(f'there are {p} pairs, and origins of {len(self.origins)}')

    @classmethod
    def of_cluster(
        cls,
        host: str,
        elements: Sequence[str],
        positions: FloatArray,
        moments: FloatArray,
        tensors: FloatArray,
        method: str,
        *,
        spread: FloatArray | None = None,
        biquadratic: FloatArray | None = None,
    ) -> ExchangeTable:
        """The table of all pairs i < j of sites, from tensors that refer to the axis of the spins up.

        :param tensors: 𝒥_ij of all sites, shape (n, n, 3, 3) [meV]; they are turned to the directions of the moments.
        :param spread: shape (n, n) [meV]; ``biquadratic`` likewise.
        """
        pairs = np.argwhere(np.triu(np.ones((len(elements), len(elements)), dtype=bool), 1))
        i, j = pairs.T
        return cls(
            host=host,
            elements=tuple(elements),
            positions=positions,
            moments=moments,
            pairs=pairs,
            tensors=along_moments(tensors[i, j], moments[i], moments[j]),
            method=method,
            spread=np.zeros(len(pairs)) if spread is None else spread[i, j],
            biquadratic=None if biquadratic is None else biquadratic[i, j],
        )

    @property
    def convention(self) -> Convention:
        """What the numbers mean."""
        return OURS

    @property
    def vectors(self) -> FloatArray:
        """From site i to site j, shape (p, 3) [Å]."""
        i, j = self.pairs.T
        vectors: FloatArray = self.positions[j] - self.positions[i]
        return vectors

    @property
    def distances(self) -> FloatArray:
        """Shape (p) [Å]."""
        lengths: FloatArray = np.linalg.norm(self.vectors, axis=1)
        return lengths

    def terms(self, target: Convention = OURS) -> PairTerms:
        """J, D, S and B in a convention.

        :raises ExchangeError: it has no place for a term that is not zero.
        """
        i, j = self.pairs.T
        ours = PairTerms(
            OURS,
            isotropic(self.tensors),
            dm_vector(self.tensors),
            anisotropic(self.tensors),
            self.biquadratic,
            _signs(self.moments[i]) * _signs(self.moments[j]),
        )
        return convert(ours, target)

    def seen_from_the_other_site(self) -> ExchangeTable:
        """The same pairs with i and j exchanged."""
        return replace(self, pairs=self.pairs[:, ::-1], tensors=swapped(self.tensors))

    def rotated(self, q: FloatArray) -> ExchangeTable:
        """The same pairs in a crystal turned by an orthogonal matrix, shape (3, 3)."""
        return replace(self, positions=self.positions @ q.T, tensors=rotated(self.tensors, q))

    def subset(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> ExchangeTable:
        """Some of the pairs, among all sites."""
        return replace(
            self,
            pairs=self.pairs[rows],
            tensors=self.tensors[rows],
            spread=self.spread[rows],
            biquadratic=None if self.biquadratic is None else self.biquadratic[rows],
            origins=None if self.origins is None else self.origins.subset(rows),
        )

    def sampled(self, rng: np.random.Generator) -> ExchangeTable:
        """The table with J of predicted pairs drawn from normal distributions of their standard errors.

        Pairs are drawn independently of each other, as their common errors are not known.
        """
        if self.origins is None:
            return self
        shifts = rng.normal(size=len(self.pairs)) * self.origins.standard_errors
        return replace(self, tensors=self.tensors + shifts[:, None, None] * np.eye(3))

    def rows(self) -> list[dict[str, Any]]:
        """One row for each pair: what it is, its J, D, S, B and spread [meV], in the convention ``aiida-mlkkr``."""
        terms = self.terms()
        assert terms.s is not None
        rows = []
        for k, (i, j) in enumerate(self.pairs.tolist()):
            row: dict[str, Any] = {'host': self.host, 'i': i, 'j': j}
            row |= {'element_i': self.elements[i], 'element_j': self.elements[j]}
            row |= {f'{axis}_A': float(x) for axis, x in zip('xyz', self.vectors[k], strict=True)}
            row |= {'distance_A': float(self.distances[k])}
            row |= {'moment_i_muB': float(self.moments[i]), 'moment_j_muB': float(self.moments[j])}
            row |= {'J_meV': float(terms.j[k])}
            row |= {f'D{axis}_meV': float(x) for axis, x in zip('xyz', terms.d[k], strict=True)}
            row |= {f'S{name}_meV': float(terms.s[k][a, b]) for name, (a, b) in S_COLUMNS.items()}
            row |= {'B_meV': None if self.biquadratic is None else float(self.biquadratic[k])}
            row |= {'spread_meV': float(self.spread[k]), 'method': self.method}
            row |= {} if self.origins is None else self.origins.row(k)
            rows.append(row)
        return rows

    def to_dataframe(self) -> pandas.DataFrame:
        """The rows as a pandas DataFrame, whose ``attrs`` name the convention."""
        from pandas import DataFrame

        frame = DataFrame(self.rows())
        frame.attrs['convention'] = f'{OURS.name}: H = {OURS.hamiltonian}'
        return frame

    def write_csv(self, path: Path) -> None:
        """Write the rows, after a comment that states the convention."""
        rows = self.rows()
        with path.open('w', encoding='utf-8', newline='') as stream:
            stream.write(f'{CONVENTION_LINE}\n')
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else [], lineterminator='\n')
            writer.writeheader()
            writer.writerows(rows)


S_COLUMNS: Final = {'xx': (0, 0), 'yy': (1, 1), 'xy': (0, 1), 'xz': (0, 2), 'yz': (1, 2)}
"""Elements of S that a row has."""


def along_moments(tensors: FloatArray, moments_i: FloatArray, moments_j: FloatArray) -> FloatArray:
    """Tensors that refer to the axes of the spins up, for e_i along the moments: the sign of each negative one.

    :param tensors: shape (p, 3, 3); ``moments_i`` and ``moments_j`` along the axes, shape (p).
    """
    signs: FloatArray = _signs(moments_i) * _signs(moments_j)
    return tensors * signs[:, None, None]


def _signs(moments: FloatArray) -> FloatArray:
    return np.where(moments < 0, -1.0, 1.0)
