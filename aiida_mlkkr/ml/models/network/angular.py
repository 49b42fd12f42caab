"""Directions: what can be made of the direction to an impurity and of the crystal, and rotates as l.

Spherical harmonics and coupling coefficients are e3nn's. Its real harmonics have y as the axis of m = 0, JuKKR's z, so
that (y, z, x) is what e3nn is to see as (x, y, z); signs and order of the components are then the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from e3nn import o3
from numpy.typing import NDArray

from aiida_mlkkr.ml.coupling import coupling
from aiida_mlkkr.ml.elements import FEATURES, element_features
from aiida_mlkkr.ml.harmonics import components
from aiida_mlkkr.ml.sites import NEIGHBOUR_RANGE, Sites

FloatArray = NDArray[np.float64]

_AXES: Final = [1, 2, 0]
_DECAY: Final = 2.5
"""Length in Bohr over which an atom of the crystal counts less by a factor e."""

_GROUPS: Final = 18.0


def harmonics(vectors: FloatArray, lmax: int) -> FloatArray:
    """Real spherical harmonics (n, (lmax + 1)²) in JuKKR's order, of norm √(2l + 1); for a zero vector l = 0 alone."""
    seen = torch.from_numpy(np.ascontiguousarray(vectors[:, _AXES]))
    values: FloatArray = o3.spherical_harmonics(
        list(range(lmax + 1)), seen, normalize=True, normalization='component'
    ).numpy()
    return values


def crystal_tensors(sites: Sites, lmax: int) -> FloatArray:
    """The crystal around each site (n, 2, (lmax + 1)²), whatever impurities are in it: its atoms, and their groups."""
    found = np.zeros((len(sites), 2, (lmax + 1) ** 2))
    for site, (begin, end) in enumerate(np.searchsorted(sites.owner, [[i, i + 1] for i in range(len(sites))])):
        distance = np.linalg.norm(sites.vector[begin:end], axis=1)
        cutoff = np.cos(0.5 * np.pi * np.minimum(distance / NEIGHBOUR_RANGE, 1.0)) ** 2
        charges, which = np.unique(sites.neighbour_z_host[begin:end], return_inverse=True)
        groups = np.array([element_features(int(z))[FEATURES.index('group')] for z in charges]) / _GROUPS
        weight = cutoff * np.exp(-distance / _DECAY)
        found[site] = np.stack([weight, weight * groups[which]]) @ harmonics(sites.vector[begin:end], lmax)
    return found


def natural_tensors(vectors: FloatArray, crystal: FloatArray, lmax: int) -> list[FloatArray]:
    """Products of the harmonics of vectors (m, 3) and crystals (m, k, (lmax + 1)²), for each l ≥ 1 (m, P_l, 2l + 1).

    Those of natural parity (−1)^l: a potential has no others.
    """
    values = harmonics(vectors, lmax)
    products: list[list[FloatArray]] = [[] for _ in range(lmax)]
    for l1 in range(lmax + 1):
        for l2 in range(lmax + 1):
            for l in range(max(abs(l1 - l2), 1), min(l1 + l2, lmax) + 1):
                if (l1 + l2 + l) % 2 == 0:
                    one, other = values[:, components(l1)], crystal[:, :, components(l2)]
                    products[l - 1].append(np.einsum('ma,mkb,abc->mkc', one, other, coupling(l1, l2, l)))
    return [np.concatenate(of_l, axis=1) for of_l in products]
