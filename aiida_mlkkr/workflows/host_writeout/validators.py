"""What is refused before a write-out is submitted: each function returns a message, or None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida_kkr.calculations import KkrCalculation
from masci_tools.io.kkr_params import kkrparams


def host_parameters(host: orm.RemoteData) -> orm.Dict:
    """Parameters of the calculation of a host.

    :raises ValueError: if the folder is not that of a finished calculation of KKRhost.
    """
    creator = host.creator
    if creator is None or creator.process_class is not KkrCalculation:
        raise ValueError(f'RemoteData<{host.pk}> is not the remote folder of a KkrCalculation')
    if not creator.is_finished_ok or 'retrieved' not in creator.outputs:
        raise ValueError(f'KkrCalculation<{creator.pk}> has not finished well')
    try:
        return creator.inputs.parameters
    except NotExistent as error:
        raise ValueError(f'the parameters of KkrCalculation<{creator.pk}> are not in the database') from error


def validate_inputs(inputs: Mapping[str, Any], _: object) -> str | None:
    """The first message of all checks."""
    if 'host' not in inputs or 'kkr' not in inputs:
        return None
    code = inputs['kkr'].get('code')
    if code is not None and code.default_calc_job_plugin != 'kkr.kkr':
        return f'kkr.code: a code for kkr.kkr is needed, {code} is for {code.default_calc_job_plugin}'
    info = inputs['impurity_info'].get_dict() if 'impurity_info' in inputs else {}
    return writeout_fault(inputs['host'], info, inputs['overwrite'].get_dict() if 'overwrite' in inputs else {})


def writeout_fault(host: orm.RemoteData, info: Mapping[str, Any], overwrite: Mapping[str, Any]) -> str | None:
    """Why a host cannot be written out, if so.

    :param host: remote folder of the converged host.
    :param info: ``impurity_info``.
    :param overwrite: parameters that differ from the host's.
    """
    try:
        parameters = host_parameters(host).get_dict()
    except ValueError as error:
        return f'host: {error}'
    if parameters.get('NPOL') == 0:
        return 'host: it is a calculation of the density of states (NPOL is 0); its contour has no Fermi energy'
    if info.get('Rcut') is None and info.get('imp_cls') is None:
        return 'impurity_info: it has neither Rcut nor imp_cls, the sites of the cluster'
    known = kkrparams().get_dict()
    unknown = [key for key in overwrite if key not in known]
    return f'KKRhost does not know {", ".join(unknown)}, of what is to differ from the host' if unknown else None
