"""The energy contour of KKRhost: up from below the bands, along the real axis, and the poles of the Fermi function.

Wildberger, Lang, Zeller, Dederichs, Phys. Rev. B 52, 11502 (1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.constants import JUKKR_BOLTZMANN_RY

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

FERMI_REACH: Final = 30
"""So many kT below the Fermi energy the Fermi function is taken to begin to differ from one."""


@dataclass(frozen=True)
class ContourSettings:
    """Shape of the contour.

    :param bottom: where it begins on the real axis [Ry].
    :param temperature: of the Fermi function [K].
    :param poles: number of poles of the Fermi function below the contour.
    :param points: number of points upwards, along the real axis, and where the Fermi function falls.
    """

    bottom: float
    temperature: float
    poles: int
    points: tuple[int, int, int]


def energy_contour(settings: ContourSettings, fermi: float) -> tuple[ComplexArray, ComplexArray]:
    """Return energies and weights −(2/π) dE, shape (nE,) each; the poles come last, down to the real axis.

    :param fermi: Fermi energy [Ry].
    """
    kt = JUKKR_BOLTZMANN_RY * settings.temperature
    height = 2j * pi * kt * settings.poles
    up, up_weights = np.polynomial.legendre.leggauss(settings.points[0])
    along, along_weights = np.polynomial.legendre.leggauss(settings.points[1])
    falling, falling_weights = fermi_quadrature(settings.points[2])
    length = fermi - FERMI_REACH * kt - settings.bottom
    energies = [
        settings.bottom + height / 2 * (1 + up),
        settings.bottom + height + length / 2 * (1 + along),
        fermi + height + FERMI_REACH * kt * falling,
        fermi + 1j * pi * kt * (2 * np.arange(settings.poles, 0, -1) - 1),
    ]
    steps = [
        height / 2 * up_weights,
        length / 2 * along_weights,
        FERMI_REACH * kt * falling_weights,
        np.full(settings.poles, -2j * pi * kt),
    ]
    return np.concatenate(energies).astype(np.complex128), (-2 / pi * np.concatenate(steps)).astype(np.complex128)


def contour_along_axis(bottom: float, top: float, temperature: float, points: int) -> tuple[ComplexArray, ComplexArray]:
    """Return evenly spaced energies πkT above the real axis, for densities of states, and weights −(2/π) dE.

    :param bottom: real part of the first energy, ``top`` that of the last one [Ry].
    :param temperature: which gives the height [K].
    :param points: number of energies, at least 2; shape (points,) each.
    """
    energies = (np.linspace(bottom, top, points) + 1j * pi * JUKKR_BOLTZMANN_RY * temperature).astype(np.complex128)
    weights: ComplexArray = np.full(points, -2 / pi * (top - bottom) / (points - 1), dtype=np.complex128)
    return energies, weights


@lru_cache(maxsize=8)
def fermi_quadrature(n: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights (n,) of the Gauss quadrature ∫₋₁^∞ f(x) / (1 + exp(30 x)) dx.

    From the recurrence of the orthogonal polynomials of a finely discretised weight function (Gautschi, Orthogonal
    Polynomials: Computation and Approximation, Oxford 2004, secs. 2.2.3 and 3.1.1).
    """
    x, weight = np.polynomial.legendre.leggauss(40)
    edges = np.linspace(-1.0, 2.0, 61)
    x = (edges[:-1, None] + np.diff(edges)[:, None] * (1 + x) / 2).ravel()
    weight = (np.diff(edges)[:, None] * weight / 2).ravel() / (1 + np.exp(FERMI_REACH * x))
    diagonal, beside = np.empty(n), np.empty(n)
    before, polynomial = np.zeros_like(x), np.ones_like(x)
    norm_before = 1.0
    for k in range(n):
        norm = float(weight @ polynomial**2)
        diagonal[k] = weight @ (x * polynomial**2) / norm
        beside[k] = norm / norm_before
        before, polynomial = polynomial, (x - diagonal[k]) * polynomial - (beside[k] if k else 0.0) * before
        norm_before = norm
    off_diagonal = np.sqrt(beside[1:])
    nodes, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1))
    return nodes, beside[0] * vectors[0] ** 2
