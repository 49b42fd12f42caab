"""Transition temperatures, from cumulants of boxes of different size or from a single box, and which order there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Fit = Callable[['Cumulant'], float | None]

ORDERED: Final = 0.4
"""Overlap of two copies at the lowest temperature from which on the moments count as ordered."""

OF_TRANSITIONS: Final = ('binder', 'spin_glass_binder', 'susceptibility')
"""Observables that transitions are found from."""

MAGNETIC: Final = 0.25
"""Share of the overlap that the square of the magnetisation must have in a magnet."""

PARALLEL: Final = 0.9
"""Share of the groups' magnetisation that the whole must have where all are parallel."""

_TURN: Final = 0.7
"""Cumulant at which a transition is looked for, between those of order (1) and disorder (0)."""

_LEAST: Final = 2
"""Temperatures on either side of a crossing that a parabola is laid through at least."""

_STRAIGHT: Final = 0.2
"""Further ones are used where both cumulants differ less than this from their value at the crossing."""

_BESIDE: Final = 3
"""Temperatures on either side of a maximum that a parabola is laid through."""

_FALL: Final = (0.75, 0.25)
"""Cumulants between which a box goes from order to disorder."""

_EDGE: Final = 0.005
_SMALLEST: Final = 1e-12
_SAMPLES: Final = 400
_SURE: Final = 0.9


@dataclass(frozen=True, eq=False)
class Cumulant:
    """A quantity of a box against the temperature.

    :param temperatures: ascending, shape (t) [K]; ``values`` shape (t).
    :param deviations: of independent parts, shape (b, t): their products summed over b are the covariance.
    """

    temperatures: FloatArray
    values: FloatArray
    deviations: FloatArray

    @property
    def errors(self) -> FloatArray:
        """The error of each value alone, shape (t)."""
        errors: FloatArray = np.maximum(np.linalg.norm(self.deviations, axis=0), _SMALLEST)
        return errors

    def at(self, chosen: BoolArray) -> Cumulant:
        """At some of the temperatures."""
        return Cumulant(self.temperatures[chosen], self.values[chosen], self.deviations[:, chosen])

    def shaken(self, rng: np.random.Generator) -> Cumulant:
        """With other values that are as likely, those of temperatures that go together being wrong together."""
        return replace(self, values=self.values + rng.normal(size=len(self.deviations)) @ self.deviations)


@dataclass(frozen=True, eq=False)
class BoxCurves:
    """What simulations of boxes of one size tell.

    :param number: of moments in a box.
    :param temperatures: ascending, shape (t) [K]; ``thermalised`` shape (t).
    :param values: observables by name, shape (t, …), and their ``errors``.
    :param deviations: of those that transitions are found from, see :class:`Cumulant`, shape (b, t).
    """

    number: int
    temperatures: FloatArray
    thermalised: BoolArray
    values: Mapping[str, FloatArray]
    errors: Mapping[str, FloatArray]
    deviations: Mapping[str, FloatArray]

    def cumulant(self, name: str) -> Cumulant:
        """An observable where the moments have thermalised and its error is known."""
        whole = Cumulant(self.temperatures, self.values[name], self.deviations[name])
        return whole.at(self.thermalised & np.isfinite(whole.errors) & np.isfinite(whole.values))


@dataclass(frozen=True)
class Transition:
    """A transition, or why there is none.

    :param temperature: and its error [K]; None if there is no transition, or none that is sure.
    :param reason: why there is none, or none from a crossing.
    :param crossings: sizes of two boxes, temperature and error [K].
    """

    order: str
    temperature: float | None = None
    error: float | None = None
    method: str | None = None
    reason: str | None = None
    crossings: tuple[tuple[int, int, float, float], ...] = ()


