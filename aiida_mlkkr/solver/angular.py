"""Real spherical harmonics, their Gaunt coefficients and quadratures on the unit sphere, in JuKKR's convention.

Index L = l² + l + m (0-based); Y_lm is real, without the Condon-Shortley phase, proportional to cos(mφ) for m ≥ 0 and
to sin(−mφ) for m < 0, and normalised to one on the sphere.
"""

from functools import lru_cache
from math import factorial, pi, sqrt

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def lm_size(lmax: int) -> int:
    """Return the number of pairs (l, m) with l ≤ lmax."""
    return (lmax + 1) ** 2


def l_of_lm(lmax: int) -> NDArray[np.intp]:
    """Return l for each L, shape ((lmax+1)²,)."""
    return np.repeat(np.arange(lmax + 1), 2 * np.arange(lmax + 1) + 1)


def real_harmonics(directions: FloatArray, lmax: int) -> FloatArray:
    """Return the real spherical harmonics Y_L of (not necessarily unit) vectors.

    :param directions: vectors, shape (..., 3); their length does not matter but must not be zero.
    :param lmax: largest l.
    :return: shape (..., (lmax+1)²).
    """
    directions = np.asarray(directions, dtype=np.float64)
    x, y, z = np.moveaxis(directions / np.linalg.norm(directions, axis=-1, keepdims=True), -1, 0)
    # P_lm(z)/sin^m θ by the stable upward recursion in l; r^m cos(mφ) and r^m sin(mφ) are polynomials in x and y.
    cosine, sine = np.ones_like(x), np.zeros_like(x)
    values = np.empty((*x.shape, lm_size(lmax)))
    for m in range(lmax + 1):
        legendre_below, legendre = np.zeros_like(z), np.full_like(z, factorial(2 * m) / (2**m * factorial(m)))
        for l in range(m, lmax + 1):
            if l > m:
                legendre_below, legendre = (
                    legendre,
                    ((2 * l - 1) * z * legendre - (l + m - 1) * legendre_below) / (l - m),
                )
            norm = sqrt((2 * l + 1) / (4 * pi) * factorial(l - m) / factorial(l + m))
            if m == 0:
                values[..., l * l + l] = norm * legendre
            else:
                values[..., l * l + l + m] = sqrt(2) * norm * legendre * cosine
                values[..., l * l + l - m] = sqrt(2) * norm * legendre * sine
        cosine, sine = x * cosine - y * sine, x * sine + y * cosine
    return values


def product_quadrature(degree: int) -> tuple[FloatArray, FloatArray]:
    """Return directions (n, 3) and weights (n,) that integrate polynomials up to ``degree`` over the sphere."""
    cos_theta, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    phi = 2 * pi * np.arange(degree + 1) / (degree + 1)
    sin_theta = np.sqrt(1 - cos_theta**2)
    directions = np.stack(
        [
            np.outer(sin_theta, np.cos(phi)),
            np.outer(sin_theta, np.sin(phi)),
            np.broadcast_to(cos_theta[:, None], (cos_theta.size, phi.size)),
        ],
        axis=-1,
    )
    return directions.reshape(-1, 3), np.repeat(weights * 2 * pi / phi.size, phi.size)


@lru_cache(maxsize=8)
def gaunt(lmax_left: int, lmax_right: int) -> FloatArray:
    """Return the Gaunt coefficients ∫ Y_L Y_L' Y_L'' dΩ of real harmonics.

    :return: shape ((lmax_left+1)², (lmax_right+1)², (lmax_left+lmax_right+1)²).
    """
    lmax = lmax_left + lmax_right
    directions, weights = product_quadrature(2 * lmax)
    harmonics = real_harmonics(directions, lmax)
    left, right = harmonics[:, : lm_size(lmax_left)], harmonics[:, : lm_size(lmax_right)]
    products = (weights[:, None] * left)[:, :, None] * right[:, None, :]
    coefficients = np.tensordot(products, harmonics, axes=(0, 0))
    coefficients[np.abs(coefficients) < 1e-12] = 0.0  # rounding of coefficients that vanish by symmetry
    coefficients.setflags(write=False)
    return np.asarray(coefficients, dtype=np.float64)


def double_factorial(n: int) -> int:
    """Return n!! with (−1)!! = 1."""
    return 1 if n <= 0 else n * double_factorial(n - 2)
