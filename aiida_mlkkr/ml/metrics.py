"""How good predictions of potentials are: errors by radius, and whether the predicted uncertainty means something.

An error of a potential is a root mean square over the volume of a sphere and the spins, in Ry; a prediction comes with
the standard error that the model expects. The intervals meant by *coverage* and *score* are those of a Gaussian,

    error ≤ z s    with    z = Φ⁻¹((1 + level)/2),

that is 0.99 s for a level of 68 % and 1.96 s for 95 %.

References: T. Gneiting, A. E. Raftery, J. Am. Stat. Assoc. 102, 359 (2007), eq. 43 (interval score); C. Spearman,
Am. J. Psychol. 15, 72 (1904) (rank correlation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.radial import RadialFunctions, volume_weights

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Predicted against true errors of n predictions.

    :param coverage: fraction within the interval; as large as the level if the uncertainty is honest.
    :param width: mean width 2 z s of the interval in Ry; small is sharp.
    :param score: mean interval score in Ry, small is good: width, plus 2/(1 − level) times what is outside.
    :param rank_correlation: of predicted and true errors; 1 if the order is right, 0 if it says nothing.
    """

    coverage: float
    width: float
    score: float
    rank_correlation: float


def rms(mesh: RadialMesh, difference: FloatArray) -> float:
    """Root mean square over volume, spins and sites of a difference (..., n) of potentials on one mesh, in Ry."""
    return float(np.sqrt(np.mean(difference**2 @ volume_weights(mesh))))


def rms_by_radius(mesh: RadialMesh, difference: FloatArray, edges: Sequence[float]) -> FloatArray:
    """Root mean square (len(edges) − 1,) of a difference (..., n) in shells of the sphere, in Ry.

    :param edges: of the shells in units of the radius of the sphere, ascending; NaN where no point of the mesh is.
    """
    squares = np.mean(np.atleast_2d(difference) ** 2, axis=tuple(range(np.ndim(np.atleast_2d(difference)) - 1)))
    weights, shell = volume_weights(mesh), np.searchsorted(edges, mesh.r / mesh.rmax, side='left') - 1
    found = np.full(len(edges) - 1, np.nan)
    for number in range(len(found)):
        inside = shell == number
        if inside.any():
            found[number] = np.sqrt(weights[inside] @ squares[inside] / weights[inside].sum())
    return found


def rms_by_function(mesh: RadialMesh, difference: FloatArray, number: int) -> FloatArray:
    """Root mean square (number,) of the coefficients of a difference (..., n) in the orthonormal radial functions."""
    coefficients = RadialFunctions(mesh, number).coefficients(difference)
    size: FloatArray = np.sqrt(np.mean(coefficients.reshape(-1, number) ** 2, axis=0))
    return size


def calibration(errors: FloatArray, expected: FloatArray, level: float = 0.95) -> Calibration:
    """Whether the expected standard errors (n,) are right about the true ones (n,), both in Ry.

    :raises ValueError: if the level is not between 0 and 1, or there is nothing to judge.
    """
    if not (0.0 < level < 1.0 and len(errors)):
        raise ValueError(f'a calibration of {len(errors)} predictions at the level {level}')
    half = ndtri(0.5 * (1.0 + level)) * expected
    outside = np.maximum(errors - half, 0.0)
    return Calibration(
        coverage=float(np.mean(errors <= half)),
        width=float(np.mean(2.0 * half)),
        score=float(np.mean(2.0 * half + 2.0 / (1.0 - level) * outside)),
        rank_correlation=rank_correlation(errors, expected),
    )


def rank_correlation(one: FloatArray, other: FloatArray) -> float:
    """Spearman's correlation of the ranks of n values each; NaN if all values of one are equal."""
    ranks, its_ranks = (rankdata(values) - 0.5 * (len(values) + 1) for values in (one, other))
    norm = np.sqrt((ranks @ ranks) * (its_ranks @ its_ranks))
    return float(ranks @ its_ranks / norm) if norm else float('nan')
