"""A surrogate of exchange: a model with intervals that hold, which says where it has learnt nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.exchange.calibration import CLASSES, ConformalIntervals
from aiida_mlkkr.ml.exchange.models import PairModel, model_type
from aiida_mlkkr.ml.exchange.models.base import Arrays, PairEstimate
from aiida_mlkkr.ml.exchange.moments import SiteMoments, magnetic_class
from aiida_mlkkr.ml.models.base import Options

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEVEL: Final = 0.9

_FACTORS: Final = 'interval_factors'
_D_FACTORS: Final = 'd_interval_factors'
_APART: Final = 0.5
"""How far from every distance learnt from a pair may be [Å]."""


@dataclass(frozen=True, eq=False)
class PairPrediction:
    """What a surrogate says of n pairs.

    :param j: shape (n) [meV].
    :param half_width: J is within ``j ± half_width`` with the probability of the intervals' level, shape (n) [meV].
    :param outside: whether a pair is outside of what was learnt: an element or layers not seen, or a distance far
        from all those seen, shape (n). The interval does not hold then.
    :param d: D, shape (n, 3) [meV], and ``d_half_width`` within which ‖ΔD‖ is with the same probability, shape (n)
        [meV]; None from models that know nothing of it. ``s`` is S, shape (n, 3, 3) [meV], likewise.
    """

    j: FloatArray
    half_width: FloatArray
    outside: NDArray[np.bool_]
    d: FloatArray | None = None
    d_half_width: FloatArray | None = None
    s: FloatArray | None = None


class ExchangeSurrogate:
    """A trained model and its intervals.

    :param model: the model.
    :param intervals: from the pairs it was trained on, each predicted without its pair of elements.
    :param left_out: what these predictions were; None for a surrogate that was taken back.
    :param d_intervals: those of ‖ΔD‖; None if the model knows nothing of D.
    """

    def __init__(
        self,
        model: PairModel,
        intervals: ConformalIntervals,
        left_out: PairEstimate | None = None,
        d_intervals: ConformalIntervals | None = None,
    ) -> None:
        self.model, self.intervals, self.left_out, self.d_intervals = model, intervals, left_out, d_intervals
        self.moments = SiteMoments.of_training(model.pairs)

    @classmethod
    def fit(cls, name: str, pairs: Pairs, options: Options | None = None, seed: int = 0, level: float = LEVEL) -> Self:
        """Train the model of a name and calibrate it.

        :raises ModelError: there is no such model, or it cannot learn from the pairs.
        """
        model = model_type(name).fit(pairs, options, seed)
        estimate = model.left_out()
        classes = _classes(pairs, SiteMoments.of_training(pairs))
        intervals = ConformalIntervals.from_left_out(estimate.mean - pairs.j, estimate.error, classes, level)
        of_d = None
        if estimate.d is not None and estimate.d_error is not None:
            misses = np.linalg.norm(estimate.d - pairs.d, axis=1)
            of_d = ConformalIntervals.from_left_out(misses, estimate.d_error, classes, level)
        return cls(model, intervals, estimate, of_d)

    def predict(self, pairs: Pairs) -> PairPrediction:
        """J with intervals, and D and S from models that know them."""
        estimate, classes = self.model.predict(pairs), _classes(pairs, self.moments)
        of_d = None
        if self.d_intervals is not None and estimate.d_error is not None:
            of_d = self.d_intervals.half_widths(estimate.d_error, classes)
        widths = self.intervals.half_widths(estimate.error, classes)
        return PairPrediction(estimate.mean, widths, self._outside(pairs), estimate.d, of_d, estimate.s)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Plain arrays and the rest in plain JSON."""
        arrays, details = self.model.to_arrays()
        details |= {'model': self.model.name, 'level': self.intervals.level}
        of_d = {} if self.d_intervals is None else {_D_FACTORS: self.d_intervals.factors}
        return arrays | {_FACTORS: self.intervals.factors} | of_d, details

    @classmethod
    def from_arrays(cls, arrays: Arrays, details: dict[str, Any]) -> Self:
        """Take back what :meth:`to_arrays` gave.

        :raises ModelError: they do not fit together, or there is no such model.
        """
        factors, level = arrays.get(_FACTORS), details.get('level')
        if factors is None or factors.shape != (CLASSES,) or not isinstance(level, float):
            raise ModelError('the surrogate of exchange has no intervals')
        model = model_type(str(details.get('model'))).from_arrays(arrays, details)
        of_d = ConformalIntervals(level, arrays[_D_FACTORS]) if _D_FACTORS in arrays else None
        return cls(model, ConformalIntervals(level, factors), d_intervals=of_d)

    def _outside(self, pairs: Pairs) -> NDArray[np.bool_]:
        known = self.model.pairs
        element = ~np.isin(pairs.z, known.z).all(axis=1)
        seen = {tuple(sorted(both)) for both in known.layers.tolist()}
        layer = np.array([tuple(sorted(both)) not in seen for both in pairs.layers.tolist()], dtype=np.bool_)
        distances = np.unique(np.round(known.distances, 2))
        apart = np.abs(pairs.distances[:, None] - distances).min(axis=1) > _APART
        outside: NDArray[np.bool_] = element | layer | apart
        return outside


def _classes(pairs: Pairs, moments: SiteMoments) -> IntArray:
    return magnetic_class(moments.of_sites(pairs.z, pairs.layers))
