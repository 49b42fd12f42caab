"""The history of a run: numbers of real runs, judgements on real series of errors, and damaged files."""

import json
import random
import re
import time
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.history import is_beyond_simple_mixing, is_diverging, is_stagnating, read_history

ERRORS = json.loads((Path(__file__).parents[1] / 'data' / 'archived_impurities.json').read_text())['errors']


@pytest.fixture(scope='module')
def mn_pair(archived_output):
    files = archived_output('mn_pair')
    return files['out_log.000.txt'].decode(), files['out_kkrimp'].decode(), files['out_timing.000.txt'].decode()


def test_numbers_of_a_real_run(mn_pair):
    history = read_history(*mn_pair)
    assert history.niter == 14
    assert list(history.iteration) == list(range(1, 15))
    assert history.serial == 'JuKKR_v3.1-1949-g2a47b06b_gnu_20261120234425'
    assert history.rms_charge[[0, -1]] == pytest.approx([9.0311e-3, 3.2635e-7])
    assert history.rms_spin[[0, -1]] == pytest.approx([1.5470e-3, 2.3382e-8])
    assert history.total_energy[[0, -1]] == pytest.approx([-4634.99776716, -4635.00054773], abs=1e-9)
    assert history.charge[-1] == pytest.approx([24.874123] * 2)
    assert history.core_charge[-1] == pytest.approx([18.0] * 2)
    assert history.spin_moment[-1] == pytest.approx([3.017278] * 2)
    assert history.nuclear_charge == pytest.approx([25.0] * 2)
    assert history.rms_charge_site[-1] == pytest.approx([3.2565e-7, 3.2704e-7])
    assert history.rms_spin_site[-1] == pytest.approx([2.3364e-8, 2.3400e-8])
    assert history.l_charge.shape == (14, 2, 2, 3)
    assert history.l_charge[-1, 1] == pytest.approx(
        np.array([[0.28541104, 0.32699346, 1.31601830], [0.30574685, 0.35607976, 4.28387381]])
    )
    assert history.energies.shape == history.weights.shape == (30,)
    assert history.energies[-1] == pytest.approx(0.66276701162858 + 0.01193866595085j)
    assert history.contour_bottom == -0.5


def test_valence_and_core_charge_add_up(mn_pair):
    history = read_history(*mn_pair)
    # printed with eight digits, the total with six
    assert history.l_charge.sum(axis=(2, 3)) + history.core_charge == pytest.approx(history.charge, abs=2e-6)
    assert history.l_charge[:, :, 1].sum(-1) - history.l_charge[:, :, 0].sum(-1) == pytest.approx(
        history.spin_moment, abs=2e-6
    )


def test_settings_and_end_of_a_real_run(mn_pair):
    history = read_history(*mn_pair)
    settings = history.settings
    assert (settings.nspin, settings.natom, settings.ins, settings.kvrel) == (2, 2, 0, 1)
    assert (settings.imix, settings.mixfac, settings.fcm, settings.qbound) == (5, 0.03, 2.0, 1e-6)
    assert settings.scfsteps == 100
    assert settings.spin_orbit is False
    assert settings.testflags == settings.runflags == ()
    assert history.complete
    assert history.stopped_by_criterion
    assert history.converged
    assert not history.diverging
    assert not history.stagnating
    assert not history.has_nan
    assert (history.step, history.runs_in_file, history.iterations_started) == ('end program', 1, 14)


def test_flags_of_a_real_run(archived_output):
    history = read_history(archived_output('jij_crash_signal')['out_log.000.txt'].decode())
    assert history.settings.testflags == ('tmatnew', 'Jij(E)')
    assert history.settings.runflags == ('force_angles',)
    assert history.settings.spin_orbit is True
    assert (history.niter, history.iterations_started) == (0, 1)
    assert (history.step, history.inside_step, history.complete) == ('energyloop', True, False)


def test_full_potential_and_spin_orbit_run(archived_output):
    files = archived_output('mn_pair_spin_orbit')
    history = read_history(files['out_log.000.txt'].decode(), files['out_kkrimp'].decode())
    assert history.converged
    assert history.charge[-1] == pytest.approx([24.873700] * 2)
    assert history.spin_moment[-1] == pytest.approx([3.164609] * 2)
    assert history.rms_charge_site[-1] == pytest.approx([5.5807e-7, 5.7357e-7])


def test_ten_megabytes_take_less_than_a_second(archived_output):
    files = archived_output('co_in_cu_stagnating')
    log, stdout = files['out_log.000.txt'].decode(), files['out_kkrimp'].decode()
    assert len(log) > 9e6
    start = time.process_time()
    history = read_history(log, stdout)
    assert time.process_time() - start < 1.0
    assert history.niter == 100
    assert history.stagnating


