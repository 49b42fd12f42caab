"""Which contributions make up each observation, for a process that learns the contributions from their sums."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Contributions:
    """m contributions to n observations.

    :param features: (m, d) of the element and where it stands.
    :param environment: (m,) which of the ``environments`` the site has; these (u, p) are vectors of length 1.
    :param tensor: (m,) number of the tensor that it is a component of; those of different ones are independent.
    :param observation: (m,) to which observation it belongs.
    :param weight: (m,) factor of it, such as the sign of a moment or the component of the tensor.
    :param number: n, number of observations.
    """

    features: FloatArray
    environment: IntArray
    environments: FloatArray
    tensor: IntArray
    observation: IntArray
    weight: FloatArray
    number: int

    def subset(self, chosen: IntArray) -> Contributions:
        """The contributions to some of the observations, in the order given."""
        place = np.full(self.number, -1)
        place[chosen] = np.arange(len(chosen))
        kept = np.flatnonzero(place[self.observation] >= 0)
        used, environment = np.unique(self.environment[kept], return_inverse=True)
        return Contributions(
            self.features[kept],
            environment,
            self.environments[used],
            self.tensor[kept],
            place[self.observation[kept]],
            self.weight[kept],
            len(chosen),
        )

    def joined(self, other: Contributions) -> Contributions:
        """These observations and others after them."""
        return Contributions(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.environment, len(self.environments) + other.environment]),
            np.concatenate([self.environments, other.environments]),
            np.concatenate([self.tensor, other.tensor]),
            np.concatenate([self.observation, self.number + other.observation]),
            np.concatenate([self.weight, other.weight]),
            self.number + other.number,
        )

    def summed(self, matrix: FloatArray) -> FloatArray:
        """Rows (m, k) of single contributions, weighted and summed to rows (n, k) of observations."""
        total: FloatArray = self._summation @ matrix
        return total

    @cached_property
    def _summation(self) -> csr_array:
        single = np.arange(len(self.weight))
        return csr_array((self.weight, (self.observation, single)), shape=(self.number, len(self.weight)))

    def pairs(self) -> tuple[IntArray, IntArray]:
        """All ordered pairs of contributions to the same observation, each with itself included."""
        order = np.argsort(self.observation, kind='stable')
        counts = np.bincount(self.observation, minlength=self.number)
        of_contribution = counts[self.observation[order]]
        first = np.repeat(np.arange(len(order)), of_contribution)
        starts = np.repeat((np.cumsum(counts) - counts)[self.observation[order]], of_contribution)
        before = np.repeat(np.cumsum(of_contribution) - of_contribution, of_contribution)
        return order[first], order[starts + np.arange(len(first)) - before]

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Plain arrays, their names beginning with ``prefix``, that :meth:`from_arrays` takes back."""
        arrays = {f'{prefix}_{name}': getattr(self, name) for name in _ARRAYS}
        return {**arrays, f'{prefix}_number': np.array([self.number])}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str) -> Self:
        """Take back what :meth:`to_arrays` gave.

        :raises ValueError: if they do not fit together.
        """
        parts = {name: arrays[f'{prefix}_{name}'] for name in _ARRAYS}
        number = int(arrays[f'{prefix}_number'][0])
        lengths = {len(part) for name, part in parts.items() if name != 'environments'}
        if len(lengths) != 1 or any(
            part.size and not 0 <= part.min() <= part.max() < limit
            for part, limit in ((parts['observation'], number), (parts['environment'], len(parts['environments'])))
        ):
            raise ValueError(f'the contributions of {prefix} do not fit together')
        return cls(**parts, number=number)


_ARRAYS: Final = tuple(field.name for field in fields(Contributions) if field.name != 'number')
