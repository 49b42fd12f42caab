"""J, D and S of pairs by networks that keep their symmetry exactly, under O(3) and under exchange of the sites."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.exchange.models.base import FOLDS, Arrays, PairEstimate, PairModel
from aiida_mlkkr.ml.exchange.tensor_frame import TensorFrame
from aiida_mlkkr.ml.exchange.tensor_network import Part
from aiida_mlkkr.ml.exchange.tensor_training import restored, trained
from aiida_mlkkr.ml.models.base import Options
from aiida_mlkkr.ml.splits import Fold, grouped_folds

FloatArray = NDArray[np.float64]

_DEALS: Final = 2
_LEAST: Final = 0.02
"""Of the typical size, what an error is expected to be at least."""


class TensorOptions(Options):
    """How long the networks learn."""

    steps: PositiveInt = 200


class EquivariantTensor(PairModel):
    """The mean of a committee, of which each member has not seen a fifth of the pairs of elements, dealt twice.

    The error is taken to go with the product of the moments and the inverse cube of the distance.
    """

    name: ClassVar[str] = 'equivariant_tensor'
    options_type: ClassVar[type[Options]] = TensorOptions

    @classmethod
    def choose(cls, pairs: Pairs, options: Any, seed: int) -> Arrays:
        """The weights of the networks."""
        return trained(TensorFrame(pairs), pairs, _folds(pairs, seed), options.steps, seed)

    def prepare(self) -> None:
        """Give the networks their weights."""
        self._frame = TensorFrame(self.pairs)
        self._networks = restored(self._frame, self.chosen, self.seed)

    def predict(self, pairs: Pairs) -> PairEstimate:
        """Means of the committee."""
        values, amplitude = self._members(pairs)
        return self._estimate({part: its.mean(axis=0) for part, its in values.items()}, amplitude)

    def left_out(self) -> PairEstimate:
        """The mean of the members that have not seen a pair of elements: a little worse than the committee."""
        values, amplitude = self._members(self.pairs)
        unseen = {part: np.zeros_like(its[0]) for part, its in values.items()}
        for member, fold in enumerate(_folds(self.pairs, self.seed)):
            for part, its in values.items():
                unseen[part][fold.test] += its[member, fold.test] / _DEALS
        return self._estimate(unseen, amplitude)

    def _members(self, pairs: Pairs) -> tuple[dict[Part, FloatArray], FloatArray]:
        """What each member says (m, n, components) [meV], and the amplitudes."""
        asked = self._frame.asked(pairs)
        g, a, b = asked.place
        with torch.no_grad():
            found = self._networks(asked.inputs)
        scales = {part: unit * asked.amplitude[:, None] for part, unit in self._frame.units.items()}
        return {part: its.numpy()[:, g, a, b] * scales[part] for part, its in found.items()}, asked.amplitude

    def _estimate(self, values: dict[Part, FloatArray], amplitude: FloatArray) -> PairEstimate:
        errors = {part: unit * (amplitude + _LEAST * self._frame.typical) for part, unit in self._frame.units.items()}
        return PairEstimate(
            values['j'][:, 0],
            errors['j'],
            values.get('d'),
            errors.get('d'),
            values['s'].reshape(-1, 3, 3) if 's' in values else None,
        )


def _folds(pairs: Pairs, seed: int) -> list[Fold]:
    """What each member does not see."""
    return [fold for deal in range(_DEALS) for fold in grouped_folds(pairs.element_pairs, FOLDS, seed + deal)]