@pytest.mark.parametrize('name', ERRORS['converged'])
def test_runs_that_converge_are_never_judged_otherwise(name):
    error = np.array(ERRORS['converged'][name])
    for end in range(1, len(error) + 1):
        assert not is_diverging(error[:end])
        assert not is_stagnating(error[:end])


@pytest.mark.parametrize('name', [name for name in ERRORS['failed'] if 'Z=27' in name or 'Z=31' in name])
def test_co_and_ga_in_cu_stagnate(name):
    error = np.array(ERRORS['failed'][name])
    assert is_stagnating(error)
    assert not is_diverging(error)


@pytest.mark.parametrize('name', [name for name in ERRORS['converged'] if name.endswith(', 0')])
def test_simple_mixing_of_runs_that_converge_makes_progress(name):
    error = np.array(ERRORS['converged'][name])
    # the first stage of each is simple mixing by 0.03
    assert not any(is_beyond_simple_mixing(error[:end], 0.03) for end in range(1, len(error) + 1))


@pytest.mark.parametrize('name', [name for name in ERRORS['failed'] if 'Z=27' in name])
def test_simple_mixing_does_not_move_cobalt(name):
    error = np.array(ERRORS['failed'][name])
    assert is_beyond_simple_mixing(error, 0.03)
    assert is_beyond_simple_mixing(error[:20], 0.03)
    assert not is_beyond_simple_mixing(error[:19], 0.03), 'too early to tell'


def test_slow_contraction_is_no_failure_of_simple_mixing():
    assert not is_beyond_simple_mixing(0.99 ** np.arange(60), 0.01)
    assert not is_beyond_simple_mixing(np.full(60, 1e-6) * 0.97 ** np.arange(60), 0.03)
    assert is_beyond_simple_mixing(np.full(60, 0.1), 0.01)


def test_ni_in_cu_diverges_before_it_converges_to_the_wrong_solution():
    error = np.array(ERRORS['failed']['failures: imp Cu fcc Z=28, 0'])
    assert error[:25].max() > 30
    assert is_diverging(error[:15])
    assert not is_diverging(error)


def test_growing_error_diverges_and_constant_error_stagnates():
    assert is_diverging(0.01 * 1.5 ** np.arange(30))
    assert not is_diverging(1e-6 * 1.1 ** np.arange(30)), 'far below the errors of a wrong potential'
    assert is_stagnating(np.full(40, 0.1))
    assert not is_stagnating(0.1 * 0.99 ** np.arange(100))
    assert not is_diverging(np.full(40, np.nan))
    assert not is_stagnating(np.full(40, np.nan))
    assert not is_diverging(np.array([]))


def test_stdout_alone(mn_pair):
    history = read_history('', mn_pair[1])
    full = read_history(*mn_pair)
    assert history.niter == 14
    assert history.rms_charge == pytest.approx(full.rms_charge)
    assert history.charge == pytest.approx(full.charge)
    assert history.spin_moment == pytest.approx(full.spin_moment)
    assert history.total_energy == pytest.approx(full.total_energy)
    assert history.stopped_by_criterion
    assert history.complete
    assert history.settings.qbound is None
    assert not history.converged, 'QBOUND is in the log only'


