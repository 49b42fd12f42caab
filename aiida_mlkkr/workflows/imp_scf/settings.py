"""What the inputs of the workchain say of the calculation: its code, its impurities, KKRimp's settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

import numpy as np
from aiida import orm

from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation

Inputs = Mapping[str, Any]

EMBEDDED_SOLVER: Final = 'mlkkr-kkrimp'
_FROM_HOST: Final = {'NSPIN': 'NSPIN', 'KVREL': 'KVREL', 'INS': 'INS', 'XC': 'KEXCOR'}
"""KKRimp's names of what ``KkrimpCalculation`` takes over from the host, and KKRhost's."""


def is_embedded(code: orm.AbstractCode) -> bool:
    """Whether a code is the embedded solver: by the name of its executable."""
    return PurePath(str(getattr(code, 'filepath_executable', ''))).name == EMBEDDED_SOLVER


def own_settings(inputs: Inputs) -> dict[str, Any]:
    """The user's own settings of KKRimp."""
    given = inputs['scf']['kkrimp'].get('parameters')
    return {} if given is None else {key: value for key, value in given.get_dict().items() if value is not None}


def host_parameters(inputs: Inputs) -> dict[str, Any]:
    """The parameters of KKRhost in the write-out, the one given or the one to come.

    :raises ValueError: the remote folder given is not one of KKRhost.
    """
    if 'host_greenfunction' in inputs:
        return kkr_calculation(inputs['host_greenfunction']).inputs.parameters.get_dict()
    contour = inputs['params_kkr_overwrite'].get_dict() if 'params_kkr_overwrite' in inputs else {}
    return {**kkr_calculation(inputs['host']).inputs.parameters.get_dict(), **contour}


def physics(inputs: Inputs) -> dict[str, Any]:
    """KKRimp's settings without the schedule: the user's, and what ``KkrimpCalculation`` takes over from the host."""
    host = host_parameters(inputs)
    settings = {key: host[name] for key, name in _FROM_HOST.items() if host.get(name) is not None}
    if host.get('<USE_CHEBYCHEV_SOLVER>') or 'NEWSOSOL' in (host.get('RUNOPT') or []):
        settings['SPINORBIT'] = 1
    return {**settings, **own_settings(inputs)}


def charges(impurity_info: orm.Dict) -> list[float]:
    """Nuclear charges of the impurities."""
    return np.atleast_1d(np.array(impurity_info['Zimp'], dtype=np.float64)).tolist()


def spins(inputs: Inputs) -> int:
    """Number of spins of the calculation: the user's, or that of the host."""
    return int(physics(inputs).get('NSPIN', 2))
