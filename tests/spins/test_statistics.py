"""Errors of means and of what is computed from them."""

from __future__ import annotations

import numpy as np

from aiida_mlkkr.spins.statistics import jackknife


def test_deviations_of_the_jackknife() -> None:
    """Of means themselves their products are the covariance of the mean; of a square it is that of its slope."""
    blocks = np.random.default_rng(1).multivariate_normal([5.0, 7.0], [[1.0, 0.8], [0.8, 2.0]], size=200)
    covariance = np.cov(blocks.T) / len(blocks)
    values, deviations = jackknife(lambda means: means, blocks)
    np.testing.assert_allclose(values, blocks.mean(axis=0))
    np.testing.assert_allclose(deviations.T @ deviations, covariance)
    _, of_squares = jackknife(np.square, blocks)
    slopes = 2 * blocks.mean(axis=0)
    np.testing.assert_allclose(of_squares.T @ of_squares, covariance * np.outer(slopes, slopes), rtol=0.01)


def test_one_block_has_no_error() -> None:
    values, deviations = jackknife(np.square, np.array([[2.0, 3.0]]))
    assert values.tolist() == [4.0, 9.0]
    assert np.isnan(deviations).all()
