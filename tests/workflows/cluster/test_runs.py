"""Two manganese atoms in copper from start to end with the embedded solver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from .conftest import QUICK, Pair

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode

J_MN_MN, MOMENT = -96.2, 3.017
"""Exchange (meV) from JuKKR's own t and G, and moments (Bohr magnetons) of the pair by JuKKR."""


@pytest.fixture(scope='module')
def parallel(pair: Pair) -> WorkChainNode:
    """From the host, for which JuKKR's write-out of these two sites is in the database."""
    from aiida.engine import run_get_node

    return run_get_node(pair.in_host(overrides={'screening': {'shells': 0}})).node


def test_the_pair_as_jukkr_has_it(parallel):
    assert parallel.is_finished_ok, parallel.exit_message
    results = parallel.outputs.results.get_dict()
    assert [row['element'] for row in results['impurities']] == ['Mn', 'Mn']
    assert [row['spin_moment'] for row in results['impurities']] == pytest.approx([MOMENT] * 2, abs=1e-3)
    (row,) = results['pairs']
    assert row['J_meV'] == pytest.approx(J_MN_MN, abs=0.5)
    assert row['distance_A'] == pytest.approx(3.61 / np.sqrt(2), abs=2e-3)
    assert max(abs(row[f'D{axis}_meV']) for axis in 'xyz') < 1e-6
    assert results['magnetic_state'] == {
        'asked': [1, 1],
        'obtained': [1, 1],
        'turned': [],
        'vanished': [],
        'kept': True,
    }
    assert results['attempts'] == [
        {'start': 'standard', 'kept': True, 'moments': pytest.approx([MOMENT] * 2, abs=1e-3)}
    ]
    assert 'J e_i·e_j' in results['convention']


def test_the_exchange_is_a_node(parallel):
    table = parallel.outputs.exchange.table
    assert table.elements == ('Mn', 'Mn')
    assert table.terms().j[0] == pytest.approx(J_MN_MN, abs=0.5)
    assert table.biquadratic is not None
    assert 'converged_potential' in parallel.outputs
    assert parallel.outputs.scf_results['converged']


def test_the_write_out_is_that_of_the_database(parallel, pair):
    assert parallel.outputs.host_greenfunction.uuid == pair.writeout.outputs.remote_folder.uuid
    labels = {link.link_label for link in parallel.base.links.get_outgoing().all()}
    assert {'scf_1', 'exchange', 'exchange_tensors', 'results'} <= labels


def test_provenance_is_made_by_calculations(parallel):
    from aiida import orm

    made = [node for node in parallel.base.links.get_outgoing().all_nodes() if isinstance(node, orm.Data)]
    assert made
    assert all(isinstance(node.creator, orm.CalculationNode) for node in made)


def test_antiparallel_from_single_impurities(pair, parallel):
    """Each alone is a better start than free atoms, and the moments stay as they are put."""
    from aiida.engine import run_get_node

    builder = pair.builder(
        magnetic_state='antiferro', singles=[pair.single], overrides={'screening': {'shells': 0}, 'exchange': False}
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] == 'startpot'
    assert results['joint_start_fault'] is None
    assert results['magnetic_state']['obtained'] == [1, -1]
    up, down = (row['spin_moment'] for row in results['impurities'])
    assert up == pytest.approx(-down, abs=1e-3)
    assert results['pairs'] == []
    assert 'exchange' not in node.outputs
    assert results['iterations'] < parallel.outputs.results['iterations']


def test_an_exchange_that_crashes_is_named_and_the_rest_stays(pair, failing_exchange):
    from aiida.engine import run_get_node

    node = run_get_node(pair.builder(exchange_code=failing_exchange, overrides=QUICK)).node
    assert node.exit_status == 432
    assert 'exit status 321' in node.exit_message
    assert 'CALCJIJMAT=1' in node.exit_message
    assert node.outputs.results['magnetic_state']['kept']
    assert 'converged_potential' in node.outputs
    assert 'exchange' not in node.outputs


def test_a_state_that_turns_is_left(pair, parallel):
    """By hand: the parallel solution where the antiparallel one is asked for."""
    from aiida.engine.utils import instantiate_process
    from aiida.manage import get_manager

    builder = pair.builder(magnetic_state=[1, -1], singles=[pair.single], overrides={'screening': {'shells': 0}})
    chain = instantiate_process(get_manager().get_runner(), builder)
    chain.setup()
    chain.join_singles()
    assert chain.ctx.joint_start is not None
    chain.ctx.scf = next(node for node in parallel.called if node.process_label == 'KkrImpScfWorkChain')
    chain.ctx.starts = ['standard', 'voronoi']  # of which there is no voronoi
    chain.inspect_scf()
    assert not chain.should_run_scf()
    assert not chain.should_run_exchange()
    exit_code = chain.results()
    assert exit_code.status == 431
    assert 'asked [1, -1]' in exit_code.message
    chain.ctx.starts = ['emulator', 'startpot', 'standard']
    assert chain._starts_after('emulator') == ['startpot', 'standard']
    assert chain._starts_after('startpot') == ['standard']
