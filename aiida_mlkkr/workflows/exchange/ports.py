"""The ports of the exchange of many pairs: inputs, outputs and exit codes."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm

from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain
from aiida_mlkkr.workflows.exchange.clusters import OF_PAIR
from aiida_mlkkr.workflows.exchange.validators import (
    validate_inputs,
    validate_pairs,
    validate_screening,
    validate_surrogate,
)
from aiida_mlkkr.workflows.protocols import protocol_default
from aiida_mlkkr.workflows.validators import validate_positive

PROTOCOL: Final = 'exchange'


def define_inputs(spec: Any) -> None:
    """Inputs, with their validators."""
    spec.input('host', valid_type=orm.RemoteData, help='Remote folder of the converged host.')
    spec.input(
        'pairs',
        valid_type=orm.List,
        serializer=orm.to_aiida_type,
        validator=validate_pairs,
        help='For each pair elements (two symbols or nuclear charges), shell of the second site around the first, from '
        '1, and centre, the first site: an atom of the unit cell, from 0.',
    )
    spec.input(
        'screening',
        valid_type=orm.Dict,
        serializer=orm.to_aiida_type,
        default=protocol_default('cluster', 'screening'),
        validator=validate_screening,
        help='Host atoms of the clusters: those of the first shells around each impurity, or within a radius (A).',
    )
    spec.input_namespace(
        'exchange',
        valid_type=ExchangeData,
        dynamic=True,
        required=False,
        help='Exchange of pairs in this host that is there already; the first that has a pair is taken.',
    )
    spec.input(
        'search',
        valid_type=orm.Bool,
        serializer=orm.to_aiida_type,
        default=protocol_default(PROTOCOL, 'search'),
        help='Whether finished mlkkr.cluster of this database are taken: the same pair in the same cluster of this '
        'host, with the settings of the namespace cluster, converged as far, moments left free.',
    )
    spec.input(
        'surrogate',
        valid_type=SurrogateData,
        required=False,
        validator=validate_surrogate,
        help='A trained model of exchange in this host.',
    )
    spec.input(
        'max_uncertainty',
        valid_type=orm.Float,
        serializer=orm.to_aiida_type,
        default=protocol_default(PROTOCOL, 'max_uncertainty'),
        validator=validate_positive,
        help='A prediction is taken if J is known to this many meV (half of its 90 % interval) or better, and the pair '
        'is not outside of what the model has learnt. Other pairs are computed.',
    )
    _define_clusters(spec)
    spec.inputs.validator = validate_inputs


def _define_clusters(spec: Any) -> None:
    """Inputs of the pairs that are computed."""
    spec.expose_inputs(
        KkrClusterWorkChain,
        namespace='cluster',
        exclude=OF_PAIR,
        namespace_options={
            'required': False,
            'populate_defaults': False,
            'help': 'Of each pair that is computed; without it none is. The moments begin parallel, and whatever '
            'becomes of them is taken.',
        },
    )
    # they look at the impurities, which come with each pair; its own workchain checks them
    spec.inputs['cluster'].validator = None
    spec.inputs['cluster']['scf'].validator = None
    spec.input_namespace(
        'singles',
        dynamic=True,
        required=False,
        help='Converged impurities alone in the host, to start from, by symbol: for each a namespace with retrieved, '
        'impurity_info, host_writeout and, if there is one, potential.',
    )
    spec.input(
        'max_parallel',
        valid_type=orm.Int,
        serializer=orm.to_aiida_type,
        default=protocol_default(PROTOCOL, 'max_parallel'),
        validator=validate_positive,
        help='How many pairs are computed at the same time.',
    )


def define_outputs(spec: Any) -> None:
    """Outputs and exit codes."""
    spec.output(
        'exchange',
        valid_type=ExchangeData,
        required=False,
        help='All pairs that could be had, with where each comes from, at their places in the unit cell of the host.',
    )
    spec.output('results', valid_type=orm.Dict, help='What came out of each pair: see the documentation.')
    spec.output(
        'predicted',
        valid_type=ExchangeData,
        required=False,
        help='All that the surrogate was asked for, taken or not.',
    )
    spec.exit_code(
        220, 'ERROR_SURROGATE_REFUSED', message='the surrogate cannot be used: {reason}. Give another, or none.'
    )
    spec.exit_code(
        221, 'ERROR_EXCHANGE_REFUSED', message='exchange that was given cannot be used: {reason}. Leave it out.'
    )
    spec.exit_code(222, 'ERROR_PAIRS_REFUSED', message='these pairs are not in the host: {reason}')
    spec.exit_code(
        430,
        'ERROR_NO_EXCHANGE',
        message='not one pair could be had: {reasons}. Give codes to compute them (cluster), exchange, or a surrogate.',
    )
