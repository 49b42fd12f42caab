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


SMALLEST_GROUP = 27
"""Matrix indices of sites that are put into the void together, at least (approximately)."""

MOST_GROUPS = 9
"""Into so many groups the sites of a large cluster are divided."""

ELEMENTS_AT_ONCE = 120_000
"""Matrix elements that the Dyson equation handles at once: several energies of a small cluster, one of a large one."""


@dataclass(frozen=True)
class VoidGreenFunction:
    """Symmetric G_void of one spin: the columns of each group of sites down to the end of the group's own rows.

    :param borders: first index of each group, and N at the end.
    :param panels: arrays (nE, borders[k+1], borders[k+1] − borders[k]).
    """

    borders: tuple[int, ...]
    panels: tuple[ComplexArray, ...]

    def whole(self) -> ComplexArray:
        """Return the full matrices, shape (nE, N, N)."""
        order = self.borders[-1]
        whole = np.empty((len(self.panels[0]), order, order), dtype=np.complex128)
        for (begin, end), panel in zip(pairwise(self.borders), self.panels, strict=True):
            whole[:, :end, begin:end] = panel
            whole[:, begin:end, :end] = panel.swapaxes(1, 2)
        return whole

    @classmethod
    def empty(cls, n_energies: int, borders: tuple[int, ...]) -> 'VoidGreenFunction':
        """Make room for the matrices of ``n_energies``."""
        shapes = ((n_energies, end, end - begin) for begin, end in pairwise(borders))
        return cls(borders, tuple(np.empty(shape, dtype=np.complex128) for shape in shapes))

    def set_energy(self, energy: int, void: ComplexArray) -> None:
        """Store the matrix of one energy, shape (N, N)."""
        for (begin, end), panel in zip(pairwise(self.borders), self.panels, strict=True):
            panel[energy] = void[:end, begin:end]

    def at(self, energy: int) -> ComplexArray:
        """Return the full matrix of one energy, shape (N, N)."""
        return np.asarray(self.energies(slice(energy, energy + 1)).whole()[0])

    def energies(self, chosen: slice) -> 'VoidGreenFunction':
        """Return some of the energies."""
        return VoidGreenFunction(self.borders, tuple(panel[chosen] for panel in self.panels))


def group_borders(offsets: NDArray[np.intp]) -> tuple[int, ...]:
    """Return the borders of about equal groups that leave sites whole.

    :param offsets: first index of each site, and N at the end.
    """
    order = int(offsets[-1])
    equal = np.linspace(0, order, min(MOST_GROUPS, max(1, round(order / SMALLEST_GROUP))) + 1)
    return tuple(np.unique(offsets[np.abs(offsets[:, None] - equal).argmin(axis=0)]).tolist())


def _solve(matrix: ComplexArray, right: ComplexArray) -> ComplexArray:
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.complex128)


def _inverse(matrices: ComplexArray) -> ComplexArray:
    return np.asarray(np.linalg.inv(matrices), dtype=np.complex128)


def log_determinant(matrices: ComplexArray) -> ComplexArray:
    """Return ln det(1 − M) of each matrix on the principal branch, shape (...) for M of shape (..., N, N)."""
    sign, logarithm = np.linalg.slogdet(np.eye(matrices.shape[-1]) - matrices)
    return np.asarray(logarithm + np.log(sign), dtype=np.complex128)


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


def free_green_function(vectors: NDArray[np.float64], kappa: complex, lmax: int) -> ComplexArray:
    """Return the structural Green function of free electrons between two sites, shape (..., (lmax+1)², (lmax+1)²).

    g_LL'(R) = −4πi κ Σ_L'' i^(l−l'+l'') C_LL'L'' h⁺_l''(κR) Y_L''(R̂) (Zeller, in Computational Nanoscience, NIC
    Series 31, p. 355 (2006)).

    :param vectors: R = R_row − R_column, shape (..., 3) [Bohr]; not zero.
    :param kappa: κ [1/Bohr].
    """
    l_index, l_sum = l_of_lm(lmax), l_of_lm(2 * lmax)
    distances = np.linalg.norm(vectors, axis=-1)
    hankel = np.array([spherical_hankel(kappa * distance, 2 * lmax) for distance in distances.ravel()])
    waves = hankel.reshape(*distances.shape, -1)[..., l_sum] * real_harmonics(vectors, 2 * lmax)
    phase = 1j ** ((l_index[:, None] - l_index)[:, :, None] + l_sum)
    green: ComplexArray = -4j * np.pi * kappa * np.tensordot(waves, gaunt(lmax, lmax) * phase, axes=(-1, 2))
    return green


def onsite_blocks(void: VoidGreenFunction, t: ComplexArray, offsets: NDArray[np.intp]) -> list[ComplexArray]:
    """Return the on-site blocks G_ii of the cluster, one array (nE, lm_i, lm_i) per site.

    One group s after the other is put in, ``G_ij ← G_ij + G_is t_s (1 − G_ss t_s)⁻¹ G_sj``, and only what the groups
    still to come need is kept up: with the symmetry a quarter of the work of a solution of the whole system.

    :param void: G_void of nE energies.
    :param t: diagonal t matrices of all sites one after the other, shape (nE, N).
    :param offsets: first index of each site, and N at the end; all borders of groups are among them.
    """
    at_once = max(1, ELEMENTS_AT_ONCE // t.shape[-1] ** 2)
    chunks = [slice(begin, begin + at_once) for begin in range(0, len(t), at_once)]
    parts = [_onsite_blocks(void.energies(chunk), t[chunk], offsets) for chunk in chunks]
    return [np.concatenate(site) for site in zip(*parts, strict=True)]


def _onsite_blocks(void: VoidGreenFunction, t: ComplexArray, offsets: NDArray[np.intp]) -> list[ComplexArray]:
    panels = [panel.copy() for panel in void.panels]
    sites = [slice(i, j) for i, j in pairwise(offsets)]
    blocks: list[ComplexArray] = []
    for group, (begin, end) in enumerate(pairwise(void.borders)):
        panel = panels[group]
        own, t_own = panel[:, begin:end], t[:, begin:end, None]
        scatter = t_own * _inverse(np.eye(end - begin) - own * t_own.swapaxes(1, 2))
        into = panel @ scatter
        blocks = [g + into[:, i] @ panel[:, i].swapaxes(1, 2) for g, i in zip(blocks, sites, strict=False)]
        for i in sites[len(blocks) :]:
            if i.start < end:
                columns = slice(i.start - begin, i.stop - begin)
                blocks.append(panel[:, i, columns] + into[:, i] @ own[:, :, columns])
        later = [other[:, begin:end].copy() for other in panels[group + 1 :]]
        if later:
            below = np.concatenate(later, axis=2).swapaxes(1, 2) @ scatter
            into = np.concatenate([into, below], axis=1)
            for other, rows in zip(panels[group + 1 :], later, strict=True):
                other += into[:, : other.shape[1]] @ rows
    return blocks
