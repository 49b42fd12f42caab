"""Tables of pairs: what they refuse, what stays when they are turned round, and what other programs read of them."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.exchange.conventions import CONVENTIONS
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.jukkr import physical_tensors
from aiida_mlkkr.exchange.spirit import spirit_moments, spirit_rows, write_spirit_pairs
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tensors import compose, pair_energy
from aiida_mlkkr.kkr.jij_matrix import JijMatrices

POSITIONS = np.array([[0.0, 0.0, 0.0], [2.55, 0.0, 0.0], [0.9, 2.2, 0.7]])


@pytest.fixture
def trimer() -> ExchangeTable:
    """An off-axis trimer without any symmetry, one moment down."""
    rng = np.random.default_rng(3)
    raw = rng.normal(size=(3, 3, 3, 3))
    return ExchangeTable.of_cluster(
        'Cu',
        ['Mn', 'Fe', 'Cr'],
        POSITIONS,
        np.array([3.9, 2.6, -3.5]),
        raw + np.transpose(raw, (1, 0, 3, 2)),
        'synthetic',
        spread=np.full((3, 3), 0.01),
    )


@pytest.fixture
def without_s(trimer: ExchangeTable) -> ExchangeTable:
    terms = trimer.terms()
    return replace(trimer, tensors=compose(terms.j, terms.d, np.zeros((3, 3, 3))))


def energy(table: ExchangeTable, directions: np.ndarray) -> float:
    """The energy of the whole cluster."""
    i, j = table.pairs.T
    return float(pair_energy(table.tensors, directions[i], directions[j]).sum())


def test_real_pair(jukkr_pair: JijMatrices) -> None:
    found = physical_tensors(jukkr_pair)
    table = ExchangeTable.of_cluster(
        'Cu', ['Mn', 'Mn'], POSITIONS[:2], np.full(2, 3.165), found.tensors, 'jukkr', spread=found.spread
    )
    (row,) = table.rows()
    assert row['J_meV'] == pytest.approx(-118.9, abs=0.05)
    assert (row['element_i'], row['element_j'], row['distance_A']) == ('Mn', 'Mn', 2.55)
    assert row['spread_meV'] == pytest.approx(0.0375, abs=0.001)
    assert row['B_meV'] is None


def test_negative_moments_turn_the_vectors() -> None:
    """E depends on the moments, however the axes were chosen: moments antiparallel in a ferromagnetic frame."""
    tensors = np.zeros((2, 2, 3, 3))
    tensors[0, 1] = tensors[1, 0] = 50 * np.eye(3)  # axes want to be parallel
    table = ExchangeTable.of_cluster('Cu', ['Mn', 'Mn'], POSITIONS[:2], np.array([3.0, -3.0]), tensors, 'synthetic')
    assert table.terms().j[0] == -50.0  # the moments antiparallel, as they are
    raw = table.terms(CONVENTIONS['jukkr-out_Jijmatrix'])
    assert raw.j[0] == pytest.approx(-50 / 13605.693)


def test_seen_from_the_other_site(trimer: ExchangeTable) -> None:
    other = trimer.seen_from_the_other_site()
    directions = np.random.default_rng(0).normal(size=(3, 3))
    assert energy(other, directions) == pytest.approx(energy(trimer, directions), rel=1e-12)
    np.testing.assert_array_equal(other.vectors, -trimer.vectors)
    np.testing.assert_array_equal(other.terms().d, -trimer.terms().d)
    np.testing.assert_array_equal(other.terms().j, trimer.terms().j)


def test_rotated_crystal(trimer: ExchangeTable) -> None:
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    q *= np.linalg.det(q)
    turned = trimer.rotated(q)
    directions = np.random.default_rng(0).normal(size=(3, 3))
    assert energy(turned, directions @ q.T) == pytest.approx(energy(trimer, directions), rel=1e-12)
    np.testing.assert_allclose(turned.distances, trimer.distances, rtol=1e-12)
    # D follows the crystal: its component along the pair stays
    along = [np.einsum('pa,pa->p', table.terms().d, table.vectors) for table in (trimer, turned)]
    np.testing.assert_allclose(along[1], along[0], rtol=1e-10)


def test_csv_and_dataframe(trimer: ExchangeTable, tmp_path: Path) -> None:
    trimer = replace(trimer, biquadratic=np.array([0.1, 0.2, 0.3]))
    trimer.write_csv(tmp_path / 'pairs.csv')
    comment, *lines = (tmp_path / 'pairs.csv').read_text(encoding='utf-8').splitlines()
    assert comment.startswith('# convention aiida-mlkkr: H = −½ Σ_(i≠j) [J e_i·e_j + D·(e_i×e_j)')
    rows = list(csv.DictReader(lines))
    frame = trimer.to_dataframe()
    assert len(rows) == len(frame) == 3
    assert 'aiida-mlkkr' in frame.attrs['convention']
    for row, k in zip(rows, range(3), strict=True):
        # the numbers give the tensor back
        s = {name: float(row[f'S{name}_meV']) for name in ('xx', 'yy', 'xy', 'xz', 'yz')}
        matrix = np.array([[s['xx'], s['xy'], s['xz']], [s['xy'], s['yy'], s['yz']], [s['xz'], s['yz'], 0]])
        matrix[2, 2] = -s['xx'] - s['yy']
        d = np.array([float(row[f'D{axis}_meV']) for axis in 'xyz'])
        np.testing.assert_allclose(compose(np.array(float(row['J_meV'])), d, matrix), trimer.tensors[k], rtol=1e-12)
        assert float(row['B_meV']) == frame['B_meV'][k] == trimer.biquadratic[k]
    assert [(row['element_i'], row['element_j']) for row in rows] == [('Mn', 'Fe'), ('Mn', 'Cr'), ('Fe', 'Cr')]


def test_spirit_has_the_same_energy(without_s: ExchangeTable, tmp_path: Path) -> None:
    directions = np.random.default_rng(0).normal(size=(3, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    expected = energy(without_s, directions)
    rows = spirit_rows(without_s)
    total = 0.0
    for i, j, da, db, dc, exchange, *d in rows:
        a, b = directions[int(i)], directions[int(j)]
        total -= exchange * (a @ b) + d @ np.cross(a, b)
        assert (da, db, dc) == (0, 0, 0)
    assert total == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(spirit_moments(without_s), [3.9, 2.6, 3.5])

    write_spirit_pairs(without_s, tmp_path / 'pairs.txt')
    header, *lines = (tmp_path / 'pairs.txt').read_text().splitlines()
    assert header.split() == ['i', 'j', 'da', 'db', 'dc', 'Jij', 'Dij', 'Dijx', 'Dijy', 'Dijz']
    total = 0.0
    for line in lines:
        numbers = [float(word) for word in line.split()]
        a, b = directions[int(numbers[0])], directions[int(numbers[1])]
        assert np.linalg.norm(numbers[7:]) == pytest.approx(1.0)  # Spirit takes the size from Dij
        total -= numbers[5] * (a @ b) + numbers[6] * (np.array(numbers[7:]) @ np.cross(a, b))
    assert total == pytest.approx(expected, rel=1e-9)


def test_spirit_without_d(without_s: ExchangeTable, tmp_path: Path) -> None:
    scalar = replace(without_s, tensors=without_s.terms().j[:, None, None] * np.eye(3))
    write_spirit_pairs(scalar, tmp_path / 'pairs.txt')
    assert (tmp_path / 'pairs.txt').read_text().splitlines()[1].split()[6:] == ['0', '0', '0', '1']


def test_spirit_drops_nothing_silently(trimer: ExchangeTable, without_s: ExchangeTable) -> None:
    with pytest.raises(ExchangeError, match=r'no place for S, B, which is up to .* meV'):
        spirit_rows(trimer)
    with pytest.raises(ExchangeError, match=r'no place for S, B, which is up to 0\.3 meV'):
        spirit_rows(replace(without_s, biquadratic=np.full(3, -0.3)))
    np.testing.assert_allclose(spirit_rows(trimer, neglected=10.0), spirit_rows(without_s), atol=1e-12)


@pytest.mark.parametrize(
    ('changes', 'why'),
    [
        ({'moments': np.zeros(2)}, 'moments: '),
        ({'tensors': np.full((3, 3, 3), np.nan)}, 'tensors: '),
        ({'spread': np.zeros(4)}, 'spread: '),
        ({'biquadratic': np.zeros(1)}, 'biquadratic: '),
        ({'pairs': np.array([[0, 1], [1, 0], [0, 2]])}, 'a pair occurs twice'),
        ({'pairs': np.array([[0, 1], [1, 1], [0, 2]])}, 'two different sites'),
        ({'pairs': np.array([[0, 1], [1, 3], [0, 2]])}, 'two different sites'),
        ({'pairs': np.array([[0, 1], [1, -1], [0, 2]])}, 'two different sites'),
        ({'positions': np.zeros((3, 3))}, 'at the same place'),
    ],
)
def test_refused(trimer: ExchangeTable, changes: dict[str, np.ndarray], why: str) -> None:
    with pytest.raises(ExchangeError, match=why):
        replace(trimer, **changes)
