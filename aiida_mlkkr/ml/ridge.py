"""The Bayesian linear model in closed form (Bishop, Pattern Recognition and Machine Learning, 2006, section 3.3).

Outputs are y = X w + noise; weights are normal with a variance of their own for each column, noise with one for each
row. In columns scaled to unit variance the inverse of the weights' covariance is 1 + U λ Uᵀ, with the few directions U
that the data say anything of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Rows = tuple[FloatArray, FloatArray, FloatArray]
"""Features (r, p), outputs (r, K), noise (r,)."""

_NOTHING: Final = 1e-10


@dataclass(frozen=True, eq=False)
class BayesianRidge:
    """What is known of the weights.

    :param scale: (p,) standard deviations of the weights before any data.
    :param directions: (p, q) U; ``gains`` (q,) λ.
    :param weights: (p, K) their mean, in scaled columns.
    """

    scale: FloatArray
    directions: FloatArray
    gains: FloatArray
    weights: FloatArray

    @classmethod
    def fit(cls, batches: Iterable[Rows], number: int, scale: FloatArray) -> BayesianRidge:
        """Condition on data that come in batches; memory is that of a square of columns, or rows if they are fewer.

        :param number: of all rows.
        """
        if number <= len(scale):
            parts = [_weighted(rows, scale) for rows in batches]
            features, outputs = (np.concatenate(part) for part in zip(*parts, strict=True))
            # not from the products of the rows: the smallest of these gains are not lost in rounding
            _, singular, vectors = np.linalg.svd(features, full_matrices=False)
            gains, directions, projected = singular**2, vectors.T, features.T @ outputs
        else:
            normal, projected = np.zeros((len(scale), len(scale))), np.zeros(())
            for rows in batches:
                features, outputs = _weighted(rows, scale)
                normal += features.T @ features
                projected = projected + features.T @ outputs
            gains, directions = np.linalg.eigh(normal)
        kept = gains > _NOTHING
        gains, directions = gains[kept], np.ascontiguousarray(directions[:, kept])
        weights = directions @ ((directions.T @ projected) / (1.0 + gains)[:, None])
        return cls(scale, directions, gains, weights)

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean (r, K) of outputs without noise, and their variance (r,), the same for each output."""
        scaled = features * self.scale
        known = scaled @ self.directions
        unknown = np.maximum(np.sum(scaled**2, axis=1) - np.sum(known**2, axis=1), 0.0)
        return scaled @ self.weights, unknown + known**2 @ (1.0 / (1.0 + self.gains))

    def left_out(self, rows: Rows, group: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """What rows of the training data are predicted to be without all those of their group.

        With the covariance P of a group's outputs, its noise N and residual e, the residual without it is
        (1 − P N⁻¹)⁻¹ e, and the covariance (1 − P N⁻¹)⁻¹ P. The directions span the rows, so that nothing else is in P.

        :param group: (r,) of each row; groups are whole.
        """
        features, outputs, noise = rows
        mean, variance = np.empty_like(outputs), np.empty(len(outputs))
        for one in np.unique(group):
            its = np.flatnonzero(group == one)
            scaled = features[its] * self.scale
            known = scaled @ self.directions
            covariance = (known / (1.0 + self.gains)) @ known.T
            residual = outputs[its] - scaled @ self.weights
            removed = np.eye(len(its)) - covariance / noise[its]
            mean[its] = outputs[its] - np.linalg.solve(removed, residual)
            variance[its] = np.maximum(np.diag(np.linalg.solve(removed, covariance)), 0.0)
        return mean, variance


def _weighted(rows: Rows, scale: FloatArray) -> tuple[FloatArray, FloatArray]:
    features, outputs, noise = rows
    root = np.sqrt(noise)[:, None]
    return features * scale / root, outputs / root
