"""The decisions of the restarted KKRimp calculation, step by step, on real output of JuKKR, whole and damaged."""

from __future__ import annotations

import pytest
from aiida.orm.utils.serialize import deserialize_unsafe, serialize
from plumpy import ProcessState

from aiida_mlkkr.kkr.outcome import Outcome

SIMPLE = {'IMIX': 0, 'MIXFAC': 0.04, 'QBOUND': 1e-6}
ANDERSON = {'IMIX': 5, 'MIXFAC': 0.04, 'QBOUND': 1e-6}
LOG, STDOUT, POTENTIAL, TIMING = 'out_log.000.txt', 'out_kkrimp', 'out_potential', 'out_timing.000.txt'
STDERR = '_scheduler-stderr.txt'


@pytest.fixture
def output(archived_output):
    """A function: the files of a real run, without what is only known about it."""

    def read(name):
        files = archived_output(name)
        files.pop('reference.json')
        return files

    return read


def cut(files, part):
    """A run killed in the middle."""
    return {**files, **{name: files[name][: int(part * len(files[name]))] for name in (LOG, STDOUT, TIMING)}}


def test_no_progress_for_good(by_hand, output):
    chain = by_hand(SIMPLE)
    stuck = output('co_in_cu_stagnating')
    mixing = []
    for _ in range(2):
        node, exit_code = chain.end(stuck)
        assert exit_code.status == 0
        assert chain.start == node
        mixing.append(chain.settings('IMIX', 'MIXFAC', 'NSIMPLEMIXFIRST'))
    assert mixing == [(5, 0.04, 0), (5, 0.01, 5)]
    node, exit_code = chain.end(stuck)
    assert exit_code.status == Outcome.STAGNATING
    assert 'Look at the moments' in exit_code.message
    assert chain.chain.outputs['output_parameters'] == node.outputs.output_parameters
    assert chain.chain.outputs['last_remote_folder'] == node.outputs.remote_folder


def test_led_astray_goes_back_with_calmer_mixing(by_hand, output):
    """To the start where no potential is sane; three times."""
    chain = by_hand(SIMPLE)
    start = chain.start
    for mixfac in (0.01, 0.0025, 0.000625):
        _, exit_code = chain.end(output('in_in_cu_core_state_lost'))
        assert exit_code.status == 0
        assert chain.start == start
        assert chain.settings('IMIX', 'MIXFAC', 'NSIMPLEMIXFIRST') == (5, mixfac, 5)
    node, exit_code = chain.end(output('in_in_cu_core_state_lost'))
    assert exit_code.status == Outcome.CORE_STATE_LOST
    assert f'number 4, with IMIX= 5, MIXFAC= 0.000625, NSIMPLEMIXFIRST= 5: {node.exit_message}' in exit_code.message
    assert not chain.chain.outputs


def test_not_a_number(by_hand, output):
    """As a diverged run of JuKKR leaves it: NaN in its last errors."""
    files = output('mn_pair')
    log = files[LOG].decode()
    place = log.rindex('average rms-error : v+ + v- =') + len('average rms-error : v+ + v- =')
    files[LOG] = (log[:place] + log[place:].replace(log[place:].split()[0], 'NaN', 1)).encode()
    chain = by_hand(SIMPLE)
    node, exit_code = chain.end(files)
    assert node.exit_status == Outcome.NOT_FINITE
    assert exit_code.status == 0
    assert chain.settings('IMIX', 'MIXFAC') == (5, 0.01)


@pytest.mark.parametrize('status', [Outcome.NOT_FINITE, Outcome.CORE_STATE_LOST])
def test_a_start_that_fails_before_anything_was_mixed(by_hand, output, status):
    """Another mixing would not help."""
    words = {
        Outcome.NOT_FINITE: b'mlkkr-kkrimp: error: iteration 1: the potential is not a number any more',
        Outcome.CORE_STATE_LOST: b'mlkkr-kkrimp: error: The core state 3d of site 1, spin down is not bound',
    }
    chain = by_hand(SIMPLE)
    node, exit_code = chain.end({STDOUT: b' banner\n', STDERR: words[status]})
    assert node.exit_status == exit_code.status == status
    assert node.exit_message in exit_code.message


