"""`aiida-mlkkr benchmark exchange` on a table that follows a law."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from model_pairs import MAPPING, model_pairs, rows_of, write_table

from aiida_mlkkr.cli.benchmark_exchange import exchange

ELEMENTS = (23, 24, 25, 26, 27)


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    pairs = model_pairs(noise=0.05)
    rows = rows_of(pairs.subset(np.isin(pairs.z, ELEMENTS).all(axis=1)))
    (tmp_path / 'mapping.yaml').write_text(MAPPING)
    write_table(tmp_path / 'table.csv', rows + rows[:25])
    paths = {'--table': 'table.csv', '--mapping': 'mapping.yaml', '--output': 'out'}
    return [word for option, name in paths.items() for word in (option, str(tmp_path / name))]


def test_it_writes_tables_and_figures_and_goes_on(arguments: list[str], tmp_path: Path) -> None:
    asked = [*arguments, '--quick', '--models', 'median,coulomb_matrix_krr', '--splits', 'leaky,pair']
    result = CliRunner().invoke(exchange, asked)
    assert result.exit_code == 0, result.output
    assert '75 of 100 rows are used' in result.output
    assert '25 rows dropped: exact duplicate' in result.output
    with (tmp_path / 'out' / 'scores.csv').open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * (2 * 5 + 4)
    errors = {
        split: sum(float(row['mae']) for row in rows if (row['split'], row['model']) == (split, 'coulomb_matrix_krr'))
        / 5
        for split in ('leaky', 'pair')
    }
    assert errors['leaky'] < errors['pair']
    for name in ('report.md', 'parity.png', 'learning_curves.png'):
        assert (tmp_path / 'out' / name).stat().st_size > 0
    (tmp_path / 'out' / 'parity.png').unlink()
    again = CliRunner().invoke(exchange, asked)
    assert again.exit_code == 0
    with (tmp_path / 'out' / 'scores.csv').open() as stream:
        assert len(list(csv.DictReader(stream))) == len(rows)
    assert (tmp_path / 'out' / 'parity.png').is_file()


def test_one_process_or_two_make_no_difference(arguments: list[str], tmp_path: Path) -> None:
    found = []
    for jobs in ('1', '2'):
        asked = [*arguments[:-1], str(tmp_path / jobs), '--models', 'median,coulomb_matrix_krr', '--splits', 'element']
        result = CliRunner().invoke(exchange, [*asked, '--jobs', jobs])
        assert result.exit_code == 0, result.output
        with (tmp_path / jobs / 'scores.csv').open() as stream:
            rows = [{name: x for name, x in row.items() if 'seconds' not in name} for row in csv.DictReader(stream)]
        found.append(rows)
    assert found[0] == found[1]
    assert {row['fold'] for row in found[0]} == {'V', 'Cr', 'Mn', 'Fe', 'Co'}, 'slow models, too'


def test_splits_and_models_that_cannot_be_are_in_the_report(arguments: list[str], tmp_path: Path) -> None:
    pairs = model_pairs()
    with_copper = (pairs.z == 29).any(axis=1) & (pairs.distances == 4.0)
    write_table(tmp_path / 'table.csv', rows_of(pairs.subset(with_copper)))
    asked = [*arguments, '--models', 'median,gaussian_process', '--splits', 'swap,geometry', '--jobs', '1']
    result = CliRunner().invoke(exchange, asked)
    assert result.exit_code == 0, result.output
    report = (tmp_path / 'out' / 'report.md').read_text()
    assert 'every pair has the same geometry: leaving it out leaves nothing to learn from' in report
    cells = {line.split(' | ')[0]: line.split(' | ')[1:3] for line in report.splitlines()}
    assert cells['| median'][0] == '0 ± 0'
    assert cells['| gaussian_process'] == ['5 ± 0', '–']
    with (tmp_path / 'out' / 'scores.csv').open() as stream:
        refusals = {row['refusal'] for row in csv.DictReader(stream) if row['model'] == 'gaussian_process'}
    assert refusals == {'no pair to learn from has two elements with moments of their own'}


def test_what_cannot_be_measured_is_said(arguments: list[str], tmp_path: Path) -> None:
    unknown = CliRunner().invoke(exchange, [*arguments, '--models', 'oracle'])
    assert unknown.exit_code == 2
    assert 'there is no oracle' in unknown.output
    (tmp_path / 'mapping.yaml').write_text(MAPPING.replace('convention: pairs-once', ''))
    vague = CliRunner().invoke(exchange, arguments)
    assert vague.exit_code == 1
    assert 'convention' in vague.output
