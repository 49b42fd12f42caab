"""The Jacobi-Legendre expansion of impurity potentials: linear, covariant, with its variance in closed form.

The coefficients of channel lm on a site are linear in the terms of :mod:`aiida_mlkkr.ml.covariant`: those of the
impurity on the site, and, with sums over its neighbours of functions that vanish at a cutoff times Y_lm, of pairs of
atoms. All m of one l have the same weights, so that the channels rotate with the cluster (B. Focassio, M. Domina, U.
Patil, A. Fazzio, S. Sanvito, arXiv:2408.08876, and their papers in :mod:`aiida_mlkkr.ml.jacobi`). Elements are not
one-hot but smooth functions of their place in the periodic table (:mod:`aiida_mlkkr.ml.element_kernel`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aiida_mlkkr.ml.covariant import ElementTables, Terms, terms_of
from aiida_mlkkr.ml.harmonics import components
from aiida_mlkkr.ml.jacobi import JacobiFunctions
from aiida_mlkkr.ml.likelihood import Hyperparameters, Likelihood
from aiida_mlkkr.ml.models.base import Arrays, Estimate, Options, PotentialModel, Targets
from aiida_mlkkr.ml.monitor import Monitor, TrainingInterrupted
from aiida_mlkkr.ml.ridge import BayesianRidge, Rows
from aiida_mlkkr.ml.sites import NEIGHBOUR_RANGE, Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Quantity = Literal['average', 'splitting', 'moment']

_QUANTITIES: Final[tuple[Quantity, ...]] = ('average', 'splitting', 'moment')
_OF_TABLES: Final = ('own_kernel', 'around_kernel', 'own', 'centre', 'around', 'host')
_OF_RIDGE: Final = ('scale', 'directions', 'gains', 'weights')
_ROWS_AT_ONCE: Final = 1000
_TINY: Final = 1e-12


class JacobiLegendreOptions(Options):
    """Size of the expansion.

    :param cutoff: distance in Bohr from which on neighbours do not count.
    :param pair_functions: functions of the distance of a pair.
    :param element_functions: functions of the element of an impurity, on a site or around it.
    :param centre_functions: those of the element on a site in products with the ones around it, mostly a host's.
    :param alpha, beta: orders of the Jacobi polynomials.
    :param rows_for_lengths: rows that lengths, strengths and noise are determined from, at most.
    """

    cutoff: float = Field(default=NEIGHBOUR_RANGE, gt=0.0, le=NEIGHBOUR_RANGE)
    pair_functions: int = Field(default=3, ge=1, le=20)
    element_functions: int = Field(default=32, ge=1, le=60)
    centre_functions: int = Field(default=12, ge=1, le=60)
    alpha: float = Field(default=1.0, gt=-1.0, le=10.0)
    beta: float = Field(default=1.0, gt=-1.0, le=10.0)
    rows_for_lengths: int = Field(default=300, ge=20, le=3000)


@dataclass(frozen=True, eq=False)
class Expansion:
    """The trained expansion of one quantity in all channels of one l.

    :param strengths: (3,) prior variances of the weights of each block.
    :param noise: (2,) variances of an output, with an impurity on the site and without.
    """

    quantity: Quantity
    l: int
    tables: ElementTables
    strengths: FloatArray
    noise: FloatArray
    ridge: BayesianRidge

    def features(self, terms: Terms) -> tuple[FloatArray, FloatArray]:
        """Features (r, p), and the variance (r,) of what they do not span: of elements that were not learnt from."""
        blocks = terms.features(self.tables)
        spanned = np.stack([np.sum(block**2, axis=1) for block in blocks])
        missing: FloatArray = self.strengths @ np.maximum(terms.variances(self.tables) - spanned, 0.0)
        return np.hstack(blocks), missing


class JacobiLegendre(PotentialModel):
    """The trained expansions of spin average, splitting and moment."""

    name: ClassVar[str] = 'jacobi_legendre'
    options_type: ClassVar[type[Options]] = JacobiLegendreOptions
    unseen_host: ClassVar[float] = 2.1
    closed_form: ClassVar[bool] = True

    def __init__(
        self, options: JacobiLegendreOptions, expansions: list[Expansion], channels: int, functions: int
    ) -> None:
        self._options = options
        self._expansions = expansions
        self._channels = channels
        self._functions = functions

    @classmethod
    def fit(cls, sites: Sites, targets: Targets, options: JacobiLegendreOptions, seed: int, monitor: Monitor) -> Self:
        """Train, see :class:`PotentialModel`."""
        _, channels, functions = targets.average.shape
        model = cls(options, [], channels, functions)
        for step, (quantity, l) in enumerate(steps := model._steps()):
            if monitor.should_stop():
                raise TrainingInterrupted
            data = _Data(sites, targets, quantity, l)
            model._expansions.append(model._expansion(data, model._most_likely(data, seed)))
            monitor.progress('jacobi_legendre', step + 1, len(steps), {})
        return model

    def predict(self, sites: Sites) -> Estimate:
        """What is expected of sites, see :class:`PotentialModel`."""
        found = Estimate.nothing(len(sites), self._channels, self._functions)
        for expansion in self._expansions:
            for rows in _batches(np.arange(len(sites)), 2 * expansion.l + 1):
                terms = self._terms(sites.subset(rows), expansion.quantity, expansion.l)
                features, missing = expansion.features(terms)
                mean, variance = expansion.ridge.predict(features)
                _add(found, expansion, sites, rows, mean, variance + missing)
        return found

    def left_out(self, sites: Sites, targets: Targets, options: Any, seed: int) -> Estimate:
        """What each group of the training data is predicted to be by the others, with the strengths of all data."""
        found = Estimate.nothing(len(sites), self._channels, self._functions)
        for expansion in self._expansions:
            data = _Data(sites, targets, expansion.quantity, expansion.l)
            for groups in _batches(np.unique(data.group), int(np.ceil(data.number / len(np.unique(data.group))))):
                chosen = np.flatnonzero(np.isin(data.group, groups))
                rows, missing = self._rows(expansion, data, chosen)
                mean, variance = expansion.ridge.left_out(rows, np.repeat(data.group[chosen], 2 * data.l + 1))
                _add(found, expansion, sites, data.sites[chosen], mean, variance + missing)
        return found

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and details, see :class:`PotentialModel`."""
        arrays: Arrays = {}
        for expansion in self._expansions:
            prefix = f'{expansion.quantity}_{expansion.l}'
            arrays |= {f'{prefix}_{name}': getattr(expansion.tables, name) for name in _OF_TABLES}
            arrays |= {f'{prefix}_{name}': getattr(expansion.ridge, name) for name in _OF_RIDGE}
            arrays |= {f'{prefix}_strengths': expansion.strengths, f'{prefix}_noise': expansion.noise}
        details = {'options': self._options.model_dump(), 'channels': self._channels, 'functions': self._functions}
        return arrays, details

    @classmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave."""
        options = JacobiLegendreOptions.model_validate(details['options'])
        model = cls(options, [], int(details['channels']), int(details['functions']))
        for quantity, l in model._steps():
            prefix = f'{quantity}_{l}'
            tables = ElementTables(*(arrays[f'{prefix}_{name}'] for name in _OF_TABLES))
            ridge = BayesianRidge(*(arrays[f'{prefix}_{name}'] for name in _OF_RIDGE))
            strengths, noise = arrays[f'{prefix}_strengths'], arrays[f'{prefix}_noise']
            model._expansions.append(Expansion(quantity, l, tables, strengths, noise, ridge))
        return model

    def _steps(self) -> list[tuple[Quantity, int]]:
        angular = range(isqrt(self._channels))
        return [(quantity, l) for quantity in _QUANTITIES for l in angular if quantity != 'moment' or l == 0]

    def _terms(self, sites: Sites, quantity: Quantity, l: int) -> Terms:
        options = self._options
        functions = JacobiFunctions(options.pair_functions, options.cutoff, options.alpha, options.beta)
        return terms_of(sites, functions, l, odd=quantity == 'splitting')

    def _rows(self, expansion: Expansion, data: _Data, chosen: IntArray) -> tuple[Rows, FloatArray]:
        """Rows to learn from, and the variance of what their features do not span: it counts as noise.

        The approximation is that of the fully independent training conditional (FITC; Rasmussen and Williams, section
        8.3.4), exact if there are no more elements than functions.
        """
        outputs, known_noise, changed = data.outputs(chosen)
        terms = self._terms(data.table.subset(data.sites[chosen]), data.quantity, data.l)
        features, missing = expansion.features(terms)
        return (features, outputs, np.where(changed, *expansion.noise) + known_noise + missing), missing

    def _most_likely(self, data: _Data, seed: int) -> Hyperparameters:
        """Hyperparameters from some of the clusters, if there are very many."""
        order = np.random.default_rng(seed).permutation(np.unique(data.group))
        counts = np.cumsum([np.sum(data.group == group) * (2 * data.l + 1) for group in order])
        groups = order[: max(1, int(np.sum(counts <= self._options.rows_for_lengths)))]
        chosen = np.flatnonzero(np.isin(data.group, groups))
        terms = self._terms(data.table.subset(data.sites[chosen]), data.quantity, data.l)
        return Likelihood(terms, *data.outputs(chosen)).maximised()

    def _expansion(self, data: _Data, found: Hyperparameters) -> Expansion:
        """Condition on all data."""
        tables = self._tables(data.table, found)
        some = self._terms(data.table.subset(data.sites[:1]), data.quantity, data.l)
        sizes = [block.shape[1] for block in some.features(tables)]
        scale = np.repeat(np.sqrt(found.strengths), sizes)
        nothing = BayesianRidge(scale, np.empty((len(scale), 0)), np.empty(0), np.empty((len(scale), 0)))
        untrained = Expansion(data.quantity, data.l, tables, found.strengths, found.noise, nothing)
        parts = _batches(np.arange(data.number), 2 * data.l + 1)
        batches = (self._rows(untrained, data, chosen)[0] for chosen in parts)
        return replace(untrained, ridge=BayesianRidge.fit(batches, data.number * (2 * data.l + 1), scale))

    def _tables(self, sites: Sites, found: Hyperparameters) -> ElementTables:
        """Functions of the elements that there are on sites and around them."""
        own, around = found.kernels
        near = sites.neighbour_changed
        impurities = np.concatenate([sites.neighbour_z[near], sites.neighbour_z_host[near], sites.z])
        options = self._options
        return ElementTables(
            own.matrix,
            around.matrix,
            own.functions(np.concatenate([sites.z, sites.z_host]), options.element_functions),
            own.functions(sites.z, options.centre_functions),
            around.functions(impurities, options.element_functions),
            around.functions(sites.neighbour_z_host, options.element_functions),
        )


class _Data:
    """What there is to learn of a quantity in the channels of one l, in rows (site, m); moments on impurities only.

    :ivar sites: (number,) places in the table of the sites that it is known of; ``group`` (number,) theirs.
    """

    def __init__(self, table: Sites, targets: Targets, quantity: Quantity, l: int) -> None:
        self.table, self.quantity, self.l = table, quantity, l
        self.sites = np.flatnonzero(table.changed | (quantity != 'moment'))
        self.group = targets.group[self.sites]
        self.number = len(self.sites)
        self._noise = targets.error[self.sites] ** 2 / targets.average[0].size
        if quantity == 'moment':
            self._outputs = (targets.moment * table.sign)[self.sites, None, None]
            self._noise = self._noise * np.mean(self._outputs**2) / max(float(np.mean(targets.splitting**2)), _TINY)
        else:
            self._outputs = getattr(targets, quantity)[:, components(l)]

    def outputs(self, chosen: IntArray) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        """Values (r, K), their known noise (r,), and whether there is an impurity on the site, of some of the sites."""
        rows = 2 * self.l + 1
        values = self._outputs[chosen].reshape(len(chosen) * rows, -1)
        changed = self.table.changed[self.sites[chosen]]
        return values, np.repeat(self._noise[chosen], rows), np.repeat(changed, rows)


def _add(
    found: Estimate, expansion: Expansion, sites: Sites, rows: IntArray, mean: FloatArray, variance: FloatArray
) -> None:
    """Add what an expansion says of some of the sites to an estimate."""
    if expansion.quantity == 'moment':
        found.moment[rows] = mean[:, 0] * sites.sign[rows]
        return
    values = mean.reshape(len(rows), 2 * expansion.l + 1, -1)
    getattr(found, expansion.quantity)[rows, components(expansion.l)] = values
    found.variance[rows] += variance.reshape(len(rows), -1).sum(axis=1) * values.shape[2]


def _batches(items: IntArray, rows: int) -> Iterator[IntArray]:
    """The items in parts that have not too many rows, if each has so many."""
    size = max(1, _ROWS_AT_ONCE // rows)
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
