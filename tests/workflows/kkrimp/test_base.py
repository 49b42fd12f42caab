"""The restarted KKRimp calculation in whole chains: every kind of failure with its cure, and the ways to end.

The failures are real: runs of the embedded solver that are led astray, killed or refused, and the recorded output of
JuKKR's own failures. The chains go on from them with the embedded solver.
"""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida_kkr.calculations import KkrimpCalculation

from aiida_mlkkr.kkr.outcome import Outcome

from .conftest import KILL_AFTER_3, OUT_OF_WALLTIME, SOLVE

SIMPLE = {'IMIX': 0, 'MIXFAC': 0.03, 'SCFSTEPS': 2, 'QBOUND': 1e-2}
ANDERSON = {'IMIX': 5, 'MIXFAC': 0.1, 'NSIMPLEMIXFIRST': 5, 'SCFSTEPS': 30, 'QBOUND': 1e-2}


def start_of(calculation):
    """The calculation that another one goes on from; None if it begins with the start potential."""
    return calculation.inputs.parent_calc_folder.creator if 'parent_calc_folder' in calculation.inputs else None


def settings(calculation, *keys):
    parameters = calculation.inputs.parameters.get_dict()
    return tuple(parameters.get(key) for key in keys)


def errors(*calculations):
    groups = [calculation.outputs.output_parameters['convergence_group'] for calculation in calculations]
    return [error for group in groups for error in group['rms_all_iterations']]


def test_a_chain_does_what_one_long_calculation_does(run, kkrimp_code):
    """Simple mixing knows no history, so the iterations are the same: with an initial field that lasts beyond the first
    calculation, and when a second chain goes on from the first, whose remote folders were cleaned."""
    manganese = {'z': 25, 'moment': 3.0}
    mixing = {'IMIX': 0, 'MIXFAC': 0.02, 'QBOUND': 1e-2}
    field = {'HFIELD': [0.02, 5]}
    _, (long,) = run(kkrimp_code, {**mixing, **field, 'SCFSTEPS': 8}, **manganese, max_iterations=1)

    chain, short = run(
        kkrimp_code, {**mixing, **field, 'SCFSTEPS': 3}, **manganese, max_iterations=2, clean_workdir=True
    )
    assert errors(*short) == pytest.approx(errors(long)[:6], rel=1e-9)
    assert [start_of(node) for node in short] == [None, short[0]]
    assert settings(short[1], 'HFIELD') == ([0.02, 2],)
    assert chain.exit_status == 401
    assert '2 calculations (max_iterations) were not enough' in chain.exit_message
    assert chain.outputs.output_parameters == short[1].outputs.output_parameters
    assert chain.outputs.retrieved == short[1].outputs.retrieved
    assert chain.outputs.last_remote_folder == short[1].outputs.remote_folder
    assert chain.outputs.last_remote_folder.is_empty

    _, further = run(
        kkrimp_code,
        {'SCFSTEPS': 1, 'HFIELD': [0.0, 0]},
        **manganese,
        parent=chain.outputs.last_remote_folder,
        max_iterations=2,
    )
    assert errors(*further) == pytest.approx(errors(long)[6:], rel=1e-9)
    # KkrimpCalculation takes over what its parent was given; the next one must not fall back to the defaults
    assert settings(further[0], 'IMIX', 'MIXFAC') == (None, None)
    assert settings(further[1], 'IMIX', 'MIXFAC') == (0, 0.02)


def test_no_progress_with_simple_mixing(run, kkrimp_code):
    chain, (stuck, cured) = run(kkrimp_code, {**SIMPLE, 'MIXFAC': 1e-4, 'SCFSTEPS': 31, 'QBOUND': 5e-2}, z=30)
    assert stuck.exit_status == Outcome.STAGNATING
    assert start_of(cured) == stuck
    assert settings(cured, 'IMIX', 'MIXFAC') == (5, 1e-4)
    assert chain.is_finished_ok
    assert chain.outputs.output_parameters == cured.outputs.output_parameters


def test_cobalt_in_copper(run, code, recorded):
    """600 iterations without progress in aiida-kkr: the charge swings to and fro, the moment creeps down."""
    chain, (stuck, cured) = run(code(recorded('co_in_cu_stagnating'), SOLVE), {**ANDERSON, 'IMIX': 0}, z=27, moment=2.0)
    assert stuck.exit_status == Outcome.STAGNATING
    assert settings(cured, 'IMIX', 'MIXFAC') == (5, 0.025)
    assert chain.is_finished_ok
    assert chain.outputs.output_parameters['mlkkr_group']['problems'] == []


def test_a_growing_error(run, kkrimp_code):
    chain, (diverged, calm) = run(kkrimp_code, {**SIMPLE, 'MIXFAC': 0.2, 'SCFSTEPS': 10}, z=25, moment=4.0)
    assert diverged.exit_status == Outcome.DIVERGING
    assert start_of(calm) is None
    assert settings(calm, 'IMIX', 'MIXFAC', 'NSIMPLEMIXFIRST') == (5, 0.05, 5)
    assert chain.is_finished_ok
    assert chain.outputs.output_parameters['magnetism_group']['total_spin_moment'] == pytest.approx(3.8, abs=0.2)


