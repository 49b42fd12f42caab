"""The results of a benchmark in tables: medians over left-out impurities, failures counted as no saving."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.benchmark.iterations import ScfRow
from aiida_mlkkr.benchmark.potentials import ChannelRow, CurveRow, ErrorRow
from aiida_mlkkr.kkr.elements import SYMBOLS, block
from aiida_mlkkr.ml.metrics import calibration

FloatArray = NDArray[np.float64]
T = TypeVar('T')

NOTHING: Final = '–'
FORBIDDEN: Final = 1e-6
"""Size in mRy below which a channel is zero."""

CLASSES: Final = ('magnetic', 'sp', 'd')
"""Impurities with a moment; those without, by the block of the periodic table (Zn, Cd and the host count to d)."""

_REFERENCES: Final = ('voronoi', 'free_atoms')


@dataclass(frozen=True)
class TextTable:
    """A table with a title, all of it text."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [self.headings, tuple('---' for _ in self.headings), *self.rows]
        return f'**{self.title}**\n\n' + '\n'.join(f'| {" | ".join(line)} |' for line in lines) + '\n'


def tables(
    errors: Sequence[ErrorRow],
    iterations: Sequence[ScfRow],
    curves: Sequence[CurveRow],
    channels: Sequence[ChannelRow],
) -> list[TextTable]:
    """All tables that there is something in."""
    made = [
        error_table(errors),
        shell_table(errors),
        channel_table(channels),
        calibration_table(errors),
        curve_table(curves),
        *(saving_table(iterations, reference) for reference in _REFERENCES),
        iteration_table(iterations),
        failure_table(iterations),
    ]
    return [table for table in made if table.rows]


def class_of(row: ErrorRow | ScfRow) -> str:
    """Which of :data:`CLASSES` an impurity belongs to; by the first one of several."""
    if row.magnetic:
        return 'magnetic'
    return 'sp' if block(SYMBOLS.index(row.elements.partition('-')[0])) in 'sp' else 'd'


def error_table(errors: Sequence[ErrorRow]) -> TextTable:
    """Errors of left-out impurities, absolute and against the starts that are not learnt."""
    starts = {(row.source, row.model): row.error for row in errors if not row.split}
    body = []
    for model, group in _grouped((row for row in errors if not row.split), 'model'):
        body.append((NOTHING, model, str(len(group)), NOTHING, *_medians(group), *(NOTHING,) * 5))
    for split, of_split in _grouped((row for row in errors if row.split), 'split'):
        for model, group in _grouped(of_split, 'model'):
            good = [row for row in group if not row.refusal]
            left = [_left(good, starts, reference) for reference in _REFERENCES]
            moments = [row.moment - row.known_moment for row in good]
            times = [
                f'{np.median([row.training_seconds for row in good]):.2g}' if good else NOTHING,
                f'{1e3 * np.median([row.seconds for row in good]):.0f}' if good else NOTHING,
            ]
            body.append(
                (
                    split,
                    model,
                    str(len(group)),
                    str(len(group) - len(good)),
                    *_medians(good),
                    *left,
                    f'{np.sqrt(np.mean(np.square(moments))):.2f}' if good else NOTHING,
                    *times,
                )
            )
    headings = (
        'left out', 'model', 'impurities', 'refused', 'error (mRy)', 'magnetic', 'sp', 'd', 'beside (mRy)',
        'of voronoi', 'of free atoms', 'moment (µB)', 'training (s)', 'prediction (ms)',
    )  # fmt: skip
    return TextTable('Error of the potential, medians over left-out impurities', headings, tuple(body))


def shell_table(errors: Sequence[ErrorRow]) -> TextTable:
    """Errors by radius and by spin average and splitting, this of magnetic impurities alone."""
    names = ('average', 'splitting', 'shell_1', 'shell_2', 'shell_3', 'shell_4')
    body = [
        (
            split or NOTHING,
            model,
            *(
                _median(
                    [getattr(row, name) for row in group if not row.refusal and (row.magnetic or name != 'splitting')]
                )
                for name in names
            ),
        )
        for split, of_split in _grouped(errors, 'split')
        for model, group in _grouped(of_split, 'model')
    ]
    headings = ('left out', 'model', 'average', 'splitting (magnetic)', 'r/R < 1/4', '1/4–1/2', '1/2–3/4', '> 3/4')
    return TextTable('Error on the impurity site by spin and radius, medians in mRy', headings, tuple(body))


def calibration_table(errors: Sequence[ErrorRow]) -> TextTable:
    """Whether the models know how wrong they are."""
    body = []
    for split, of_split in _grouped((row for row in errors if row.split), 'split'):
        for model, group in _grouped(of_split, 'model'):
            good = [row for row in group if not row.refusal]
            if not good:
                continue
            true, expected = (np.array([getattr(row, name) for row in good]) for name in ('error', 'expected'))
            wide, narrow = calibration(true, expected, 0.95), calibration(true, expected, 0.68)
            body.append(
                (
                    split,
                    model,
                    f'{narrow.coverage:.0%}',
                    f'{wide.coverage:.0%}',
                    f'{wide.width:.1f}',
                    f'{wide.score:.1f}',
                    NOTHING if np.isnan(wide.rank_correlation) else f'{wide.rank_correlation:.2f}',
                )
            )
    headings = ('left out', 'model', 'in 68 %', 'in 95 %', 'width (mRy)', 'interval score (mRy)', 'rank correlation')
    return TextTable('Calibration on the impurity site', headings, tuple(body))


