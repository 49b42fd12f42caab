"""Surrogates of exchange as nodes: trained, kept in files, asked, and what is refused in one message."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exchange_tables import HOST, SHELLS, A, all_pairs, dimer_table

from aiida_mlkkr.exchange.origins import Origins

QUICK = {'options': {'steps': 5}}


@pytest.fixture(scope='module')
def data(aiida_profile):
    """Two nodes of computed pairs, one of predicted ones, one of another host."""
    from aiida_mlkkr.data.exchange import ExchangeData

    pairs = all_pairs()
    guess = Origins.of_model('m', np.ones(len(SHELLS)), np.zeros(len(SHELLS), bool))
    tables = {
        'light': dimer_table(pairs[:8]),
        'heavy': dimer_table(pairs[8:]),
        'guessed': dimer_table([(25, 25)], origins=guess),
        'foreign': dimer_table(pairs, host='another host'),
    }
    return {name: ExchangeData.from_table(table).store() for name, table in tables.items()}


@pytest.fixture(scope='module')
def crystal(aiida_profile):
    """The simple cubic host."""
    from aiida import orm

    structure = orm.StructureData(cell=A * np.eye(3))
    structure.append_atom(position=(0.0, 0.0, 0.0), symbols='Cu')
    return structure.store()


def train(settings=QUICK, **inputs):
    from aiida import orm

    from aiida_mlkkr.calculations.exchange_surrogates import train_exchange_surrogate

    return train_exchange_surrogate.run_get_node(settings=orm.Dict(settings), **inputs)


def ask(model, elements, positions, host=HOST):
    from aiida import orm

    from aiida_mlkkr.calculations.exchange_surrogates import predicted_exchange

    asked = orm.Dict({'host': host, 'elements': elements, 'positions': positions})
    return predicted_exchange.run_get_node(model=model, pairs=asked)


@pytest.fixture(scope='module')
def model(data, crystal):
    outputs, node = train(light=data['light'], heavy=data['heavy'], structure=crystal)
    assert node.is_finished_ok, node.exit_message
    return outputs['model']


def test_a_model_is_a_node_and_a_file(model, tmp_path):
    from aiida import orm

    from aiida_mlkkr.data.surrogate import SurrogateData

    found = orm.load_node(model.uuid).spec
    assert (found.task, found.hosts, found.number) == ('exchange', [HOST], 45)
    assert model.creator.outputs.report['number'] == 45
    model.to_file(tmp_path / 'model.safetensors')
    copy = SurrogateData.from_file(tmp_path / 'model.safetensors').store()
    place = [[[0.0, 0.0, 0.0], [A, 0.0, 0.0]]]
    one, other = (ask(its, [['Mn', 'Fe']], place)[0].table for its in (model, copy))
    np.testing.assert_array_equal(one.tensors, other.tensors)
    assert one.origins.sources == (model.uuid,)
    assert other.origins.sources == (copy.uuid,)


def test_predictions_have_moments_intervals_and_flags(model):
    from aiida_mlkkr.data.exchange import ExchangeData

    origin = [0.0, 0.0, 0.0]
    places = [[origin, [A, A, 0.0]], [origin, [0.0, A, -A]], [origin, [A, A, 0.0]]]
    predicted, node = ask(model, [['Mn', 'Fe'], ['Fe', 'Mn'], ['Mn', 'Os']], places)
    assert node.is_finished_ok, node.exit_message
    assert isinstance(predicted, ExchangeData)
    table = predicted.table
    j = table.terms().j
    assert j[0] == pytest.approx(j[1]), 'a symmetry of the host makes them the same'
    assert table.moments.tolist()[:2] == [4.4, 3.4]
    assert table.origins.outside.tolist() == [False, False, True]
    assert (table.origins.uncertainty > 0.0).all()
    assert table.method == 'predicted by gaussian_process'


def test_d_has_an_uncertainty_of_its_own_where_the_model_knows_it(model, aiida_profile):
    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.tensors import compose

    table = dimer_table(all_pairs())
    j = table.terms().j
    tensors = compose(j, 0.1 * j[:, None] * np.array([0.0, 0.0, 1.0]), np.zeros((len(j), 3, 3)))
    outputs, node = train(
        {'model': 'equivariant_tensor', 'options': {'steps': 5}},
        pairs=ExchangeData.from_table(replace(table, tensors=tensors)),
    )
    assert node.is_finished_ok, node.exit_message
    place = [[[0.0, 0.0, 0.0], [A, 0.0, 0.0]]]
    for its, knows in ((outputs['model'], True), (model, False)):
        node, _ = ask(its, [['Mn', 'Fe']], place)
        (row,) = node.table.rows()
        assert row['uncertainty_meV'] > 0.0
        assert (row['D_uncertainty_meV'] or 0.0) > 0.0 if knows else row['D_uncertainty_meV'] is None
        assert node.to_dataframe()['D_uncertainty_meV'].notna().all() == knows


@pytest.mark.parametrize(
    ('settings', 'names', 'status', 'message'),
    [
        ({'model': 'oracle'}, ['light'], 221, 'no model of exchange'),
        ({'depth': 3}, ['light'], 221, 'depth: Extra inputs'),
        (QUICK, [], 222, 'there are no tables'),
        (QUICK, ['light', 'foreign'], 222, 'pairs of one set are in one host'),
        (QUICK, ['guessed'], 222, 'all pairs are predicted'),
    ],
)
def test_trainings_that_are_refused(data, settings, names, status, message):
    _, node = train(settings, **{name: data[name] for name in names})
    assert node.exit_status == status
    assert message in node.exit_message


def test_questions_that_are_refused(model):
    place = [[[0.0, 0.0, 0.0], [A, 0.0, 0.0]]]
    for arguments, status, message in (
        (([['Mn', 'Fe']], place, 'Ag'), 212, 'has learnt pairs in model crystal, these are in Ag'),
        (([], [], HOST), 211, 'elements'),
        (([['Mn', 'Fe']], [], HOST), 211, '1 pairs of elements, and the places of 0'),
        (([['Mn', 'Xx']], place, HOST), 211, 'there is no element Xx'),
    ):
        _, node = ask(model, *arguments)
        assert node.exit_status == status
        assert message in node.exit_message


def test_a_model_of_potentials_is_none_of_exchange_and_the_other_way_round(model, aiida_profile):
    from model_clusters import KIND, record

    from aiida_mlkkr.data.surrogate import SurrogateData
    from aiida_mlkkr.ml.dataset import ImpurityDataset
    from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
    from aiida_mlkkr.ml.errors import ModelError

    records = tuple(record({0: float(z)}) for z in (24, 25, 26))
    emulator = PotentialEmulator.fit(ImpurityDataset(KIND, records), EmulatorSettings(radial_functions=4))
    foreign = SurrogateData(*emulator.export()).store()
    _, node = ask(foreign, [['Mn', 'Fe']], [[[0.0, 0.0, 0.0], [A, 0.0, 0.0]]])
    assert node.exit_status == 212
    assert 'this is a model for impurity_potential, one for exchange is needed' in node.exit_message
    with pytest.raises(ModelError, match='this is a model for exchange, one for impurity_potential is needed'):
        PotentialEmulator.load(model.arrays, model.spec)


def test_a_training_as_a_calculation(train_code, data, crystal, model):
    """With the settings of the calculation function it gives the same model."""
    from aiida.engine import run_get_node
    from aiida.plugins import CalculationFactory

    builder = CalculationFactory('mlkkr.train').get_builder()
    builder.code = train_code
    builder.datasets = {name: data[name] for name in ('light', 'heavy')}
    builder.structure = crystal
    builder.settings = {'exchange': QUICK, 'cross_validation': {'folds': 2}}
    node = run_get_node(builder)[1]
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.report['validation']['number'] == 45
    assert node.outputs.history.get_array('mae_meV').shape == (2,)
    place = [[[0.0, 0.0, 0.0], [0.0, 0.0, A]]]
    one, other = (ask(its, [['Mn', 'Fe']], place)[0].table for its in (node.outputs.model, model))
    np.testing.assert_allclose(one.tensors, other.tensors, atol=1e-6)


@pytest.mark.parametrize(
    ('settings', 'names', 'message'),
    [
        ({}, ['light'], 'for exchange data they have exchange'),
        ({'exchange': {}}, ['light', 'foreign'], 'host is model crystal in light and another host in foreign'),
        ({'exchange': {'model': 'oracle'}}, ['light'], 'no model of exchange'),
        ({'exchange': {}, 'emulator': {}}, ['light'], 'emulator: Extra inputs'),
    ],
)
def test_calculations_that_are_refused(train_code, data, settings, names, message):
    from aiida import orm
    from aiida.engine import run
    from aiida.plugins import CalculationFactory

    inputs = {'code': train_code, 'settings': orm.Dict(settings), 'datasets': {name: data[name] for name in names}}
    with pytest.raises(ValueError, match=message):
        run(CalculationFactory('mlkkr.train'), **inputs)
