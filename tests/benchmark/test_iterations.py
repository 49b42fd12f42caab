"""Savings: what counts as found, failures count as nothing, and rows survive the file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aiida_mlkkr.benchmark.cases import Files
from aiida_mlkkr.benchmark.iterations import Origin, ScfRow, measure
from aiida_mlkkr.benchmark.rows import Table
from aiida_mlkkr.benchmark.scf import Scf
from aiida_mlkkr.benchmark.starts import Start
from aiida_mlkkr.benchmark.summary import class_of, failure_table, saving_table, savings, tables
from aiida_mlkkr.kkr.schedule import Schedule

SCHEDULE = Schedule('tuned', ({'IMIX': 5},), (0.0, 0))
START = Start(None, True)


@pytest.fixture
def scf(cases):
    """The known solution of Mn, found in 20 iterations."""
    record = cases[2].record
    return Scf(20, True, '', record.moments.copy(), record.charges.copy(), -2600.0)


def row(cases, scf, start='kernel', error=4.0):
    files = Files(None, None, -2600.0, None)
    origin = Origin(start, *(('', '') if start == 'voronoi' else ('impurity', 'Mn')), error=error)
    return measure(cases[2], files, origin, START, SCHEDULE, lambda *_: scf)


def test_the_known_solution(cases, scf):
    found = row(cases, scf)
    assert (found.iterations, found.problem) == (20, '')
    turned = dataclasses.replace(scf, moments=-scf.moments)
    assert row(cases, turned).iterations == 20, 'all moments reversed is the same solution'


@pytest.mark.parametrize(
    'changed',
    [
        {'moments': np.zeros(13)},
        {'charges': np.full(13, 28.9)},
        {'energy': -2599.9},
        {'converged': False, 'problem': 'not converged after 300 iterations'},
    ],
)
def test_anything_else_saves_nothing(cases, scf, changed):
    failed = row(cases, dataclasses.replace(scf, **changed))
    assert failed.iterations == 0
    assert failed.problem == changed.get('problem', 'another solution')
    reference = row(cases, dataclasses.replace(scf, iterations=80), 'voronoi', 40.0)
    assert [saving for _, saving in savings([reference, failed], 'voronoi')] == [0.0]
    assert failure_table([reference, failed]).rows[0][-1] == failed.problem


def test_a_start_that_cannot_be_made(cases, scf):
    origin = Origin('kernel', 'impurity', 'Mn', problem='refused: out of range')
    failed = measure(cases[2], Files(None, None, 0.0, None), origin, None, SCHEDULE, lambda *_: scf)
    assert (failed.iterations, failed.problem) == (0, 'refused: out of range')


def test_savings(cases, scf):
    rows = [row(cases, dataclasses.replace(scf, iterations=80), 'voronoi', 40.0), row(cases, scf)]
    ((_, saving),) = savings(rows, 'voronoi')
    assert saving == pytest.approx(0.75)
    (line,) = saving_table(rows, 'voronoi').rows
    assert line == ('impurity', 'kernel', 'tuned', '75% (1)', '–', '–', '0', '0', '0')
    wrong = row(cases, dataclasses.replace(scf, energy=-2599.9))
    refused = dataclasses.replace(wrong, error=float('nan'), problem='refused: out of range')
    ((*_, not_used, failed, _),) = saving_table([rows[0], wrong, refused], 'voronoi').rows
    assert (not_used, failed) == ('1', '1')
    assert savings(rows, 'free_atoms') == []
    assert len(tables([], rows, [], [])) == 2, 'savings against the voronoi start, iterations'


def test_classes(cases, scf):
    magnetic = row(cases, scf)
    assert class_of(magnetic) == 'magnetic'
    assert class_of(dataclasses.replace(magnetic, magnetic=False, elements='Al')) == 'sp'
    assert class_of(dataclasses.replace(magnetic, magnetic=False, elements='Zn')) == 'd'


def test_rows_in_a_file(cases, scf, tmp_path):
    table = Table(tmp_path / 'rows.csv', ScfRow)
    first, second = row(cases, scf), row(cases, scf, 'voronoi')
    for entry in (first, second):
        table.add(entry)
    again = Table(tmp_path / 'rows.csv', ScfRow)
    assert [entry.key for entry in again.rows] == [first.key, second.key]
    assert again.rows[0].iterations == 20
    assert again.rows[0].magnetic is True
    assert np.isnan(again.rows[0].expected)
    assert first.key in again
    assert Origin('host').key(cases[2], SCHEDULE) not in again
