"""Emulators of potentials against one another: potentials, parity, learning curves, calibration, iterations saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import EMULATOR, INK, MUTED, STANDARD, figure_style, panel_grid

Floats = NDArray[np.float64]

COLORS: Final = (EMULATOR, STANDARD, '#2f6f4d', '#7c3aed', '#b45309', '#0e7490', '#9d174d', INK)

_INNERMOST = 0.02


@dataclass(frozen=True, eq=False)
class PotentialColumn:
    """Potentials of one impurity's sphere on the radii r (n,), averaged over spins, in Ry without −2Z/r.

    :param start, predicted, converged: (n,); the start is what nobody has to learn.
    """

    label: str
    r: Floats
    start: Floats
    predicted: Floats
    converged: Floats


def matrix_figure(columns: Sequence[PotentialColumn]) -> Figure:
    """A column for each impurity: V, V − V0 (V0 the start) and the absolute values of both; predicted over converged.

    :raises ValueError: no impurity is given.
    """
    if not columns:
        raise ValueError('a figure needs at least one impurity')
    with figure_style():
        figure = Figure(figsize=(1.6 + 1.5 * max(len(columns), 3), 7.6), layout='constrained')
        grid = figure.subplots(4, len(columns), sharex=True, sharey='row', squeeze=False)
        for panels, column in zip(grid.T, columns, strict=True):
            shown = column.r >= _INNERMOST
            r, start = column.r[shown], column.start[shown]
            lines = ((column.converged[shown], MUTED, 3.5), (column.predicted[shown], EMULATOR, 1.3))
            for values, color, width in lines:
                panels[0].plot(r, values, color=color, linewidth=width)
                panels[1].plot(r, values - start, color=color, linewidth=width)
                panels[2].semilogy(r, np.abs(values), color=color, linewidth=width)
                panels[3].semilogy(r, np.abs(values - start), color=color, linewidth=width)
            panels[3].semilogy(r, np.abs((column.predicted - column.converged)[shown]), color=STANDARD, linewidth=0.9)
            panels[0].set_title(column.label)
            panels[3].set_xlabel('r (Bohr)')
        for panel, text in zip(grid[:, 0], ('$V$', '$V - V_0$', '$|V|$', '$|V - V_0|$'), strict=True):
            panel.set_ylabel(f'{text} (Ry)')
        grid[3, 0].set_ylim(1e-5, None)
        handles = [
            Axes.plot(grid[0, 0], [], [], color=color, linewidth=width, label=label)[0]
            for color, width, label in (
                (MUTED, 3.5, 'converged'),
                (EMULATOR, 1.3, 'predicted, not seen before'),
                (STANDARD, 0.9, 'their difference'),
            )
        ]
        figure.legend(handles=handles, loc='outside upper right', ncols=3)
        return figure


def parity_figure(models: Mapping[str, tuple[Floats, Floats]], label: str, known: str = 'converged') -> Figure:
    """A panel for each model: predicted over true values.

    :param models: true and predicted values (n,) by model.
    :param label: of what, with its unit; ``known`` what the true ones are.
    """
    with figure_style():
        figure, panels, _ = panel_grid(len(models), 3, 9.0, 3.0)
        for panel, (name, (true, predicted)) in zip(panels, models.items(), strict=True):
            bounds = [
                min(true.min(initial=0.0), predicted.min(initial=0.0)),
                max(true.max(initial=0.0), predicted.max(initial=0.0)),
            ]
            panel.plot(bounds, bounds, color=MUTED, linewidth=0.9)
            panel.plot(true, predicted, 'o', color=EMULATOR, markersize=4.0, alpha=0.7)
            panel.set_title(name)
        _label(panels, f'{known} {label}', f'predicted {label}')
        return figure


def curves_figure(
    models: Mapping[str, tuple[Floats, Floats]],
    learnt: str = 'impurities learnt from',
    error: str = 'median error on the impurity site (mRy)',
) -> Figure:
    """Learning curves: error against the number of examples learnt from, by model.

    :param learnt: what is counted, and ``error``, what is measured: the labels of the axes.
    """
    with figure_style():
        figure = Figure(figsize=(6.0, 4.0), layout='constrained')
        panel = figure.subplots()
        for (name, (sizes, errors)), color in zip(models.items(), cycle(COLORS), strict=False):
            panel.loglog(sizes, errors, 'o-', color=color, label=name, markersize=4.5, linewidth=1.4)
        panel.set_xlabel(learnt)
        panel.set_ylabel(error)
        panel.legend()
        return figure


def savings_figure(starts: Mapping[str, tuple[Floats, Floats]], reference: str) -> Figure:
    """Iterations saved against what is left of the error of the reference start, by start.

    :param starts: fractions of the error (n,) and of the iterations (n,); a failure saves nothing.
    """
    with figure_style():
        figure = Figure(figsize=(6.4, 4.2), layout='constrained')
        panel = figure.subplots()
        for (name, (left, saved)), color in zip(starts.items(), cycle(COLORS), strict=False):
            panel.semilogx(left, 100 * saved, 'o', color=color, label=name, markersize=4.5, alpha=0.75)
        panel.axhline(0.0, color=MUTED, linewidth=0.9)
        panel.set_xlabel(f'error of the start, in units of that of {reference}')
        panel.set_ylabel('iterations saved (%)')
        panel.legend()
        return figure


def calibration_figure(models: Mapping[str, tuple[Floats, Floats]]) -> Figure:
    """A panel for each model: true over expected errors in mRy, and where 68 % and 95 % of them should lie below.

    :param models: expected and true errors (n,) by model.
    """
    with figure_style():
        figure, panels, _ = panel_grid(len(models), 3, 9.0, 3.0)
        for panel, (name, (expected, true)) in zip(panels, models.items(), strict=True):
            bounds = np.array([expected.min(initial=np.inf), expected.max(initial=0.0)])
            for factor, line in ((0.994, '-'), (1.96, ':')):
                panel.loglog(bounds, factor * bounds, line, color=MUTED, linewidth=1.0)
            panel.loglog(expected, true, 'o', color=EMULATOR, markersize=4.0, alpha=0.7)
            panel.set_title(name)
        _label(panels, 'expected error (mRy)', 'true error (mRy)')
        return figure


def _label(panels: Sequence[Axes], x: str, y: str) -> None:
    for panel in panels[::3]:
        panel.set_ylabel(y)
    for panel in panels[-3:]:
        panel.set_xlabel(x)
