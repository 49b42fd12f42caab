"""The tables of the report, as text."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiida_mlkkr.demo.results import MOMENT_TOLERANCE, Impurity, ScfResult, median_saving
from aiida_mlkkr.demo.runs import SCHEDULES, STARTS

NOTHING = '–'


@dataclass(frozen=True)
class TextTable:
    """A table whose headings may have two lines; the last rows are medians."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    medians: tuple[tuple[str, ...], ...] = ()


def tables(impurities: Sequence[Impurity]) -> list[TextTable]:
    """All tables of the report."""
    return [iterations_table(impurities), solutions_table(impurities), times_table(impurities)]


def by_kind(impurities: Sequence[Impurity]) -> dict[str, list[Impurity]]:
    """Magnetic and non-magnetic impurities, as far as there are any."""
    kinds = {
        'magnetic': [impurity for impurity in impurities if impurity.is_magnetic],
        'non-magnetic': [impurity for impurity in impurities if not impurity.is_magnetic],
    }
    return {kind: members for kind, members in kinds.items() if members}


def iterations_table(impurities: Sequence[Impurity]) -> TextTable:
    """Iterations from both starts with both schedules."""
    headings = [
        '',
        'default:\nJuKKR',
        '\nstandard',
        '\nemulator',
        '\nsaved',
        'tuned:\nstandard',
        '\nemulator',
        '\nsaved',
    ]
    rows = []
    for impurity in impurities:
        cells = [impurity.symbol, str(impurity.jukkr.iterations)]
        for schedule in SCHEDULES:
            cells += [iterations(impurity.runs.get((start, schedule))) for start in STARTS]
            cells.append(percent(impurity.saving(schedule)))
        rows.append(tuple(cells))
    medians = [
        (
            kind,
            'median',
            '',
            '',
            percent(median_saving(members, 'default')),
            '',
            '',
            percent(median_saving(members, 'tuned')),
        )
        for kind, members in by_kind(impurities).items()
    ]
    return TextTable('Iterations', tuple(headings), tuple(rows), tuple(medians))


def solutions_table(impurities: Sequence[Impurity]) -> TextTable:
    """Predicted and converged moments and charges, and how far the converged ones are from JuKKR's."""
    headings = (
        '', 'moment (µB):\npredicted', '\nconverged', '\n|Δ|', 'charge (e):\npredicted', '\nconverged', '\n|Δ|',
        'ΔV\n(mRy)', 'same\nsolution',
    )  # fmt: skip
    rows = []
    for impurity in impurities:
        prediction, solution = impurity.prediction, impurity.solution
        cells = [impurity.symbol, *[NOTHING] * 8]
        if prediction is not None:
            cells[1], cells[4] = f'{prediction.moment:.3f}', f'{prediction.charge:.3f}'
        if solution is not None:
            cells[2:4] = f'{solution.moment:.5f}', _small(impurity.moment_spread)
            cells[5:] = (
                f'{solution.charges[0]:.5f}',
                _small(impurity.charge_deviation),
                _small(1e3 * impurity.potential_deviation),
                'yes' if impurity.moment_spread <= MOMENT_TOLERANCE else 'no',
            )
        rows.append(tuple(cells))
    return TextTable('Solutions', headings, tuple(rows))


def times_table(impurities: Sequence[Impurity]) -> TextTable:
    """Seconds that the runs took, and the emulators."""
    headings = (
        '', 'default:\nJuKKR', '\nstandard', '\nemulator', 'tuned:\nstandard', '\nemulator',
        'emulator:\ndatasets', '\ntraining',
    )  # fmt: skip
    rows = []
    for impurity in impurities:
        runs = [impurity.runs.get((start, schedule)) for schedule in SCHEDULES for start in STARTS]
        seconds = [None if run is None else run.seconds for run in (impurity.jukkr, *runs)]
        prediction = impurity.prediction
        seconds += [None, None] if prediction is None else [prediction.datasets, prediction.training]
        rows.append((impurity.symbol, *(NOTHING if value is None else f'{value:.1f}' for value in seconds)))
    return TextTable('Time (s)', headings, tuple(rows))


def _small(value: float) -> str:
    return '0' if value == 0 else f'{value:.0e}'


def iterations(run: ScfResult | None) -> str:
    """Number of iterations; with a mark where they led to nothing, or a start was given up."""
    if run is None:
        return NOTHING
    mark = '' if run.solution is not None else '!'
    return f'{run.iterations}{mark}{"*" if run.dropped else ""}'


def percent(fraction: float | None) -> str:
    """A saving in words of a table."""
    return NOTHING if fraction is None else f'{100 * fraction:.0f} %'


_COLUMNS = (
    'impurity', 'magnetic', 'code', 'start', 'schedule', 'converged', 'iterations', 'saving', 'charge_e', 'moment_muB',
    'energy_Ry', 'seconds', 'nodes', 'starts_dropped', 'predicted_charge_e', 'predicted_moment_muB',
    'predicted_error_Ry', 'datasets_seconds', 'training_seconds', 'trained_on',
)  # fmt: skip


def write_csv(path: Path, impurities: Sequence[Impurity], code: str) -> Path:
    """Write a line for each self-consistency, JuKKR's first."""
    with path.open('w', newline='', encoding='utf-8') as handle:
        writer = csv.DictWriter(handle, _COLUMNS)
        writer.writeheader()
        for impurity in impurities:
            common = {'impurity': impurity.symbol, 'magnetic': impurity.is_magnetic}
            jukkr = {'code': 'JuKKR', 'start': 'standard', 'schedule': 'default', **_values(impurity.jukkr)}
            writer.writerow(common | jukkr)
            for (start, schedule), run in impurity.runs.items():
                line = common | {'code': code, 'start': start, 'schedule': schedule, **_values(run)}
                if start == 'emulator':
                    line |= {'saving': f'{impurity.saving(schedule) or 0.0:.4f}', **_predicted(impurity)}
                writer.writerow(line)
    return path


def _values(run: ScfResult) -> dict[str, object]:
    values: dict[str, object] = {
        'converged': run.solution is not None,
        'iterations': run.iterations,
        'seconds': f'{run.seconds:.2f}',
        'nodes': ' '.join(map(str, run.pks)),
        'starts_dropped': '; '.join(f'{start}: {reason}' for start, reason in run.dropped),
    }
    if run.solution is not None:
        values |= {
            'charge_e': f'{run.solution.charges[0]:.6f}',
            'moment_muB': f'{run.solution.moment:.6f}',
            'energy_Ry': f'{run.solution.energy:.8f}',
        }
    return values


def _predicted(impurity: Impurity) -> dict[str, object]:
    prediction = impurity.prediction
    if prediction is None:
        return {}
    return {
        'predicted_charge_e': f'{prediction.charge:.6f}',
        'predicted_moment_muB': f'{prediction.moment:.6f}',
        'predicted_error_Ry': f'{prediction.error:.6f}',
        'datasets_seconds': f'{prediction.datasets:.2f}',
        'training_seconds': f'{prediction.training:.2f}',
        'trained_on': prediction.number,
    }
