"""Kernel ridge regression of pairs from descriptors of their sites, the hyperparameters by nested cross-validation.

The kernel of two pairs is the symmetrised product of those of their sites,

    K = ½ [k(p_i, p'_i) k(p_j, p'_j) + k(p_i, p'_j) k(p_j, p'_i)] ,

with k linear, Gaussian exp(−γ‖p − p'‖²) or Laplacian exp(−γ‖p − p'‖₁).
"""

from __future__ import annotations

from itertools import product
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from aiida_mlkkr.ml.splits import grouped_folds

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
KernelName = Literal['linear', 'gaussian', 'laplacian']

RIDGES: Final = (1e-4, 1e-2, 1.0)
WIDTHS: Final = (0.1, 1.0, 10.0)
"""Values tried of the regularisation, and of γ in units of the inverse mean (squared) distance."""

_INNER: Final = 3


class SiteKernel:
    """A kernel of sites, in units that the training data set.

    :param descriptors: of the different sites of the training, shape (u, p).
    """

    def __init__(self, name: KernelName, descriptors: FloatArray) -> None:
        self.name = name
        self._descriptors = descriptors
        self._distances = self._measure(descriptors)

    def training(self, width: float, seen: IntArray | None = None) -> FloatArray:
        """Between the training's sites, shape (u, u).

        :param seen: numbers of those that set the units; all if None.
        """
        known = self._distances if seen is None else self._distances[np.ix_(seen, seen)]
        return self._of(self._distances, width, known)

    def with_others(self, descriptors: FloatArray, width: float) -> FloatArray:
        """Between other sites and the training's, shape (u', u)."""
        return self._of(self._measure(descriptors), width, self._distances)

    def _measure(self, descriptors: FloatArray) -> FloatArray:
        match self.name:
            case 'linear':
                products: FloatArray = descriptors @ self._descriptors.T
                return products
            case 'gaussian':
                return np.asarray(cdist(descriptors, self._descriptors, 'sqeuclidean'))
            case 'laplacian':
                return np.asarray(cdist(descriptors, self._descriptors, 'cityblock'))

    def _of(self, measured: FloatArray, width: float, known: FloatArray) -> FloatArray:
        unit = float(known.mean()) or 1.0
        values: FloatArray = measured / unit if self.name == 'linear' else np.exp(-width * measured / unit)
        return values


def of_pairs(sites: FloatArray, one: IntArray, other: IntArray) -> FloatArray:
    """The symmetrised product, shape (n, n'), from a kernel of sites and the numbers (n, 2) of the pairs' sites."""
    i, j = sites[one[:, 0]], sites[one[:, 1]]
    products: FloatArray = 0.5 * (i[:, other[:, 0]] * j[:, other[:, 1]] + i[:, other[:, 1]] * j[:, other[:, 0]])
    return products


def ridge_weights(kernel: FloatArray, values: FloatArray, ridge: float) -> FloatArray:
    """Weights (n,) of the training pairs; the ridge is in units of the mean diagonal."""
    scale = float(np.mean(np.diag(kernel))) or 1.0
    solved: FloatArray = cho_solve(cho_factor(kernel + ridge * scale * np.eye(len(kernel))), values)
    return solved


def best_hyperparameters(
    kernel: SiteKernel, numbers: IntArray, values: FloatArray, groups: list[str], seed: int
) -> tuple[float, float, float]:
    """Ridge, γ and root mean square error of the best of a grid, by three-fold cross-validation.

    :param groups: rows that are never parted.
    """
    folds = grouped_folds(groups, _INNER, seed)
    tried = []
    for width in WIDTHS[:1] if kernel.name == 'linear' else WIDTHS:
        matrix = of_pairs(kernel.training(width), numbers, numbers)
        for ridge, fold in product(RIDGES, folds):
            weights = ridge_weights(matrix[np.ix_(fold.train, fold.train)], values[fold.train], ridge)
            missed = matrix[np.ix_(fold.test, fold.train)] @ weights - values[fold.test]
            tried.append((ridge, width, float(missed @ missed)))
    sums: dict[tuple[float, float], float] = {}
    for ridge, width, squares in tried:
        sums[ridge, width] = sums.get((ridge, width), 0.0) + squares
    (ridge, width), least = min(sums.items(), key=lambda item: item[1])
    return ridge, width, float(np.sqrt(least / len(values)))
