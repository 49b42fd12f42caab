"""The kkrflex files, by which KKRhost hands a host crystal to KKRimp.

``kkrflex_atominfo`` (sites of the cluster), ``kkrflex_tmat`` (t matrices of the host), ``kkrflex_green`` (Green
function of the host between the sites, energy mesh and weights), ``kkrflex_intercell_ref`` and
``kkrflex_intercell_cmoms`` (potential of the rest of the crystal, charge moments of the host).
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.fortran import format_e, parse_floats

_HEADER = np.dtype('<i4')
_COMPLEX64 = np.dtype('<c8')
_COMPLEX128 = np.dtype('<c16')


@dataclass(frozen=True, eq=False)
class AtomInfo:
    """Sites of the cluster (``kkrflex_atominfo``).

    :param positions: (n, 3) in units of the lattice constant.
    :param z: (n,) nuclear charges; 0 on virtual sites of the host.
    :param virtual: (n,) whether the site is a virtual atom, without a host t matrix.
    :param removed: (n,) whether the host site is removed from the cluster.
    :param lmax: (n,) angular-momentum cutoff of each site.
    :param serial: first line of the file, with the version of the code; empty if there is none.
    """

    positions: NDArray[np.float64]
    z: NDArray[np.float64]
    virtual: NDArray[np.bool_]
    removed: NDArray[np.bool_]
    lmax: NDArray[np.int64]
    serial: str = ''

    def __post_init__(self) -> None:
        n = len(self.z)
        shapes = [self.positions.shape, self.z.shape, self.virtual.shape, self.removed.shape, self.lmax.shape]
        if n == 0 or shapes != [(n, 3), (n,), (n,), (n,), (n,)]:
            raise ValueError(f'arrays of an AtomInfo do not fit together: {shapes}')

    @property
    def natom(self) -> int:
        """Number of sites, removed ones included."""
        return len(self.z)


@dataclass(frozen=True, eq=False)
class TMatrix:
    """Host t matrices (``kkrflex_tmat``).

    :param values: (natom, nspin, nE, lm, lm) complex128; with spin-orbit coupling (``korbit`` 1) the spins are in
        the last two axes and the second axis has length one.
    :param korbit: 1 if the host was calculated with spin-orbit coupling, else 0.
    :param serial: first line of the file, with the version of the code; empty if there is none.
    """

    values: NDArray[np.complex128]
    korbit: int = 0
    serial: str = ''

    def __post_init__(self) -> None:
        shape = self.values.shape
        if len(shape) != 5 or shape[3] != shape[4]:
            raise ValueError(f't matrices of shape {shape} instead of (natom, nspin, nE, lm, lm)')


@dataclass(frozen=True, eq=False)
class HostGreen:
    """Green function of the host between the sites of the cluster, and the energy mesh (``kkrflex_green``).

    :param energies: (nE,) complex energies in Ry; the real part of the last is the Fermi energy.
    :param weights: (nE,) integration weights, -(2/pi) dE.
    :param values: (nspin, nE, natom lm, natom lm) complex64, or complex128 in a double-precision file; row and column
        index is site * lm + L. With spin-orbit coupling (``korbit`` 1) the first axis has length one. May be a
        read-only view of the file, transposed (Fortran order in the last two axes).
    :param natom: number of sites.
    :param nspin: number of spins of the host, 1 or 2.
    :param lmsize: number of lm components of a site, twice as many with spin-orbit coupling.
    :param korbit: 1 if the host was calculated with spin-orbit coupling, else 0.
    """

    energies: NDArray[np.complex128]
    weights: NDArray[np.complex128]
    values: NDArray[np.complex64] | NDArray[np.complex128]
    natom: int
    nspin: int
    lmsize: int
    korbit: int = 0

    def __post_init__(self) -> None:
        size = self.natom * self.lmsize
        expected = (self.nspin - self.korbit, len(self.energies), size, size)
        if self.values.shape != expected or self.weights.shape != self.energies.shape:
            raise ValueError(
                f'arrays of a host Green function do not fit together: {self.values.shape} instead of {expected}, '
                f'{len(self.energies)} energies, {len(self.weights)} weights'
            )

    @property
    def contour_bottom(self) -> float:
        """Lowest energy of the contour in Ry: the smallest real part."""
        return float(self.energies.real.min())

    @property
    def is_for_densities_of_states(self) -> bool:
        """Whether the energies lie along the real axis, so that their sum gives no charge."""
        return bool(self.energies.size > 1 and np.ptp(self.energies.imag) == 0)


@dataclass(frozen=True, eq=False)
class IntercellReference:
    """Potential of the crystal around each site, lattice-wide Madelung part included (``kkrflex_intercell_ref``).

    :param alat: lattice constant in Bohr.
    :param vbc: (2,) shift of the potential zero of each spin, in Ry.
    :param coefficients: (natom, lmpot), coefficients of (-r)^l Y_lm in Ry.
    :param kshape: 0 if the host was calculated with atomic spheres, else full potential; from a comment of the file.
    :param serial: first line of the file, with the version of the code; empty if there is none.
    """

    alat: float
    vbc: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    kshape: int = 0
    serial: str = ''


@dataclass(frozen=True, eq=False)
class IntercellMoments:
    """Charge moments of the host sites (``kkrflex_intercell_cmoms``).

    :param z_host: (natom,) nuclear charges of the host sites.
    :param moments: (natom, lmpot) electronic moments int r^l rho_lm; moments[:, 0] = Q / sqrt(4 pi), core included.
    :param kshape: 0 if the host was calculated with atomic spheres, else full potential; from a comment of the file.
    :param serial: first line of the file, with the version of the code; empty if there is none.
    """

    z_host: NDArray[np.float64]
    moments: NDArray[np.float64]
    kshape: int = 0
    serial: str = ''


# --- text files -------------------------------------------------------------------------------------------------------


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding='ascii')
    except UnicodeDecodeError as error:
        raise KkrFileError(f'{path}: a text file expected, but it holds bytes that are not ASCII') from error
    if not text.strip():
        raise KkrFileError(f'{path}: the file is empty')
    if not text.endswith('\n'):
        raise KkrFileError(f'{path}: the last line is not complete; the file is truncated')
    return text


@dataclass(frozen=True)
class _TextTable:
    """A text file as rows of numbers, with its comments set apart."""

    path: Path
    rows: list[tuple[int, NDArray[np.float64]]]
    serial: str
    comments: list[str]

    @classmethod
    def read(cls, path: Path) -> '_TextTable':
        lines = _read_text(path).splitlines()
        rows = []
        comments = []
        for number, line in enumerate(lines, start=1):
            if '#' in line[:2]:
                comments.append(line)
                continue
            if not line.strip():
                continue
            try:
                values = parse_floats(line)
            except ValueError as error:
                raise KkrFileError(f'{path}: line {number}: numbers expected, found {_short(line)}') from error
            if not np.isfinite(values).all():
                raise KkrFileError(f'{path}: line {number}: a number that is not finite, {_short(line)}')
            rows.append((number, values))
        serial = lines[0] if lines[0].startswith('# serial') else ''
        return cls(path, rows, serial, comments)

    def commented(self, name: str) -> int | None:
        """Value of the comment ``# name value``; None if there is none."""
        for comment in self.comments:
            words = comment.split()
            if words[:2] == ['#', name] and len(words) == 3 and words[2].isdigit():
                return int(words[2])
        return None

    def row(self, index: int, count: int, what: str) -> NDArray[np.float64]:
        """The row with the given index, checked to hold ``count`` numbers.

        :raises KkrFileError: if the file ends before or the row has another length.
        """
        if index >= len(self.rows):
            raise KkrFileError(f'{self.path}: the file ends where {what} should be; it is truncated')
        number, values = self.rows[index]
        if len(values) != count:
            raise KkrFileError(f'{self.path}: line {number}: {what}: {count} numbers expected, found {len(values)}')
        return values

    def integers(self, index: int, values: NDArray[np.float64], what: str) -> list[int]:
        """The values as integers.

        :raises KkrFileError: if they are not.
        """
        if not np.array_equal(values, np.rint(values)):
            raise KkrFileError(f'{self.path}: line {self.rows[index][0]}: {what}: integers expected')
        return [int(value) for value in values]

    def expect_end(self, count: int) -> None:
        """Check that there are no more rows.

        :raises KkrFileError: if there are.
        """
        if len(self.rows) > count:
            raise KkrFileError(f'{self.path}: line {self.rows[count][0]}: more rows than the header of the file says')


