"""What a model has to beat: nothing learnt at all, and the potential of the nearest impurity that is known.

The nearest impurity's potential is taken over in difference form, V_ref(Z) + [V(Z') − V_ref(Z')], as strong as it can
be: elements are compared by :mod:`aiida_mlkkr.ml.elements`, with the weight of the row against that of the group that
serves left-out impurities best. A site beside impurities gets the sum of what known impurities do to sites at their
distances, in radii of the sphere. In full potential the spherical function is taken over, cut off at the boundary of
the cell; what else there is in the components l > 0 depends on the directions to the neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.elements import FEATURES, element_features
from aiida_mlkkr.ml.models.base import Arrays, Estimate, Options, PotentialModel, Targets
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ROW_WEIGHTS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""What one row of the periodic table may count, in groups."""

SAME_DISTANCE: Final = 0.1
"""Distances in radii of the sphere that differ by more are not those of the same shell."""

_NEAREST_TRIED: Final = 1000
"""Known sites on which the weights are tried, at most."""

_PERIOD: Final = FEATURES.index('period')


class StandardStart(PotentialModel):
    """Nothing learnt: the reference, the host's potential and free atoms. Its variance is that of the training data.

    :param variance: of a site with an impurity, and of one beside impurities, in Ry².
    """

    name: ClassVar[str] = 'standard_start'
    options_type: ClassVar[type[Options]] = Options

    def __init__(self, shape: tuple[int, int], variance: tuple[float, float]) -> None:
        self._shape = shape
        self._variance = variance

    @classmethod
    def fit(cls, sites: Sites, targets: Targets, options: Any, seed: int, monitor: Monitor) -> Self:
        """Measure how far the potentials are from the reference."""
        squares = np.sum(targets.average**2 + targets.splitting**2, axis=(1, 2))
        parts = [squares[sites.changed == changed] for changed in (True, False)]
        own, around = (float(part.mean()) if len(part) else 0.0 for part in parts)
        return cls((targets.average.shape[1], targets.average.shape[2]), (own, around))

    def predict(self, sites: Sites) -> Estimate:
        """Zero everywhere."""
        estimate = Estimate.nothing(len(sites), *self._shape)
        estimate.variance[_beside_impurities(sites)] = self._variance[1]
        estimate.variance[sites.changed] = self._variance[0]
        return estimate

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """The two variances."""
        return {'shape': np.array(self._shape), 'variance': np.array(self._variance)}, {}

    @classmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave."""
        (channels, functions), (own, around) = arrays['shape'].tolist(), arrays['variance'].tolist()
        return cls((channels, functions), (own, around))


@dataclass(frozen=True, eq=False)
class _Known:
    """What single impurities do to a site, their own or one beside them.

    :param atom: (n,) number of the host's atom on the site.
    :param z: (n,) of the impurity; ``distance`` (n,) to it in radii of the sphere, 0 on its own site.
    :param average, splitting: (n, K) spherical coefficients, the splitting for a positive moment; ``moment`` (n,).
    :param group: (n,) of the cluster.
    """

    atom: IntArray
    z: IntArray
    distance: FloatArray
    average: FloatArray
    splitting: FloatArray
    moment: FloatArray
    group: IntArray


class NearestInTable(PotentialModel):
    """The impurity that is nearest in the periodic table, in any host; the same host where two are equally near.

    :param known: what is taken over.
    :param weight: of a row of the table, in groups.
    :param variance: of a site with an impurity, and of one beside it, in Ry².
    """

    name: ClassVar[str] = 'nearest_in_table'
    options_type: ClassVar[type[Options]] = Options
    same_host: ClassVar[bool] = False

    def __init__(self, channels: int, known: _Known, weight: float, variance: tuple[float, float]) -> None:
        self._channels = channels
        self._known = known
        self._weight = weight
        self._variance = variance

    @classmethod
    def refusal(cls, sites: Sites, targets: Targets) -> str:
        """Single impurities are needed."""
        return '' if (_impurities_of(sites) == 1).any() else 'there is no single impurity among them'

    @classmethod
    def fit(cls, sites: Sites, targets: Targets, options: Any, seed: int, monitor: Monitor) -> Self:
        """Collect single impurities, and find out what a row of the periodic table counts."""
        known = _collect(sites, targets)
        tried = [cls._trial(known, weight, seed) for weight in ROW_WEIGHTS]
        best = int(np.argmin([own for own, _ in tried]))
        return cls(targets.average.shape[1], known, ROW_WEIGHTS[best], tried[best])

    @classmethod
    def _trial(cls, known: _Known, weight: float, seed: int) -> tuple[float, float]:
        """Mean square errors on own and other sites when each entry is found from those of other clusters."""
        number = len(known.z)
        chosen = np.random.default_rng(seed).permutation(number)[:_NEAREST_TRIED]
        model = cls(1, known, weight, (0.0, 0.0))
        squares = np.zeros(len(chosen))
        for row, entry in enumerate(chosen):
            its = (known.atom[entry], known.z[entry], known.distance[entry])
            average, splitting, _ = model._nearest(*its, allowed=known.group != known.group[entry])
            squares[row] = np.sum((average - known.average[entry]) ** 2 + (splitting - known.splitting[entry]) ** 2)
        own = known.distance[chosen] == 0.0
        inside, outside = (float(part.mean()) if len(part) else 0.0 for part in (squares[own], squares[~own]))
        return inside, outside

    def _nearest(
        self, atom: int, z: int, distance: float, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[FloatArray, FloatArray, float]:
        """Average, splitting and moment of the nearest entry; zeros if there is none at this distance."""
        known = self._known
        fits = np.abs(known.distance - distance) <= (SAME_DISTANCE if distance else 0.0)
        fits &= (known.distance > 0.0) == (distance > 0.0)
        if allowed is not None:
            fits &= allowed
        if self.same_host:
            fits &= known.atom == atom
        rows = np.flatnonzero(fits)
        if not len(rows):
            functions = known.average.shape[1]
            return np.zeros(functions), np.zeros(functions), 0.0
        away = _between(known.z[rows], z, self._weight)
        order = np.lexsort((np.abs(known.distance[rows] - distance), known.atom[rows] != atom, away))
        nearest = rows[order[0]]
        return known.average[nearest], known.splitting[nearest], float(known.moment[nearest])

    def predict(self, sites: Sites) -> Estimate:
        """Sums of what the nearest known impurities do."""
        estimate = Estimate.nothing(len(sites), self._channels, self._known.average.shape[1])
        for site in np.flatnonzero(sites.changed):
            its = self._nearest(int(sites.atom[site]), int(sites.z[site]), 0.0)
            estimate.average[site, 0] += its[0]
            estimate.splitting[site, 0] += sites.sign[site] * its[1]
            estimate.moment[site] = sites.sign[site] * its[2]
            estimate.variance[site] += self._variance[0]
        distances = sites.distance / sites.radius[sites.owner]
        for row in np.flatnonzero(sites.neighbour_changed):
            site = sites.owner[row]
            its = self._nearest(int(sites.atom[site]), int(sites.neighbour_z[row]), float(distances[row]))
            estimate.average[site, 0] += its[0]
            estimate.splitting[site, 0] += sites.neighbour_sign[row] * its[1]
            estimate.variance[site] += self._variance[1]
        return estimate

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """All known impurities."""
        arrays: Arrays = {field.name: getattr(self._known, field.name) for field in fields(_Known)}
        numbers = np.array([self._weight, *self._variance])
        return {**arrays, 'numbers': numbers}, {'channels': self._channels}

    @classmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave."""
        known = _Known(**{field.name: arrays[field.name] for field in fields(_Known)})
        weight, own, around = arrays['numbers'].tolist()
        return cls(details['channels'], known, weight, (own, around))


