"""Reading KKRhost's inputcard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.inputcard import InputCard

TEXT = """RUNOPT
KKRFLEX LLOYD
TESTOPT
noserial tmatnew
gmatasci
ALATBASIS=  4.8D0
BRAVAIS
  0.0 0.5 0.5
  0.5 0.0 0.5
  0.5 0.5 0.0
NSPIN= 2  LMAX= 3
LINIPOL= .TRUE.
CARTESIAN= False
<SET_KMESH_LARGE>= T
<use_full_BZ>= F
NPOL=
TEMPR= hot
HFIELD= 0.5
"""


@pytest.fixture
def card(tmp_path: Path) -> InputCard:
    (tmp_path / 'inputcard').write_text(TEXT)
    return InputCard.read(tmp_path / 'inputcard')


def test_values(card: InputCard) -> None:
    assert card.number('ALATBASIS') == 4.8
    assert (card.integer('NSPIN'), card.integer('LMAX'), card.integer('INS', 0)) == (2, 3, 0)
    assert (card.logical('LINIPOL'), card.logical('CARTESIAN'), card.logical('INTERFACE')) == (True, False, False)
    np.testing.assert_array_equal(card.table('BRAVAIS', 3, 3), [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    assert card.table('<RBASIS>', 1, 3).shape == (0, 3)
    assert card.options() == {'KKRFLEX', 'LLOYD', 'noserial', 'tmatnew', 'gmatasci', '<set_kmesh_large>'}


@pytest.mark.parametrize(
    ('read', 'message'),
    [
        (lambda card: card.number('EMIN'), 'EMIN= and 1 number expected'),
        (lambda card: card.number('NPOL'), 'NPOL has no value'),
        (lambda card: card.number('TEMPR'), 'TEMPR= and 1 number expected'),
        (lambda card: card.integer('HFIELD'), 'HFIELD= 0.5 is not an integer'),
        (lambda card: card.logical('NSPIN'), 'neither T nor F'),
        (lambda card: card.table('BRAVAIS', 4, 3), '4 rows of 3 numbers expected below BRAVAIS'),
    ],
)
def test_faults(card: InputCard, read, message: str) -> None:
    with pytest.raises(KkrFileError, match=message):
        read(card)


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / 'inputcard').write_bytes(b'\xff\xfe')
    with pytest.raises(KkrFileError, match='not an inputcard'):
        InputCard.read(tmp_path / 'inputcard')


def test_an_option_of_eight_characters_touches_the_next_one() -> None:
    assert InputCard.of_text('RUNOPT\nNEWSOSOLKKRFLEX \n').options() == {'NEWSOSOL', 'KKRFLEX'}


def test_the_crystal() -> None:
    card = InputCard.of_text(
        'BRAVAIS\n 2 0 0\n 0 2 0\n 0 0 1\nCARTESIAN= F\n<RBASIS>\n 0 0 0\n .5 .5 .5 1\nINTERFACE= T'
    )
    lattice = card.lattice(np.array([55.0, 17.0]))
    np.testing.assert_array_equal(lattice.positions, [[0, 0, 0], [1, 1, 0.5]])
    assert (lattice.periodic_z, lattice.alat) == (False, 1.0)


@pytest.mark.parametrize(('natom', 'message'), [(1, 'no <RBASIS>, so that there is no crystal'), (0, 'no crystal')])
def test_no_crystal(card: InputCard, natom: int, message: str) -> None:
    with pytest.raises(KkrFileError, match=message):
        card.lattice(np.full(natom, 29.0))