def _short(line: str) -> str:
    return repr(line.strip()[:60])


def _integers_list_directed(*values: int) -> str:
    """Integers as ``write(unit, *)`` prints them."""
    return ''.join(f'{value:12d}' for value in values)


def _fixed(values: NDArray[np.float64]) -> str:
    return ''.join(f'{value:25.16f}' for value in values.tolist())


def _check_finite(path: Path, *arrays: Any) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise KkrFileError(f'{path}: a number to be written is not finite')


def _write_lines(path: Path, serial: str, lines: list[str]) -> None:
    path.write_text('\n'.join([serial, *lines] if serial else lines) + '\n', encoding='ascii')


def read_atominfo(path: Path) -> AtomInfo:
    """Read ``kkrflex_atominfo``.

    :raises KkrFileError: if the file is truncated, foreign or contradicts itself.
    """
    table = _TextTable.read(path)
    ntotal, nkept = table.integers(0, table.row(0, 2, 'numbers of sites'), 'numbers of sites')
    if ntotal < 1:
        raise KkrFileError(f'{path}: a cluster of {ntotal} sites')
    rows = np.array([table.row(i, 7, f'site {i} of {ntotal}') for i in range(1, ntotal + 1)])
    table.expect_end(ntotal + 1)
    for i, row in enumerate(rows, start=1):
        is_virtual, is_removed, lmax = table.integers(i, row[4:], f'site {i}: virtual, removed, lmax')
        if is_virtual not in (0, 1) or is_removed not in (0, 1) or lmax < 0 or row[3] < 0:
            raise KkrFileError(
                f'{path}: line {table.rows[i][0]}: site {i}: Z = {row[3]:g}, virtual = {is_virtual}, '
                f'removed = {is_removed}, lmax = {lmax} is not possible'
            )
    info = AtomInfo(
        positions=rows[:, :3].copy(),
        z=rows[:, 3].copy(),
        virtual=rows[:, 4] == 1,
        removed=rows[:, 5] == 1,
        lmax=rows[:, 6].astype(np.int64),
        serial=table.serial,
    )
    # KKRhost counts the sites that are not virtual, KKRimp's own manual those that are not removed
    removed = int(info.removed.sum())
    if nkept not in (ntotal - removed, ntotal - int(info.virtual.sum())):
        raise KkrFileError(
            f'{path}: the header says {nkept} of {ntotal} sites are kept, but {removed} sites are marked as removed'
        )
    return info


