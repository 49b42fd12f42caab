"""Jacobi polynomials of a distance.

M. Domina, U. Patil, M. Cobelli, S. Sanvito, Phys. Rev. B 108, 094102 (2023); B. Focassio, M. Domina, U. Patil,
A. Fazzio, S. Sanvito, npj Comput. Mater. 9, 87 (2023). With x(r) = cos(π r/r_cut), Jacobi polynomials P_n
of orders (α, β), and

    P̃_n = P_n(x) − P_n(−1)                          (n ≥ 1, vanishing at r_cut),
    P̄_n = P̃_n − P̃_n(x=1)/P̃_1(x=1) · P̃_1             (n ≥ 2, vanishing at r = 0 too).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_jacobi

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class JacobiFunctions:
    """Functions of a distance that vanish at a cutoff and beyond.

    :param number: N, the largest n.
    :param cutoff: in the unit of the distances.
    :param alpha, beta: orders of the polynomials, larger than −1; no integers in general.
    """

    number: int
    cutoff: float
    alpha: float = 1.0
    beta: float = 1.0

    def vanishing(self, distances: FloatArray) -> FloatArray:
        """P̃_n (m, N) of distances (m,), n from 1."""
        return self._vanishing(np.cos(pi * np.minimum(distances / self.cutoff, 1.0)))

    def doubly_vanishing(self, distances: FloatArray) -> FloatArray:
        """P̄_n (m, N − 1) of distances (m,), n from 2."""
        values, at_zero = self.vanishing(distances), self._vanishing(np.ones(1))[0]
        doubly: FloatArray = values[:, 1:] - values[:, :1] * at_zero[1:] / at_zero[0]
        return doubly

    def _vanishing(self, x: FloatArray) -> FloatArray:
        n = np.arange(1, self.number + 1)
        at_cutoff = eval_jacobi(n, self.alpha, self.beta, -1.0)
        values: FloatArray = eval_jacobi(n, self.alpha, self.beta, x[:, None]) - at_cutoff
        return values
