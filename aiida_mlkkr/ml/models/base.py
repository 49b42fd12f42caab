"""What all models of impurity potentials have in common.

A model learns what impurities do to the potential of each site of a cluster: a difference of the spin average to the
reference, and a spin splitting, both as coefficients (C, K) of K radial functions in each of C channels lm (C = 1 in
the atomic-sphere approximation; see :mod:`aiida_mlkkr.ml.radial`). Every model keeps these laws exactly:

- a site in a crystal without impurities has difference, splitting and moment zero;
- when all moments are reversed, the splitting changes its sign and the spin average stays;
- when the cluster is rotated, the channels rotate with it (real spherical harmonics).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]


class Options(BaseModel):
    """How a model is trained; each model has options of its own."""

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, eq=False)
class Targets:
    """What is known of n sites.

    :param average: (n, C, K) coefficients of the spin average without the reference, in Ry.
    :param splitting: (n, C, K) coefficients of (V_down − V_up)/2 in Ry, for the signs in the table of sites.
    :param moment: (n,) spin moment of the impurity on the site in µB; 0 on atoms of the host.
    :param error: (n,) error of the potential in Ry, 0 if it is converged; a model takes it for noise.
    :param group: (n,) number of the impurity cluster: sites of one group are never split between training and test.
    """

    average: FloatArray
    splitting: FloatArray
    moment: FloatArray
    error: FloatArray
    group: IntArray

    def __len__(self) -> int:
        return len(self.moment)

    def subset(self, chosen: IntArray) -> Targets:
        """Those of some of the sites."""
        return Targets(
            self.average[chosen], self.splitting[chosen], self.moment[chosen], self.error[chosen], self.group[chosen]
        )


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a model says of n sites.

    :param average, splitting: (n, C, K) as in :class:`Targets`.
    :param moment: (n,) in µB.
    :param variance: (n,) of the potential in Ry²: that of average and splitting, summed over coefficients.
    """

    average: FloatArray
    splitting: FloatArray
    moment: FloatArray
    variance: FloatArray

    def subset(self, chosen: IntArray) -> Estimate:
        """Those of some of the sites."""
        return Estimate(self.average[chosen], self.splitting[chosen], self.moment[chosen], self.variance[chosen])

    @classmethod
    def nothing(cls, sites: int, channels: int, functions: int) -> Estimate:
        """Zeros, to be filled."""
        shape = (sites, channels, functions)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(sites), np.zeros(sites))


class PotentialModel(ABC):
    """A trained model. Equal data, options and seed give equal arrays, bit for bit, on one machine's CPU."""

    name: ClassVar[str]
    options_type: ClassVar[type[Options]]
    unseen_host: ClassVar[float] = 3.5
    """By how much errors are larger in a host that was not learnt from, if only one host was.

    Measured from Cu to Ag and back for each installed model; the default, for a model where it was not, is the largest.
    """
    closed_form: ClassVar[bool] = False
    """Whether :meth:`left_out` needs no training, so that its groups may be others than those of the training."""

    @classmethod
    def refusal(cls, sites: Sites, targets: Targets) -> str:
        """Why the model cannot be trained on these data; empty if it can."""
        return '' if len(sites) else 'there are no sites to learn from'

    @classmethod
    @abstractmethod
    def fit(cls, sites: Sites, targets: Targets, options: Any, seed: int, monitor: Monitor) -> Self:
        """Train.

        :param options: of the type :attr:`options_type`.
        :raises ModelError: if the data are too many or not fit for it.
        :raises TrainingInterrupted: if the monitor says so.
        """

    @abstractmethod
    def predict(self, sites: Sites) -> Estimate:
        """What is expected of sites, and how surely."""

    @abstractmethod
    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Plain arrays and the rest in plain JSON, from which :meth:`from_arrays` makes the same model."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave.

        :raises ModelError: if they do not fit together; ``KeyError``, ``ValueError``, ``TypeError`` or ``IndexError``
            mean the same.
        """

    def left_out(self, sites: Sites, targets: Targets, options: Any, seed: int) -> Estimate:
        """What each group of the training data is predicted to be by a model trained on the others.

        Here with the groups in five parts; models that know it in closed form, or by their committee, say it so.

        :param sites, targets: those that the model was trained on.
        """
        groups = np.unique(targets.group)
        part_of = np.random.default_rng(seed).permutation(len(groups)) % min(5, len(groups))
        found = Estimate.nothing(len(targets), *targets.average.shape[1:])
        for part in range(part_of.max() + 1):
            outside = np.isin(targets.group, groups[part_of == part])
            test, train = np.flatnonzero(outside), np.flatnonzero(~outside)
            if not len(train):
                found.variance[test] = np.sum(targets.average[test] ** 2 + targets.splitting[test] ** 2, axis=(1, 2))
                continue
            model = type(self).fit(sites.subset(train), targets.subset(train), options, seed, Monitor())
            estimate = model.predict(sites.subset(test))
            for name in ('average', 'splitting', 'moment', 'variance'):
                getattr(found, name)[test] = getattr(estimate, name)
        return found
