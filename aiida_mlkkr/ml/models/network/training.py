"""Training of a committee: each member leaves out a part of the groups, and all stop where they predict those best.

The epoch that is kept is the same for all members, that of the smallest mean error of what each has left out: one
number chosen by all groups together, so that it says next to nothing about any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiida_mlkkr.ml.models.base import Arrays, Targets
from aiida_mlkkr.ml.models.network.committee import Committee, Inputs
from aiida_mlkkr.ml.models.network.inputs import Contributions
from aiida_mlkkr.ml.models.network.scales import Scales
from aiida_mlkkr.ml.monitor import Checkpoint, Monitor, TrainingInterrupted

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_BATCH: Final = 512
"""Sites of one step."""

_STEPS: Final = 20
"""Steps of an epoch at least."""

_NOISE_FREE: Final = 0.1
"""Error of a potential, in units of the typical size of what is learnt, from which on it counts less."""

_MOMENT_SHARE: Final = 0.05
"""Weight of the moments beside the potentials."""

_SAVED_EVERY: Final = 10
"""Epochs between checkpoints."""


@dataclass(frozen=True)
class Schedule:
    """How the weights are found: by Adam, the step falling with half a cosine, and decoupled weight decay.

    References: D. P. Kingma, J. Ba, arXiv:1412.6980; I. Loshchilov, F. Hutter, arXiv:1608.03983 and 1711.05101.

    :param epochs: at most; ``patience`` is the number of epochs without improvement after which it ends.
    """

    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float


def unseen(group: IntArray, folds: int, repeats: int, seed: int) -> BoolArray:
    """Which rows (members, n) each member is not trained on: one of the parts into which the groups are dealt.

    :param group: (n,) group of each row; a single group is seen by all.
    :param repeats: how often the groups are dealt anew.
    """
    groups, which = np.unique(group, return_inverse=True)
    random = np.random.default_rng(seed)
    parts = min(folds, len(groups))
    dealt = [random.permutation(len(groups))[which] % parts for _ in range(repeats)]
    left_out = np.array([part_of == part for part_of in dealt for part in range(parts)])
    return left_out if parts > 1 else np.zeros_like(left_out)


@dataclass(frozen=True, eq=False)
class Batch:
    """Some of the training data on the device.

    :param targets: average, splitting (n, C, K) and moment (n,).
    :param weight: (n,) of the squared error of a row; ``moment_weight`` (n,) of that of its moment.
    :param left_out: (members, n) who must not see what.
    """

    inputs: Inputs
    targets: tuple[Tensor, Tensor, Tensor]
    weight: Tensor
    moment_weight: Tensor
    left_out: Tensor


class Batches:
    """Training data in steps, the same ones in the same order for the same seed and epoch."""

    def __init__(
        self,
        table: Contributions,
        targets: Targets,
        scales: Scales,
        left_out: BoolArray,
        seed: int,
        device: torch.device,
    ) -> None:
        self._table, self._targets, self._scales, self._left_out = table, targets, scales, left_out
        self._seed, self._device = seed, device
        self.all = [self._batch(rows) for rows in self._parts(np.arange(len(targets)))]

    def of_epoch(self, epoch: int) -> Iterator[Batch]:
        """The steps of an epoch."""
        if len(self.all) == 1:
            yield from self.all * _STEPS
            return
        parts = self._parts(np.random.default_rng([self._seed, epoch]).permutation(len(self._targets)))
        for step in range(max(_STEPS, len(parts))):
            yield self._batch(parts[step % len(parts)])

    def _parts(self, rows: IntArray) -> list[IntArray]:
        return np.array_split(rows, -(-len(rows) // _BATCH))

    def _batch(self, rows: IntArray) -> Batch:
        def tensor(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

        targets, changed = self._targets.subset(rows), self._table.changed[rows]
        size = self._scales.site[changed.astype(np.int64)]
        noise = 1.0 + (targets.error / (_NOISE_FREE * size)) ** 2
        return Batch(
            inputs=Inputs(self._table.subset(rows), self._scales.tensor, self._device),
            targets=(tensor(targets.average), tensor(targets.splitting), tensor(targets.moment)),
            weight=tensor(1.0 / (size**2 * noise)),
            moment_weight=tensor(_MOMENT_SHARE * changed / (self._scales.moment**2 * noise)),
            left_out=tensor(self._left_out[:, rows]),
        )


class Training:
    """A training under way, which can be saved after each epoch and gone on with.

    :param committee: with its first weights.
    """

    def __init__(self, committee: Committee, scales: Scales, schedule: Schedule, device: torch.device) -> None:
        self._committee = committee.to(device)
        self._schedule = schedule
        self._output = torch.from_numpy(scales.function).to(device), float(scales.moment[0])
        self._optimiser = torch.optim.AdamW(
            committee.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, foreach=False
        )
        self._best = {name: weight.detach().clone() for name, weight in committee.named_parameters()}
        self._lowest = np.inf
        self._best_epoch = 0
        self._epoch = 0

    def run(self, batches: Batches, monitor: Monitor) -> None:
        """Train to the end, and leave the best weights in the committee.

        :raises TrainingInterrupted: if the monitor says so.
        """
        checkpoint = monitor.restore()
        if checkpoint is not None:
            self._go_on(checkpoint)
        while self._epoch < self._schedule.epochs and self._epoch - self._best_epoch < self._schedule.patience:
            losses = self._train_epoch(batches)
            monitor.progress('network', self._epoch, self._schedule.epochs, losses)
            stop = monitor.should_stop()
            if stop or self._epoch % _SAVED_EVERY == 0:
                monitor.save(*self._checkpoint())
            if stop:
                raise TrainingInterrupted
        self._committee.load_state_dict(self._best)

    def _train_epoch(self, batches: Batches) -> dict[str, float]:
        """One epoch, and the mean squared errors after it, relative to the size of what is learnt."""
        for group in self._optimiser.param_groups:
            group['lr'] = self._schedule.learning_rate * 0.5 * (1.0 + cos(pi * self._epoch / self._schedule.epochs))
        for batch in batches.of_epoch(self._epoch):
            self._optimiser.zero_grad()
            loss = self._squares(batch)
            torch.autograd.backward((loss * ~batch.left_out).sum() / loss.shape[1])
            self._optimiser.step()
        self._epoch += 1
        losses = self._losses(batches)
        judged = losses.get('left_out', losses['training'])
        if judged < self._lowest:
            self._lowest, self._best_epoch = judged, self._epoch
            self._best = {name: weight.detach().clone() for name, weight in self._committee.named_parameters()}
        return losses

    def _squares(self, batch: Batch) -> Tensor:
        """Weighted squared errors (members, n)."""
        function, size = self._output
        average, splitting, moment = self._committee(batch.inputs)
        errors = [found * function - right for found, right in zip((average, splitting), batch.targets, strict=False)]
        potential = sum(error.square().sum(dim=(2, 3)) for error in errors)
        total: Tensor = potential * batch.weight + (moment * size - batch.targets[2]).square() * batch.moment_weight
        return total

    def _losses(self, batches: Batches) -> dict[str, float]:
        sums, counts = np.zeros(2), np.zeros(2)
        with torch.no_grad():
            for batch in batches.all:
                squares = self._squares(batch)
                for place, rows in enumerate((~batch.left_out, batch.left_out)):
                    sums[place] += float((squares * rows).sum())
                    counts[place] += float(rows.sum())
        names = ('training', 'left_out') if counts[1] else ('training',)
        return {name: float(sums[place] / counts[place]) for place, name in enumerate(names)}

    def _checkpoint(self) -> Checkpoint:
        arrays: Arrays = {'lowest': np.array([self._lowest])}
        for name, weight in self._committee.named_parameters():
            moments = self._optimiser.state[weight]
            parts = {
                'now': weight,
                'best': self._best[name],
                'mean': moments['exp_avg'],
                'square': moments['exp_avg_sq'],
            }
            arrays |= {f'{part}_{array_name(name)}': to_array(tensor) for part, tensor in parts.items()}
        step = int(next(iter(self._optimiser.state.values()))['step'])
        return arrays, {'epoch': self._epoch, 'best_epoch': self._best_epoch, 'step': step}

    def _go_on(self, checkpoint: Checkpoint) -> None:
        arrays, state = checkpoint
        self._lowest = float(arrays['lowest'][0])
        self._epoch, self._best_epoch = int(state['epoch']), int(state['best_epoch'])
        for name, weight in self._committee.named_parameters():
            now, best, mean, square = (
                torch.from_numpy(arrays[f'{part}_{array_name(name)}'].copy()).to(weight.device)
                for part in ('now', 'best', 'mean', 'square')
            )
            with torch.no_grad():
                weight.copy_(now)
            self._best[name] = best
            self._optimiser.state[weight] = {
                'step': torch.tensor(float(state['step'])),
                'exp_avg': mean,
                'exp_avg_sq': square,
            }


def array_name(name: str) -> str:
    """Name of a weight as arrays are named."""
    return name.replace('.', '_')


def to_array(tensor: Tensor) -> FloatArray:
    """Copy of a tensor as an array of the CPU."""
    array: FloatArray = tensor.detach().cpu().numpy().copy()
    return array
