"""Monte Carlo with replicas: two copies at every temperature, one begun at random and one with all moments parallel.

Where both agree the moments have forgotten how they began; what they have in common at one time is the overlap of a
spin glass. Neighbouring temperatures are exchanged within a copy (K. Hukushima and K. Nemoto, J. Phys. Soc. Jpn. 65,
1604, 1996).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from . import kernels
from .correlations import PairShells
from .errors import SpinModelError
from .model import SpinModel
from .schedule import Schedule
from .units import BOLTZMANN

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]

COPIES: Final = 2
CORRELATIONS_EVERY: Final = 10
"""Rounds from one measurement of the correlations to the next."""

_STATE: Final = ('replicas', 'states', 'order', 'attempts', 'exchanges', 'done')


def groups_of(model: SpinModel) -> tuple[list[str], FloatArray]:
    """The moments by element and sublattice.

    :return: names of the groups, and which moments are in each, shape (g, n).
    """
    names = [f'{element}_{site}' for element, site in zip(model.elements, model.sublattices.tolist(), strict=True)]
    labels = sorted(set(names))
    return labels, np.array([[float(name == label) for name in names] for label in labels])


class Simulation:
    """A simulation of one model that can be stopped after any round and gone on with.

    :param threads: how many replicas are swept at once; the result does not depend on it.
    """

    def __init__(self, model: SpinModel, schedule: Schedule, threads: int = 1) -> None:
        self.model, self.schedule = model, schedule
        self._threads = threads
        graph = model.graph
        self._couplings = graph.scalars if model.is_scalar else graph.tensors
        self.terms = (
            graph.starts,
            graph.neighbours,
            np.ascontiguousarray(self._couplings),
            model.zeeman,
            model.anisotropy if model.anisotropy.any() else np.zeros((0, 3, 3)),
        )
        count = len(schedule.temperatures)
        self.betas = 1.0 / (BOLTZMANN * np.array(schedule.temperatures))
        seeds = np.random.SeedSequence([schedule.seed, model.seed, model.configuration])
        self.replicas = _starts(model, count, np.random.default_rng(seeds.spawn(1)[0]))
        self.states = np.array([seed.generate_state(4, np.uint64) for seed in seeds.spawn(COPIES * count)])
        self.order = np.arange(COPIES * count).reshape(COPIES, count)
        """Which replica is at each temperature."""
        self.attempts, self.exchanges = np.zeros((2, max(count - 1, 0)), dtype=np.int64)
        self.done = np.zeros((), dtype=np.int64)
        self._weights = groups_of(model)[1] * model.moments
        self._axis = model.field / (np.linalg.norm(model.field) or 1.0)
        self._shells = PairShells.of_model(model, schedule.correlation_reach)
        self.series = self._empty_series()

    @property
    def is_finished(self) -> bool:
        """Whether all rounds are done."""
        return bool(self.done >= self.schedule.rounds)

    @property
    def distances(self) -> FloatArray:
        """Distances of the shells of the correlations [Å]."""
        return self._shells.distances

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Go on until all rounds are done, or to the end of the round in which it is told to stop."""
        with ThreadPoolExecutor(self._threads) as pool:
            while not self.is_finished:
                energies = self._sweep(pool)
                if self.schedule.tempering:
                    energies = self._exchange(energies)
                measured = int(self.done) - self.schedule.thermalisation
                if measured >= 0:
                    self._measure(measured, energies)
                self.done += 1
                if should_stop():
                    return

    def checkpoint(self) -> Arrays:
        """All that is needed to go on; equal to that of a run without a stop."""
        return {name: getattr(self, name) for name in _STATE} | {
            f'series_{name}': values for name, values in self.series.items()
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a checkpoint.

        :raises SpinModelError: it is of another model or schedule.
        """
        for name, own in self.checkpoint().items():
            if name not in arrays or arrays[name].shape != own.shape:
                raise SpinModelError(f'the checkpoint is of another model or schedule ({name})')
        for name in _STATE:
            setattr(self, name, arrays[name].copy())
        self.series = {name: arrays[f'series_{name}'].copy() for name in self.series}

    def _empty_series(self) -> Arrays:
        rounds, count = self.schedule.measurement, len(self.schedule.temperatures)
        copies = (rounds, COPIES, count)
        return {
            'energy': np.zeros(copies),
            'square': np.zeros(copies),
            'along': np.zeros(copies),
            'groups': np.zeros((*copies, len(self._weights))),
            'overlap': np.zeros((rounds, count)),
            'correlations': np.zeros((-(-rounds // CORRELATIONS_EVERY), count, len(self._shells.distances))),
        }

    def _sweep(self, pool: ThreadPoolExecutor) -> FloatArray:
        """Sweep all replicas; return their energies, shape (copies, temperatures)."""
        schedule = self.schedule
        betas = np.empty(self.order.size)
        betas[self.order] = self.betas
        energies = np.empty_like(betas)
        algorithm = kernels.METROPOLIS if schedule.algorithm == 'metropolis' else kernels.HEAT_BATH

        def advance(part: slice) -> None:
            kernels.advance(
                self.replicas[part], *self.terms, betas[part], self.states[part],
                schedule.sweeps, schedule.reflections, algorithm, energies[part],
            )  # fmt: skip

        edges = np.linspace(0, len(betas), self._threads + 1).astype(int).tolist()
        parts = [slice(begin, end) for begin, end in pairwise(edges) if end > begin]
        if len(parts) == 1:
            advance(parts[0])
        else:
            list(pool.map(advance, parts))
        ordered: FloatArray = energies[self.order]
        return ordered

    def _exchange(self, energies: FloatArray) -> FloatArray:
        """Exchange neighbouring temperatures; return the energies (copies, temperatures) after it."""
        count = len(self.betas)
        lower = np.arange(int(self.done) % 2, count - 1, 2)
        gain = (self.betas[lower + 1] - self.betas[lower]) * (energies[:, lower + 1] - energies[:, lower])
        # of the round alone, so that a checkpoint need not keep a generator
        numbers = np.random.default_rng([self.schedule.seed, int(self.done)]).random(gain.shape)
        copy, place = np.nonzero(numbers < np.exp(np.minimum(gain, 0.0)))
        one, other = lower[place], lower[place] + 1
        after = energies.copy()
        for values in (self.order, after):
            values[copy, one], values[copy, other] = values[copy, other], values[copy, one]
        self.attempts[lower] += COPIES
        np.add.at(self.exchanges, one, 1)
        return after

    def _measure(self, index: int, energies: FloatArray) -> None:
        series, n = self.series, len(self.model)
        spins = self.replicas[self.order]
        of_groups = np.matmul(self._weights, spins)  # copies, temperatures, groups, 3
        total = of_groups.sum(axis=2) / self._weights.sum()
        series['energy'][index] = energies / n
        series['square'][index] = np.sum(total**2, axis=-1)
        series['along'][index] = total @ self._axis
        series['groups'][index] = np.linalg.norm(of_groups, axis=-1) / self._weights.sum(axis=1)
        overlaps = np.matmul(np.swapaxes(spins[0], 1, 2), spins[1]) / n
        series['overlap'][index] = np.sum(overlaps**2, axis=(1, 2))
        if not index % CORRELATIONS_EVERY:
            series['correlations'][index // CORRELATIONS_EVERY] = self._shells.correlations(spins)


def _starts(model: SpinModel, count: int, rng: np.random.Generator) -> FloatArray:
    """Directions of both copies at all temperatures, shape (copies · count, n, 3)."""
    random = rng.normal(size=(count, len(model), 3))
    random /= np.linalg.norm(random, axis=2, keepdims=True)
    axis = model.field / np.linalg.norm(model.field) if model.field.any() else np.array([0.0, 0.0, 1.0])
    return np.concatenate([random, np.broadcast_to(axis, random.shape)])
