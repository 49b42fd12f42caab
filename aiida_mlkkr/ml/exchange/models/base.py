"""What all models of exchange have in common.

A model keeps the pairs that it has learnt from and the numbers that its training has chosen; everything else follows
from them. So a model is plain arrays, and one that is taken back is the same. J does not depend on the order of the
two sites, which every model knows by its construction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.models.base import Options
from aiida_mlkkr.ml.splits import grouped_folds

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]

FOLDS: Final = 5
_CHOSEN: Final = 'chosen_'


@dataclass(frozen=True, eq=False)
class PairEstimate:
    """What a model says of n pairs.

    :param mean: J, shape (n) [meV]; ``error`` its standard error as the model expects it, shape (n) [meV].
    :param d: D, shape (n, 3) [meV], and ``d_error`` what ‖ΔD‖ is expected to be, shape (n) [meV]; None for a model that
        knows nothing of it. ``s`` is S, shape (n, 3, 3) [meV], likewise.
    """

    mean: FloatArray
    error: FloatArray
    d: FloatArray | None = None
    d_error: FloatArray | None = None
    s: FloatArray | None = None


class PairModel(ABC):
    """A trained model. Equal data, options and seed give equal predictions.

    :param pairs: that it has learnt from.
    :param options: of the type :attr:`options_type`.
    :param seed: of the random numbers.
    :param chosen: what the training has decided.
    """

    name: ClassVar[str]
    options_type: ClassVar[type[Options]] = Options
    folds: ClassVar[int] = FOLDS

    def __init__(self, pairs: Pairs, options: Any, seed: int, chosen: Arrays) -> None:
        self.pairs, self.options, self.seed, self.chosen = pairs, options, seed, chosen
        self.prepare()

    @classmethod
    def fit(cls, pairs: Pairs, options: Options | None = None, seed: int = 0) -> Self:
        """Train.

        :raises ModelError: there is too little to learn from, or a number is not finite.
        """
        if len(set(pairs.element_pairs)) < 2:
            raise ModelError('a model of exchange needs at least two different pairs of elements to learn from')
        known = {'J': pairs.j, 'D': pairs.d, 'S': pairs.s, 'a moment': pairs.moments, 'the vector': pairs.vectors}
        if unknown := [name for name, values in known.items() if values is not None and not np.isfinite(values).all()]:
            raise ModelError(f'{", ".join(unknown)} of a pair to learn from is not finite')
        options = cls.options_type() if options is None else options
        return cls(pairs, options, seed, cls.choose(pairs, options, seed))

    @classmethod
    @abstractmethod
    def choose(cls, pairs: Pairs, options: Any, seed: int) -> Arrays:
        """The part of the training that takes time: what the data decide, such as hyperparameters."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the model ready to predict."""

    @abstractmethod
    def predict(self, pairs: Pairs) -> PairEstimate:
        """What is expected of pairs, and how surely; their J, D and moments are not looked at."""

    def of_part(self, rows: IntArray) -> PairModel:
        """The model that some of the training rows give, with the numbers that all have chosen."""
        return type(self)(self.pairs.subset(rows), self.options, self.seed, self.chosen)

    def left_out(self) -> PairEstimate:
        """What each training pair is predicted to be without its pair of elements, by :attr:`folds` folds."""
        found = PairEstimate(np.zeros(len(self.pairs)), np.zeros(len(self.pairs)))
        for fold in grouped_folds(self.pairs.element_pairs, self.folds, self.seed):
            estimate = self.of_part(fold.train).predict(self.pairs.subset(fold.test))
            found.mean[fold.test], found.error[fold.test] = estimate.mean, estimate.error
        return found

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Plain arrays and the rest in plain JSON, from which :meth:`from_arrays` makes the same model."""
        arrays = self.pairs.to_arrays() | {f'{_CHOSEN}{name}': array for name, array in self.chosen.items()}
        return arrays, {'options': self.options.model_dump(mode='json'), 'seed': self.seed}

    @classmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave.

        :raises ModelError: if they do not fit together.
        """
        chosen = {name.removeprefix(_CHOSEN): array for name, array in arrays.items() if name.startswith(_CHOSEN)}
        try:
            options = cls.options_type.model_validate(details['options'])
            return cls(Pairs.from_arrays(arrays), options, int(details['seed']), chosen)
        except (KeyError, ValueError, TypeError, IndexError, ExchangeError) as error:
            raise ModelError(f'the arrays of the model {cls.name} do not fit together: {error}') from error
