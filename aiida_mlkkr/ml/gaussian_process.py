"""Gaussian-process regression of sums of contributions, each of an element in a host.

What is observed at a site is a sum over impurities j, y = Σ_j s_j f(x_j, h_j), with signs or weights s_j. With a
covariance k of f, that of the observations is S k Sᵀ. All outputs share it up to a factor.

The covariance matrix of n observations is K = Φ Φᵀ, its Cholesky factor with the pivots as large as can be. Where n is
larger than the rank allowed, Φ (n, r) ends at the r-th pivot: these observations are the inducing variables of the
variational process of M. K. Titsias, AISTATS 2009 (equations 6 and 10), which is the exact one for r = n; the rest is
the textbook's (C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, MIT Press 2006,
chapters 2 and 5) for the linear model y = Φ w + noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular

from aiida_mlkkr.ml.covariance import Contributions, Covariance, most_likely
from aiida_mlkkr.ml.errors import ModelError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_OBSERVATIONS_FOR_LENGTHS = 300
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
    def fit(
        cls,
        contributions: Contributions,
        outputs: FloatArray,
        errors: FloatArray,
        prior_lengths: Sequence[float],
        rank: int,
        seed: int,
    ) -> GaussianProcess:
        """Find lengths, shares and noise of largest marginal likelihood, and condition on the observations.

        :param errors: (n,) standard errors of the observations in units of the outputs' root mean square.
        :param prior_lengths: (d,) length of each feature that is expected before any data are seen.
        :param seed: of the choice of observations that decide on the lengths where there are very many.
        :raises ModelError: if there are no observations.
        """
        n = contributions.number
        if n == 0:
            raise ModelError('there is nothing to learn from')
        chosen = np.arange(n)
        if n > _OBSERVATIONS_FOR_LENGTHS:
            chosen = np.sort(np.random.default_rng(seed).choice(n, _OBSERVATIONS_FOR_LENGTHS, replace=False))
        covariance = most_likely(contributions.subset(chosen), outputs[chosen], errors[chosen], prior_lengths)
        return cls.condition(contributions, outputs, errors, covariance, rank)

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

    def with_outputs(self, contributions: Contributions, outputs: FloatArray, errors: FloatArray) -> GaussianProcess:
        """The same process with these outputs in place of its own."""
        return self.condition(contributions, outputs, errors, self.covariance, len(self.weights))

    def predict(self, contributions: Contributions) -> tuple[FloatArray, FloatArray]:
        """Mean (n', K) of observations, and their variance (n',) in units of the amplitudes."""
        factor = self._factor(contributions)
        known = solve_triangular(self.precision, factor.T, lower=True)
        beyond = self.covariance.variances(contributions) - np.sum(factor**2, axis=1)
        return factor @ self.weights, np.maximum(beyond, 0.0) + np.sum(known**2, axis=0)

    def left_out(
        self, contributions: Contributions, outputs: FloatArray, errors: FloatArray, groups: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Mean (n, K) and variance (n,) of training observations as those of the other groups predict them.

        With the covariance A of a group's observations by all data, and their noise N, it is A (N − A)⁻¹ N without
        them (Rasmussen and Williams, equation 5.12, for a block).
        """
        factor = self._factor(contributions)
        known = solve_triangular(self.precision, factor.T, lower=True)
        variance = np.maximum(self.covariance.variances(contributions) - np.sum(factor**2, axis=1), 0.0)
        mean = factor @ self.weights
        noise = self.covariance.noise + errors**2
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            block = known[:, rows].T @ known[:, rows]
            step = np.linalg.solve(np.diag(noise[rows]) - block, np.column_stack([mean[rows] - outputs[rows], block]))
            mean[rows] += block @ step[:, : outputs.shape[1]]
            variance[rows] += np.diag(block + block @ step[:, outputs.shape[1] :])
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

    def _factor(self, contributions: Contributions) -> FloatArray:
        """Rows Φ (n', r) of observations."""
        cross = self.covariance.between(self.inducing, contributions)
        factor: FloatArray = solve_triangular(self.triangle, cross, lower=True).T
        return factor


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
