"""Error of the potential against the iteration, from two starts with two mixing schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import EMULATOR, INK, JUKKR, MUTED, STANDARD, figure_style, panel_grid

Floats = NDArray[np.float64]

SCHEDULES = ('default', 'tuned')
_Line = Literal['-'] | tuple[float, tuple[float, float]]
_LINES: tuple[_Line, _Line] = ('-', (0, (3.0, 1.6)))


@dataclass(frozen=True, eq=False)
class StartCurves:
    """Errors of one impurity, iteration by iteration.

    :param standard, emulator: errors (n,) from the standard and the predicted start, one array for each of
        :data:`SCHEDULES`; empty where there was no iteration.
    :param jukkr: JuKKR's errors (n,), from the standard start with the default schedule.
    """

    label: str
    standard: tuple[Floats, Floats]
    emulator: tuple[Floats, Floats]
    jukkr: Floats


def convergence_figure(curves: Sequence[StartCurves], criterion: float) -> Figure:
    """One panel for each impurity: the errors from both starts with both schedules, over JuKKR's.

    A dot ends a curve that reached the criterion, a cross one that did not.

    :param criterion: error at which a run counts as converged, in Ry.
    :raises ValueError: no impurity is given.
    """
    columns = 4 if len(curves) > 6 else 3
    with figure_style():
        figure, panels, free = panel_grid(len(curves), columns, 11.0, 2.55)
        for panel, impurity in zip(panels, curves, strict=True):
            panel.axhline(criterion, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
            panel.semilogy(_iterations(impurity.jukkr), impurity.jukkr, color=JUKKR, linewidth=5.0, alpha=0.55)
            for errors, color in ((impurity.standard, STANDARD), (impurity.emulator, EMULATOR)):
                for values, line in zip(errors, _LINES, strict=True):
                    _draw(panel, values, criterion, color, line)
            panel.set_title(impurity.label)
            panel.text(
                0.98, 0.97, _numbers(impurity),
                transform=panel.transAxes, ha='right', va='top', fontsize=9, color=INK, linespacing=1.4,
                bbox={'facecolor': 'white', 'edgecolor': 'none', 'alpha': 0.75, 'pad': 1.5},
            )  # fmt: skip
        for panel in panels[::columns]:
            panel.set_ylabel('error of the potential (Ry)')
        for panel in panels[(len(panels) - 1) // columns * columns :]:
            panel.set_xlabel('iteration')
        panels[0].set_xlim(0, None)
        if free:
            free[0].legend(handles=_handles(), loc='center left')
        else:
            figure.legend(handles=_handles(), loc='outside upper right', ncols=5 if len(curves) > 2 else 2)
        return figure


def _iterations(errors: Floats) -> Floats:
    return np.arange(1, len(errors) + 1, dtype=np.float64)


def _draw(panel: Axes, errors: Floats, criterion: float, color: str, line: _Line) -> None:
    if not len(errors):
        return
    panel.semilogy(_iterations(errors), errors, color=color, linewidth=1.5, linestyle=line)
    marker = 'o' if errors[-1] <= criterion else 'X'
    panel.plot(len(errors), errors[-1], marker, color=color, markersize=4.5 if marker == 'o' else 7.0, clip_on=False)


def _numbers(impurity: StartCurves) -> str:
    pairs = zip(SCHEDULES, impurity.standard, impurity.emulator, strict=True)
    return '\n'.join(f'{name}  {len(standard)} → {len(emulator)}' for name, standard, emulator in pairs)


def _handles() -> list[Line2D]:
    handles = [Line2D([], [], color=JUKKR, linewidth=5.0, alpha=0.55, label='JuKKR, standard start')]
    for start, color in (('standard start', STANDARD), ('emulator', EMULATOR)):
        for schedule, line in zip(SCHEDULES, _LINES, strict=True):
            handles.append(Line2D([], [], color=color, linewidth=1.5, linestyle=line, label=f'{start}, {schedule}'))
    return handles
