"""The neighbours of every moment in compressed rows, which is what a Monte Carlo step walks through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import bsr_array

from aiida_mlkkr.exchange.tensors import isotropic, swapped

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PairGraph:
    """Neighbours of n moments: those of i are ``neighbours[starts[i]:starts[i + 1]]``.

    :param starts: shape (n + 1); ``neighbours`` shape (2p), both int64.
    :param tensors: 𝒥_ij of the moment i and its neighbour j, shape (2p, 3, 3) [meV].
    """

    starts: IntArray
    neighbours: IntArray
    tensors: FloatArray

    @classmethod
    def of_pairs(cls, number: int, pairs: IntArray, tensors: FloatArray) -> PairGraph:
        """The graph of pairs (p, 2) that are listed once, among `number` moments."""
        one = np.concatenate([pairs[:, 0], pairs[:, 1]])
        other = np.concatenate([pairs[:, 1], pairs[:, 0]])
        order = np.lexsort((other, one))
        starts = np.zeros(number + 1, dtype=np.int64)
        np.cumsum(np.bincount(one, minlength=number), out=starts[1:])
        both = np.concatenate([tensors, swapped(tensors)])
        return cls(starts, other[order], np.ascontiguousarray(both[order]))

    @property
    def scalars(self) -> FloatArray:
        """J of each moment and its neighbour, shape (2p) [meV]."""
        return isotropic(self.tensors)

    @property
    def coordination(self) -> IntArray:
        """Number of neighbours, shape (n)."""
        return np.diff(self.starts)

    @property
    def matrix(self) -> bsr_array:
        """The tensors as one matrix, shape (3n, 3n) [meV]: the fields on all moments are its product with them."""
        size = 3 * (len(self.starts) - 1)
        return bsr_array((self.tensors, self.neighbours, self.starts), shape=(size, size))
