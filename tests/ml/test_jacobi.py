"""The functions of a distance against their definition."""

from __future__ import annotations

import numpy as np
from scipy.special import eval_jacobi

from aiida_mlkkr.ml.jacobi import JacobiFunctions

FUNCTIONS = JacobiFunctions(number=4, cutoff=5.0, alpha=0.7, beta=1.4)


def vanishing(n: int, r: float) -> float:
    """P̃_n as it is defined, with orders that are no integers."""
    x = np.cos(np.pi * min(r, 5.0) / 5.0)
    return float(eval_jacobi(n, 0.7, 1.4, x) - eval_jacobi(n, 0.7, 1.4, -1.0))


def doubly(n: int, r: float) -> float:
    """P̄_n as it is defined."""
    return vanishing(n, r) - vanishing(n, 0.0) / vanishing(1, 0.0) * vanishing(1, r)


def test_functions_vanish_where_they_must():
    r = np.array([0.0, 2.0, 5.0, 7.0])
    assert np.allclose(FUNCTIONS.vanishing(r)[1], [vanishing(n, 2.0) for n in range(1, 5)])
    assert np.allclose(FUNCTIONS.doubly_vanishing(r)[1], [doubly(n, 2.0) for n in range(2, 5)])
    assert np.allclose(FUNCTIONS.vanishing(r)[2:], 0.0, atol=1e-14)
    assert np.allclose(FUNCTIONS.doubly_vanishing(r)[[0, 2, 3]], 0.0, atol=1e-13)
    assert (np.abs(FUNCTIONS.vanishing(r)[0]) > 0.1).all()
