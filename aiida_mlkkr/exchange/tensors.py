"""The 3×3 exchange tensor of a pair and its parts.

e_i·𝒥 e_j = J e_i·e_j + D·(e_i×e_j) + e_i·S e_j with J = tr 𝒥/3, D_x = ½(𝒥_yz − 𝒥_zy) and cyclic, and S symmetric
and traceless. All functions take arrays of tensors, shape (…, 3, 3).
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LEVI_CIVITA = np.zeros((3, 3, 3))
for _x, _y, _z in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    LEVI_CIVITA[_x, _y, _z], LEVI_CIVITA[_x, _z, _y] = 1.0, -1.0


def isotropic(tensors: FloatArray) -> FloatArray:
    """J, a third of the trace, shape (…)."""
    thirds: FloatArray = np.trace(tensors, axis1=-2, axis2=-1) / 3
    return thirds


def dm_vector(tensors: FloatArray) -> FloatArray:
    """The Dzyaloshinskii-Moriya vector D, shape (…, 3)."""
    vectors: FloatArray = 0.5 * np.einsum('abc,...bc->...a', LEVI_CIVITA, tensors)
    return vectors


def anisotropic(tensors: FloatArray) -> FloatArray:
    """S, the symmetric traceless part, shape (…, 3, 3)."""
    symmetric: FloatArray = 0.5 * (tensors + swapped(tensors)) - isotropic(tensors)[..., None, None] * np.eye(3)
    return symmetric


def compose(j: FloatArray, d: FloatArray, s: FloatArray) -> FloatArray:
    """The tensor of its parts J (…), D (…, 3) and S (…, 3, 3)."""
    tensors: FloatArray = j[..., None, None] * np.eye(3) + np.einsum('abc,...a->...bc', LEVI_CIVITA, d) + s
    return tensors


def swapped(tensors: FloatArray) -> FloatArray:
    """The tensor of the same pair seen from the other site: 𝒥_ji = 𝒥_ijᵀ."""
    return np.swapaxes(tensors, -1, -2)


def rotated(tensors: FloatArray, q: FloatArray) -> FloatArray:
    """The tensor of the pair in a crystal turned by the orthogonal matrix Q: Q 𝒥 Qᵀ.

    Proper or not: moments are axial, but both factors change sign together.
    """
    turned: FloatArray = q @ tensors @ q.T
    return turned


def pair_energy(tensors: FloatArray, e_i: FloatArray, e_j: FloatArray) -> FloatArray:
    """−e_i·𝒥 e_j, what the pair adds to the energy for directions of shape (…, 3)."""
    energies: FloatArray = -np.einsum('...a,...ab,...b->...', e_i, tensors, e_j)
    return energies
