"""Several models with weights: each has what it is worth on pairs of elements that it has not seen."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
from scipy.optimize import nnls

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.exchange.models.base import Arrays, PairEstimate, PairModel
from aiida_mlkkr.ml.exchange.models.equivariant_tensor import EquivariantTensor
from aiida_mlkkr.ml.exchange.models.gaussian_process import GaussianProcess

_MEMBERS: Final[tuple[type[PairModel], ...]] = (GaussianProcess, EquivariantTensor)


class Stack(PairModel):
    """Gaussian process and tensor model, with weights from 0 on that add up to one; D and S are those of the latter."""

    name: ClassVar[str] = 'stack'

    @classmethod
    def choose(cls, pairs: Pairs, options: Any, seed: int) -> Arrays:
        """What the members choose, and their weights by what each predicts of the pairs that it is not shown."""
        members = [member.fit(pairs, seed=seed) for member in _MEMBERS]
        estimates = np.column_stack([member.left_out().mean for member in members])
        weights, _ = nnls(estimates, pairs.j)
        if not weights.sum() > 0.0:
            weights = np.ones(len(members))
        chosen = {f'{one.name}_{name}': values for one in members for name, values in one.chosen.items()}
        return chosen | {'weights': weights / weights.sum()}

    def prepare(self) -> None:
        """Make the members ready."""
        self.members = [
            member(self.pairs, member.options_type(), self.seed, _of_member(self.chosen, member.name))
            for member in _MEMBERS
        ]

    def predict(self, pairs: Pairs) -> PairEstimate:
        """Weighted means; the errors of the members are taken to be fully correlated."""
        return self._joined([member.predict(pairs) for member in self.members])

    def left_out(self) -> PairEstimate:
        """From those of the members."""
        return self._joined([member.left_out() for member in self.members])

    def _joined(self, estimates: list[PairEstimate]) -> PairEstimate:
        weights, tensor = self.chosen['weights'], estimates[-1]
        mean, error = (weights @ np.array([getattr(one, name) for one in estimates]) for name in ('mean', 'error'))
        return PairEstimate(mean, error, tensor.d, tensor.d_error, tensor.s)


def _of_member(chosen: Arrays, name: str) -> Arrays:
    return {key.removeprefix(f'{name}_'): values for key, values in chosen.items() if key.startswith(f'{name}_')}
