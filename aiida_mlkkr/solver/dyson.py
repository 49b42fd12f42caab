"""Dyson equation of the impurity cluster: from the host's Green function to the cluster's on-site blocks.

All matrices carry the index (site, L). The host enters through the structural Green function of the *void* cluster, in
which the host atoms of the cluster are taken out: G_void = (1 + G_host t_host)⁻¹ G_host. The impurities put their t
matrices back: G = (1 − G_void t)⁻¹ G_void (Papanikolaou, Zeller, Dederichs, J. Phys.: Condens. Matter 14, 2799 (2002)).
Structural Green functions of real harmonics are symmetric.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .angular import gaunt, l_of_lm, real_harmonics
from .bessel import spherical_hankel

ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class SplitGreenFunction:
    """Symmetric G_void of one energy and spin in two halves: blocks aa, ab and bb."""

    aa: ComplexArray
    ab: ComplexArray
    bb: ComplexArray

    def whole(self) -> ComplexArray:
        """Return the full matrix."""
        whole: ComplexArray = np.block([[self.aa, self.ab], [self.ab.T, self.bb]])
        return whole


def _solve(matrix: ComplexArray, right: ComplexArray) -> ComplexArray:
    solution: ComplexArray = np.asarray(np.linalg.solve(matrix, right), dtype=np.complex128)
    return solution


def void_green_function(host: ComplexArray, t_host: ComplexArray, kept: NDArray[np.intp]) -> ComplexArray:
    """Return G_void on the kept indices, symmetrised.

    :param host: G_host, shape (N, N); stored in single precision by JuKKR, so symmetric to 1e-7 only.
    :param t_host: t matrices of the host's sites, shape (sites, lm, lm) with sites · lm = N.
    :param kept: the rows (site, L) that the impurity cluster keeps.
    """
    sites, lm, _ = t_host.shape
    g_t: ComplexArray = np.einsum('xjk,jkl->xjl', host.reshape(-1, sites, lm), t_host).reshape(host.shape)
    void = _solve(np.eye(host.shape[0]) + g_t, host)[np.ix_(kept, kept)]
    return 0.5 * (void + void.T)


def free_green_function(vector: NDArray[np.float64], kappa: complex, lmax: int) -> ComplexArray:
    """Return the structural Green function of free electrons between two sites, shape ((lmax+1)², (lmax+1)²).

    g_LL'(R) = −4πi κ Σ_L'' i^(l−l'+l'') C_LL'L'' h⁺_l''(κR) Y_L''(R̂) (Zeller, in Computational Nanoscience, NIC
    Series 31, p. 355 (2006)).

    :param vector: R = R_row − R_column, shape (3,) [Bohr]; not zero.
    :param kappa: κ [1/Bohr].
    """
    l_index, l_sum = l_of_lm(lmax), l_of_lm(2 * lmax)
    hankel = spherical_hankel(kappa * float(np.linalg.norm(vector)), 2 * lmax)[l_sum]
    phase = 1j ** ((l_index[:, None] - l_index)[:, :, None] + l_sum)
    waves = hankel * real_harmonics(vector, 2 * lmax)
    green: ComplexArray = -4j * np.pi * kappa * np.einsum('abc,c,abc->ab', gaunt(lmax, lmax), waves, phase)
    return green


def split(void: ComplexArray, border: int) -> SplitGreenFunction:
    """Cut G_void at index ``border`` (0 for a cluster of a single site: everything is in half b)."""
    return SplitGreenFunction(
        aa=void[:border, :border].copy(), ab=void[:border, border:].copy(), bb=void[border:, border:].copy()
    )


def onsite_blocks(void: SplitGreenFunction, t: ComplexArray, offsets: NDArray[np.intp]) -> list[ComplexArray]:
    """Return the on-site blocks G_ii of the cluster, one (lm_i, lm_i) array per site.

    Half a is put into the void first, then half b into the result; that needs half the work of a solution of the whole
    system, as the blocks between different sites of a are never formed.

    :param t: diagonal t matrices of all sites one after the other, shape (N,).
    :param offsets: first index of each site, and N at the end; one of them is the border of the halves.
    """
    border = void.aa.shape[0]
    t_a, t_b = t[:border], t[border:]
    blocks_a = [slice(i, j) for i, j in pairwise(offsets) if j <= border]
    blocks_b = [slice(i - border, j - border) for i, j in pairwise(offsets) if i >= border]
    if not blocks_a:
        g_bb = _solve(np.eye(t_b.size) - void.bb * t_b, void.bb)
        return [g_bb[b, b] for b in blocks_b]
    with_a = _solve(np.eye(border) - void.aa * t_a, np.hstack([void.aa, void.ab]))
    ab = with_a[:, border:]
    bb = void.bb + (void.ab.T * t_a) @ ab
    with_b = _solve(np.eye(t_b.size) - bb * t_b, np.hstack([bb, ab.T]))
    ab_t, ba = ab * t_b, with_b[:, t_b.size :]
    return [with_a[b, b] + ab_t[b] @ ba[:, b] for b in blocks_a] + [with_b[b, b] for b in blocks_b]
