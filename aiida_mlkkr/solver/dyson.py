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


ELEMENTS_AT_ONCE = 500_000
"""Matrix elements that the Dyson equation handles at once: several energies of a small cluster, one of a large one."""


@dataclass(frozen=True)
class SplitGreenFunction:
    """Symmetric G_void of one spin in two halves: blocks aa, ab and bb, each with the energy as first index."""

    aa: ComplexArray
    ab: ComplexArray
    bb: ComplexArray

    def whole(self) -> ComplexArray:
        """Return the full matrices, shape (nE, N, N)."""
        whole: ComplexArray = np.block([[self.aa, self.ab], [self.ab.swapaxes(1, 2), self.bb]])
        return whole

    @classmethod
    def empty(cls, n_energies: int, order: int, border: int) -> 'SplitGreenFunction':
        """Make room for matrices of ``order`` indices, cut at ``border`` (0: everything is in half b)."""
        a, b = border, order - border
        return cls(*(np.empty((n_energies, *shape), dtype=np.complex128) for shape in ((a, a), (a, b), (b, b))))

    def set_energy(self, energy: int, void: ComplexArray) -> None:
        """Store the matrix of one energy, shape (N, N)."""
        border = self.aa.shape[1]
        self.aa[energy], self.ab[energy] = void[:border, :border], void[:border, border:]
        self.bb[energy] = void[border:, border:]

    def energies(self, chosen: slice) -> 'SplitGreenFunction':
        """Return some of the energies."""
        return SplitGreenFunction(self.aa[chosen], self.ab[chosen], self.bb[chosen])


def _solve(matrix: ComplexArray, right: ComplexArray) -> ComplexArray:
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.complex128)


def _inverse(matrices: ComplexArray) -> ComplexArray:
    return np.asarray(np.linalg.inv(matrices), dtype=np.complex128)


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


def onsite_blocks(void: SplitGreenFunction, t: ComplexArray, offsets: NDArray[np.intp]) -> list[ComplexArray]:
    """Return the on-site blocks G_ii of the cluster, one array (nE, lm_i, lm_i) per site.

    Half a is put into the void first, then half b into the result; that needs half the work of a solution of the whole
    system, as the blocks between different sites of a are never formed.

    :param void: G_void of nE energies.
    :param t: diagonal t matrices of all sites one after the other, shape (nE, N).
    :param offsets: first index of each site, and N at the end; one of them is the border of the halves.
    """
    order = t.shape[-1]
    at_once = max(1, ELEMENTS_AT_ONCE // order**2)
    chunks = [slice(begin, begin + at_once) for begin in range(0, len(t), at_once)]
    parts = [_onsite_blocks(void.energies(chunk), t[chunk], offsets) for chunk in chunks]
    return [np.concatenate(site) for site in zip(*parts, strict=True)]


def _onsite_blocks(void: SplitGreenFunction, t: ComplexArray, offsets: NDArray[np.intp]) -> list[ComplexArray]:
    border = void.aa.shape[-1]
    t_a, t_b = t[:, None, :border], t[:, None, border:]
    blocks_a = [slice(i, j) for i, j in pairwise(offsets) if j <= border]
    blocks_b = [slice(i - border, j - border) for i, j in pairwise(offsets) if i >= border]
    scatter_a = _inverse(np.eye(border) - void.aa * t_a)
    ab = scatter_a @ void.ab
    bb = void.bb + (void.ab * t_a.swapaxes(1, 2)).swapaxes(1, 2) @ ab
    scatter_b = _inverse(np.eye(t_b.shape[-1]) - bb * t_b)
    ba = scatter_b @ ab.swapaxes(1, 2)
    ab_t = ab * t_b
    return [
        *(scatter_a[:, b] @ void.aa[:, :, b] + ab_t[:, b] @ ba[:, :, b] for b in blocks_a),
        *(scatter_b[:, b] @ bb[:, :, b] for b in blocks_b),
    ]
