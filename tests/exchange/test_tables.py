"""Tables of many clusters, and the one of pairs in copper that comes with the package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tables import copper_pairs, joined, read_csv


def cluster(seed: int, number: int) -> ExchangeTable:
    """Sites without any symmetry, one moment down."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(number, number, 3, 3))
    return ExchangeTable.of_cluster(
        'Cu',
        ['Mn', 'Fe', 'Cr'][:number],
        4 * rng.normal(size=(number, 3)),
        np.array([3.9, -2.6, 3.5])[:number],
        raw + np.transpose(raw, (1, 0, 3, 2)),
        'synthetic',
        spread=np.full((number, number), 0.01),
        biquadratic=np.full((number, number), float(seed)),
    )


def test_clusters_stay_apart() -> None:
    trimer, dimer = cluster(1, 3), cluster(2, 2)
    both = joined([trimer, dimer])
    assert both.pairs.tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
    rows = both.rows()
    assert [{**row, 'i': 0, 'j': 0} for row in rows] == [
        {**row, 'i': 0, 'j': 0} for table in (trimer, dimer) for row in table.rows()
    ]


@pytest.mark.parametrize(
    ('tables', 'message'),
    [
        ([], 'no tables'),
        ([cluster(1, 2), replace(cluster(1, 2), host='Ag')], 'not alike: Ag, Cu'),
        ([cluster(1, 2), replace(cluster(1, 2), method='other')], 'not alike: Cu; other, synthetic'),
        ([cluster(1, 2), replace(cluster(1, 2), biquadratic=None)], 'B is known in some of the tables only'),
    ],
)
def test_tables_that_do_not_go_together(tables: list[ExchangeTable], message: str) -> None:
    with pytest.raises(ExchangeError, match=message):
        joined(tables)


@pytest.mark.parametrize('biquadratic', [True, False])
def test_a_file_gives_back_what_was_written(tmp_path: Path, biquadratic: bool) -> None:
    written = joined([cluster(1, 3), cluster(2, 2)])
    written = written if biquadratic else replace(written, biquadratic=None)
    written.write_csv(tmp_path / 'pairs.csv')
    found = read_csv(tmp_path / 'pairs.csv')
    assert found.tensors == pytest.approx(written.tensors, abs=1e-14)
    assert found.vectors == pytest.approx(written.vectors, abs=1e-14)
    assert (found.biquadratic is None) is not biquadratic
    for row, original in zip(found.rows(), written.rows(), strict=True):
        exact = ('element_i', 'element_j', 'moment_i_muB', 'moment_j_muB', 'spread_meV', 'B_meV', 'host', 'method')
        assert all(row[name] == original[name] for name in exact)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda text: text.replace('−½', '½'), 'the convention has to be known'),
        (lambda text: text.partition('\n')[2], 'the convention has to be known'),
        (lambda text: '\n'.join(text.splitlines()[:2]), 'there are no pairs'),
        (lambda text: text.replace('J_meV', 'J'), "missing or damaged: 'J_meV'"),
        (lambda text: text[: text.rindex(',') - 40], 'missing or damaged'),
        (lambda text: text.replace('Cu,0,2', 'Ag,0,2'), 'pairs of different host'),
        (lambda text: text.replace('0.01,synthetic', 'nan,synthetic'), 'spread: .* finite numbers'),
    ],
)
def test_files_that_are_refused(tmp_path: Path, change, message: str) -> None:
    path = tmp_path / 'pairs.csv'
    cluster(1, 3).write_csv(path)
    text = path.read_text(encoding='utf-8')
    changed = change(text)
    assert changed != text
    path.write_text(changed, encoding='utf-8')
    with pytest.raises(ExchangeError, match=message):
        read_csv(path)


def test_pairs_in_copper() -> None:
    """What the table that comes with the package says of the physics."""
    table = copper_pairs()
    rows = table.rows()
    nearest = {row['element_i'] + row['element_j']: row['J_meV'] for row in rows if row['distance_A'] < 2.6}
    assert max(nearest['CrCr'], nearest['CrMn'], nearest['MnMn']) < -100, 'half-filled shells couple antiparallel'
    assert min(nearest['FeFe'], nearest['FeCo'], nearest['CoCo']) > 40, 'more than half-filled ones parallel'
    without = [row for row in rows if min(abs(row['moment_i_muB']), abs(row['moment_j_muB'])) < 1e-3]
    assert without
    assert max(abs(row['J_meV']) for row in without) < 0.01, 'no moment, no exchange'
    places = {(row['element_i'], row['element_j'], round(row['distance_A'], 2)) for row in rows}
    assert len(places) == len(rows), 'each pair once on each shell'
    assert max(abs(row['J_meV']) for row in rows if row['distance_A'] > 3) < 0.25 * max(map(abs, nearest.values()))