def write_atominfo(info: AtomInfo, path: Path) -> None:
    """Write ``kkrflex_atominfo``.

    :raises KkrFileError: if a number is not finite.
    """
    _check_finite(path, info.positions, info.z)
    lines = [
        '#NATOM   NTOTATOM',
        _integers_list_directed(info.natom, info.natom - int(info.removed.sum())),
        '#Impurity positions x,y,z|Core Charge|Virtual Atom?|Remove Atom?|LMAX',
    ]
    for position, z, virtual, removed, lmax in zip(
        info.positions, info.z, info.virtual, info.removed, info.lmax, strict=True
    ):
        lines.append(f'{_fixed(position)}{z:6.2f}{int(virtual):5d}{int(removed):5d}{lmax:5d}')
    _write_lines(path, info.serial, lines)


def read_intercell_ref(path: Path) -> IntercellReference:
    """Read ``kkrflex_intercell_ref``. A shift of zero of the second spin stands for the one of the first.

    :raises KkrFileError: if the file is truncated, foreign or contradicts itself.
    """
    table = _TextTable.read(path)
    header = table.row(0, 5, 'natom, lmpot, alat, vbc(1), vbc(2)')
    natom, lmpot = table.integers(0, header[:2], 'natom, lmpot')
    alat = float(header[2])
    vbc = header[3:].copy()
    if natom < 1 or not _is_lmpot(lmpot) or alat <= 0:
        raise KkrFileError(f'{path}: header natom = {natom}, lmpot = {lmpot}, alat = {alat} is not possible')
    if abs(vbc[1]) < 1e-9:
        vbc[1] = vbc[0]
    if abs(vbc[1] - vbc[0]) > 1e-9:
        raise KkrFileError(f'{path}: KKRimp needs the same potential zero for both spins, not {vbc[0]} and {vbc[1]}')
    rows = [table.row(i, lmpot, f'the coefficients of site {i} of {natom}') for i in range(1, natom + 1)]
    table.expect_end(natom + 1)
    return IntercellReference(alat, vbc, np.array(rows), table.commented('KSHAPE') or 0, table.serial)


