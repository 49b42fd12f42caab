"""Real runs: a ferromagnet in boxes of two sizes, and a dimer with Spirit, whose answers are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from spin_models import free, simple_cubic

J = 5.0


@pytest.fixture(scope='module')
def codes(aiida_profile):
    """Monte Carlo and Spirit of this environment."""
    from aiida_mlkkr.demo.codes import monte_carlo_program, spirit_program

    pytest.importorskip('spirit')
    pytest.importorskip('aiida_spirit')
    return monte_carlo_program(), spirit_program()


def node_of(model):
    from aiida_mlkkr.data.spin_model import SpinModelData

    return SpinModelData.from_spin_model(model).store()


def run(codes, models, with_spirit, **overrides):
    from aiida.engine import run_get_node

    from aiida_mlkkr.workflows.spin_dynamics import SpinDynamicsWorkChain

    builder = SpinDynamicsWorkChain.get_builder_from_protocol(
        codes[0], models, spirit=codes[1] if with_spirit else None, seed=3, protocol='fast', overrides=overrides
    )
    return run_get_node(builder)[1]


@pytest.fixture(scope='module')
def ferromagnet(codes):
    """The simple cubic lattice in boxes of two sizes."""
    models = {f'size_{size}': node_of(simple_cubic(size, exchange=J)) for size in (4, 6)}
    temperatures = {'number': 8, 'lowest': 0.2, 'refined_number': 6}
    schedule = {'measurement': 1920, 'reflections': 1, 'cooling': 50}
    return run(codes, models, False, temperatures=temperatures, schedule=schedule)


@pytest.fixture(scope='module')
def dimer(codes):
    """Two moments, which Spirit gets as well, in two configurations."""
    first = free({(0, 1): J * np.eye(3)}, 2)
    models = {'first': node_of(first), 'second': node_of(replace(first, configuration=1))}
    dynamics = {'temperatures': [40.0], 'samples': 4000, 'steps': 50}
    schedule = {'thermalisation': 50, 'measurement': 3200}
    temperatures = {'values': [10.0, 40.0, 160.0]}
    return run(codes, models, True, temperatures=temperatures, schedule=schedule, spirit={'dynamics': dynamics})


def exact(temperature):
    """⟨e·e'⟩ of the dimer."""
    from aiida_mlkkr.spins.units import BOLTZMANN

    k = J / (BOLTZMANN * np.asarray(temperature))
    return 1 / np.tanh(k) - 1 / k


def test_transition_of_a_ferromagnet(ferromagnet):
    """k_B T_c = 1.443 J in a large box; the smallest two cross a little below."""
    from aiida_mlkkr.spins.units import BOLTZMANN

    assert ferromagnet.is_finished_ok, ferromagnet.exit_message
    found, curves = ferromagnet.outputs.results.get_dict(), ferromagnet.outputs.curves
    assert (found['order'], found['sizes'], found['configurations']) == (
        'ferromagnetic',
        [64, 216],
        {'64': 1, '216': 1},
    )
    assert found['mean_field_temperature'] == pytest.approx(2 * J / BOLTZMANN)
    transition = found['transition']
    assert transition['method'] == 'crossing of Binder cumulants'
    assert transition['temperature'] == pytest.approx(1.443 * J / BOLTZMANN, rel=0.04)
    assert 0 < transition['error'] < 0.03 * transition['temperature']
    temperatures = curves.get_array('temperatures_216')
    assert len(temperatures) == 8 + 6
    assert np.all(np.diff(temperatures) > 0)
    magnetisation = curves.get_array('magnetisation_216')
    assert magnetisation[0] > 0.85
    assert magnetisation[-1] < 0.25
    # neighbours have the energy, at the temperatures of the wide grid
    distances = curves.get_array('distances_216')  # up to half of the smaller box
    assert distances.tolist() == pytest.approx([3.0, 18**0.5, 27**0.5])
    nearest = curves.get_array('correlations_216')[:, 0]
    measured = np.isfinite(nearest)
    assert measured.sum() == 8
    np.testing.assert_allclose(-3 * J * nearest[measured], curves.get_array('energy_216')[measured], rtol=0.1, atol=0.3)


