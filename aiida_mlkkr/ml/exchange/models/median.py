"""The least that a model must beat: every pair has the median J."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.exchange.models.base import Arrays, PairEstimate, PairModel

_LEAST_ERROR: Final = 1e-3
"""If all J are equal [meV]."""


class Median(PairModel):
    """Predicts the median of the training rows."""

    name: ClassVar[str] = 'median'

    @classmethod
    def choose(cls, pairs: Pairs, options: Any, seed: int) -> Arrays:
        """The median and the root mean square distance from it."""
        median = np.median(pairs.j)
        error = np.sqrt(np.mean((pairs.j - median) ** 2)) or _LEAST_ERROR
        return {'median': np.array([median]), 'error': np.array([error])}

    def prepare(self) -> None:
        """Nothing is left to do."""

    def predict(self, pairs: Pairs) -> PairEstimate:
        """The same for all."""
        number = np.ones(len(pairs))
        return PairEstimate(self.chosen['median'] * number, self.chosen['error'] * number)
