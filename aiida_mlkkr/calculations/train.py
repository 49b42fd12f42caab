"""A training on a computer of the user's choice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder

from aiida_mlkkr.calculations.program import ProgramCalculation, validate_program
from aiida_mlkkr.calculations.spin_models import lattice_of_structure
from aiida_mlkkr.common.complaints import complaint_on
from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.ml.exchange.training import ExchangeTask
from aiida_mlkkr.ml.train_main import CHECKPOINT, INPUT, MODEL, REPORT
from aiida_mlkkr.ml.training import TrainingTask

OUTPUT: Final = 'train.out'
SPHERES: Final = 'model-of-spheres.safetensors'  # no dataset can be called so

Data = ImpurityDatasetData | ExchangeData


def validate_settings(value: orm.Dict, _: object) -> str | None:
    """Message on settings of a training that are not valid: of a surrogate of exchange, if they have ``exchange``."""
    content = value.get_dict()
    return complaint_on(content, ExchangeTask if 'exchange' in content else TrainingTask)


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


def validate_inputs(value: Mapping[str, Any], port: Any) -> str | None:
    """Message on settings for other data, or on what no program can be run with."""
    return _other_data(value) or validate_program(value, port)


def _other_data(value: Mapping[str, Any]) -> str | None:
    of_exchange = any(isinstance(node, ExchangeData) for node in value.get('datasets', {}).values())
    settings = value['settings'].get_dict() if 'settings' in value else {}  # a search gives them later
    if of_exchange and 'settings' in value and 'exchange' not in settings:
        return 'settings: for exchange data they have exchange (model, seed, options)'
    if not of_exchange and 'exchange' in settings:
        return 'datasets: the settings are those of a surrogate of exchange, which learns from ExchangeData'
    if not of_exchange and 'structure' in value:
        return 'structure: its symmetry is for surrogates of exchange'
    if of_exchange and 'spheres' in value:
        return 'spheres: they are for emulators of full potentials'
    return None


def is_empty(node: ImpurityDatasetData) -> bool:
    """Whether there is no impurity in a dataset."""
    return not node.base.attributes.get('number')


class TrainCalculation(ProgramCalculation):
    """Train an emulator of impurity potentials or a surrogate of exchange with ``aiida-mlkkr-train``."""

    noun = 'training'
    order_file = INPUT
    checkpoint_file = CHECKPOINT

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
            'spheres',
            valid_type=SurrogateData,
            required=False,
            help='With impurities in full potential: an emulator of atomic spheres in the same crystals. The '
            'difference to it is learnt; in the cross-validation, too, it stays as it is.',
        )
        spec.inputs.validator = validate_inputs
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = 'mlkkr.train'
        options['output_filename'].default = OUTPUT
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
        spec.exit_code(
            401,
            'ERROR_WALLTIME_TOO_SHORT',
            message='not one step of the training fits into the time: raise metadata.options.max_wallclock_seconds',
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input files."""
        data = self._write_datasets(folder)
        order = {'task': self.inputs.settings.get_dict(), 'datasets': sorted(data)}
        if 'structure' in self.inputs:
            order['rotations'] = lattice_of_structure(self.inputs.structure).operations[0].tolist()
        if 'spheres' in self.inputs:
            self.inputs.spheres.to_file(folder.get_abs_path(SPHERES))
            order['spheres'] = SPHERES
            data.append(SPHERES)
        return self.submission(folder, order, data=data, results=[MODEL, REPORT])

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
