"""``out_Jijmatrix``: a real file, and what is left of it when something went wrong."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.jij_matrix import parse_biquadratic, read_jij_matrices

STORED = Path(__file__).parents[1] / 'data' / 'kkr' / 'mn_pair_out_Jijmatrix.gz'
TEXT = gzip.decompress(STORED.read_bytes()).decode()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def to_file(text: str) -> Path:
        (tmp_path / 'out_Jijmatrix').write_text(text, encoding='utf-8')
        return tmp_path / 'out_Jijmatrix'

    return to_file


def test_real_file(write: Callable[[str], Path]) -> None:
    matrices = read_jij_matrices(write(TEXT))
    assert matrices.natom == 2
    assert matrices.code == 'JuKKR'
    # moments along z come first in the file, then x, then y
    assert matrices.values[2, 0, 1, 0, 0] == 8.7420193399218738e-003
    assert matrices.values[0, 0, 1, 1, 1] == 8.7447703503947677e-003
    assert matrices.values[1, 0, 1, 2, 2] == 8.7347264170388982e-003
    # row and column, of an ordered pair
    assert matrices.values[2, 0, 1, 0, 2] == 1.2782490522590169e-018
    assert matrices.values[2, 1, 0, 0, 2] == -1.0497214420197710e-018
    # along the moments, in all three
    np.testing.assert_allclose([matrices.values[a, 0, 1, a, a] for a in range(3)], -1.274e-2, rtol=1e-3)


def test_order_of_the_directions_does_not_matter(write: Callable[[str], Path]) -> None:
    head, z, x, y = TEXT.split(' # Iteration number ')
    turned = read_jij_matrices(write(' # Iteration number '.join([head, y, z, x])))
    np.testing.assert_array_equal(turned.values, read_jij_matrices(write(TEXT)).values)


CRASHED = TEXT.splitlines(keepends=True)[0]


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ('', 'it holds none'),
        (CRASHED, 'it holds none'),
        ('\n'.join(TEXT.splitlines()[:40]) + '\n', 'sites 2 and 2 is not complete'),
        (TEXT[: len(TEXT) // 2], 'line 74 is not a row'),
        (TEXT.split(' # Iteration number            3')[0], '8 matrices instead of 12 of 2 sites'),
        (TEXT[: TEXT.rindex('E-003')], 'last line is not complete'),
        (TEXT.replace('between  2  2', 'between100101'), '12 matrices instead of 30603 of 101 sites'),
        (TEXT.replace('8.7420193399218738E-003', 'NaN'), 'not a row'),
        (TEXT.replace('8.7420193399218738E-003', '**********************'), 'not a row'),
        (TEXT.replace('   1.57    1.57', '   0.52    1.57'), 'along none of x, y and z'),
        (TEXT.replace('   1.57    1.57', '   1.57    0.00'), 'with moments along z, x and y'),
        (TEXT + TEXT, '24 matrices instead of 12'),
        ('Program received signal SIGSEGV\n', 'not a row'),
        ('# Jij\n1.0 2.0 3.0\n', 'not a row'),
        ('κ', 'not a row'),
    ],
)
def test_damaged(write: Callable[[str], Path], text: str, why: str) -> None:
    message = (
        rf'out_Jijmatrix: no complete set of exchange matrices \(.*({why}).*CALCJIJMAT=1 crashed or was interrupted'
    )
    with pytest.raises(KkrFileError, match=message):
        read_jij_matrices(write(text))


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(KkrFileError, match='No such file'):
        read_jij_matrices(tmp_path / 'out_Jijmatrix')


def test_biquadratic() -> None:
    rows = ['1 2 1.0E-03 2.0E-04 0 2E-03', '1 3 0 -1.0E-05 0 0', '2 3 0 3.0E-05 0 0']
    text = '\n'.join(['# i j J B rest', *rows]) + '\n'
    found = parse_biquadratic(text, 3)
    np.testing.assert_allclose(found, 1e-5 * np.array([[0, 20, -1], [20, 0, 3], [-1, 3, 0]]))
    with pytest.raises(KkrFileError, match='pairs of the 3 sites are missing'):
        parse_biquadratic(text[: text.index('2 3 0')], 3)
    with pytest.raises(KkrFileError, match=r"'1 3 0 -1\.0E-05 0 0' is not about a pair of 2 sites"):
        parse_biquadratic(text, 2)
    with pytest.raises(KkrFileError, match='is not about a pair'):
        parse_biquadratic('Killed\n', 2)
