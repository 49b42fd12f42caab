"""Jacobi polynomials of a distance, and the Jacobi-Legendre expansion of a scalar field that is made of them.

M. Domina, U. Patil, M. Cobelli, S. Sanvito, Phys. Rev. B 108, 094102 (2023); B. Focassio, M. Domina, U. Patil,
A. Fazzio, S. Sanvito, npj Comput. Mater. 9, 87 (2023). With x(r) = cos(π r/r_cut), Jacobi polynomials P_n
of orders (α, β), and

    P̃_n = P_n(x) − P_n(−1)                          (n ≥ 1, vanishing at r_cut),
    P̄_n = P̃_n − P̃_n(x=1)/P̃_1(x=1) · P̃_1             (n ≥ 2, vanishing at r = 0 too),

the field at a point g, with atoms i of elements Z_i at distances r_i in directions r̂_i, is

    ρ(g) = Σ_i Σ_n a(Z_i, n) P̃_n(r_i) + Σ_{i<j} Σ_{n n' l} a(Z_i Z_j, n n' l) P̄_n(r_i) P̄_n'(r_j) P_l(r̂_i·r̂_j).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from math import pi

import numpy as np
from numpy.typing import NDArray
from scipy.special import eval_jacobi

from aiida_mlkkr.ml.harmonics import components, real_harmonics

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


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


@dataclass(frozen=True)
class Term:
    """One term of the expansion: of one element and one n, or of a pair of elements, n, n' and l."""

    elements: tuple[int, ...]
    n: tuple[int, ...]
    l: int = 0


@dataclass(frozen=True)
class JacobiLegendreExpansion:
    """The linear expansion of a scalar field, one- and two-body.

    :param elements: nuclear charges of the atoms that there may be.
    :param functions: of the distance.
    :param lmax: largest order of the Legendre polynomials.
    """

    elements: tuple[int, ...]
    functions: JacobiFunctions
    lmax: int

    @property
    def terms(self) -> list[Term]:
        """All terms. Atoms of one element are interchangeable: of (n, n') and (n', n) there is only n ≤ n'."""
        ns = range(2, self.functions.number + 1)
        found = [Term((z,), (n,)) for z in self.elements for n in range(1, self.functions.number + 1)]
        for z, other in combinations_with_replacement(self.elements, 2):
            pairs = combinations_with_replacement(ns, 2) if z == other else product(ns, ns)
            found += [Term((z, other), pair, l) for pair in pairs for l in range(self.lmax + 1)]
        return found

    def design(self, points: FloatArray, positions: FloatArray, z: IntArray) -> FloatArray:
        """Values (g, t) of the terms at points; a field is their sum with its coefficients.

        The sum over pairs is one of products of sums over atoms, by the addition theorem.

        :param points: (g, 3); ``positions`` (a, 3) and nuclear charges ``z`` (a,) of the atoms.
        """
        vectors = (points[:, None, :] - positions[None, :, :]).reshape(-1, 3)
        distances = np.linalg.norm(vectors, axis=1)
        shape = (len(points), len(positions), -1)
        one_body = self.functions.vanishing(distances).reshape(shape)
        radial = self.functions.doubly_vanishing(distances).reshape(shape)
        # at an atom itself every direction is as good as another: its P̄ is zero
        directions = np.where(distances[:, None] > 0.0, vectors, [0.0, 0.0, 1.0])
        angular = real_harmonics(directions, self.lmax).reshape(shape)
        of_element = {element: z == element for element in self.elements}
        sums = {e: np.einsum('gan,gam->gnm', radial[:, a], angular[:, a]) for e, a in of_element.items()}
        columns = []
        for term in self.terms:
            atoms = of_element[term.elements[0]]
            if len(term.n) == 1:
                columns.append(one_body[:, atoms, term.n[0] - 1].sum(axis=1))
                continue
            (first, second), (n, other), m = term.elements, (term.n[0] - 2, term.n[1] - 2), components(term.l)
            value = 4 * pi / (2 * term.l + 1) * np.sum(sums[first][:, n, m] * sums[second][:, other, m], axis=1)
            if first == second:
                value -= np.sum(radial[:, atoms, n] * radial[:, atoms, other], axis=1)
                value *= 0.5 if n == other else 1.0
            columns.append(value)
        return np.stack(columns, axis=1)
