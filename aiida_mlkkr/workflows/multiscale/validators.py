"""What is refused before anything is submitted: each function returns a message, or None if there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.workflows.multiscale.wishes import compositions_fault, dilution_fault, elements_of, host_element


def validate_shells(value: orm.List, _: object) -> str | None:
    """Message on shells that are no numbers from 1, or none."""
    shells = value.get_list()
    if not shells or any(not isinstance(shell, int) or shell < 1 for shell in shells) or len(set(shells)) < len(shells):
        return f'shells are counted from 1, each is named once: not {shells}'
    return None


def validate_inputs(inputs: Mapping[str, Any], _: object) -> str | None:
    """Message on compositions, boxes and what the pairs are made from."""
    if 'compositions' not in inputs or 'dilution' not in inputs:
        return None
    compositions, dilution = inputs['compositions'].get_dict(), inputs['dilution'].get_dict()
    if message := wishes_fault(inputs['host'], compositions, dilution):
        return message
    if not inputs.get('single') and 'cluster' in inputs.get('exchange', {}):
        return 'single: pairs are to be computed, but not the single impurities that they start from; give it'
    return None


def wishes_fault(
    host: orm.RemoteData, compositions: Mapping[str, Mapping[str, float]], dilution: Mapping[str, Any]
) -> str | None:
    """What is wrong with compositions and boxes, in themselves or in this host."""
    if message := compositions_fault(compositions) or dilution_fault(dilution, compositions):
        return message
    sublattice = dilution.get('sublattice', [0])
    try:
        own = {host_element(host, site) for site in sublattice}
    except (ValueError, KkrFileError) as error:
        return f'host: {error}'
    except IndexError:
        return f'dilution.sublattice: the cell of the host has no atom {max(sublattice)}'
    if same := own.intersection(elements_of(compositions)):
        return f'compositions: {", ".join(same)} is the element of the host on these sites'
    return None
