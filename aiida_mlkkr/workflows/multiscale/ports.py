"""The ports of the whole chain: inputs, outputs and exit codes."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm

from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.workflows.exchange.workchain import ExchangeWorkChain
from aiida_mlkkr.workflows.imp_scf.workchain import KkrImpScfWorkChain
from aiida_mlkkr.workflows.multiscale.validators import validate_inputs, validate_shells
from aiida_mlkkr.workflows.protocols import protocol_default
from aiida_mlkkr.workflows.spin_dynamics.workchain import SpinDynamicsWorkChain
from aiida_mlkkr.workflows.validators import validate_positive

PROTOCOL: Final = 'multiscale'
OF_SINGLE: Final = ('impurity_info', 'host', 'host_greenfunction', 'startpot', 'magnetic_moments')
"""Inputs of a self-consistency that the chain fills in."""
OF_EXCHANGE: Final = ('host', 'pairs', 'singles')
OF_DYNAMICS: Final = ('models',)


def define_inputs(spec: Any) -> None:
    """Inputs, with their validators."""
    spec.input('host', valid_type=orm.RemoteData, help='Remote folder of the converged calculation of the host.')
    spec.input('structure', valid_type=orm.StructureData, help='The host, whose cell the boxes are made of.')
    spec.input(
        'compositions',
        valid_type=orm.Dict,
        serializer=orm.to_aiida_type,
        help='By label, the share of the sites that each element takes: {"Mn5": {"Mn": 0.05}}.',
    )
    spec.input(
        'shells',
        valid_type=orm.List,
        serializer=orm.to_aiida_type,
        validator=validate_shells,
        default=protocol_default(PROTOCOL, 'shells'),
        help='Shells around an impurity, from 1, to which exchange is taken into account.',
    )
    spec.input(
        'dilution',
        valid_type=orm.Dict,
        serializer=orm.to_aiida_type,
        help='Boxes: sizes (a list of three numbers of cells each), configurations of each size, seed, sublattice '
        '(numbers of atoms of the cell; the pairs are those around the first), and the other fields of '
        'mlkkr.dilute_spin_models.',
    )
    spec.input(
        'samples',
        valid_type=orm.Int,
        serializer=orm.to_aiida_type,
        default=protocol_default(PROTOCOL, 'samples'),
        help='How often predicted exchange is drawn anew within its error, to see what that does to the transition; '
        'nothing is drawn where all exchange is computed.',
    )
    spec.input(
        'max_parallel',
        valid_type=orm.Int,
        serializer=orm.to_aiida_type,
        validator=validate_positive,
        default=protocol_default(PROTOCOL, 'max_parallel'),
        help='How many single impurities, and how many spin models, are calculated at the same time.',
    )
    spec.input(
        'search',
        valid_type=orm.Bool,
        serializer=orm.to_aiida_type,
        default=protocol_default(PROTOCOL, 'search'),
        help='Whether single impurities are taken that this database has of the same host, by the same code.',
    )
    _define_parts(spec)
    spec.inputs.validator = validate_inputs


def _define_parts(spec: Any) -> None:
    """Inputs of the workchains that the chain is made of."""
    spec.input_namespace(
        'singles',
        dynamic=True,
        required=False,
        help='Converged impurities alone in the host, by element: for each a namespace with retrieved, impurity_info, '
        'host_writeout and, if there is one, potential.',
    )
    spec.expose_inputs(
        KkrImpScfWorkChain,
        namespace='single',
        exclude=OF_SINGLE,
        namespace_options={
            'required': False,
            'populate_defaults': False,
            'help': 'Of the self-consistency of single impurities that are neither given nor found.',
        },
    )
    spec.expose_inputs(
        ExchangeWorkChain,
        namespace='exchange',
        exclude=OF_EXCHANGE,
        namespace_options={'help': 'Of the exchange of pairs: computed, found, given or predicted; screening.'},
    )
    spec.expose_inputs(
        SpinDynamicsWorkChain,
        namespace='spin_dynamics',
        exclude=OF_DYNAMICS,
        namespace_options={'help': 'Of the spin models: codes, schedule of Monte Carlo, temperatures, Spirit.'},
    )


def define_outputs(spec: Any) -> None:
    """Outputs and exit codes."""
    spec.output(
        'results',
        valid_type=orm.Dict,
        help='Elements, pairs and compositions with their transitions: see the documentation.',
    )
    spec.output('exchange', valid_type=ExchangeData, required=False, help='Exchange of all pairs.')
    spec.output('exchange_results', valid_type=orm.Dict, required=False, help='Where each of them comes from.')
    spec.output_namespace(
        'potentials',
        valid_type=orm.SinglefileData,
        dynamic=True,
        required=False,
        help='Converged potentials of the single impurities that were calculated here, by element.',
    )
    spec.output_namespace(
        'spin_models', valid_type=SpinModelData, dynamic=True, required=False, help='The boxes of each composition.'
    )
    spec.output_namespace(
        'spin_dynamics',
        dynamic=True,
        required=False,
        help='Of each composition: results, curves, ground_states.',
    )
    spec.exit_code(
        420,
        'ERROR_NO_MAGNETIC_IMPURITY',
        message='there is no impurity with a moment: {reasons}. Take other elements, or another start.',
    )
    spec.exit_code(
        430,
        'ERROR_SUB_PROCESS_FAILED_EXCHANGE',
        message='there is no exchange ({process}): {reason}',
    )
    spec.exit_code(
        431,
        'ERROR_NO_SPIN_MODEL',
        message='no composition could be made a spin model: {reasons}',
    )
    spec.exit_code(
        432,
        'ERROR_NO_SPIN_DYNAMICS',
        message='no spin model could be simulated: {reasons}',
    )
