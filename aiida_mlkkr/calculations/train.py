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
from aiida_mlkkr.calculations.spin_models import lattice_of_structure
from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.ml.exchange.training import ExchangeTask
from aiida_mlkkr.ml.spec import first_complaint
from aiida_mlkkr.ml.train_main import CHECKPOINT, INPUT, MODEL, PROGRESS, REPORT
from aiida_mlkkr.ml.training import TrainingTask

OUTPUT: Final = 'train.out'

_LEAST_MARGIN: Final = 60.0
_MARGIN: Final = 0.05
"""Of the wallclock time, kept for the start of the program, the last step of the training and its checkpoint."""


Data = ImpurityDatasetData | ExchangeData


def validate_settings(value: orm.Dict, _: object) -> str | None:
    """Message on settings of a training that are not valid: of a surrogate of exchange, if they have ``exchange``."""
    content = value.get_dict()
    try:
        (ExchangeTask if 'exchange' in content else TrainingTask).model_validate(content)
    except ValidationError as error:
        return first_complaint(error)
    return None


def validate_datasets(value: Mapping[str, Data], _: object) -> str | None:
    """Message on datasets that hold nothing, or that cannot be learnt from together."""
    tables = {label: node for label, node in value.items() if isinstance(node, ExchangeData)}
    datasets = {label: node for label, node in value.items() if isinstance(node, ImpurityDatasetData)}
    if tables and datasets:
        return f'{next(iter(tables))} is of exchange, {next(iter(datasets))} of impurities: a model learns one of them'
    if tables:
        return _different({label: {'host': node.base.attributes.get('host')} for label, node in tables.items()})
    kinds = {label: node.base.attributes.get('kind') for label, node in datasets.items() if not is_empty(node)}
    return _different(kinds) if kinds else 'there is no finished impurity in the datasets'


def _different(kinds: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Message on the first thing in which data differ that have to be alike."""
    (first, kind), *others = kinds.items()
    for label, other in others:
        for name in kind:
            if kind[name] != other.get(name):
                differ = f'{name} is {kind[name]} in {first} and {other.get(name)} in {label}'
                return f'datasets of different kinds cannot be mixed: {differ}'
    return None


def validate_inputs(value: Mapping[str, Any], _: object) -> str | None:
    """Message on settings for other data, or on a checkpoint that the computer of the code does not have."""
    message = _other_data(value)
    if message:
        return message
    parent, code = value.get('parent_folder'), value.get('code')
    if parent is None or code is None or parent.computer.pk == code.computer.pk:
        return None
    return f'parent_folder is on {parent.computer.label}, the code on {code.computer.label}'


def _other_data(value: Mapping[str, Any]) -> str | None:
    of_exchange = any(isinstance(node, ExchangeData) for node in value.get('datasets', {}).values())
    settings = value['settings'].get_dict() if 'settings' in value else {}  # a search gives them later
    if of_exchange and 'settings' in value and 'exchange' not in settings:
        return 'settings: for exchange data they have exchange (model, seed, options)'
    if not of_exchange and 'exchange' in settings:
        return 'datasets: the settings are those of a surrogate of exchange, which learns from ExchangeData'
    if not of_exchange and 'structure' in value:
        return 'structure: its symmetry is for surrogates of exchange'
    return None


def is_empty(node: ImpurityDatasetData) -> bool:
    """Whether there is no impurity in a dataset."""
    return not node.base.attributes.get('number')


def time_to_train(max_wallclock_seconds: float) -> float:
    """Seconds after which a training of a job with a limit stops by itself."""
    return max_wallclock_seconds - min(max(_LEAST_MARGIN, _MARGIN * max_wallclock_seconds), 0.5 * max_wallclock_seconds)


class TrainCalculation(CalcJob):
    """Train an emulator of impurity potentials or a surrogate of exchange with ``aiida-mlkkr-train``."""

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
            valid_type=(ImpurityDatasetData, ExchangeData),
            dynamic=True,
            validator=validate_datasets,
            help='Finished impurities to learn from, where one that is in several datasets counts once; or exchange '
            'data of one host.',
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            default=lambda: orm.Dict({}),
            serializer=orm.to_aiida_type,
            validator=validate_settings,
            help='What is trained: emulator (model, radial_functions, seed, options), cross_validation (folds, '
            'group_by) or None, and final, whether the model of all data is trained after it. For exchange data: '
            'exchange (model, seed, options), cross_validation (split, folds) or None, and final.',
        )
        spec.input(
            'structure',
            valid_type=orm.StructureData,
            required=False,
            help='With exchange data: the host, its cell as small as can be, for its symmetry.',
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
        spec.output('model', valid_type=SurrogateData, required=False, help='The model trained on all data.')
        spec.output(
            'report',
            valid_type=orm.Dict,
            help='Validation (errors in Ry, moments in µB; of exchange in meV), losses, hyperparameters, hash of '
            'the data, versions, time.',
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
        datasets = self._write_datasets(folder)
        order = {'task': self.inputs.settings.get_dict(), 'datasets': sorted(datasets)}
        if 'structure' in self.inputs:
            order['rotations'] = lattice_of_structure(self.inputs.structure).operations[0].tolist()
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
        info.provenance_exclude_list = datasets  # they are in the nodes
        info.retrieve_list = [MODEL, REPORT, PROGRESS, code.stdout_name]
        if 'parent_folder' in self.inputs:
            parent = self.inputs.parent_folder
            info.remote_copy_list = [
                (parent.computer.uuid, str(Path(parent.get_remote_path(), name)), name)
                for name in (CHECKPOINT, PROGRESS)
            ]
        return info

    def _write_datasets(self, folder: Folder) -> list[str]:
        """Write the data; return the names of the files."""
        names = []
        for label, node in self.inputs.datasets.items():
            if isinstance(node, ExchangeData):
                names.append(f'{label}.csv')
                node.to_csv(Path(folder.get_abs_path(names[-1])))
            elif not is_empty(node):
                names.append(f'{label}.safetensors')
                node.to_file(folder.get_abs_path(names[-1]))
        return names
