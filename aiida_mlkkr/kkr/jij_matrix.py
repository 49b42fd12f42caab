"""``out_Jijmatrix``: exchange matrices that KKRimp writes with CALCJIJMAT=1, with all moments along z, then x, then y.

For every ordered pair of sites the file holds the 3×3 matrix of H = ½ Σ_(i≠j) e_i·𝒥_ij e_j, row by row, in Ry, after
H. Ebert and S. Mankovsky, Phys. Rev. B 79, 045209 (2009). Only the elements across the moments are exchange
interactions.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.fortran import parse_floats

FILE_NAME: Final = 'out_Jijmatrix'

BIQUADRATIC: Final = 'out_biquadratic'
"""Written by the embedded solver beside it."""

_SERIAL = re.compile(r'# serial: ([^_\s]+)')
_PAIR = re.compile(r'# coupling between([ \d]{3})([ \d]{3})')
_DIRECTION = re.compile(r'#\s*direction of atom\s+\d+\s+theta/phi:\s*(\S+)\s+(\S+)')
_PRINTED = 0.006
"""Angles are printed with two decimals."""

ACROSS: Final = ((1, 2), (2, 0), (0, 1))
"""Cartesian directions across moments along x, y and z."""


@dataclass(frozen=True, eq=False)
class JijMatrices:
    """Exchange matrices as in the file.

    :param values: matrices with moments along x, y and z, shape (3, n, n, 3, 3) [Ry]; elements along the moments and
        those of a site with itself are not exchange interactions.
    :param code: name of the program that wrote the file.
    """

    values: NDArray[np.float64]
    code: str = ''

    @property
    def natom(self) -> int:
        """Number of sites."""
        return len(self.values[0])


@dataclass
class _Block:
    """One matrix of the file on the way."""

    pair: tuple[int, int]
    axes: list[int]
    rows: list[NDArray[np.float64]]


def read_jij_matrices(path: Path) -> JijMatrices:
    """Read ``out_Jijmatrix``.

    :raises KkrFileError: if it is not the complete result of the three directions of the moments.
    """
    try:
        return parse_jij_matrices(path.read_text(encoding='ascii', errors='replace'))
    except (OSError, ValueError) as error:
        raise KkrFileError(f'{path}: {error}') from error


def parse_jij_matrices(text: str) -> JijMatrices:
    """Read the text of ``out_Jijmatrix``.

    :raises KkrFileError: if it is not the complete result of the three directions of the moments.
    """
    try:
        serial = _SERIAL.match(text)
        return JijMatrices(_matrices(_blocks(text)), serial[1] if serial else '')
    except ValueError as error:
        raise KkrFileError(
            f'no complete set of exchange matrices ({error}); the calculation with CALCJIJMAT=1 crashed or was '
            'interrupted, run it again'
        ) from error


def parse_biquadratic(text: str, natom: int) -> NDArray[np.float64]:
    """Read the text of the embedded solver's ``out_biquadratic``, rows ``i j J B rest reversal``.

    :return: B_ij of H = −½ Σ_(i≠j) [J_ij e_i·e_j + B_ij (e_i·e_j)²], shape (n, n) [Ry].
    :raises KkrFileError: if it does not hold all pairs of n sites.
    """
    values = np.full((natom, natom), np.nan)
    np.fill_diagonal(values, 0.0)
    for line in text.splitlines():
        if '#' in line:
            continue
        try:
            i, j, _, b, *_ = line.split()
            values[int(i) - 1, int(j) - 1] = values[int(j) - 1, int(i) - 1] = float(b)
        except (ValueError, IndexError) as error:
            raise KkrFileError(f'{BIQUADRATIC}: {line.strip()[:60]!r} is not about a pair of {natom} sites') from error
    if not np.isfinite(values).all():
        raise KkrFileError(f'{BIQUADRATIC}: pairs of the {natom} sites are missing; the calculation was interrupted')
    return values


def _blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    for number, line in enumerate(text.splitlines(), start=1):
        pair, direction = _PAIR.search(line), _DIRECTION.search(line)
        if pair:
            blocks.append(_Block((int(pair[1]), int(pair[2])), [], []))
        elif direction and blocks:
            blocks[-1].axes.append(_axis(float(direction[1]), float(direction[2])))
        elif line.strip() and '#' not in line:
            row = _row(line)
            if not blocks or row is None:
                raise ValueError(f'line {number} is not a row of a matrix')
            blocks[-1].rows.append(row)
    if not blocks:
        raise ValueError('it holds none')
    if not text.endswith('\n'):
        raise ValueError('its last line is not complete')
    return blocks


def _row(line: str) -> NDArray[np.float64] | None:
    """Three finite numbers; None if the line holds something else."""
    try:
        row = parse_floats(line)
    except ValueError:
        return None
    return row if len(row) == 3 and np.isfinite(row).all() else None


def _axis(theta: float, phi: float) -> int:
    """0, 1, 2 for a moment along x, y, z.

    :raises ValueError: it is along none of them.
    """
    if abs(theta) < _PRINTED:
        return 2
    for axis, angle in enumerate((0.0, np.pi / 2)):
        if abs(theta - np.pi / 2) < _PRINTED and abs(phi - angle) < _PRINTED:
            return axis
    raise ValueError(f'a moment in the direction theta = {theta}, phi = {phi} is along none of x, y and z')


def _matrices(blocks: list[_Block]) -> NDArray[np.float64]:
    natom = max(max(block.pair) for block in blocks)
    values = np.full((3, natom, natom, 3, 3), np.nan)
    for block in blocks:
        i, j = block.pair[0] - 1, block.pair[1] - 1
        if len(block.rows) != 3 or len(block.axes) != 2 or len(set(block.axes)) > 1:
            raise ValueError(f'the matrix of sites {block.pair[0]} and {block.pair[1]} is not complete')
        values[block.axes[0], i, j] = block.rows
    missing = [name for name, part in zip('xyz', values, strict=True) if not np.isfinite(part).all()]
    if missing or len(blocks) != 3 * natom**2:
        raise ValueError(
            f'{len(blocks)} matrices instead of {3 * natom**2} of {natom} sites with moments along z, x and y'
        )
    return values
