"""What a simulation tells: magnetisation, susceptibility, heat capacity, cumulants, overlaps, each with its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .errors import SpinModelError
from .montecarlo import Simulation, groups_of
from .statistics import BLOCKS, autocorrelation_time, block_means, deviation, jackknife
from .units import BOHR_MAGNETON, BOLTZMANN

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

AGREEMENT: Final = 5.0
"""Errors by which parts of a simulation may differ and still count as thermalised."""

ENOUGH: Final = 5.0
"""Autocorrelation times that a block must be long."""

_DIGITS: Final = 3
"""Of distances [Å] that are the same."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """Independent estimates of the means that everything is computed from, at t temperatures.

    :param temperatures: shape (t) [K].
    :param number: of moments; ``moment`` the sum of their sizes [µB]; ``in_field`` whether a field acts on them.
    :param groups: names of the groups of moments (element and sublattice); ``distances`` of the shells of the
        correlations, shape (s) [Å].
    :param blocks: by name, shape (b, t, …).
    :param thermalised: shape (t).
    :param autocorrelation: the longer of those of the energy and of M², shape (t) [rounds].
    :param exchanges: accepted share of the exchanges of each temperature with the next, shape (t − 1).
    """

    temperatures: FloatArray
    number: int
    moment: float
    in_field: bool
    groups: tuple[str, ...]
    distances: FloatArray
    blocks: dict[str, FloatArray]
    thermalised: BoolArray
    autocorrelation: FloatArray
    exchanges: FloatArray

    @classmethod
    def of_simulation(cls, simulation: Simulation) -> Measurements:
        """The means of a finished simulation over blocks of rounds."""
        model, series = simulation.model, simulation.series
        square, energy = series['square'], series['energy']
        rounds = {
            'energy': energy,
            'energy_squared': energy**2,
            'm': np.sqrt(square),
            'm2': square,
            'm4': square**2,
            'along': series['along'],
            'along_squared': series['along'] ** 2,
            'groups': series['groups'],
        }
        blocks = {name: np.concatenate(np.swapaxes(block_means(of_copies), 0, 1)) for name, of_copies in rounds.items()}
        of_both = {'q2': series['overlap'], 'q4': series['overlap'] ** 2, 'correlations': series['correlations']}
        blocks |= {name: block_means(values, min(BLOCKS, len(values))) for name, values in of_both.items()}
        times = np.maximum(*(autocorrelation_time(values).max(axis=0) for values in (energy, square)))
        return cls(
            temperatures=np.array(simulation.schedule.temperatures),
            number=len(model),
            moment=float(model.moments.sum()),
            in_field=bool(model.field.any()),
            groups=tuple(groups_of(model)[0]),
            distances=simulation.distances,
            blocks=blocks,
            thermalised=_thermalised([energy, square]) & (ENOUGH * times <= len(energy) // BLOCKS),
            autocorrelation=times,
            exchanges=simulation.exchanges / np.maximum(simulation.attempts, 1),
        )

    @classmethod
    def over_configurations(cls, parts: Sequence[Measurements]) -> Measurements:
        """Means over models of one kind: each is one block, so that the errors are those of the disorder.

        :raises SpinModelError: they have different temperatures, numbers of moments or groups.
        """
        first = parts[0]
        for part in parts:
            same = (part.number, part.groups, part.in_field) == (first.number, first.groups, first.in_field)
            if not same or not np.array_equal(part.temperatures, first.temperatures):
                raise SpinModelError('only models of one kind at the same temperatures can be averaged')
        means = [{name: values.mean(axis=0) for name, values in part.blocks.items()} for part in parts]
        shells = [np.round(part.distances, _DIGITS) for part in parts]
        common = [np.isin(own, reduce(np.intersect1d, shells)) for own in shells]  # a rare one is not in every model
        for mean, chosen in zip(means, common, strict=True):
            mean['correlations'] = mean['correlations'][:, chosen]
        own = [part.observables().values for part in parts]
        return replace(
            first,
            distances=first.distances[common[0]],
            blocks={name: np.stack([mean[name] for mean in means]) for name in first.blocks}
            | {name: np.stack([values[name] for values in own]) for name in OF_EACH},
            thermalised=np.all([part.thermalised for part in parts], axis=0),
            autocorrelation=np.max([part.autocorrelation for part in parts], axis=0),
            exchanges=np.mean([part.exchanges for part in parts], axis=0),
        )

    def observables(self) -> Observables:
        """Everything with its error, by the jackknife over the blocks."""
        formulae = FORMULAE | {name: (_itself, (name,)) for name in OF_EACH if name in self.blocks}
        found = {
            name: jackknife(lambda means, of=formula: of(self, *means), self._together(names))  # type: ignore[misc]
            for name, (formula, names) in formulae.items()
            if all(of_means in self.blocks for of_means in names)
        }
        return Observables(
            self,
            {name: value for name, (value, _) in found.items()},
            {name: deviations for name, (_, deviations) in found.items()},
        )

    def _together(self, names: Sequence[str]) -> FloatArray:
        """Blocks of several means, shape (b, number of names, t, …)."""
        return np.stack([self.blocks[name] for name in names], axis=1)


@dataclass(frozen=True, eq=False)
class Observables:
    """Observables by name (see :data:`FORMULAE`), shape (t, …), and their deviations by blocks, shape (b, t, …).

    Neighbouring temperatures exchange their replicas, so that what is computed from several of them takes its error
    from the deviations, whose products summed over the blocks are the covariance, and not from the errors of each.
    """

    measurements: Measurements
    values: dict[str, FloatArray]
    deviations: dict[str, FloatArray]

    @property
    def errors(self) -> dict[str, FloatArray]:
        """The error of each alone, shape (t, …)."""
        return {name: np.linalg.norm(values, axis=0) for name, values in self.deviations.items()}


def _thermalised(series: Sequence[FloatArray]) -> BoolArray:
    """Whether both copies agree, begun at random and parallel, and both halves of each; shape (t)."""
    agree = []
    for values in series:
        blocks = block_means(values)
        half = len(blocks) // 2
        agree.append(deviation(blocks[:, 0], blocks[:, 1]) < AGREEMENT)
        agree.append(np.all(deviation(blocks[:half], blocks[half:]) < AGREEMENT, axis=0))
    together: BoolArray = np.all(agree, axis=0)
    return together


def _heat_capacity(of: Measurements, energy: FloatArray, energy_squared: FloatArray) -> FloatArray:
    return of.number * (energy_squared - energy**2) / (BOLTZMANN * of.temperatures) ** 2


def _susceptibility(
    of: Measurements, m: FloatArray, m2: FloatArray, along: FloatArray, along2: FloatArray
) -> FloatArray:
    fluctuation = along2 - along**2 if of.in_field else m2 - m**2
    return BOHR_MAGNETON * of.moment**2 / of.number * fluctuation / (BOLTZMANN * of.temperatures)


def _paramagnetic(of: Measurements, m2: FloatArray) -> FloatArray:
    return BOHR_MAGNETON * of.moment**2 / of.number * m2 / (3 * BOLTZMANN * of.temperatures)


def _binder(_: Measurements, m2: FloatArray, m4: FloatArray) -> FloatArray:
    return (5 - 3 * m4 / m2**2) / 2


def _spin_glass_binder(_: Measurements, q2: FloatArray, q4: FloatArray) -> FloatArray:
    return (11 - 9 * q4 / q2**2) / 2


def _itself(_: Measurements, mean: FloatArray) -> FloatArray:
    return mean


OF_EACH: Final = ('heat_capacity', 'susceptibility')
"""Fluctuations, whose mean over models is that of the fluctuations of each: not those from one model to the next."""

FORMULAE: Final[dict[str, tuple[Callable[..., FloatArray], tuple[str, ...]]]] = {
    'energy': (_itself, ('energy',)),
    'heat_capacity': (_heat_capacity, ('energy', 'energy_squared')),
    'magnetisation': (_itself, ('m',)),
    'magnetisation_along_field': (_itself, ('along',)),
    'magnetisation_of_groups': (_itself, ('groups',)),
    'susceptibility': (_susceptibility, ('m', 'm2', 'along', 'along_squared')),
    'paramagnetic_susceptibility': (_paramagnetic, ('m2',)),
    'binder': (_binder, ('m2', 'm4')),
    'overlap': (lambda _, q2: np.sqrt(q2), ('q2',)),
    'spin_glass_susceptibility': (lambda of, q2: of.number * q2, ('q2',)),
    'spin_glass_binder': (_spin_glass_binder, ('q2', 'q4')),
    'correlations': (_itself, ('correlations',)),
}
"""Observables and the means that they are computed from.

Energy per moment [meV] and heat capacity per moment [k_B]; the magnetisation, the mean of ‖Σ m_i e_i‖ / Σ m_i, as a
whole, along the field and of each group; the susceptibility per moment [µB/T] from fluctuations of ‖M‖, in a field from
those along it, and β⟨M²⟩/3, which is that of the disordered phase; the cumulant (5 − 3⟨m⁴⟩/⟨m²⟩²)/2 of a vector, 0
without and 1 with order; the overlap q_ab = Σ_i e_ia e'_ib / n of two copies as √⟨q²⟩, n⟨q²⟩ and
(11 − 9⟨q⁴⟩/⟨q²⟩²)/2 with q² = Σ_ab q_ab² (L. W. Lee and A. P. Young, Phys. Rev. Lett. 90, 227203, 2003);
⟨e_i·e_j⟩ by shell.
"""
