"""Spherical Bessel and Hankel functions of complex argument against closed forms and scipy."""

import numpy as np
import pytest
from scipy.special import factorial2, spherical_jn

from aiida_mlkkr.solver.bessel import spherical_bessel, spherical_hankel

# arguments that occur: κR on the contour is 0.1 to 10, near the real or, for low energies, near the imaginary axis
ARGUMENTS = [
    1e-6 + 0j,
    0.1 + 0.02j,
    0.3j,
    1.0 + 0j,
    1.5 + 1.5j,
    np.pi + 0j,
    4.493409457909064 + 0j,
    7.0 + 0.3j,
    2.0 + 9.0j,
    30.0 + 1.0j,
]


@pytest.mark.parametrize('z', ARGUMENTS)
def test_bessel_against_closed_forms(z: complex) -> None:
    j = spherical_bessel(z, 2)
    if abs(z) < 0.05:
        # the closed forms cancel; two terms of the series are exact to z⁴
        l = np.arange(3)
        expected = z**l / factorial2(2 * l + 1) * (1 - z * z / (2 * (2 * l + 3)))
        np.testing.assert_allclose(j, expected, rtol=1e-14)
        return
    sine, cosine = np.sin(z), np.cos(z)
    closed = [sine / z, sine / z**2 - cosine / z, (3 / z**3 - 1 / z) * sine - 3 * cosine / z**2]
    # the closed form of j_2 loses 1/z³ of its digits: 3e-13 at z = 0.1; near zeros the scale is that of the others
    np.testing.assert_allclose(j, closed, rtol=1e-12, atol=1e-12 * np.abs(closed).max())


@pytest.mark.parametrize('z', ARGUMENTS)
def test_bessel_against_scipy(z: complex) -> None:
    expected = spherical_jn(np.arange(9), z)
    # scipy's complex functions are good to some 1e-13 of the larger neighbours
    np.testing.assert_allclose(spherical_bessel(z, 8), expected, rtol=2e-12, atol=1e-13 * np.abs(expected[1:]).max())


@pytest.mark.parametrize('lmax', [0, 1, 4])
@pytest.mark.parametrize('z', [np.pi + 0j, 4.493409457909064 + 0j])
def test_bessel_where_its_normalisation_vanishes(lmax: int, z: complex) -> None:
    # j_0(π) = 0 and j_1(4.4934…) = 0: the recursion must not be scaled to these
    j = spherical_bessel(z, lmax)
    np.testing.assert_allclose(j, spherical_jn(np.arange(lmax + 1), z.real), rtol=1e-13, atol=1e-15)


def test_bessel_at_zero() -> None:
    np.testing.assert_array_equal(spherical_bessel(0j, 3), [1, 0, 0, 0])


def test_bessel_of_high_l_and_small_argument_keeps_its_digits() -> None:
    z = 1e-3 + 1e-3j
    l = np.arange(13)
    expected = z**l / factorial2(2 * l + 1) * (1 - z * z / (2 * (2 * l + 3)))
    np.testing.assert_allclose(spherical_bessel(z, 12), expected, rtol=1e-12)


@pytest.mark.parametrize('z', ARGUMENTS)
def test_hankel_against_closed_forms(z: complex) -> None:
    e = np.exp(1j * z)
    closed = [-1j * e / z, -e * (z + 1j) / z**2, 1j * e * (z**2 + 3j * z - 3) / z**3]
    np.testing.assert_allclose(spherical_hankel(z, 2), closed, rtol=1e-12)


@pytest.mark.parametrize('z', ARGUMENTS)
def test_wronskian_of_bessel_and_hankel(z: complex) -> None:
    j, h = spherical_bessel(z, 6), spherical_hankel(z, 6)
    wronskian = j[:-1] * h[1:] - j[1:] * h[:-1]
    np.testing.assert_allclose(wronskian * z**2, -1j, rtol=0, atol=1e-11)  # of differences of numbers up to e^9 / 80


def test_hankel_of_l_zero_only() -> None:
    np.testing.assert_allclose(spherical_hankel(2.0 + 1.0j, 0), [-1j * np.exp(2j - 1) / (2 + 1j)], rtol=1e-15)
