"""A training on a computer of the user's choice."""

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
from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.ml.spec import first_complaint
from aiida_mlkkr.ml.train_main import CHECKPOINT, INPUT, MODEL, PROGRESS, REPORT
from aiida_mlkkr.ml.training import TrainingTask

OUTPUT: Final = 'train.out'

_LEAST_MARGIN: Final = 60.0
_MARGIN: Final = 0.05
"""Of the wallclock time, kept for the start of the program, the last step of the training and its checkpoint."""


def validate_settings(value: orm.Dict, _: object) -> str | None:
    """Message on settings of a training that are not valid."""
    try:
        TrainingTask.model_validate(value.get_dict())
    except ValidationError as error:
        return first_complaint(error)
    return None


def validate_datasets(value: Mapping[str, ImpurityDatasetData], _: object) -> str | None:
    """Message on datasets that hold nothing, or that cannot be learnt from together."""
    kinds = {label: node.base.attributes.get('kind') for label, node in value.items() if not is_empty(node)}
    if not kinds:
        return 'there is no finished impurity in the datasets'
    (first, kind), *others = kinds.items()
    for label, other in others:
        for name in kind:
            if kind[name] != other.get(name):
                differ = f'{name} is {kind[name]} in {first} and {other.get(name)} in {label}'
                return f'datasets of different kinds cannot be mixed: {differ}'
    return None


def validate_inputs(value: Mapping[str, Any], _: object) -> str | None:
    """Message on a checkpoint that the computer of the code does not have."""
    parent, code = value.get('parent_folder'), value.get('code')
    if parent is None or code is None or parent.computer.pk == code.computer.pk:
        return None
    return f'parent_folder is on {parent.computer.label}, the code on {code.computer.label}'


def is_empty(node: ImpurityDatasetData) -> bool:
    """Whether there is no impurity in a dataset."""
    return not node.base.attributes.get('number')


def time_to_train(max_wallclock_seconds: float) -> float:
    """Seconds after which a training of a job with a limit stops by itself."""
    return max_wallclock_seconds - min(max(_LEAST_MARGIN, _MARGIN * max_wallclock_seconds), 0.5 * max_wallclock_seconds)


class TrainCalculation(CalcJob):
    """Train an emulator of impurity potentials with ``aiida-mlkkr-train``."""

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
            'datasets',
            valid_type=ImpurityDatasetData,
            dynamic=True,
            validator=validate_datasets,
            help='Finished impurities to learn from; one that is in several datasets counts once.',
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            default=lambda: orm.Dict({}),
            serializer=orm.to_aiida_type,
            validator=validate_settings,
            help='What is trained: emulator (model, radial_functions, seed, options), cross_validation (folds, '
            'group_by) or None, and final, whether the model of all data is trained after it.',
        )
        spec.input(
            'parent_folder',
            valid_type=orm.RemoteData,
            required=False,
            help='Remote folder of a training with the same settings and datasets, whose checkpoint is gone on with.',
        )
        spec.inputs.validator = validate_inputs
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = 'mlkkr.train'
        options['output_filename'].default = OUTPUT
        options['resources'].default = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        options['withmpi'].default = False
        spec.output('model', valid_type=SurrogateData, required=False, help='The emulator trained on all data.')
        spec.output(
            'report',
            valid_type=orm.Dict,
            help='Validation (errors in Ry, moments in µB), losses, hyperparameters, hash of the data, versions, time.',
        )
        spec.output(
            'history',
            valid_type=orm.ArrayData,
            required=False,
            help='Losses of all steps: stage (number of its name in the attribute stages), step, time, and each loss.',
        )
        spec.default_output_node = 'report'
        spec.exit_code(220, 'ERROR_INPUT_REFUSED', message='the training was refused: {reason}')
        spec.exit_code(
            310,
            'ERROR_OUTPUT_MISSING',
            message='the training has left no report and no checkpoint: {reason}. See the files of the scheduler.',
        )
        spec.exit_code(
            311, 'ERROR_OUTPUT_INVALID', message='a result of the training cannot be read: {reason}. Run it again.'
        )
        spec.exit_code(
            400,
            'ERROR_OUT_OF_WALLTIME',
            message='the training has stopped before its time was over: give remote_folder as parent_folder to go on '
            'from its checkpoint',
        )
        spec.exit_code(
            401,
            'ERROR_WALLTIME_TOO_SHORT',
            message='not one step of the training fits into the time: raise metadata.options.max_wallclock_seconds',
        )
        spec.exit_code(
            410,
            'ERROR_INTERRUPTED',
            message='the training was interrupted ({reason}): give remote_folder as parent_folder to go on from its '
            'checkpoint',
        )
        spec.exit_code(
            411,
            'ERROR_ABORTED',
            message='a file could be neither read nor written: {reason}. Check permissions, disk space and quota.',
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input files."""
        datasets = {f'{label}.safetensors': node for label, node in self.inputs.datasets.items() if not is_empty(node)}
        for name, node in datasets.items():
            node.to_file(folder.get_abs_path(name))
        order = {'task': self.inputs.settings.get_dict(), 'datasets': sorted(datasets)}
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
        info.provenance_exclude_list = list(datasets)  # they are in the nodes
        info.retrieve_list = [MODEL, REPORT, PROGRESS, code.stdout_name]
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            info.remote_copy_list = [
                (parent.computer.uuid, str(Path(parent.get_remote_path(), name)), name)
                for name in (CHECKPOINT, PROGRESS)
            ]
        return info
