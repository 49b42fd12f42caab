"""What is refused before anything is submitted: each function returns a message, or None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation
from aiida_mlkkr.workflows.kkrimp.inputs import mpi_mismatch

CONTOUR: Final = ('bottom', 'top', 'points', 'temperature', 'kmesh')
FEWEST: Final = 3
"""Energies, of which the first and the last are not continued to the real axis."""


def validate_contour(value: orm.Dict, _: object) -> str | None:
    """Message on numbers of the contour that are missing, unknown or impossible."""
    contour = value.get_dict()
    if set(contour) != set(CONTOUR):
        return f'the numbers of a contour are {", ".join(CONTOUR)}, not {", ".join(sorted(contour)) or "none"}'
    if not contour['bottom'] < contour['top'] or contour['points'] < FEWEST or contour['temperature'] <= 0:
        return f'bottom lies below top (eV), there are {FEWEST} points or more, and the temperature (K) is positive'
    if len(contour['kmesh']) != 3 or min(contour['kmesh']) < 1:
        return 'kmesh is three positive integers'
    return None


def validate_inputs(inputs: Mapping[str, Any], _: object) -> str | None:
    """Message on a host that is given twice or not at all, or whose write-out is not on a contour along the axis."""
    given = [name for name in ('host', 'host_greenfunction') if name in inputs]
    if len(given) != 1:
        return 'one of host and host_greenfunction is to be given'
    if given == ['host']:
        if 'kkr' not in inputs:
            return "kkr is missing: the code that writes out the host's Green function"
        return _kkrimp_fault(inputs)
    try:
        parameters = kkr_calculation(inputs['host_greenfunction']).inputs.parameters.get_dict()
    except (ValueError, NotExistent) as error:
        return f'host_greenfunction: {error}'
    if parameters.get('NPOL') != 0:
        return (
            'host_greenfunction: its energies are those of a self-consistency. Take one of mlkkr.ldos, or of a '
            'write-out with NPOL= 0, or give host and kkr instead'
        )
    return _kkrimp_fault(inputs)


def _kkrimp_fault(inputs: Mapping[str, Any]) -> str | None:
    return mpi_mismatch(inputs['code'], inputs['kkrimp']['kkrimp'])
