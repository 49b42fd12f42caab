"""The committee as a model of potentials."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.models.base import Arrays, Estimate, Options, PotentialModel, Targets
from aiida_mlkkr.ml.models.network.committee import Committee, Inputs, Shape, reproducible
from aiida_mlkkr.ml.models.network.inputs import Contributions, contributions
from aiida_mlkkr.ml.models.network.scales import Scales
from aiida_mlkkr.ml.models.network.training import Batches, Schedule, Training, array_name, to_array, unseen
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_SITES_AT_ONCE: Final = 512
_WEIGHT: Final = 'weight_'
_NOTHING: Final = 1e-12


class NetworkOptions(Options):
    """How a committee is trained.

    :param hidden: neurons of a layer; ``layers`` is the number of layers.
    :param gates: how many numbers weigh the tensors of l ≥ 1.
    :param folds: parts of the groups, one of which each member leaves out.
    :param repeats: members for each part; the groups are dealt anew for each.
    :param epochs: of training at most, of 20 steps or more; ``patience`` of them without improvement end it.
    :param learning_rate: first step of Adam; ``weight_decay`` in units of it.
    :param device: ``auto`` takes a GPU if there is one.
    """

    hidden: int = Field(default=64, ge=2, le=1024)
    layers: int = Field(default=2, ge=1, le=6)
    gates: int = Field(default=8, ge=1, le=128)
    folds: int = Field(default=5, ge=2, le=50)
    repeats: int = Field(default=3, ge=2, le=20)
    epochs: int = Field(default=50, ge=1, le=100_000)
    patience: int = Field(default=15, ge=1)
    learning_rate: float = Field(default=1e-2, gt=0.0, le=1.0)
    weight_decay: float = Field(default=0.1, ge=0.0, le=10.0)
    device: Literal['auto', 'cpu', 'cuda'] = 'auto'


class Network(PotentialModel):
    """A trained committee.

    :param noise: (2, 2) for sites beside an impurity and with one: mean squared error in Ry² of left-out sites in units
        of the summed strengths of their impurities, and in units of the spread of the committee.
    """

    name: ClassVar[str] = 'network'
    options_type: ClassVar[type[Options]] = NetworkOptions
    unseen_host: ClassVar[float] = 1.3

    def __init__(self, committee: Committee, scales: Scales, noise: FloatArray, device: torch.device) -> None:
        self._committee = committee.to(device)
        self._scales = scales
        self._noise = noise
        self._device = device

    @classmethod
    def refusal(cls, sites: Sites, targets: Targets) -> str:
        """Why the model cannot be trained on these data; empty if it can."""
        channels = targets.average.shape[1]
        if round(channels**0.5) ** 2 != channels:
            return f'{channels} channels are not all lm up to some lmax'
        return super().refusal(sites, targets)

    @classmethod
    def fit(cls, sites: Sites, targets: Targets, options: NetworkOptions, seed: int, monitor: Monitor) -> Self:
        """Train, see :class:`PotentialModel`."""
        if refusal := cls.refusal(sites, targets):
            raise ModelError(refusal)
        _, channels, functions = targets.average.shape
        table = contributions(sites, round(channels**0.5) - 1)
        scales = Scales.of(sites, targets, table)
        left_out = unseen(targets.group, options.folds, options.repeats, seed)
        paths = tuple(of_l.shape[1] for of_l in table.tensors)
        shape = Shape(len(left_out), options.hidden, options.layers, options.gates, functions, paths)
        schedule = Schedule(options.epochs, options.patience, options.learning_rate, options.weight_decay)
        device = _device(options.device)
        with reproducible():
            committee = Committee(shape, seed)
            training = Training(committee, scales, schedule, device)
            training.run(Batches(table, targets, scales, left_out, seed, device), monitor)
            model = cls(committee, scales, np.zeros((2, 2)), device)
            model._noise = model._measured_noise(table, targets, left_out)
        return model

    def predict(self, sites: Sites) -> Estimate:
        """What is expected of sites, see :class:`PotentialModel`."""
        table = contributions(sites, self._committee.shape.lmax)
        with reproducible():
            return self._estimate(table, np.ones((self._committee.shape.members, len(sites)), dtype=np.bool_))

    def left_out(self, sites: Sites, targets: Targets, options: Any, seed: int) -> Estimate:
        """What each group is predicted to be by the members that have not seen it."""
        table = contributions(sites, self._committee.shape.lmax)
        left_out = unseen(targets.group, options.folds, options.repeats, seed)
        with reproducible():
            return self._estimate(table, left_out)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and details, see :class:`PotentialModel`."""
        weights = {f'{_WEIGHT}{array_name(name)}': to_array(one) for name, one in self._committee.named_parameters()}
        shape = asdict(self._committee.shape)
        details = {**shape, 'paths': list(shape['paths'])}  # a tuple is not plain JSON
        return {**weights, **self._scales.to_arrays(), 'noise': self._noise}, details

    @classmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave."""
        committee = Committee(Shape(**{**details, 'paths': tuple(details['paths'])}), seed=0)
        for name, weight in committee.named_parameters():
            stored = arrays[f'{_WEIGHT}{array_name(name)}']
            if stored.shape != tuple(weight.shape):
                raise ModelError(f'the weights {name} of the network are {stored.shape}, not {tuple(weight.shape)}')
            weight.data = torch.from_numpy(stored.astype(np.float64))
        return cls(committee, Scales.from_arrays(arrays), arrays['noise'], torch.device('cpu'))

    def _estimate(self, table: Contributions, asked: BoolArray) -> Estimate:
        """Mean of the members asked (members, n), and its variance.

        That is half of what left-out sites taught about sites like it, and half of what the disagreement says.
        """
        found, spread = self._means(table, asked)
        of_kind, of_spread = self._noise[table.changed.astype(np.int64)].T
        return replace(found, variance=0.5 * (of_kind * table.summed_strength + of_spread * spread))

    def _means(self, table: Contributions, asked: BoolArray) -> tuple[Estimate, FloatArray]:
        """Means of the members asked, and the variance (n,) of the potential among them in Ry²."""
        found = Estimate.nothing(table.number, *self._scales.function.shape)
        spread = np.zeros(table.number)
        for begin in range(0, table.number, _SITES_AT_ONCE):
            rows = np.arange(begin, min(begin + _SITES_AT_ONCE, table.number))
            inputs = Inputs(table.subset(rows), self._scales.tensor, self._device)
            with torch.no_grad():
                average, splitting, moment = (to_array(one) for one in self._committee(inputs))
            weight = asked[:, rows] / np.maximum(asked[:, rows].sum(axis=0), 1)
            for name, said in (('average', average), ('splitting', splitting)):
                mean = np.einsum('an,anck->nck', weight, said)
                getattr(found, name)[rows] = mean * self._scales.function
                squares = np.sum(((said - mean) * self._scales.function) ** 2, axis=(2, 3))
                spread[rows] += np.sum(weight * squares, axis=0)
            found.moment[rows] = self._scales.moment[0] * np.sum(weight * moment, axis=0)
        return found, spread

    def _measured_noise(self, table: Contributions, targets: Targets, left_out: BoolArray) -> FloatArray:
        found, spread = self._means(table, left_out)
        wrong = np.sum((found.average - targets.average) ** 2 + (found.splitting - targets.splitting) ** 2, axis=(1, 2))
        noise = np.zeros((2, 2))
        for part, rows in enumerate((~table.changed, table.changed)):
            if rows.any():
                units = np.array([table.summed_strength[rows].mean(), spread[rows].mean()])
                np.divide(wrong[rows].mean(), units, out=noise[part], where=units > _NOTHING)
        return noise


def _device(asked: str) -> torch.device:
    """The device of that name.

    :raises ModelError: if a GPU is asked for and there is none.
    """
    if asked == 'cuda' and not torch.cuda.is_available():
        raise ModelError(
            'the network is to be trained on a GPU (device cuda), but torch finds none: set device to auto'
        )
    return torch.device('cuda' if asked != 'cpu' and torch.cuda.is_available() else 'cpu')
