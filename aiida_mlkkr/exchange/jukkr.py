"""Exchange tensors from the matrices that KKRimp writes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.jij_matrix import ACROSS, JijMatrices

from .conventions import CONVENTIONS, OURS, RYDBERG_MEV

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FileTensors:
    """Physical tensors of a file, axes along the spins up (:func:`~aiida_mlkkr.exchange.table.along_moments`).

    :param tensors: shape (n, n, 3, 3) [meV], zero for a site with itself.
    :param spread: largest difference of a diagonal element between the two directions of the moments that give it,
        shape (n, n) [meV].
    """

    tensors: FloatArray
    spread: FloatArray


def physical_tensors(matrices: JijMatrices) -> FileTensors:
    """Take the elements across the moments; the diagonal ones occur twice and are averaged."""
    natom = matrices.natom
    total, count = np.zeros((natom, natom, 3, 3)), np.zeros((3, 3))
    diagonal: list[list[FloatArray]] = [[], [], []]
    for matrix, across in zip(matrices.values, ACROSS, strict=True):
        for a in across:
            diagonal[a].append(matrix[:, :, a, a])
            for b in across:
                total[:, :, a, b] += matrix[:, :, a, b]
                count[a, b] += 1
    raw = CONVENTIONS['jukkr-out_Jijmatrix']
    scale = RYDBERG_MEV * raw.j * raw.counted / (OURS.j * OURS.counted)
    between_sites = ~np.eye(natom, dtype=bool)
    spread = np.max([np.abs(first - second) for first, second in diagonal], axis=0)
    return FileTensors(scale * total / count * between_sites[..., None, None], abs(scale) * spread * between_sites)