def write_intercell_ref(reference: IntercellReference, path: Path) -> None:
    """Write ``kkrflex_intercell_ref``.

    :raises KkrFileError: if a number is not finite.
    """
    _check_finite(path, reference.alat, reference.vbc, reference.coefficients)
    natom, lmpot = reference.coefficients.shape
    lines = [
        ' # Intercell potential of each atom',
        ' # ',
        *_intercell_sizes(natom, lmpot, reference.kshape),
        ' # NATOMIMP, lmpot, ALAT VBC(1), VBC(2)',
        f'{natom:12d}{lmpot:12d}{_fixed(np.array([reference.alat, *reference.vbc]))}',
        *(_fixed(row) for row in reference.coefficients),
    ]
    _write_lines(path, reference.serial, lines)


def read_intercell_cmoms(path: Path) -> IntercellMoments:
    """Read ``kkrflex_intercell_cmoms``.

    :raises KkrFileError: if the file is truncated, foreign or contradicts itself.
    """
    table = _TextTable.read(path)
    if not table.rows:
        raise KkrFileError(f'{path}: no charge moments; the file is truncated')
    count = len(table.rows[0][1])
    if not _is_lmpot(count - 1):
        raise KkrFileError(f'{path}: line {table.rows[0][0]}: {count - 1} charge moments are not (2 lmax + 1)^2')
    rows = np.array([table.row(i, count, f'site {i + 1}') for i in range(len(table.rows))])
    natom = table.commented('NATOMIMP')
    if natom is not None and natom != len(rows):
        raise KkrFileError(f'{path}: {len(rows)} rows, but the header says {natom} sites; it is truncated or damaged')
    return IntercellMoments(rows[:, 0].copy(), rows[:, 1:].copy(), table.commented('KSHAPE') or 0, table.serial)


def write_intercell_cmoms(moments: IntercellMoments, path: Path) -> None:
    """Write ``kkrflex_intercell_cmoms``.

    :raises KkrFileError: if a number is not finite.
    """
    _check_finite(path, moments.z_host, moments.moments)
    natom, lmpot = moments.moments.shape
    lines = [
        ' # Charge moments of each atom in the unit cell',
        ' # Values given are CMOM + CMINST',
        ' # First colums is the core charge other',
        ' # other colums the charge moments',
        *_intercell_sizes(natom, lmpot, moments.kshape),
        *(_fixed(np.array([z, *row])) for z, row in zip(moments.z_host, moments.moments, strict=True)),
    ]
    _write_lines(path, moments.serial, lines)


def _intercell_sizes(natom: int, lmpot: int, kshape: int) -> list[str]:
    return [f' # {name}{value:12d}' for name, value in (('NATOMIMP', natom), ('lmpot', lmpot), ('KSHAPE', kshape))]


def _is_lmpot(lmpot: int) -> bool:
    """Whether lmpot is (2 lmax + 1)^2."""
    return lmpot > 0 and isqrt(lmpot) ** 2 == lmpot and isqrt(lmpot) % 2 == 1


def _is_lmsize(lmsize: int, korbit: int) -> bool:
    """Whether lmsize is (lmax + 1)^2, doubled with spin-orbit coupling."""
    components, odd = divmod(lmsize, 1 + korbit)
    return odd == 0 and components > 0 and isqrt(components) ** 2 == components


def read_tmat(path: Path) -> TMatrix:
    """Read ``kkrflex_tmat``.

    :raises KkrFileError: if the file is truncated, foreign or contradicts itself.
    """
    text = _read_text(path)
    serial = ''
    if text.startswith('# serial'):
        serial, _, text = text.partition('\n')
    first, _, body = text.partition('\n')
    header = first.split()
    if len(header) != 6 or header[0] != '#' or not all(word.isdigit() for word in header[1:]):
        raise KkrFileError(f'{path}: a header "# natom nspin nE lmsize korbit" expected, found {_short(first)}')
    natom, nspin, nenergy, lmsize, korbit = (int(word) for word in header[1:])
    if min(natom, nspin, nenergy) < 1 or korbit not in (0, 1) or not _is_spins(nspin, korbit):
        raise KkrFileError(f'{path}: natom = {natom}, nspin = {nspin}, nE = {nenergy}, korbit = {korbit} in the header')
    if not _is_lmsize(lmsize, korbit):
        raise KkrFileError(f'{path}: lmsize = {lmsize} in the header does not belong to any lmax (korbit = {korbit})')
    nblock = nspin - korbit
    nrow = natom * nblock * nenergy
    width = 4 + 2 * lmsize**2
    try:
        table = parse_floats(body)
    except ValueError:
        table = np.empty(0)
    if table.size != nrow * width or not np.isfinite(table).all():
        raise KkrFileError(f'{path}: {_fault_in_tmat(body.splitlines(), nrow, width)}')
    table = table.reshape(nrow, width)
    expected = np.array(list(product(range(1, natom + 1), range(1, nblock + 1), range(1, nenergy + 1), [0])))
    wrong = np.flatnonzero((table[:, :3] != expected[:, :3]).any(axis=1))
    if wrong.size:
        row = int(wrong[0])
        raise KkrFileError(
            f'{path}: row {row + 1} after the header: atom, spin, energy {tuple(expected[row, :3].tolist())} '
            f'expected, found {tuple(table[row, :3].tolist())}'
        )
    values = np.ascontiguousarray(table[:, 4:]).view(np.complex128).reshape(natom, nblock, nenergy, lmsize, lmsize)
    return TMatrix(np.ascontiguousarray(values.swapaxes(-1, -2)), korbit, serial)


