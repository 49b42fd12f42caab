"""How good predictions of potentials are: errors by radius, and whether the predicted uncertainty means something.

An error of a potential is a root mean square over the volume of a sphere and the spins, in Ry; a prediction comes with
the standard error that the model expects. The intervals meant by *coverage* and *score* are those of a Gaussian,

    error ≤ z s    with    z = Φ⁻¹((1 + level)/2),

that is 0.99 s for a level of 68 % and 1.96 s for 95 %. They hold that share of honest errors that have all the same
shape, and differ in size and sign alone; the more shapes there are, the closer to s are all errors.

References: T. Gneiting, A. E. Raftery, J. Am. Stat. Assoc. 102, 359 (2007), eq. 43 (interval score); C. Spearman,
Am. J. Psychol. 15, 72 (1904) (rank correlation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.radial import point_weights, volume_weights

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Predicted against true errors of n predictions.

    :param coverage: fraction within the interval; about the level if the uncertainty is honest.
    :param width: mean width 2 z s of the interval in Ry; small is sharp.
    :param score: mean interval score in Ry, small is good: width, plus 2/(1 − level) times what is outside.
    :param rank_correlation: of predicted and true errors; 1 if the order is right, 0 if it says nothing.
    """

    coverage: float
    width: float
    score: float
    rank_correlation: float


def rms(mesh: RadialMesh, difference: FloatArray) -> float:
    """Root mean square over volume, spins and sites of a difference (..., size) of potentials on one mesh, in Ry."""
    return float(np.sqrt(np.mean(difference**2 @ volume_weights(mesh))))


def rms_by_radius(mesh: RadialMesh, difference: FloatArray, edges: Sequence[float]) -> FloatArray:
    """Root mean square (len(edges) − 1,) of a difference (..., size) in shells around the nucleus, in Ry.

    :param edges: of the shells in units of the outermost radius, ascending; NaN where no point of the mesh is.
    """
    points = np.concatenate([mesh.r, np.tile(mesh.r[mesh.n - mesh.outermost :], mesh.channels - 1)]) / mesh.rmax
    squares = np.mean(difference.reshape(-1, mesh.size) ** 2, axis=0) * volume_weights(mesh)
    volume = point_weights(mesh) * mesh.inside
    found = np.full(len(edges) - 1, np.nan)
    for number, (begin, end) in enumerate(pairwise(edges)):
        inside = (points > begin) & (points <= end)
        if inside.any():
            found[number] = np.sqrt(squares[inside].sum() / volume[inside[: mesh.n]].sum())
    return found


def rms_by_channel(mesh: RadialMesh, difference: FloatArray) -> FloatArray:
    """Root mean square (C,) of a difference (..., size) in each channel lm, in Ry; their squares add up to the whole's.

    One channel in the atomic-sphere approximation.
    """
    squares = np.mean(difference.reshape(-1, mesh.size) ** 2, axis=0) * volume_weights(mesh)
    higher = squares[mesh.n :].reshape(mesh.channels - 1, mesh.outermost).sum(axis=1)
    channels: FloatArray = np.sqrt(np.concatenate([[squares[: mesh.n].sum()], higher]))
    return channels


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
