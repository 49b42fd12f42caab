"""What is refused before anything is submitted: each function returns a message, or None if there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiida import orm

from aiida_mlkkr.common.complaints import complaint_on
from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.schedule import Schedule
from aiida_mlkkr.spins.spirit import NEGLECTED, pair_rows, parameters_of
from aiida_mlkkr.spins.temperatures import TemperatureSettings

Inputs = Mapping[str, Any]

ALIKE: Final = 0.05
"""Difference of the shares of an element in boxes of different size that the rounding to whole atoms may make."""


def validate_models(models: Mapping[str, SpinModelData], _: object) -> str | None:
    """Message on models that are not configurations of one composition."""
    if not models:
        return 'a spin model is needed'
    shares = {label: shares_of(node) for label, node in models.items()}
    (first, expected), *others = shares.items()
    for label, found in others:
        if found.keys() != expected.keys() or any(abs(found[name] - expected[name]) > ALIKE for name in found):
            return f'{first} has {expected}, {label} has {found}: models of one composition are needed'
    return None


def validate_schedule(value: orm.Dict, _: object) -> str | None:
    """Message on a schedule that is not valid, or that has temperatures."""
    if 'temperatures' in value.get_dict():
        return 'temperatures have an input of their own'
    return complaint_on({**value.get_dict(), 'temperatures': [1.0]}, Schedule)


def validate_temperatures(value: orm.Dict, _: object) -> str | None:
    """Message on temperatures, or on how they are to be chosen."""
    return complaint_on(value.get_dict(), TemperatureSettings)


def validate_inputs(inputs: Inputs, _: object) -> str | None:
    """Message on a model that Spirit has no place for, unless a chain around this one gives the models later."""
    if not inputs.get('spirit') or not inputs.get('models'):
        return None
    neglected = inputs['spirit'].get('neglected')
    for label, node in smallest_models(inputs['models']).items():
        try:
            pair_rows(node.model, NEGLECTED if neglected is None else neglected.value)
            parameters_of(node.model)
        except (SpinModelError, ExchangeError) as error:
            return f'spirit: it cannot run {label}: {error}; leave the namespace spirit out, or set spirit.neglected'
    return None


def smallest_models(models: Mapping[str, SpinModelData]) -> dict[str, SpinModelData]:
    """All configurations in the smallest boxes: those whose ground states are handed on, and which Spirit runs."""
    smallest = min(number_of(node) for node in models.values())
    return {label: node for label, node in sorted(models.items()) if number_of(node) == smallest}


def number_of(node: SpinModelData) -> int:
    """Number of moments."""
    return int(node.base.attributes.get('number'))


def shares_of(node: SpinModelData) -> dict[str, float]:
    """Share of each element among the moments."""
    composition = node.base.attributes.get('composition')
    return {element: round(count / number_of(node), 4) for element, count in composition.items()}
