"""The figures show what they are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from aiida_mlkkr.plot.comparison import SiteComparison, comparison_figure
from aiida_mlkkr.plot.convergence import ConvergenceCurve, convergence_figure
from aiida_mlkkr.plot.potentials import RadialPotential, potentials_figure


def curve(label: str, ours: int = 40, jukkr: int = 38) -> ConvergenceCurve:
    return ConvergenceCurve(label, np.geomspace(1, 5e-7, ours), np.geomspace(1, 4e-7, jukkr), (20, ours))


def sites(label: str, deviation: float) -> SiteComparison:
    charges = np.array([24.63, 29.03, 29.03])
    return SiteComparison(label, 25.0, charges + deviation, charges, 3.766 + deviation, 3.766)


def potential(label: str, nspin: int = 2, shift: float = 1e-6) -> RadialPotential:
    r = np.linspace(0.0, 2.6, 50)
    v = np.array([10 * np.exp(-r), 9 * np.exp(-r)])[:nspin]
    return RadialPotential(label, 25.0, r, v + shift, v)


def test_nothing_needs_aiida_or_a_display():
    code = (
        'import sys; import aiida_mlkkr.plot.convergence, aiida_mlkkr.plot.comparison, aiida_mlkkr.plot.potentials; '
        'assert not [name for name in sys.modules if name == "aiida" or name == "matplotlib.pyplot"]'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize('count', [1, 2, 3, 4, 7])
def test_convergence_has_a_panel_for_each_impurity(count: int, tmp_path: Path):
    labels = [f'X{number}' for number in range(count)]
    figure = convergence_figure([curve(label) for label in labels], 1e-6)
    assert [axes.get_title(loc='left') for axes in figure.axes] == labels
    for axes in figure.axes:
        jukkr, ours = (line for line in axes.lines if len(line.get_xdata()) > 2)
        assert ours.get_xdata()[-1] == 40
        assert jukkr.get_xdata()[-1] == 38
        assert axes.get_yscale() == 'log'
    figure.savefig(tmp_path / 'figure.png')
    image = imread(tmp_path / 'figure.png')
    assert image.shape[1] > image.shape[0] / 2
    assert image.std() > 0.01


def test_comparison_draws_deviations_and_hides_none(tmp_path: Path):
    figure = comparison_figure([sites('Mn', 2e-5), sites('Fe', 0.0), sites('Cr', 3e-3)], 1e-4, 1e-3)
    charges = figure.axes[2]
    heights = {
        (float(x), float(y)): line.get_markerfacecolor()
        for line in charges.lines
        if line.get_marker() == 'o'
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    deviations = sorted(y for _, y in heights)
    np.testing.assert_allclose(deviations[:2], 1e-6)  # equal in all digits: drawn at the resolution, hollow
    assert {fill for (_, y), fill in heights.items() if y < 2e-6} == {'white'}
    np.testing.assert_allclose(deviations[2:], [2e-5, 2e-5, 3e-3, 3e-3], rtol=1e-6)
    assert charges.get_ylim()[1] >= 3e-3
    figure.savefig(tmp_path / 'figure.png')


def test_comparison_makes_room_for_a_large_deviation():
    figure = comparison_figure([sites('Mn', 6.3)], 1e-4, 1e-3)
    assert figure.axes[2].get_ylim()[1] > 6.3
    assert figure.axes[3].get_ylim()[1] > 6.3


def test_potentials_show_spin_splitting_and_difference(tmp_path: Path):
    figure = potentials_figure([potential('Mn in Cu', shift=2e-6), potential('Fe in Cu', shift=-1e-6)])
    whole, splitting, difference = figure.axes[0], figure.axes[2], figure.axes[4]
    np.testing.assert_allclose(whole.lines[1].get_ydata()[0], 50.0)  # 2Z at the nucleus
    np.testing.assert_allclose(splitting.lines[1].get_ydata()[0], 1.0)
    spins = [line for line in difference.lines if len(line.get_xdata()) > 2]
    assert len(spins) == 2
    np.testing.assert_allclose(spins[0].get_ydata(), 2e-3, rtol=1e-6)  # mRy
    figure.savefig(tmp_path / 'figure.png')


def test_potentials_without_spins():
    figure = potentials_figure([potential('Al in Cu', nspin=1)])
    splitting, difference = figure.axes[1], figure.axes[2]
    np.testing.assert_array_equal(splitting.lines[1].get_ydata(), 0.0)
    assert len([line for line in difference.lines if len(line.get_xdata()) > 2]) == 1


def test_an_empty_figure_is_refused():
    with pytest.raises(ValueError, match='at least one'):
        convergence_figure([], 1e-6)
    with pytest.raises(ValueError, match='at least one'):
        comparison_figure([], 1e-4, 1e-3)
    with pytest.raises(ValueError, match='at least one'):
        potentials_figure([])
