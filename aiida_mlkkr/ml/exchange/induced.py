"""J of pairs with an element that has no moment of its own: small, and induced by the other element.

It is the median of the training rows of that element in the geometry, or of more and more of them where these are few.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.exchange.moments import SiteMoments

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

OWN_MOMENT: Final = 0.1
"""Elements with a smaller moment have none of their own [µB]."""

_FEW: Final = 3
_LEAST_ERROR: Final = 1e-3

_Key = tuple[int, bool, str]


def have_moments(pairs: Pairs, moments: SiteMoments) -> BoolArray:
    """Whether both elements of pairs have moments of their own in the host, shape (n)."""
    own: BoolArray = moments.of_elements(pairs.z.ravel()).reshape(-1, 2) > OWN_MOMENT
    return own[:, 0] & own[:, 1]


class InducedExchange:
    """Medians of the training pairs that have such an element.

    :param pairs: those; ``moments`` of all training pairs.
    """

    def __init__(self, pairs: Pairs, moments: SiteMoments) -> None:
        self._moments = moments
        self._j = pairs.j
        self._rows: dict[tuple[object, ...], list[int]] = {}
        for row, key in enumerate(self._keys(pairs)):
            for level in _levels(key):
                self._rows.setdefault(level, []).append(row)

    def predict(self, pairs: Pairs) -> tuple[FloatArray, FloatArray]:
        """Median and mean distance from it, each shape (n) [meV]."""
        found = np.zeros((len(pairs), 2))
        for row, key in enumerate(self._keys(pairs)):
            rows = next((its for level in _levels(key) if len(its := self._rows.get(level, [])) >= _FEW), [])
            median = np.median(self._j[rows]) if rows else 0.0
            found[row] = median, np.abs(self._j[rows] - median).mean() if rows else 0.0
        return found[:, 0], found[:, 1] + _LEAST_ERROR

    def _keys(self, pairs: Pairs) -> list[_Key]:
        """The element with the smaller moment, whether the other one has its own, and the geometry."""
        moments = self._moments.of_elements(pairs.z.ravel()).reshape(-1, 2)
        weak = pairs.z[np.arange(len(pairs)), moments.argmin(axis=1)].tolist()
        driven = (moments.max(axis=1) > OWN_MOMENT).tolist()
        return list(zip(weak, driven, pairs.geometries, strict=True))


def _levels(key: _Key) -> list[tuple[object, ...]]:
    return [key, key[1:], ()]
