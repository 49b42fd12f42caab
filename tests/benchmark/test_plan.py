"""Which predictions are used as starts, and what the figures of a benchmark are drawn from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from model_clusters import KIND, record
from rich.progress import Progress

from aiida_mlkkr.benchmark.cases import Case, Files
from aiida_mlkkr.benchmark.iterations import Origin, ScfRow, measure
from aiida_mlkkr.benchmark.plan import EmulatorBenchmark, Plan
from aiida_mlkkr.benchmark.report import write_report
from aiida_mlkkr.benchmark.scf import Scf
from aiida_mlkkr.benchmark.starts import Start
from aiida_mlkkr.kkr.schedule import Schedule
from aiida_mlkkr.ml.emulator import EmulatorSettings
from aiida_mlkkr.ml.errors import DatasetError

TUNED = Schedule('tuned', ({'IMIX': 5},), (0.0, 0))
FILES = Files(None, None, 0.0, None)


def plan(model: str, split: str, max_expected: float = 0.05, **options: int) -> Plan:
    settings = EmulatorSettings(model=model, radial_functions=4, options=options)
    return Plan((settings,), (split,), (model,), (split,), (), (), (TUNED,), max_expected)


def no_scf(*_):
    raise AssertionError('such a prediction is not used')


def test_far_and_uncertain_predictions_are_not_used(cases, tmp_path):
    """Gd is far from the 3d row; of the others any error is too large here."""
    with_files = [replace(case, files=FILES) for case in cases[:5]]
    gadolinium = Case(KIND, record({0: 64.0}), FILES)
    with Progress(disable=True) as progress:
        measured = EmulatorBenchmark(
            [*with_files, gadolinium], plan('nearest_in_host', 'impurity', 0.0), tmp_path, no_scf, progress
        )
        measured.run_scf()
    problems = {row.elements: row.problem for row in measured.iterations.rows}
    assert 'refused: Gd in place of Cu is out of the range of the model' in problems.pop('Gd')
    assert len(problems) == 5
    assert all(problem.startswith('too uncertain: ') for problem in problems.values())
    assert not any(row.iterations for row in measured.iterations.rows)


def test_tables_of_other_impurities_are_not_added_to(cases, tmp_path):
    with Progress(disable=True) as progress:
        for its in (cases, cases[::-1]):
            EmulatorBenchmark(its, plan('kernel', 'host'), tmp_path, no_scf, progress)
        with pytest.raises(DatasetError, match='of other impurities than these: choose another folder'):
            EmulatorBenchmark(cases[1:], plan('kernel', 'host'), tmp_path, no_scf, progress)


@pytest.fixture
def measured(cases, tmp_path):
    """Two hosts from one another, and the iterations of Mn."""
    with Progress(disable=True) as progress:
        benchmark = EmulatorBenchmark(
            cases, plan('kernel', 'host', observations_for_lengths=10), tmp_path, no_scf, progress
        )
        benchmark.run_errors()
        for origin, iterations in ((Origin('voronoi'), 80), (Origin('kernel', 'host', 'Cu'), 20)):
            benchmark.iterations.add(row_of(cases[2], replace(origin, error=40.0 * iterations / 80), iterations))
        yield benchmark


def row_of(case: Case, origin: Origin, iterations: int) -> ScfRow:
    scf = Scf(iterations, True, '', case.record.moments, case.record.charges, 0.0)
    return measure(case, FILES, origin, Start(None, True), TUNED, lambda *_: scf)


def test_figures_of_potentials_and_savings(measured, tmp_path):
    written = write_report(measured, tmp_path)
    assert {'report.md', 'potentials.png', 'parity.png', 'savings_tuned.png'} <= set(written)
    assert all((tmp_path / name).stat().st_size > 0 for name in written)
    assert '| host | kernel | tuned | 75% (1) |' in (tmp_path / 'report.md').read_text()
