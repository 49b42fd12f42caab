"""Integrals over the index of the radial mesh, with the rules that JuKKR uses."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@njit(cache=True)
def simpson_weights(n: int) -> FloatArray:
    """Return the weights of Simpson's rule on ``n`` >= 3 equidistant points, shape (n,).

    An odd number of intervals begins with the cubic (four-point Lagrange) rule on the first interval.
    """
    weights = np.zeros(n)
    start = (n - 1) % 2
    if start:
        for i, weight in enumerate((9.0, 19.0, -5.0, 1.0)):
            weights[i] = weight / 24.0
    for i in range(start, n - 2, 2):
        weights[i] += 1.0 / 3.0
        weights[i + 1] += 4.0 / 3.0
        weights[i + 2] += 1.0 / 3.0
    return weights


@njit(cache=True)
def integrate_outwards(f):  # type: ignore[no-untyped-def]
    """Return ∫ from the first point to every point of f, shape like f (m, n): Simpson from two points back.

    The first interval takes the cubic rule with weights (9, 19, −5, 1)/24.
    """
    m, n = f.shape
    result = np.zeros((m, n))
    for k in range(m):
        result[k, 1] = (9.0 * f[k, 0] + 19.0 * f[k, 1] - 5.0 * f[k, 2] + f[k, 3]) / 24.0
        for i in range(2, n):
            result[k, i] = result[k, i - 2] + (f[k, i - 2] + 4.0 * f[k, i - 1] + f[k, i]) / 3.0
    return result


def integrate_inwards(f: FloatArray) -> FloatArray:
    """Return ∫ from every point to the last point of f, shape like f (m, n); the rule of :func:`integrate_outwards`."""
    return np.ascontiguousarray(integrate_outwards(np.ascontiguousarray(f[:, ::-1]))[:, ::-1])
