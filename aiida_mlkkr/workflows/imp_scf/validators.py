"""What is refused before anything is submitted: each function returns a message, or None if there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import StringIO
from math import isfinite
from typing import Any, Final

from aiida import orm
from aiida_kkr.calculations import KkrimpCalculation
from masci_tools.io.kkr_params import kkrparams

from aiida_mlkkr.calculations.folders import writeout_of
from aiida_mlkkr.calculations.records import kind_of
from aiida_mlkkr.kkr.cluster import ImpurityCluster
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.potential import read_potential
from aiida_mlkkr.kkr.schedule import Schedule
from aiida_mlkkr.kkr.start_check import shape_fault
from aiida_mlkkr.ml.emulator import PotentialEmulator
from aiida_mlkkr.ml.errors import OutOfReachError
from aiida_mlkkr.solver.config import check_settings
from aiida_mlkkr.solver.errors import UnsupportedSettingError
from aiida_mlkkr.workflows.host_writeout.validators import writeout_fault
from aiida_mlkkr.workflows.imp_scf.settings import charges, host_parameters, is_embedded, own_settings, physics, spins
from aiida_mlkkr.workflows.imp_scf.starts import STARTS
from aiida_mlkkr.workflows.imp_scf.writeout import cluster_in_host, kkr_calculation
from aiida_mlkkr.workflows.kkrimp.inputs import mpi_mismatch

Inputs = Mapping[str, Any]

_BEYOND_EMBEDDED: Final = {
    'settings_LDAU': 'LDA+U',
    'rimpshift': 'displaced impurities (rimpshift)',
    'initial_noco_angles': 'non-collinear moments (initial_noco_angles)',
}
GREEN: Final = KkrimpCalculation._KKRFLEX_GREEN
_PLUGINS: Final = {'code': 'kkr.kkrimp', 'kkr': 'kkr.kkr', 'voronoi': 'kkr.voro'}


def validate_inputs(inputs: Inputs, _: object) -> str | None:
    """The first message of all checks; those whose inputs a chain around this one gives later are left out."""
    if 'code' not in inputs or 'impurity_info' not in inputs:
        return None
    for check in _CHECKS:
        message = check(inputs)
        if message:
            return message
    return None


def validate_schedule(schedule: orm.Dict, _: object) -> str | None:
    """Message on a schedule that is not one."""
    try:
        keys = Schedule.from_values(schedule.get_dict()).keys
    except (ValueError, TypeError) as error:
        return f'schedule: {error}'
    return _unknown_keys(keys)


def validate_starts(starts: orm.List, _: object) -> str | None:
    """Message on starts that do not exist."""
    unknown = [name for name in starts if name not in STARTS]
    if unknown or not len(starts):
        return f'starts: there is no start {", ".join(unknown) or "at all"}; there are {", ".join(STARTS)}'
    return None


def _check_codes(inputs: Inputs) -> str | None:
    for port, plugin in _PLUGINS.items():
        if port in inputs and inputs[port].default_calc_job_plugin != plugin:
            return (
                f'{port}: a code for {plugin} is needed, {inputs[port]} is for {inputs[port].default_calc_job_plugin}'
            )
    return mpi_mismatch(inputs['code'], inputs['scf']['kkrimp'])


def _check_host(inputs: Inputs) -> str | None:
    """One host, and impurities that fit into its write-out."""
    given = [port for port in ('host_greenfunction', 'host') if port in inputs]
    if len(given) != 1:
        return (
            'give either host_greenfunction (the remote folder of a write-out) or host (that of a converged host '
            f'calculation) and kkr, not {"both" if given else "none of them"}'
        )
    try:
        calculation = kkr_calculation(inputs[given[0]])
        if given == ['host_greenfunction']:
            cluster_in_host(calculation, inputs['impurity_info'].get_dict())
    except ValueError as error:
        return f'{given[0]}: {error}'
    if given == ['host_greenfunction']:
        return None
    if 'kkr' not in inputs:
        return "kkr is missing: the code that writes out the host's Green function"
    contour = inputs['params_kkr_overwrite'].get_dict() if 'params_kkr_overwrite' in inputs else {}
    return writeout_fault(inputs['host'], inputs['impurity_info'].get_dict(), contour)


def _check_place(inputs: Inputs) -> str | None:
    """A Green function that is not retrieved has to be where KKRimp runs."""
    if 'host_greenfunction' in inputs:
        calculation = kkr_calculation(inputs['host_greenfunction'])
        if GREEN in calculation.outputs.retrieved.base.repository.list_object_names():
            return None
        port, place = (
            'host_greenfunction: the Green function was not retrieved, it is on',
            inputs['host_greenfunction'].computer,
        )
    elif inputs['retrieve_kkrflex'].value:
        return None
    else:
        port, place = 'retrieve_kkrflex: the Green function would stay on', inputs['kkr'].computer
    if place.pk == inputs['code'].computer.pk:
        return None
    return f'{port} {place.label}, but KKRimp runs on {inputs["code"].computer.label}. Retrieve it'


def _check_moments(inputs: Inputs) -> str | None:
    if 'magnetic_moments' not in inputs:
        return None
    moments, impurities = inputs['magnetic_moments'].get_list(), len(charges(inputs['impurity_info']))
    if len(moments) != impurities:
        return f'magnetic_moments: {len(moments)} moments for {impurities} impurities (Zimp of impurity_info)'
    if not all(isinstance(moment, int | float) and isfinite(moment) for moment in moments):
        return f'magnetic_moments: one number for each impurity is needed, not {moments}'
    if any(moments) and spins(inputs) == 1:
        return 'magnetic_moments: moments need two spins, but NSPIN is 1'
    return None


def _check_starts(inputs: Inputs) -> str | None:
    """Starts that are asked for are given, and the other way round."""
    starts = inputs['starts'].get_list()
    unused = [maker.port for name, maker in STARTS.items() if maker.port in inputs and name not in starts]
    if unused:
        return f'{unused[0]} is given, but starts does not name it: {", ".join(starts)}'
    if not _given_starts(inputs):
        return f'none of the starts {", ".join(starts)} is given'
    return None


def _given_starts(inputs: Inputs) -> list[str]:
    return [name for name in inputs['starts'].get_list() if STARTS[name].port in ('', *inputs)]


def _check_startpot(inputs: Inputs) -> str | None:
    """A potential file of another cluster; whether it is sane is seen later."""
    if 'startpot' not in inputs or 'host_greenfunction' not in inputs:
        return None
    cluster = _cluster(inputs)
    try:
        potential = read_potential(StringIO(inputs['startpot'].get_content('r')))
    except ValueError:
        return None
    fault = shape_fault(potential, cluster.z, spins(inputs))
    return f'startpot does not fit the cluster: {fault}' if fault else None


def _check_emulator(inputs: Inputs) -> str | None:
    """A model that is of another kind, or out of whose reach the impurity is where there is no other start."""
    if 'emulator' not in inputs:
        return None
    model = inputs['emulator']
    try:
        emulator = PotentialEmulator.load(model.arrays, model.spec)
        if 'host' in inputs:
            lmax = host_parameters(inputs).get('LMAX', emulator.kind.lmax)
            emulator.check_without_host(kind_of(physics(inputs), lmax), charges(inputs['impurity_info']))
            return None
        writeout = writeout_of(kkr_calculation(inputs['host_greenfunction']).outputs.retrieved)
        cluster = writeout.with_impurities(inputs['impurity_info'].get_dict())
        emulator.check(writeout.kind(physics(inputs)), writeout.host, cluster.z, cluster.layer)
    except OutOfReachError as error:
        return None if _given_starts(inputs) != ['emulator'] else f'emulator: {error}'
    except ValueError as error:
        return f'emulator: {error}'
    return None


def _check_settings(inputs: Inputs) -> str | None:
    own = own_settings(inputs)
    unknown = _unknown_keys(own)
    if unknown:
        return f'scf.kkrimp.parameters: {unknown}'
    if own.get('CALCJIJMAT'):
        return 'scf.kkrimp.parameters: CALCJIJMAT= 1 is no self-consistency: exchange tensors come after it'
    both = sorted(own.keys() & Schedule.from_values(inputs['schedule'].get_dict()).keys)
    if both:
        return f'scf.kkrimp.parameters: {", ".join(both)} belong to the schedule: change them there (input schedule)'
    return None


def _check_embedded(inputs: Inputs) -> str | None:
    """Settings that the embedded solver does not cover, the host's among them."""
    if not is_embedded(inputs['code']):
        return None
    for port, meaning in _BEYOND_EMBEDDED.items():
        if port in inputs['scf']['kkrimp']:
            return f"the embedded solver does not cover {meaning}: run this with JuKKR's KKRimp"
    schedule = Schedule.from_values(inputs['schedule'].get_dict())
    try:
        for stage in (*schedule.stages, *schedule.near):
            check_settings({**stage, 'HFIELD': list(schedule.initial_field), **physics(inputs)})
    except (UnsupportedSettingError, KkrFileError) as error:
        return str(error)
    return None


def _cluster(inputs: Inputs) -> ImpurityCluster:
    return cluster_in_host(kkr_calculation(inputs['host_greenfunction']), inputs['impurity_info'].get_dict())


def _unknown_keys(keys: Any) -> str | None:
    unknown = sorted(set(keys) - set(kkrparams(params_type='kkrimp').values))
    return f'aiida-kkr knows no setting {", ".join(unknown)} of KKRimp' if unknown else None


_CHECKS: Final[tuple[Callable[[Inputs], str | None], ...]] = (
    _check_codes,
    _check_host,
    _check_place,
    _check_moments,
    _check_starts,
    _check_startpot,
    _check_emulator,
    _check_settings,
    _check_embedded,
)
