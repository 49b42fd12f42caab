"""Tables in files: what they mean, and what of them can be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_pairs import MAPPING, model_pairs, rows_of, write_table

from aiida_mlkkr.exchange.cleaning import DUPLICATE, clean, with_duplicates
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.mapping import Mapping, read_mapping
from aiida_mlkkr.exchange.reading import RawTable, read_table


@pytest.fixture
def mapping(tmp_path: Path) -> Mapping:
    path = tmp_path / 'mapping.yaml'
    path.write_text(MAPPING)
    return read_mapping(path)


def raw(rows: list[list[float]], mapping: Mapping, folder: Path) -> RawTable:
    return read_table(write_table(folder / 'table.csv', rows), mapping)


def test_a_clean_table_is_kept_whole(mapping: Mapping, tmp_path: Path) -> None:
    pairs = model_pairs()
    cleaned = clean(raw(rows_of(pairs), mapping, tmp_path))
    assert len(cleaned.pairs) == len(pairs)
    assert not cleaned.findings
    np.testing.assert_allclose(cleaned.pairs.vectors, pairs.vectors)
    np.testing.assert_allclose(cleaned.pairs.j, pairs.j)
    assert cleaned.noise['all'].number == 3 * 13 * 12 // 2
    assert cleaned.noise['all'].largest < 1e-12


def test_each_bad_row_is_dropped_for_its_reason(mapping: Mapping, tmp_path: Path) -> None:
    rows = rows_of(model_pairs())
    bad = [list(row) for row in rows[:5]]
    bad[0][7] = float('nan')
    bad[1][0] = 130
    bad[2][1] = 24.5
    bad[3][4:7] = [0.0, 0.0, 0.0]
    cleaned = clean(raw([*rows, *bad], mapping, tmp_path))
    found = {one.reason: one.rows.tolist() for one in cleaned.findings}
    number = len(rows)
    assert found == {
        'a number is missing or not finite': [number],
        'there is no such element, or no such layer': [number + 1, number + 2],
        'i and j are the same site': [number + 3],
        DUPLICATE: [number + 4],
    }
    assert len(with_duplicates(raw([*rows, *bad], mapping, tmp_path), cleaned)) == number + 1


def test_a_geometry_with_the_j_of_another_is_dropped(mapping: Mapping, tmp_path: Path) -> None:
    pairs = model_pairs()
    far = pairs.subset(np.arange(2 * 169, 2 * 169 + 60))
    copied = replace(far, vectors=far.vectors + np.array([0.0, 0.0, 4.0]))
    cleaned = clean(raw([*rows_of(pairs), *rows_of(copied)], mapping, tmp_path))
    (finding,) = cleaned.findings
    assert finding.reason == 'geometry 1-2 10.77 (10.00) Å has the same J as 1-2 7.21 (6.00) Å'
    assert finding.rows.tolist() == list(range(len(pairs), len(pairs) + 60))


def test_the_noise_of_labels_is_found_from_swap_pairs(mapping: Mapping, tmp_path: Path) -> None:
    pairs = model_pairs()
    noisy = replace(pairs, j=pairs.j + np.random.default_rng(1).normal(scale=0.2, size=len(pairs)))
    noise = clean(raw(rows_of(noisy), mapping, tmp_path)).noise
    assert noise['all'].error == pytest.approx(0.2, rel=0.15)
    assert noise['all'].mean == pytest.approx(0.2 * 2 / np.sqrt(np.pi), rel=0.15)


def test_moments_along_the_axes_turn_j(tmp_path: Path) -> None:
    path = tmp_path / 'mapping.yaml'
    path.write_text(MAPPING.replace('pairs-once', 'aiida-kkr-parse_Jij'))
    row = [25, 44, 1, 1, 2.0, 0.0, 0.0, 1.5, 0.0, 0.0, 0.4, 4.4, -0.3]
    pairs = raw([row], read_mapping(path), tmp_path).pairs
    assert pairs.j[0] == pytest.approx(-1.5)
    assert pairs.d[0] == pytest.approx([0.0, 0.0, -0.2])
    assert pairs.distances[0] == pytest.approx(4.0)


def test_missing_columns_and_foreign_files_are_named(mapping: Mapping, tmp_path: Path) -> None:
    (tmp_path / 'other.csv').write_text('Za,Zb\n24,25\n')
    with pytest.raises(ExchangeError, match='has no column x, y, z, J, ma, mb'):
        read_table(tmp_path / 'other.csv', mapping)
    rows = rows_of(model_pairs())[:1]
    rows[0][7] = 'strong'  # type: ignore[call-overload]
    with pytest.raises(ExchangeError, match=r'column J .* something else than numbers'):
        raw(rows, mapping, tmp_path)
    with pytest.raises(ExchangeError, match='no readable CSV file'):
        read_table(tmp_path / 'none.csv', mapping)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (('convention: pairs-once', ''), 'convention: Field required'),
        (('pairs-once', 'mine'), "no convention 'mine'"),
        (('energy_unit: meV', 'energy_unit: K'), "not in 'K'"),
        (('dx: Dx, ', ''), 'dx, dy and dz belong together'),
    ],
)
def test_a_mapping_states_everything(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / 'mapping.yaml'
    path.write_text(MAPPING.replace(*change))
    with pytest.raises(ExchangeError, match=message):
        read_mapping(path)


def test_the_packaged_mapping_puts_dimers_on_bismuth() -> None:
    structure = read_mapping('bi2te3_dimers').structure
    assert structure is not None
    host = structure.structure()
    for layer, vector in ((3, [-4.383, 0.0, 0.0]), (3, [0.0, 0.0, 6.0976]), (3, [-4.383, 0.0, 6.0976])):
        positions, z = host.around(layer, np.array(vector), np.array([24, 25]), 4.5)
        assert z[:2].tolist() == [24, 25]
        assert set(z[2:].tolist()) == {52, 83}
        distances = np.linalg.norm(positions[2:], axis=1)
        # six Te around Bi: three at each of two distances
        near = np.sort(distances[distances < 3.4])
        np.testing.assert_allclose(near, [3.07] * 3 + [3.26] * 3, atol=0.03)
    with pytest.raises(ExchangeError, match='no atom of the host'):
        host.around(3, np.array([1.0, 0.0, 0.0]), np.array([24, 25]), 4.5)
