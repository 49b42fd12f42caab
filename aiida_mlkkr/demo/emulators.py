"""Emulators that have not seen the impurity that they predict, trained on the others of the archive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.reuse import find_process

if TYPE_CHECKING:
    from aiida.orm import ProcessNode, WorkChainNode

    from aiida_mlkkr.data.dataset import ImpurityDatasetData
    from aiida_mlkkr.data.surrogate import SurrogateData


@dataclass(frozen=True, eq=False)
class Shard:
    """A dataset of one impurity.

    :param seconds: how long it took to make.
    """

    elements: tuple[str, ...]
    dataset: ImpurityDatasetData
    seconds: float


@dataclass(frozen=True, eq=False)
class TrainedEmulator:
    """An emulator of an impurity that it has not seen.

    :param number: of impurities that it was trained on.
    :param datasets, training: how long they took, in seconds.
    """

    model: SurrogateData
    number: int
    datasets: float
    training: float


def make_shards(workchains: Sequence[WorkChainNode], check: Callable[[], None]) -> tuple[list[Shard], list[str]]:
    """A dataset for each finished impurity, so that a model can be traced to single impurities.

    :param check: called in between; may raise an exception.
    :returns: the datasets, and in words what of the archive cannot be used.
    """
    from aiida_mlkkr.query import find_impurities, impurity_shards

    found = find_impurities(nodes=workchains)
    left_out = [f'{entry.node.label or entry.node.pk}: {entry.reason}' for entry in found.dropped]
    shards = []
    for impurity in found.usable:
        check()
        (dataset,) = impurity_shards([impurity])
        left_out += [f'{impurity.label}: {reason}' for reason in dataset.spec.left_out.values()]
        if dataset.spec.number:
            shards.append(Shard(impurity.elements, dataset, duration(dataset.creator)))
    return shards, left_out


def train_without(symbols: Sequence[str], shards: Sequence[Shard]) -> TrainedEmulator:
    """Train an emulator on all impurities but those of some elements.

    :raises DemoError: the others do not suffice.
    """
    from aiida_mlkkr.calculations.training import train_potential_emulator

    names = ', '.join(symbols)
    others = [shard for shard in shards if not set(symbols).intersection(shard.elements)]
    if not others:
        raise DemoError(f'there is no impurity but {names} in the archive, so that no emulator can learn about them.')
    inputs: dict[str, Any] = {f'shard_{number:03d}': shard.dataset for number, shard in enumerate(others, start=1)}
    process = find_process('train_potential_emulator', inputs)
    if process is None or not process.is_finished_ok:
        _, process = train_potential_emulator.run_get_node(**inputs)
    if not process.is_finished_ok:
        raise DemoError(f'an emulator without {names} cannot be trained: {process.exit_message}')
    return TrainedEmulator(
        model=process.outputs.model,
        number=len(others),
        datasets=sum(shard.seconds for shard in others),
        training=duration(process),
    )


def duration(process: ProcessNode) -> float:
    """Seconds from the beginning of a calculation function to its end."""
    return float((process.mtime - process.ctime).total_seconds())
