import dataclasses
import gzip
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.kkrflex import (
    AtomInfo,
    HostGreen,
    IntercellMoments,
    IntercellReference,
    TMatrix,
    read_atominfo,
    read_green,
    read_intercell_cmoms,
    read_intercell_ref,
    read_tmat,
    write_atominfo,
    write_green,
    write_intercell_cmoms,
    write_intercell_ref,
    write_tmat,
)

DATA = Path(__file__).parents[1] / 'data'
READERS_AND_WRITERS = {
    'kkrflex_atominfo': (read_atominfo, write_atominfo),
    'kkrflex_tmat': (read_tmat, write_tmat),
    'kkrflex_green': (read_green, write_green),
    'kkrflex_intercell_ref': (read_intercell_ref, write_intercell_ref),
    'kkrflex_intercell_cmoms': (read_intercell_cmoms, write_intercell_cmoms),
}


@pytest.fixture
def files(tmp_path):
    """A folder with the kkrflex files of the Mn pair."""
    source = DATA / 'mn_pair' / 'gf'
    for name in READERS_AND_WRITERS:
        if (source / name).exists():
            shutil.copy(source / name, tmp_path / name)
        else:
            (tmp_path / name).write_bytes(gzip.decompress((source / f'{name}.gz').read_bytes()))
    return tmp_path


