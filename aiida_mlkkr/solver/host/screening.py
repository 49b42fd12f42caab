"""The reference system: repulsive spheres on all sites, whose Green function does not reach beyond a small cluster.

Zeller, Dederichs, Újfalussy, Szunyogh, Weinberger, Phys. Rev. B 52, 8807 (1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..angular import l_of_lm, lm_size
from ..bessel import spherical_bessel, spherical_hankel
from ..dyson import free_green_function

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]

BARRIER: Final = 8.0
"""Height of the repulsive potential [Ry]."""

ON_THE_EDGE: Final = 1e-4
"""How far outside of the cluster's radius a site is still taken [alat]."""


def lattice_points(cell: FloatArray, radius: float, radius_xy: float) -> IntArray:
    """Return the lattice vectors in a sphere and in a cylinder along z, in steps along the cell, nearest first.

    :param cell: Bravais vectors, one per row, in the unit of the radii.
    :return: shape (n, 3); the first is zero.
    """
    limit = np.ceil(radius * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in limit), indexing='ij'), -1).reshape(-1, 3)
    vectors = steps @ cell
    distance = np.linalg.norm(vectors, axis=1)
    inside = (distance <= radius) & (np.linalg.norm(vectors[:, :2], axis=1) <= radius_xy)
    ordered: IntArray = steps[inside][distance[inside].argsort(kind='stable')]
    return ordered


def touching_radius(cell: FloatArray) -> float:
    """Return half the distance of nearest neighbours of a lattice, in the unit of the cell."""
    longest = float(np.linalg.norm(cell, axis=1).min()) + 1e-9
    nearest = lattice_points(cell, longest, longest)[1]
    return float(np.linalg.norm(nearest @ cell)) / 2


@dataclass(frozen=True, eq=False)
class ReferenceSystem:
    """Repulsive spheres on the sites of a cluster of the lattice.

    :param steps: lattice vectors of the sites, shape (n, 3), in steps along the cell; the first is zero.
    :param cell: Bravais vectors, one per row, shape (3, 3) [Bohr].
    :param radius: of the spheres [Bohr].
    """

    steps: IntArray
    cell: FloatArray
    radius: float
    lmax: int

    def t(self, energy: complex) -> ComplexArray:
        """Return the t matrix of a sphere, shape (lmax+1,): that of a constant potential, without relativity."""
        outside, inside = np.sqrt(energy), np.sqrt(energy - BARRIER)
        j_out = spherical_bessel(outside * self.radius, self.lmax + 1)
        j_in = spherical_bessel(inside * self.radius, self.lmax + 1)
        h_out = spherical_hankel(outside * self.radius, self.lmax + 1)
        numerator = outside * j_out[1:] * j_in[:-1] - inside * j_out[:-1] * j_in[1:]
        denominator = outside * h_out[1:] * j_in[:-1] - inside * h_out[:-1] * j_in[1:]
        t: ComplexArray = -1j / outside * numerator / denominator
        return t

    def green_function(self, energy: complex) -> ComplexArray:
        """Return the structural Green function from the first site to all sites, shape (n, lm, lm).

        It is that of the cluster alone, G = (1 − g t)⁻¹ g, averaged with that of the reversed way, G(−R)ᵀ, so that the
        Green function of the crystal is symmetric.
        """
        n, size = len(self.steps), lm_size(self.lmax)
        vectors, which = self._differences
        free = np.zeros((len(vectors), size, size), dtype=np.complex128)
        zero = int(which[0])
        others = np.arange(len(vectors)) != zero
        free[others] = free_green_function(vectors[others], complex(np.sqrt(energy)), self.lmax)
        whole = free[which].reshape(n, n, size, size).swapaxes(1, 2).reshape(n * size, n * size)
        t = np.tile(self.t(energy)[l_of_lm(self.lmax)], n)
        towards = np.linalg.solve(np.eye(n * size) - whole * t, whole[:, :size]).reshape(n, size, size)
        reverse = towards[self._opposite].swapaxes(1, 2)
        return np.asarray(0.5 * (towards + reverse), dtype=np.complex128)

    @cached_property
    def _differences(self) -> tuple[FloatArray, IntArray]:
        """Distinct vectors between sites, shape (m, 3) [Bohr], and which of them each pair has, shape (n²,)."""
        pairs = (self.steps[:, None] - self.steps).reshape(-1, 3)
        distinct, which = np.unique(pairs, axis=0, return_inverse=True)
        return distinct @ self.cell, which.reshape(-1)

    @cached_property
    def _opposite(self) -> IntArray:
        """Index of the site at −R for each site."""
        index = {tuple(step): i for i, step in enumerate(self.steps.tolist())}
        return np.array([index[tuple(step)] for step in (-self.steps).tolist()])
