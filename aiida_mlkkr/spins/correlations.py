"""Correlations ⟨e_i·e_j⟩ of moments at a distance from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .errors import SpinModelError
from .model import SpinModel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SAME_SHELL: Final = 1e-3
"""Difference of distances within which pairs are of one shell [Å]."""


@dataclass(frozen=True, eq=False)
class PairShells:
    """All pairs of moments up to a distance, coupled or not.

    :param distances: of the shells, ascending, shape (s) [Å].
    :param pairs: sorted by shell, shape (p, 2); ``starts`` where each shell begins, shape (s).
    """

    distances: FloatArray
    pairs: IntArray
    starts: IntArray

    @classmethod
    def of_model(cls, model: SpinModel, reach: float) -> PairShells:
        """The pairs of a model.

        :param reach: largest distance [Å].
        :raises SpinModelError: it is more than half the thickness of the box.
        """
        nothing = cls(np.zeros(0), np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.int64))
        if not reach:
            return nothing
        half = half_thickness(model)
        if reach >= half:
            raise SpinModelError(
                f'correlation_reach is {reach:g} Å, but must be less than half of the box, {half:.2f} Å'
            )
        pairs, lengths = _pairs_within(model, reach)
        if not len(pairs):
            return nothing
        order = np.argsort(lengths, kind='stable')
        lengths = lengths[order]
        starts = np.flatnonzero(np.diff(lengths, prepend=-1.0) > SAME_SHELL)
        return cls(lengths[starts], pairs[order], starts)

    def correlations(self, spins: FloatArray) -> FloatArray:
        """Mean e_i·e_j over the pairs of every shell and over copies.

        :param spins: shape (copies, temperatures, n, 3).
        :return: shape (temperatures, s).
        """
        if not len(self.distances):
            return np.zeros((spins.shape[1], 0))
        i, j = self.pairs.T
        products = np.stack([np.einsum('cpx,cpx->p', s[:, i], s[:, j]) for s in np.swapaxes(spins, 0, 1)])
        counts = np.diff(self.starts, append=len(self.pairs))
        means: FloatArray = np.add.reduceat(products, self.starts, axis=1) / (counts * len(spins))
        return means


def half_thickness(model: SpinModel) -> float:
    """Half of the distance of the faces of the box that are nearest to each other [Å]: no pair nearer than this is met
    twice."""
    return 0.5 / float(np.linalg.norm(np.linalg.inv(model.box), axis=0).max())


def _pairs_within(model: SpinModel, reach: float) -> tuple[IntArray, FloatArray]:
    """Unordered pairs (p, 2) and their distances (p)."""
    pairs, lengths = [], []
    tree = cKDTree(model.positions)
    for image in np.ndindex(3, 3, 3):
        shifted = model.positions + (np.array(image) - 1) @ model.box
        found = cKDTree(shifted).sparse_distance_matrix(tree, reach, output_type='ndarray')
        once = found[found['i'] < found['j']]
        pairs.append(np.stack([once['i'], once['j']], axis=1))
        lengths.append(once['v'])
    return np.concatenate(pairs), np.concatenate(lengths)
