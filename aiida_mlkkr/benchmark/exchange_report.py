"""Tables and figures of the benchmark of exchange as files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.benchmark.exchange import ExchangeBenchmark, by_seed
from aiida_mlkkr.benchmark.summary import NOTHING, TextTable
from aiida_mlkkr.ml.exchange.splits import SEEDED, PairSplit
from aiida_mlkkr.plot.emulators import curves_figure, parity_figure

FloatArray = NDArray[np.float64]

REPORT: Final = 'report.md'

WHAT: Final[dict[PairSplit, str]] = {
    'leaky': 'Leaky: rows at random, duplicates left in (as published numbers were made; no measure of a new pair)',
    'random': 'Rows at random, duplicates out (the swapped pair may be in the training set)',
    'swap': 'Dimers left out, both orders together',
    'pair': 'Pairs of elements left out in all geometries',
    'element': 'Elements left out with all their pairs',
    'geometry': 'Geometries left out',
}

_COLUMNS: Final = {
    'refused': 'folds refused',
    'mae': 'MAE (meV)',
    'rmse': 'RMSE (meV)',
    'r2': 'R²',
    'magnetic_mae': 'magnetic MAE (meV)',
    'coverage': 'coverage of 90 %',
    'width': 'width (meV)',
    'interval_score': 'interval score (meV)',
    'd_mae': 'MAE of D (meV)',
    'd_coverage': 'coverage of D',
    'training_seconds': 'training (s)',
    'seconds': 'prediction (s)',
}


def write_report(measured: ExchangeBenchmark, folder: Path) -> list[str]:
    """Write ``report.md`` and the figures that there are data for; return the names of the files."""
    texts = [split_table(measured, split).markdown for split in measured.plan.splits]
    (folder / REPORT).write_text('\n'.join(texts), encoding='utf-8')
    written = [REPORT]
    if parity := measured.parity():
        parity_figure(parity, 'J (meV)', 'computed').savefig(folder / 'parity.png', dpi=110)
        written.append('parity.png')
    if curves := _curves(measured):
        labels = ('rows learnt from', 'error of unseen pairs of elements (meV)')
        curves_figure(curves, *labels).savefig(folder / 'learning_curves.png', dpi=110)
        written.append('learning_curves.png')
    return written


def split_table(measured: ExchangeBenchmark, split: PairSplit) -> TextTable:
    """A row for each model: mean ± standard deviation over the seeds, each over all folds together."""
    if split in measured.impossible:
        return TextTable(WHAT[split], ('not measured',), ((measured.impossible[split],),))
    rows = []
    for model in measured.plan.models:
        found = list(by_seed(measured.table.rows, split, model))
        cells = [
            _cell([one.get(name, float('nan')) for one in found], split) if found else NOTHING for name in _COLUMNS
        ]
        rows.append((model, *cells))
    return TextTable(WHAT[split], ('model', *_COLUMNS.values()), tuple(rows))


def _cell(values: list[float], split: PairSplit) -> str:
    spread = f' ± {np.std(values):.2g}' if split in SEEDED and len(values) > 1 else ''
    return NOTHING if np.isnan(values).all() else f'{np.mean(values):.3g}{spread}'


def _curves(measured: ExchangeBenchmark) -> dict[str, tuple[FloatArray, FloatArray]]:
    seed = measured.plan.seeds[0]
    its = [row for row in measured.table.rows if row.split == 'pair' and row.seed == seed and not row.refusal]
    first = {row.fold for row in its if row.fraction < 1.0}
    curves: dict[str, tuple[FloatArray, FloatArray]] = {}
    for model in measured.plan.models:
        points = sorted((row.training, row.mae) for row in its if row.model == model and row.fold in first)
        if points:
            sizes, errors = np.array(points).T
            curves[model] = (sizes, errors)
    return curves
