"""Training of a committee of tensor networks, of which each member leaves out some pairs of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.exchange.tensor_frame import Asked, TensorFrame
from aiida_mlkkr.ml.exchange.tensor_network import Part, TensorNetworks
from aiida_mlkkr.ml.models.network.committee import reproducible
from aiida_mlkkr.ml.splits import Fold

FloatArray = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

_RATE: Final = 0.03
_DECAY: Final = 0.02
_DEVIATION_DECAY: Final = 0.1
_POWER: Final = 0.25
"""Of the expected size of a label by which its error is divided: 0 for errors in meV, 1 for relative ones."""
_SMALL: Final = 0.02
_SMOOTH: Final = 0.1


def trained(frame: TensorFrame, pairs: Pairs, folds: Sequence[Fold], steps: int, seed: int) -> Arrays:
    """Weights of a committee.

    By AdamW, the rate falling with half a cosine (I. Loshchilov, F. Hutter, arXiv:1711.05101), from the absolute
    errors, smooth where they are small.

    :param folds: the rows that each member is not to see.
    """
    with reproducible():
        networks = TensorNetworks(frame.sizes(len(folds)), seed)
        others = [weight for name, weight in networks.named_parameters() if name != 'deviation']
        groups = [
            {'params': others, 'weight_decay': _DECAY},
            {'params': [networks.deviation], 'weight_decay': _DEVIATION_DECAY},
        ]
        optimiser = torch.optim.AdamW(groups, lr=_RATE, foreach=True)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        loss = _Loss(frame, pairs, folds)
        for _ in range(steps):
            optimiser.zero_grad()
            torch.autograd.backward(loss(networks))
            optimiser.step()
            rate.step()
        return {array_name(name): weight.detach().numpy() for name, weight in networks.named_parameters()}


def array_name(name: str) -> str:
    """Name of a weight as arrays are named."""
    return name.replace('.', '_')


def restored(frame: TensorFrame, arrays: Arrays, seed: int) -> TensorNetworks:
    """A committee with weights that :func:`trained` gave.

    :raises ValueError: they are of other networks; ``KeyError`` means the same.
    """
    networks = TensorNetworks(frame.sizes(len(arrays['deviation'])), seed)
    with torch.no_grad():
        for name, weight in networks.named_parameters():
            array = arrays[array_name(name)]
            if array.shape != weight.shape:
                raise ValueError(f'{name}: weights of the shape {tuple(weight.shape)} expected, found {array.shape}')
            weight.copy_(torch.from_numpy(array.copy()))
    return networks


class _Loss:
    def __init__(self, frame: TensorFrame, pairs: Pairs, folds: Sequence[Fold]) -> None:
        self._asked: Asked = frame.asked(pairs)
        seen = np.ones((len(folds), len(pairs)))
        for member, fold in enumerate(folds):
            seen[member, fold.test] = 0.0
        self._seen = torch.from_numpy(seen / len(pairs))
        self._amplitude = torch.from_numpy(self._asked.amplitude)[:, None]
        typical = frame.typical
        damped = (self._asked.amplitude / typical + _SMALL) ** _POWER
        self._weights = {part: torch.from_numpy(1.0 / (unit * typical * damped)) for part, unit in frame.units.items()}
        self._units = frame.units
        self._labels = {part: torch.from_numpy(values.copy()) for part, values in frame.labels.items()}

    def __call__(self, networks: TensorNetworks) -> Tensor:
        found = networks(self._asked.inputs)
        return torch.stack([self._of(part, values) for part, values in found.items()]).sum()

    def _of(self, part: Part, values: Tensor) -> Tensor:
        g, a, b = self._asked.place
        missed = values[:, g, a, b] * (self._units[part] * self._amplitude) - self._labels[part]
        squares = missed.square().sum(dim=2) * self._weights[part].square()
        return ((squares + _SMOOTH**2).sqrt() * self._seen).sum()
