"""The report says what the results say, and is one file."""

from __future__ import annotations

import base64
import csv
import io
import re
from pathlib import Path

import pytest
from demo_results import make_impurity, result
from rich.console import Console

from aiida_mlkkr.demo.report import RunInfo, print_report, write_report
from aiida_mlkkr.demo.results import Impurity

INFO = RunInfo(
    profile='mlkkr-demo',
    code='mlkkr-kkrimp@here',
    code_is_ours=True,
    host='Cu',
    problems=(('Fe, standard start, default schedule', 'workchain 99 <failed> & more'),),
    seconds=61.0,
)


@pytest.fixture
def impurities() -> list[Impurity]:
    fallback = result(95, dropped=(('emulator', 'the potential is insane'),), pks=(522,))
    return [
        make_impurity('Mn', default=(78, 20)),
        make_impurity('Cr', default=(80, fallback), tuned=(16, result(150, converged=False))),
        make_impurity('Al', default=(53, 27), moment=0.0),
    ]


def test_the_tables_fit_a_terminal_of_80_columns(impurities: list[Impurity]):
    output = io.StringIO()
    print_report(Console(file=output, width=80), impurities, INFO)
    lines = output.getvalue().splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip() and line[1:3] in ('Mn', 'Cr', 'Al')}
    assert '…' not in output.getvalue()
    assert ['Mn', '78', '78', '20', '74', '%', '16', '12', '25', '%'] in [line.split() for line in lines]
    assert ['Cr', '78', '80', '95*', '-19', '%', '16', '150!', '0', '%'] in [line.split() for line in lines]
    assert ['non-magnetic', 'median', '49', '%', '25', '%'] in [line.split() for line in lines]
    assert rows['Al'][-2:] == ['5.0', '2.5']
    assert any(line.split()[:3] == ['Mn', '3.566', '3.76605'] and line.split()[-1] == 'yes' for line in lines)


def test_the_verdict_names_what_stands_out(impurities: list[Impurity]):
    output = io.StringIO()
    print_report(Console(file=output, width=400), impurities, INFO)
    text = output.getvalue()
    assert (
        'Default schedule: the emulator saves 28 % of the iterations of magnetic impurities (Mn, Cr) and 49 %' in text
    )
    assert "Cr, emulator start, default schedule: the start 'emulator' was given up: the potential is insane" in text
    assert 'Cr, emulator start, tuned schedule: not converged in 150 iterations' in text
    assert '2 of 3 impurities agree with JuKKR' in text
    assert 'Fe, standard start, default schedule: no result: workchain 99 <failed> & more' in text
    assert 'verdi -p mlkkr-demo process status 510' in text


def test_files_are_written_and_the_page_stands_alone(impurities: list[Impurity], tmp_path: Path):
    files = write_report(tmp_path / 'new' / 'report', impurities, INFO)
    assert [path.name for path in files] == [
        'results.csv', 'convergence.png', 'potentials.png', 'charges_and_moments.png', 'report.html'
    ]  # fmt: skip

    with files[0].open(encoding='utf-8') as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 3 * 5
    assert [row['code'] for row in rows[:2]] == ['JuKKR', 'mlkkr-kkrimp@here']
    mn, cr = (
        next(
            row
            for row in rows
            if row['impurity'] == symbol and (row['start'], row['schedule']) == ('emulator', schedule)
        )
        for symbol, schedule in (('Mn', 'default'), ('Cr', 'tuned'))
    )
    assert (mn['iterations'], float(mn['saving']), mn['charge_e']) == (
        '20',
        pytest.approx(1 - 20 / 78, abs=1e-4),
        '24.630716',
    )
    assert (mn['trained_on'], mn['training_seconds'], mn['predicted_error_Ry']) == ('14', '2.50', '0.012300')
    assert (cr['converged'], cr['saving'], cr['charge_e']) == ('False', '0.0000', '')

    page = files[-1].read_text(encoding='utf-8')
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(image) for image in images] == [path.read_bytes() for path in files[1:4]]
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert 'workchain 99 &lt;failed&gt; &amp; more' in page
    assert page.count('<table>') == 3


def test_a_report_without_any_result_says_why(tmp_path: Path):
    files = write_report(tmp_path, [], INFO)
    assert [path.name for path in files] == ['results.csv', 'report.html']
    assert 'no result: workchain 99' in files[-1].read_text(encoding='utf-8')


def test_an_impurity_without_prediction_is_in_the_report(tmp_path: Path):
    from dataclasses import replace

    impurity = replace(make_impurity('Mn', default=(78, 90)), prediction=None)
    files = write_report(tmp_path, [impurity], INFO)
    assert [path.name for path in files] == ['results.csv', 'convergence.png', 'report.html']
