"""Gaussian-process regression of sums of contributions.

What is observed at a site is a sum over impurities j, y = Σ_j s_j f(x_j), with signs or weights s_j. With a
covariance k of f, that of the observations is S k Sᵀ. All outputs share it up to a factor.

The covariance matrix of n observations is K = Φ Φᵀ, its Cholesky factor with the pivots as large as can be. Where n is
larger than the rank allowed, Φ (n, r) ends at the r-th pivot: these observations are the inducing variables of the
variational process of M. K. Titsias, AISTATS 2009 (equations 6 and 10), which is the exact one for r = n; the rest is
the textbook's (C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, MIT Press 2006,
chapters 2 and 5) for the linear model y = Φ w + noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular

from aiida_mlkkr.ml.contributions import Contributions
from aiida_mlkkr.ml.covariance import Covariance
from aiida_mlkkr.ml.errors import ModelError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_NO_VARIANCE_LEFT = 1e-12


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A fitted process.

    :param covariance: of contributions.
    :param inducing: r observations that stand for all.
    :param triangle: (r, r) Cholesky factor of their covariance.
    :param precision: (r, r) Cholesky factor of 1 + Φᵀ N⁻¹ Φ with the noise N: of the weights' inverse covariance.
    :param weights: (r, K) their mean.
    :param amplitudes: (K,) variance of each output in units of the covariance.
    """

    covariance: Covariance
    inducing: Contributions
    triangle: FloatArray
    precision: FloatArray
    weights: FloatArray
    amplitudes: FloatArray

    @classmethod
    def condition(
        cls, contributions: Contributions, outputs: FloatArray, errors: FloatArray, covariance: Covariance, rank: int
    ) -> GaussianProcess:
        """The process with a known covariance, given observations (n, K)."""
        pivots, factor = _pivoted_cholesky(contributions, covariance, rank)
        noise = covariance.noise + errors**2
        scaled = factor / noise[:, None]
        try:
            precision = cholesky(np.eye(len(pivots)) + factor.T @ scaled, lower=True)
        except LinAlgError as error:
            raise ModelError(f'the covariance of the training data is not positive definite: {error}') from error
        weights = cho_solve((precision, True), scaled.T @ outputs)
        residual = (outputs - factor @ weights) / noise[:, None]
        return cls(
            covariance,
            contributions.subset(pivots),
            np.tril(factor[pivots]),
            precision,
            weights,
            np.mean(outputs * residual, axis=0),
        )

    def predict(self, asked: Contributions, zeros: Contributions | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean (n', K) of observations, and their variance (n',) in units of the amplitudes.

        :param zeros: for each observation the same one of contributions with other features, which is known to be zero.
        """
        factor, known = self._seen(asked)
        mean = factor @ self.weights
        variance = self._variance(self.covariance.variances(asked), factor, known)
        if zeros is None:
            return mean, variance
        its_factor, its_known = self._seen(zeros)
        its_variance = self._variance(self.covariance.variances(zeros), its_factor, its_known) + self.covariance.noise
        cross = self.covariance.with_other_features(asked, zeros)
        cross += np.sum(known * its_known, axis=0) - np.sum(factor * its_factor, axis=1)
        step = cross / its_variance
        return mean - step[:, None] * (its_factor @ self.weights), np.maximum(variance - step * cross, 0.0)

    def left_out(
        self,
        asked: Contributions,
        asked_groups: IntArray,
        contributions: Contributions,
        outputs: FloatArray,
        errors: FloatArray,
        groups: IntArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Mean (n', K) and variance (n',) of observations as the training data without those of their group predict.

        Without a group with the covariance A by all data, the noise N and the covariance B with what is asked, the mean
        moves by −B (N − A)⁻¹ (y − mean) and the covariance by B (N − A)⁻¹ Bᵀ: equation 5.12 of Rasmussen and Williams
        for a block.

        :param asked_groups: (n',) the group of each; ``groups`` (n,) those of the training data.
        :param contributions, outputs, errors: the training data.
        """
        mean, variance = self.predict(asked)
        known = self._seen(asked)[1]
        factor, of_training = self._seen(contributions)
        residuals = outputs - factor @ self.weights
        noise = self.covariance.noise + errors**2
        for group in np.unique(asked_groups):
            rows, members = np.flatnonzero(asked_groups == group), np.flatnonzero(groups == group)
            block = of_training[:, members]
            cross = known[:, rows].T @ block
            step = np.linalg.solve(np.diag(noise[members]) - block.T @ block, np.hstack([residuals[members], cross.T]))
            mean[rows] -= cross @ step[:, : outputs.shape[1]]
            variance[rows] += np.sum(cross * step[:, outputs.shape[1] :].T, axis=1)
        return mean, variance

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Plain arrays, their names beginning with ``prefix``, that :meth:`from_arrays` takes back."""
        return {
            **self.inducing.to_arrays(prefix),
            **self.covariance.to_arrays(prefix),
            f'{prefix}_triangle': self.triangle,
            f'{prefix}_precision': self.precision,
            f'{prefix}_weights': self.weights,
            f'{prefix}_amplitudes': self.amplitudes,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str) -> GaussianProcess:
        """Take back what :meth:`to_arrays` gave.

        :raises ModelError: if the shapes do not fit together.
        """
        triangle, precision, weights, amplitudes = (
            arrays[f'{prefix}_{name}'] for name in ('triangle', 'precision', 'weights', 'amplitudes')
        )
        inducing = Contributions.from_arrays(arrays, prefix)
        square = (inducing.number, inducing.number)
        if triangle.shape != square or precision.shape != square or weights.shape != (square[0], len(amplitudes)):
            raise ModelError(f'the arrays of the process {prefix} do not fit together')
        return cls(Covariance.from_arrays(arrays, prefix), inducing, triangle, precision, weights, amplitudes)

    @staticmethod
    def _variance(before: FloatArray, factor: FloatArray, known: FloatArray) -> FloatArray:
        """What is left of variances (n',) once the data are known."""
        left: FloatArray = np.maximum(before - np.sum(factor**2, axis=1), 0.0) + np.sum(known**2, axis=0)
        return left

    def _seen(self, contributions: Contributions) -> tuple[FloatArray, FloatArray]:
        """Rows Φ (n', r) of observations, and P⁻¹ Φᵀ (r, n'), whose products are covariances of what is known."""
        cross = self.covariance.between(self.inducing, contributions)
        factor: FloatArray = solve_triangular(self.triangle, cross, lower=True).T
        return factor, solve_triangular(self.precision, factor.T, lower=True)


def _pivoted_cholesky(contributions: Contributions, covariance: Covariance, rank: int) -> tuple[IntArray, FloatArray]:
    """Pivots (r,), r ≤ rank, and factor Φ (n, r) of the covariance matrix of n observations."""
    left = covariance.variances(contributions)
    enough = _NO_VARIANCE_LEFT * left.max()
    rank = min(rank, len(left))
    pivots, factor = np.zeros(rank, dtype=np.int64), np.zeros((len(left), rank))
    for step in range(rank):
        pivot = int(np.argmax(left))
        if left[pivot] <= enough:
            return pivots[:step], factor[:, :step]
        column = covariance.between(contributions, contributions.subset(np.array([pivot])))[:, 0]
        column -= factor[:, :step] @ factor[pivot, :step]
        factor[:, step] = column / np.sqrt(left[pivot])
        factor[pivots[:step], step] = 0.0
        left -= factor[:, step] ** 2
        left[pivot] = 0.0
        pivots[step] = pivot
    return pivots, factor
