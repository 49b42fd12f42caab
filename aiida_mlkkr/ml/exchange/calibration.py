"""Intervals that hold what they say: factors for a model's expected errors, from pairs that it was not shown.

The factor of a class is the ⌈(n + 1) level⌉-th smallest of its n ratios of true over expected error: split conformal
prediction with normalised residuals, one class of magnetic sites at a time (V. Vovk, A. Gammerman, G. Shafer,
Algorithmic Learning in a Random World, Springer 2005, section 4.5; J. Lei et al., J. Am. Stat. Assoc. 113, 1094).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CLASSES: Final = 3
"""Pairs by their number of magnetic sites: none, one, two."""

_ENOUGH: Final = 30


@dataclass(frozen=True, eq=False)
class ConformalIntervals:
    """Half widths of intervals in units of expected errors.

    :param level: share of the truth that they are to cover.
    :param factors: one for each class, shape (3).
    """

    level: float
    factors: FloatArray

    @classmethod
    def from_left_out(
        cls, misses: FloatArray, expected: FloatArray, classes: IntArray, level: float
    ) -> ConformalIntervals:
        """Factors from true and expected errors of left-out pairs; a class of few takes all pairs together.

        :param misses, expected, classes: shape (n).
        :raises ValueError: the level is not between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f'the level of an interval is between 0 and 1, not {level}')
        ratios = np.abs(misses) / expected
        its = [ratios[classes == number] for number in range(CLASSES)]
        return cls(level, np.array([_quantile(one if len(one) >= _ENOUGH else ratios, level) for one in its]))

    def half_widths(self, expected: FloatArray, classes: IntArray) -> FloatArray:
        """For pairs with expected errors and classes, each shape (n)."""
        widths: FloatArray = self.factors[classes] * expected
        return widths


def _quantile(ratios: FloatArray, level: float) -> float:
    place = min(int(np.ceil((len(ratios) + 1) * level)), len(ratios))
    return float(np.sort(ratios)[place - 1])
