"""Rotations of real spherical harmonics, one l at a time."""

from __future__ import annotations

import numpy as np

from aiida_mlkkr.ml.harmonics import channel_matrices, components


def rotation_matrices(rotation: np.ndarray, lmax: int) -> list[np.ndarray]:
    """Matrices D (2l + 1, 2l + 1) of l = 0 to lmax with Y_l(R x) = D Y_l(x), of a rotation or reflection R (3, 3)."""
    turned = channel_matrices(rotation[None], (lmax + 1) ** 2)[0]
    return [turned[components(l), components(l)] for l in range(lmax + 1)]
