"""The figures of the emulators' benchmark show what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_mlkkr.plot.emulators import (
    PotentialColumn,
    calibration_figure,
    curves_figure,
    matrix_figure,
    parity_figure,
    savings_figure,
)
from aiida_mlkkr.plot.style import EMULATOR

R = np.linspace(0.0, 2.6, 131)


def column(label):
    converged = -10 * np.exp(-R)
    return PotentialColumn(label, R, converged - 0.1, converged + 0.01, converged)


def drawn(axes):
    return {line.get_color(): line.get_ydata() for line in axes.lines if len(line.get_xdata()) > 2}


def test_potentials_with_and_without_the_start(tmp_path):
    figure = matrix_figure([column('Mn'), column('Fe'), column('Al')])
    v, without, size, size_without = (figure.axes[3 * number] for number in range(4))
    shown = R >= 0.02
    np.testing.assert_allclose(drawn(v)[EMULATOR], (0.01 - 10 * np.exp(-R))[shown])
    np.testing.assert_allclose(drawn(without)[EMULATOR], 0.11)
    np.testing.assert_allclose(drawn(size)[EMULATOR], (10 * np.exp(-R) - 0.01)[shown])
    np.testing.assert_allclose(drawn(size_without)[EMULATOR], 0.11)
    assert size_without.get_yscale() == 'log'
    figure.savefig(tmp_path / 'figure.png')


def test_no_impurity():
    with pytest.raises(ValueError, match='at least one'):
        matrix_figure([])


def test_a_panel_for_each_model(tmp_path):
    values = (np.array([0.0, 2.0, 4.0]), np.array([0.1, 1.9, 4.2]))
    for draw in (lambda models: parity_figure(models, 'moment'), calibration_figure):
        figure = draw({'kernel': values, 'network': values})
        assert [axes.get_title(loc='left') for axes in figure.axes if axes.axison] == ['kernel', 'network']
        points = [line for line in figure.axes[0].lines if line.get_marker() == 'o']
        np.testing.assert_array_equal(points[0].get_xydata().T, values)
        figure.savefig(tmp_path / 'figure.png')


def test_a_curve_for_each_model():
    sizes, errors = np.array([4.0, 8.0]), np.array([30.0, 12.0])
    (axes,) = curves_figure({'kernel': (sizes, errors)}).axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), errors)
    (axes,) = savings_figure({'kernel': (np.array([0.1]), np.array([0.6]))}, 'voronoi').axes
    assert axes.lines[0].get_ydata() == [60.0]
