"""How good predictions of exchange are.

The interval score is that of T. Gneiting, A. E. Raftery, J. Am. Stat. Assoc. 102, 359 (2007), equation 43.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PairScores:
    """Scores of n predictions; energies in meV.

    :param mae, rmse: mean absolute and root mean square error; ``r2`` the coefficient of determination, NaN if all
        true values are equal.
    :param magnetic_mae: that of pairs of two magnetic sites, NaN if there are none.
    :param coverage: share of the truth within the intervals; ``width`` their mean width; ``interval_score`` width plus
        2/(1 − level) times what is outside, small is good.
    """

    number: int
    mae: float
    rmse: float
    r2: float
    magnetic_mae: float
    coverage: float
    width: float
    interval_score: float


def pair_scores(
    true: FloatArray, predicted: FloatArray, half_widths: FloatArray, magnetic: NDArray[np.bool_], level: float
) -> PairScores:
    """Scores of predictions with intervals.

    :param true, predicted, half_widths: shape (n) [meV]; ``magnetic`` whether both sites are, shape (n).
    :raises ValueError: there is nothing to judge.
    """
    if not len(true):
        raise ValueError('no predictions to judge')
    misses = np.abs(predicted - true)
    spread = float(np.sum((true - true.mean()) ** 2))
    outside = np.maximum(misses - half_widths, 0.0)
    return PairScores(
        number=len(true),
        mae=float(misses.mean()),
        rmse=float(np.sqrt(np.mean(misses**2))),
        r2=1.0 - float(misses @ misses) / spread if spread else float('nan'),
        magnetic_mae=float(misses[magnetic].mean()) if magnetic.any() else float('nan'),
        coverage=float(np.mean(misses <= half_widths)),
        width=float(2.0 * half_widths.mean()),
        interval_score=float(np.mean(2.0 * half_widths + 2.0 / (1.0 - level) * outside)),
    )
