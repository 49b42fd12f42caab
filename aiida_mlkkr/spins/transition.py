"""Transition temperatures from cumulants of boxes of different size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_DEGREE: Final = 2
_SAMPLES: Final = 400


@dataclass(frozen=True, eq=False)
class Cumulant:
    """A cumulant of a box.

    :param temperatures: shape (t) [K]; ``values`` and ``errors`` shape (t).
    """

    temperatures: FloatArray
    values: FloatArray
    errors: FloatArray


def crossing(small: Cumulant, large: Cumulant, seed: int = 0) -> tuple[float, float] | None:
    """Where the cumulants of two boxes cross: below it that of the larger box is larger.

    A parabola through each, weighted with the errors; its error from random numbers with the errors of the points.

    :return: the temperature and its error [K]; None if they do not cross at the given temperatures, or not for sure.
    """
    rng = np.random.default_rng(seed)
    found = [_crossing(_parabola(small, rng), _parabola(large, rng), *_range(small, large)) for _ in range(_SAMPLES)]
    known = [temperature for temperature in found if temperature is not None]
    best = _crossing(_parabola(small), _parabola(large), *_range(small, large))
    if best is None or len(known) < 0.9 * len(found):
        return None
    return best, float(np.std(known))


def _range(small: Cumulant, large: Cumulant) -> tuple[float, float]:
    begins = small.temperatures.min(), large.temperatures.min()
    ends = small.temperatures.max(), large.temperatures.max()
    return float(max(begins)), float(min(ends))


def _parabola(cumulant: Cumulant, rng: np.random.Generator | None = None) -> np.polynomial.Polynomial:
    values = cumulant.values if rng is None else rng.normal(cumulant.values, cumulant.errors)
    degree = min(_DEGREE, len(values) - 1)
    return np.polynomial.Polynomial.fit(cumulant.temperatures, values, degree, w=1 / cumulant.errors)


def _crossing(
    small: np.polynomial.Polynomial, large: np.polynomial.Polynomial, begin: float, end: float
) -> float | None:
    """The root of their difference between two temperatures at which the larger box loses its lead."""
    difference = large.convert(kind=np.polynomial.Polynomial) - small.convert(kind=np.polynomial.Polynomial)
    slope = difference.deriv()
    roots = [
        float(root.real)
        for root in np.atleast_1d(difference.roots())
        if abs(root.imag) < 1e-9 * end and begin <= root.real <= end and slope(root.real) < 0
    ]
    return roots[0] if len(roots) == 1 else None
