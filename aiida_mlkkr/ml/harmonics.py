"""Real spherical harmonics as JuKKR has them, and how they rotate.

Without the phase of Condon and Shortley, cos(mφ) for m > 0 and sin(−mφ) for m < 0, normalised to ∫ Y² dΩ = 1:
Y_00 = 1/√(4π) and Y_1m = √(3/4π) (y, z, x). The component lm has the index l² + l + m, from 0.
"""

from __future__ import annotations

from math import factorial, isqrt, pi, sqrt

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def components(l: int) -> slice:
    """Where the 2l + 1 components of l stand."""
    return slice(l**2, (l + 1) ** 2)


def real_harmonics(directions: FloatArray, lmax: int) -> FloatArray:
    """Values (n, (lmax + 1)²) of all real spherical harmonics up to lmax.

    By the recursion of the associated Legendre functions without their factor sin^m θ, which goes to the azimuth, so
    that no direction is special.

    :param directions: (n, 3) of any length but zero.
    :raises ValueError: if a direction is zero.
    """
    lengths = np.linalg.norm(directions, axis=1)
    if (lengths == 0.0).any():
        raise ValueError('a zero vector has no direction')
    x, y, z = (directions / lengths[:, None]).T
    values = np.empty((len(directions), (lmax + 1) ** 2))
    azimuth = np.ones(len(directions), dtype=np.complex128)
    diagonal = 1.0
    for m in range(lmax + 1):
        before, legendre = np.zeros_like(z), np.full_like(z, diagonal)
        for l in range(m, lmax + 1):
            norm = sqrt((2 * l + 1) / (4 * pi) * factorial(l - m) / factorial(l + m) * (2 if m else 1))
            values[:, l * l + l - m] = norm * legendre * azimuth.imag
            values[:, l * l + l + m] = norm * legendre * azimuth.real
            before, legendre = legendre, ((2 * l + 1) * z * legendre - (l + m) * before) / (l + 1 - m)
        azimuth = azimuth * (x + 1j * y)
        diagonal *= 2 * m + 1
    return values


def sphere_quadrature(degree: int) -> tuple[FloatArray, FloatArray]:
    """Directions (n, 3) and weights (n,), their sum 4π, exact for all spherical harmonics with l ≤ degree."""
    cosines, weights = leggauss(degree // 2 + 1)
    angles = 2 * pi * np.arange(degree + 1) / (degree + 1)
    sines = np.sqrt(1.0 - cosines**2)
    grid = np.stack(
        [np.outer(sines, np.cos(angles)), np.outer(sines, np.sin(angles)), np.outer(cosines, np.ones_like(angles))], -1
    )
    return grid.reshape(-1, 3), np.repeat(weights, len(angles)) * 2 * pi / len(angles)


def channel_matrices(rotations: FloatArray, channels: int) -> FloatArray:
    """Matrices (g, C, C) that turn the channels of a function on a site with rotations or reflections (g, 3, 3) of it.

    From f'(R x) = f(x) with f = Σ f_lm Y_lm follows f'_lm = Σ D_lm,l'm' f_l'm' with Y_lm(R x) = Σ D_lm,l'm' Y_l'm'(x);
    by quadrature, exact to rounding.
    """
    lmax = isqrt(channels) - 1
    directions, weights = sphere_quadrature(2 * lmax)
    before = real_harmonics(directions, lmax) * weights[:, None]
    turned = (directions @ rotations.transpose(0, 2, 1)).reshape(-1, 3)
    after = real_harmonics(turned, lmax).reshape(len(rotations), -1, channels)
    overlap = after.transpose(0, 2, 1) @ before
    matrices = np.zeros_like(overlap)
    for l in range(lmax + 1):
        matrices[:, components(l), components(l)] = overlap[:, components(l), components(l)]
    return matrices
