"""Covariance of J of pairs, and its marginal likelihood.

By Liechtenstein's formula J is bilinear in what the two elements scatter, with a propagator that the geometry decides.
With independent Gaussian processes for the scattering of elements, with covariance E, and for the propagator, with
covariance G, J of elements a, b in the geometry g has the covariance

    cov[J_ab(g), J_cd(h)] = G_gh (E_ac E_bd + E_ad E_bc)/2 ,

which does not change when the elements are exchanged. The noise is relative to it, with a small absolute part. The
likelihood is equation 5.8 of C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning (MIT Press
2006), times the prior of the hyperparameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import minimize

from aiida_mlkkr.ml.exchange.label_covariance import LabelCovariance, Points

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_NOISE: Final = (np.log([0.1, 2e-3]), np.array([1.0, 1.5]))
_FORBIDDEN: Final = 1e10


@dataclass(frozen=True, eq=False)
class Numbered:
    """Pairs by the numbers of their labels: elements ``a`` and ``b`` and geometry ``g``, each shape (n)."""

    a: IntArray
    b: IntArray
    g: IntArray

    def __len__(self) -> int:
        return len(self.a)


def symmetric_products(elements: FloatArray, one: Numbered, other: Numbered) -> FloatArray:
    """(E_ac E_bd + E_ad E_bc)/2, shape (n, n').

    :param elements: covariances of the elements of the first with those of the other pairs.
    """
    from_a, from_b = elements[one.a], elements[one.b]
    products: FloatArray = 0.5 * (from_a[:, other.a] * from_b[:, other.b] + from_a[:, other.b] * from_b[:, other.a])
    return products


def variances(elements: Points, geometries: Points, pairs: Numbered) -> tuple[FloatArray, FloatArray]:
    """Variance of J by the covariance, and the one that the noise is relative to, each shape (n)."""
    size = np.exp(2.0 * (elements.logarithm[pairs.a] + elements.logarithm[pairs.b] + geometries.logarithm[pairs.g]))
    apart = ((elements.place[pairs.a] - elements.place[pairs.b]) ** 2).sum(axis=1)
    return 0.5 * size * (1.0 + np.exp(-apart)), size


class PairLikelihood:
    """Likelihood of the hyperparameters: those of elements, of geometries, and logarithms of the two noises.

    :param j: labels, shape (n) [meV].
    """

    def __init__(self, elements: LabelCovariance, geometries: LabelCovariance, pairs: Numbered, j: FloatArray) -> None:
        self.elements, self.geometries, self._pairs, self._j = elements, geometries, pairs, j
        self._ends = np.cumsum([len(elements.expected), len(geometries.expected)])
        self.expected = np.concatenate([elements.expected, geometries.expected, _NOISE[0]])
        self.width = np.concatenate([elements.width, geometries.width, _NOISE[1]])
        of = len(elements.labels.strength), len(geometries.labels.strength)
        self._is_a, self._is_b, self._is_g = np.eye(of[0])[pairs.a], np.eye(of[0])[pairs.b], np.eye(of[1])[pairs.g]

    def parts(self, x: FloatArray) -> list[FloatArray]:
        """Hyperparameters of elements, geometries and noise."""
        return np.split(x, self._ends)

    def noise(self, x: FloatArray, pairs: Numbered, elements: Points, geometries: Points) -> FloatArray:
        """Variance of the noise, shape (n)."""
        relative, absolute = np.exp(2.0 * self.parts(x)[2])
        noise: FloatArray = relative * variances(elements, geometries, pairs)[1] + absolute
        return noise

    def maximised(self, steps: int) -> FloatArray:
        """The most likely hyperparameters that so many steps find."""
        found = minimize(self.cost, self.expected, jac=True, method='L-BFGS-B', options={'maxiter': steps})
        best: FloatArray = found.x
        return best

    def cost(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Minus the logarithm of likelihood times prior, and its gradient."""
        of_elements, of_geometries, _ = self.parts(x)
        elements, geometries = self.elements.points(of_elements), self.geometries.points(of_geometries)
        e, g = elements.with_others(elements), geometries.with_others(geometries)
        factors = _Factors.of(e, g, self._pairs)
        matrix = factors.propagators * factors.products
        matrix[np.diag_indices_from(matrix)] += self.noise(x, self._pairs, elements, geometries)
        factor, failed = dpotrf(matrix, lower=True)
        if failed:
            return _FORBIDDEN, np.zeros_like(x)
        triangle, _ = dpotri(factor, lower=True)
        inverse = np.tril(triangle) + np.tril(triangle, -1).T
        solved = inverse @ self._j
        value = 0.5 * float(self._j @ solved) + float(np.log(np.diag(factor)).sum())
        slope = 0.5 * (inverse - np.outer(solved, solved))
        gradient = self._gradient(x, slope, e, g, factors)
        away = (x - self.expected) / self.width
        return value + 0.5 * float(away @ away), gradient + away / self.width

    def _gradient(
        self, x: FloatArray, slope: FloatArray, e: FloatArray, g: FloatArray, factors: _Factors
    ) -> FloatArray:
        p, (of_elements, of_geometries, noises) = self._pairs, self.parts(x)
        weight = slope * factors.propagators
        by_e = self._is_a.T @ (weight * factors.bb) @ self._is_a + self._is_b.T @ (weight * factors.aa) @ self._is_b
        crossed = self._is_a.T @ (weight * factors.ab.T) @ self._is_b
        by_e = 0.5 * (by_e + crossed + crossed.T)
        by_g = self._is_g.T @ (slope * factors.products) @ self._is_g
        relative, absolute = np.exp(2.0 * noises)
        at_e, at_g = np.diag(e), np.diag(g)
        size = at_e[p.a] * at_e[p.b] * at_g[p.g]
        local = relative * np.diag(slope) * size
        by_e += np.diag((local @ self._is_a + local @ self._is_b) / at_e)
        by_g += np.diag(local @ self._is_g / at_g)
        by_noise = 2.0 * np.array([local.sum(), absolute * np.trace(slope)])
        return np.concatenate(
            [self.elements.gradient(of_elements, by_e), self.geometries.gradient(of_geometries, by_g), by_noise]
        )


@dataclass(frozen=True, eq=False)
class _Factors:
    """Covariances of the elements of n pairs, of the first with the first and so on, and of their geometries (n, n)."""

    aa: FloatArray
    bb: FloatArray
    ab: FloatArray
    products: FloatArray
    propagators: FloatArray

    @classmethod
    def of(cls, e: FloatArray, g: FloatArray, p: Numbered) -> _Factors:
        from_a = e[p.a]
        aa, ab, bb = from_a[:, p.a], from_a[:, p.b], e[p.b][:, p.b]
        return cls(aa, bb, ab, 0.5 * (aa * bb + ab * ab.T), g[p.g][:, p.g])
