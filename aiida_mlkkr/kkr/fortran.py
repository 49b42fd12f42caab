"""Numbers as gfortran reads and writes them."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# gfortran drops the exponent letter when the exponent has three digits: 1.0-100
_BARE_EXPONENT = re.compile(r'(?<=[\d.])([+-]\d{3})(?!\d)')
_LETTER_D = str.maketrans('Dd', 'EE')


def parse_floats(text: str) -> NDArray[np.float64]:
    """Blank-separated real numbers with exponents in any of Fortran's spellings.

    :raises ValueError: if something else is in the text.
    """
    if not text or text.isspace():
        return np.empty(0)
    text = text.translate(_LETTER_D)
    try:
        return np.fromstring(text, sep=' ')
    except ValueError:
        return np.fromstring(_BARE_EXPONENT.sub(r'E\1', text), sep=' ')


def format_p(value: float, width: int, decimals: int) -> str:
    """Edit descriptor ``1P,D<width>.<decimals>``."""
    return _drop_letter(f'{value:.{decimals}E}').replace('E', 'D').rjust(width)


def format_p_block(values: Sequence[float] | NDArray[np.float64], decimals: int, per_line: int = 4) -> str:
    """Lines of ``1P,<per_line>D20.<decimals>``, each ended by a newline."""
    array = np.asarray(values, dtype=np.float64)
    magnitude = np.abs(array[array != 0.0])
    if magnitude.size and (magnitude.min() < 1e-98 or magnitude.max() > 1e98):
        fields = [format_p(value, 20, decimals) for value in array]
        return ''.join(''.join(fields[i : i + per_line]) + '\n' for i in range(0, len(fields), per_line))
    full, rest = divmod(array.size, per_line)
    field = f'%20.{decimals}E'
    template = (field * per_line + '\n') * full + (field * rest + '\n' if rest else '')
    return (template % tuple(array.tolist())).replace('E', 'D')


def format_e(value: float, width: int, decimals: int, letter: str = 'E') -> str:
    """Edit descriptor ``E<width>.<decimals>`` (or D): a mantissa between 0.1 and 1."""
    if value == 0.0:
        sign = '-' if np.signbit(value) else ''
        return f'{sign}0.{"0" * decimals}{letter}+00'.rjust(width)
    mantissa, exponent = f'{value:.{decimals - 1}E}'.split('E')
    sign = '-' if mantissa[0] == '-' else ''
    digits = mantissa.lstrip('-').replace('.', '')
    return _drop_letter(f'{sign}0.{digits}E{int(exponent) + 1:+03d}').replace('E', letter).rjust(width)


def format_list_directed(value: float) -> str:
    """A double precision number as ``write(unit, *)`` prints it: a blank, then 25 characters."""
    mantissa, exponent = f'{value:.16E}'.split('E')
    power = int(exponent)
    if value == 0.0 or -1 <= power < 16:
        return ' ' + (f'{value:.{16 - power}f}' + ' ' * 5).rjust(25)
    return ' ' + f'{mantissa}E{power:+04d}'.rjust(25)


def _drop_letter(text: str) -> str:
    """E+100 -> +100: with three exponent digits gfortran's E and D descriptors have no room for the letter."""
    mantissa, exponent = text.split('E')
    return text if len(exponent) == 3 else mantissa + exponent
