"""Starts that an emulator predicts: for an element that it has not seen, when they are not used, and in aiida-kkr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .conftest import MN_MOMENT, QUICK, Copper

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode


AIIDA_KKR_SETTINGS = {
    'kkr_runmax': 2,
    'nsteps': 30,
    'strmix': 0.03,
    'aggressive_mix': 5,
    'aggrmix': 0.03,
    'threshold_aggressive_mixing': 5e-2,
    'convergence_criterion': 1e-2,
    'mag_init': False,
}
AIIDA_KKR_OPTIONS = {'resources': {'num_machines': 1}, 'withmpi': False, 'max_wallclock_seconds': 3600}


@pytest.fixture(scope='module')
def manganese(copper: Copper, emulator) -> WorkChainNode:
    return copper.run('Mn', emulator=emulator, overrides={'max_predicted_error': 1.0})


def test_manganese_from_the_emulator(manganese):
    assert manganese.is_finished_ok, manganese.exit_message
    results = manganese.outputs.results.get_dict()
    assert results['start'] == 'emulator'
    assert results['starts_dropped'] == []
    assert results['total_spin_moment'] == pytest.approx(MN_MOMENT, abs=1e-3)
    # 78 with JuKKR from the start of the voronoi code
    assert results['iterations'] < 35
    assert results['initial_field'] == [0.0, 0]
    assert max(results['prediction']['rms_error_per_site_Ry']) > 0


def test_mixing_from_near_the_solution(manganese):
    near = manganese.inputs.schedule['near']
    assert max(manganese.outputs.results['prediction']['rms_error_per_site_Ry']) < near['error']
    stages = [process for process in manganese.called if process.process_label == 'KkrimpBaseWorkChain']
    assert [stage.inputs.kkrimp.parameters['MIXFAC'] for stage in stages] == [
        stage['MIXFAC'] for stage in near['stages']
    ]


def test_the_model_is_an_ancestor_of_the_result(manganese, emulator):
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.Data, filters={'id': emulator.pk}, tag='model')
    query.append(orm.Data, filters={'id': manganese.outputs.converged_potential.pk}, with_ancestors='model')
    assert query.first() is not None


@pytest.mark.parametrize(
    ('moment', 'allowed', 'reason'),
    [(4.0, 1e-6, 'the emulator is uncertain'), (1.0, 1.0, 'is asked for on Mn')],
)
def test_a_prediction_that_is_not_used(copper, emulator, moment, allowed, reason):
    """An uncertain one, and none of the state that is asked for: the standard start can begin with any moment."""
    overrides = {'max_predicted_error': allowed, 'schedule': QUICK}
    node = copper.run('Mn', emulator=emulator, magnetic_moments=[moment], overrides=overrides)
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] == 'standard'
    (dropped,) = results['starts_dropped']
    assert dropped['start'] == 'emulator'
    assert reason in dropped['reason']
    assert 'emulated_start_potential' in {child.process_label for child in node.called}


def test_an_impurity_far_outside_of_the_training_set(copper, emulator):
    """Gold, where the model knows the 3d row: not predicted, but converged from free atoms."""
    node = copper.run('Au', emulator=emulator, overrides={'schedule': QUICK})
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] == 'standard'
    (dropped,) = results['starts_dropped']
    assert 'Au in place of Cu is out of the range of the model' in dropped['reason']
    with pytest.raises(ValueError, match='emulator: Au in place of Cu is out of the range of the model'):
        copper.builder('Au', emulator=emulator, overrides={'starts': ['emulator']})


@pytest.mark.parametrize(
    ('element', 'parameters', 'words'),
    [
        ('Mn', {'KVREL': 0}, 'the model is of another kind than the potential asked for'),
        ('Mn', {'XC': 'LDA-vBH'}, 'the model is of another kind than the potential asked for'),
    ],
)
def test_models_that_do_not_fit_are_refused(copper, emulator, element, parameters, words):
    with pytest.raises(ValueError, match=f'emulator: {words}'):
        copper.builder(element, emulator=emulator, overrides={'scf': {'kkrimp': {'parameters': parameters}}})


@pytest.fixture(scope='module')
def kkr_imp_wc_of_ours(copper, emulator) -> WorkChainNode:
    """aiida-kkr's workchain from a predicted potential.

    The PyPI releases of aiida-kkr and masci-tools do not fit together: the parser of KKRimp passes two arguments that
    ``parse_kkrimp_outputfile`` does not take. That one line is mended here, and nowhere else. The workchain asks for
    the voronoi code, although it does not run it.
    """
    from aiida import orm
    from aiida.engine import run_get_node
    from aiida_kkr.workflows import kkr_imp_wc
    from masci_tools.io.parsers.kkrimp_parser_functions import KkrimpParserFunctions

    from aiida_mlkkr.calculations.emulation import emulated_start_potential

    parse = KkrimpParserFunctions.parse_kkrimp_outputfile

    def mended(self: Any, out_dict: Any, file_dict: Any, debug: bool = False, **_not_taken: bool) -> Any:
        return parse(self, out_dict, file_dict, debug)

    info = orm.Dict({**copper.writeout.inputs.impurity_info.get_dict(), 'Zimp': [25.0]})
    builder = kkr_imp_wc.get_builder()
    builder.kkrimp = copper.code
    builder.voronoi = copper.voronoi
    builder.kkr = copper.kkr
    builder.remote_data_gf = copper.greenfunction
    builder.impurity_info = info
    builder.startpot = emulated_start_potential(emulator, copper.writeout.outputs.retrieved, info)['potential']
    builder.wf_parameters = orm.Dict(AIIDA_KKR_SETTINGS)
    builder.options = orm.Dict(AIIDA_KKR_OPTIONS)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(KkrimpParserFunctions, 'parse_kkrimp_outputfile', mended)
        return run_get_node(builder).node


def test_kkr_imp_wc_takes_a_predicted_potential(kkr_imp_wc_of_ours):
    node = kkr_imp_wc_of_ours
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.last_calc_info['convergence_reached']
    assert 'VoronoiCalculation' not in {child.process_label for child in node.called_descendants}
    assert node.outputs.last_calc_output_parameters['magnetism_group']['total_spin_moment'] > 3.5


def test_kkr_imp_sub_wc_takes_a_predicted_potential(kkr_imp_wc_of_ours):
    """kkr_imp_wc hands it on, unchanged, as host_imp_startpot."""
    (node,) = (child for child in kkr_imp_wc_of_ours.called if child.process_label == 'kkr_imp_sub_wc')
    assert node.is_finished_ok, node.exit_message
    assert node.inputs.host_imp_startpot == kkr_imp_wc_of_ours.inputs.startpot
    assert node.inputs.host_imp_startpot.creator.process_label == 'emulated_start_potential'
    assert node.outputs.workflow_info['convergence_reached']
