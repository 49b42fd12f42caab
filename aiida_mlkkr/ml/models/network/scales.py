"""Typical sizes of training data, by which a network's inputs and outputs are made numbers of order 1."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.models.base import Arrays, Targets
from aiida_mlkkr.ml.models.network.inputs import Contributions
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]

_ROUNDING: Final = 1e-9
_PREFIX: Final = 'scale_'


@dataclass(frozen=True, eq=False)
class Scales:
    """Typical sizes.

    :param function: (C, K) of the coefficients in Ry, the same for all m of an l.
    :param moment: (1,) of moments in µB.
    :param site: (2,) of the whole potential in Ry, on sites beside an impurity and with one.
    :param tensor: (Σ P_l,) factors that make the tensors of order 1, those of all l ≥ 1 one after the other; 0 where
        there are none.
    """

    function: FloatArray
    moment: FloatArray
    site: FloatArray
    tensor: FloatArray

    @classmethod
    def of(cls, sites: Sites, targets: Targets, table: Contributions) -> Scales:
        """Those of training data."""
        both = np.concatenate([targets.average, targets.splitting])
        function = np.empty(both.shape[1:])
        for l in range(len(table.tensors) + 1):
            of_l = slice(l * l, (l + 1) ** 2)
            function[of_l] = np.sqrt(np.mean(both[:, of_l] ** 2, axis=(0, 1)))
        squares = np.sum(targets.average**2 + targets.splitting**2, axis=(1, 2))
        parts = [squares[~sites.changed], squares[sites.changed]]
        tensor = [np.sqrt(np.mean(of_l**2, axis=(0, 2))) for of_l in table.tensors]
        return cls(
            function=function,
            moment=np.array([_size(targets.moment[sites.changed] ** 2)]),
            site=np.array([_size(part) for part in parts]),
            tensor=_inverse(np.concatenate([*tensor, np.empty(0)])),
        )

    def to_arrays(self) -> Arrays:
        """As plain arrays."""
        return {f'{_PREFIX}{field.name}': getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Scales:
        """Take back what :meth:`to_arrays` gave."""
        return cls(**{field.name: arrays[f'{_PREFIX}{field.name}'] for field in fields(cls)})


def _size(squares: FloatArray) -> float:
    """Root mean square; 1 if there is nothing, or nothing but zeros."""
    return float(np.sqrt(squares.mean())) or 1.0 if len(squares) else 1.0


def _inverse(sizes: FloatArray) -> FloatArray:
    real = sizes > _ROUNDING
    found: FloatArray = np.where(real, 1.0 / np.where(real, sizes, 1.0), 0.0)
    return found
