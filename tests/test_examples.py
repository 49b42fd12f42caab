"""The examples run, and give what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from aiida_mlkkr.demo.archive import archived_workchains, current_archive, import_workchains, packaged_archive

EXAMPLES = Path(__file__).parents[1] / 'examples'


@pytest.fixture(scope='module', autouse=True)
def _copper(aiida_profile):
    with packaged_archive() as packaged, current_archive(packaged) as path:
        import_workchains(path, archived_workchains(path)[:1])


def test_impurity_from_free_atoms(kkrimp_code, capsys):
    calculation = runpy.run_path(str(EXAMPLES / 'impurity_from_free_atoms.py'))['main'](kkrimp_code)
    assert calculation.is_finished_ok, calculation.exit_message
    charges = calculation.outputs.output_parameters['total_charge_per_atom']
    # silicon keeps about its 14 electrons, and the twelve neighbours are alike; printed with six digits
    assert charges[0] == pytest.approx(14, abs=1)
    assert charges[1:] == pytest.approx([charges[1]] * 12, abs=2e-6)
    assert 'electrons on the impurity' in capsys.readouterr().out


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