def replace_in(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def random_green(rng, natom=2, nspin=2, nenergy=5, lmax=1, dtype=np.complex64, korbit=0):
    lmsize = (lmax + 1) ** 2 * (1 + korbit)
    order = natom * lmsize
    shape = (nspin - korbit, nenergy, order, order)
    return HostGreen(
        energies=rng.normal(size=nenergy) + 1j * rng.random(nenergy),
        weights=rng.normal(size=nenergy) + 1j * rng.random(nenergy),
        values=(rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype),
        natom=natom,
        nspin=nspin,
        lmsize=lmsize,
        korbit=korbit,
    )


# --- all files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', READERS_AND_WRITERS)
def test_real_files_come_back_byte_for_byte(files, name):
    read, write = READERS_AND_WRITERS[name]
    write(read(files / name), files / 'copy')
    assert (files / 'copy').read_bytes() == (files / name).read_bytes()


@pytest.mark.parametrize('name', READERS_AND_WRITERS)
@pytest.mark.parametrize('fraction', [0.0, 0.05, 0.3, 0.5, 0.77, 0.97])
def test_truncated_files_are_noticed(files, name, fraction):
    read, _ = READERS_AND_WRITERS[name]
    content = (files / name).read_bytes()
    (files / name).write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(KkrFileError, match=f'{files / name}: '):
        read(files / name)


@pytest.mark.parametrize('name', [name for name in READERS_AND_WRITERS if name != 'kkrflex_green'])
@pytest.mark.parametrize('missing', [1, 2, 3, 6])
def test_a_last_number_cut_short_is_noticed(files, name, missing):
    read, _ = READERS_AND_WRITERS[name]
    content = (files / name).read_bytes()
    (files / name).write_bytes(content[:-missing])
    with pytest.raises(KkrFileError, match='the last line is not complete'):
        read(files / name)


@pytest.mark.parametrize('name', READERS_AND_WRITERS)
def test_foreign_files_are_refused(files, name):
    read, _ = READERS_AND_WRITERS[name]
    foreign = files / 'foreign'
    for content in (
        b'RUNFLAG=\nTESTFLAG=\nINS= 0\n',
        np.random.default_rng(3).bytes(5000),
        b'7.0 8.0 9.0\n' * 40,
        *((files / other).read_bytes() for other in READERS_AND_WRITERS if other != name),
    ):
        foreign.write_bytes(content)
        with pytest.raises(KkrFileError, match='foreign: '):
            read(foreign)


def test_the_files_of_one_host_agree(files):
    info = read_atominfo(files / 'kkrflex_atominfo')
    tmat = read_tmat(files / 'kkrflex_tmat')
    green = read_green(files / 'kkrflex_green')
    reference = read_intercell_ref(files / 'kkrflex_intercell_ref')
    moments = read_intercell_cmoms(files / 'kkrflex_intercell_cmoms')
    assert info.natom == green.natom == len(reference.coefficients) == len(moments.z_host) == 2
    assert tmat.values.shape == (2, 2, 30, 9, 9)
    assert green.values.shape == (2, 30, 18, 18)
    assert green.values.dtype == np.complex64
    assert reference.coefficients.shape == moments.moments.shape == (2, 25)
    np.testing.assert_array_equal(info.z, [29.0, 29.0])
    np.testing.assert_array_equal(info.lmax, [2, 2])
    np.testing.assert_array_equal(moments.z_host, info.z)
    assert reference.alat == 4.8238197478830003


# --- physics of the content -------------------------------------------------------------------------------------------


def test_t_matrices_are_diagonal_and_unitary_close_to_the_real_axis(files):
    """S = 1 - 2 i kappa t has modulus one at real energies E = kappa^2 (conservation of flux)."""
    tmat = read_tmat(files / 'kkrflex_tmat')
    energies = read_green(files / 'kkrflex_green').energies
    diagonal = np.diagonal(tmat.values, axis1=-2, axis2=-1)
    assert abs(tmat.values - diagonal[..., None] * np.eye(9)).max() == 0.0
    # a sphere does not know m, and both sites and spins of the non-magnetic host are the same
    assert abs(diagonal[..., 4:] - diagonal[..., 4:5]).max() < 1e-14
    assert abs(tmat.values - tmat.values[:1, :1]).max() < 1e-12
    nearest = np.where(energies.real > 0, energies.imag, np.inf).argmin()
    s_matrix = 1 - 2j * np.sqrt(energies[nearest]) * diagonal[0, 0, nearest]
    # the nearest energy is pi kT = 0.012 Ry (600 K) above the axis: |S| = exp(-2 Im E d(delta)/dE)
    np.testing.assert_allclose(abs(s_matrix), 1.0, atol=0.05)


def test_the_host_green_function_is_symmetric(files):
    green = read_green(files / 'kkrflex_green')
    # reciprocity; KKRhost keeps it to rounding
    assert abs(green.values - green.values.swapaxes(-1, -2)).max() < 1e-13


def test_the_contour_ends_at_the_fermi_energy_and_integrates_one(files):
    green = read_green(files / 'kkrflex_green')
    fermi = green.energies[-1].real
    # the Fermi energy that KKRimp wrote into out_potential with ten digits
    assert fermi == pytest.approx(0.6627670116, abs=5.1e-11)
    # the weights integrate from the start of the contour to E_F, Fermi-Dirac tail included: -(2/pi) (E_F - E_bottom)
    total = green.weights.sum()
    assert total.real == pytest.approx(-2 / np.pi * (fermi - green.energies[0].real), abs=1e-3)


# --- Green function ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('dtype', [np.complex64, np.complex128])
@pytest.mark.parametrize(
    ('natom', 'nspin', 'nenergy', 'lmax', 'korbit'),
    [(1, 1, 3, 1, 0), (1, 2, 39, 3, 0), (2, 1, 7, 2, 0), (3, 2, 4, 3, 0), (5, 2, 1, 0, 0), (2, 2, 6, 1, 1)],
)
def test_random_green_functions_survive(tmp_path, dtype, natom, nspin, nenergy, lmax, korbit):
    green = random_green(np.random.default_rng(natom), natom, nspin, nenergy, lmax, dtype, korbit)
    path = tmp_path / 'kkrflex_green'
    write_green(green, path)
    again = read_green(path, double_precision=dtype == np.complex128)
    for name in ('energies', 'weights', 'values'):
        np.testing.assert_array_equal(getattr(again, name), getattr(green, name))
        assert getattr(again, name).dtype == getattr(green, name).dtype
    for name in ('natom', 'nspin', 'lmsize', 'korbit'):
        assert getattr(again, name) == getattr(green, name)


def test_records_are_column_major(tmp_path):
    """Record 1 + ie + nE (ispin - 1) holds G column by column, after a first record with header and mesh."""
    green = random_green(np.random.default_rng(0), natom=2, nspin=2, nenergy=3, lmax=1)
    path = tmp_path / 'kkrflex_green'
    write_green(green, path)
    content = path.read_bytes()
    record = 8 * 8**2
    assert len(content) == 7 * record
    assert struct.unpack('<6i', content[:24]) == (3, 2, 2, 2, 4, 0)
    assert complex(*struct.unpack_from('<2d', content, 24 + 16 * 3)) == green.weights[0]
    position = record * (1 + 1 + 3 * 1)
    second_entry = complex(*struct.unpack_from('<2f', content, position + 8))
    assert second_entry == green.values[1, 1, 1, 0]


@pytest.mark.parametrize('dtype', [np.complex64, np.complex128])
def test_the_wrong_precision_is_named(tmp_path, dtype):
    path = tmp_path / 'kkrflex_green'
    write_green(random_green(np.random.default_rng(1), dtype=dtype), path)
    double = dtype == np.complex128
    advice = 'add the TESTFLAG read_doubleprecision' if double else 'remove the TESTFLAG read_doubleprecision'
    with pytest.raises(KkrFileError, match=f'is in {"double" if double else "single"} precision.*{advice}'):
        read_green(path, double_precision=not double)


@pytest.mark.parametrize('missing', [1, 8, 511, 512, 513, 3000])
def test_any_missing_byte_of_the_green_function_is_noticed(tmp_path, missing):
    path = tmp_path / 'kkrflex_green'
    write_green(random_green(np.random.default_rng(1)), path)
    content = path.read_bytes()
    path.write_bytes(content[:-missing])
    with pytest.raises(
        KkrFileError, match=f'{len(content) - missing} bytes, but .* need {len(content)}; it is truncated'
    ):
        read_green(path)
    path.write_bytes(content + b'\0' * missing)
    with pytest.raises(KkrFileError, match='damaged or of another kind'):
        read_green(path)


def test_numbers_of_the_green_function_that_are_not_finite(tmp_path):
    green = random_green(np.random.default_rng(1))
    path = tmp_path / 'kkrflex_green'
    write_green(green, path)
    content = bytearray(path.read_bytes())
    content[-8:-4] = struct.pack('<f', float('nan'))
    path.write_bytes(content)
    with pytest.raises(KkrFileError, match='spin 2, energy 5: a number that is not finite'):
        read_green(path)
    content[24:32] = struct.pack('<d', float('inf'))
    path.write_bytes(content)
    with pytest.raises(KkrFileError, match='an energy or a weight'):
        read_green(path)
    values = green.values.copy()
    values[0, 0, 0, 0] = np.inf
    with pytest.raises(KkrFileError, match='not finite'):
        write_green(dataclasses.replace(green, values=values), path)


@pytest.mark.parametrize(
    'header',
    [
        (0, 2, 2, 2, 4, 0),
        (5, 3, 2, 2, 4, 0),
        (5, 2, 2, 3, 4, 0),
        (5, 2, 2, 2, 5, 0),
        (5, 2, 2, 2, 4, 7),
        (5, 1, 2, 2, 8, 1),
    ],
)
def test_impossible_headers_of_the_green_function(tmp_path, header):
    path = tmp_path / 'kkrflex_green'
    write_green(random_green(np.random.default_rng(1)), path)
    path.write_bytes(struct.pack('<6i', *header) + path.read_bytes()[24:])
    with pytest.raises(KkrFileError, match='not a kkrflex_green file'):
        read_green(path)


def test_a_single_site_with_many_energies_needs_double_precision(tmp_path):
    """KKRhost writes header and mesh into one record: 19 energies fit for one site with lmax 2, 39 in double."""
    rng = np.random.default_rng(5)
    path = tmp_path / 'kkrflex_green'
    write_green(random_green(rng, natom=1, nenergy=19, lmax=2), path)
    assert read_green(path).energies.shape == (19,)
    with pytest.raises(KkrFileError, match=r'does not fit into a record.* or double precision'):
        write_green(random_green(rng, natom=1, nenergy=20, lmax=2), path)
    write_green(random_green(rng, natom=1, nenergy=39, lmax=2, dtype=np.complex128), path)
    assert read_green(path, double_precision=True).energies.shape == (39,)


def test_kkrhosts_single_site_in_double_precision(tmp_path):
    """KKRhost writes single precision into the double-precision records of a single site, padded with zeros."""
    double = random_green(np.random.default_rng(6), natom=1, nenergy=30, lmax=2, dtype=np.complex128)
    path = tmp_path / 'kkrflex_green'
    write_green(double, path)
    header = path.read_bytes()[: 16 * 81]
    records = [
        matrix.T.astype(np.complex64).tobytes().ljust(16 * 81, b'\0') for block in double.values for matrix in block
    ]
    path.write_bytes(header + b''.join(records))
    read = read_green(path, double_precision=True)
    np.testing.assert_array_equal(read.values, double.values.astype(np.complex64))
    np.testing.assert_array_equal(read.energies, double.energies)


# --- t matrices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('natom', 'nspin', 'nenergy', 'lmax', 'korbit'),
    [(1, 1, 1, 0, 0), (3, 2, 2, 1, 0), (2, 1, 4, 2, 0), (2, 2, 3, 1, 1)],
)
def test_random_t_matrices_survive(tmp_path, natom, nspin, nenergy, lmax, korbit):
    rng = np.random.default_rng(natom)
    lmsize = (lmax + 1) ** 2 * (1 + korbit)
    shape = (natom, nspin - korbit, nenergy, lmsize, lmsize)
    values = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) * 10.0 ** rng.integers(-130, 5, shape)
    path = tmp_path / 'kkrflex_tmat'
    write_tmat(TMatrix(values, korbit), path)
    again = read_tmat(path)
    # 16 digits after the point, the first not zero
    np.testing.assert_allclose(again.values.real, values.real, rtol=6.2e-16)
    np.testing.assert_allclose(again.values.imag, values.imag, rtol=6.2e-16)
    assert again.korbit == korbit
    assert f'\n{1:12d}{1:12d}{1:12d}{0:12d}' in path.read_text()


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        (
            '-0.1045601349338109E+01',
            '                    NaN',
            'row 1 after the header holds a number that is not finite',
        ),
        ('-0.1045601349338109E+01', '***********************', 'row 1 after the header holds something that is not'),
        ('-0.1045601349338109E+01', '                       ', 'row 1 of 120 after the header holds 165 numbers'),
        ('           1           1           2', '           1           1           3', r'found \(1.0, 1.0, 3.0\)'),
        ('           2           2          30           9           0', ' 2 2 30 9', 'a header "# natom'),
        ('           2           2          30           9           0', ' 2 2 30 8 0', 'does not belong to any lmax'),
        ('           2           2          30           9           0', ' 2 2 29 9 0', '120 rows after the header'),
        ('           2           2          30           9           0', ' 2 3 30 9 0', 'nspin = 3'),
        ('           2           2          30           9           0', ' 2 1 30 18 1', 'nspin = 1'),
    ],
)
def test_damaged_t_matrices(files, old, new, message):
    path = files / 'kkrflex_tmat'
    replace_in(path, old, new)
    with pytest.raises(KkrFileError, match=message):
        read_tmat(path)


