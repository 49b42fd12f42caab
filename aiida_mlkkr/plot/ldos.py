"""Local densities of states of impurities, by spin and l."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import INK, MUTED, figure_style, panel_grid

Floats = NDArray[np.float64]

L_COLORS: Final = {'s': '#7c3aed', 'p': '#2f6f4d', 'd': '#0f6cbd', 'f': '#c2410c', 'g': '#9d174d'}


@dataclass(frozen=True, eq=False)
class SiteDensityOfStates:
    """The density of states of one site.

    :param energies: E − E_F in eV, shape (nE,).
    :param values: of each spin (down first) and l in states/eV, shape (nspin, lmax+1, nE).
    """

    label: str
    energies: Floats
    values: Floats


def ldos_figure(sites: Sequence[SiteDensityOfStates], by_l: bool = True) -> Figure:
    """One panel for each site, spin up above the axis and spin down below; with one spin both spins above it.

    :param by_l: whether the parts of each l are drawn besides their sum.
    :raises ValueError: no site is given.
    """
    with figure_style():
        figure, panels, _ = panel_grid(len(sites), 3, 11.0, 3.2)
        for panel, site in zip(panels, sites, strict=True):
            panel.axvline(0.0, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
            panel.axhline(0.0, color=MUTED, linewidth=0.8)
            for sign, values in _above_and_below(site.values):
                _draw(panel, site.energies, sign * values, by_l, labelled=sign > 0)
            panel.set_title(site.label)
            panel.set_xlim(site.energies[0], site.energies[-1])
        for panel in panels[::3]:
            panel.set_ylabel('down   states/eV   up' if sites[0].values.shape[0] == 2 else 'states/eV')
        for panel in panels[(len(panels) - 1) // 3 * 3 :]:
            panel.set_xlabel(r'$E - E_\mathrm{F}$ (eV)')
        panels[0].legend(loc='upper left')
        return figure


def _above_and_below(values: Floats) -> list[tuple[int, Floats]]:
    if len(values) == 1:
        return [(1, 2 * values[0])]
    down, up = values
    return [(1, up), (-1, down)]


def _draw(panel: Axes, energies: Floats, values: Floats, by_l: bool, labelled: bool) -> None:
    total = values.sum(axis=0)
    panel.fill_between(energies, total, color=MUTED, alpha=0.2, linewidth=0)
    panel.plot(energies, total, color=INK, linewidth=1.4, label='sum' if labelled else None)
    for (name, color), part in zip(L_COLORS.items(), values if by_l else (), strict=False):
        panel.plot(energies, part, color=color, linewidth=1.1, label=name if labelled else None)
