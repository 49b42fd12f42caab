"""Pairs in a crystal of several atoms: given from a table with layers, found, predicted, or refused."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from demo_results import potential
from past_database import PastDatabase, folder_of
from this_machine import computer_at

from aiida_mlkkr.exchange.pairs import Pairs, table_of_pairs
from aiida_mlkkr.exchange.structure import HostStructure
from aiida_mlkkr.kkr.constants import BOHR_ANGSTROM
from aiida_mlkkr.kkr.potential import ImpurityPotential, write_potential

A, C = 4.383, 30.488
CELL = np.array([[0.0, A / np.sqrt(3), C / 3], [-A / 2, -A / np.sqrt(12), C / 3], [A / 2, -A / np.sqrt(12), C / 3]])
HEIGHTS = C * np.array([0.0, 0.2095, -0.2095, 0.4, -0.4])
PLACES = np.column_stack([np.zeros((5, 2)), HEIGHTS])
Z = np.array([52, 52, 52, 83, 83])
LOWER, UPPER = 3, 4
"""Atoms of bismuth, which an inversion exchanges."""
NO_SEARCH = {'screening': {'shells': 0, 'radius': None}, 'search': False}


@pytest.fixture(scope='module')
def past(aiida_profile, tmp_path_factory):
    return PastDatabase(computer_at(tmp_path_factory.mktemp('work')))


def calculation(past, inputs, files):
    """A finished calculation of KKRhost, and its remote folder."""
    from aiida import orm

    node = past.process(orm.CalcJobNode, 'KkrCalculation', inputs, process_type='aiida.calculations:kkr.kkr')
    past.output(node, folder_of(files), 'retrieved')
    remote = orm.RemoteData(computer=node.computer, remote_path='/nowhere')
    return past.output(node, remote, 'remote_folder')


@pytest.fixture(scope='module')
def host(past):
    """Bismuth telluride, five atoms in the cell."""
    alat = A / BOHR_ANGSTROM
    (atom, _), _ = potential().sites
    spins = [replace(atom, alat=alat, title=f'     POTENTIAL SPIN {spin}') for spin in ('DOWN', 'UP')]
    sites = tuple(tuple(replace(one, z=float(z)) for one in spins) for z in Z)
    text = io.StringIO()
    write_potential(ImpurityPotential(sites), text)
    card = ['BRAVAIS', *_rows(CELL / A), '<RBASIS>', *_rows(PLACES / A), 'CARTESIAN= T']
    files = {'inputcard': '\n'.join(card).encode(), 'out_potential': text.getvalue().encode()}
    return calculation(past, {}, files)


def _rows(table):
    return [' '.join(f'{x:.12f}' for x in row) for row in table]


@pytest.fixture(scope='module')
def shells(host):
    """The nearest bismuth in the same layer and in the other one: their shells, and the shapes of these pairs."""
    from aiida_mlkkr.workflows.exchange.dimers import dimer_shape

    shapes = [dimer_shape(host, shell, NO_SEARCH['screening'], LOWER) for shell in range(1, 9)]
    atoms = [(shape.cluster.layer[list(shape.cluster.impurity_sites)] - 1).tolist() for shape in shapes]
    return [shapes[atoms.index([LOWER, other])] for other in (LOWER, UPPER)]


@pytest.fixture(scope='module')
def pairs(shells):
    """Of a table: elements on both shells, J of the second one not the same when they are exchanged."""
    both = [(a, b) for a in (23, 24, 25, 26) for b in (23, 24, 25, 26)]
    z = np.array(both * 2)
    vectors = np.repeat([np.subtract(*shape.places[::-1]) for shape in shells], len(both), axis=0)
    across = np.repeat([0, 1], len(both))
    sizes = {23: 1.5, 24: 3.5, 25: 4.0, 26: 2.5}
    moments = np.vectorize(sizes.__getitem__)(z)
    j = moments.prod(axis=1) * np.where(across, -0.2, 0.5) + 0.1 * across * (z[:, 0] - z[:, 1])
    crystal = HostStructure(CELL, PLACES, Z, np.array([7, 8]), np.array([LOWER, UPPER]))
    layers = np.column_stack([np.full(len(z), 7), 7 + across])
    return Pairs(z, vectors, layers, moments, j, np.zeros((len(z), 3)), crystal)


def data_of(pairs, shells):
    from aiida_mlkkr.data.exchange import ExchangeData

    unlike = (pairs.layers[:, 0] != pairs.layers[:, 1]) | (pairs.z[:, 0] <= pairs.z[:, 1])
    return ExchangeData.from_table(table_of_pairs(pairs.subset(unlike), shells[0].host_name, 'a table')).store()


def run(host, pairs, **inputs):
    from aiida.engine import run_get_node

    from aiida_mlkkr.workflows.exchange import ExchangeWorkChain

    overrides = {**NO_SEARCH, **inputs.pop('overrides', {})}
    builder = ExchangeWorkChain.get_builder_from_protocol(host, pairs, overrides=overrides, **inputs)
    return run_get_node(builder).node


def asked(shells, *elements):
    return [{'elements': list(both), 'shell': shape.shell, 'centre': LOWER} for shape in shells for both in elements]


def test_pairs_of_a_table_with_layers_are_given(host, pairs, shells):
    data = data_of(pairs, shells)
    node = run(host, asked(shells, ('Fe', 'Mn')) + asked(shells[1:], ('Mn', 'Fe')), exchange=[data])
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.results['numbers'] == {'given': 3}
    j = {
        (tuple(z), layers[1]): j for z, layers, j in zip(pairs.z.tolist(), pairs.layers.tolist(), pairs.j, strict=True)
    }
    expected = [j[(25, 26), 7], j[(26, 25), 8], j[(25, 26), 8]]
    np.testing.assert_allclose(node.outputs.exchange.table.terms().j, expected)
    assert expected[1] != pytest.approx(expected[2])
    np.testing.assert_allclose(node.outputs.exchange.table.positions[::2], [PLACES[LOWER]] * 3, atol=1e-6)


def test_clusters_are_found_by_the_layers_of_their_sites(host, past, pairs, shells):
    from aiida import orm

    from aiida_mlkkr.workflows.exchange.dimers import planned_dimer

    table = data_of(pairs, shells).table
    for shape in shells:
        info = orm.Dict(planned_dimer(shape, ['Mn', 'Fe']).info)
        schedule = orm.Dict({'stages': [{'QBOUND': 1e-6}]})
        node = past.process(
            orm.WorkChainNode, 'KkrClusterWorkChain', {'scf__impurity_info': info, 'scf__schedule': schedule}
        )
        (row,) = np.flatnonzero(
            (table.vectors == np.subtract(*shape.places[::-1])).all(axis=1) & (pair_names(table) == 'Mn-Fe')
        )
        from aiida_mlkkr.data.exchange import ExchangeData

        past.output(node, ExchangeData.from_table(table.subset(np.array([row]))).store(), 'exchange')
        past.output(node, calculation(past, {'parent_folder': host}, {}), 'host_greenfunction')
    node = run(host, asked(shells, ('Mn', 'Fe')), overrides={'search': True})
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.results['numbers'] == {'found': 2}
    j = node.outputs.exchange.table.terms().j
    assert j == pytest.approx([0.5 * 10.0, -0.2 * 10.0 - 0.1])
    other = run(host, asked(shells[1:], ('Fe', 'Mn')), overrides={'search': True})
    assert other.exit_status == 430, 'iron below manganese is another pair'


def pair_names(table):
    return np.array([f'{table.elements[i]}-{table.elements[j]}' for i, j in table.pairs.tolist()])


def test_both_layers_are_predicted_and_other_places_refused(host, pairs, shells):
    from aiida import orm

    from aiida_mlkkr.calculations.exchange_surrogates import train_exchange_surrogate

    others = pairs.subset(np.array(pairs.element_pairs) != 'Mn-Fe')
    outputs, node = train_exchange_surrogate.run_get_node(
        settings=orm.Dict({'options': {'steps': 20}}), table=data_of(others, shells)
    )
    assert node.is_finished_ok, node.exit_message
    surrogate = outputs['model']
    node = run(host, asked(shells, ('Mn', 'Fe')), surrogate=surrogate, overrides={'max_uncertainty': 50.0})
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.results['numbers'] == {'predicted': 2}
    assert [row['outside'] for row in node.outputs.results['pairs']] == [False, False]
    j = node.outputs.exchange.table.terms().j
    assert j[0] > 1.0
    assert j[1] < 0.0
    on_tellurium = [{'elements': ['Mn', 'Fe'], 'shell': 1, 'centre': LOWER}]
    refused = run(host, on_tellurium, surrogate=surrogate)
    assert refused.exit_status == 220
    assert 'to it all sites are alike, but atoms 1, 3 of the cell are not' in refused.exit_message


def test_atoms_that_a_symmetry_makes_equal(host):
    from aiida_mlkkr.workflows.exchange.known import _crystal

    assert _crystal(host).kinds.tolist() == [0, 1, 1, 3, 3]
