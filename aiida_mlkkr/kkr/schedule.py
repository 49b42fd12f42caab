"""Mixing schedules: the stages of a self-consistency and the initial field, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

_STAGE_KEYS: Final = ('IMIX', 'MIXFAC', 'SCFSTEPS', 'QBOUND')
NO_FIELD: Final = (0.0, 0)


@dataclass(frozen=True)
class Schedule:
    """How a start potential is brought to self-consistency.

    :param name: its name in ``protocols/schedules.yaml``, or the user's own.
    :param stages: settings of KKRimp for each stage; a stage ends when the error is below its ``QBOUND``.
    :param initial_field: strength (Ry) and number of iterations.
    :param near: from a start whose error is known to be below ``near_error`` (Ry), instead of ``stages``.
    """

    name: str
    stages: tuple[dict[str, Any], ...]
    initial_field: tuple[float, int]
    near: tuple[dict[str, Any], ...] = ()
    near_error: float = 0.0

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Schedule:
        """Of a dictionary with ``name``, ``stages`` and ``initial_field``.

        :raises ValueError: something is missing or superfluous, or is not what it should be.
        """
        keys = {'name', 'stages', 'initial_field'}
        if set(values) - {'near'} != keys:
            raise ValueError(
                f'a schedule has {", ".join(sorted(keys))}, and near if it wants to; '
                f'this one has {", ".join(sorted(values))}'
            )
        near = _near(values['near']) if 'near' in values else ((), 0.0)
        return cls(values['name'], _stages(values['stages']), _field(values['initial_field']), *near)

    def to_values(self) -> dict[str, Any]:
        """The dictionary that :meth:`from_values` reads."""
        values = {'name': self.name, 'stages': list(self.stages), 'initial_field': list(self.initial_field)}
        return {**values, 'near': {'error': self.near_error, 'stages': list(self.near)}} if self.near else values

    def after(self, error: float) -> Schedule:
        """The part of the schedule that is for a start.

        :param error: what the start is known to be off by, at most, on any site [Ry]; infinite if that is not known.
        """
        stages = self.near if error < self.near_error else self.stages
        return Schedule(self.name, stages, self.initial_field)

    @property
    def keys(self) -> set[str]:
        """The settings of KKRimp that the schedule decides on."""
        return {'HFIELD'}.union(*self.stages, *self.near)

    def settings(self, stage: int, field: tuple[float, int]) -> dict[str, Any]:
        """The settings of a stage, counted from 0.

        The field acts in the first one. The others say that they have none: a calculation takes over what its parent
        has set.
        """
        return {**self.stages[stage], 'HFIELD': list(field if stage == 0 else NO_FIELD)}

    def field(self, state_known: bool, asked: Sequence[float] | None) -> tuple[float, int]:
        """The initial field that a start gets: none where its magnetic state is known, or none is asked for.

        :param state_known: whether the start is magnetic, or is known not to be.
        :param asked: the moments asked for; they give the field its sign.
        :raises ValueError: moments of both signs are asked for, which a field cannot bring about.
        """
        if state_known or (asked is not None and not any(asked)):
            return NO_FIELD
        signs = {moment > 0 for moment in asked or [1.0] if moment}
        if len(signs) > 1:
            raise ValueError(
                'moments of both signs are asked for, but this start does not have them, and the initial field is the '
                'same on all sites'
            )
        strength, iterations = self.initial_field
        return (strength if signs.pop() else -strength, iterations)


def _stages(given: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f'a schedule needs at least one stage, in a list, not {given!r}')
    for number, stage in enumerate(given, start=1):
        _check_stage(number, stage)
    return tuple(map(dict, given))


def _near(given: Any) -> tuple[tuple[dict[str, Any], ...], float]:
    match given:
        case {'error': int() | float() as error, 'stages': stages, **rest} if not rest and 0 < error < inf:
            return _stages(stages), float(error)
    raise ValueError(f'near has an error, a number of Ry above 0, and stages, not {given!r}')


def _check_stage(number: int, stage: Any) -> None:
    if not isinstance(stage, Mapping):
        raise ValueError(f'stage {number} of the schedule is a dictionary of settings, not {stage!r}')
    missing = [key for key in _STAGE_KEYS if key not in stage]
    if missing:
        raise ValueError(f'stage {number} of the schedule lacks {", ".join(missing)}')
    if 'HFIELD' in stage:
        raise ValueError(f'stage {number} of the schedule sets HFIELD: give initial_field instead')
    bound = stage['QBOUND']
    if not isinstance(bound, int | float) or not bound > 0:
        raise ValueError(
            f'stage {number} of the schedule ends at the error QBOUND, a number of Ry above 0, not {bound!r}'
        )


def _field(given: Any) -> tuple[float, int]:
    match given:
        case [int() | float() as strength, int() | float() as iterations]:
            if 0 <= strength < inf and iterations >= 0 and float(iterations).is_integer():
                return float(strength), int(iterations)
    raise ValueError(f'initial_field is a strength (Ry) and a number of iterations, not {given!r}')


def schedule_values(definitions: Mapping[str, Any], name: str, convergence: float) -> dict[str, Any]:
    """The values of a schedule of ``protocols/schedules.yaml``, for :meth:`Schedule.from_values`.

    :param convergence: QBOUND of the last stage (Ry).
    :raises ValueError: there is no schedule of this name.
    """
    if name not in definitions:
        raise ValueError(f'there is no schedule {name}; there are {", ".join(definitions)}')
    definition = definitions[name]
    values: dict[str, Any] = {'name': name, 'stages': _ending(definition['stages'], convergence)}
    if 'near' in definition:
        near = definition['near']
        values['near'] = {**near, 'stages': _ending(near['stages'], convergence)}
    return {**values, 'initial_field': definition['initial_field']}


def _ending(stages: Sequence[Mapping[str, Any]], convergence: float) -> list[Mapping[str, Any]]:
    *first, last = stages
    return [*first, {**last, 'QBOUND': convergence}]