def _is_spins(nspin: int, korbit: int) -> bool:
    return nspin == 2 if korbit else nspin in (1, 2)


def _fault_in_tmat(lines: list[str], nrow: int, width: int) -> str:
    """What is wrong with the rows of a kkrflex_tmat that could not be read as a whole."""
    for number, line in enumerate(lines, start=1):
        try:
            values = parse_floats(line)
        except ValueError:
            return f'row {number} after the header holds something that is not a number'
        if values.size != width:
            return f'row {number} of {nrow} after the header holds {values.size} numbers, not {width}; it is truncated?'
        if not np.isfinite(values).all():
            return f'row {number} after the header holds a number that is not finite'
    return f'{len(lines)} rows after the header, which announces {nrow}; the file is truncated or damaged'


def write_tmat(tmatrix: TMatrix, path: Path) -> None:
    """Write ``kkrflex_tmat``.

    :raises KkrFileError: if a number is not finite.
    """
    _check_finite(path, tmatrix.values)
    natom, nblock, nenergy, lmsize, _ = tmatrix.values.shape
    sizes = _integers_list_directed(natom, nblock + tmatrix.korbit, nenergy, lmsize, tmatrix.korbit)
    with path.open('w', encoding='ascii') as file:
        if tmatrix.serial:
            file.write(tmatrix.serial + '\n')
        file.write(f' #{sizes}\n')
        for iatom, ispin, ienergy in product(range(natom), range(nblock), range(nenergy)):
            file.write(f'{iatom + 1:12d}{ispin + 1:12d}{ienergy + 1:12d}{0:12d}')
            matrix = np.ascontiguousarray(tmatrix.values[iatom, ispin, ienergy].T, dtype=np.complex128)
            file.write(''.join(format_e(value, 25, 16) for value in matrix.view(np.float64).ravel().tolist()))
            file.write('\n')


# --- the Green function -----------------------------------------------------------------------------------------------


