"""Covariances of what impurities contribute to observations, and the most likely of them.

Two contributions of features x and environments p of their sites, components of the same tensor, have

    k(x, p; x', p') = M(x, x'; λ) + a κ(p, p')^ζ M(x, x'; μ),    κ = p·p',

a part common to all sites and one that depends on the environment (SOAP), so that a host that has not been seen shares
as much as its environment resembles the known ones; M is the Matérn function of order 5/2 with one length for each
feature. Lengths, a, ζ and the noise maximise the marginal likelihood with broad priors on their logarithms, so that a
feature that the data do not resolve keeps its prior length.
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
from scipy.spatial.distance import cdist

from aiida_mlkkr.ml.contributions import Contributions

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SCALARS: Final = {
    'share': (0.05, 0.7, (1e-3, 5.0)),
    'power': (4.0, 0.5, (1.0, 50.0)),
    'noise': (1e-3, 1.0, (1e-4, 1.0)),
}
"""Centre and width of the prior (of the logarithm), and bounds.

Where one host alone is known, the share stays at its centre: another one is then expected to be almost the same, which
is nearer to the truth for Cu and Ag than what both together say.
"""

_LENGTH_WIDTH: Final = 0.7
_LENGTH_FACTOR: Final = 8.0
_SECOND_START: Final = 0.7
"""Lengths are also sought from priors that are longer by this, in the logarithm."""


@dataclass(frozen=True, eq=False)
class Covariance:
    """The covariance of contributions.

    :param lengths: λ, (d,), of the part common to all environments.
    :param local_lengths: μ, (d,), of the part that depends on the environment.
    :param share: a, weight of this part.
    :param power: ζ.
    :param noise: variance of an observation that no contribution explains; that of a contribution is 1 + a.
    """

    lengths: FloatArray
    local_lengths: FloatArray
    share: float
    power: float
    noise: float

    def between(self, one: Contributions, other: Contributions) -> FloatArray:
        """Covariances (n, n') of observations, without noise."""
        first, second = np.ogrid[: len(one.weight), : len(other.weight)]
        return other.summed(one.summed(self._single(one, first, other, second)).T).T

    def variances(self, contributions: Contributions) -> FloatArray:
        """Variances (n,) of observations, without noise."""
        return self.with_other_features(contributions, contributions)

    def with_other_features(self, one: Contributions, other: Contributions) -> FloatArray:
        """Covariances (n,) of each observation with the same one made of contributions of other features."""
        first, second = one.pairs()
        weights = one.weight[first] * other.weight[second]
        values = weights * self._single(one, first, other, second)
        total: FloatArray = np.bincount(one.observation[first], values, one.number).astype(float)
        return total

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Plain arrays, their names beginning with ``prefix``, that :meth:`from_arrays` takes back."""
        return {
            f'{prefix}_lengths': np.stack([self.lengths, self.local_lengths]),
            f'{prefix}_scalars': np.array([self.share, self.power, self.noise]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str) -> Covariance:
        """Take back what :meth:`to_arrays` gave."""
        lengths, local_lengths = arrays[f'{prefix}_lengths']
        share, power, noise = arrays[f'{prefix}_scalars'].tolist()
        return cls(lengths, local_lengths, share, power, noise)

    def _single(self, one: Contributions, first: IntArray, other: Contributions, second: IntArray) -> FloatArray:
        """Covariances of single contributions of one table with those of another: of a list of pairs (p,), or of all.

        :param first, second: (p,) each, or (m, 1) and (1, m').
        """
        alike = self._alike(one, first, other, second)
        common, local = (
            _matern(one.features / lengths, first, other.features / lengths, second)
            for lengths in (self.lengths, self.local_lengths)
        )
        covariances: FloatArray = (common + self.share * alike * local) * (one.tensor[first] == other.tensor[second])
        return covariances

    def _alike(self, one: Contributions, first: IntArray, other: Contributions, second: IntArray) -> FloatArray:
        """How much the environments have in common, κ^ζ, in the same form."""
        of_one, of_other = one.environment[first], other.environment[second]
        if first.ndim == 1:
            overlaps = np.sum(one.environments[of_one] * other.environments[of_other], axis=1)
            return _power(overlaps, self.power)
        return _power(one.environments @ other.environments.T, self.power)[of_one, of_other]


def _power(overlaps: FloatArray, power: float) -> FloatArray:
    raised: FloatArray = np.maximum(overlaps, 0.0) ** power
    return raised


def _matern(x: FloatArray, first: IntArray, y: FloatArray, second: IntArray) -> FloatArray:
    if first.ndim == 1:
        distance = np.sqrt(5.0) * np.linalg.norm(x[first] - y[second], axis=1)
    else:
        distance = np.sqrt(5.0) * cdist(x, y)
    values: FloatArray = (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)
    return values


def covariances_of(
    contributions: Contributions,
    outputs: FloatArray,
    errors: FloatArray,
    descriptions: Sequence[Sequence[float]],
    number: int,
    seed: int,
) -> list[Covariance]:
    """The most likely covariance of observations, or of some of them where there are very many, for each description.

    :param errors: (n,) standard errors of the observations in units of the outputs' root mean square.
    :param descriptions: for each way to describe contributions the lengths (d,) of the features that are expected
        before any data are seen, very long where it does without a feature.
    :param number: how many observations at most decide; ``seed`` of their choice.
    """
    n = contributions.number
    chosen = np.arange(n)
    if n > number:
        chosen = np.sort(np.random.default_rng(seed).choice(n, number, replace=False))
    seen = contributions.subset(chosen)
    return [_most_likely(seen, outputs[chosen], errors[chosen], lengths) for lengths in descriptions]


def _most_likely(
    contributions: Contributions, outputs: FloatArray, errors: FloatArray, prior_lengths: Sequence[float]
) -> Covariance:
    """Maximise the marginal likelihood, the amplitude common to all outputs taken at its best, with the priors.

    Where there is only one environment, the part that depends on it is left at its prior.
    """
    prior = np.log(prior_lengths)
    d = len(prior)
    scalar_centres, scalar_widths, scalar_bounds = zip(*_SCALARS.values(), strict=True)
    centre = np.concatenate([prior, prior, np.log(scalar_centres)])
    width = np.array([_LENGTH_WIDTH] * 2 * d + list(scalar_widths))
    several = _are_several(contributions.environments)
    free = np.array([True] * d + [several] * d + [several, several, True])
    n, k = outputs.shape

    def covariance(x: FloatArray) -> Covariance:
        values = np.exp(np.where(free, _placed(x, free), centre))
        return Covariance(values[:d], values[d : 2 * d], *values[2 * d :].tolist())

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
    low[2 * d :], high[2 * d :] = np.log(scalar_bounds).T
    bounds = list(zip(low[free], high[free], strict=True))
    starts = [centre, centre + np.array([_SECOND_START] * 2 * d + [0.0] * len(_SCALARS))]
    best = min((minimize(cost, start[free], method='L-BFGS-B', bounds=bounds) for start in starts), key=lambda r: r.fun)
    return covariance(best.x)


def _are_several(environments: FloatArray) -> bool:
    return bool(len(environments) and np.abs(environments - environments[0]).max() > 1e-6)


def _placed(x: FloatArray, free: NDArray[np.bool_]) -> FloatArray:
    full = np.zeros(len(free))
    full[free] = x
    return full
