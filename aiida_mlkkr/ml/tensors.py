"""Tensors of real spherical harmonics that the geometry around a site makes: what channels lm a potential can have.

A channel that the symmetry of the site forbids is zero in each of them, and all of them rotate with the crystal.
Lengths are in units of the distance to the nearest atom of the crystal.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.harmonics import components, real_harmonics
from aiida_mlkkr.ml.sites import Sites
from aiida_mlkkr.ml.soap import CUTOFF, element_weights, nearest_distance

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SHELLS: Final = (1.0, 1.5)
_SHELL_WIDTH: Final = 0.4
_BETWEEN: Final = (0.5, 1.0)


def crystal_tensors(sites: Sites, l: int) -> FloatArray:
    """Tensors (n, t, 2l + 1) of the crystal around each site, Σ_k g(r_k) u_a(Z_k) Y_lm(r_k), impurities not in place.

    Several shells g of the distance, and weights u_a of the host's elements.
    """
    scaled, reach, harmonics = _neighbours(sites, l)
    shells = _shells(np.linalg.norm(scaled, axis=1)) * reach[:, None]
    densities = len(element_weights(0))
    weights = np.array([element_weights(int(z)) for z in sites.neighbour_z_host]).reshape(len(shells), densities)
    total = np.zeros((len(sites), len(_SHELLS), densities, 2 * l + 1))
    np.add.at(total, sites.owner, np.einsum('jg,ja,jm->jgam', shells, weights, harmonics))
    return total.reshape(len(sites), len(_SHELLS) * densities, 2 * l + 1)


def impurity_tensors(sites: Sites, near: IntArray, l: int) -> FloatArray:
    """Tensors (j, t, 2l + 1) of impurities around sites: along the axis, and of the crystal's atoms k near both.

    Y_lm(r_ij), Σ_k g(r_ik) Y_lm(r_ik) and Σ_k g(r_ik) h(r_jk) Y_lm(r_ik): together all that the symmetry of a pair of
    sites in a crystal leaves.

    :param near: (j,) which of the neighbours in the table are the impurities.
    """
    scaled, reach, harmonics = _neighbours(sites, l)
    length = np.linalg.norm(scaled, axis=1)
    starts = np.searchsorted(sites.owner, np.arange(len(sites) + 1))
    found = np.empty((len(near), 1 + len(_SHELLS) + len(_BETWEEN), 2 * l + 1))
    for row, impurity in enumerate(near):
        around = slice(starts[sites.owner[impurity]], starts[sites.owner[impurity] + 1])
        apart = np.linalg.norm(scaled[around] - scaled[impurity], axis=1)
        both = np.exp(-((apart[:, None] / np.array(_BETWEEN)) ** 2))
        radial = np.column_stack([_shells(length[around]), both]) * reach[around, None]
        found[row, 0] = real_harmonics(sites.vector[impurity : impurity + 1], l)[0, components(l)]
        found[row, 1:] = radial.T @ harmonics[around]
    return found


def _neighbours(sites: Sites, l: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scaled vectors (m, 3) of all neighbours, weights (m,) that vanish at the cutoff, and harmonics (m, 2l + 1)."""
    scaled = sites.vector / nearest_distance(sites)[sites.owner, None]
    inside = np.minimum(np.linalg.norm(scaled, axis=1) / CUTOFF, 1.0)
    return scaled, (1.0 - inside**2) ** 2, real_harmonics(sites.vector, l)[:, components(l)]


def _shells(length: FloatArray) -> FloatArray:
    shells: FloatArray = np.exp(-(((length[:, None] - np.array(_SHELLS)) / _SHELL_WIDTH) ** 2))
    return shells