# --- small text files -------------------------------------------------------------------------------------------------


def test_atominfo_with_virtual_and_removed_sites(tmp_path):
    info = AtomInfo(
        positions=np.array([[0.0, 0.0, 0.0], [0.5, -0.5, 0.25], [1.0, 0.0, -1 / 3]]),
        z=np.array([25.0, 0.0, 29.0]),
        virtual=np.array([False, True, False]),
        removed=np.array([False, False, True]),
        lmax=np.array([3, 2, 2]),
    )
    path = tmp_path / 'kkrflex_atominfo'
    write_atominfo(info, path)
    assert path.read_text().splitlines()[1].split() == ['3', '2']
    again = read_atominfo(path)
    for name in ('positions', 'z', 'virtual', 'removed', 'lmax'):
        # 16 decimals
        np.testing.assert_allclose(getattr(again, name), getattr(info, name), atol=5.1e-17)
    with pytest.raises(ValueError, match='do not fit together'):
        dataclasses.replace(info, z=info.z[:2])


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('29.00    0    0    2', '29.00    0    0   -1', 'line 5: site 1: .*lmax = -1'),
        ('29.00    0    0    2', '29.00    0    2    2', 'line 5: site 1: .*removed = 2'),
        ('29.00    0    0    2', '-1.00    0    0    2', 'line 5: site 1: Z = -1'),
        ('29.00    0    0    2', '29.00    0    0.5  2', 'integers expected'),
        ('29.00    0    0    2', '29.00    0    0', 'line 5: site 1 of 2: 7 numbers expected, found 6'),
        ('29.00    0    0    2', '  NaN    0    0    2', 'line 5: a number that is not finite'),
        ('29.00    0    0    2', '   Cu    0    0    2', 'line 5: numbers expected'),
        ('           2           2', '           2           1', '1 of 2 sites are kept, but 0 sites are marked'),
        ('           2           2', '           3           3', 'the file ends where site 3 of 3 should be'),
        ('           2           2', '           1           1', 'more rows than the header'),
        ('           2           2', '           0           0', 'a cluster of 0 sites'),
    ],
)
def test_damaged_atominfo(files, old, new, message):
    path = files / 'kkrflex_atominfo'
    replace_in(path, old, new)
    with pytest.raises(KkrFileError, match=message):
        read_atominfo(path)


