"""Several calculations of one self-consistency in short."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_mlkkr.kkr.outcome import judge
from aiida_mlkkr.kkr.run import read_run
from aiida_mlkkr.kkr.scf_summary import history_arrays, magnetic_state, signs_kept, summary


@pytest.fixture(scope='module')
def results(archived_output):
    """Results of JuKKR's Mn in Cu, as the parser writes them."""
    from aiida_mlkkr.parsers.results import output_parameters

    files = {name: content.decode() for name, content in archived_output('mn_in_cu').items()}
    run = read_run(files)
    return output_parameters(run, judge(run))


def test_histories_are_put_together(results):
    errors = results['convergence_group']['rms_all_iterations']
    n = len(errors)
    history = history_arrays([results, results, results], [1, 1, 2])
    assert history['rms_charge'] == pytest.approx(errors * 3)
    assert history['stage_ends'].tolist() == [2 * n, 3 * n]
    assert np.bincount(history['calculation']).tolist() == [0, n, n, n]
    assert np.bincount(history['stage']).tolist() == [0, 2 * n, n]
    assert history['spin_moment'].shape == (3 * n, 13)
    assert history['spin_moment'][-1].sum() == pytest.approx(3.76605, abs=1e-5)
    assert history['rms_spin'].shape == history['total_energy'].shape == (3 * n,)


def test_moments_that_were_not_recorded(results):
    """Each iteration has a row, so that moments and errors belong together."""
    unrecorded = {'convergence_group': {'rms_all_iterations': [1.0, 0.9]}}
    history = history_arrays([unrecorded, results], [1, 2])
    assert history['spin_moment'].shape == (len(history['rms_charge']), 13)
    assert np.isnan(history['spin_moment'][:2]).all()
    assert history['spin_moment'][-1].sum() == pytest.approx(3.76605, abs=1e-5)


def test_summary(results):
    told = summary(results, history_arrays([results, results], [1, 2]))
    n = len(results['convergence_group']['rms_all_iterations'])
    assert told['iterations'] == 2 * n
    assert told['iterations_per_stage'] == [n, n]
    assert told['total_spin_moment'] == pytest.approx(3.76605, abs=1e-5)
    assert told['charge_per_atom'][0] == pytest.approx(24.630716, abs=1e-6)
    assert told['fermi_energy'] == pytest.approx(0.6627670, abs=1e-6)
    assert told['problems'] == []


def test_calculations_that_did_not_come_far(results):
    """One that wrote nothing, and one in which an error is not finite."""
    unfinished = {'convergence_group': {'rms_all_iterations': [1.0, None], 'rms_spin_all_iterations': [0.1, 0.2]}}
    history = history_arrays([{}, unfinished], [1, 1])
    assert history['rms_charge'].tolist() == pytest.approx([1.0, np.nan], nan_ok=True)
    assert np.isnan(history['total_energy']).all()
    assert history['stage_ends'].tolist() == [2]
    assert history['spin_moment'].shape == (2, 0)
    assert summary({}, history_arrays([], []))['iterations'] == 0


@pytest.mark.parametrize(
    ('asked', 'obtained', 'reached'),
    [
        (None, [3.4], None),
        ([4.0], [3.4], True),
        ([4.0], [-3.4], False),
        ([4.0], [1.9], False),
        ([1.0], [2.1], False),
        ([0.0], [0.03], True),
        ([0.0], [-0.2], False),
        ([3.0, -3.0], [3.1, -3.1], True),
        ([3.0, -3.0], [3.1, 3.1], False),
    ],
)
def test_magnetic_state(asked, obtained, reached):
    assert magnetic_state(asked, obtained) == {'asked': asked, 'obtained': obtained, 'reached': reached}


@pytest.mark.parametrize(
    ('asked', 'obtained', 'turned', 'vanished', 'kept'),
    [
        ([5.0, -4.0], [3.0, -2.4], [], [], True),
        ([5.0, -4.0], [3.0, 2.4], [1], [], False),
        ([5.0, -4.0], [-3.0, 2.4], [0, 1], [], False),
        ([5.0, 2.0], [3.0, -0.02], [], [1], True),
        ([5.0, 0.0], [3.0, -0.3], [], [], True),  # induced where none was asked for
        (None, [3.0, -2.4], [], [], None),
    ],
)
def test_signs_of_moments(asked, obtained, turned, vanished, kept):
    state = signs_kept(asked, obtained)
    assert (state['turned'], state['vanished'], state['kept']) == (turned, vanished, kept)
    assert state['obtained'] == [int(np.sign(moment)) if abs(moment) > 0.1 else 0 for moment in obtained]
