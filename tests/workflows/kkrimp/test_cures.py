"""Decisions on plain settings, and what is found in results: no profile needed."""

from __future__ import annotations

import math

import pytest

from aiida_mlkkr.kkr.cures import (
    Cures,
    changes_potential,
    mixing_words,
    remaining_field,
    remaining_simple_steps,
)
from aiida_mlkkr.workflows.kkrimp.findings import Findings, last_words

DEFAULTS = {
    'mixing_factor': 0.5,
    'simple_steps': 4,
    'stagnating': 2,
    'diverging': 3,
    'false_convergence': 1,
    'repeats': 1,
}
CURES = Cures(**DEFAULTS)


def mixing(settings):
    return tuple(settings[key] for key in ('IMIX', 'MIXFAC', 'NSIMPLEMIXFIRST', 'ITDBRY'))


def test_calmer_mixing():
    assert mixing(CURES.calmer({})) == (5, 0.025, 4, 20), 'from what KkrimpCalculation writes without settings'
    assert mixing(CURES.calmer({'IMIX': 0, 'MIXFAC': 0.1, 'ITDBRY': 30})) == (5, 0.05, 4, 30)
    assert mixing(CURES.calmer({'IMIX': 4, 'MIXFAC': 0.1, 'NSIMPLEMIXFIRST': 9})) == (5, 0.05, 9, 20)


def test_other_mixing():
    first = CURES.other_mixing({'MIXFAC': 0.1, 'QBOUND': 1e-5})
    assert mixing(first) == (5, 0.1, 0, 20)
    second = CURES.other_mixing(first)
    assert mixing(second) == (5, 0.05, 4, 20)
    assert second['QBOUND'] == 1e-5


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'divergin': 3}, 'unknown: divergin; there are mixing_factor'),
        ({'mixing_factor': 1.5}, 'mixing_factor is a number between 0 and 1, not 1.5'),
        ({'mixing_factor': 'half'}, 'not half'),
        ({'repeats': -1}, 'repeats is a whole number from 0 on, not -1'),
        ({'simple_steps': 2.5}, 'simple_steps is a whole number from 0 on, not 2.5'),
    ],
)
def test_numbers_out_of_range(values, words):
    with pytest.raises(ValueError, match=words):
        Cures.from_values(DEFAULTS, values)


def test_some_numbers_replaced():
    assert Cures.from_values(DEFAULTS, {'repeats': 5}) == Cures(**{**DEFAULTS, 'repeats': 5})


def test_the_initial_field_acts_as_long_as_asked_for():
    settings = {'HFIELD': [0.02, 10]}
    assert remaining_field(settings, 4) == {'HFIELD': [0.02, 6]}
    assert remaining_field(settings, 10) == remaining_field(settings, 11) == {'HFIELD': [0.0, 0]}
    assert remaining_field({}, 3) == remaining_field({'HFIELD': None}, 3) == {}


def test_simple_steps_come_first_and_once():
    assert remaining_simple_steps({'NSIMPLEMIXFIRST': 5}, 3) == {'NSIMPLEMIXFIRST': 2}
    assert remaining_simple_steps({'NSIMPLEMIXFIRST': 5}, 30) == {'NSIMPLEMIXFIRST': 0}
    assert remaining_simple_steps({}, 3) == {}


@pytest.mark.parametrize(
    ('settings', 'changes'), [({}, True), ({'MIXFAC': 0.0}, False), ({'CALCJIJMAT': 1}, False), ({'MIXFAC': 0.1}, True)]
)
def test_settings_that_iterate(settings, changes):
    assert changes_potential(settings) is changes


def test_words():
    assert mixing_words({}) == 'IMIX= 0, MIXFAC= 0.05'
    assert mixing_words({'IMIX': 5, 'MIXFAC': 0.0075}) == 'IMIX= 5, MIXFAC= 0.0075, NSIMPLEMIXFIRST= 0'
    cause = 'Traceback …\nValueError: no potential'
    assert last_words(f'{cause}\n\nThe above exception was the direct cause …\n\nPreSubmitException') == (
        'ValueError: no potential'
    )
    assert last_words('OSError: gone\n') == 'OSError: gone'


RESULTS = {
    'convergence_group': {'rms_all_iterations': [0.3, None, 0.1], 'rms_spin_all_iterations': [0.4, 0.2, 0.0]},
    'mlkkr_group': {'potential_usable': True, 'sanity_checked': True, 'problems': [], 'outcome': 'ERROR_INTERRUPTED'},
}


def changed(**own):
    return Findings.from_results({**RESULTS, 'mlkkr_group': {**RESULTS['mlkkr_group'], **own}})


def test_findings():
    found = changed()
    assert found.errors == pytest.approx((0.4, math.nan, 0.1), nan_ok=True)
    assert found.leads_on
    assert found.sane


def test_without_spin():
    group = {'rms_all_iterations': [0.3, 0.1], 'rms_spin_all_iterations': []}
    assert Findings.from_results({'convergence_group': group}).errors == (0.3, 0.1)


def test_density_of_states():
    assert Findings.from_results({'convergence_group': {'doscalc': True}}).density_of_states
    assert not changed().density_of_states


def test_nothing_found():
    assert Findings.from_results({}) == Findings()
    assert not Findings().leads_on


@pytest.mark.parametrize(
    ('own', 'leads_on'),
    [
        ({'potential_usable': False}, False),
        ({'sanity_checked': False}, True),
        ({'problems': [{'name': 'd_shell'}]}, True),
        ({'diverging': True}, True),
        ({'outcome': 'ERROR_NOT_FINITE'}, True),
        ({'outcome': 'ERROR_CORE_STATE_LOST'}, True),
    ],
)
def test_not_sane(own, leads_on):
    assert not changed(**own).sane
    assert changed(**own).leads_on is leads_on
