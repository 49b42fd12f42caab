"""Error of the potential against the iteration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import FAINT, JUKKR, OURS, figure_style, panel_grid


@dataclass(frozen=True, eq=False)
class ConvergenceCurve:
    """Errors of one impurity, iteration by iteration, computed here (n,) and by JuKKR (m,).

    :param stage_ends: iterations after which the settings were changed (the last one is the end).
    """

    label: str
    ours: NDArray[np.float64]
    jukkr: NDArray[np.float64]
    stage_ends: tuple[int, ...] = ()


def convergence_figure(
    curves: Sequence[ConvergenceCurve], criterion: float, labels: tuple[str, str] = ('embedded solver', 'JuKKR')
) -> Figure:
    """One panel for each impurity: the error computed here over JuKKR's.

    :param criterion: error at which a run counts as converged.
    :param labels: names of the two codes.
    :raises ValueError: no curve is given.
    """
    with figure_style():
        figure, panels = panel_grid(len(curves), 3, 10.0, 2.7)
        for panel, curve in zip(panels, curves, strict=True):
            for end in curve.stage_ends[:-1]:
                panel.axvline(end + 0.5, color=FAINT, linewidth=1.0, linestyle=(0, (3, 3)), zorder=1)
            panel.axhline(criterion, color='#7b8794', linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
            panel.semilogy(np.arange(1, len(curve.jukkr) + 1), curve.jukkr, color=JUKKR, linewidth=5.0, alpha=0.55)
            panel.semilogy(np.arange(1, len(curve.ours) + 1), curve.ours, color=OURS, linewidth=1.5)
            panel.plot(len(curve.ours), curve.ours[-1], 'o', color=OURS, markersize=4.5, clip_on=False)
            panel.set_title(curve.label)
            panel.text(
                0.97, 0.93, f'{len(curve.ours)} iterations\nJuKKR: {len(curve.jukkr)}',
                transform=panel.transAxes, ha='right', va='top', fontsize=9, color='#52606d', linespacing=1.4,
            )  # fmt: skip
        for panel in panels[::3]:
            panel.set_ylabel('error of the potential')
        for panel in panels[-3:]:
            panel.set_xlabel('iteration')
        panels[0].set_xlim(0, None)
        panels[0].text(1.0, criterion * 0.7, ' criterion', color='#52606d', fontsize=8.5, va='top')
        handles = [
            Line2D([], [], color=JUKKR, linewidth=5.0, alpha=0.55, label=labels[1]),
            Line2D([], [], color=OURS, linewidth=1.5, label=labels[0]),
        ]
        figure.legend(handles=handles, loc='outside upper right', ncols=2)
        return figure
