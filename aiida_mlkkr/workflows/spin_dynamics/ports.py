"""The ports of the workchain of spin models: inputs, outputs and exit codes."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_mlkkr.calculations.spirit import validate_dynamics, validate_parameters
from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.workflows.protocols import protocol_default
from aiida_mlkkr.workflows.spin_dynamics.base import PROTOCOL, MonteCarloBaseWorkChain
from aiida_mlkkr.workflows.spin_dynamics.validators import (
    validate_inputs,
    validate_models,
    validate_schedule,
    validate_temperatures,
)


def define_inputs(spec: Any) -> None:
    """Inputs, with their validators."""
    spec.input('code', valid_type=orm.AbstractCode, help='The program mlkkr-monte-carlo.')
    spec.input_namespace(
        'models',
        valid_type=SpinModelData,
        dynamic=True,
        validator=validate_models,
        help='Configurations of one composition, in boxes of one size or of several.',
    )
    spec.input(
        'schedule',
        valid_type=orm.Dict,
        serializer=orm.to_aiida_type,
        validator=validate_schedule,
        help='Of all simulations: seed, and where other than the defaults thermalisation, measurement, cooling, '
        'correlation_reach (Å, at most half of the smallest box) …; without temperatures.',
    )
    spec.input(
        'temperatures',
        valid_type=orm.Dict,
        default=protocol_default(PROTOCOL, 'temperatures'),
        serializer=orm.to_aiida_type,
        validator=validate_temperatures,
        help='How temperatures are chosen: number, lowest, highest (shares of that of mean field), refinements, '
        'refined_number, refined_width; or values (K), which are taken as they are.',
    )
    spec.expose_inputs(
        MonteCarloBaseWorkChain,
        namespace='base',
        exclude=('monte_carlo.code', 'monte_carlo.models', 'monte_carlo.schedule', 'monte_carlo.parent_folder'),
        namespace_options={'help': 'Of each simulation: options, restarts, lengthenings.'},
    )
    _define_spirit(spec)
    spec.inputs.validator = validate_inputs


def _define_spirit(spec: Any) -> None:
    spec.input_namespace(
        'spirit',
        required=False,
        populate_defaults=False,
        help='Spirit as well (aiida-spirit): the ground states of the smallest models from a random start, and '
        'dynamics of the first of them.',
    )
    spec.input('spirit.code', valid_type=orm.AbstractCode, help='A Python that has spirit, for the plugin spirit.')
    spec.input(
        'spirit.parameters',
        valid_type=orm.Dict,
        default=protocol_default(PROTOCOL, 'spirit', 'parameters'),
        serializer=orm.to_aiida_type,
        validator=validate_parameters,
        help='Of the minimisation: llg_n_iterations, llg_force_convergence …',
    )
    spec.input(
        'spirit.dynamics',
        valid_type=orm.Dict,
        required=False,
        serializer=orm.to_aiida_type,
        validator=validate_dynamics,
        help='Dynamics from the ground state: temperatures (K), and where other than the defaults dt (ps), damping, '
        'thermalisation, samples, steps, seed.',
    )
    spec.input(
        'spirit.neglected',
        valid_type=orm.Float,
        required=False,
        serializer=orm.to_aiida_type,
        help='Largest element of S, for which Spirit has no place, that may be left out (meV).',
    )
    spec.input(
        'spirit.options',
        valid_type=orm.Dict,
        default=protocol_default(PROTOCOL, 'spirit', 'options'),
        serializer=orm.to_aiida_type,
        help='Options of the calculations with Spirit: resources, queue_name, max_wallclock_seconds …',
    )


def define_outputs(spec: Any) -> None:
    """Outputs and exit codes."""
    spec.output(
        'results',
        valid_type=orm.Dict,
        required=False,
        help='Order and transition temperature with its error, or why there is none; networks, mean field, ground '
        'state: see the documentation.',
    )
    spec.output(
        'curves',
        valid_type=orm.ArrayData,
        required=False,
        help='Observables with their errors by temperature, NAME_NUMBER for boxes with that number of moments.',
    )
    spec.output_namespace(
        'ground_states',
        valid_type=orm.ArrayData,
        dynamic=True,
        required=False,
        help='The state of lowest energy of each of the smallest models: directions, positions, moments, box.',
    )
    spec.output_namespace(
        'trajectories',
        valid_type=orm.ArrayData,
        dynamic=True,
        help='Of the dynamics, one for each temperature: time (ps), energy, magnetisation, memory.',
    )
    spec.exit_code(
        410,
        'ERROR_NOT_THERMALISED',
        message='no box has thermalised at any temperature: raise thermalisation and measurement in the schedule, '
        'lengthenings, or the temperatures',
    )
    spec.exit_code(430, 'ERROR_SUB_PROCESS_FAILED_MONTE_CARLO', message='{process} failed: {reason}')
    spec.exit_code(
        431,
        'ERROR_SUB_PROCESS_FAILED_SPIRIT',
        message='{process}: {reason}. All else is among the outputs; leave the namespace spirit out if it is enough.',
    )
    spec.exit_code(
        432,
        'ERROR_SPIRIT_RESULTS_INVALID',
        message='{process} finished, but {reason}. All else is among the outputs.',
    )