def test_back_to_the_last_sane_potential_then_to_the_start(run, code, recorded):
    """What is sane is kept when the chain gives up; the initial field acts again where it acted, for as long."""
    lost = recorded('in_in_cu_core_state_lost')
    chain, calculations = run(code(SOLVE, lost), {**SIMPLE, 'HFIELD': [0.01, 3]}, cures={'diverging': 2})
    sane = calculations[0]
    assert [node.exit_status for node in calculations] == [Outcome.NOT_CONVERGED, *3 * [Outcome.CORE_STATE_LOST]]
    assert [start_of(node) for node in calculations] == [None, sane, sane, None]
    assert [settings(node, 'HFIELD')[0][1] for node in calculations] == [3, 1, 1, 3]
    assert [settings(node, 'MIXFAC')[0] for node in calculations] == [0.03, 0.03, 0.0075, 0.001875]
    assert chain.exit_status == Outcome.CORE_STATE_LOST
    assert 'Try another start' in chain.exit_message
    assert chain.outputs.last_remote_folder == sane.outputs.remote_folder
    assert chain.outputs.output_parameters == sane.outputs.output_parameters


def test_nickel_in_copper(run, code, recorded):
    """Converged to 1e-6 with exit code 0 in aiida-kkr, without its d states."""
    chain, (false, again) = run(code(recorded('ni_in_cu_false_convergence'), SOLVE), ANDERSON, z=28)
    assert false.exit_status == Outcome.FALSE_CONVERGENCE
    assert start_of(again) is None
    assert settings(again, 'MIXFAC') == (0.025,)
    assert chain.is_finished_ok
    assert chain.outputs.output_parameters['total_charge_per_atom'][0] == pytest.approx(28.0, abs=0.2)


def test_killed_at_the_end_of_the_walltime(run, code):
    """The iterations done are not lost."""
    chain, (killed, rest) = run(code(f'{KILL_AFTER_3}{OUT_OF_WALLTIME}', SOLVE), {**ANDERSON, 'MIXFAC': 0.03})
    assert killed.exit_status == 120
    assert start_of(rest) == killed
    done = len(errors(killed))
    assert settings(rest, 'NSIMPLEMIXFIRST') == (max(0, 5 - done),)
    # the same error where it was killed between the words on the last iteration and its potential
    assert errors(rest)[0] <= errors(killed)[-1] < errors(killed)[0]
    assert chain.is_finished_ok


def test_not_even_one_iteration_in_the_walltime(run, code):
    chain, (calculation,) = run(code(OUT_OF_WALLTIME), SIMPLE)
    assert calculation.exit_status == 120
    assert chain.exit_status == 420
    assert 'Raise metadata.options.max_wallclock_seconds' in chain.exit_message
    assert not list(chain.outputs)


def test_a_crash_is_not_the_end(run, code, recorded):
    chain, (crashed, again) = run(code('kill -SEGV $$', recorded('mn_in_cu')), SIMPLE, z=25)
    assert crashed.exit_status == Outcome.OUTPUT_EMPTY
    assert again.inputs.parameters == crashed.inputs.parameters
    assert again.inputs.impurity_potential == crashed.inputs.impurity_potential
    assert chain.is_finished_ok


def test_exchange_tensors_are_left_alone(run, code, recorded):
    """A crash that JuKKR builds by gfortran are known for: there is nothing that mixing could do."""
    parameters = {'CALCJIJMAT': 1, 'NCOLL': 1, 'TESTFLAG': ['tmatnew'], 'RUNFLAG': []}
    chain, (calculation,) = run(code(recorded('jij_crash_signal')), parameters)
    assert calculation.inputs.parameters.get_dict() == parameters
    assert chain.exit_status == Outcome.JIJ_CRASHED
    assert chain.exit_message.endswith(calculation.exit_message)


def test_refused_at_the_last_calculation_allowed(run, kkrimp_code):
    """The failure's own exit code, not that of the number of calculations; the embedded solver's own words."""
    chain, (refused,) = run(kkrimp_code, {**SIMPLE, 'INS': 1}, max_iterations=1)
    assert chain.exit_status == Outcome.INPUT_REFUSED
    assert 'INS= 1 (full potential)' in chain.exit_message
    assert chain.exit_message.endswith(refused.exit_message)


def test_an_exception_is_not_the_end(run, code, recorded, monkeypatch):
    attempts = []
    submit = KkrimpCalculation.prepare_for_submission

    def fail_at_first(self, folder):
        attempts.append(self.uuid)
        if len(attempts) == 1:
            raise OSError('database is locked')
        return submit(self, folder)

    monkeypatch.setattr(KkrimpCalculation, 'prepare_for_submission', fail_at_first)
    chain, calculations = run(code(recorded('mn_in_cu')), SIMPLE, z=25)
    assert [node.uuid for node in calculations] == attempts
    assert calculations[0].is_excepted
    assert chain.is_finished_ok


def test_exceptions_without_end(builder, kkrimp_code):
    """aiida-kkr's KkrimpCalculation excepts where the cluster is not that of the write-out."""
    inputs = builder(kkrimp_code, SIMPLE)
    inputs.kkrimp.impurity_info = orm.Dict({'Zimp': [13], 'ilayer_center': 0, 'Rcut': 9.9})
    _, chain = run_get_node(inputs)
    assert [node.is_excepted for node in chain.called] == [True, True]
    assert chain.exit_status == 301
    assert 'impurity_info nodes (input and GF calc) are not compatible' in chain.exit_message
