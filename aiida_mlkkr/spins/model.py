"""A spin model: classical moments in a periodic box, the pairs that couple them, and what acts on each alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.tensors import isotropic, pair_energy

from .errors import SpinModelError
from .graph import PairGraph
from .units import BOHR_MAGNETON

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SpinModel:
    """Moments and the pairs that couple them, each unordered pair once.

    :param box: the vectors after which everything repeats, in rows, shape (3, 3) [Å].
    :param elements: symbols of the n moments.
    :param sublattices: number of the sublattice of each moment, shape (n).
    :param positions: shape (n, 3) [Å].
    :param moments: their sizes, shape (n) [µB].
    :param pairs: numbers i, j of the moments of each pair, from 0, shape (p, 2).
    :param images: by how many vectors of the box the partner j is displaced, shape (p, 3).
    :param tensors: 𝒥_ij, shape (p, 3, 3) [meV].
    :param anisotropy: symmetric matrices K_i, shape (n, 3, 3) [meV].
    :param field: B, shape (3) [T].
    :param seed: the seed of the random numbers that the moments were placed with; ``configuration`` the number of the
        arrangement among those of this seed.
    :raises SpinModelError: the parts contradict each other.
    """

    box: FloatArray
    elements: tuple[str, ...]
    sublattices: IntArray
    positions: FloatArray
    moments: FloatArray
    pairs: IntArray
    images: IntArray
    tensors: FloatArray
    anisotropy: FloatArray
    field: FloatArray = field(default_factory=lambda: np.zeros(3))
    seed: int = 0
    configuration: int = 0

    def __post_init__(self) -> None:
        n, p = len(self.elements), len(self.pairs)
        shapes: dict[str, tuple[int, ...]] = {
            'box': (3, 3),
            'sublattices': (n,),
            'positions': (n, 3),
            'moments': (n,),
            'pairs': (p, 2),
            'images': (p, 3),
            'tensors': (p, 3, 3),
            'anisotropy': (n, 3, 3),
            'field': (3,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise SpinModelError(f'{name}: {shape} finite numbers expected, found {array.shape}')
        for wrong, message in _COMPLAINTS:
            if wrong(self):
                raise SpinModelError(message)

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def vectors(self) -> FloatArray:
        """From i to the image of j that it is coupled to, shape (p, 3) [Å]."""
        i, j = self.pairs.T
        vectors: FloatArray = self.positions[j] + self.images @ self.box - self.positions[i]
        return vectors

    @property
    def is_scalar(self) -> bool:
        """Whether every pair has J only, and nothing but the field acts on a single moment."""
        scalars = isotropic(self.tensors)[:, None, None] * np.eye(3)
        rounding = 1e-14 * np.abs(self.tensors).max(initial=0.0)
        return not self.anisotropy.any() and bool(np.abs(self.tensors - scalars).max(initial=0.0) <= rounding)

    @property
    def zeeman(self) -> FloatArray:
        """m_i B, shape (n, 3) [meV]."""
        fields: FloatArray = BOHR_MAGNETON * self.moments[:, None] * self.field
        return fields

    @cached_property
    def graph(self) -> PairGraph:
        """The neighbours of every moment."""
        return PairGraph.of_pairs(len(self), self.pairs, self.tensors)

    def energy(self, directions: FloatArray) -> float:
        """The energy of a configuration, the sum over all pairs and moments [meV].

        :param directions: unit vectors e_i, shape (n, 3).
        """
        i, j = self.pairs.T
        exchange = pair_energy(self.tensors, directions[i], directions[j]).sum()
        alone = np.einsum('na,nab,nb->', directions, self.anisotropy, directions)
        return float(exchange - alone - np.sum(self.zeeman * directions))

    def in_field(self, field: FloatArray) -> SpinModel:
        """The same moments in another field, shape (3) [T]."""
        return replace(self, field=field)


def _is_asymmetric(model: SpinModel) -> bool:
    return not np.allclose(model.anisotropy, np.swapaxes(model.anisotropy, 1, 2), rtol=0, atol=1e-12)


def _has_foreign_pair(model: SpinModel) -> bool:
    return bool(model.pairs.size and (model.pairs.min() < 0 or model.pairs.max() >= len(model)))


def _has_pair_of_one(model: SpinModel) -> bool:
    return bool(np.any(model.pairs[:, 0] == model.pairs[:, 1]))


def _has_pair_twice(model: SpinModel) -> bool:
    return len(np.unique(np.sort(model.pairs, axis=1), axis=0)) < len(model.pairs)


_COMPLAINTS: tuple[tuple[Callable[[SpinModel], bool], str], ...] = (
    (lambda model: not len(model), 'there is no moment in the model'),
    (lambda model: bool(np.any(model.moments <= 0)), 'a moment is zero or negative; leave non-magnetic atoms out'),
    (_is_asymmetric, 'a matrix of the anisotropy is not symmetric'),
    (_has_foreign_pair, 'a pair is of a moment that is not in the box'),
    (_has_pair_of_one, 'a moment is coupled to its own image: the box is too small'),
    (_has_pair_twice, 'a pair occurs twice; list each once, whatever its direction, in a box of twice the reach'),
)
