"""Mixing schedules: what is read, what is refused, and when the initial field acts."""

from __future__ import annotations

import pytest

from aiida_mlkkr.kkr.schedule import Schedule, schedule_values
from aiida_mlkkr.workflows.protocols import read_protocols

STAGE = {'IMIX': 0, 'MIXFAC': 0.03, 'SCFSTEPS': 50, 'QBOUND': 1e-2}
VALUES = {'name': 'mine', 'stages': [STAGE, {**STAGE, 'IMIX': 5, 'ITDBRY': 20}], 'initial_field': [0.02, 10]}


@pytest.mark.parametrize('name', ['default', 'tuned'])
def test_the_schedules_of_the_package(name):
    schedule = Schedule.from_values(schedule_values(read_protocols('schedules'), name, 1e-7))
    assert schedule.name == name
    assert schedule.stages[-1]['QBOUND'] == 1e-7
    assert all(stage['QBOUND'] > 1e-7 for stage in schedule.stages[:-1])
    assert schedule.after(0.001).stages[-1]['QBOUND'] == 1e-7
    assert schedule.initial_field[0] > 0


def test_the_default_is_that_of_the_archived_runs():
    schedule = Schedule.from_values(schedule_values(read_protocols('schedules'), 'default', 1e-6))
    assert schedule.initial_field == (0.02, 10)
    first, last = schedule.stages
    assert (first['IMIX'], first['MIXFAC'], first['QBOUND']) == (0, 0.03, 1e-2)
    assert (last['IMIX'], last['MIXFAC'], last['ITDBRY'], last['NSIMPLEMIXFIRST']) == (5, 0.03, 20, 0)


def test_the_field_acts_in_the_first_stage_and_is_taken_away_in_the_others():
    schedule = Schedule.from_values(VALUES)
    assert schedule.settings(0, (0.02, 10)) == {**STAGE, 'HFIELD': [0.02, 10]}
    assert schedule.settings(1, (0.02, 10))['HFIELD'] == [0.0, 0]
    assert schedule.keys == {'HFIELD', 'IMIX', 'MIXFAC', 'SCFSTEPS', 'QBOUND', 'ITDBRY'}


def test_stages_of_their_own_from_near_the_solution():
    values = {**VALUES, 'near': {'error': 0.02, 'stages': [{**STAGE, 'MIXFAC': 0.5, 'LAST': 1}]}}
    schedule = Schedule.from_values(values)
    assert schedule.to_values() == values
    assert [stage['MIXFAC'] for stage in schedule.after(0.03).stages] == [0.03, 0.03]
    assert [stage['MIXFAC'] for stage in schedule.after(0.01).stages] == [0.5]
    assert 'LAST' in schedule.keys
    without = Schedule.from_values(VALUES)
    assert without.to_values() == VALUES
    assert without.after(0.0) == without


@pytest.mark.parametrize(
    ('state_known', 'asked', 'field'),
    [
        (False, None, (0.02, 10)),
        (False, [3.0], (0.02, 10)),
        (False, [-3.0, 0.0], (-0.02, 10)),
        (False, [0.0], (0.0, 0)),
        (True, None, (0.0, 0)),
        (True, [3.0, -3.0], (0.0, 0)),
    ],
)
def test_when_the_field_acts(state_known, asked, field):
    assert Schedule.from_values(VALUES).field(state_known, asked) == field


def test_a_field_does_not_make_moments_of_both_signs():
    with pytest.raises(ValueError, match='moments of both signs'):
        Schedule.from_values(VALUES).field(False, [3.0, -3.0])


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'stages': []}, 'at least one stage'),
        ({'stages': 3}, 'at least one stage, in a list, not 3'),
        ({'stages': [3]}, 'stage 1 of the schedule is a dictionary of settings, not 3'),
        ({'stages': [{**STAGE, 'QBOUND': float('nan')}]}, 'a number of Ry above 0, not nan'),
        ({'stages': [{'IMIX': 0}]}, 'stage 1 of the schedule lacks MIXFAC, SCFSTEPS, QBOUND'),
        ({'stages': [{**STAGE, 'HFIELD': [0.1, 1]}]}, 'give initial_field instead'),
        ({'near': {'error': 0.02, 'stages': []}}, 'at least one stage'),
        ({'near': {'error': 0.0, 'stages': [STAGE]}}, 'near has an error, a number of Ry above 0'),
        ({'near': {'error': 0.02}}, 'near has an error'),
        ({'initial_field': [-0.1, 3]}, 'initial_field is a strength'),
        ({'initial_field': [0.1, 2.5]}, 'initial_field is a strength'),
        ({'initial_field': 0.1}, r'initial_field is a strength \(Ry\) and a number of iterations, not 0\.1'),
        ({'initial_field': ['strong', 3]}, 'initial_field is a strength'),
        ({'initial_field': [float('nan'), float('inf')]}, 'initial_field is a strength'),
        ({'mixing': 1}, 'this one has initial_field, mixing, name, stages'),
    ],
)
def test_what_is_no_schedule(change, words):
    with pytest.raises(ValueError, match=words):
        Schedule.from_values({**VALUES, **change})


def test_a_name_that_is_not_there():
    with pytest.raises(ValueError, match='there is no schedule wild'):
        schedule_values(read_protocols('schedules'), 'wild', 1e-6)
