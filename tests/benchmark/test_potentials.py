"""Errors of left-out impurities: measured on the right sites, by models that have not seen them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.progress import Progress

from aiida_mlkkr.benchmark.plan import CURVES, ERRORS, EmulatorBenchmark, Plan
from aiida_mlkkr.benchmark.potentials import (
    ErrorRow,
    channel_rows,
    deviations,
    error_row,
    fixed_row,
    own_and_around,
    predict_fold,
)
from aiida_mlkkr.benchmark.report import write_report
from aiida_mlkkr.benchmark.rows import Table
from aiida_mlkkr.benchmark.summary import channel_table, shell_table
from aiida_mlkkr.ml.emulator import EmulatorSettings
from aiida_mlkkr.ml.splits import Fold

NEAREST = EmulatorSettings(model='nearest_in_host', radial_functions=8)
STANDARD = EmulatorSettings(model='standard_start', radial_functions=8)
PLAN = Plan((NEAREST, STANDARD), ('impurity', 'host'), (), (), (), (), (), 0.05)


@pytest.fixture(scope='module')
def folder(cases, tmp_path_factory):
    """Of a benchmark without self-consistencies."""
    path = tmp_path_factory.mktemp('benchmark')
    with Progress(disable=True) as progress:
        measured = EmulatorBenchmark(cases, PLAN, path, no_scf, progress)
        measured.run()
        write_report(measured, path)
    return path


def no_scf(*_):
    raise AssertionError('there are no files to iterate with')


def test_a_potential_that_is_off_by_a_constant(cases):
    case = cases[2]
    found = deviations(case, [v + np.array([[0.002], [0.0]]) for v in case.record.v])
    assert found['error'] == pytest.approx(1e3 * 0.002 / np.sqrt(2))
    assert found['average'] == pytest.approx(1.0)
    assert found['splitting'] == pytest.approx(1.0)
    assert found['around'] == pytest.approx(found['error'])
    assert found['shell_1'] == pytest.approx(found['shell_4'])
    exact = deviations(case, case.record.v)
    assert not any(exact.values())


def test_errors_by_channel(cases):
    case = cases[2]
    (row,) = channel_rows(case, [v + 0.002 for v in case.record.v], 'impurity', 'Mn', 'kernel')
    assert (row.channel, row.error) == (1, pytest.approx(2.0))
    (line,) = channel_table([row]).rows
    assert line == ('impurity', 'kernel', '2')


def test_sites_with_impurities_and_others(cases):
    values = np.array([3.0] + [1.0] * 12)
    assert own_and_around(cases[0], values) == (3.0, 1.0)


def test_standard_start_is_the_reference(cases):
    fold = Fold('Mn', np.array([0, 1, 3]), np.array([2]))
    (outcome,) = predict_fold(cases, fold, STANDARD)
    row = error_row(outcome, 'impurity', 'Mn', 'standard_start')
    record = cases[2].record
    assert row.error == pytest.approx(deviations(cases[2], [np.stack([v, v]) for v in record.reference])['error'])
    assert row.training == 3
    assert row.known_moment == pytest.approx(4.0)


def test_splittings_are_those_of_magnetic_impurities(cases):
    """Most impurities have none, and the median over all would say that of them."""
    rows = [fixed_row(case, 'host', [v + 0.0 for v in case.record.v]) for case in cases[:5]]
    rows = [replace(row, splitting=30.0 if row.magnetic else 0.0) for row in (*rows, *rows[4:] * 5)]
    (line,) = shell_table(rows).rows
    assert line == ('–', 'host', '0', '30', '0', '0', '0', '0')


def test_a_model_that_cannot_be_trained_or_refuses_gives_a_reason(cases):
    fold = Fold('all', np.array([], dtype=np.int64), np.array([2]))
    (outcome,) = predict_fold(cases, fold, NEAREST)
    row = error_row(outcome, 'impurity', 'all', 'nearest_in_host')
    assert 'empty' in row.refusal
    assert np.isnan(row.error)


def test_every_impurity_is_left_out_once_in_every_split(cases, folder):
    keys = [row.key for row in Table(folder / ERRORS, ErrorRow).rows]
    assert len(set(keys)) == len(keys) == len(cases) * 2 * 2


def test_what_is_there_is_not_computed_again(cases, folder):
    before = {name: (folder / name).read_text() for name in (ERRORS, CURVES)}
    with Progress(disable=True) as progress:
        again = EmulatorBenchmark(cases, PLAN, folder, no_scf, progress)
        again._predictor = None
        again.run_errors()
        again.run_curves()
    assert before == {name: (folder / name).read_text() for name in (ERRORS, CURVES)}


def test_report(folder):
    report = (folder / 'report.md').read_text()
    assert '| impurity | nearest_in_host | 10 | 0 |' in report
    assert 'Calibration' in report
    assert {path.name for path in folder.glob('*.png')} == {'moments.png', 'calibration.png', 'learning_curves.png'}
