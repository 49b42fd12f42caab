"""Metrics against numbers known beforehand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from model_clusters import MESH

from aiida_mlkkr.ml.metrics import calibration, rank_correlation, rms, rms_by_channel, rms_by_radius


def test_a_constant_has_its_size_everywhere():
    difference = np.full((2, MESH.n), -0.3)
    assert rms(MESH, difference) == pytest.approx(0.3)
    np.testing.assert_allclose(rms_by_radius(MESH, difference, [0.0, 0.5, 1.0]), 0.3)


def test_shells_add_up_to_the_whole():
    difference = np.array([np.cos(3 * MESH.r), 0.2 * MESH.r])
    edges = [0.0, 0.2, 0.6, 1.0]
    shells = rms_by_radius(MESH, difference, edges)
    weight = MESH.r**2 * MESH.drdi
    weight[-1] *= 0.5
    parts = [weight[(MESH.r / MESH.rmax > a) & (MESH.r / MESH.rmax <= b)].sum() for a, b in pairwise(edges)]
    assert np.sqrt(shells**2 @ parts / sum(parts)) == pytest.approx(rms(MESH, difference))


def test_an_error_in_one_shell_is_found_there():
    difference = np.where(MESH.r > 0.5 * MESH.rmax, 1.0, 0.0)
    inner, outer = rms_by_radius(MESH, difference, [0.0, 0.5, 1.0])
    assert (inner, outer) == (0.0, 1.0)


def test_shells_without_points_have_no_error():
    assert np.isnan(rms_by_radius(MESH, np.ones(MESH.n), [1.0, 2.0])[0])


def test_one_channel_in_the_atomic_sphere_approximation():
    difference = np.array([np.cos(3 * MESH.r), 0.2 * MESH.r])
    np.testing.assert_allclose(rms_by_channel(MESH, difference), [rms(MESH, difference)])


def test_honest_gaussian_errors_are_covered():
    rng = np.random.default_rng(0)
    expected = rng.uniform(0.5, 2.0, 20000)
    errors = np.abs(rng.normal(scale=expected))
    for level in (0.68, 0.95):
        assert calibration(errors, expected, level).coverage == pytest.approx(level, abs=0.01)
    honest = calibration(errors, expected)
    for factor in (0.5, 2.0):
        assert calibration(errors, factor * expected).score > honest.score, 'a proper score is best when honest'


def test_interval_score_by_hand():
    found = calibration(np.array([1.0, 3.0]), np.array([1.0, 1.0]), level=0.6826894921370859)
    assert found.coverage == 0.5
    assert found.width == pytest.approx(2.0)
    assert found.score == pytest.approx(2.0 + 0.5 * 2.0 / (1 - 0.6826894921370859) * 2.0)


@pytest.mark.parametrize(
    ('other', 'value'), [([1, 10, 100], 1.0), ([3, 2, 1], -1.0), ([1, 1, 1], np.nan), ([2, 1, 3], 0.5)]
)
def test_rank_correlation(other, value):
    found = rank_correlation(np.array([0.1, 0.2, 0.3]), np.array(other, dtype=float))
    np.testing.assert_allclose(found, value)


@pytest.mark.parametrize(('errors', 'level'), [([], 0.95), ([1.0], 1.0)])
def test_nothing_to_judge(errors, level):
    with pytest.raises(ValueError, match='calibration'):
        calibration(np.array(errors), np.ones(len(errors)), level)
