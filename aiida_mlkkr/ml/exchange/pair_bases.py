"""What a pair and the atoms around it offer a tensor of exchange to be made of.

The atoms of the host around each site are a density ρ_kl = Σ_atoms u_k(Z) f_k(d) Y_l; its products with the harmonics
of the bond, coupled by Clebsch-Gordan coefficients to l = 0, 1, 2 of even parity (0e, 1e, 2e in the notation of M.
Geiger and T. Smidt, arXiv:2207.09453), are what J, D and S of a pair can be without breaking a symmetry: under a
rotation or reflection of pair and host they turn as those do. Without a known host there is nothing but the bond: no
axial vector can be made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from e3nn import o3
from e3nn.math import soft_one_hot_linspace
from numpy.typing import NDArray

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.exchange.structure import surroundings
from aiida_mlkkr.ml.coupling import coupling
from aiida_mlkkr.ml.harmonics import components
from aiida_mlkkr.ml.soap import element_weights

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CUTOFF: Final = 5.0
"""Distance from a site up to which atoms count, ever less towards it [Å]."""

_LMAX: Final = 3
_RADIAL: Final = 2
_COUPLED: Final = [
    (l1, l2, l)
    for l in range(3)
    for l1 in range(_LMAX + 1)
    for l2 in range(_LMAX + 1)
    if abs(l1 - l2) <= l <= l1 + l2 and (l1 + l2) % 2 == 0
]


@dataclass(frozen=True, eq=False)
class PairBases:
    """Bases of g geometries, seen from site i and from site j (g, 2, …).

    :param scalars: invariants, shape (g, 2, c0); ``axial`` vectors (g, 2, c1, 3); ``quadrupoles``, symmetric traceless
        matrices, (g, 2, c2, 3, 3).
    :param distances: shape (g) [Å].
    :param which: geometry of each pair, shape (n).
    """

    scalars: FloatArray
    axial: FloatArray
    quadrupoles: FloatArray
    distances: FloatArray
    which: IntArray


def pair_bases(pairs: Pairs) -> PairBases:
    """Those of pairs, once for each geometry.

    :raises ExchangeError: the host has no atom where a pair is to be.
    """
    table = np.column_stack([pairs.layers, pairs.vectors])
    _, first, which = np.unique(table, axis=0, return_index=True, return_inverse=True)
    found = [_both_orders(pairs, int(row)) for row in first]
    stacked = [np.array([[one[l] for one in both] for both in found]) for l in range(3)]
    matrices = np.einsum('abm,gokm->gokab', coupling(1, 1, 2), stacked[2])
    return PairBases(stacked[0][..., 0], stacked[1], matrices, pairs.distances[first], which.reshape(-1))


def _both_orders(pairs: Pairs, row: int) -> list[dict[int, FloatArray]]:
    vector = pairs.vectors[row]
    positions, z = surroundings(pairs.host, int(pairs.layers[row, 0]), vector, pairs.z[row], CUTOFF)
    atoms, charges = positions[2:], z[2:]
    return [_products(_density(atoms, charges), vector), _products(_density(atoms - vector, charges), -vector)]


def _products(density: FloatArray, bond: FloatArray) -> dict[int, FloatArray]:
    """Of a density (k, 16) and the harmonics of the bond, for each l (c_l, 2l + 1)."""
    harmonics = _harmonics(bond[None])[0]
    found: dict[int, list[FloatArray]] = {l: [] for l in range(3)}
    for l1, l2, l in _COUPLED:
        one, other = density[:, components(l1)], harmonics[components(l2)]
        found[l].append(np.einsum('ka,b,abc->kc', one, other, coupling(l1, l2, l)))
    return {l: np.concatenate(products) for l, products in found.items()}


def _density(atoms: FloatArray, z: IntArray) -> FloatArray:
    """Of atoms around the origin, shape (1 + k, 16); first the site itself."""
    site = np.eye(1, (_LMAX + 1) ** 2)
    weights = np.array([element_weights(int(charge)) for charge in z]).reshape(len(z), len(element_weights(0)))
    distances = torch.from_numpy(np.linalg.norm(atoms, axis=1))
    radial = soft_one_hot_linspace(distances, 0.0, CUTOFF, _RADIAL, basis='smooth_finite', cutoff=True).numpy()
    return np.concatenate(
        [site, np.einsum('au,ar,am->urm', weights, radial, _harmonics(atoms)).reshape(-1, len(site.T))]
    )


def _harmonics(vectors: FloatArray) -> FloatArray:
    values: FloatArray = o3.spherical_harmonics(
        list(range(_LMAX + 1)), torch.from_numpy(vectors), normalize=True, normalization='component'
    ).numpy()
    return values
