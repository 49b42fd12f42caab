"""Gaussian processes of what an impurity does to its own site, and to the sites around it.

The potential of a site is a sum of contributions, each of an impurity: of the one on the site itself, by its element,
and of each other one, by its element and its distance. The neighbours' part is learnt first, on the sites of the host,
and taken off where there is an impurity. What splits the spins changes its sign with the moment of its impurity.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aiida_mlkkr.ml.covariance import Contributions
from aiida_mlkkr.ml.elements import AROUND, FEATURES, ON_SITE, element_features
from aiida_mlkkr.ml.gaussian_process import GaussianProcess
from aiida_mlkkr.ml.models.base import Arrays, Estimate, Options, PotentialModel, Targets
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Part = Literal['around', 'own']
Quantity = Literal['average', 'splitting']

_PARTS: Final[tuple[Part, ...]] = ('around', 'own')
_QUANTITIES: Final[tuple[Quantity, ...]] = ('average', 'splitting')
_LENGTHS: Final = {'own': [2.5] * len(ON_SITE), 'around': [2.5] * len(AROUND) + [0.75]}

_MANY_ATOMS: Final = 1_000_000
"""More than the cells of all hosts hold together: one number for a pair of atoms."""


class KernelOptions(Options):
    """How the processes are trained.

    :param rank: how many observations at most stand for all in each process.
    """

    rank: int = Field(default=1500, ge=10, le=10_000)


class Kernel(PotentialModel):
    """Four Gaussian processes: of spin average and splitting, each of the impurity on the site and of those around.

    :param processes: by name; the last output of ``splitting_own`` is the moment of the impurity in µB.
    :param functions: number of radial functions.
    """

    name: ClassVar[str] = 'kernel'
    options_type: ClassVar[type[Options]] = KernelOptions

    def __init__(self, processes: dict[str, GaussianProcess], functions: int) -> None:
        self._processes = processes
        self._functions = functions

    @classmethod
    def fit(cls, sites: Sites, targets: Targets, options: KernelOptions, seed: int, monitor: Monitor) -> Self:
        """Train, see :class:`PotentialModel`."""
        model = cls({}, targets.average.shape[2])
        for step, (part, quantity) in enumerate((part, quantity) for part in _PARTS for quantity in _QUANTITIES):
            contributions, outputs, errors, _ = model._observations(part, quantity, sites, targets)
            if contributions.number:
                potential = outputs[:, : model._functions]
                process = GaussianProcess.fit(contributions, potential, errors, _LENGTHS[part], options.rank, seed)
                if outputs.shape[1] > model._functions:
                    process = process.with_outputs(contributions, outputs, errors)
                model._processes[f'{quantity}_{part}'] = process
            monitor.progress('kernel', step + 1, len(_PARTS) * len(_QUANTITIES), {})
        return model

    def predict(self, sites: Sites) -> Estimate:
        """What is expected of sites, see :class:`PotentialModel`."""
        found = Estimate.nothing(len(sites), 1, self._functions)
        for name, process in self._processes.items():
            quantity, part = name.split('_')
            mean, variance = process.predict(_CONTRIBUTIONS[part](sites, quantity == 'splitting'))
            self._add(found, quantity, process, np.arange(len(sites)), mean, variance)
        return found

    def left_out(self, sites: Sites, targets: Targets, options: Any, seed: int) -> Estimate:
        """What each group of the training data is predicted to be by the others, with the lengths of all data."""
        found = Estimate.nothing(len(sites), 1, self._functions)
        for name, process in self._processes.items():
            quantity, part = name.split('_')
            contributions, outputs, errors, rows = self._observations(part, quantity, sites, targets)
            groups = np.concatenate([targets.group[rows], np.full(len(outputs) - len(rows), -1)])
            mean, variance = process.left_out(contributions, outputs, errors, groups)
            self._add(found, quantity, process, rows, mean[: len(rows)], variance[: len(rows)])
            if part == 'around':
                changed = np.flatnonzero(sites.changed)
                mean, variance = process.predict(around_contributions(sites.subset(changed), quantity == 'splitting'))
                self._add(found, quantity, process, changed, mean, variance)
        return found

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and details, see :class:`PotentialModel`."""
        arrays: Arrays = {}
        for name, process in self._processes.items():
            arrays |= process.to_arrays(name)
        return arrays, {'processes': list(self._processes), 'functions': self._functions}

    @classmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave."""
        names = details['processes']
        return cls({name: GaussianProcess.from_arrays(arrays, name) for name in names}, int(details['functions']))

    def _observations(
        self, part: str, quantity: str, sites: Sites, targets: Targets
    ) -> tuple[Contributions, FloatArray, FloatArray, IntArray]:
        """What a process is trained on: contributions, outputs and errors of rows of the table, and the host's zeros.

        :return: the rows too.
        """
        signed = quantity == 'splitting'
        neighbours = np.bincount(sites.owner[sites.neighbour_changed], minlength=len(sites))
        rows = np.flatnonzero(sites.changed if part == 'own' else ~sites.changed & (neighbours > 0))
        chosen = sites.subset(rows)
        outputs = getattr(targets, quantity)[rows, 0]
        if part == 'own' and f'{quantity}_around' in self._processes:
            around = self._processes[f'{quantity}_around'].predict(around_contributions(chosen, signed))[0]
            outputs = outputs - around
        scale = max(float(np.sqrt(np.mean(np.sum(outputs**2, axis=1)))), 1e-12) if len(rows) else 1.0
        if part == 'own' and signed:
            outputs = np.column_stack([outputs, targets.moment[rows]])
        nothing = _host_contributions(part, chosen)
        return (
            _CONTRIBUTIONS[part](chosen, signed).joined(nothing),
            np.concatenate([outputs, np.zeros((nothing.number, outputs.shape[1]))]),
            np.concatenate([targets.error[rows] / scale, np.zeros(nothing.number)]),
            rows,
        )

    def _add(
        self,
        found: Estimate,
        quantity: str,
        process: GaussianProcess,
        rows: IntArray,
        mean: FloatArray,
        variance: FloatArray,
    ) -> None:
        """Add the part of one process to an estimate."""
        getattr(found, quantity)[rows, 0] += mean[:, : self._functions]
        found.variance[rows] += variance * process.amplitudes[: self._functions].sum()
        if mean.shape[1] > self._functions:
            found.moment[rows] = mean[:, -1]


def own_contributions(sites: Sites, signed: bool) -> Contributions:
    """What the impurities on the sites themselves contribute; ``signed`` for what changes sign with a moment."""
    rows = np.flatnonzero(sites.changed)
    weight = sites.sign[rows] if signed else np.ones(len(rows))
    return Contributions(_features(sites.z[rows])[:, ON_SITE], sites.atom[rows], rows, weight, len(sites))


def around_contributions(sites: Sites, signed: bool) -> Contributions:
    """What the other impurities of the cluster contribute."""
    near = np.flatnonzero(sites.neighbour_changed)
    owner = sites.owner[near]
    weight = sites.neighbour_sign[near] if signed else np.ones(len(near))
    apart = sites.distance[near] / sites.radius[owner]
    features = np.column_stack([_features(sites.neighbour_z[near])[:, AROUND], apart])
    pair = sites.atom[owner] * _MANY_ATOMS + sites.neighbour_atom[near]
    return Contributions(features, pair, owner, weight, len(sites))


_CONTRIBUTIONS: Final = {'own': own_contributions, 'around': around_contributions}


def _host_contributions(part: str, sites: Sites) -> Contributions:
    """What is known without a calculation: an atom of the host in its place changes nothing, there and around.

    :param sites: whose atoms, and places of impurities around them, that is said of.
    """
    if part == 'own':
        places = np.unique(np.column_stack([sites.z_host, sites.atom]), axis=0)
        features = _features(places[:, 0])[:, ON_SITE]
        pair = places[:, 1]
    else:
        near = np.flatnonzero(sites.neighbour_changed)
        apart = np.round(sites.distance[near] / sites.radius[sites.owner[near]], 4)
        atoms = sites.atom[sites.owner[near]] * _MANY_ATOMS + sites.neighbour_atom[near]
        unique = np.unique(np.column_stack([sites.neighbour_z_host[near], atoms, apart]), axis=0)
        features = np.column_stack([_features(unique[:, 0].astype(np.int64))[:, AROUND], unique[:, 2]])
        pair = unique[:, 1].astype(np.int64)
    number = len(pair)
    return Contributions(features, pair, np.arange(number), np.ones(number), number)


def _features(z: IntArray) -> FloatArray:
    """Features of elements, one row for each."""
    unique, inverse = np.unique(z, return_inverse=True)
    return np.array([element_features(int(charge)) for charge in unique]).reshape(-1, len(FEATURES))[inverse]
