"""Dilute spin models made in the provenance, and what Spirit makes of one."""

from __future__ import annotations

import numpy as np
import pytest
from spin_models import free

from aiida_mlkkr.exchange.table import ExchangeTable

NEAREST = np.array([0.0, 1.805, 1.805])


@pytest.fixture(scope='module')
def copper(aiida_profile):
    from aiida import orm

    structure = orm.StructureData(cell=(1.805 * (np.ones((3, 3)) - np.eye(3))).tolist())
    structure.append_atom(symbols='Cu', position=(0.0, 0.0, 0.0))
    return structure.store()


@pytest.fixture(scope='module')
def exchange(aiida_profile):
    """Dimers of Mn and Cr at the nearest distance, Cr with its moment down."""
    from aiida_mlkkr.data.exchange import ExchangeData

    nodes = {}
    moments = {'Mn': 4.0, 'Cr': -3.5}
    for (one, other), j in {('Mn', 'Mn'): -10.0, ('Mn', 'Cr'): 4.0, ('Cr', 'Cr'): 7.0}.items():
        raw = np.zeros((2, 2, 3, 3))
        raw[0, 1] = raw[1, 0] = j * np.eye(3)
        sizes = np.array([moments[one], moments[other]])
        table = ExchangeTable.of_cluster('Cu', [one, other], np.array([0 * NEAREST, NEAREST]), sizes, raw, 'synthetic')
        nodes[f'{one}_{other}'] = ExchangeData.from_table(table).store()
    return nodes


SETTINGS = {'concentrations': {'Mn': 0.2, 'Cr': 0.1}, 'repetitions': [8, 8, 8], 'seed': 1, 'configurations': 2}


def make(copper, exchange, **changes):
    from aiida import orm
    from aiida.plugins import CalculationFactory

    function = CalculationFactory('mlkkr.dilute_spin_models')
    return function.run_get_node(copper, orm.Dict({**SETTINGS, **changes}), **exchange)


def test_configurations_and_their_report(copper, exchange):
    from aiida_mlkkr.spins.units import BOLTZMANN

    results, node = make(copper, exchange)
    assert node.is_finished_ok, node.exit_message
    models = [results[f'configuration_{k}'].model for k in (0, 1)]
    assert [model.elements.count('Mn') for model in models] == [102, 102]
    assert not np.array_equal(models[0].positions, models[1].positions)
    names = np.sort(np.array(models[0].elements)[models[0].pairs], axis=1)
    j = models[0].tensors[:, 0, 0]
    # the moment of Cr is down in the data: parallel axes are antiparallel moments
    for pair, value in {('Mn', 'Mn'): -10.0, ('Cr', 'Mn'): -4.0, ('Cr', 'Cr'): 7.0}.items():
        np.testing.assert_allclose(j[np.all(names == pair, axis=1)], value)
    report = results['report'].get_dict()
    assert report['moments'] == {'Mn': 4.0, 'Cr': 3.5}
    a, b, c = -10 * 0.2, 7 * 0.1, 4 * np.sqrt(0.02)
    exact = 12 * ((a + b) / 2 + np.hypot((a - b) / 2, c)) / (3 * BOLTZMANN)
    assert report['mean_field_temperature'] == pytest.approx(exact)
    assert [statistics['percolating_directions'] for statistics in report['networks']] == [3, 3]
    assert report['order_forbidden'] == [None, None]


@pytest.mark.parametrize(
    ('changes', 'status', 'words'),
    [
        ({'concentration': 0.1}, 221, 'concentration: Extra inputs are not permitted'),
        ({'concentrations': {'Fe': 0.1}, 'moments': {'Fe': 2.0}}, 222, 'no exchange of Fe in the data'),
        ({'moments': {'Cr': 0.0}}, 222, 'Cr: no moment'),
        ({'repetitions': [2, 5, 5]}, 222, 'too small for the reach'),
    ],
)
def test_what_is_refused(copper, exchange, changes, status, words):
    results, node = make(copper, exchange, **changes)
    assert (node.exit_status, results) == (status, {})
    assert words in node.exit_message


@pytest.fixture
def spirit_code(aiida_localhost, aiida_code_installed):
    import sys

    pytest.importorskip('spirit')
    pytest.importorskip('aiida_spirit')
    return aiida_code_installed(
        label='spirit',
        default_calc_job_plugin='spirit',
        computer=aiida_localhost,
        filepath_executable=sys.executable,
        with_mpi=False,
    )


def test_minimum_of_energy_by_spirit(spirit_code):
    """A trimer with D along z has its lowest energy on a spiral; energies are those of the model."""
    from aiida import orm
    from aiida.engine import run_get_node
    from aiida.plugins import CalculationFactory

    from aiida_mlkkr.calculations.spirit import spirit_inputs, spirit_results
    from aiida_mlkkr.data.spin_model import SpinModelData
    from aiida_mlkkr.exchange.tensors import compose

    tensor = compose(np.array(3.0), np.array([0.0, 0.0, 4.0]), np.zeros((3, 3)))
    model = SpinModelData.from_spin_model(free({(0, 1): tensor, (1, 2): 2.0 * np.eye(3)}, 3)).store()
    inputs = spirit_inputs(model, orm.Dict({'llg_n_iterations': 20_000, 'llg_force_convergence': 1e-9}))
    builder = CalculationFactory('spirit').get_builder()
    builder.code = spirit_code
    builder.metadata.options.withmpi = False
    for name, node in inputs.items():
        builder[name] = node
    builder.run_options = {'simulation_method': 'LLG', 'solver': 'Depondt', 'configuration': {'random': 1}}
    outputs, calculation = run_get_node(builder)
    assert calculation.is_finished_ok, calculation.exit_message
    found = spirit_results(model, outputs['magnetization'], outputs['energies'])
    assert found['report']['energy'] == pytest.approx(-(5.0 + 2.0) / 3, abs=1e-6)
    e = found['configuration'].get_array('directions')
    assert np.cross(e[0], e[1])[2] == pytest.approx(4 / 5, abs=1e-3)
    wrong = orm.ArrayData({'final': outputs['magnetization'].get_array('final')[::-1]})
    _, refused = spirit_results.run_get_node(model, wrong, outputs['energies'])
    assert refused.exit_status == 321


def test_parameters_that_are_ignored_or_give_wrong_results_are_refused():
    from aiida import orm

    from aiida_mlkkr.calculations.spirit import validate_dynamics, validate_parameters

    assert validate_parameters(orm.Dict({'llg_temperature': 10.0, 'llg_dt': 1e-3}), None) is None
    assert 'llg_dt' in validate_parameters(orm.Dict({'llg_temperature': 10.0, 'llg_dt': 1e-2}), None)
    assert 'the spin model says this' in validate_parameters(orm.Dict({'mu_s': [1.0]}), None)
    assert 'would be ignored' in validate_parameters(orm.Dict({'anisotropy_magnitude': 1.0}), None)
    assert validate_dynamics(orm.Dict({'temperatures': [10.0]}), None) is None
    assert 'dt' in validate_dynamics(orm.Dict({'temperatures': [10.0], 'dt': 2e-3}), None)
    assert 'solver' in validate_dynamics(orm.Dict({'temperatures': [10.0], 'solver': 'Heun'}), None)
