"""Spherical Bessel and Hankel functions of complex argument, compiled."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

ComplexArray = NDArray[np.complex128]


@njit(cache=True)
def spherical_bessel(z: complex, lmax: int) -> ComplexArray:
    """Return j_l(z) for l = 0 … lmax, shape (lmax+1,).

    Recurred downwards from far above lmax, which is stable for every argument (Miller's algorithm), and scaled to
    j_0 or j_1, whichever is larger.
    """
    result = np.zeros(lmax + 1, dtype=np.complex128)
    if z == 0:
        result[0] = 1.0
        return result
    start = lmax + int(abs(z)) + 30
    above, here = 0j, 1e-250 + 0j
    for l in range(start, 0, -1):
        above, here = here, (2 * l + 1) / z * here - above
        if abs(here) > 1e200:
            above, here = above * 1e-250, here * 1e-250
            for k in range(min(l, lmax + 1), lmax + 1):
                result[k] *= 1e-250
        if l - 1 <= lmax:
            result[l - 1] = here
    j0 = np.sin(z) / z
    j1 = (j0 - np.cos(z)) / z
    # here = j_0 and above = j_1 up to the common factor
    factor = j0 / here if abs(j0) > abs(j1) else j1 / above
    for k in range(lmax + 1):
        result[k] *= factor
    return result


@njit(cache=True)
def spherical_hankel(z: complex, lmax: int) -> ComplexArray:
    """Return h⁺_l(z) = j_l + i n_l for l = 0 … lmax, shape (lmax+1,), by upward recursion (stable for h⁺)."""
    result = np.empty(lmax + 1, dtype=np.complex128)
    result[0] = -1j * np.exp(1j * z) / z
    if lmax > 0:
        result[1] = result[0] * (1 / z - 1j)
    for l in range(1, lmax):
        result[l + 1] = (2 * l + 1) / z * result[l] - result[l - 1]
    return result
