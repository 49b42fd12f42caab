"""What is refused before anything is submitted: each function returns a message, or None if there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.kkr.arrangement import Screening
from aiida_mlkkr.kkr.patterns import nuclear_charge
from aiida_mlkkr.ml.exchange.in_host import TASK

Inputs = Mapping[str, Any]
_KEYS = {'elements', 'shell', 'centre'}


def validate_inputs(inputs: Inputs, _: object) -> str | None:
    """Message on singles of no element, or on codes that are missing where pairs are to be computed."""
    for name in inputs.get('singles', {}):
        try:
            nuclear_charge(name)
        except ValueError as error:
            return f'singles: the names are symbols of elements, but {error}'
    cluster = inputs.get('cluster')
    if cluster and not {'code', 'kkr'} <= cluster.get('scf', {}).keys():
        return 'cluster.scf needs code (KKRimp) and kkr (KKRhost), or leave the namespace cluster out'
    return None


def validate_pairs(value: orm.List, _: object) -> str | None:
    """Message on an empty set of pairs, one that occurs twice, or one that is none."""
    if not len(value):
        return 'pairs: give one at least, such as {"elements": ["Mn", "Fe"], "shell": 1}'
    seen = set()
    for pair in value:
        if not isinstance(pair, Mapping) or not {'elements', 'shell'} <= pair.keys() <= _KEYS:
            return f'pairs: a pair has elements, shell and, if it is not 0, centre, not {pair}'
        try:
            charges = [nuclear_charge(element) for element in pair['elements']]
        except (TypeError, ValueError) as error:
            return f'pairs: {error}'
        numbers = [pair['shell'], pair.get('centre', 0)]
        if len(charges) != 2 or not all(isinstance(x, int) for x in numbers) or numbers[0] < 1 or numbers[1] < 0:
            return f'pairs: two elements, a shell from 1 and a centre from 0 are needed, not {pair}'
        key = (*charges, *numbers)
        if key in seen:
            return f'pairs: {pair} occurs twice'
        seen.add(key)
    return None


def validate_screening(value: orm.Dict, _: object) -> str | None:
    """Message on a screening that is none."""
    try:
        Screening(**value.get_dict())
    except (TypeError, ValueError) as error:
        return f'screening: {error}'
    return None


def validate_surrogate(value: SurrogateData | None, _: object) -> str | None:
    """Message on a model for something else."""
    if value is None or (task := value.base.attributes.get('task')) == TASK:
        return None
    return f'surrogate: this is a model for {task}, one for {TASK} is needed'