@pytest.mark.parametrize(('natom', 'lmax', 'kshape'), [(1, 1, 0), (13, 2, 0), (4, 3, 2)])
def test_random_intercell_files_survive(tmp_path, natom, lmax, kshape):
    rng = np.random.default_rng(natom)
    lmpot = (2 * lmax + 1) ** 2
    path = tmp_path / 'intercell'
    reference = IntercellReference(4.5, np.array([0.25, 0.25]), rng.normal(size=(natom, lmpot)), kshape)
    write_intercell_ref(reference, path)
    again = read_intercell_ref(path)
    # 16 decimals
    np.testing.assert_allclose(again.coefficients, reference.coefficients, atol=5.1e-17, rtol=3e-16)
    np.testing.assert_array_equal(again.vbc, reference.vbc)
    assert (again.alat, again.kshape) == (4.5, kshape)
    moments = IntercellMoments(np.full(natom, 29.0), rng.normal(size=(natom, lmpot)), kshape)
    write_intercell_cmoms(moments, path)
    back = read_intercell_cmoms(path)
    np.testing.assert_allclose(back.moments, moments.moments, atol=5.1e-17, rtol=3e-16)
    np.testing.assert_array_equal(back.z_host, moments.z_host)
    assert back.kshape == kshape


def test_a_vanishing_second_potential_zero_stands_for_the_first(files):
    path = files / 'kkrflex_intercell_ref'
    before = read_intercell_ref(path)
    assert before.vbc[0] == pytest.approx(0.73483645, abs=1e-7)
    write_intercell_ref(dataclasses.replace(before, vbc=np.array([before.vbc[0], 0.0])), path)
    np.testing.assert_array_equal(read_intercell_ref(path).vbc, before.vbc[[0, 0]])
    write_intercell_ref(dataclasses.replace(before, vbc=np.array([0.7, 0.6])), path)
    with pytest.raises(KkrFileError, match=r'same potential zero for both spins, not 0\.7 and 0\.6'):
        read_intercell_ref(path)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('           2          25       4.82', '           3          25       4.82', 'of site 3 of 3 should be'),
        ('           2          25       4.82', '           1          25       4.82', 'more rows'),
        ('           2          25       4.82', '           2          16       4.82', 'lmpot = 16'),
        ('           2          25       4.82', '           2          25      -4.82', 'alat = -4.8'),
        ('           2          25       4.82', '           2         2.5       4.82', 'integers expected'),
    ],
)
def test_damaged_intercell_ref(files, old, new, message):
    path = files / 'kkrflex_intercell_ref'
    replace_in(path, old, new)
    with pytest.raises(KkrFileError, match=message):
        read_intercell_ref(path)


