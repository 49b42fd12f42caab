"""Converged potentials, resolved in the radius."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import INK, JUKKR, SPIN_DOWN, SPIN_UP, figure_style


@dataclass(frozen=True, eq=False)
class RadialPotential:
    """Potential of the impurity's sphere on the radial mesh r (n,), in Bohr, computed here and by JuKKR.

    :param nuclear_charge: Z.
    :param potential, jukkr_potential: (nspin, n) in Ry, without the nuclear part −2Z/r; spin down first.
    """

    label: str
    nuclear_charge: float
    r: NDArray[np.float64]
    potential: NDArray[np.float64]
    jukkr_potential: NDArray[np.float64]


def potentials_figure(
    impurities: Sequence[RadialPotential], labels: tuple[str, str] = ('embedded solver', 'JuKKR')
) -> Figure:
    """A column for each impurity: the potential, its spin splitting, and what both differ from JuKKR's.

    First row: −r·V with the nucleus, averaged over spins; it falls from 2Z at the nucleus to almost nothing at the
    surface of the sphere. Second row: V_down − V_up, the exchange splitting (zero without spins). Third row: the
    difference of each spin's potential to JuKKR's in mRy, without the first mesh point, which is the nucleus.

    :param labels: names of the two codes.
    :raises ValueError: no impurity is given.
    """
    if not impurities:
        raise ValueError('a figure needs at least one impurity')
    with figure_style():
        figure = Figure(figsize=(1.3 + 1.75 * max(len(impurities), 3), 5.8), layout='constrained')
        grid = figure.subplots(
            3, len(impurities), sharex=True, sharey='row', squeeze=False, height_ratios=(1.5, 1.0, 1.0)
        )
        for (whole, splitting, difference), impurity in zip(grid.T, impurities, strict=True):
            r, ours, jukkr = impurity.r, impurity.potential, impurity.jukkr_potential
            for values, width, color, alpha in ((jukkr, 5.0, JUKKR, 0.55), (ours, 1.5, INK, 1.0)):
                mean = 2 * impurity.nuclear_charge - r * values.mean(axis=0)
                whole.plot(r, mean, color=color, linewidth=width, alpha=alpha)
                splitting.plot(r, values[0] - values[-1], color=color, linewidth=width, alpha=alpha)
            splitting.axhline(0.0, color='#7b8794', linewidth=0.8, zorder=1)
            difference.axhline(0.0, color='#7b8794', linewidth=0.8, zorder=1)
            for spin, color in zip(range(len(ours)), (SPIN_DOWN, SPIN_UP), strict=False):
                difference.plot(r[1:], 1e3 * (ours - jukkr)[spin, 1:], color=color, linewidth=1.4)
            whole.set_title(impurity.label)
            difference.set_xlabel('r (Bohr)')
        grid[0, 0].set_ylabel(r'$-r\,V(r)$ (Ry Bohr)')
        grid[0, 0].set_ylim(0, None)
        grid[0, 0].set_xlim(0, None)
        grid[1, 0].set_ylabel(r'$V_\downarrow - V_\uparrow$ (Ry)')
        grid[2, 0].set_ylabel('difference (mRy)')
        grid[2, 0].ticklabel_format(axis='y', style='sci', scilimits=(-2, 3), useMathText=True)
        figure.align_ylabels(grid[:, 0])
        handles = [
            Line2D([], [], color=JUKKR, linewidth=5.0, alpha=0.55, label=labels[1]),
            Line2D([], [], color=INK, linewidth=1.5, label=labels[0]),
            Line2D([], [], color=SPIN_DOWN, linewidth=1.4, label='difference, spin down'),
            Line2D([], [], color=SPIN_UP, linewidth=1.4, label='spin up'),
        ]
        figure.legend(handles=handles, loc='outside upper right', ncols=4)
        return figure
