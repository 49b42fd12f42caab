"""Integrals over the mesh index: exact for cubic polynomials, whatever the number of points."""

import numpy as np
import pytest

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.solver.quadrature import integrate_inwards, integrate_outwards, simpson_weights

COUNTS = [5, 6, 11, 12, 348, 349]


def cubic(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A cubic polynomial of the index and its integral from the first point."""
    x = np.arange(n) / n
    return 1 - 2 * x + 3 * x**2 + 8 * x**3, n * (x - x**2 + x**3 + 2 * x**4)


@pytest.mark.parametrize('n', COUNTS)
def test_weights_integrate_cubic_polynomials(n: int) -> None:
    values, integral = cubic(n)
    assert simpson_weights(n) @ values == pytest.approx(integral[-1], rel=1e-13)  # rounding
    assert simpson_weights(n).sum() == pytest.approx(n - 1, rel=1e-13)


@pytest.mark.parametrize('n', COUNTS)
def test_running_integrals_of_cubic_polynomials(n: int) -> None:
    values, integral = cubic(n)
    both = np.stack([values, values[::-1]])
    expected = np.stack([integral, integral[-1] - integral[::-1]])
    # rounding of sums over n points; the absolute part is for the points next to the end
    np.testing.assert_allclose(integrate_outwards(both), expected, rtol=1e-12, atol=1e-12 * n)
    np.testing.assert_allclose(integrate_inwards(both), expected[:, -1:] - expected, rtol=1e-12, atol=1e-12 * n)


def test_running_integral_ends_with_simpsons_rule() -> None:
    values = np.random.default_rng(3).normal(size=(1, 349))
    assert integrate_outwards(values)[0, -1] == pytest.approx(float(simpson_weights(349) @ values[0]), abs=1e-13)


def test_weights_on_a_real_mesh() -> None:
    # ∫ r² exp(−2r) dr from 0 to 2.67 on JuKKR's mesh for Cu; the rule is of fourth order in the step of 0.025
    mesh = RadialMesh(a=0.025, b=4.4418808e-4, n=349)
    integral = simpson_weights(mesh.n) @ (mesh.r**2 * np.exp(-2 * mesh.r) * mesh.drdi)
    x = 2 * mesh.rmax
    assert integral == pytest.approx((2 - np.exp(-x) * (x * x + 2 * x + 2)) / 8, rel=1e-7)
