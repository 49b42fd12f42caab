"""The figures show what they are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from aiida_mlkkr.plot.comparison import SiteComparison, comparison_figure
from aiida_mlkkr.plot.convergence import StartCurves, convergence_figure
from aiida_mlkkr.plot.potentials import StartPotentials, potentials_figure
from aiida_mlkkr.plot.style import EMULATOR, INK, JUKKR, STANDARD


def errors(iterations: int, last: float = 5e-7) -> np.ndarray:
    return np.geomspace(1, last, iterations)


def curves(label: str) -> StartCurves:
    return StartCurves(label, (errors(40), errors(25)), (errors(22), errors(18, 1e-3)), errors(38))


def sites(label: str, deviation: float, predicted: float = 0.05) -> SiteComparison:
    charges = np.array([24.63, 29.03, 29.03])
    return SiteComparison(
        label, 25.0, charges + deviation, charges, 3.766 + deviation, 3.766, 24.63 + predicted, 3.766 - predicted
    )


def potentials(label: str, nspin: int = 2) -> StartPotentials:
    r = np.linspace(0.0, 2.6, 50)
    converged = np.array([10 * np.exp(-r), 9 * np.exp(-r)])[:nspin]
    standard = np.array([converged.mean(axis=0)] * nspin) - 0.1
    return StartPotentials(label, r, standard, converged + 0.01, converged)


def test_nothing_needs_aiida_or_a_display():
    code = (
        'import sys; import aiida_mlkkr.plot.convergence, aiida_mlkkr.plot.comparison, aiida_mlkkr.plot.potentials; '
        'assert not [name for name in sys.modules if name == "aiida" or name == "matplotlib.pyplot"]'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize('count', [1, 2, 3, 4, 7])
def test_convergence_has_a_panel_for_each_impurity(count: int, tmp_path: Path):
    labels = [f'X{number}' for number in range(count)]
    figure = convergence_figure([curves(label) for label in labels], 1e-6)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc='left') for axes in panels] == labels
    for axes in panels:
        drawn = [(line.get_color(), len(line.get_xdata())) for line in axes.lines if len(line.get_xdata()) > 2]
        assert drawn == [(JUKKR, 38), (STANDARD, 40), (STANDARD, 25), (EMULATOR, 22), (EMULATOR, 18)]
        assert axes.get_yscale() == 'log'
        assert 'default  40 → 22\ntuned  25 → 18' in [text.get_text() for text in axes.texts]
    figure.savefig(tmp_path / 'figure.png')
    image = imread(tmp_path / 'figure.png')
    assert image.shape[1] > image.shape[0] / 2
    assert image.std() > 0.01


def test_a_run_that_did_not_converge_ends_with_a_cross_and_one_without_iterations_is_not_drawn():
    impurity = StartCurves('V', (errors(40), np.empty(0)), (errors(22), errors(18, 1e-3)), errors(38))
    (axes,) = convergence_figure([impurity], 1e-6).axes
    ends = [(line.get_marker(), line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 1]
    assert ends == [('o', 40), ('o', 22), ('X', 18)]


def test_comparison_draws_deviations_and_hides_none(tmp_path: Path):
    figure = comparison_figure([sites('Mn', 2e-5), sites('Fe', 0.0), sites('Cr', 3e-3)], 1e-4, 1e-3, 'here')
    charges = figure.axes[2]
    dots = {
        (float(x), float(y)): line.get_markerfacecolor()
        for line in charges.lines
        if line.get_marker() == 'o'
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    # equal in all digits: drawn at the resolution, hollow
    np.testing.assert_allclose(sorted(y for _, y in dots), [1e-6, 2e-5, 3e-3], rtol=1e-6)
    assert {fill for (_, y), fill in dots.items() if y < 2e-6} == {'white'}
    (predicted,) = (line for line in charges.lines if line.get_marker() == 'D')
    np.testing.assert_allclose(predicted.get_ydata(), 0.05, rtol=1e-6)
    figure.savefig(tmp_path / 'figure.png')


def test_comparison_makes_room_for_a_large_deviation():
    figure = comparison_figure([sites('Mn', 6.3), sites('Fe', 0.0, predicted=9.1)], 1e-4, 1e-3, 'here')
    assert figure.axes[2].get_ylim()[1] > 9.1
    assert figure.axes[3].get_ylim()[1] > 9.1


def test_potentials_show_how_far_the_starts_are_off(tmp_path: Path):
    figure = potentials_figure([potentials('Mn in Cu'), potentials('Fe in Cu')])
    average, splitting = figure.axes[0], figure.axes[2]
    r = np.linspace(0.0, 2.6, 50)[2:]  # from 0.1 Bohr on
    differences = {line.get_color(): line.get_ydata() for line in average.lines if len(line.get_xdata()) == 48}
    np.testing.assert_allclose(differences[STANDARD], -0.1 * r, atol=1e-12)
    np.testing.assert_allclose(differences[EMULATOR], 0.01 * r, atol=1e-12)
    splittings = {line.get_color(): line.get_ydata() for line in splitting.lines if len(line.get_xdata()) == 48}
    np.testing.assert_allclose(splittings[STANDARD], 0.0, atol=1e-12)
    np.testing.assert_allclose(splittings[EMULATOR], r * np.exp(-r), atol=1e-12)
    np.testing.assert_allclose(splittings[INK], r * np.exp(-r), atol=1e-12)
    figure.savefig(tmp_path / 'figure.png')


def test_potentials_without_spins_have_no_splitting():
    figure = potentials_figure([potentials('Al in Cu', nspin=1)])
    for line in figure.axes[1].lines:
        np.testing.assert_array_equal(line.get_ydata(), 0.0)


def test_an_empty_figure_is_refused():
    with pytest.raises(ValueError, match='at least one'):
        convergence_figure([], 1e-6)
    with pytest.raises(ValueError, match='at least one'):
        comparison_figure([], 1e-4, 1e-3, 'here')
    with pytest.raises(ValueError, match='at least one'):
        potentials_figure([])
