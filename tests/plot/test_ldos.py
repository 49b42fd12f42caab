"""The figure of local densities of states."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.plot.ldos import L_COLORS, SiteDensityOfStates, ldos_figure
from aiida_mlkkr.plot.style import INK

ENERGIES = np.linspace(-8, 4, 25)


def site(label: str, nspin: int = 2) -> SiteDensityOfStates:
    rows = [[np.full(25, 10 * spin + l + 1.0) for l in range(3)] for spin in range(nspin)]
    return SiteDensityOfStates(label, ENERGIES, np.array(rows))


def test_it_needs_neither_aiida_nor_a_display() -> None:
    code = 'import sys, aiida_mlkkr.plot.ldos; assert not {"aiida", "matplotlib.pyplot"} & set(sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)


def test_spin_up_above_and_down_below(tmp_path: Path) -> None:
    figure = ldos_figure([site('Mn'), site('Fe')])
    assert [axes.get_title(loc='left') for axes in figure.axes] == ['Mn', 'Fe']
    heights = [(line.get_color(), line.get_ydata()[3]) for line in figure.axes[1].lines if len(line.get_ydata()) == 25]
    s, p, d = list(L_COLORS.values())[:3]
    assert heights == [(INK, 36), (s, 11), (p, 12), (d, 13), (INK, -6), (s, -1), (p, -2), (d, -3)]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ['sum', 's', 'p', 'd']
    figure.savefig(tmp_path / 'figure.png')


def test_one_spin_counts_twice_and_the_sum_may_be_all() -> None:
    (axes,) = ldos_figure([site('Al', nspin=1)], by_l=False).axes
    heights = [line.get_ydata()[3] for line in axes.lines if len(line.get_ydata()) == 25]
    assert heights == [12]
    assert axes.get_ylabel() == 'states/eV'


def test_nothing_to_show() -> None:
    with pytest.raises(ValueError, match='at least one'):
        ldos_figure([])
