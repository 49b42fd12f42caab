"""Errors of means of correlated series, and of what is computed from several means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BLOCKS: Final = 32
"""Blocks that a series is cut into."""


def block_means(series: FloatArray, blocks: int = BLOCKS) -> FloatArray:
    """Means over equal blocks of the first axis; what is left over at the beginning is not used.

    :param series: shape (rounds, …).
    :return: shape (blocks, …).
    """
    length = len(series) // blocks
    means: FloatArray = series[len(series) - blocks * length :].reshape(blocks, length, *series.shape[1:]).mean(axis=1)
    return means


def jackknife(function: Callable[[FloatArray], FloatArray], blocks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A function of means, and by how much it may be wrong.

    :param function: from means of shape (…) to values of any shape.
    :param blocks: independent estimates of the means, shape (b, …).
    :return: values at the means, without the bias of order 1/b, and deviations of shape (b, …), whose products summed
        over the blocks are the covariance of the values; NaN if there is one block only.
    """
    number = len(blocks)
    mean = blocks.mean(axis=0)
    whole = function(mean)
    if number == 1:
        return whole, np.full_like(whole[None], np.nan)
    parts = np.array([function((number * mean - block) / (number - 1)) for block in blocks])
    average = parts.mean(axis=0)
    deviations: FloatArray = np.sqrt((number - 1) / number) * (parts - average)
    return number * whole - (number - 1) * average, deviations


def autocorrelation_time(series: FloatArray) -> FloatArray:
    """Integrated autocorrelation time in rounds, from the error of blocks against that of single rounds; at least ½.

    :param series: shape (rounds, …); it sees times that are short against the length of a block.
    """
    blocks = block_means(series)
    length = len(series) // BLOCKS
    single = series.var(axis=0)
    between = blocks.var(axis=0, ddof=1)
    ratio = np.divide(length * between, single, out=np.ones_like(single), where=single > 0)
    time: FloatArray = np.maximum(0.5 * ratio, 0.5)
    return time


def deviation(one: FloatArray, other: FloatArray) -> FloatArray:
    """Difference of the means of two series in units of its error.

    :param one: blocks, shape (b, …); ``other`` likewise.
    """
    errors = [blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks)) for blocks in (one, other)]
    error = np.hypot(*errors)
    difference = np.abs(one.mean(axis=0) - other.mean(axis=0))
    deviations: FloatArray = np.divide(difference, error, out=np.zeros_like(difference), where=error > 0)
    return deviations
