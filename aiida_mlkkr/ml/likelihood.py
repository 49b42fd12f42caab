"""Strengths, lengths and noise of a linear model with blocks of terms, by its marginal likelihood in closed form.

An output y_k of r rows is normal with covariance C = Σ_b s_b K_b + N, where K_b are the covariances of the terms of
block b and N the noise, one for sites with an impurity and one for those beside it (C. E. Rasmussen and C. K. I.
Williams, Gaussian Processes for Machine Learning, MIT Press 2006, equations 5.8 and 5.9). Lengths of element features
have a broad prior, so that a feature that the data do not resolve keeps its prior length; so have strengths and noise.

The outputs are not K independent ones of equal size: they count as (Σ_k v_k)²/Σ_k v_k² with their mean squares v_k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from aiida_mlkkr.ml.covariant import BLOCKS, Terms
from aiida_mlkkr.ml.element_kernel import ElementKernel
from aiida_mlkkr.ml.elements import AROUND, ON_SITE

FloatArray = NDArray[np.float64]

_LENGTHS: Final = len(ON_SITE) + len(AROUND)
_SPLIT: Final = (_LENGTHS, _LENGTHS + len(BLOCKS))
_CENTRE: Final = np.concatenate([[np.log(2.5)] * _LENGTHS, [0.0] * len(BLOCKS), [-6.0] * 2])
"""Expected logarithms: of lengths, of strengths in units that explain the outputs, of noise in units of the outputs."""
_WIDTH: Final = np.concatenate([[0.7] * _LENGTHS, [3.0] * len(BLOCKS), [2.0] * 2])
_LOW: Final = np.concatenate([_CENTRE[:_LENGTHS] - 2.0, [-18.0] * len(BLOCKS), [-18.0] * 2])
_HIGH: Final = np.concatenate([_CENTRE[:_LENGTHS] + 2.0, [7.0] * len(BLOCKS), [0.0] * 2])
_SMALLEST: Final = 1e-12
_FORBIDDEN: Final = 1e-10
"""Mean square of the terms of a block below which symmetry forbids them, and what is left is rounding."""
_STEPS: Final = 80


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    """What the data decide on besides the weights.

    :param lengths: (8,) of the features of the element on a site, and of those around it.
    :param strengths: (3,) prior variances of the weights of each block.
    :param noise: (2,) variances of an output that no term explains, with an impurity on the site and without.
    """

    lengths: FloatArray
    strengths: FloatArray
    noise: FloatArray

    @property
    def kernels(self) -> tuple[ElementKernel, ElementKernel]:
        """Of elements on a site, and of those around it."""
        return kernels(self.lengths)


def kernels(lengths: FloatArray) -> tuple[ElementKernel, ElementKernel]:
    """Covariances of elements on a site, and of those around it."""
    return ElementKernel(ON_SITE, lengths[: len(ON_SITE)]), ElementKernel(AROUND, lengths[len(ON_SITE) :])


class Likelihood:
    """Marginal likelihood of outputs.

    :param terms: of r rows.
    :param outputs: (r, K); ``known_noise`` (r,) variance that they are known to have.
    :param changed: (r,) whether there is an impurity on the site.
    """

    def __init__(self, terms: Terms, outputs: FloatArray, known_noise: FloatArray, changed: NDArray[np.bool_]) -> None:
        self._terms, self._outputs, self._known_noise = terms, outputs, known_noise
        self._classes = np.stack([changed, ~changed]).astype(np.float64)
        self._scale = max(float(np.mean(outputs**2)), _SMALLEST)
        squares = np.mean(outputs**2, axis=0) + _SMALLEST
        self._share = float(squares.sum() ** 2 / np.sum(squares**2)) / outputs.shape[1]
        traces = [np.mean(np.diag(part)) for part in terms.covariances(*kernels(np.exp(_CENTRE[:_LENGTHS])))]
        self._units = np.array([self._scale / trace if trace > _FORBIDDEN else self._scale for trace in traces])

    def maximised(self) -> Hyperparameters:
        """The most likely hyperparameters."""
        bounds = list(zip(_LOW, _HIGH, strict=True))
        found = minimize(self.cost, _CENTRE, jac=True, method='L-BFGS-B', bounds=bounds, options={'maxiter': _STEPS})
        return self._hyperparameters(found.x)

    def cost(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Minus the logarithm of the likelihood times prior, and its gradient.

        :param x: (13,) logarithms of hyperparameters, strengths and noise in units of the outputs.
        """
        tried = self._hyperparameters(x)
        parts = self._terms.covariances(*tried.kernels)
        matrix = np.tensordot(tried.strengths, parts, 1)
        matrix[np.diag_indices_from(matrix)] += tried.noise @ self._classes + self._known_noise
        factor = cho_factor(matrix, lower=True)
        inverse = cho_solve(factor, np.eye(len(matrix)))
        solved = inverse @ self._outputs
        number = self._outputs.shape[1]
        value = 0.5 * float(np.sum(self._outputs * solved)) + number * float(np.log(np.diag(factor[0])).sum())
        slope = 0.5 * (number * inverse - solved @ solved.T)
        by_length = (np.tensordot(tried.strengths, change, 1) for change in self._terms.gradients(*tried.kernels))
        gradient = np.concatenate(
            [
                [np.sum(slope * change) for change in by_length],
                tried.strengths * np.array([np.sum(slope * part) for part in parts]),
                tried.noise * (self._classes @ np.diag(slope)),
            ]
        )
        away = (x - _CENTRE) / _WIDTH
        return self._share * value + 0.5 * float(away @ away), self._share * gradient + away / _WIDTH

    def _hyperparameters(self, x: FloatArray) -> Hyperparameters:
        lengths, strengths, noise = np.split(np.exp(x), _SPLIT)
        return Hyperparameters(lengths, self._units * strengths, self._scale * noise)
