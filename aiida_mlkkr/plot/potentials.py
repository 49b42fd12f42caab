"""Start potentials and the converged one, resolved in the radius."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import EMULATOR, INK, MUTED, STANDARD, figure_style

Floats = NDArray[np.float64]

_INNERMOST = 0.1


@dataclass(frozen=True, eq=False)
class StartPotentials:
    """Potentials of the impurity's sphere on the radial mesh r (n,), in Bohr.

    :param standard, emulator, converged: (nspin, n) in Ry, without the nuclear part −2Z/r; spin down first.
    """

    label: str
    r: Floats
    standard: Floats
    emulator: Floats
    converged: Floats


def potentials_figure(impurities: Sequence[StartPotentials]) -> Figure:
    """A column for each impurity: by how much the starts are off, and the spin splitting.

    First row: r·(V − V_converged), averaged over spins. Second row: r·(V_down − V_up), the exchange splitting, of the
    starts and of the converged potential (zero without spins). Both from 0.1 Bohr on: nearer to the nucleus the
    voronoi code's start potentials have spikes.

    :raises ValueError: no impurity is given.
    """
    if not impurities:
        raise ValueError('a figure needs at least one impurity')
    with figure_style():
        figure = Figure(figsize=(1.3 + 1.55 * max(len(impurities), 3), 4.4), layout='constrained')
        grid = figure.subplots(2, len(impurities), sharex=True, sharey='row', squeeze=False)
        for (average, splitting), impurity in zip(grid.T, impurities, strict=True):
            shown = impurity.r >= _INNERMOST
            r, converged = impurity.r[shown], impurity.converged[:, shown]
            for panel in (average, splitting):
                panel.axhline(0.0, color=MUTED, linewidth=0.8, zorder=1)
            starts = ((impurity.standard[:, shown], STANDARD), (impurity.emulator[:, shown], EMULATOR))
            for values, color in starts:
                average.plot(r, r * (values - converged).mean(axis=0), color=color, linewidth=1.5)
                splitting.plot(r, r * (values[0] - values[-1]), color=color, linewidth=1.5, zorder=3)
            splitting.plot(r, r * (converged[0] - converged[-1]), color=INK, linewidth=4.0, alpha=0.25, zorder=2)
            average.set_title(impurity.label)
            splitting.set_xlabel('r (Bohr)')
        grid[0, 0].set_xlim(0, None)
        grid[0, 0].set_ylabel(r'$r\,(V - V_\mathrm{conv.})$ (Ry Bohr)')
        grid[1, 0].set_ylabel(r'$r\,(V_\downarrow - V_\uparrow)$ (Ry Bohr)')
        figure.align_ylabels(grid[:, 0])
        handles = [
            Line2D([], [], color=STANDARD, linewidth=1.5, label='standard start'),
            Line2D([], [], color=EMULATOR, linewidth=1.5, label='predicted by the emulator'),
            Line2D([], [], color=INK, linewidth=4.0, alpha=0.25, label='converged'),
        ]
        figure.legend(handles=handles, loc='outside upper right', ncols=3)
        return figure
