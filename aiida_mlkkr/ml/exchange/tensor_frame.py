"""Pairs as the tensor networks see them: in the units and with the scales that the training pairs set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.elements import element_features
from aiida_mlkkr.ml.exchange.moments import SiteMoments
from aiida_mlkkr.ml.exchange.pair_bases import PairBases, pair_bases
from aiida_mlkkr.ml.exchange.tensor_network import Inputs, Part, Sizes

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_NO_MOMENT: Final = 0.03
"""Added to moments before they are multiplied [µB]."""
_USUAL_DISTANCE: Final = 5.0
_SAME: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Asked:
    """n pairs among the combinations of inputs.

    :param place: geometry and both elements of each pair, three arrays (n).
    :param amplitude: product of the moments divided by the cube of the distance, in usual units, shape (n).
    """

    inputs: Inputs
    place: tuple[IntArray, IntArray, IntArray]
    amplitude: FloatArray


class TensorFrame:
    """What follows from the training pairs without learning.

    :param pairs: those.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._moments = SiteMoments.of_training(pairs)
        self._elements = np.unique(pairs.z)
        bases = pair_bases(pairs)
        invariants = _invariants(bases)
        self._centre = invariants.mean(axis=(0, 1))
        self._scale = np.maximum(np.abs(invariants - self._centre).max(axis=(0, 1)), _SAME)
        self._sizes = {part: _norm(its) for part, its in _turning(bases).items()}
        self._bases = {part: its.shape[2] for part, its in _turning(bases).items()}
        amplitude = self._amplitude(pairs)
        self.labels = _labels(pairs)
        self.units = {part: _norm(values) / _norm(amplitude) for part, values in self.labels.items()}
        """Typical size of J, D and S divided by the amplitude [meV]."""
        self.typical = _norm(amplitude)

    def sizes(self, members: int) -> Sizes:
        """Of networks that learn these pairs."""
        features = len(self._features(self._elements[:1])[0])
        bases = {part: number for part, number in self._bases.items() if part in self.labels}
        return Sizes(members, len(self._elements), features, len(self._centre), bases)

    def asked(self, pairs: Pairs) -> Asked:
        """Inputs of other pairs."""
        bases = pair_bases(pairs)
        elements, numbers = np.unique(pairs.z, return_inverse=True)
        a, b = numbers.reshape(-1, 2).T
        turning = {part: its / self._sizes[part] for part, its in _turning(bases).items() if part in self.labels}
        inputs = Inputs(
            torch.from_numpy(self._features(elements)),
            torch.from_numpy((elements[:, None] == self._elements).astype(np.float64)),
            torch.from_numpy((_invariants(bases) - self._centre) / self._scale),
            {part: torch.from_numpy(its) for part, its in turning.items()},
        )
        return Asked(inputs, (bases.which, a, b), self._amplitude(pairs))

    def _features(self, z: IntArray) -> FloatArray:
        """Period, group and moment."""
        places = np.array([element_features(int(charge))[:2] for charge in z])
        moments = np.log(self._moments.of_elements(z) + 0.1)
        return np.column_stack([places[:, 0] - 4.5, (places[:, 1] - 7.0) / 3.0, moments / 1.5])

    def _amplitude(self, pairs: Pairs) -> FloatArray:
        moments = self._moments.of_elements(pairs.z.ravel()).reshape(-1, 2) + _NO_MOMENT
        amplitude: FloatArray = moments.prod(axis=1) * (_USUAL_DISTANCE / pairs.distances) ** 3
        return amplitude


def _labels(pairs: Pairs) -> dict[Part, FloatArray]:
    """What there is to be learnt, each (n, components) [meV]; D and S that are zero beside J are not."""
    found: dict[Part, FloatArray] = {'j': pairs.j[:, None], 'd': pairs.d}
    if pairs.s is not None:
        found['s'] = pairs.s.reshape(-1, 9)
    least = _SAME * np.abs(pairs.j).max()
    return {part: values for part, values in found.items() if part == 'j' or np.abs(values).max() > least}


def _invariants(bases: PairBases) -> FloatArray:
    """Logarithm of the distance and scalars of a geometry, seen from both sites, shape (g, 2, invariants)."""
    logarithm = np.log(bases.distances / _USUAL_DISTANCE)
    return np.concatenate([np.tile(logarithm[:, None, None], (1, 2, 1)), bases.scalars], axis=2)


def _turning(bases: PairBases) -> Mapping[Part, FloatArray]:
    return {'d': bases.axial, 's': bases.quadrupoles.reshape(*bases.quadrupoles.shape[:3], 9)}


def _norm(values: FloatArray) -> float:
    """Root mean square; 1 if all are zero."""
    return float(np.sqrt(np.mean(values**2))) or 1.0