def find_transition(boxes: Sequence[BoxCurves], forbidden: str | None = None) -> Transition:
    """The order at low temperature and where it begins.

    Of several sizes it is the crossing of the cumulants of the two largest ones. Of one size only, or where they do not
    cross for sure, it is where a finite box shows it: at the maximum of the susceptibility or at half the height of the
    cumulant of the overlap.

    :param forbidden: why there cannot be a transition.
    """
    boxes = sorted(boxes, key=lambda box: box.number)
    if forbidden is not None:
        return Transition('none', reason=forbidden)
    order = order_of(boxes[-1])
    if order in ('none', 'unknown'):
        told = 'the moments are not ordered' if order == 'none' else 'the moments have not thermalised'
        return Transition(order, reason=f'{told} at the lowest temperature')
    name = cumulant_of(order)
    found = []
    for small, large in combinations(boxes, 2):
        pair = crossing(small.cumulant(name), large.cumulant(name))
        if pair is not None:
            found.append((small.number, large.number, *pair))
    if found and found[-1][:2] == (boxes[-2].number, boxes[-1].number):
        method = f'crossing of {"Binder" if name == "binder" else "overlap"} cumulants'
        return Transition(order, *found[-1][2:], method=method, crossings=tuple(found))
    why = (
        'there is one size of boxes'
        if len(boxes) == 1
        else 'the cumulants of the two largest boxes do not cross for sure'
    )
    return replace(_of_one_box(boxes[-1], order, name, why), crossings=tuple(found))


def order_of(box: BoxCurves) -> str:
    """The order at the lowest temperature at which the moments have thermalised.

    ``ferromagnetic``; ``ferrimagnetic``: elements or sublattices against each other; ``frozen``: an antiferromagnet or
    a spin glass, whose copies overlap while they have no moment in common; ``none``; ``unknown`` where lower
    temperatures that have not thermalised may have order.
    """
    if not box.thermalised.any():
        return 'unknown'
    lowest = int(np.argmax(box.thermalised))
    overlap, whole = box.values['overlap'][lowest], box.values['magnetisation'][lowest]
    groups = box.values['magnetisation_of_groups'][lowest]
    if overlap < ORDERED:
        return 'unknown' if lowest else 'none'
    if whole**2 < MAGNETIC * overlap:
        return 'frozen'
    return 'ferromagnetic' if whole > PARALLEL * groups.mean() else 'ferrimagnetic'


def cumulant_of(order: str) -> str:
    """The observable that tells of a transition to an order."""
    return 'spin_glass_binder' if order == 'frozen' else 'binder'


def turning_point(box: BoxCurves) -> float | None:
    """About where a cumulant falls from that of order to that of disorder [K]; None if it does not."""
    order = order_of(box)
    if order in ('none', 'unknown'):
        return None
    return _falls_through(box.cumulant(cumulant_of(order)), _TURN)


def crossing(small: Cumulant, large: Cumulant, seed: int = 0) -> tuple[float, float] | None:
    """Where the cumulants of two boxes cross: below it that of the larger box is larger.

    A parabola through the logarithm of U/(1 − U) of each, which is almost straight, at the temperatures next to the
    crossing, weighted with the errors; its error from random numbers with the covariance of the points.

    :return: the temperature and its error [K]; None if they do not cross at the given temperatures, or not for sure.
    """
    common = np.intersect1d(small.temperatures, large.temperatures)
    small = small.at(np.isin(small.temperatures, common))
    large = large.at(np.isin(large.temperatures, common))
    if not len(common):
        return None
    lead = (large.values - small.values) / np.hypot(large.errors, small.errors)
    below = np.concatenate([[0.0], np.cumsum(lead)])
    split = int(np.argmax(below - (below[-1] - below)))  # positive before it, negative after it
    beside = np.abs(np.arange(len(common)) + 0.5 - split) < _LEAST
    if beside.sum() < 2 * _LEAST:
        return None
    middle = 0.5 * (small.values[beside].mean() + large.values[beside].mean())
    straight = np.maximum(np.abs(small.values - middle), np.abs(large.values - middle)) < _STRAIGHT
    small, large = small.at(beside | straight), large.at(beside | straight)
    rng = np.random.default_rng(seed)
    found = [_crossing(_logit(small.shaken(rng)), _logit(large.shaken(rng))) for _ in range(_SAMPLES)]
    return _if_sure(_crossing(_logit(small), _logit(large)), found)


