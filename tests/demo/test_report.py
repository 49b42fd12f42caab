"""The report says what the results say, and is one file."""

from __future__ import annotations

import base64
import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from aiida_mlkkr.demo.report import RunInfo, print_report, write_report
from aiida_mlkkr.demo.results import Comparison, ImpurityResult, potential_deviation
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import AtomicPotential, CoreState, ImpurityPotential


def potential(shift: float = 0.0, b: float = 2e-4) -> ImpurityPotential:
    """A smooth potential of two sites and two spins, shifted by a constant (Ry)."""
    mesh = RadialMesh(a=0.02, b=b, n=401)
    atom = AtomicPotential(
        title='    POTENTIAL', rmt=2.0, alat=6.8, rmtnew=2.0, z=25.0, rws=2.66, efermi=0.66, vbc=0.0,
        mesh=mesh, core=(CoreState(0, -470.0),), v=10 * np.exp(-mesh.r) + shift,
    )  # fmt: skip
    return ImpurityPotential(((atom, atom), (atom, atom)))


def result(pks: tuple[int, ...], charge: float = 24.630716, shift: float = 0.0) -> ImpurityResult:
    return ImpurityResult(
        symbol='Mn',
        pks=pks,
        errors=np.geomspace(2.0, 5e-7, 78),
        stage_ends=(58, 78),
        charges=np.array([charge, 29.031298]),
        moment=3.76605,
        energy=-42063.79467538,
        seconds=9.5,
        potential=potential(shift),
        sane=True,
    )


INFO = RunInfo('mlkkr-demo', 'mlkkr-kkrimp@here', True, True, 'Cu', (('Fe', 'calculation 99 <failed> & more'),), 61.0)


def test_a_constant_shift_is_the_deviation():
    assert potential_deviation(potential(), potential(3e-4)) == pytest.approx(3e-4, rel=1e-12)
    with pytest.raises(ValueError, match='different radial meshes'):
        potential_deviation(potential(), potential(b=3e-4))


@pytest.mark.parametrize(
    ('charge', 'shift', 'agrees'),
    [(24.630716, 0.0, True), (24.630750, 5e-5, True), (24.631, 0.0, False), (24.630716, 2e-4, False)],
)
def test_agreement_needs_charges_and_potential(charge: float, shift: float, agrees: bool):
    assert Comparison(result((5, 6), charge, shift), result((1, 2))).agrees is agrees


def test_the_table_fits_a_terminal_of_80_columns():
    output = io.StringIO()
    row = Comparison(result((50123, 50128), 24.631), result((314, 136)))
    print_report(Console(file=output, width=80), [row], INFO)
    text = output.getvalue()
    table = [line for line in text.splitlines() if '24.63' in line]
    assert len(table) == 2
    assert '78' in table[0]
    assert '50123' in table[0]
    assert '24.63100' in table[0]
    assert '+3e-04' in text
    assert 'Mn stands apart: charge 2.8e-04 e' in text
    assert 'Fe has no result: calculation 99 <failed> & more' in text
    assert 'verdi -p mlkkr-demo process show 50128' in text


def test_files_are_written_and_the_page_stands_alone(tmp_path: Path):
    row = Comparison(result((510, 517)), result((314, 136)))
    apart = Comparison(replace(result((511, 518), 25.0), symbol='Cr'), result((315, 137)))
    files = write_report(tmp_path / 'new' / 'report', [row, apart], INFO)
    assert [path.name for path in files] == [
        'results.csv', 'convergence.png', 'charges_and_moments.png', 'potentials.png', 'report.html'
    ]  # fmt: skip

    with files[0].open(encoding='utf-8') as handle:
        rows = list(csv.DictReader(handle))
    assert [entry['impurity'] for entry in rows] == ['Mn', 'Cr']
    assert float(rows[0]['charge_e']) == 24.630716
    assert float(rows[1]['largest_charge_deviation_e']) == pytest.approx(25 - 24.630716)
    assert rows[0]['nodes'] == '510 517'

    page = files[-1].read_text(encoding='utf-8')
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(image) for image in images] == [path.read_bytes() for path in files[1:4]]
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert 'calculation 99 &lt;failed&gt; &amp; more' in page
    assert page.count('<tbody>') == 2
    assert 'class="apart"' in page


def test_a_report_without_any_result_says_why(tmp_path: Path):
    files = write_report(tmp_path, [], INFO)
    assert [path.name for path in files] == ['results.csv', 'report.html']
    assert 'Fe has no result' in files[-1].read_text(encoding='utf-8')
