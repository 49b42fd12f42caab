"""Exchange between elements at the distances of a lattice: every equivalent pair from one of its kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.table import ExchangeTable

from .errors import SpinModelError
from .lattice import HostLattice

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Key = tuple[int, int, int, int, int]
"""Sites of the cell at both ends, and the cell of the second as seen from that of the first."""

TOLERANCE: Final = 0.5
"""By how much two values of one pair may differ [meV]; their mean is taken."""


@dataclass(frozen=True, eq=False)
class Bond:
    """The exchange of one pair.

    :param elements: at its ends.
    :param start: the place of the first end, a site of the lattice, shape (3) [Å].
    :param vector: to the second end, shape (3) [Å].
    :param tensor: 𝒥 of the first and the second end, shape (3, 3) [meV].
    """

    elements: tuple[str, str]
    start: FloatArray
    vector: FloatArray
    tensor: FloatArray


def bonds_of_table(table: ExchangeTable, origin: FloatArray) -> list[Bond]:
    """The pairs of a table.

    :param origin: where in the lattice the origin of the table's positions is, shape (3) [Å].
    """
    return [
        Bond((table.elements[i], table.elements[j]), table.positions[i] + origin, vector, tensor)
        for (i, j), vector, tensor in zip(table.pairs.tolist(), table.vectors, table.tensors, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Couplings:
    """Exchange of all pairs of a lattice that are known, both directions.

    :param elements: the e symbols that tensors are numbered by.
    :param ends: sites of the cell at both ends, shape (k, 2).
    :param offsets: cell of the second end as seen from that of the first, shape (k, 3).
    :param tensors: shape (k, e, e, 3, 3) [meV], by the elements at the first and the second end.
    :param known: whether there is one, shape (k, e, e).
    """

    elements: tuple[str, ...]
    ends: IntArray
    offsets: IntArray
    tensors: FloatArray
    known: NDArray[np.bool_]

    @classmethod
    def of_bonds(
        cls, lattice: HostLattice, bonds: Sequence[Bond], *, symmetric: bool = True, tolerance: float = TOLERANCE
    ) -> Couplings:
        """All pairs that are equivalent to the given ones.

        :param symmetric: whether the operations of the host bring a bond to others. Not right for tensors from
            calculations in which the moments' axis made directions unequal that are equal in the host.
        :param tolerance: by how much bonds that come to lie on one another, or one on itself, may differ [meV].
        :raises SpinModelError: there is no bond, one does not join two sites of the lattice, or two contradict each
            other.
        """
        if not bonds:
            raise SpinModelError('there is no exchange between any two elements')
        elements = tuple(sorted({element for bond in bonds for element in bond.elements}))
        values: dict[tuple[Key, str, str], list[FloatArray]] = {}
        for bond in bonds:
            for pair, tensor in bond_images(lattice, bond, symmetric):
                values.setdefault(pair, []).append(tensor)
        keys = sorted({key for key, _, _ in values})
        rows = {key: row for row, key in enumerate(keys)}
        tensors = np.zeros((len(keys), len(elements), len(elements), 3, 3))
        known = np.zeros(tensors.shape[:3], dtype=bool)
        for (key, one, other), found in values.items():
            _refuse_contradiction(lattice, key, (one, other), found, tolerance)
            place = rows[key], elements.index(one), elements.index(other)
            tensors[place] = np.mean(found, axis=0)
            known[place] = True
        table = np.array(keys)
        return cls(elements, table[:, :2], table[:, 2:], tensors, known)

    def missing(self, elements: Iterable[str], sublattice: Sequence[int]) -> list[tuple[int, str, str]]:
        """Pairs that the table has for other elements: row, and the two elements."""
        numbers = {element: self.elements.index(element) for element in elements if element in self.elements}
        return [
            (row, one, other)
            for row in np.flatnonzero(np.isin(self.ends, list(sublattice)).all(axis=1)).tolist()
            for one, i in numbers.items()
            for other, j in numbers.items()
            if not self.known[row, i, j]
        ]

    def distances(self, lattice: HostLattice) -> FloatArray:
        """Lengths of the pairs, shape (k) [Å]."""
        one, other = self.ends.T
        vectors = lattice.positions[other] + self.offsets @ lattice.cell - lattice.positions[one]
        lengths: FloatArray = np.linalg.norm(vectors, axis=1)
        return lengths


def bond_images(lattice: HostLattice, bond: Bond, symmetric: bool) -> Iterator[tuple[tuple[Key, str, str], FloatArray]]:
    """The bond as every operation leaves it, in both directions."""
    rotations, translations = lattice.operations if symmetric else (np.eye(3)[None], np.zeros((1, 3)))
    starts, start_cells = lattice.sites(rotations @ bond.start + translations)
    ends, end_cells = lattice.sites(rotations @ (bond.start + bond.vector) + translations)
    turned = rotations @ bond.tensor @ np.swapaxes(rotations, 1, 2)
    one, other = bond.elements
    for start, end, (x, y, z), tensor in zip(
        starts.tolist(), ends.tolist(), (end_cells - start_cells).tolist(), turned, strict=True
    ):
        yield ((start, end, x, y, z), one, other), tensor
        yield ((end, start, -x, -y, -z), other, one), tensor.T


def _refuse_contradiction(
    lattice: HostLattice, key: Key, elements: tuple[str, str], found: list[FloatArray], tolerance: float
) -> None:
    spread = float(np.ptp(found, axis=0).max())
    if spread > tolerance:
        start, end, *offset = key
        vector = lattice.positions[end] + np.array(offset) @ lattice.cell - lattice.positions[start]
        raise SpinModelError(
            f'values of the exchange of {elements[0]} and {elements[1]} at {np.linalg.norm(vector):.3f} Å differ by '
            f'{spread:.3g} meV where the host makes them equal; leave one out, raise the tolerance, '
            'or do without symmetry'
        )