def test_ground_state_of_a_ferromagnet(ferromagnet):
    (found,), state = ferromagnet.outputs.results.get_dict()['ground_states'], ferromagnet.outputs.ground_states.size_4
    assert found['energy_meV'] == pytest.approx(-3 * J, abs=1e-6)
    assert (found['found_by'], found['lower']) == ('8 of 8', 'annealing')
    assert found['magnetisation'] == pytest.approx(1.0)
    assert state.get_array('directions').shape == (64, 3)


def test_provenance(ferromagnet):
    labels = {link.link_label for link in ferromagnet.base.links.get_outgoing().all()}
    assert {
        'first_schedule',
        'monte_carlo_64_0',
        'monte_carlo_216_0',
        'refined_schedule_0',
        'monte_carlo_216_1',
    } < labels
    assert ferromagnet.outputs.results.creator.process_type.endswith('spin_results')


def test_dimer_by_monte_carlo_and_by_dynamics(dimer):
    """Both have the energy of statistical mechanics; there is no transition, and the report says why."""
    assert dimer.is_finished_ok, dimer.exit_message
    found, curves = dimer.outputs.results.get_dict(), dimer.outputs.curves
    assert found['transition']['temperature'] is None
    assert 'does not percolate' in found['transition']['reason']
    measured = -2 * curves.get_array('energy_2') / J
    np.testing.assert_allclose(measured, exact(curves.get_array('temperatures_2')), atol=0.02)
    (dynamics,) = found['dynamics']
    assert -2 * dynamics['energy_meV'] / J == pytest.approx(exact(40.0), abs=0.05)
    assert 0 < dynamics['energy_error_meV'] < 0.1
    assert 0 < dynamics['relaxation_ps'] < 20
    trajectory = dimer.outputs.trajectories.trajectory_0
    assert trajectory.get_array('time')[[0, -1]].tolist() == pytest.approx([0.05, 200.0])
    assert trajectory.get_array('magnetisation').shape == (4000, 3)


def test_ground_state_by_spirit(dimer):
    found = dimer.outputs.results.get_dict()['ground_states']
    assert [state['model'] for state in found] == ['first', 'second']
    for state in found:
        assert state['energy_of_spirit_meV'] == pytest.approx(-J / 2, abs=1e-6)
        assert state['energy_of_annealing_meV'] == pytest.approx(-J / 2, abs=1e-6)
    labels = {link.link_label for link in dimer.base.links.get_outgoing().all()}
    assert {'spirit_first', 'spirit_second', 'dynamics_0'} < labels
    assert sorted(dimer.outputs.ground_states) == ['first', 'second']


def test_a_spirit_that_dies_is_told(codes, dimer, tmp_path):
    """Exit code 0 of its calculation is not believed; what Monte Carlo has found is handed on."""
    from aiida import orm
    from aiida.engine import run_get_node

    dying = tmp_path / 'python'
    dying.write_text(
        '#!/bin/sh\ntouch spirit.stdout atom_types.txt\necho "Segmentation fault" >&2\nexit 0\n', encoding='ascii'
    )
    dying.chmod(0o755)
    code = orm.InstalledCode(
        label='dying-spirit',
        computer=codes[1].computer,
        filepath_executable=str(dying),
        default_calc_job_plugin='spirit',
    ).store()
    builder = dimer.get_builder_restart()
    builder.temperatures = {'values': [40.0]}
    builder.schedule = {'thermalisation': 0, 'measurement': 64, 'cooling': 10, 'seed': 1}
    builder.spirit.code = code
    node = run_get_node(builder)[1]
    assert node.exit_status == 431
    assert 'it has died: Segmentation fault' in node.exit_message
    energies = [state['energy_meV'] for state in node.outputs.results.get_dict()['ground_states']]
    assert energies == pytest.approx([-J / 2, -J / 2], abs=1e-6)