def curve_table(curves: Sequence[CurveRow]) -> TextTable:
    """Medians of the learning curves' folds."""
    sizes = sorted({row.size for row in curves})
    body = [
        (model, *(_median([row.error for row in group if row.size == size]) for size in sizes))
        for model, group in _grouped(curves, 'model')
    ]
    title = 'Learning curves: error on the impurity site (mRy) against the number of impurities learnt from'
    return TextTable(title, ('model', *map(str, sizes)), tuple(body))


def channel_table(channels: Sequence[ChannelRow]) -> TextTable:
    """Errors of full potentials by channel; channels that symmetry forbids, and models leave alone, are not shown."""
    shown = sorted({row.channel for row in channels if row.known > FORBIDDEN or row.error > FORBIDDEN})
    body = [
        (split, model, *(_median([row.error for row in group if row.channel == channel]) for channel in shown))
        for split, of_split in _grouped(channels, 'split')
        for model, group in _grouped(of_split, 'model')
    ]
    headings = ('left out', 'model', *(f'lm {channel} (l = {isqrt(channel - 1)})' for channel in shown))
    return TextTable(
        'Error on the impurity site by channel of the full potential, medians in mRy', headings, tuple(body)
    )


def savings(iterations: Sequence[ScfRow], reference: str) -> list[tuple[ScfRow, float]]:
    """The saving of each run against the same impurity's from a start that is not learnt; a failure saves nothing.

    Impurities that the reference itself does not bring to their solution are left out.
    """
    known = {(row.source, row.schedule): row.iterations for row in iterations if row.start == reference}
    pairs = [(row, known.get((row.source, row.schedule), 0)) for row in iterations if row.start != reference]
    return [(row, 1.0 - row.iterations / its if row.iterations else 0.0) for row, its in pairs if its]


def saving_table(iterations: Sequence[ScfRow], reference: str) -> TextTable:
    """Iterations saved against a start that is not learnt; *not used* is what was refused or too uncertain."""
    body = []
    everything = savings(iterations, reference)
    for split, start, schedule in dict.fromkeys(_series(row) for row, _ in everything):
        chosen = [
            pair for pair in everything if (pair[0].split, pair[0].start, pair[0].schedule) == (split, start, schedule)
        ]
        of_classes = []
        for kind in CLASSES:
            values = [saving for row, saving in chosen if class_of(row) == kind]
            of_classes.append(f'{np.median(values):.0%} ({len(values)})' if values else NOTHING)
        unused = sum(np.isnan(row.error) for row, _ in chosen)
        failed = sum(not row.iterations for row, _ in chosen) - unused
        worse = sum(saving < 0 for _, saving in chosen)
        body.append((split or NOTHING, start, schedule, *of_classes, str(unused), str(failed), str(worse)))
    headings = ('left out', 'start', 'schedule', *CLASSES, 'not used', 'failed', 'worse')
    return TextTable(f'Iterations saved against {reference}, medians (number of impurities)', headings, tuple(body))


def iteration_table(iterations: Sequence[ScfRow]) -> TextTable:
    """Median iterations of the runs that came to the solution."""
    body = []
    for split, start, schedule in dict.fromkeys((row.split, row.start, row.schedule) for row in iterations):
        chosen = [row for row in iterations if (row.split, row.start, row.schedule) == (split, start, schedule)]
        of_classes = [
            _median([row.iterations for row in chosen if row.iterations and class_of(row) == kind]) for kind in CLASSES
        ]
        body.append((split or NOTHING, start, schedule, *of_classes, str(sum(not row.iterations for row in chosen))))
    headings = ('left out', 'start', 'schedule', *CLASSES, 'failed')
    return TextTable('Iterations, medians of those that found the solution', headings, tuple(body))


def failure_table(iterations: Sequence[ScfRow]) -> TextTable:
    """What failed, and how."""
    body = [
        (f'{row.elements} in {row.host.partition(" ")[0]}', row.split or NOTHING, row.start, row.schedule, row.problem)
        for row in iterations
        if not row.iterations
    ]
    return TextTable('Failures', ('impurity', 'left out', 'start', 'schedule', 'what happened'), tuple(body))


def _series(row: ScfRow) -> tuple[str, str, str]:
    return row.split, row.start, row.schedule


def _grouped(rows: Iterable[T], name: str) -> list[tuple[str, list[T]]]:
    members = list(rows)
    values = dict.fromkeys(str(getattr(row, name)) for row in members)
    return [(value, [row for row in members if getattr(row, name) == value]) for value in values]


def _medians(rows: Sequence[ErrorRow]) -> tuple[str, ...]:
    own = [_median([row.error for row in rows if kind in ('', class_of(row))]) for kind in ('', *CLASSES)]
    return (*own, _median([row.around for row in rows]))


def _median(values: Sequence[float]) -> str:
    finite = [value for value in values if np.isfinite(value)]
    return f'{np.median(finite):.3g}' if finite else NOTHING


def _left(rows: Sequence[ErrorRow], starts: dict[tuple[str, str], float], reference: str) -> str:
    """Median of what is left of the error of a start."""
    ratios = [row.error / starts[row.source, reference] for row in rows if (row.source, reference) in starts]
    return f'{np.median(ratios):.1%}' if ratios else NOTHING
