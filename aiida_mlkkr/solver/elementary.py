"""Elementary functions without branches and calls, so that the compiler can turn a loop over points into vector code.

They are exact to a few units in the last place in the ranges that exchange and correlation need, and an order of
magnitude faster in such a loop than the functions of the C library. To be called from Numba code with
``error_model='numpy'``.
"""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

_inlined = njit(cache=True, error_model='numpy', fastmath={'contract'}, inline='always')


def _reinterpret(_context: Any, _bits: Any) -> Any:
    """The double with these 64 bits."""
    return types.float64(types.int64), lambda _, builder, __, values: builder.bitcast(values[0], ir.DoubleType())


def _read_bits(_context: Any, _x: Any) -> Any:
    """The 64 bits of a double as an integer."""
    return types.int64(types.float64), lambda _, builder, __, values: builder.bitcast(values[0], ir.IntType(64))


_double: Any = intrinsic(_reinterpret)
_bits: Any = intrinsic(_read_bits)

# An integer below 2^51 added to these bits is, as a double, that integer above the number.
_INTEGER_BITS = 0x4338000000000000
_INTEGER = 6755399441055744.0  # 1.5 * 2^52
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
_LN2 = float(np.log(2.0))


# Coefficients of powers of t, from interpolation in Chebyshev's nodes with 60 digits; the errors are below 2e-17.
# log m = s p(t) with s = (m-1)/(m+1), t = 2 s^2/end - 1, for m between sqrt(1/2) and sqrt(2)
_LOG_SCALE = 2.0 / (3.0 - 2.0 * 2.0**0.5) ** 2
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7 = (
    2.009899993940758,
    0.009988502981276303,
    8.945213027327585e-05,
    9.540375196253118e-07,
    1.1081489395246483e-08,
    1.3541448674757709e-10,
    1.7120003090078092e-12,
    2.2162431476583924e-14,
)
# 2 atan u = u p(t) with t = 6 u^2 - 1, for u up to tan(30 degrees)
_A0, _A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8, _A9, _A10, _A11, _A12, _A13 = (
    1.898828216597221,
    -0.0922712511557534,
    0.00797894857089539,
    -0.00081822001899293,
    9.120282484448071e-05,
    -1.0683720424808331e-05,
    1.2935505111896246e-06,
    -1.6035499082413164e-07,
    2.0233276549726727e-08,
    -2.588299308438488e-09,
    3.342475438720661e-10,
    -4.362040274428732e-11,
    6.112668405106748e-12,
    -8.094023298130171e-13,
)
# bits of x^(-1/3), to three per cent, from those of x by a straight line
_ROOT_OFFSET = (4.0 * 1023.0 / 3.0 - 0.0450466) * 2.0**32


@_inlined
def log(x: float) -> float:
    """Natural logarithm of a positive number that is not denormal."""
    exponent = (_bits(x) - _ROOT_HALF_BITS) >> 52
    m = _double(_bits(x) - (exponent << 52))
    s = (m - 1.0) / (m + 1.0)
    t = s * s * _LOG_SCALE - 1.0
    p = ((((((_L7 * t + _L6) * t + _L5) * t + _L4) * t + _L3) * t + _L2) * t + _L1) * t + _L0
    result: float = (_double(exponent + _INTEGER_BITS) - _INTEGER) * _LN2 + s * p
    return result


@_inlined
def atan2_acute(y: float, x: float) -> float:
    """The angle atan(y/x) for positive x and y, up to 60 degrees."""
    u = y / (x + np.sqrt(x * x + y * y))
    t = 6.0 * u * u - 1.0
    p = ((((((_A13 * t + _A12) * t + _A11) * t + _A10) * t + _A9) * t + _A8) * t + _A7) * t + _A6
    p = (((((p * t + _A5) * t + _A4) * t + _A3) * t + _A2) * t + _A1) * t + _A0
    result: float = u * p
    return result


@_inlined
def inverse_cbrt(x: float) -> float:
    """x^(-1/3) of a positive number that is not denormal."""
    guess = _ROOT_OFFSET - (_double((_bits(x) >> 20) + _INTEGER_BITS) - _INTEGER) * (1.0 / 3.0)
    z: float = _double((_bits(guess + _INTEGER) - _INTEGER_BITS) << 20)
    for _ in range(4):
        z *= (4.0 - x * z * z * z) * (1.0 / 3.0)
    return z


@_inlined
def cbrt(x: float) -> float:
    """Cube root of a positive number that is not denormal."""
    z = inverse_cbrt(x)
    result: float = x * z * z
    return result
