"""How far from all training data an impurity is, whatever the model: the known share of what an element may do.

A Gaussian process with fixed lengths over the features of the impurity and of the atom that it replaces; only its
variance is asked for, so that it needs to know which impurities there were, not what they did.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from aiida_mlkkr.ml.elements import FEATURES, element_features

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FAR: Final = 0.9
"""Unknown share above which an impurity is out of reach."""

OTHER_ROW: Final = 0.15
"""Unknown share above which an impurity of the d block is known by other rows of the periodic table only.

In Cu and Ag it is below 0.1 where an element alone is missing, below 0.15 in a host that has not been seen, and 0.12
(at the ends of a row) to 0.26 where the row is.
"""

_LENGTH: Final = 2.5
_HOST_LENGTH: Final = 5.0
_NOISE: Final = 1e-3


def unknown_share(seen: IntArray, asked: IntArray) -> FloatArray:
    """Share (n,) of the variance that remains when impurities have been seen: 0 for one of them, 1 far from all.

    :param seen: (m, 2) nuclear charges of impurities and of the atoms of the host that they replaced.
    :param asked: (n, 2) the same of those in question.
    """
    cross = _covariance(asked, seen)
    explained = np.einsum('ij,ji->i', cross, np.linalg.solve(covariance_of_seen(seen), cross.T))
    share: FloatArray = np.clip(1.0 - explained, 0.0, 1.0)
    return share


def covariance_of_seen(seen: IntArray) -> FloatArray:
    """Covariances (m, m), with noise, of what impurities do, in units of the variance of one."""
    matrix = _covariance(seen, seen)
    matrix[np.diag_indices_from(matrix)] += _NOISE
    return matrix


def _covariance(one: IntArray, other: IntArray) -> FloatArray:
    x, y = _features(one), _features(other)
    distance = np.sqrt(5.0) * cdist(x, y)
    values: FloatArray = (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
    return values


def _features(pairs: IntArray) -> FloatArray:
    rows = [
        np.concatenate([element_features(int(z)) / _LENGTH, element_features(int(z_host)) / _HOST_LENGTH])
        for z, z_host in pairs
    ]
    return np.array(rows).reshape(-1, 2 * len(FEATURES))