class NearestInHost(NearestInTable):
    """The impurity of the same host that is nearest in the periodic table; nothing is known of other hosts."""

    name: ClassVar[str] = 'nearest_in_host'
    same_host: ClassVar[bool] = True


def _impurities_of(sites: Sites) -> IntArray:
    """Impurities (n,) of the cluster of each site, itself among them."""
    others = np.bincount(sites.owner[sites.neighbour_changed], minlength=len(sites))
    number: IntArray = others + sites.changed
    return number


def _beside_impurities(sites: Sites) -> NDArray[np.bool_]:
    beside: NDArray[np.bool_] = np.bincount(sites.owner[sites.neighbour_changed], minlength=len(sites)) > 0
    return beside


def _collect(sites: Sites, targets: Targets) -> _Known:
    """The sites of clusters with one impurity, converged ones where there are any."""
    alone = _impurities_of(sites) == 1
    converged = alone & (targets.error == 0.0)
    rows = np.flatnonzero(converged if converged.any() else alone)
    beside = np.flatnonzero(sites.neighbour_changed)
    to_impurity = np.full(len(sites), -1)
    to_impurity[sites.owner[beside]] = beside
    link = to_impurity[rows]
    own = sites.changed[rows]
    sign = np.where(own, sites.sign[rows], sites.neighbour_sign[link])
    return _Known(
        atom=sites.atom[rows],
        z=np.where(own, sites.z[rows], sites.neighbour_z[link]),
        distance=np.where(own, 0.0, sites.distance[link] / sites.radius[rows]),
        average=targets.average[rows, 0],
        splitting=sign[:, None] * targets.splitting[rows, 0],
        moment=sign * targets.moment[rows],
        group=targets.group[rows],
    )


def _between(z: IntArray, other: int, weight: float) -> FloatArray:
    """Distances (n,) of elements in the periodic table, in groups."""
    apart = np.array([element_features(int(charge)) for charge in z]) - element_features(other)
    apart[:, _PERIOD] *= weight
    lengths: FloatArray = np.linalg.norm(apart, axis=1)
    return lengths
