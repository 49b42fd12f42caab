"""Inputs of the restarted KKRimp calculation: their checks, and the settings that are in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiida import orm

from aiida_mlkkr.kkr.cures import Cures
from aiida_mlkkr.workflows.protocols import merged, protocol_inputs

PROTOCOL: Final = 'kkrimp_base'
START_PORTS: Final = ('impurity_potential', 'parent_calc_folder')


def default_cures() -> dict[str, Any]:
    """The numbers of the cures that hold unless others are given."""
    return protocol_inputs(PROTOCOL)['cures']


def restart_inputs(
    code: orm.AbstractCode,
    options: Mapping[str, Any] | None,
    protocol: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Inputs of the KKRimp chain without the settings of KKRimp, which a chain around it gives.

    :param options: of the calculation; ``resources`` as a whole, as their keys depend on one another.
    """
    values = protocol_inputs(PROTOCOL, protocol)
    del values['kkrimp']['parameters']
    values['kkrimp']['metadata']['options']['withmpi'] = bool(code.with_mpi)
    values = merged(values, overrides or {})
    values['kkrimp']['metadata']['options'] |= options or {}
    return values


def validate_cures(value: orm.Dict, _: object) -> str | None:
    """Message on numbers of the cures that are unknown or out of range."""
    try:
        Cures.from_values(default_cures(), value.get_dict())
    except ValueError as error:
        return str(error)
    return None


def validate_inputs(value: Mapping[str, Any], ctx: Any) -> str | None:
    """Message on a calculation without settings, or with none or two starts."""
    if 'kkrimp' not in value or any(port not in ctx['kkrimp'] for port in (*START_PORTS, 'parameters')):
        return None  # a chain around this one fills them later
    if 'parameters' not in value['kkrimp']:
        return 'kkrimp.parameters is missing: the settings of KKRimp'
    starts = [port for port in START_PORTS if port in value['kkrimp']]
    if len(starts) != 1:
        return f'one of {" and ".join(START_PORTS)} is to be given, not {"both" if starts else "none"}'
    return mpi_mismatch(value['kkrimp']['code'], value['kkrimp']) if 'code' in value['kkrimp'] else None


def mpi_mismatch(code: orm.AbstractCode, kkrimp: Mapping[str, Any]) -> str | None:
    """Message on an option ``withmpi`` that is not what the code is registered with; AiiDA would except on it.

    :param kkrimp: inputs of the ``KkrimpCalculation``.
    """
    option = kkrimp.get('metadata', {}).get('options', {}).get('withmpi', False)
    if code.with_mpi is None or code.with_mpi == option:
        return None
    return (
        f'kkrimp.metadata.options.withmpi is {option}, but {code.full_label} is registered with with_mpi '
        f'{code.with_mpi}: they have to agree'
    )


def settings_in_force(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a ``KkrimpCalculation``: what they leave open, it takes over from the parent calculation."""
    parent = inputs['parent_calc_folder'].creator if 'parent_calc_folder' in inputs else None
    inherited = parent.inputs.parameters.get_dict() if parent is not None and 'parameters' in parent.inputs else {}
    return {**inherited, **inputs['parameters'].get_dict()}
