"""Number formats; the expected strings were printed by gfortran 12."""

import numpy as np
import pytest

from aiida_mlkkr.kkr.fortran import format_e, format_list_directed, format_p, format_p_block, parse_floats


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0.0, '   0.0000000000000000     '),
        (-0.0, '  -0.0000000000000000     '),
        (1.0, '   1.0000000000000000     '),
        (0.1, '  0.10000000000000001     '),
        (2.4119098739430438, '   2.4119098739430438     '),
        (99999.999999999999, '   100000.00000000000     '),
        (1e-120, '   9.9999999999999998E-121'),
        (-3e150, '  -3.0000000000000001E+150'),
        (0.01, '   1.0000000000000000E-002'),
    ],
)
def test_list_directed(value, text):
    assert format_list_directed(value) == text


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (-1.045601349338109, '  -0.1045601349338109E+01'),
        (0.01, '   0.1000000000000000E-01'),
        (0.0, '   0.0000000000000000E+00'),
        (1e-100, '   0.1000000000000000E-99'),
        (1e-101, '   0.1000000000000000-100'),
        (1e99, '   0.1000000000000000+100'),
    ],
)
def test_e25_16(value, text):
    assert format_e(value, 25, 16) == text


def test_d15_8():
    assert format_e(0.025, 15, 8, 'D') + format_e(0.44418808e-3, 15, 8, 'D') == ' 0.25000000D-01 0.44418808D-03'


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (-470.228082514, '  -4.70228082514D+02'),
        (1e-99, '   1.00000000000D-99'),
        (-1e-100, '  -1.00000000000-100'),
        (0.0, '   0.00000000000D+00'),
    ],
)
def test_1p_d20_11(value, text):
    assert format_p(value, 20, 11) == text


def test_block_of_numbers_with_and_without_three_digit_exponents():
    assert format_p_block([1.0, -2.0, 3.0, 4.0, 0.0], 12) == (
        '  1.000000000000D+00 -2.000000000000D+00  3.000000000000D+00  4.000000000000D+00\n  0.000000000000D+00\n'
    )
    assert format_p_block([1.0, 1e-120], 12) == '  1.000000000000D+00  1.000000000000-120\n'
    assert format_p_block([], 12) == ''


def test_every_spelling_of_an_exponent_is_read():
    np.testing.assert_array_equal(parse_floats(' 1D+02 1.5d-1 -2E3 0.1-120 7 '), [100.0, 0.15, -2000.0, 1e-121, 7.0])
    assert parse_floats('  \n ').size == 0


@pytest.mark.parametrize('text', ['1.0 abc', '****', '1.0 2.0x', '1.0,2.0', '1.0 --2'])
def test_what_is_not_a_number_is_refused(text):
    with pytest.raises(ValueError):
        parse_floats(text)


def test_random_numbers_survive():
    rng = np.random.default_rng(7)
    values = rng.normal(size=500) * 10.0 ** rng.integers(-140, 140, 500)
    text = ''.join(format_e(value, 25, 16) for value in values)
    # half a unit of the 16th digit after the point, the first of which is not zero, and the rounding of the parser
    np.testing.assert_allclose(parse_floats(text), values, rtol=6.2e-16)
    text = ''.join(format_list_directed(value) for value in values)
    np.testing.assert_array_equal(parse_floats(text), values)
