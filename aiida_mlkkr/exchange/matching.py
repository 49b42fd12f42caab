"""A pair found in a table of others, turned by a symmetry of the host, or looked at from its other end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .table import ExchangeTable
from .tensors import rotated, swapped

FloatArray = NDArray[np.float64]

SAME_PLACE: Final = 0.02
"""Distance within which two places are the same [Å]."""


@dataclass(frozen=True, eq=False)
class Match:
    """Which pair of a table it is.

    :param row: of the table.
    :param rotation: orthogonal matrix that brings the pair of the table there, shape (3, 3).
    :param reversed: whether the ends are exchanged before.
    """

    row: int
    rotation: FloatArray
    reversed: bool

    def tensor(self, table: ExchangeTable) -> FloatArray:
        """𝒥 of the first and the second site, shape (3, 3) [meV]."""
        own = table.tensors[self.row : self.row + 1]
        turned: FloatArray = rotated(swapped(own) if self.reversed else own, self.rotation)[0]
        return turned

    def moments(self, table: ExchangeTable) -> FloatArray:
        """Of the first and the second site, shape (2) [µB]."""
        both: FloatArray = table.moments[table.pairs[self.row]]
        return both[::-1] if self.reversed else both


def find_pair(
    table: ExchangeTable, elements: tuple[str, str], places: FloatArray, rotations: FloatArray | None
) -> Match | None:
    """The first pair of a table that is the one wanted.

    :param places: of the two sites, shape (2, 3) [Å].
    :param rotations: orthogonal matrices that bring the host onto itself, shape (g, 3, 3), where all its sites are
        equal: the pair may be anywhere. None where they are not: it has to be at these very places.
    """
    wanted = places[1] - places[0]
    for row, ((i, j), vector) in enumerate(zip(table.pairs.tolist(), table.vectors, strict=True)):
        for ends, sign in (((i, j), 1.0), ((j, i), -1.0)):
            if (table.elements[ends[0]], table.elements[ends[1]]) != elements:
                continue
            if rotations is None:
                if np.abs(table.positions[list(ends)] - places).max() < SAME_PLACE:
                    return Match(row, np.eye(3), sign < 0)
                continue
            misses = np.linalg.norm(sign * rotations @ vector - wanted, axis=1)
            if misses.min() < SAME_PLACE:
                return Match(row, rotations[misses.argmin()], sign < 0)
    return None
