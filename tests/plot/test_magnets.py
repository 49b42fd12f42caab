"""Figures of spin models: what is drawn is what was given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.plot.magnets import (
    Curve,
    binder_figure,
    configuration_figure,
    correlations_figure,
    magnetisation_figure,
    transition_matrix_figure,
)

T = np.array([10.0, 20.0, 30.0])


def curve(label: str, values: list[float]) -> Curve:
    return Curve(label, T, np.array(values), np.full(3, 0.01))


def test_curves(tmp_path: Path) -> None:
    figure = magnetisation_figure([curve('M', [0.9, 0.5, 0.1])], [curve('χ', [0.1, 2.0, 0.3])], (21.0, 0.5))
    upper, lower = figure.axes
    assert lower.get_xlabel() == 'temperature (K)'
    np.testing.assert_allclose(upper.containers[0].lines[0].get_ydata(), [0.9, 0.5, 0.1])
    assert {text.get_text() for text in upper.get_legend().get_texts()} == {'M', '21.0 ± 0.5 K'}
    assert (lower.get_xscale(), upper.get_ylim()[0]) == ('linear', 0.0)
    figure.savefig(tmp_path / 'm.png')
    wide = binder_figure([Curve('L = 4', np.array([1.0, 5.0, 100.0]), np.array([1.0, 0.5, -0.1]), np.full(3, 0.01))])
    assert (wide.axes[0].get_xscale(), wide.axes[0].get_ylim()[0] < -0.1) == ('log', True)
    binder = binder_figure([curve('L = 4', [1, 0.5, 0.1]), curve('L = 8', [1, 0.6, 0.05])])
    assert [text.get_text() for text in binder.axes[0].get_legend().get_texts()] == ['L = 4', 'L = 8']
    with pytest.raises(ValueError, match='at least one curve'):
        binder_figure([])


def test_configuration(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    figure = configuration_figure(10 * rng.random((20, 3)), directions, ['Mn', 'Cr'] * 10, 10 * np.eye(3))
    panel, scale = figure.axes
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ['Cr', 'Mn']
    assert len(panel.lines) == 12  # edges of the box
    assert scale.get_ylabel() == 'component along z'
    figure.savefig(tmp_path / 'configuration.png')
    assert (tmp_path / 'configuration.png').stat().st_size > 10_000


def test_correlations(tmp_path: Path) -> None:
    distances, values = np.array([2.5, 3.6, 4.4]), np.array([[0.9, 0.8, 0.7], [0.2, 0.05, 0.0]])
    figure = correlations_figure(distances, np.array([10.0, 200.0]), values, np.full((2, 3), 0.01))
    panel = figure.axes[0]
    np.testing.assert_allclose(panel.containers[1].lines[0].get_ydata(), values[1])
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ['10 K', '200 K']
    figure.savefig(tmp_path / 'correlations.png')
    with pytest.raises(ValueError, match='at least one distance'):
        correlations_figure(np.zeros(0), np.array([10.0]), np.zeros((1, 0)), np.zeros((1, 0)))


def test_transitions_of_pairs_of_dopants(tmp_path: Path) -> None:
    temperatures = np.array([[30.0, 12.5], [12.5, np.nan]])
    errors = np.array([[0.5, np.nan], [np.nan, np.nan]])
    figure = transition_matrix_figure(['Mn', 'Cr'], temperatures, errors)
    panel, scale = figure.axes
    assert [text.get_text() for text in panel.texts] == ['30\n± 0.5', '12.5', '12.5', '–']
    assert [label.get_text() for label in panel.get_xticklabels()] == ['Mn', 'Cr']
    assert scale.get_ylabel() == 'transition (K)'
    figure.savefig(tmp_path / 'transitions.png')
    with pytest.raises(ValueError, match='2 elements'):
        transition_matrix_figure(['Mn', 'Cr'], np.zeros((3, 3)))
