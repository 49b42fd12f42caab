"""The ports of the impurity self-consistency: inputs, outputs and exit codes."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm

from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.workflows.imp_scf.validators import validate_inputs, validate_schedule, validate_starts
from aiida_mlkkr.workflows.kkrimp.base import KkrimpBaseWorkChain
from aiida_mlkkr.workflows.protocols import protocol_default

PROTOCOL: Final = 'imp_scf'
_OWN_PORTS: Final = ('code', 'impurity_info', 'host_Greenfunction_folder', 'impurity_potential', 'parent_calc_folder')


def define_inputs(spec: Any) -> None:
    """Inputs, with their validators."""
    spec.expose_inputs(
        KkrimpBaseWorkChain,
        namespace='scf',
        exclude=tuple(f'kkrimp.{port}' for port in _OWN_PORTS),
        namespace_options={
            'help': 'Passed on to each KkrimpBaseWorkChain: restarts, cures, and of KKRimp settings_LDAU, rimpshift, '
            'initial_noco_angles, host_Greenfunction_folder_Efshift, raw parameters that the schedule does not set, '
            'and metadata.options.'
        },
    )
    spec.input('code', valid_type=orm.AbstractCode, help='KKRimp, by JuKKR or the embedded solver mlkkr-kkrimp.')
    spec.input(
        'impurity_info',
        valid_type=orm.Dict,
        serializer=orm.to_aiida_type,
        help='Sites of the cluster and nuclear charges (Zimp) of the impurities, as aiida-kkr takes them. With '
        'host_greenfunction the sites have to be those of the write-out.',
    )
    spec.input(
        'host_greenfunction',
        valid_type=orm.RemoteData,
        required=False,
        help="Remote folder of the KkrCalculation that wrote out the host's Green function.",
    )
    spec.input(
        'host',
        valid_type=orm.RemoteData,
        required=False,
        help='Instead: remote folder of the converged host calculation, whose Green function is then written out.',
    )
    spec.input('kkr', valid_type=orm.AbstractCode, required=False, help='KKRhost, which writes it out.')
    spec.input(
        'voronoi',
        valid_type=orm.AbstractCode,
        required=False,
        help="JuKKR's voronoi code: makes aiida-kkr's start potential where the starts before failed.",
    )
    spec.input(
        'params_kkr_overwrite',
        valid_type=orm.Dict,
        required=False,
        serializer=orm.to_aiida_type,
        help="Parameters of KKRhost for the write-out that differ from the host's, such as those of the contour.",
    )
    spec.input(
        'host_options',
        valid_type=orm.Dict,
        default=lambda: orm.Dict({'resources': {'num_machines': 1}, 'withmpi': False}),
        serializer=orm.to_aiida_type,
        help='Options of the calculations with kkr and voronoi, as far as aiida-kkr passes them on: resources, '
        'withmpi, max_wallclock_seconds, queue_name, custom_scheduler_commands.',
    )
    spec.input(
        'retrieve_kkrflex',
        valid_type=orm.Bool,
        default=protocol_default(PROTOCOL, 'retrieve_kkrflex'),
        serializer=orm.to_aiida_type,
        help='Retrieve the Green function where it is written out here; if not, it is left on the computer, which '
        'has to be that of KKRimp.',
    )
    spec.input(
        'emulator',
        valid_type=SurrogateData,
        required=False,
        help='A trained model that predicts the start potential.',
    )
    spec.input(
        'max_predicted_error',
        valid_type=orm.Float,
        default=protocol_default(PROTOCOL, 'max_predicted_error'),
        serializer=orm.to_aiida_type,
        help='Root mean square error (Ry) of a site above which a prediction of the emulator is not used.',
    )
    spec.input(
        'startpot',
        valid_type=orm.SinglefileData,
        required=False,
        help='A start potential of the cluster: a potential file of KKRimp.',
    )
    spec.input(
        'magnetic_moments',
        valid_type=orm.List,
        required=False,
        serializer=orm.to_aiida_type,
        help='The magnetic state asked for: spin moment of each impurity in Bohr magnetons, sign and rough size; 0 '
        'for none. Without it the start decides.',
    )
    spec.input(
        'starts',
        valid_type=orm.List,
        default=protocol_default(PROTOCOL, 'starts'),
        serializer=orm.to_aiida_type,
        validator=validate_starts,
        help='The starts in the order in which they are tried; those whose input is not given are left out.',
    )
    spec.input(
        'guess_moments',
        valid_type=orm.Bool,
        default=protocol_default(PROTOCOL, 'guess_moments'),
        serializer=orm.to_aiida_type,
        help="Where no moments are asked for: the standard start has Hund's moment of the free atom's open d or f "
        'shell.',
    )
    spec.input(
        'schedule',
        valid_type=orm.Dict,
        serializer=orm.to_aiida_type,
        validator=validate_schedule,
        help='Mixing schedule: name, stages, initial_field and near, see protocols/schedules.yaml.',
    )
    spec.inputs.validator = validate_inputs


def define_outputs(spec: Any) -> None:
    """Outputs and exit codes."""
    spec.output(
        'results',
        valid_type=orm.Dict,
        help='Energy, charges, moments, iterations, the start used and those dropped, the magnetic state: see the '
        'documentation. Of the last start that was tried, if none led to a solution.',
    )
    spec.output('converged_potential', valid_type=orm.SinglefileData, required=False, help='Potential file of KKRimp.')
    spec.output(
        'scf_history',
        valid_type=orm.ArrayData,
        required=False,
        help='Errors, moments and energies of all iterations from the start used, and the ends of the stages.',
    )
    spec.output(
        'host_greenfunction',
        valid_type=orm.RemoteData,
        required=False,
        help="Remote folder of the write-out of the host's Green function that was used.",
    )
    spec.output(
        'last_remote_folder', valid_type=orm.RemoteData, required=False, help='That of the last KKRimp calculation.'
    )
    spec.output('retrieved', valid_type=orm.FolderData, required=False, help='Files of the last KKRimp calculation.')
    spec.exit_code(
        220, 'ERROR_HOST_AND_CLUSTER_DO_NOT_MATCH', message='the impurities do not fit into the write-out: {fault}'
    )
    spec.exit_code(
        410,
        'ERROR_SUB_PROCESS_FAILED_HOST_WRITEOUT',
        message="writing out the host's Green function failed ({process}): {reason}. See its calculations.",
    )
    spec.exit_code(
        420,
        'ERROR_ALL_STARTS_FAILED',
        message='no start led to a converged potential: {reasons}. See the results, and give another start '
        '(startpot, emulator), other magnetic_moments or a more careful schedule.',
    )
