"""The exchange of pairs in copper: given, found, predicted, computed with the embedded solver, or missing."""

from __future__ import annotations

import numpy as np
import pytest

from ..cluster.conftest import pair as pair

J_MN_MN = -96.2
"""By JuKKR, of two sites alone (meV)."""
ALONE = {'screening': {'shells': 0, 'radius': None}}
MN = [{'elements': ['Mn', 'Mn'], 'shell': 1}]


@pytest.fixture(scope='module')
def host(pair):
    return pair.writeout.inputs.parent_folder


@pytest.fixture(scope='module')
def build(host):
    """A function: a builder in the host."""
    from aiida_mlkkr.workflows.exchange import ExchangeWorkChain

    def make(pairs=MN, **inputs):
        overrides = {**ALONE, **inputs.pop('overrides', {})}
        return ExchangeWorkChain.get_builder_from_protocol(host, pairs, overrides=overrides, **inputs)

    return make


def run(builder):
    from aiida.engine import run_get_node

    return run_get_node(builder).node


def clusters_of(node):
    """The clusters that came to their end."""
    return [child for child in node.called if child.process_label == 'KkrClusterWorkChain' and child.is_finished_ok]


@pytest.fixture(scope='module')
def copper_data(aiida_profile):
    """The pairs in copper that come with the package, as a node."""
    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.tables import copper_pairs

    return ExchangeData.from_table(copper_pairs()).store()


@pytest.fixture(scope='module')
def surrogate(copper_data, host):
    """Trained on them in a moment."""
    from aiida import orm

    from aiida_mlkkr.calculations.exchange_surrogates import train_exchange_surrogate

    outputs, node = train_exchange_surrogate.run_get_node(
        settings=orm.Dict({'model': 'gaussian_process', 'options': {'steps': 10}}), copper=copper_data
    )
    assert node.is_finished_ok, node.exit_message
    return outputs['model']


@pytest.fixture(scope='module')
def computed(pair, build):
    """Two shells; the write-out of the first is there, that of the second fails, as there is no JuKKR here."""
    pairs = {'elements': ['Mn'], 'shells': 2}
    node = run(build(pairs, code=pair.code, kkr=pair.writeout.inputs.code, singles=[pair.single]))
    assert node.is_finished_ok, node.exit_message
    return node


def test_one_pair_is_computed_and_another_fails(computed):
    first, second = computed.outputs.results['pairs']
    assert first['name'] == 'Mn-Mn in Cu (alat 4.824), 2 sites, shell 1'
    assert first['J_meV'] == pytest.approx(J_MN_MN, abs=1.0)
    assert (first['origin'], first['uncertainty_meV'], first['outside']) == ('computed', 0.0, False)
    assert second['origin'] == 'missing'
    assert 'the self-consistency failed' in second['reason']
    assert computed.outputs.results['numbers'] == {'computed': 1, 'missing': 1}
    assert computed.outputs.results['missing'] == [second['name']]
    table = computed.outputs.exchange.table
    np.testing.assert_allclose(table.positions[0], 0.0, atol=1e-6)
    np.testing.assert_allclose(table.distances, [3.61 / np.sqrt(2)], atol=2e-3)
    assert table.biquadratic is not None


def test_where_the_value_comes_from(computed):
    from aiida import orm

    (source,) = computed.outputs.exchange.table.origins.sources
    (cluster,) = clusters_of(computed)
    assert orm.load_node(source).uuid == cluster.outputs.exchange.uuid
    assert cluster.outputs.results['start'] == 'startpot', 'from the single impurity'
    assert cluster.inputs.scf.schedule['name'] == 'tuned, from singles'
    assert cluster.label == 'Mn-Mn in Cu (alat 4.824), 2 sites, shell 1'
    labels = {link.link_label for link in computed.base.links.get_outgoing().all()}
    assert {'pair_001', 'pair_002', 'collected_exchange'} <= labels
    made = [node for node in computed.base.links.get_outgoing().all_nodes() if isinstance(node, orm.Data)]
    assert all(isinstance(node.creator, orm.CalculationNode) for node in made)


def test_what_was_computed_is_found_again(computed, build, pair):
    again = run(build())
    assert again.outputs.results['numbers'] == {'found': 1}
    assert again.outputs.exchange.table.origins.sources == computed.outputs.exchange.table.origins.sources
    assert not [node for node in again.called if node.process_label == 'KkrClusterWorkChain']
    blind = run(build(overrides={'search': False}))
    assert blind.exit_status == 430
    assert 'it is not there, and there are no codes' in blind.exit_message
    from aiida_mlkkr.workflows.exchange.known import found_exchange

    codes = {'code': pair.code, 'kkr': pair.writeout.inputs.code}
    rows = [{'impurity_info': node.inputs.scf.impurity_info.get_dict()} for node in clusters_of(computed)]
    for protocol, number in (('balanced', 1), ('precise', 0)):
        common = build(protocol=protocol, **codes)._inputs(prune=True)['cluster']
        assert len(found_exchange(again.inputs.host, rows, common)) == number, 'converged as far at least'


