"""The crystal around a pair, for descriptors that see it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from .errors import ExchangeError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_ON_A_SITE: Final = 0.1


@dataclass(frozen=True, eq=False)
class HostStructure:
    """A crystal and the places in it that impurities take.

    :param cell: lattice vectors as rows, shape (3, 3) [Å].
    :param positions: of the atoms of the cell, shape (m, 3) [Å].
    :param z: their nuclear charges, shape (m).
    :param layers: numbers of layers that tables name, shape (k); ``sites`` the atoms that they mean, shape (k).
    """

    cell: FloatArray
    positions: FloatArray
    z: IntArray
    layers: IntArray
    sites: IntArray

    def around(self, layer: int, vector: FloatArray, z: IntArray, cutoff: float) -> tuple[FloatArray, IntArray]:
        """Atoms within a cutoff of either site of a pair, the impurities first, in place of the host's atoms.

        :param layer: that of site i, which is the origin; ``vector`` to site j, shape (3) [Å].
        :param z: of the impurities, shape (2).
        :return: positions (a, 3) [Å] and nuclear charges (a).
        :raises ExchangeError: the layer is not known, or there is no atom where the second impurity is to be.
        """
        (origin,) = self.places(np.array([layer]))
        reach = cutoff + float(np.linalg.norm(vector))
        heights = 1.0 / np.linalg.norm(np.linalg.inv(self.cell), axis=0)
        spans = [range(-n, n + 1) for n in np.ceil(reach / heights).astype(int) + 1]
        shifts = np.array(list(product(*spans))) @ self.cell
        places = (self.positions[None] + shifts[:, None] - origin).reshape(-1, 3)
        charges = np.tile(self.z, len(shifts))
        first, second = np.linalg.norm(places, axis=1), np.linalg.norm(places - vector, axis=1)
        if second.min() > _ON_A_SITE:
            raise ExchangeError(f'there is no atom of the host at {np.round(vector, 2)} Å from layer {layer}')
        near = np.minimum(first, second)
        kept = (near < cutoff) & (near > _ON_A_SITE)
        return np.concatenate([[np.zeros(3), vector], places[kept]]), np.concatenate([z, charges[kept]])

    def places(self, layers: IntArray) -> FloatArray:
        """Where the atoms of layers are, shape (k, 3) [Å].

        :param layers: shape (k).
        :raises ExchangeError: a layer is not known.
        """
        if unknown := sorted({*layers.tolist()} - {*self.layers.tolist()}):
            raise ExchangeError(f'the structure of the host has no layer {", ".join(map(str, unknown))}')
        numbers = (layers[:, None] == self.layers).argmax(axis=1)
        places: FloatArray = self.positions[self.sites[numbers]]
        return places

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays."""
        return {f'host_{name}': getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Take back what :meth:`to_arrays` gave."""
        return cls(**{name: arrays[f'host_{name}'] for name in _ARRAYS})

    @staticmethod
    def is_in(arrays: dict[str, NDArray[Any]]) -> bool:
        """Whether arrays hold a structure."""
        return 'host_cell' in arrays


_ARRAYS: Final = ('cell', 'positions', 'z', 'layers', 'sites')


def surroundings(
    host: HostStructure | None, layer: int, vector: FloatArray, z: IntArray, cutoff: float
) -> tuple[FloatArray, IntArray]:
    """Atoms around a pair, the impurities first; without a known host nothing but them."""
    if host is None:
        return np.array([np.zeros(3), vector]), z
    return host.around(layer, vector, z, cutoff)