def _logit(cumulant: Cumulant) -> Cumulant:
    """log U/(1 − U), of values that errors have brought out of the range just inside of it."""
    values = np.clip(cumulant.values, _EDGE, 1 - _EDGE)
    slopes = 1 / (values * (1 - values))
    return Cumulant(cumulant.temperatures, np.log(values / (1 - values)), slopes * cumulant.deviations)


def _crossing(small: Cumulant, large: Cumulant) -> float | None:
    """The root of the difference of parabolas at which the larger box loses its lead."""
    one, other = _parabola(small), _parabola(large)
    difference = other.convert(kind=np.polynomial.Polynomial) - one.convert(kind=np.polynomial.Polynomial)
    slope = difference.deriv()
    begin, end = small.temperatures[0], small.temperatures[-1]
    roots = [
        float(root.real)
        for root in np.atleast_1d(difference.roots())
        if abs(root.imag) < 1e-9 * end and begin <= root.real <= end and slope(root.real) < 0
    ]
    return roots[0] if len(roots) == 1 else None


def _of_one_box(box: BoxCurves, order: str, name: str, why: str) -> Transition:
    """Where a box shows a transition, and as its error over how far: both go to zero alike in larger boxes.

    :param why: it is not taken from a crossing.
    """
    cumulant = box.cumulant(name)
    if name == 'binder':
        method, curve = 'maximum of the susceptibility', box.cumulant('susceptibility')
        fit: Fit = _maximum
        peak = int(np.argmax(curve.values))
        curve = curve.at(np.abs(np.arange(len(curve.values)) - peak) < _BESIDE)
    else:
        method, curve, fit = 'half the height of the overlap cumulant', cumulant, _half_height
    rng = np.random.default_rng(0)
    found = _if_sure(fit(curve), [fit(curve.shaken(rng)) for _ in range(_SAMPLES)])
    begin, end = (_falls_through(cumulant, height) for height in _FALL)
    if found is None or begin is None or end is None:
        return Transition(order, reason=f'{why}, and one box does not show where at the temperatures of the simulation')
    error = float(np.hypot(found[1], 0.5 * (end - begin)))
    return Transition(order, found[0], error, f'{method} of one box, no crossing', why)


def _maximum(curve: Cumulant) -> float | None:
    if len(curve.values) < 3:
        return None
    centre, bend = (parabola := _parabola(curve)).deriv().roots(), parabola.deriv(2)
    inside = len(centre) == 1 and curve.temperatures[0] < centre[0].real < curve.temperatures[-1]
    return float(centre[0].real) if inside and bend(centre[0].real) < 0 else None


def _half_height(curve: Cumulant) -> float | None:
    return _falls_through(curve, 0.5)


def _falls_through(curve: Cumulant, height: float) -> float | None:
    """The first temperature at which a curve that begins above a height is below it."""
    under = np.flatnonzero(curve.values < height)
    if not len(under) or not under[0]:
        return None
    k = int(under[0])
    t, v = curve.temperatures, curve.values
    return float(t[k - 1] + (t[k] - t[k - 1]) * (v[k - 1] - height) / (v[k - 1] - v[k]))


def _parabola(cumulant: Cumulant) -> np.polynomial.Polynomial:
    degree = min(2, len(cumulant.values) - 1)
    return np.polynomial.Polynomial.fit(cumulant.temperatures, cumulant.values, degree, w=1 / cumulant.errors)


def _if_sure(best: float | None, found: Sequence[float | None]) -> tuple[float, float] | None:
    """The result and the spread of those of shaken values, if almost all of these have one."""
    known = [temperature for temperature in found if temperature is not None]
    if best is None or len(known) < _SURE * len(found):
        return None
    return best, float(np.std(known))
