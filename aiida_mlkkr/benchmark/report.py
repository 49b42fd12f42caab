"""Tables and figures of a benchmark as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_mlkkr.benchmark.plan import EmulatorBenchmark
from aiida_mlkkr.benchmark.potentials import ErrorRow
from aiida_mlkkr.benchmark.summary import savings, tables
from aiida_mlkkr.plot.emulators import (
    PotentialColumn,
    calibration_figure,
    curves_figure,
    matrix_figure,
    parity_figure,
    savings_figure,
)

Floats = NDArray[np.float64]
Pairs = dict[str, tuple[Floats, Floats]]

REPORT: Final = 'report.md'
_COLUMNS: Final = 8


def write_report(measured: EmulatorBenchmark, folder: Path) -> list[str]:
    """Write ``report.md`` and the figures that there are data for; return the names of the files."""
    errors, iterations, curves = measured.errors.rows, measured.iterations.rows, measured.curves.rows
    texts = [table.markdown for table in tables(errors, iterations, curves, measured.channels.rows)]
    (folder / REPORT).write_text('\n'.join(texts), encoding='utf-8')
    written = [REPORT]
    for name, figure in _figures(measured):
        figure.savefig(folder / f'{name}.png', dpi=110)
        written.append(f'{name}.png')
    return written


def _figures(measured: EmulatorBenchmark) -> Iterator[tuple[str, Figure]]:
    split = measured.plan.splits[0]
    rows = [row for row in measured.errors.rows if row.split == split and not row.refusal]
    models = dict.fromkeys(row.model for row in rows)
    if columns := list(_columns(measured)):
        yield 'potentials', matrix_figure(columns)
        yield 'parity', parity_figure({column.label: _parity(column) for column in columns}, '$V - V_0$ (Ry)')
    moments = {model: _pairs(rows, model, 'known_moment', 'moment') for model in models}
    if moments:
        yield 'moments', parity_figure(moments, 'moment (µB)')
        yield 'calibration', calibration_figure({model: _pairs(rows, model, 'expected', 'error') for model in models})
    if measured.curves.rows:
        yield 'learning_curves', curves_figure(_curves(measured))
    for schedule in dict.fromkeys(row.schedule for row in measured.iterations.rows):
        if starts := _savings(measured, schedule):
            yield f'savings_{schedule}', savings_figure(starts, 'the voronoi start')


def _columns(measured: EmulatorBenchmark) -> Iterator[PotentialColumn]:
    """Impurities spread over the table, as the first model of the plan that learns predicts them."""
    learning = [model for model in measured.plan.models if model.model not in BASELINES]
    if not learning:
        return
    outcomes = [one for _, one in measured.outcomes(measured.plan.splits[0], learning[0]) if one.prediction]
    for outcome in sorted(outcomes, key=lambda one: one.case.record.z.max())[:: -(-len(outcomes) // _COLUMNS)]:
        record, prediction = outcome.case.record, outcome.prediction
        assert prediction is not None
        site = int(record.impurities[0])
        mesh = record.host.meshes[record.layer[site] - 1]
        average = [values.mean(axis=0)[: mesh.n] for values in (prediction.v[site], record.v[site])]
        title = f'{outcome.case.elements} in {record.host.name.partition(" ")[0]}'
        yield PotentialColumn(title, mesh.r, record.reference[site][: mesh.n], average[0], average[1])


BASELINES: Final = ('standard_start', 'nearest_in_host', 'nearest_in_table')
"""Models that are there to be beaten."""


def _parity(column: PotentialColumn) -> tuple[Floats, Floats]:
    return column.converged - column.start, column.predicted - column.start


def _pairs(rows: list[ErrorRow], model: str, one: str, other: str) -> tuple[Floats, Floats]:
    its = [row for row in rows if row.model == model]
    return np.array([getattr(row, one) for row in its]), np.array([getattr(row, other) for row in its])


def _curves(measured: EmulatorBenchmark) -> Pairs:
    curves: Pairs = {}
    for model in dict.fromkeys(row.model for row in measured.curves.rows):
        its = [row for row in measured.curves.rows if row.model == model and np.isfinite(row.error)]
        sizes = sorted({row.size for row in its})
        medians = [np.median([row.error for row in its if row.size == size]) for size in sizes]
        curves[model] = (np.array(sizes, dtype=np.float64), np.array(medians))
    return curves


def _savings(measured: EmulatorBenchmark, schedule: str) -> Pairs:
    starts = {row.source: row.error for row in measured.iterations.rows if row.start == 'voronoi'}
    pairs = [
        (row, saving)
        for row, saving in savings(measured.iterations.rows, 'voronoi')
        if row.schedule == schedule and row.split in ('', measured.plan.splits[0]) and np.isfinite(row.error)
    ]
    return {
        name: (
            np.array([row.error / starts[row.source] for row, _ in pairs if row.start == name]),
            np.array([saving for row, saving in pairs if row.start == name]),
        )
        for name in dict.fromkeys(row.start for row, _ in pairs)
    }
