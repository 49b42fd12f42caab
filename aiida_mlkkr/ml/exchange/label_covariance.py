"""Covariances of labels such as elements or geometries, whose strengths and places data may move.

A label k has a strength a_k and a place x_k. Both follow features of the label, so that labels never seen have them,
too; each label that was seen may deviate from that:

    ln a_k = c + s u_k + α_k ,    x_k = f_k / L + δ_k ,    C_kl = a_k a_l exp(−|x_k − x_l|²/2) .

The deviations α and δ are normal around zero: random effects, which the data resolve or leave alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """Expected values and widths.

    :param level: of c; ``slope`` of s; ``lengths`` of ln L: pairs (expected, width).
    :param strength, place: widths of the deviations.
    """

    level: tuple[float, float]
    slope: tuple[float, float]
    lengths: tuple[float, float]
    strength: float
    place: float


@dataclass(frozen=True, eq=False)
class Labels:
    """Features of k labels: ``strength`` u, shape (k); ``place`` f, shape (k, q)."""

    strength: FloatArray
    place: FloatArray


@dataclass(frozen=True, eq=False)
class Points:
    """Logarithms of strengths, shape (k), and places of labels, shape (k, q)."""

    logarithm: FloatArray
    place: FloatArray

    def with_others(self, others: Points) -> FloatArray:
        """Covariances with other labels, shape (k, k')."""
        squares = ((self.place[:, None] - others.place[None]) ** 2).sum(axis=2)
        values: FloatArray = np.exp(self.logarithm[:, None] + others.logarithm[None] - 0.5 * squares)
        return values


class LabelCovariance:
    """Covariance of the labels of a training, as a function of its hyperparameters.

    :param labels: k of them.
    """

    def __init__(self, labels: Labels, prior: Prior) -> None:
        self.labels = labels
        self._k, self._q = labels.place.shape
        ones = np.ones(self._k * self._q)
        self.expected = np.concatenate(
            [[prior.level[0], prior.slope[0]], [prior.lengths[0]] * self._q, np.zeros(self._k), 0 * ones]
        )
        self.width = np.concatenate(
            [
                [prior.level[1], prior.slope[1]],
                [prior.lengths[1]] * self._q,
                np.full(self._k, prior.strength),
                prior.place * ones,
            ]
        )

    def points(self, x: FloatArray) -> Points:
        """Strengths and places of the labels.

        :param x: hyperparameters, as :attr:`expected`.
        """
        q, k = self._q, self._k
        bare = self.unseen(x, self.labels)
        return Points(bare.logarithm + x[2 + q : 2 + q + k], bare.place + x[2 + q + k :].reshape(k, q))

    def unseen(self, x: FloatArray, labels: Labels) -> Points:
        """Those of labels that may not deviate, because nothing is known of them."""
        return Points(x[0] + x[1] * labels.strength, labels.place / np.exp(x[2 : 2 + self._q]))

    def gradient(self, x: FloatArray, slope: FloatArray) -> FloatArray:
        """Derivatives by the hyperparameters of a function of the covariance.

        :param slope: its derivative by the matrix, symmetric, shape (k, k).
        """
        points = self.points(x)
        weight = slope * points.with_others(points)
        sums = weight.sum(axis=1)
        strength = 2.0 * sums
        place = -2.0 * (sums[:, None] * points.place - weight @ points.place)
        lengths = -np.sum(place * self.labels.place, axis=0) / np.exp(x[2 : 2 + self._q])
        return np.concatenate([[strength.sum(), strength @ self.labels.strength], lengths, strength, place.ravel()])
