"""Gaussian-process regression of sums of contributions, each of an element in a host.

What is observed at a site is a sum over impurities j, y = Σ_j s_j f(x_j, h_j), with signs or weights s_j. With a
covariance k of f, that of the observations is S k Sᵀ; everything else is the textbook's (C. E. Rasmussen and C. K. I.
Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapters 2 and 5). All outputs share one covariance,

    k(x, h; x', h') = M(x, x'; λ) + a δ_hh' M(x, x'; μ),

a part common to all hosts and one of each host (of each different atom of its cell), with the Matérn function M of
order 5/2 and one length for each feature. Lengths, a and the noise maximise the marginal likelihood with broad priors
on their logarithms, so that a feature that the data do not resolve keeps its prior length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from aiida_mlkkr.ml.errors import ModelError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_OBSERVATIONS: Final = 5000
"""As many take some minutes and 5 GB of memory, which grows with the square, the time with the third power."""

_OBSERVATIONS_FOR_LENGTHS: Final = 250
_PRIOR_WIDTH: Final = 0.7
_NOISE: Final = 1e-3
_NOISE_WIDTH: Final = 2.0
_HOST_SHARE: Final = 0.2
_LENGTH_FACTOR: Final = 8.0
_NOISE_BOUNDS: Final = (1e-6, 1.0)
_SHARE_BOUNDS: Final = (1e-3, 5.0)


@dataclass(frozen=True, eq=False)
class Contributions:
    """Which contributions make up each of n observations: m of them in all.

    :param features: (m, d) of the element and where it stands.
    :param host: (m,) number of what it has a part of its own in: the atom of a host that it replaces.
    :param observation: (m,) to which observation it belongs.
    :param weight: (m,) factor of it, such as the sign of a moment.
    :param number: n, number of observations.
    """

    features: FloatArray
    host: IntArray
    observation: IntArray
    weight: FloatArray
    number: int

    def subset(self, chosen: IntArray) -> Contributions:
        """The contributions to some of the observations."""
        place = np.full(self.number, -1)
        place[chosen] = np.arange(len(chosen))
        kept = place[self.observation] >= 0
        return Contributions(
            self.features[kept], self.host[kept], place[self.observation[kept]], self.weight[kept], len(chosen)
        )

    def summed(self, matrix: FloatArray) -> FloatArray:
        """Rows (m, k) of single contributions, weighted and summed to rows (n, k) of observations."""
        single = np.arange(len(self.weight))
        summation = csr_array((self.weight, (self.observation, single)), shape=(self.number, len(self.weight)))
        total: FloatArray = summation @ matrix
        return total


@dataclass(frozen=True, eq=False)
class Covariance:
    """The covariance of contributions.

    :param lengths: (d,) of the part common to all hosts.
    :param host_lengths: (d,) of the part of each host.
    :param host_share: a, weight of the part of each host.
    :param noise: variance of an observation that no contribution explains; that of a contribution is 1 + a.
    """

    lengths: FloatArray
    host_lengths: FloatArray
    host_share: float
    noise: float

    def between(self, one: Contributions, other: Contributions) -> FloatArray:
        """Covariances (n, n') of observations, without noise."""
        same_host = one.host[:, None] == other.host[None, :]
        single = _matern(one.features, other.features, self.lengths)
        single += self.host_share * same_host * _matern(one.features, other.features, self.host_lengths)
        return other.summed(one.summed(single).T).T

    def variances(self, contributions: Contributions) -> FloatArray:
        """Variances (n,) of observations, without noise."""
        variances = [
            self.between(part, part)[0, 0]
            for part in (contributions.subset(np.array([i])) for i in range(contributions.number))
        ]
        return np.array(variances)


class GaussianProcess:
    """A fitted process: observations, their covariance, and what follows from both.

    :param contributions: to the n observations.
    :param outputs: (n, K) observed values.
    :raises ModelError: if there are too many, or the covariance is not one.
    """

    def __init__(self, contributions: Contributions, outputs: FloatArray, covariance: Covariance) -> None:
        if contributions.number > MAX_OBSERVATIONS:
            raise ModelError(
                f'{contributions.number} different sites are more than the {MAX_OBSERVATIONS} that this model can take'
            )
        self.contributions = contributions
        self.outputs = outputs
        self.covariance = covariance
        matrix = covariance.between(contributions, contributions)
        matrix[np.diag_indices_from(matrix)] += covariance.noise
        try:
            self._factor = cho_factor(matrix, lower=True)
        except np.linalg.LinAlgError as error:
            raise ModelError(f'the covariance of the training data is not positive definite: {error}') from error
        self._weights: FloatArray = cho_solve(self._factor, outputs)
        self.amplitudes: FloatArray = np.mean(outputs * self._weights, axis=0)
        """Variance (K,) of each output in units of the covariance."""

    @classmethod
    def fit(
        cls, contributions: Contributions, outputs: FloatArray, prior_lengths: Sequence[float], seed: int
    ) -> GaussianProcess:
        """Find lengths, shares and noise of largest marginal likelihood, and condition on the observations.

        :param prior_lengths: (d,) length of each feature that is expected before any data are seen.
        :param seed: of the choice of observations that decide on the lengths where there are very many.
        :raises ModelError: if there are no observations, or too many.
        """
        n = contributions.number
        if n == 0:
            raise ModelError('there is nothing to learn from')
        chosen = np.arange(n)
        if n > _OBSERVATIONS_FOR_LENGTHS:
            chosen = np.sort(np.random.default_rng(seed).choice(n, _OBSERVATIONS_FOR_LENGTHS, replace=False))
        covariance = _most_likely(contributions.subset(chosen), outputs[chosen], np.log(prior_lengths))
        return cls(contributions, outputs, covariance)

    def predict(self, contributions: Contributions) -> tuple[FloatArray, FloatArray]:
        """Mean (n', K) of observations, and their variance (n',) in units of the amplitudes."""
        cross = self.covariance.between(contributions, self.contributions)
        explained = np.einsum('ij,ji->i', cross, cho_solve(self._factor, cross.T))
        return cross @ self._weights, np.maximum(self.covariance.variances(contributions) - explained, 0.0)

    def left_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean (n, K) and variance (n,) of each observation as the others predict it (equation 5.12)."""
        inverse = cho_solve(self._factor, np.eye(self.contributions.number))
        variances = 1.0 / np.diag(inverse)
        return self.outputs - self._weights * variances[:, None], variances

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Plain arrays, their names beginning with ``prefix``, that :meth:`from_arrays` takes back."""
        contributions, covariance = self.contributions, self.covariance
        return {
            f'{prefix}_features': contributions.features,
            f'{prefix}_host': contributions.host,
            f'{prefix}_observation': contributions.observation,
            f'{prefix}_weight': contributions.weight,
            f'{prefix}_outputs': self.outputs,
            f'{prefix}_lengths': np.stack([covariance.lengths, covariance.host_lengths]),
            f'{prefix}_shares': np.array([covariance.host_share, covariance.noise]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str) -> GaussianProcess:
        """Take back what :meth:`to_arrays` gave."""
        outputs = arrays[f'{prefix}_outputs']
        contributions = Contributions(
            features=arrays[f'{prefix}_features'],
            host=arrays[f'{prefix}_host'],
            observation=arrays[f'{prefix}_observation'],
            weight=arrays[f'{prefix}_weight'],
            number=len(outputs),
        )
        lengths, host_lengths = arrays[f'{prefix}_lengths']
        share, noise = arrays[f'{prefix}_shares'].tolist()
        return cls(contributions, outputs, Covariance(lengths, host_lengths, share, noise))


def _matern(x: FloatArray, y: FloatArray, lengths: FloatArray) -> FloatArray:
    distance = np.sqrt(5.0) * cdist(x / lengths, y / lengths)
    values: FloatArray = (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
    return values


def _most_likely(contributions: Contributions, outputs: FloatArray, prior: FloatArray) -> Covariance:
    """Maximise the marginal likelihood, the amplitude common to all outputs taken at its best, with the priors."""
    d = len(prior)
    several_hosts = len(np.unique(contributions.host)) > 1
    centre = np.concatenate([prior, prior, [np.log(_NOISE), np.log(_HOST_SHARE)]])
    width = np.array([_PRIOR_WIDTH] * 2 * d + [_NOISE_WIDTH, 1.0])
    free = np.concatenate([np.ones(d), np.full(d, several_hosts), [1, several_hosts]]).astype(bool)
    n, k = outputs.shape

    def covariance(x: FloatArray) -> Covariance:
        full = centre.copy()
        full[free] = x
        values = np.exp(full)
        share = float(values[-1]) if several_hosts else 0.0
        return Covariance(values[:d], values[d : 2 * d], share, float(values[-2]))

    def cost(x: FloatArray) -> float:
        candidate = covariance(x)
        matrix = candidate.between(contributions, contributions)
        matrix[np.diag_indices_from(matrix)] += candidate.noise
        factor, _ = cho_factor(matrix, lower=True)
        fit = float(np.sum(outputs * cho_solve((factor, True), outputs)))
        penalty = 0.5 * float(np.sum(((x - centre[free]) / width[free]) ** 2))
        determinant = float(np.log(np.diag(factor)).sum())
        likelihood: float = 0.5 * n * k * log(max(fit, 1e-300) / (n * k)) + k * determinant
        return likelihood + penalty

    low, high = centre - np.log(_LENGTH_FACTOR), centre + np.log(_LENGTH_FACTOR)
    low[-2:], high[-2:] = np.log([_NOISE_BOUNDS, _SHARE_BOUNDS]).T
    bounds = list(zip(low[free], high[free], strict=True))
    starts = [centre, centre + np.concatenate([np.full(2 * d, 0.7), [0.0, 0.0]])]
    best = min((minimize(cost, start[free], method='L-BFGS-B', bounds=bounds) for start in starts), key=lambda r: r.fun)
    return covariance(best.x)
