"""Covariances of what impurities contribute to observations, and the most likely of them.

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

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

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

    def joined(self, other: Contributions) -> Contributions:
        """These observations and others after them."""
        return Contributions(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.host, other.host]),
            np.concatenate([self.observation, self.number + other.observation]),
            np.concatenate([self.weight, other.weight]),
            self.number + other.number,
        )

    def summed(self, matrix: FloatArray) -> FloatArray:
        """Rows (m, k) of single contributions, weighted and summed to rows (n, k) of observations."""
        single = np.arange(len(self.weight))
        summation = csr_array((self.weight, (self.observation, single)), shape=(self.number, len(self.weight)))
        total: FloatArray = summation @ matrix
        return total

    def pairs(self) -> tuple[IntArray, IntArray]:
        """All ordered pairs of contributions to the same observation, each with itself included."""
        order = np.argsort(self.observation, kind='stable')
        counts = np.bincount(self.observation, minlength=self.number)
        of_contribution = counts[self.observation[order]]
        first = np.repeat(np.arange(len(order)), of_contribution)
        starts = np.repeat((np.cumsum(counts) - counts)[self.observation[order]], of_contribution)
        before = np.repeat(np.cumsum(of_contribution) - of_contribution, of_contribution)
        return order[first], order[starts + np.arange(len(first)) - before]

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Plain arrays, their names beginning with ``prefix``."""
        return {
            f'{prefix}_features': self.features,
            f'{prefix}_host': self.host,
            f'{prefix}_observation': self.observation,
            f'{prefix}_weight': self.weight,
            f'{prefix}_number': np.array(self.number),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str) -> Contributions:
        """Take back what :meth:`to_arrays` gave."""
        features, host, observation, weight = (
            arrays[f'{prefix}_{name}'] for name in ('features', 'host', 'observation', 'weight')
        )
        return cls(features, host, observation, weight, int(arrays[f'{prefix}_number']))


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
        first, second = np.ogrid[: len(one.weight), : len(other.weight)]
        return other.summed(one.summed(self._single(one, first, other, second)).T).T

    def variances(self, contributions: Contributions) -> FloatArray:
        """Variances (n,) of observations, without noise."""
        first, second = contributions.pairs()
        weights = contributions.weight[first] * contributions.weight[second]
        values = weights * self._single(contributions, first, contributions, second)
        return np.bincount(contributions.observation[first], values, contributions.number)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Plain arrays, their names beginning with ``prefix``."""
        return {
            f'{prefix}_lengths': np.stack([self.lengths, self.host_lengths]),
            f'{prefix}_shares': np.array([self.host_share, self.noise]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str) -> Covariance:
        """Take back what :meth:`to_arrays` gave."""
        lengths, host_lengths = arrays[f'{prefix}_lengths']
        share, noise = arrays[f'{prefix}_shares'].tolist()
        return cls(lengths, host_lengths, share, noise)

    def _single(self, one: Contributions, first: IntArray, other: Contributions, second: IntArray) -> FloatArray:
        """Covariance of single contributions of one table to those of another, of all or of a list of pairs."""
        common, of_host = (
            _matern(one.features / lengths, first, other.features / lengths, second)
            for lengths in (self.lengths, self.host_lengths)
        )
        return common + self.host_share * (one.host[first] == other.host[second]) * of_host


def _matern(x: FloatArray, first: IntArray, y: FloatArray, second: IntArray) -> FloatArray:
    square = sum((x[first, axis] - y[second, axis]) ** 2 for axis in range(x.shape[1]))
    distance = np.sqrt(5.0 * square)
    values: FloatArray = (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
    return values


def most_likely(
    contributions: Contributions, outputs: FloatArray, errors: FloatArray, prior_lengths: Sequence[float]
) -> Covariance:
    """Maximise the marginal likelihood, the amplitude common to all outputs taken at its best, with the priors."""
    prior = np.log(prior_lengths)
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
        matrix[np.diag_indices_from(matrix)] += candidate.noise + errors**2
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