def test_errors_are_followed_over_the_restarts(by_hand, output):
    """Pieces too short for the parser to see that they lead nowhere; the mixing is changed all the same."""
    files = output('co_in_cu_stagnating')
    first, second = (shortened(files, slice(0, 18)), shortened(files, slice(18, 36)))
    chain = by_hand({**ANDERSON, 'SCFSTEPS': 18})
    node, _ = chain.end(first)
    assert node.exit_status == Outcome.NOT_CONVERGED
    assert chain.settings('MIXFAC') == (0.04,)
    node, _ = chain.end(second)
    assert node.exit_status == Outcome.NOT_CONVERGED
    assert chain.settings('MIXFAC') == (0.01,)
    assert chain.start == node


def shortened(files, piece):
    """Some of the iterations of a real run."""
    log = files[LOG].decode()
    starts = [i for i in range(len(log)) if log.startswith('  Iteration Number', i)]
    text = log[: starts[0]] + log[starts[piece.start] : starts[piece.stop]]
    return {**files, LOG: text.encode(), STDOUT: b' Deleting file kkrflex_greennew\n'}


def test_false_convergence(by_hand, output):
    """Once more from the start, even where a sane potential was left on the way to the false solution."""
    chain = by_hand(SIMPLE)
    start = chain.start
    sane, _ = chain.end(cut(output('mn_pair'), 0.5), status=120)
    assert chain.start == sane
    chain.end(output('ni_in_cu_false_convergence'))
    assert chain.start == start
    assert chain.settings('MIXFAC') == (0.01,)
    _, exit_code = chain.end(output('ni_in_cu_false_convergence'))
    assert exit_code.status == Outcome.FALSE_CONVERGENCE
    assert 'smaller steps were tried' in exit_code.message
    assert chain.chain.outputs['output_parameters'] == sane.outputs.output_parameters


@pytest.mark.parametrize('status', [120, 140, None])
def test_cut_off(by_hand, output, status):
    """Walltime, a failed node, or nobody knows what: on from its potential, as often as it takes."""
    chain = by_hand({**SIMPLE, 'HFIELD': [0.02, 100]})
    for number in range(3):
        node, exit_code = chain.end(cut(output('mn_pair'), 0.6), status)
        assert node.exit_status == (status or Outcome.INTERRUPTED)
        assert exit_code.status == 0
        assert chain.start == node
        done = node.outputs.output_parameters['mlkkr_group']['iterations_complete']
        assert 5 < done < 14
        assert chain.settings('MIXFAC', 'HFIELD') == (0.04, [0.02, 100 - (number + 1) * done])


def test_cut_off_while_led_astray(by_hand, output):
    files = output('in_in_cu_core_state_lost')
    chain = by_hand(SIMPLE)
    start = chain.start
    chain.end(files, status=120)
    assert chain.start == start
    assert chain.settings('MIXFAC') == (0.01,)


