"""The tail of exchange interactions in a metal: J(R) = A cos(2 k_F R + φ) / R³.

The asymptotic form of Ruderman, Kittel, Kasuya and Yosida for free electrons (K. Yosida, Phys. Rev. 106, 893 (1957)),
with a phase shift at the impurities. The Fermi surface of a crystal gives each direction a k_F and a phase of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from .errors import ExchangeError

FloatArray = NDArray[np.float64]

K_RANGE: Final = (0.5, 2.0)
"""Where a Fermi wave vector is looked for [1/Å]; free electrons at the densities of Cs and Al have 0.65 and 1.75."""

_TRIES: Final = 301


@dataclass(frozen=True)
class RkkyTail:
    """A tail.

    :param amplitude: A [meV Å³], not negative.
    :param k_fermi: [1/Å].
    :param phase: φ, between −π and π.
    :param residual: root mean square of what is left of J R³ [meV Å³].
    """

    amplitude: float
    k_fermi: float
    phase: float
    residual: float

    def j(self, distances: FloatArray) -> FloatArray:
        """J at distances [Å], in meV."""
        values: FloatArray = self.amplitude * np.cos(2 * self.k_fermi * distances + self.phase) / distances**3
        return values


def fit_tail(
    distances: FloatArray, j: FloatArray, k_fermi: float | None = None, k_range: tuple[float, float] = K_RANGE
) -> RkkyTail:
    """Fit the tail to J R³, all distances alike.

    :param distances: shape (n) [Å].
    :param j: shape (n) [meV].
    :param k_fermi: [1/Å]; fitted within ``k_range`` if None.
    :raises ExchangeError: there are fewer distances than what is fitted.
    """
    fitted = 2 if k_fermi is not None else 3
    number = len(np.unique(np.round(distances, 6)))
    if number < fitted:
        raise ExchangeError(f'{number} distances are too few for a tail with {fitted} free parameters')

    def misfit(k: float) -> float:
        return _fit(distances, j, k).residual

    if k_fermi is None:
        tries = np.linspace(*k_range, _TRIES)
        best = float(min(tries, key=misfit))
        step = float(tries[1] - tries[0])
        k_fermi = float(minimize_scalar(misfit, bounds=(best - step, best + step), method='bounded').x)
    return _fit(distances, j, k_fermi)


def _fit(distances: FloatArray, j: FloatArray, k: float) -> RkkyTail:
    angles, values = 2 * k * distances, j * distances**3
    waves = np.column_stack([np.cos(angles), np.sin(angles)])
    (a, b), *_ = np.linalg.lstsq(waves, values, rcond=None)
    left = float(np.sqrt(np.mean((waves @ [a, b] - values) ** 2)))
    return RkkyTail(float(np.hypot(a, b)), k, float(np.arctan2(-b, a)), left)
