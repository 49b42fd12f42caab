"""Tables of results in files: what is written is read back, foreign and damaged ones are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_mlkkr.benchmark.potentials import CurveRow
from aiida_mlkkr.benchmark.rows import Table
from aiida_mlkkr.ml.errors import DatasetError

ROWS = (CurveRow('kernel', 'one, two', 4, 12.5, 3), CurveRow('kernel', 'three', 8, 0.125, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = Table(tmp_path / 'curves.csv', CurveRow)
    for row in ROWS:
        table.add(row)
    return table.path


def test_what_is_written_is_read_back(path: Path) -> None:
    table = Table(path, CurveRow)
    assert tuple(table.rows) == ROWS
    assert ('kernel', 'one, two', '4') in table
    assert ('kernel', 'one, two', '8') not in table


def test_foreign_and_damaged_tables_are_named(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.partition('\n')[2])
    with pytest.raises(DatasetError, match='has other columns'):
        Table(path, CurveRow)
    for damaged in (text.replace('12.5', 'twelve'), text[: text.rindex('0.125')]):
        path.write_text(damaged)
        with pytest.raises(DatasetError, match=r'line [23] is damaged'):
            Table(path, CurveRow)
