"""Where the exchange of a pair comes from: computed, or predicted, by what, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import ExchangeError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

LEVEL: Final = 0.9
"""Probability with which J is within its uncertainty."""

NORMAL_WIDTH: Final = 1.6448536269514722
"""Half width of the interval that holds 90 % of a normal distribution, in its standard deviations."""


@dataclass(frozen=True, eq=False)
class Origins:
    """Of p pairs.

    :param sources: UUIDs of the exchange data that a value was computed for, or of the model that predicted it; empty
        where it is not known.
    :param predicted: shape (p).
    :param uncertainty: J is within J ± uncertainty with a probability of 90 %; zero where it is computed, shape (p)
        [meV].
    :param outside: whether a pair is outside of what the model has learnt; the uncertainty does not hold then, shape
        (p).
    :raises ExchangeError: the parts contradict each other.
    """

    sources: tuple[str, ...]
    predicted: BoolArray
    uncertainty: FloatArray
    outside: BoolArray

    def __post_init__(self) -> None:
        shape = (len(self.sources),)
        if not self.predicted.shape == self.uncertainty.shape == self.outside.shape == shape:
            raise ExchangeError(f'origins of {len(self.sources)} pairs: arrays of this length expected')
        if not np.isfinite(self.uncertainty).all() or self.uncertainty.min(initial=0.0) < 0.0:
            raise ExchangeError('an uncertainty is not a number from 0 on')
        if np.any((self.uncertainty > 0.0) & ~self.predicted):
            raise ExchangeError('a pair that was computed has the uncertainty of a prediction')

    def __len__(self) -> int:
        return len(self.sources)

    @classmethod
    def computed(cls, sources: Sequence[str]) -> Origins:
        """Of pairs that were computed."""
        number = len(sources)
        return cls(tuple(sources), np.zeros(number, bool), np.zeros(number), np.zeros(number, bool))

    @classmethod
    def of_model(cls, source: str, uncertainty: FloatArray, outside: BoolArray) -> Origins:
        """Of pairs that one model predicted."""
        number = len(uncertainty)
        return cls((source,) * number, np.ones(number, bool), uncertainty, outside)

    @classmethod
    def joined(cls, parts: Sequence[Origins]) -> Origins:
        """One after the other."""
        return cls(
            sum((part.sources for part in parts), ()),
            np.concatenate([part.predicted for part in parts]),
            np.concatenate([part.uncertainty for part in parts]),
            np.concatenate([part.outside for part in parts]),
        )

    def subset(self, rows: BoolArray | NDArray[np.int64]) -> Origins:
        """Of some of the pairs."""
        sources = tuple(np.array(self.sources, dtype=object)[rows].tolist())
        return Origins(sources, self.predicted[rows], self.uncertainty[rows], self.outside[rows])

    @property
    def standard_errors(self) -> FloatArray:
        """Of J, as that of a normal distribution with this interval, shape (p) [meV]."""
        errors: FloatArray = self.uncertainty / NORMAL_WIDTH
        return errors

    def row(self, number: int) -> dict[str, Any]:
        """What a row of a table says of a pair."""
        return {
            'origin': 'predicted' if self.predicted[number] else 'computed',
            'source': self.sources[number],
            'uncertainty_meV': float(self.uncertainty[number]),
            'outside': bool(self.outside[number]),
        }
