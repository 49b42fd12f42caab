"""Moments that elements have in the host, as the training rows tell them, never those of the dimer asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.elements import FEATURES, element_features

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAGNETIC = 0.5
"""Elements with a larger moment are magnetic [µB]."""

_PERIOD, _GROUP = FEATURES.index('period'), FEATURES.index('group')


@dataclass(frozen=True)
class SiteMoments:
    """Sizes of moments in µB.

    :param by_layer: median of the training rows by nuclear charge and layer; ``by_element`` in all layers.
    """

    by_layer: dict[tuple[int, int], float]
    by_element: dict[int, float]

    @classmethod
    def of_training(cls, pairs: Pairs) -> SiteMoments:
        """Medians over pairs."""
        z, layers, sizes = pairs.z.ravel(), pairs.layers.ravel(), np.abs(pairs.moments).ravel()
        places = sorted(set(zip(z.tolist(), layers.tolist(), strict=True)))
        return cls(
            {(a, layer): float(np.median(sizes[(z == a) & (layers == layer)])) for a, layer in places},
            {int(a): float(np.median(sizes[z == a])) for a in np.unique(z)},
        )

    def of_elements(self, z: IntArray) -> FloatArray:
        """For nuclear charges (k,), shape (k); of unknown ones by interpolation along the row."""
        return np.array([self._of_element(a) for a in z.tolist()])

    def of_sites(self, z: IntArray, layers: IntArray) -> FloatArray:
        """For nuclear charges and layers, both of any one shape."""
        places = zip(z.ravel().tolist(), layers.ravel().tolist(), strict=True)
        found = [self.by_layer[a, layer] if (a, layer) in self.by_layer else self._of_element(a) for a, layer in places]
        return np.array(found).reshape(z.shape)

    def _of_element(self, z: int) -> float:
        return self.by_element[z] if z in self.by_element else self._interpolated(z)

    def _interpolated(self, z: int) -> float:
        row = element_features(z)[_PERIOD]
        known = [a for a in sorted(self.by_element) if element_features(a)[_PERIOD] == row] or sorted(self.by_element)
        groups = [element_features(a)[_GROUP] for a in known]
        order = np.argsort(groups)
        values = np.array([self.by_element[known[place]] for place in order])
        return float(np.interp(element_features(z)[_GROUP], np.array(groups)[order], values))


def magnetic_class(moments: FloatArray) -> IntArray:
    """How many of the two sites are magnetic, shape (n), for moments (n, 2)."""
    count: IntArray = (np.abs(moments) > MAGNETIC).sum(axis=1)
    return count
