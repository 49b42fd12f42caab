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
_PRIOR_LENGTH: Final = np.log(2.5)
_PRIOR_WIDTH: Final = 0.7
_LENGTH_RANGE: Final = 2.0
_STRENGTH_BOUNDS: Final = (-18.0, 7.0)
_NOISE_BOUNDS: Final = (-18.0, 0.0)
_NOISE: Final = -6.0
_NOISE_WIDTH: Final = 2.0
_STRENGTH_WIDTH: Final = 3.0
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
    :param lengths: (8,) if they are settled already.
    """

    def __init__(
        self,
        terms: Terms,
        outputs: FloatArray,
        known_noise: FloatArray,
        changed: NDArray[np.bool_],
        lengths: FloatArray | None = None,
    ) -> None:
        self._terms, self._outputs, self._known_noise = terms, outputs, known_noise
        self._classes = np.stack([changed, ~changed]).astype(np.float64)
        self._settled = None if lengths is None else np.log(lengths)
        start = np.full(_LENGTHS, _PRIOR_LENGTH) if self._settled is None else self._settled
        self._scale = max(float(np.mean(outputs**2)), _SMALLEST)
        squares = np.mean(outputs**2, axis=0) + _SMALLEST
        self._share = float(squares.sum() ** 2 / np.sum(squares**2)) / outputs.shape[1]
        self._covariances = terms.covariances(*kernels(np.exp(start)))
        traces = [np.trace(part) / len(part) for part in self._covariances]
        self._units = np.array([self._scale / trace if trace > _FORBIDDEN else self._scale for trace in traces])

    def maximised(self) -> Hyperparameters:
        """The most likely hyperparameters."""
        start = np.concatenate([[_PRIOR_LENGTH] * _LENGTHS, [0.0] * len(BLOCKS), [_NOISE] * 2])
        length = (_PRIOR_LENGTH - _LENGTH_RANGE, _PRIOR_LENGTH + _LENGTH_RANGE)
        bounds = [length] * _LENGTHS + [_STRENGTH_BOUNDS] * len(BLOCKS) + [_NOISE_BOUNDS] * 2
        skipped = 0 if self._settled is None else _LENGTHS
        found = minimize(
            self.cost,
            start[skipped:],
            jac=True,
            method='L-BFGS-B',
            bounds=bounds[skipped:],
            options={'maxiter': _STEPS},
        )
        lengths, strengths, noise = self._split(found.x)
        return Hyperparameters(np.exp(lengths), strengths, noise)

    def cost(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Minus the logarithm of the likelihood (times prior) of logarithms of hyperparameters, and its gradient."""
        lengths, strengths, noise = self._split(x)
        of_elements = kernels(np.exp(lengths))
        parts = self._covariances if self._settled is not None else self._terms.covariances(*of_elements)
        matrix = np.tensordot(strengths, parts, 1)
        matrix[np.diag_indices_from(matrix)] += noise @ self._classes + self._known_noise
        factor = cho_factor(matrix, lower=True)
        inverse = cho_solve(factor, np.eye(len(matrix)))
        solved = inverse @ self._outputs
        number = self._outputs.shape[1]
        value = 0.5 * float(np.sum(self._outputs * solved)) + number * float(np.log(np.diag(factor[0])).sum())
        slope = 0.5 * (number * inverse - solved @ solved.T)
        of_blocks = strengths * np.array([np.sum(slope * part) for part in parts])
        of_noise = noise * (self._classes @ np.diag(slope))
        value, of_blocks, of_noise = self._share * value, self._share * of_blocks, self._share * of_noise
        blocks, unexplained = x[-len(BLOCKS) - 2 : -2] / _STRENGTH_WIDTH, (x[-2:] - _NOISE) / _NOISE_WIDTH
        value += 0.5 * float(blocks @ blocks + unexplained @ unexplained)
        of_blocks, of_noise = of_blocks + blocks / _STRENGTH_WIDTH, of_noise + unexplained / _NOISE_WIDTH
        if self._settled is not None:
            return value, np.concatenate([of_blocks, of_noise])
        away = (lengths - _PRIOR_LENGTH) / _PRIOR_WIDTH
        by_length = self._terms.gradients(*of_elements)
        of_lengths = np.array([np.sum(slope * np.tensordot(strengths, change, 1)) for change in by_length])
        value += 0.5 * float(away @ away)
        return value, np.concatenate([self._share * of_lengths + away / _PRIOR_WIDTH, of_blocks, of_noise])

    def _split(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        lengths = x[:_LENGTHS] if self._settled is None else self._settled
        strengths, noise = x[-len(BLOCKS) - 2 : -2], x[-2:]
        return lengths, self._units * np.exp(strengths), self._scale * np.exp(noise)
