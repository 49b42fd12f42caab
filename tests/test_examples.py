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
    finished = runpy.run_path(str(EXAMPLES / 'manganese_in_copper.py'))['main'](kkrimp_code)
    assert all(node.is_finished_ok for node in finished.values()), [node.exit_message for node in finished.values()]
    j = {
        name: {(row['i'], row['j']): row['J_meV'] for row in node.outputs.results['pairs']}
        for name, node in finished.items()
    }
    # neighbours are antiferromagnetic, -99.8 meV with the potentials of single impurities (docs: topics, exchange)
    assert j['dimer'][0, 1] == pytest.approx(-100, abs=12)
    # by symmetry: the atom in the centre of the sites and the two at their edge
    for pairs in (j['trimer'], j['chain']):
        first, second = sorted(pairs.values())[:2]
        assert len(pairs) == 3
        assert first == pytest.approx(second, rel=2e-2)
    assert max(j['chain'].values(), key=abs) < -50
    assert min(map(abs, j['chain'].values())) < 40
    assert capsys.readouterr().out.count('Å: J = ') == 7
