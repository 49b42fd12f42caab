"""Sums of multipoles over a lattice, by Ewald's method."""

from __future__ import annotations

from math import gamma, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from ..angular import l_of_lm, real_harmonics
from .screening import lattice_points

FloatArray = NDArray[np.float64]

REACH: Final = 7.0
"""The sums end where their terms have the factor exp(−REACH²)."""


def lattice_multipoles(cell: FloatArray, lmax: int) -> FloatArray:
    """Return Σ_R Y_L(R̂)/R^(l+1) over all lattice vectors but zero, shape ((lmax+1)²,); zero for l = 0.

    Y_L(R̂)/R^(l+1) = Y_L(R̂) R^l/Γ(l+½) ∫₀^∞ t^(l−½) exp(−R²t) dt is split at t = η², and the part below summed over the
    reciprocal lattice, without its zero: for l = 2 that means a crystal without charges on its surface.

    :param cell: Bravais vectors, one per row, shape (3, 3); the unit of length is theirs.
    """
    volume = abs(float(np.linalg.det(cell)))
    eta = sqrt(pi) / volume ** (1 / 3)
    direct = _vectors(cell, REACH / eta)
    reciprocal = _vectors(2 * pi * np.asarray(np.linalg.inv(cell).T, dtype=np.float64), 2 * eta * REACH)
    sums = np.zeros((lmax + 1) ** 2)
    harmonics, harmonics_k = real_harmonics(direct, lmax), real_harmonics(reciprocal, lmax)
    distance, wave = np.linalg.norm(direct, axis=1), np.linalg.norm(reciprocal, axis=1)
    for l in range(2, lmax + 1, 2):
        near = gammaincc(l + 0.5, (eta * distance) ** 2) / distance ** (l + 1)
        far = (-1) ** (l // 2) * pi**1.5 * 2.0 ** (2 - l) / (volume * gamma(l + 0.5))
        components = l_of_lm(lmax) == l
        sums[components] = near @ harmonics[:, components]
        sums[components] += far * (wave ** (l - 2) * np.exp(-((wave / (2 * eta)) ** 2))) @ harmonics_k[:, components]
    return sums


def _vectors(cell: FloatArray, radius: float) -> FloatArray:
    vectors: FloatArray = lattice_points(cell, radius, radius)[1:] @ cell
    return vectors
