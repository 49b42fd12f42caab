"""The vectorised elementary functions against the C library's."""

from collections.abc import Callable

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from aiida_mlkkr.solver import elementary

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def over_arrays(function: Callable[[float], float]) -> Function:
    @njit(error_model='numpy', fastmath={'contract'})
    def many(x: NDArray[np.float64]) -> NDArray[np.float64]:
        result = np.empty_like(x)
        for i in range(x.size):
            result[i] = function(x[i])
        return result

    return many  # type: ignore[no-any-return]


MAGNITUDES = np.concatenate([np.geomspace(1e-300, 1e300, 20001), np.linspace(0.5, 2.0, 20001), [1.0, 0.5, 8.0]])


# four units in the last place; the logarithm has an absolute error near one
@pytest.mark.parametrize(
    ('function', 'exact', 'floor'),
    [
        (elementary.log, np.log, 1.0),
        (elementary.cbrt, np.cbrt, 0.0),
        (elementary.inverse_cbrt, lambda x: 1.0 / np.cbrt(x), 0.0),
    ],
)
def test_of_one_argument(function: Callable[[float], float], exact: Function, floor: float) -> None:
    found, expected = over_arrays(function)(MAGNITUDES), exact(MAGNITUDES)
    assert (np.abs(found - expected) <= 9e-16 * np.maximum(np.abs(expected), floor)).all()


@pytest.mark.parametrize('scale', [1e-10, 1.0, 1e10])
def test_angle(scale: float) -> None:
    @njit(error_model='numpy')
    def angle(x: float) -> float:
        return elementary.atan2_acute(scale, x)  # type: ignore[no-any-return]

    x = scale * np.concatenate([np.geomspace(0.6, 1e12, 20001), np.linspace(0.58, 3.0, 2001)])
    np.testing.assert_allclose(over_arrays(angle)(x), np.arctan(scale / x), rtol=9e-16)
