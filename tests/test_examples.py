"""The examples run, and give what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from aiida_mlkkr.demo.archive import archived_workchains, current_archive, import_workchains, packaged_archive

EXAMPLES = Path(__file__).parents[1] / 'examples'


def test_impurity_from_free_atoms(kkrimp_code, capsys):
    with packaged_archive() as packaged, current_archive(packaged) as path:
        import_workchains(path, archived_workchains(path)[:1])
    calculation = runpy.run_path(str(EXAMPLES / 'impurity_from_free_atoms.py'))['main'](kkrimp_code)
    assert calculation.is_finished_ok, calculation.exit_message
    charges = calculation.outputs.output_parameters['total_charge_per_atom']
    # silicon keeps about its 14 electrons, and the twelve neighbours are alike; printed with six digits
    assert charges[0] == pytest.approx(14, abs=1)
    assert charges[1:] == pytest.approx([charges[1]] * 12, abs=2e-6)
    assert 'electrons on the impurity' in capsys.readouterr().out