def test_truncated_log_is_completed_by_stdout(mn_pair):
    log, stdout, _ = mn_pair
    history = read_history(log[: len(log) // 2], stdout)
    assert history.niter == 14
    assert history.converged


def test_log_shortened_to_the_last_iteration(mn_pair):
    """As aiida-kkr 1.x did after parsing: the standard output has all errors, but had no charges then."""
    log, stdout, timing = mn_pair
    stdout = '\n'.join(line for line in stdout.splitlines() if 'charge' not in line) + '\n'
    whole = read_history(*mn_pair)
    header = log[: log.index('Iteration Number')]
    short = header + '# ... [removed output except for last iteration] ...\n' + log[log.rindex('  Iteration Number') :]
    history = read_history(short, stdout, timing)
    assert history.rms_charge == pytest.approx(whole.rms_charge)
    assert history.rms_spin == pytest.approx(whole.rms_spin)
    assert history.charge[-1] == pytest.approx(whole.charge[-1])
    assert history.l_charge[-1] == pytest.approx(whole.l_charge[-1])
    assert history.core_charge[-1] == pytest.approx(whole.core_charge[-1])
    assert (history.natom, history.complete, history.has_nan) == (2, True, False)


def test_the_last_of_several_appended_runs_counts(mn_pair, archived_output):
    other = archived_output('mn_in_cu')
    log = other['out_log.000.txt'].decode() + mn_pair[0]
    history = read_history(log, other['out_kkrimp'].decode() + mn_pair[1])
    assert (history.runs_in_file, history.niter, history.natom) == (2, 14, 2)
    assert history.charge[-1] == pytest.approx([24.874123] * 2)
    # a second run that broke off at once
    history = read_history(mn_pair[0] + mn_pair[0][:3000], '')
    assert (history.runs_in_file, history.niter, history.complete) == (2, 0, False)


def test_nan_and_overflow(mn_pair):
    log = mn_pair[0].replace('average rms-error : v+ + v- =  3.2635D-07', 'average rms-error : v+ + v- =         NaN')
    assert log != mn_pair[0]
    history = read_history(log)
    assert np.isnan(history.rms_charge[-1])
    assert history.has_nan
    assert not history.converged
    log = mn_pair[0].replace('sphere =   24.874123', 'sphere =************')
    history = read_history(log)
    assert history.charge[-1] == pytest.approx([np.inf] * 2)
    assert history.has_nan
    log = mn_pair[0].replace('ITERATION  14 average', 'ITERATION**** average')
    assert read_history(log).niter == 14


def test_a_lost_line_loses_its_numbers_only(mn_pair):
    last = mn_pair[0].rindex('  Atom    2 charge in wigner seitz sphere')
    log = mn_pair[0][:last] + mn_pair[0][mn_pair[0].index('\n', last) + 1 :]
    history = read_history(log)
    assert np.isnan(history.charge[-1]).all()
    assert history.charge[-2] == pytest.approx([24.874085] * 2)
    assert history.spin_moment[-1] == pytest.approx([3.017278] * 2)


def test_truncated_anywhere_keeps_all_complete_iterations(mn_pair):
    log = mn_pair[0]
    full = read_history(log)
    ends = [match.end() for match in re.finditer(r'average rms-error.*\n', log)]
    random.seed(1)
    for cut in sorted(random.sample(range(len(log)), 60)):
        history = read_history(log[:cut])
        complete = sum(end <= cut for end in ends)
        assert history.niter == complete
        if complete:
            assert history.charge == pytest.approx(full.charge[:complete])
            assert history.rms_charge == pytest.approx(full.rms_charge[:complete])
        assert history.complete == ('end program' in log[: log[:cut].rfind('\n') + 1])


def test_any_text_has_a_history(mn_pair):
    random.seed(2)
    log = mn_pair[0][:60000]
    characters = '*#=:>< \n\tNaND-+.09s\0\x1b\xff'
    for _ in range(100):
        text = list(log)
        for _ in range(200):
            text[random.randrange(len(text))] = random.choice(characters)
        read_history(''.join(text), ''.join(random.choices(characters, k=500)))
    assert read_history('').niter == 0
    assert read_history('', '').charge.shape == (0, 0)


def test_without_spin_polarisation():
    rows = '\n'.join(
        [
            ' NSPIN    =            1',
            'QBOUND   =              0.100E-03',
            ' NATOM is               2',
            '  Iteration Number            1',
            '   ATOM        Ne        ',
            '   ==========================',
            '      1   s =  0.70000000',
            '          p =  0.80000000',
            '          d =  9.50000000',
            '          ns   0.00000000',
            '          -------------------',
            '          TOT 11.00000000',
            '   ==========================',
            '      2   s =  0.60000000',
            '          p =  0.90000000',
            '          d =  9.50000000',
            '          TOT 11.00000000',
            '',
            '############################################',
            ' ATOM           1',
            '    nuclear charge   29.000000         core charge =    18.000000',
            ' ATOM           2',
            '    nuclear charge   29.000000         core charge =    18.000000',
            '  Atom    1 charge in wigner seitz sphere =   29.000000',
            '  Atom    2 charge in wigner seitz sphere =   29.100000',
            '      rms-error for atom  1 :v+ + v- =  3.0000D-05',
            '      rms-error for atom  2 :v+ + v- =  4.0000D-05',
            '      ITERATION   1 average rms-error : v+ + v- =  3.5355D-05',
            '               TOTAL ENERGY in ryd. :    -6600.00000000',
            '',
        ]
    )
    history = read_history(rows)
    assert history.l_charge.shape == (1, 2, 1, 3)
    assert history.l_charge[0, 1, 0] == pytest.approx([0.6, 0.9, 9.5])
    assert history.charge[0] == pytest.approx([29.0, 29.1])
    assert history.spin_moment[0] == pytest.approx([0.0, 0.0])
    assert history.rms_spin == pytest.approx([0.0])
    assert history.converged
    assert not history.has_nan