def test_damaged_intercell_cmoms(files):
    path = files / 'kkrflex_intercell_cmoms'
    text = path.read_text()
    rows = text.splitlines()
    path.write_text('\n'.join(rows[:-1]) + '\n')
    with pytest.raises(KkrFileError, match='1 rows, but the header says 2 sites'):
        read_intercell_cmoms(path)
    path.write_text('\n'.join([*rows[:-1], rows[-1][:-25]]) + '\n')
    with pytest.raises(KkrFileError, match='site 2: 26 numbers expected, found 25'):
        read_intercell_cmoms(path)
    path.write_text('\n'.join([*rows[:-2], rows[-2][:-25], rows[-1][:-25]]) + '\n')
    with pytest.raises(KkrFileError, match=r'24 charge moments are not \(2 lmax \+ 1\)\^2'):
        read_intercell_cmoms(path)


def test_shapes_and_finiteness_are_checked(tmp_path):
    green = random_green(np.random.default_rng(1))
    with pytest.raises(ValueError, match='do not fit together'):
        dataclasses.replace(green, natom=3)
    with pytest.raises(ValueError, match='of shape'):
        TMatrix(np.zeros((1, 2, 3, 4), dtype=complex))
    values = np.zeros((1, 1, 1, 1, 1), dtype=complex)
    values[...] = np.nan
    with pytest.raises(KkrFileError, match='not finite'):
        write_tmat(TMatrix(values), tmp_path / 'kkrflex_tmat')
    with pytest.raises(KkrFileError, match='not finite'):
        write_intercell_ref(IntercellReference(np.inf, np.zeros(2), np.zeros((1, 1))), tmp_path / 'ref')
    with pytest.raises(KkrFileError, match='not finite'):
        write_intercell_cmoms(IntercellMoments(np.array([np.nan]), np.zeros((1, 1))), tmp_path / 'cmoms')