def test_given_pairs_are_those_of_the_table_whatever_their_direction(build, copper_data):
    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.tables import copper_pairs

    turn = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    turned = ExchangeData.from_table(copper_pairs().rotated(turn).seen_from_the_other_site())
    node = run(build({'elements': ['Mn', 'Cr'], 'shells': [1, 3]}, exchange=[turned], overrides={'search': False}))
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.results['numbers'] == {'given': 6}
    known = {
        (frozenset((row['element_i'], row['element_j'])), round(row['distance_A'], 2)): row['J_meV']
        for row in copper_pairs().rows()
    }
    for row in node.outputs.exchange.table.rows():
        key = frozenset((row['element_i'], row['element_j'])), round(row['distance_A'], 2)
        assert row['J_meV'] == pytest.approx(known[key])
        assert row['source'] == turned.uuid
    np.testing.assert_allclose(node.outputs.exchange.table.vectors[0], [1.805, 1.805, 0.0], atol=2e-3)


def test_predictions_are_taken_where_they_are_sure(build, surrogate):
    from aiida_mlkkr.exchange.origins import Origins

    pairs = [
        {'elements': ['Mn', 'Fe'], 'shell': 5},
        {'elements': ['Mn', 'Mo'], 'shell': 5},
        {'elements': ['Mn', 'W'], 'shell': 2},
    ]
    node = run(build(pairs, surrogate=surrogate, overrides={'search': False, 'max_uncertainty': 100.0}))
    assert node.is_finished_ok, node.exit_message
    taken, _, outside = node.outputs.results['pairs']
    assert taken['origin'] == 'predicted'
    assert taken['source'] == surrogate.uuid
    assert 0.0 < taken['uncertainty_meV'] < 100.0
    assert outside['origin'] == 'missing'
    assert outside['prediction']['outside']
    assert outside['reason'] == 'it is outside of what the surrogate has learnt'
    origins = node.outputs.exchange.table.origins
    assert isinstance(origins, Origins)
    assert origins.predicted.all()
    assert node.outputs.predicted.table.origins.outside.tolist() == [False, False, True]

    careful = run(build(pairs[:1], surrogate=surrogate, overrides={'search': False, 'max_uncertainty': 1e-6}))
    assert careful.exit_status == 430
    assert 'meV only, 1e-06 meV are asked for' in careful.exit_message
    assert 'predicted' in careful.outputs


def test_exchange_or_models_of_another_host_are_refused(build, copper_data, surrogate):
    from dataclasses import replace

    from aiida import orm

    from aiida_mlkkr.calculations.exchange_surrogates import predicted_exchange
    from aiida_mlkkr.data.exchange import ExchangeData

    silver = ExchangeData.from_table(replace(copper_data.table, host='Ag (alat 5.4)'))
    node = run(build(exchange={'silver': silver}))
    assert node.exit_status == 221
    assert 'silver is not of Cu (alat 4.824)' in node.exit_message
    place = [[[0.0, 0.0, 0.0], [2.9, 0.0, 0.0]]]
    asked = {'host': 'Ag (alat 5.4)', 'elements': [['Mn', 'Mn']], 'positions': place}
    _, node = predicted_exchange.run_get_node(model=surrogate, pairs=orm.Dict(asked))
    assert node.exit_status == 212
    assert 'has learnt pairs in Cu (alat 4.824), these are in Ag' in node.exit_message


@pytest.mark.parametrize(
    ('pairs', 'message'),
    [
        ([], 'pairs: give one at least'),
        ({'elements': [], 'shells': 2}, 'pairs: give one at least'),
        ({'elements': ['Mn'], 'shell': 2}, 'elements, shells and centre say which, not shell'),
        ([{'elements': ['Mn']}], 'a pair has elements, shell'),
        ([{'elements': ['Mn', 'Xx'], 'shell': 1}], 'there is no element Xx'),
        ([{'elements': ['Mn', 'Cu'], 'shell': 1}], 'none that of the host'),
        ([{'elements': ['Mn', 'Fe'], 'shell': 0}], 'a shell from 1'),
        ([{'elements': ['Mn'], 'shell': 1}], 'two elements'),
        (MN * 2, 'occurs twice'),
        ([{'elements': ['Mn', 'Mn'], 'shell': 1, 'centre': 5}], 'site'),
    ],
)
def test_pairs_that_are_none(build, pairs, message):
    with pytest.raises(ValueError, match=message):
        build(pairs)


def test_inputs_that_do_not_fit_together(build, pair):
    with pytest.raises(ValueError, match='kkr is missing'):
        build(code=pair.code)
    with pytest.raises(ValueError, match='there is no protocol sloppy'):
        build(protocol='sloppy')
    with pytest.raises(ValueError, match='screening'):
        build(overrides={'screening': {'shells': -1}})
    with pytest.raises(ValueError, match='singles: the names are symbols'):
        build(singles={'manganese': {'impurity_info': pair.writeout.inputs.impurity_info}})
