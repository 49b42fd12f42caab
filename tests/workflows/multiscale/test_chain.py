"""The chain once, from a given impurity to the freezing of an alloy; one impurity fails on the way."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import MANGANESE

J_MN_MN = -96.2
"""By JuKKR, of the two sites alone (meV)."""


@pytest.fixture(scope='module')
def chain(pair, build):
    """Manganese, given alone, its pair computed; and with iron, whose write-out by JuKKR cannot be made here."""
    from aiida.engine import run_get_node

    compositions = {**MANGANESE, 'Mn20_Fe10': {'Mn': 0.2, 'Fe': 0.1}}
    codes = {'code': pair.code, 'kkr': pair.writeout.inputs.code}
    return run_get_node(build(compositions, singles=[pair.single], **codes)).node


def test_one_impurity_that_fails_is_reported_and_survived(chain):
    assert chain.is_finished_ok, chain.exit_message
    results = chain.outputs.results.get_dict()
    manganese, iron = (results['elements'][name] for name in ('Mn', 'Fe'))
    assert manganese['origin'] == 'given'
    assert manganese['moment'] == pytest.approx(3.4, abs=0.5)  # of its site; 3.766 of 13 sites together
    assert 'KkrImpScfWorkChain' in iron['failure']
    own, both = results['compositions']
    assert own['failure'] is None
    assert both['failure'].startswith('there is no Fe')
    assert both['order'] is None
    assert set(chain.outputs.spin_dynamics) == {'Mn20'}


def test_exchange_of_the_pair(chain):
    table = chain.outputs.exchange.table
    assert table.elements == ('Mn', 'Mn')
    assert np.trace(table.tensors[0]) / 3 == pytest.approx(J_MN_MN, abs=2.0)
    assert chain.outputs.results['pairs']['numbers']['computed'] == 1


def test_spin_models_and_what_they_do(chain):
    models = chain.outputs.spin_models.Mn20
    assert {node.base.attributes.get('composition')['Mn'] for node in models.values()} == {25}
    assert all(np.allclose(node.model.tensors[:, 0, 0], J_MN_MN, atol=2.0) for node in models.values())
    (entry, _) = chain.outputs.results['compositions']
    assert entry['mean_field_temperature'] == 0.0  # antiferromagnetic on a frustrated lattice
    curves = chain.outputs.spin_dynamics.Mn20.curves
    overlap = curves.get_array('overlap_25')
    assert overlap[0] > overlap[-1]


def test_tools(chain):
    tools = chain.tools
    assert tools.labels == ['Mn20']
    assert tools.elements().set_index('element').loc['Mn', 'origin'] == 'given'
    frame = tools.compositions().set_index('composition')
    assert frame.loc['Mn20_Fe10', 'reason'].startswith('there is no Fe')
    assert len(tools.pairs()) == 1
    by_temperature = (tools.plot_order(), tools.plot_magnetisation(), tools.plot_cumulants())
    for figure in (tools.plot_exchange(), *by_temperature, tools.plot_correlations(), tools.plot_ground_state()):
        assert figure.axes
    with pytest.raises(ValueError, match='there is no composition Cr5'):
        tools.transition('Cr5')


def test_the_summary_of_a_chain(run, chain):
    shown = run('show', 'multiscale', str(chain.pk))
    assert 'Exchange of pairs: 1 computed' in shown
    assert 'Mn 20 %, Fe 10 %: no transition: there is no Fe' in shown
    assert 'Fe was left out' in shown
    assert 'of the moments have two nearest neighbours or more' in shown
    assert 'of the moments have two nearest neighbours or more' in shown


def test_page_of_the_demo(chain, tmp_path):
    from rich.console import Console

    from aiida_mlkkr.demo.chain import ChainRun
    from aiida_mlkkr.demo.magnets import print_magnets, write_magnets

    run = ChainRun(None)
    run.node = chain
    assert run.has_result
    assert run.problem is None
    assert run.steps == '1 of 1 single impurities, 1 of 1 pairs, 1 of 1 magnets'
    page = write_magnets(tmp_path, run).read_text()
    assert 'Mn-Mn' in page
    assert 'Fe was left out' in page
    assert page.count('<img') == 6
    assert (tmp_path / 'pairs.csv').is_file()
    console = Console(record=True, width=120)
    print_magnets(console, run)
    assert 'Mn 20 %' in console.export_text()


def test_finished_parts_are_found_again(pair, build, chain):
    """With nothing to compute with, the pair of the chain before is there."""
    from aiida_mlkkr.workflows.exchange import ExchangeWorkChain

    builder = build(code=pair.code, kkr=pair.writeout.inputs.code, singles=[pair.single])
    exchange = builder._inputs(prune=True)['exchange']
    assert exchange['search'].value
    from aiida.engine import run_get_node

    pairs = [{'elements': ['Mn', 'Mn'], 'shell': 1, 'centre': 0}]
    node = run_get_node(ExchangeWorkChain, host=builder.host, pairs=pairs, **exchange).node
    assert node.outputs.results['numbers']['found'] == 1