@pytest.mark.parametrize('figure', ['magnetisation', 'cumulants', 'correlations', 'ground-state', 'transitions'])
def test_figures(ferromagnet, tmp_path, figure):
    from aiida_mlkkr.cli.root import aiida_mlkkr

    output = tmp_path / 'figure.png'
    arguments = ['plot', 'spins', str(ferromagnet.pk), '-f', figure, '-o', str(output)]
    result = CliRunner().invoke(aiida_mlkkr, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert output.stat().st_size > 5000


def test_show(ferromagnet, dimer):
    from aiida_mlkkr.cli.root import aiida_mlkkr

    result = CliRunner().invoke(aiida_mlkkr, ['show', 'spins', str(ferromagnet.pk)], catch_exceptions=False)
    assert 'crossing of Binder cumulants' in result.output
    assert 'ground state of size_4: -15.0000 meV per moment' in result.output
    result = CliRunner().invoke(aiida_mlkkr, ['show', 'spins', str(dimer.pk)], catch_exceptions=False)
    assert 'no transition: the network of pairs does not percolate' in result.output
    assert 'dynamics at 40 K' in result.output


def test_bad_inputs_are_refused_when_the_builder_is_filled(codes):
    from aiida_mlkkr.exchange.tensors import compose
    from aiida_mlkkr.workflows.spin_dynamics import SpinDynamicsWorkChain

    pair = node_of(free({(0, 1): np.eye(3)}, 2))
    tensor = node_of(free({(0, 1): compose(np.array(1.0), np.zeros(3), np.diag([0.2, 0.1, -0.3]))}, 2))
    fill = SpinDynamicsWorkChain.get_builder_from_protocol
    for models, spirit, overrides, message in (
        ({}, None, {}, 'a spin model is needed'),
        ({'a': pair}, None, {'temperatures': {'values': [20.0, 10.0]}}, 'temperatures must ascend'),
        ({'a': pair}, None, {'temperatures': {'lowest': 2.0}}, 'lowest must be below highest'),
        ({'a': pair}, None, {'schedule': {'temperatures': [1.0]}}, 'an input of their own'),
        ({'a': pair}, None, {'schedule': {'sweep': 1}}, 'sweep: Extra inputs'),
        ({'a': pair}, codes[1], {'spirit': {'dynamics': {'temperatures': [10.0], 'dt': 0.01}}}, 'dt'),
        ({'a': pair}, codes[1], {'spirit': {'parameters': {'mu_s': [1.0]}}}, 'the spin model says this'),
        ({'a': tensor}, codes[1], {}, 'spirit: it cannot run a'),
    ):
        with pytest.raises(ValueError, match=message):
            fill(codes[0], models, spirit=spirit, overrides=overrides)
    with pytest.raises(ValueError, match='there is no protocol quick'):
        fill(codes[0], {'a': pair}, protocol='quick')


def test_launch_from_exchange(codes, tmp_path):
    """The command, from a host and exchange data to a ferromagnet."""
    from aiida import orm

    from aiida_mlkkr.cli.root import aiida_mlkkr
    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.table import ExchangeTable

    structure = orm.StructureData(cell=(3.0 * np.eye(3)).tolist())
    structure.append_atom(symbols='Cu', position=(0.0, 0.0, 0.0))
    structure.store()
    raw = np.zeros((2, 2, 3, 3))
    raw[0, 1] = raw[1, 0] = J * np.eye(3)
    positions = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    table = ExchangeTable.of_cluster('Cu', ['Mn', 'Mn'], positions, np.array([4.0, 4.0]), raw, 'synthetic')
    exchange = ExchangeData.from_table(table).store()
    arguments = ['launch', 'spins', '-s', str(structure.pk), '-x', str(exchange.pk), '-b', '3,3,3']
    refused = CliRunner().invoke(aiida_mlkkr, arguments)
    assert refused.exit_code == 1
    assert '--concentrations and --box are needed' in refused.output
    arguments += ['-c', 'Mn=0.8', '--protocol', 'fast']
    result = CliRunner().invoke(aiida_mlkkr, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert 'order: ferromagnetic' in result.output
