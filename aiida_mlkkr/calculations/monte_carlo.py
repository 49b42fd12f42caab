"""Monte Carlo of spin models on a computer of the user's choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiida import orm
from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder

from aiida_mlkkr.calculations.program import ProgramCalculation
from aiida_mlkkr.common.complaints import complaint_on
from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.spins.main import CHECKPOINT, INPUT, RESULTS
from aiida_mlkkr.spins.schedule import Schedule

OUTPUT: Final = 'monte_carlo.out'


def validate_schedule(value: orm.Dict, _: object) -> str | None:
    """Message on a schedule that is not valid."""
    return complaint_on(value.get_dict(), Schedule)


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


class MonteCarloCalculation(ProgramCalculation):
    """Simulate spin models with ``mlkkr-monte-carlo``."""

    noun = 'simulation'
    order_file = INPUT
    checkpoint_file = CHECKPOINT

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
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = 'mlkkr.monte_carlo'
        options['output_filename'].default = OUTPUT
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
        spec.exit_code(
            401,
            'ERROR_NOT_THERMALISED',
            message='the moments have not forgotten how they began at {temperatures}: raise thermalisation and '
            'measurement in the schedule, or leave these temperatures out',
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
        info = self.submission(folder, order, data=models, results=[])
        info.retrieve_temporary_list = [RESULTS]
        return info