def test_cut_off_while_writing_the_potential(by_hand, output):
    """Nothing to go on from: the same again, once; at the end of the walltime it would end there again."""
    files = cut(output('mn_pair'), 0.6)
    files[POTENTIAL] = files[POTENTIAL][: len(files[POTENTIAL]) // 3]
    chain = by_hand(SIMPLE)
    start = chain.start
    _, exit_code = chain.end(files)
    assert exit_code.status == 0
    assert chain.start == start
    assert chain.settings('IMIX', 'MIXFAC') == (0, 0.04)
    assert chain.chain.ctx.inputs.metadata.disable_cache
    _, exit_code = chain.end(files)
    assert exit_code.status == Outcome.INTERRUPTED
    _, exit_code = by_hand(SIMPLE).end(files, status=120)
    assert exit_code.status == 420


def test_calculations_that_do_not_iterate_are_not_continued(by_hand, output):
    """Without mixing the potential stays what it was: the same again, once."""
    files = cut(output('mn_pair'), 0.6)
    for settings in ({'MIXFAC': 0.0}, {'CALCJIJMAT': 1}):
        chain = by_hand(settings)
        start = chain.start
        _, exit_code = chain.end(files, status=140)
        assert exit_code.status == 0
        assert chain.start == start
        assert dict(chain.chain.ctx.inputs.parameters) == settings
        assert by_hand(settings).end(files, status=120)[1].status == 420
        assert by_hand(settings).end(output('in_in_cu_core_state_lost'))[1].status in (321, 322)


def test_results_that_cannot_be_read(by_hand, output):
    files = {name: data for name, data in output('mn_pair').items() if 'energy' not in name}
    chain = by_hand(SIMPLE)
    node, _ = chain.end(files)
    assert node.exit_status == Outcome.OUTPUT_INCOMPLETE
    assert chain.start == node
    _, exit_code = chain.end(files)
    assert exit_code.status == Outcome.OUTPUT_INCOMPLETE
    assert 'disk space' in exit_code.message
    without_potential = {**files, POTENTIAL: b''}
    chain = by_hand(SIMPLE)
    start = chain.start
    chain.end(without_potential)
    assert chain.start == start


CRASH = {STDERR: b'forrtl: severe (174): SIGSEGV, segmentation fault occurred\n'}


@pytest.mark.parametrize(
    ('change', 'status', 'ending'),
    [
        (lambda files: {**cut(files, 0.6), **CRASH}, None, Outcome.CRASHED),
        (lambda files: {}, None, Outcome.OUTPUT_MISSING),
        (lambda files: {LOG: b'', STDOUT: b''}, None, Outcome.OUTPUT_EMPTY),
        (lambda files: {}, 100, Outcome.NO_RETRIEVED_FOLDER),
    ],
)
def test_crashes_are_repeated_once(by_hand, output, change, status, ending):
    files = change(output('mn_pair'))
    chain = by_hand(SIMPLE)
    start = chain.start
    node, exit_code = chain.end(files, status)
    assert node.exit_status == (status or ending)
    assert exit_code.status == 0
    assert chain.start == start
    assert chain.settings('IMIX', 'MIXFAC') == (0, 0.04)
    _, exit_code = chain.end(files, status)
    assert exit_code.status == ending
    assert 'error output of the scheduler' in exit_code.message


def test_a_parser_that_failed(by_hand):
    _, exit_code = by_hand(SIMPLE).end({}, status=Outcome.PARSER_FAILED, parsed=False)
    assert exit_code.status == Outcome.PARSER_FAILED


def test_out_of_memory(by_hand, output):
    """Even where iterations were done: the next calculation would need as much."""
    _, exit_code = by_hand(SIMPLE).end(cut(output('mn_pair'), 0.6), status=110)
    assert exit_code.status == 421
    assert 'max_memory_kb' in exit_code.message


def test_killed(by_hand):
    _, exit_code = by_hand(SIMPLE).end({}, state=ProcessState.KILLED, parsed=False)
    assert exit_code.status == 302
    assert 'was killed' in exit_code.message


def test_an_exit_status_that_nobody_knows(by_hand):
    """aiida-core's own way: on_unhandled_failure."""
    assert by_hand(SIMPLE).end({}, status=131, parsed=False)[1].status == 402
    chain = by_hand(SIMPLE, on_unhandled_failure='restart_once')
    assert chain.end({}, status=131, parsed=False)[1] is None
    assert chain.end({}, status=131, parsed=False)[1].status == 402


def test_the_state_survives_a_stopped_daemon(by_hand, output):
    """All that is remembered between two calculations can be written down and read again."""
    chain = by_hand(SIMPLE)
    node, _ = chain.end(cut(output('mn_pair'), 0.6))
    before = chain.chain.ctx
    chain.chain._context = deserialize_unsafe(serialize(before))
    assert chain.start == node
    assert chain.chain.ctx.sane == node
    assert chain.chain.ctx.errors == before.errors != []
    chain.end(output('in_in_cu_core_state_lost'))
    assert chain.start == node
    assert chain.settings('MIXFAC') == (0.01,)
