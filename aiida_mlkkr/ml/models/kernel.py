"""Gaussian processes of what an impurity does to its own site, and to the sites around it.

The potential of a site is a sum of contributions, each of an impurity: of the one on the site itself, by its element
and the environment of the site (SOAP), and of each other one, by its element and its distance. The neighbours' part is
learnt first, on the sites of the host, and taken off where there is an impurity. Elements on a site can be described in
two ways, and data of few impurities do not tell which is right: the prediction is the mean of both. What splits the
spins changes its sign with the moment of its impurity. Each l of a full potential has processes of its own, covariant
by the tensors of the site's geometry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import isqrt
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aiida_mlkkr.ml.contributions import Contributions
from aiida_mlkkr.ml.covariance import covariances_of
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.mixture import Mixture
from aiida_mlkkr.ml.models.base import Arrays, Estimate, Options, PotentialModel, Targets
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.site_contributions import (
    PRIOR_LENGTHS,
    Part,
    SiteContributions,
    contributions_of,
    representatives,
)
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Quantity = Literal['average', 'splitting']

_PARTS: Final[tuple[Part, ...]] = ('around', 'own')
_QUANTITIES: Final[tuple[Quantity, ...]] = ('average', 'splitting')
_SMALLEST_SCALE: Final = 1e-12


class KernelOptions(Options):
    """How the processes are trained.

    :param rank: how many observations at most stand for all in each process; with fewer it is exact.
    :param observations_for_lengths: how many of them at most decide on lengths and shares.
    """

    rank: int = Field(default=1500, ge=10, le=10_000)
    observations_for_lengths: int = Field(default=300, ge=10, le=3000)


@dataclass(frozen=True)
class _Kind:
    """Which contributions a process is of."""

    part: Part
    quantity: Quantity
    l: int

    @property
    def name(self) -> str:
        return f'{self.quantity}_{self.part}_{self.l}'

    @property
    def signed(self) -> bool:
        return self.quantity == 'splitting'

    @property
    def has_moment(self) -> bool:
        """Whether the last output is the moment of the impurity."""
        return self.signed and self.part == 'own' and self.l == 0

    def contributions(self, sites: Sites) -> SiteContributions:
        return contributions_of(self.part, sites, self.l, self.signed)


@dataclass(frozen=True, eq=False)
class _Training:
    """What a process is trained on: observations of sites first, then those of the host, which are zeros.

    :param site: rows of the table that the former are of.
    :param contributions, outputs, errors: of all observations, see :class:`Mixture`.
    """

    site: IntArray
    contributions: Contributions
    outputs: FloatArray
    errors: FloatArray


class Kernel(PotentialModel):
    """Gaussian processes of spin average and splitting, each of the impurity on the site and of those around.

    :param processes: by name; the last output of ``splitting_own_0`` is the moment of the impurity in µB.
    :param lmax: of the channels.
    :param functions: number of radial functions.
    """

    name: ClassVar[str] = 'kernel'
    options_type: ClassVar[type[Options]] = KernelOptions
    unseen_host: ClassVar[float] = 3.5
    closed_form: ClassVar[bool] = True

    def __init__(self, processes: dict[str, Mixture], lmax: int, functions: int) -> None:
        self._processes = processes
        self._lmax = lmax
        self._functions = functions

    @classmethod
    def fit(cls, sites: Sites, targets: Targets, options: KernelOptions, seed: int, monitor: Monitor) -> Self:
        """Train, see :class:`PotentialModel`."""
        model = cls({}, isqrt(targets.average.shape[1]) - 1, targets.average.shape[2])
        kinds = list(model._kinds())
        for step, kind in enumerate(kinds):
            training = model._training(kind, sites, targets)
            if training.outputs.any():
                covariances = covariances_of(
                    training.contributions,
                    training.outputs[:, : model._functions],
                    training.errors,
                    model._descriptions(kind),
                    options.observations_for_lengths,
                    seed,
                )
                model._processes[kind.name] = Mixture.condition(
                    training.contributions, training.outputs, training.errors, covariances, options.rank
                )
            monitor.progress('kernel', step + 1, len(kinds), {})
        if not model._processes:
            raise ModelError('there is nothing to learn from')
        return model

    def predict(self, sites: Sites) -> Estimate:
        """What is expected of sites, see :class:`PotentialModel`."""
        found = self._nothing(sites)
        for kind, process in self._trained():
            asked = kind.contributions(sites)
            self._add(found, kind, asked, *process.predict(asked.contributions, asked.of_host))
        return found

    def left_out(self, sites: Sites, targets: Targets, options: Any, seed: int) -> Estimate:
        """What each group of the training data is predicted to be by the others, with the lengths of all data."""
        found = self._nothing(sites)
        for kind, process in self._trained():
            training = self._training(kind, sites, targets)
            groups = np.full(len(training.outputs), -1)
            groups[: len(training.site)] = targets.group[training.site]
            asked = kind.contributions(sites)
            mean, variance = process.left_out(
                asked.contributions,
                targets.group[asked.site],
                training.contributions,
                training.outputs,
                training.errors,
                groups,
            )
            self._add(found, kind, asked, mean, variance)
        return found

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and details, see :class:`PotentialModel`."""
        arrays: Arrays = {}
        for name, process in self._processes.items():
            arrays |= process.to_arrays(name)
        return arrays, {
            'processes': {name: len(process.members) for name, process in self._processes.items()},
            'lmax': self._lmax,
            'functions': self._functions,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave."""
        model = cls({}, int(details['lmax']), int(details['functions']))
        known = {kind.name: kind for kind in model._kinds()}
        for name, number in details['processes'].items():
            process = Mixture.from_arrays(arrays, name, number)
            if process.outputs != model._functions + known[name].has_moment:
                raise ModelError(f'the process {name} has {process.outputs} outputs')
            model._processes[name] = process
        return model

    def _kinds(self) -> Iterator[_Kind]:
        """All kinds of processes, in the order in which they are trained."""
        return (_Kind(*one) for one in product(_PARTS, _QUANTITIES, range(self._lmax + 1)))

    def _trained(self) -> Iterator[tuple[_Kind, Mixture]]:
        return ((kind, self._processes[kind.name]) for kind in self._kinds() if kind.name in self._processes)

    def _descriptions(self, kind: _Kind) -> Sequence[Sequence[float]]:
        """Lengths expected before the data of a process are seen: elements resemble each other as for l = 0."""
        spherical = self._processes.get(replace(kind, l=0).name)
        if spherical is None:
            return PRIOR_LENGTHS[kind.part]
        return [member.covariance.lengths.tolist() for member in spherical.members]

    def _nothing(self, sites: Sites) -> Estimate:
        return Estimate.nothing(len(sites), (self._lmax + 1) ** 2, self._functions)

    def _training(self, kind: _Kind, sites: Sites, targets: Targets) -> _Training:
        """What a process is trained on, once those of the sites around are."""
        neighbours = np.bincount(sites.owner[sites.neighbour_changed], minlength=len(sites))
        rows = np.flatnonzero(sites.changed if kind.part == 'own' else ~sites.changed & (neighbours > 0))
        chosen = sites.subset(rows)
        channels: FloatArray = getattr(targets, kind.quantity)[rows].copy()
        around = replace(kind, part='around')
        if kind.part == 'own' and around.name in self._processes:
            contributed = around.contributions(chosen)
            contributed.add_to(channels, -self._processes[around.name].predict(contributed.contributions)[0])
        seen = kind.contributions(chosen)
        outputs = seen.seen(channels)
        scale = max(float(np.sqrt(np.sum(outputs**2) / max(len(outputs), 1))), _SMALLEST_SCALE)
        if kind.has_moment:
            outputs = np.column_stack([outputs, seen.direction[:, 0] * targets.moment[rows][seen.site]])
        errors = targets.error[rows][seen.site] / scale
        if seen.of_host is None:
            return _Training(rows[seen.site], seen.contributions, outputs, errors)
        nothing = kind.contributions(chosen.subset(representatives(kind.part, chosen))).of_host
        assert nothing is not None
        return _Training(
            rows[seen.site],
            seen.contributions.joined(nothing),
            np.concatenate([outputs, np.zeros((nothing.number, outputs.shape[1]))]),
            np.concatenate([errors, np.zeros(nothing.number)]),
        )

    def _add(
        self,
        found: Estimate,
        kind: _Kind,
        asked: SiteContributions,
        mean: FloatArray,
        variance: FloatArray,
    ) -> None:
        """Add what one process predicts to an estimate."""
        asked.add_to(getattr(found, kind.quantity), mean[:, : self._functions])
        np.add.at(found.variance, asked.site, variance[:, : self._functions].sum(axis=1))
        if kind.has_moment:
            found.moment[asked.site] = asked.direction[:, 0] * mean[:, -1]
