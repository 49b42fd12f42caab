"""Elements as a few smooth functions: those of a covariance over the periodic table.

A linear model in these functions is the Gaussian process of the covariance (C. E. Rasmussen and C. K. I. Williams,
Gaussian Processes for Machine Learning, MIT Press 2006, section 2.1). It is the Matérn function of order 5/2 with one
length for each feature of :mod:`aiida_mlkkr.ml.elements`, and a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.ml.elements import element_features

FloatArray = NDArray[np.float64]

ELEMENTS: Final = len(SYMBOLS)
"""Elements of the table, the empty sphere among them."""

CONSTANT: Final = 1.0
"""Covariance of elements that have nothing in common, in units of that of one with itself."""


_SMALLEST: Final = 1e-10


class ElementKernel:
    """Covariances of all elements.

    :param features: which of the features tell elements apart.
    :param lengths: of each of them.
    """

    def __init__(self, features: Sequence[int], lengths: FloatArray) -> None:
        described = np.array([element_features(z) for z in range(ELEMENTS)])[:, list(features)] / lengths
        self._squares: FloatArray = 5.0 * (described[:, None, :] - described[None, :, :]) ** 2
        self._distance: FloatArray = np.sqrt(self._squares.sum(axis=2))

    @cached_property
    def matrix(self) -> FloatArray:
        """(Z, Z) covariances."""
        d = self._distance
        values: FloatArray = CONSTANT + (1.0 + d + d**2 / 3.0) * np.exp(-d)
        return values

    @cached_property
    def gradients(self) -> list[FloatArray]:
        """Derivatives (Z, Z) of the covariances by the logarithm of each length."""
        common = (1.0 + self._distance) * np.exp(-self._distance) / 3.0
        return [common * square for square in np.moveaxis(self._squares, 2, 0)]

    def functions(self, elements: NDArray[np.int64], number: int) -> FloatArray:
        """Functions (Z, q) of all elements whose products are the covariances of some of them with all others.

        They span what data on these elements can tell (section 8.1 of the book); if there are more elements than the
        number of functions, what is most important for those that occur most often.

        :param elements: nuclear charges, as often as they occur.
        """
        different, counts = np.unique(elements, return_counts=True)
        root = np.sqrt(counts / len(elements))
        values, vectors = np.linalg.eigh(root[:, None] * self.matrix[np.ix_(different, different)] * root)
        largest = np.flatnonzero(values > _SMALLEST * values.max())[::-1][:number]
        weights = root[:, None] * vectors[:, largest] / np.sqrt(values[largest])
        spanned: FloatArray = self.matrix[:, different] @ weights
        return spanned
