"""The crystal that the moments sit in, and the operations that bring it onto itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .errors import SpinModelError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SAME_PLACE: Final = 0.05
"""Distance within which two sites are the same [Å]."""


@dataclass(frozen=True, eq=False)
class HostLattice:
    """A crystal.

    :param cell: lattice vectors in rows, shape (3, 3) [Å], chosen short (a reduced cell) if symmetry is to be found.
    :param elements: symbols of the b atoms of the cell.
    :param positions: shape (b, 3) [Å].
    :raises SpinModelError: the vectors span no cell, or the parts have different lengths.
    """

    cell: FloatArray
    elements: tuple[str, ...]
    positions: FloatArray

    def __post_init__(self) -> None:
        if self.cell.shape != (3, 3) or abs(np.linalg.det(self.cell)) < SAME_PLACE:
            raise SpinModelError('three vectors that span a cell are needed')
        if not self.elements or self.positions.shape != (len(self.elements), 3):
            raise SpinModelError(f'{len(self.elements)} atoms and positions of shape {self.positions.shape}')

    def sites(self, places: FloatArray) -> tuple[IntArray, IntArray]:
        """The atoms at places of the crystal.

        :param places: shape (k, 3) [Å].
        :return: their numbers in the cell, shape (k), and the cells that they are in, shape (k, 3).
        :raises SpinModelError: there is no atom at one of the places.
        """
        numbers, cells = self._nearest(places)
        if np.any(numbers < 0):
            where = np.round(places[numbers < 0][0], 3).tolist()
            raise SpinModelError(f'there is no site of the lattice at {where} Å')
        return numbers, cells

    @cached_property
    def operations(self) -> tuple[FloatArray, FloatArray]:
        """Rotations and reflections, shape (g, 3, 3), and the translations after them, shape (g, 3) [Å]."""
        found = [
            (rotation, translation)
            for rotation in self._rotations()
            for translation in self._translations(rotation)
            if self._is_brought_onto_itself(rotation, translation)
        ]
        rotations, translations = zip(*found, strict=True)
        return np.array(rotations), np.array(translations)

    @cached_property
    def kinds(self) -> IntArray:
        """For each atom of the cell the first one that an operation makes it equal to, shape (b)."""
        images = [
            self.sites(self.positions @ rotation.T + shift)[0] for rotation, shift in zip(*self.operations, strict=True)
        ]
        kinds: IntArray = np.min(images, axis=0)
        return kinds

    def _nearest(self, places: FloatArray) -> tuple[IntArray, IntArray]:
        """Like :meth:`sites`, with the number −1 where there is no atom."""
        between = (places[:, None] - self.positions) @ np.linalg.inv(self.cell)
        cells = np.round(between).astype(np.int64)
        distances = np.linalg.norm((between - cells) @ self.cell, axis=2)
        numbers = distances.argmin(axis=1)
        chosen = np.arange(len(places)), numbers
        return np.where(distances[chosen] < SAME_PLACE, numbers, -1), cells[chosen]

    def _rotations(self) -> list[FloatArray]:
        """Orthogonal matrices that bring the lattice of translations onto itself."""
        metric = self.cell @ self.cell.T
        scale = np.sqrt(np.trace(metric))
        lengths = np.diag(metric)
        integers = np.array(list(product((-1, 0, 1), repeat=3)))
        candidates = [integers[np.abs(_lengths(integers, metric) - length) < SAME_PLACE * scale] for length in lengths]
        rotations = []
        for rows in product(*candidates):
            matrix = np.array(rows)
            if np.abs(matrix @ metric @ matrix.T - metric).max() < SAME_PLACE * scale:
                # the cell's vectors, in rows, go to matrix @ cell
                rotations.append(_orthogonal(np.linalg.solve(self.cell, matrix @ self.cell).T))
        return rotations

    def _translations(self, rotation: FloatArray) -> list[FloatArray]:
        """Those that bring the first atom onto one of its element."""
        first = rotation @ self.positions[0]
        return [
            place - first
            for place, element in zip(self.positions, self.elements, strict=True)
            if element == self.elements[0]
        ]

    def _is_brought_onto_itself(self, rotation: FloatArray, translation: FloatArray) -> bool:
        numbers, _ = self._nearest(self.positions @ rotation.T + translation)
        elements = np.array(self.elements)
        return bool(np.all(numbers >= 0) and np.array_equal(elements[numbers], elements))


def _lengths(integers: IntArray, metric: FloatArray) -> FloatArray:
    squares: FloatArray = np.einsum('ka,ab,kb->k', integers, metric, integers)
    return squares


def _orthogonal(matrix: NDArray[np.floating]) -> FloatArray:
    """The orthogonal matrix nearest to one that is almost orthogonal."""
    left, _, right = np.linalg.svd(matrix)
    orthogonal: FloatArray = left @ right
    return orthogonal
