"""The ports of the clusters of impurities: inputs, outputs and exit codes."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm

from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.workflows.cluster.validators import validate_inputs
from aiida_mlkkr.workflows.imp_scf.workchain import KkrImpScfWorkChain
from aiida_mlkkr.workflows.kkrimp.base import KkrimpBaseWorkChain

PROTOCOL: Final = 'cluster'
_OWN_PORTS: Final = (
    'impurity_info',
    'host_Greenfunction_folder',
    'impurity_potential',
    'parent_calc_folder',
    'parameters',
    'initial_noco_angles',
)


def define_inputs(spec: Any) -> None:
    """Inputs, with their validators."""
    spec.expose_inputs(
        KkrImpScfWorkChain,
        namespace='scf',
        exclude=('startpot',),
        namespace_options={
            'help': 'Of the self-consistency. impurity_info has all impurities and their sites; magnetic_moments is '
            'the magnetic state, of which the signs have to be kept; the start startpot is that from the singles.'
        },
    )
    spec.input_namespace(
        'singles',
        dynamic=True,
        required=False,
        help='Converged impurities alone in the host, to start from: for each a namespace with retrieved, '
        'impurity_info, host_writeout and, if there is one, potential.',
    )
    spec.expose_inputs(
        KkrimpBaseWorkChain,
        namespace='exchange',
        exclude=tuple(f'kkrimp.{port}' for port in _OWN_PORTS),
        namespace_options={
            'required': False,
            'populate_defaults': False,
            'help': 'Of the calculation of exchange tensors; without it there is none. Its code may be another KKRimp '
            'than that of the self-consistency.',
        },
    )
    spec.inputs.validator = validate_inputs


def define_outputs(spec: Any) -> None:
    """Outputs and exit codes."""
    spec.output(
        'results',
        valid_type=orm.Dict,
        help='Charge and moment of each impurity, exchange of each pair, the magnetic state: see the documentation.',
    )
    spec.output('exchange', valid_type=ExchangeData, required=False, help='Exchange tensors of all pairs.')
    spec.expose_outputs(KkrImpScfWorkChain, exclude=('results',))
    spec.output(
        'scf_results', valid_type=orm.Dict, required=False, help='Results of the self-consistency, of all sites.'
    )
    spec.exit_code(
        310, 'ERROR_EXCHANGE_TENSORS_INVALID', message='the exchange tensors cannot be used: {reason}. Run it again.'
    )
    spec.exit_code(
        430,
        'ERROR_SUB_PROCESS_FAILED_SCF',
        message='the self-consistency failed ({process}): {reason}',
    )
    spec.exit_code(
        431,
        'ERROR_MAGNETIC_STATE_NOT_KEPT',
        message='the magnetic state asked for could not be kept, from none of the starts {starts}: asked {asked}, '
        'obtained {obtained}. It may be unstable; ask for another one, or start from single impurities (singles), a '
        'larger screening or a more careful schedule.',
    )
    spec.exit_code(
        432,
        'ERROR_SUB_PROCESS_FAILED_EXCHANGE',
        message='the calculation of exchange tensors failed ({process}, exit status {status}): {reason}',
    )
