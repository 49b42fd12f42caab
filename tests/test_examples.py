"""The examples run, and give what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from model_pairs import MAPPING, law, model_pairs, rows_of, write_table

from aiida_mlkkr.demo.archive import archived_workchains, current_archive, import_workchains, packaged_archive
from aiida_mlkkr.spins.units import BOLTZMANN

EXAMPLES = Path(__file__).parents[1] / 'examples'


@pytest.fixture(scope='module')
def copper(aiida_profile):
    with packaged_archive() as packaged, current_archive(packaged) as path:
        import_workchains(path, archived_workchains(path)[:1])


@pytest.mark.usefixtures('copper')
def test_impurity_from_free_atoms(kkrimp_code, capsys):
    calculation = runpy.run_path(str(EXAMPLES / 'impurity_from_free_atoms.py'))['main'](kkrimp_code)
    assert calculation.is_finished_ok, calculation.exit_message
    charges = calculation.outputs.output_parameters['total_charge_per_atom']
    # silicon keeps about its 14 electrons, and the twelve neighbours are alike; printed with six digits
    assert charges[0] == pytest.approx(14, abs=1)
    assert charges[1:] == pytest.approx([charges[1]] * 12, abs=2e-6)
    assert 'electrons on the impurity' in capsys.readouterr().out


@pytest.mark.usefixtures('copper')
def test_manganese_in_copper(kkrimp_code, capsys):
    """The chain of the example alone; each arrangement takes a while."""
    example = runpy.run_path(str(EXAMPLES / 'manganese_in_copper.py'))
    node = example['main'](kkrimp_code, {'chain': example['ARRANGEMENTS']['chain']})['chain']
    assert node.is_finished_ok, node.exit_message
    moments = [row['spin_moment'] for row in node.outputs.results['impurities']]
    j = {(row['i'], row['j']): row['J_meV'] for row in node.outputs.results['pairs']}
    # neighbours are antiferromagnetic, -99.8 meV for two with the potentials of single ones (docs: topics, exchange)
    near, far = [j[0, 1], j[1, 2]], j[0, 2]
    assert near[0] == pytest.approx(near[1], rel=1e-2)  # the atom in the middle has the sites' symmetry
    assert moments[0] == pytest.approx(moments[2], rel=1e-3)
    assert max(near) < -50
    assert abs(far) < 0.5 * abs(near[0])
    assert capsys.readouterr().out.count('Å: J = ') == 3


STRUCTURE = """
structure:
  cell: [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 30.0]]
  atoms: [[Bi, 0.0, 0.0, 0.4], [Bi, 0.0, 0.0, 0.6]]
  layers: {1: 0, 2: 1}
"""


def test_codoped_bilayers(tmp_path, capsys):
    """A table of a square bilayer whose law is known, in which V-Cr is missing."""
    (tmp_path / 'model.yaml').write_text(MAPPING + STRUCTURE)
    pairs = model_pairs()
    lightest = pairs.subset((pairs.z < 28).all(axis=1))
    kept = lightest.subset(np.array([name != 'V-Cr' for name in lightest.element_pairs]))
    table = write_table(tmp_path / 'pairs.csv', rows_of(kept))
    example = runpy.run_path(str(EXAMPLES / 'codoped_bi2te3.py'))
    found = example['main'](table, ('V', 'Cr'), 0.5, tmp_path / 'model.yaml', sizes=(6, 10), rounds=64)
    vanadium, both, chromium = found
    assert [row['predicted'] for row in found] == [False, True, False]
    # half of four neighbours on each of the three shells; of the last one, in the other layer, the sign does not matter
    for row, z in ((vanadium, 23), (chromium, 24)):
        j = 0.5 * 4 * (law(z, z, 4.0) + law(z, z, 8.0) + abs(law(z, z, np.hypot(4.0, 6.0))))
        assert row['mean_field_temperature'] == pytest.approx(max(j, 0.0) / (3 * BOLTZMANN), rel=1e-6)
    assert both['mean_field_temperature'] > 0
    assert all('Mermin and Wagner' in row['order_forbidden'] for row in found)
    small, large = vanadium['magnetisation']
    assert np.all(large[-3:] < small[-3:])  # what is left far above the scale of energy is that of a finite box
    words = capsys.readouterr().out
    assert 'predicted: V-Cr' in words
    assert 'There is NO T_c of such a model' in words