def read_green(path: Path, double_precision: bool = False) -> HostGreen:
    """Read ``kkrflex_green``. The matrices are mapped, not copied, into memory.

    KKRhost writes single precision, and double precision if asked to; KKRimp has to be told by the test flag
    ``read_doubleprecision``.

    :param double_precision: whether the file is in double precision.
    :raises KkrFileError: if the header is garbage, the size of the file does not fit it (a truncated file, or the
        other precision), or a number is not finite.
    """
    size = os.path.getsize(path)
    if size < 24:
        raise KkrFileError(f'{path}: {size} bytes are too few for a kkrflex_green file; it is truncated')
    nenergy, nspin, natom_max, natom, lmsize, korbit = (int(i) for i in np.fromfile(path, _HEADER, 6))
    if (
        min(nenergy, natom) < 1
        or natom != natom_max
        or korbit not in (0, 1)
        or not _is_spins(nspin, korbit)
        or not _is_lmsize(lmsize, korbit)
    ):
        raise KkrFileError(
            f'{path}: not a kkrflex_green file, or a damaged one: its header says nE = {nenergy}, nspin = {nspin}, '
            f'natom = {natom_max} and {natom}, lmsize = {lmsize}, korbit = {korbit}'
        )
    dtype, other = (_COMPLEX128, _COMPLEX64) if double_precision else (_COMPLEX64, _COMPLEX128)
    nblock = nspin - korbit
    order = natom * lmsize
    nrecord = 1 + nenergy * nblock
    expected = nrecord * order**2 * dtype.itemsize
    if size != expected:
        contents = f'{natom} sites, {lmsize} components, {nenergy} energies, {nblock} spin blocks'
        if size == nrecord * order**2 * other.itemsize:
            advice = 'remove the' if double_precision else 'add the'
            raise KkrFileError(
                f'{path}: the file is in {"single" if double_precision else "double"} precision ({contents} in {size} '
                f'bytes), but {"double" if double_precision else "single"} precision was asked for; {advice} TESTFLAG '
                'read_doubleprecision'
            )
        raise KkrFileError(
            f'{path}: {size} bytes, but {contents} need {expected}; it is '
            f'{"truncated" if size < expected else "damaged or of another kind"}'
        )
    if order**2 * dtype.itemsize < _header_bytes(nenergy):
        raise KkrFileError(_no_room(path, nenergy, order, dtype))
    mesh = np.fromfile(path, _COMPLEX128, 2 * nenergy, offset=24).astype(np.complex128).reshape(2, nenergy)
    mapped = np.memmap(path, dtype, 'r', shape=(nrecord, order, order))
    records = np.asarray(mapped)[1:]
    if double_precision and natom == 1 and not records.reshape(len(records), -1)[:, (order**2 + 1) // 2 :].any():
        # KKRhost writes a single site in single precision even into the longer records of double precision
        records = np.ascontiguousarray(mapped).view(_COMPLEX64).reshape(nrecord, -1)[1:, : order**2]
        records = records.reshape(-1, order, order)
    if not np.isfinite(mesh).all():
        raise KkrFileError(f'{path}: an energy or a weight is not finite')
    for index, record in enumerate(records):
        if not np.isfinite(record).all():
            ispin, ienergy = divmod(index, nenergy)
            raise KkrFileError(f'{path}: spin {ispin + 1}, energy {ienergy + 1}: a number that is not finite')
    values = records.reshape(nblock, nenergy, order, order).swapaxes(-1, -2)
    return HostGreen(mesh[0], mesh[1], values, natom, nspin, lmsize, korbit)


def write_green(green: HostGreen, path: Path) -> None:
    """Write ``kkrflex_green`` in the precision of ``green.values``.

    :raises KkrFileError: if a number is not finite, or the header does not fit into a record (a single site with
        many energies), which JuKKR cannot write or read either.
    """
    sizes = (green.nspin, green.natom, green.lmsize, green.korbit)
    double_precision = green.values.dtype != np.complex64
    write_green_matrices(
        path, green.energies, green.weights, sizes, (m for spin in green.values for m in spin), double_precision
    )


def write_green_matrices(
    path: Path,
    energies: NDArray[np.complex128],
    weights: NDArray[np.complex128],
    sizes: tuple[int, int, int, int],
    matrices: Iterable[NDArray[Any]],
    double_precision: bool = False,
) -> None:
    """Write ``kkrflex_green`` matrix by matrix, so that they need not be in memory together.

    :param energies: (nE,) in Ry; ``weights`` likewise.
    :param sizes: nspin, natom, lmsize, korbit.
    :param matrices: (natom lm, natom lm) each, energy by energy, spin by spin.
    :raises KkrFileError: see :func:`write_green`.
    """
    nspin, natom, lmsize, korbit = sizes
    dtype = _COMPLEX128 if double_precision else _COMPLEX64
    order = natom * lmsize
    record_bytes = order**2 * dtype.itemsize
    if record_bytes < _header_bytes(len(energies)):
        raise KkrFileError(_no_room(path, len(energies), order, dtype))
    _check_finite(path, energies, weights)
    header = np.array([len(energies), nspin, natom, natom, lmsize, korbit], dtype=_HEADER)
    mesh = np.concatenate([energies, weights]).astype(_COMPLEX128)
    with path.open('wb') as file:
        file.write((header.tobytes() + mesh.tobytes()).ljust(record_bytes, b'\0'))
        for matrix in matrices:
            _check_finite(path, matrix)
            file.write(matrix.T.astype(dtype).tobytes(order='C'))


def _header_bytes(nenergy: int) -> int:
    return 24 + 32 * nenergy


def _no_room(path: Path, nenergy: int, order: int, dtype: np.dtype[Any]) -> str:
    return (
        f'{path}: a header with {nenergy} energies ({_header_bytes(nenergy)} bytes) does not fit into a record of '
        f'{order**2 * dtype.itemsize} bytes; use more sites, a higher lmax, fewer energies'
        + (' or double precision' if dtype == _COMPLEX64 else '')
    )
