"""Valence density of one site and spin from its radial solutions and its block of the Green function.

    ρ_L''(r) r² = Im Σ_E w { δ_L''0 /√4π Σ_l κ (2l+1) (P_l Q_l + F_l G_l) + Σ_LL' C_LL'L'' G_LL' (P_l P_l' + F_l F_l') }

(Drittler, Weinert, Zeller, Dederichs, Phys. Rev. B 39, 930 (1989), for spherical potentials).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .angular import gaunt, l_of_lm, lm_size
from .radial import BLOCK
from .scattering import SingleSite

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class ValenceDensity:
    """Density of one site and spin.

    :param rho: ρ_L(r) r², shape ((2 lmax+1)², n) [1/Bohr].
    :param dos: complex density of states n_l(E) of ∫dE Im(w n), per l; shape (lmax+1, nE). The local density of states
        on the contour is −Im n/π [1/Ry].
    """

    rho: FloatArray
    dos: ComplexArray


@dataclass(frozen=True)
class _Couplings:
    """Nonzero Gaunt coefficients, sorted by the pair (l, l') they multiply.

    ``l_left, l_right``: the pairs l' ≤ l. The terms of pair p are ``begin[p]`` to ``begin[p+1]``, exclusively; term k
    contributes to ρ_L'' with L'' = ``target[k]`` the product of ``projection[k]``, shape (lm²,), with G_LL'.
    """

    l_left: NDArray[np.intp]
    l_right: NDArray[np.intp]
    begin: NDArray[np.intp]
    target: NDArray[np.intp]
    projection: FloatArray


@lru_cache(maxsize=8)
def _couplings(lmax: int) -> _Couplings:
    size = lm_size(lmax)
    l_index = l_of_lm(lmax)
    coefficients = gaunt(lmax, lmax)
    l_left: list[int] = []
    l_right: list[int] = []
    begin: list[int] = []
    target: list[int] = []
    projection: list[FloatArray] = []
    for l in range(lmax + 1):
        for l_prime in range(l + 1):
            l_left.append(l)
            l_right.append(l_prime)
            begin.append(len(target))
            for lm in range(coefficients.shape[2]):
                block = np.where((l_index[:, None] == l) & (l_index == l_prime), coefficients[:, :, lm], 0.0)
                if np.any(block):
                    target.append(lm)
                    projection.append((block if l == l_prime else block + block.T.copy()).reshape(size * size))
    begin.append(len(target))
    return _Couplings(
        np.array(l_left), np.array(l_right), np.array(begin), np.array(target), np.ascontiguousarray(projection)
    )


@njit(cache=True)
def _products(left, right, inverse_c2, product):  # type: ignore[no-untyped-def]
    """Products P_l P_l' + F_l F_l' of one pair, shape (n, nB, 2, BLOCK), imaginary and real parts."""
    n_blocks, n = left.shape[0], left.shape[1]
    for i in range(n):
        for block in range(n_blocks):
            for e in range(BLOCK):
                ar, ai, cr, ci = left[block, i, 0, e], left[block, i, 1, e], left[block, i, 2, e], left[block, i, 3, e]
                br, bi, dr, di = (
                    right[block, i, 0, e],
                    right[block, i, 1, e],
                    right[block, i, 2, e],
                    right[block, i, 3, e],
                )
                product[i, block, 0, e] = ar * bi + ai * br + inverse_c2 * (cr * di + ci * dr)
                product[i, block, 1, e] = ar * br - ai * bi + inverse_c2 * (cr * dr - ci * di)


def valence_density(
    site: SingleSite, g_onsite: ComplexArray, weights: ComplexArray, inverse_c2: float
) -> ValenceDensity:
    """Return the valence density of one site and spin.

    :param g_onsite: structural on-site block G_LL'(E), shape (nE, lm, lm).
    :param weights: weights of the contour divided by the number of spins, shape (nE,).
    """
    lmax = site.t.shape[0] - 1
    couplings = _couplings(lmax)
    n_energies = weights.size
    alpha = site.alpha[couplings.l_left] * site.alpha[couplings.l_right]
    pair_of_term = np.repeat(np.arange(couplings.l_left.size), np.diff(couplings.begin))
    coupled = (couplings.projection @ g_onsite.reshape(n_energies, -1).T) * alpha[pair_of_term] * weights
    padded = np.zeros((coupled.shape[0], site.waves.shape[1] * BLOCK), dtype=np.complex128)
    padded[:, :n_energies] = coupled
    parts = np.stack([padded.real, padded.imag], axis=1).reshape(len(padded), 2, -1, BLOCK)
    factors = parts.swapaxes(1, 2).reshape(len(padded), -1)
    n_blocks, n = site.waves.shape[1:3]
    rho = np.zeros((lm_size(2 * lmax), n))
    product = np.empty((n, n_blocks, 2, BLOCK))
    for pair, (l_left, l_right) in enumerate(zip(couplings.l_left, couplings.l_right, strict=True)):
        _products(site.waves[l_left], site.waves[l_right], inverse_c2, product)
        terms = slice(couplings.begin[pair], couplings.begin[pair + 1])
        scale = site.powers[l_left] * site.powers[l_right]
        rho[couplings.target[terms]] += (factors[terms] @ product.reshape(n, -1).T) * scale
    rho[0] += site.irregular_density / sqrt(4 * pi)
    trace = np.add.reduceat(np.einsum('ell->le', g_onsite), np.arange(lmax + 1) ** 2, axis=0)
    return ValenceDensity(rho, trace * site.norm_regular + site.norm_irregular)
