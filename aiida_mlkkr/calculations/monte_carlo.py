"""Monte Carlo of spin models on a computer of the user's choice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from pydantic import ValidationError

from aiida_mlkkr import __version__
from aiida_mlkkr.calculations.train import time_to_train
from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.spins.main import CHECKPOINT, INPUT, PROGRESS, RESULTS, first_complaint
from aiida_mlkkr.spins.schedule import Schedule

OUTPUT: Final = 'monte_carlo.out'


def validate_schedule(value: orm.Dict, _: object) -> str | None:
    """Message on a schedule that is not valid."""
    try:
        Schedule.model_validate(value.get_dict())
    except ValidationError as error:
        return first_complaint(error)
    return None


def validate_models(value: Mapping[str, SpinModelData], _: object) -> str | None:
    """Message on models that are not configurations of one kind."""
    if not value:
        return 'a spin model is needed'
    kinds = {label: node.base.attributes.get('composition') for label, node in value.items()}
    (first, kind), *others = kinds.items()
    for label, other in others:
        if other != kind:
            return f'models are averaged, but {first} has {kind} and {label} has {other}; simulate them apart'
    return None


def validate_inputs(value: Mapping[str, Any], _: object) -> str | None:
    """Message on a checkpoint that the computer of the code does not have."""
    parent, code = value.get('parent_folder'), value.get('code')
    if parent is None or code is None or parent.computer.pk == code.computer.pk:
        return None
    return f'parent_folder is on {parent.computer.label}, the code on {code.computer.label}'


class MonteCarloCalculation(CalcJob):
    """Simulate spin models with ``mlkkr-monte-carlo``."""

    CACHE_VERSION = __version__  # type: ignore[assignment]  # it is only compared

    @classmethod
    def is_valid_cache(cls, node: orm.ProcessNode) -> bool:
        """Only what went well: a failure may be that of the machine, or of limits that the hash leaves out."""
        return bool(node.is_finished_ok) and super().is_valid_cache(node)

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input_namespace(
            'models',
            valid_type=SpinModelData,
            dynamic=True,
            validator=validate_models,
            help='Configurations of one kind (same elements in the same numbers), over which is averaged.',
        )
        spec.input(
            'schedule',
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_schedule,
            help='Temperatures (ascending, K), seed, and where other than the defaults: thermalisation and measurement '
            '(rounds), sweeps and reflections of a round, algorithm, tempering, cooling (sweeps), '
            'correlation_reach (Å).',
        )
        spec.input(
            'parent_folder',
            valid_type=orm.RemoteData,
            required=False,
            help='Remote folder of a simulation of the same models with the same schedule, whose checkpoint is gone on '
            'with.',
        )
        spec.inputs.validator = validate_inputs
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = 'mlkkr.monte_carlo'
        options['output_filename'].default = OUTPUT
        options['resources'].default = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        options['withmpi'].default = False
        spec.output(
            'observables',
            valid_type=orm.ArrayData,
            help='By temperature, each with its error in NAME_error: energy (meV per moment), heat_capacity (k_B per '
            'moment), magnetisation, susceptibility (µB/T per moment), binder, overlap, spin_glass_susceptibility, …',
        )
        spec.output(
            'ground_states',
            valid_type=orm.ArrayData,
            required=False,
            help='Where the schedule has cooling: for each model (attribute models) the directions of its state of '
            'lowest energy (m, n, 3), and the energies of all minima found (m, candidates) in meV per moment.',
        )
        spec.output('report', valid_type=orm.Dict, help='Whether it has thermalised, schedule, groups, version.')
        spec.default_output_node = 'report'
        spec.exit_code(220, 'ERROR_INPUT_REFUSED', message='the simulation was refused: {reason}')
        spec.exit_code(
            310,
            'ERROR_OUTPUT_MISSING',
            message='the simulation has left no results and no checkpoint: {reason}. See the files of the scheduler.',
        )
        spec.exit_code(
            311, 'ERROR_OUTPUT_INVALID', message='the results cannot be read: {reason}. Run the simulation again.'
        )
        spec.exit_code(
            400,
            'ERROR_OUT_OF_WALLTIME',
            message='the simulation has stopped before its time was over: give remote_folder as parent_folder to go on '
            'from its checkpoint',
        )
        spec.exit_code(
            401,
            'ERROR_NOT_THERMALISED',
            message='the moments have not forgotten how they began at {temperatures}: raise thermalisation and '
            'measurement in the schedule, or leave these temperatures out',
        )
        spec.exit_code(
            410,
            'ERROR_INTERRUPTED',
            message='the simulation was interrupted ({reason}): give remote_folder as parent_folder to go on from its '
            'checkpoint',
        )
        spec.exit_code(
            411,
            'ERROR_ABORTED',
            message='a file could be neither read nor written: {reason}. Check permissions, disk space and quota.',
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input files."""
        models = {f'{label}.npz': node for label, node in self.inputs.models.items()}
        for name, node in models.items():
            node.to_file(folder.get_abs_path(name))
        order: dict[str, Any] = {'schedule': self.inputs.schedule.get_dict(), 'models': sorted(models)}
        resources = self.inputs.metadata.options.resources
        if 'num_cores_per_mpiproc' in resources:
            order['threads'] = resources['num_cores_per_mpiproc']
        limit = self.inputs.metadata.options.get('max_wallclock_seconds')
        if limit is not None:
            order['walltime'] = time_to_train(limit)
        with folder.open(INPUT, 'w', encoding='utf-8') as file:
            json.dump(order, file, indent=1)
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.stdout_name = self.inputs.metadata.options.output_filename
        code.withmpi = self.inputs.metadata.options.withmpi
        info = CalcInfo()
        info.codes_info = [code]
        info.provenance_exclude_list = list(models)  # they are in the nodes
        info.retrieve_list = [PROGRESS, code.stdout_name]
        info.retrieve_temporary_list = [RESULTS]
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            info.remote_copy_list = [
                (parent.computer.uuid, str(Path(parent.get_remote_path(), name)), name)
                for name in (CHECKPOINT, PROGRESS)
            ]
        return info
