"""The figures of exchange show what they are given."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_mlkkr.plot.exchange import distance_figure, fine_distances, heat_map_figure, vectors_figure

SQUARE = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [3.0, 3.0, 0.0], [0.0, 3.0, 0.0]])


def test_a_map_is_symmetric_ordered_and_honest_about_gaps(tmp_path):
    figure = heat_map_figure(
        {'R = 2.55 Å': {('Fe', 'Mn'): -5.0, ('Mn', 'Mn'): -96.2}, 'R = 3.61 Å': {('Fe', 'Fe'): 2.0}}
    )
    first, second = (axes for axes in figure.axes if axes.images)
    assert [tick.get_text() for tick in first.get_xticklabels()] == ['Mn', 'Fe']
    drawn = first.images[0].get_array()
    np.testing.assert_array_equal(drawn.filled(0.0), [[-96.2, -5.0], [-5.0, 0.0]])
    assert drawn.mask[1, 1]
    assert not drawn.mask[0, 1]
    assert first.images[0].get_clim() == (-96.2, 96.2)
    assert {text.get_text() for text in first.texts} == {'-96', '-5.0'}
    assert second.get_title(loc='left') == 'R = 3.61 Å'
    figure.savefig(tmp_path / 'map.png')


def test_points_and_lines_over_the_distance(tmp_path):
    r, j = np.array([2.5, 3.6, 4.4]), np.array([-90.0, 10.0, 4.0])
    fine = fine_distances(r)
    assert (fine[0], fine[-1]) == (2.5, 4.4)
    figure = distance_figure({'Mn-Mn': (r, j)}, {'Mn-Mn': (fine, np.ones_like(fine))})
    above, below = figure.axes
    (points,) = (line for line in above.lines if line.get_marker() == 'o')
    np.testing.assert_array_equal(points.get_ydata(), j)
    (scaled,) = (line for line in below.lines if line.get_marker() == 'o')
    np.testing.assert_allclose(scaled.get_ydata(), j * r**3)
    line = max(below.lines, key=lambda line: len(line.get_xdata()))
    np.testing.assert_allclose(line.get_ydata(), fine**3)
    figure.savefig(tmp_path / 'distance.svg')


def test_vectors_in_the_middle_of_their_pairs(tmp_path):
    d = np.array([[0.0, 0.0, 0.5], [0.0, 0.0, -1.0]])
    pairs = np.array([[0, 1], [1, 2]])
    figure = vectors_figure(SQUARE, ['Mn', 'Fe', 'Mn', 'Fe'], pairs, np.array([10.0, -10.0]), d)
    panel = figure.axes[0]
    (arrows,) = (item for item in panel.collections if hasattr(item, '_segments3d'))
    tips, tails = np.array(arrows._segments3d[:2]).transpose(1, 0, 2)
    np.testing.assert_allclose(tails, [[1.5, 0.0, 0.0], [3.0, 1.5, 0.0]])
    np.testing.assert_allclose(tips - tails, [[0.0, 0.0, 0.75], [0.0, 0.0, -1.5]])
    assert 'D = 1 meV' in panel.get_title()
    figure.savefig(tmp_path / 'vectors.png')


def test_nothing_to_draw():
    for draw in (lambda: heat_map_figure({}), lambda: distance_figure({})):
        with pytest.raises(ValueError, match='at least one'):
            draw()
