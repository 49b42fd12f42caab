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
    :param outside: whether a pair is outside of what the model has learnt; the uncertainties do not hold then, shape
        (p).
    :param d_uncertainty: ‖ΔD‖ is within it with the same probability; zero where it is computed, NaN where the model
        knows nothing of D, shape (p) [meV].
    :raises ExchangeError: the parts contradict each other.
    """

    sources: tuple[str, ...]
    predicted: BoolArray
    uncertainty: FloatArray
    outside: BoolArray
    d_uncertainty: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.sources),)
        if any(array.shape != shape for array in (self.predicted, self.uncertainty, self.outside, self.d_uncertainty)):
            raise ExchangeError(f'origins of {len(self.sources)} pairs: arrays of this length expected')
        of_d = self.d_uncertainty[~np.isnan(self.d_uncertainty)]
        if not all(np.isfinite(found).all() and found.min(initial=0.0) >= 0.0 for found in (self.uncertainty, of_d)):
            raise ExchangeError('an uncertainty is not a number from 0 on')
        if np.any(((self.uncertainty > 0.0) | (self.d_uncertainty != 0.0)) & ~self.predicted):
            raise ExchangeError('a pair that was computed has the uncertainty of a prediction')

    def __len__(self) -> int:
        return len(self.sources)

    @classmethod
    def computed(cls, sources: Sequence[str]) -> Origins:
        """Of pairs that were computed."""
        number = len(sources)
        none = np.zeros(number)
        return cls(tuple(sources), np.zeros(number, bool), none, np.zeros(number, bool), none)

    @classmethod
    def of_model(
        cls, source: str, uncertainty: FloatArray, outside: BoolArray, d_uncertainty: FloatArray | None = None
    ) -> Origins:
        """Of pairs that one model predicted.

        :param d_uncertainty: None if it knows nothing of D.
        """
        number = len(uncertainty)
        of_d = np.full(number, np.nan) if d_uncertainty is None else d_uncertainty
        return cls((source,) * number, np.ones(number, bool), uncertainty, outside, of_d)

    @classmethod
    def joined(cls, parts: Sequence[Origins]) -> Origins:
        """One after the other."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
        return cls(sum((part.sources for part in parts), ()), **arrays)

    def subset(self, rows: BoolArray | NDArray[np.int64]) -> Origins:
        """Of some of the pairs."""
        sources = tuple(np.array(self.sources, dtype=object)[rows].tolist())
        return Origins(sources, **{name: getattr(self, name)[rows] for name in ARRAYS})

    @property
    def standard_errors(self) -> FloatArray:
        """Of J, as that of a normal distribution with this interval, shape (p) [meV]."""
        errors: FloatArray = self.uncertainty / NORMAL_WIDTH
        return errors

    def row(self, number: int) -> dict[str, Any]:
        """What a row of a table says of a pair."""
        of_d = float(self.d_uncertainty[number])
        return {
            'origin': 'predicted' if self.predicted[number] else 'computed',
            'source': self.sources[number],
            'uncertainty_meV': float(self.uncertainty[number]),
            'D_uncertainty_meV': None if np.isnan(of_d) else of_d,
            'outside': bool(self.outside[number]),
        }


ARRAYS: Final = ('predicted', 'uncertainty', 'outside', 'd_uncertainty')
"""Names of the arrays of origins."""
