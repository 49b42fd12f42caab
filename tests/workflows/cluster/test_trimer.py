"""Three manganese atoms in the thirteen sites of JuKKR's write-out of copper, and a state that turns on the way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from this_machine import code_on, computer_at

from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

from .conftest import QUICK, Pair

if TYPE_CHECKING:
    from pathlib import Path

    from aiida.engine import ProcessBuilder
    from aiida.orm import InstalledCode, WorkChainNode

TRIMER = {'pattern': 'trimer', 'shell': 1, 'elements': ['Mn']}
NEIGHBOURS = 3.61 / np.sqrt(2)


def trimer(pair: Pair, **inputs: Any) -> ProcessBuilder:
    runs = [node for node in pair.single.called_descendants if node.process_label == 'KkrimpCalculation']
    return pair.builder(TRIMER, host_greenfunction=runs[0].inputs.host_Greenfunction_folder, **inputs)


@pytest.fixture(scope='module')
def two_against_one(pair: Pair) -> WorkChainNode:
    """From single impurities, with given signs."""
    from aiida.engine import run_get_node

    return run_get_node(trimer(pair, singles=[pair.single], magnetic_state=[1, 1, -1], protocol='fast')).node


def test_given_signs_are_kept(two_against_one):
    assert two_against_one.is_finished_ok, two_against_one.exit_message
    results = two_against_one.outputs.results.get_dict()
    assert (results['start'], results['joint_start_fault']) == ('startpot', None)
    assert results['magnetic_state']['obtained'] == [1, 1, -1]
    moments = np.array([row['spin_moment'] for row in results['impurities']])
    # three sites without their neighbours: lower than 3.766 alone among twelve, and far from the low spin of 1
    assert np.all((np.abs(moments) > 2.5) & (np.abs(moments) < 4.0))
    positions = np.array([row['position_alat'] for row in results['impurities']])
    # the lattice constant of this host is the distance of neighbours
    np.testing.assert_allclose(np.linalg.norm(positions - np.roll(positions, 1, axis=0), axis=1), 1.0)


def test_every_pair_of_a_trimer_has_its_exchange(two_against_one):
    table = two_against_one.outputs.exchange.table
    assert table.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    rows = two_against_one.outputs.results['pairs']
    assert [row['distance_A'] for row in rows] == pytest.approx(3 * [NEIGHBOURS], abs=2e-3)
    # neighbours of manganese in copper are antiferromagnetic, so that the parallel two are frustrated
    assert all(row['J_meV'] < -20 for row in rows)


def test_a_trimer_from_the_emulator(pair):
    from aiida.engine import run_get_node

    from aiida_mlkkr.query import find_impurities, train_emulator

    with packaged_archive() as path:
        singles, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Cr', 'Mn', 'Fe')))
    emulator = train_emulator(find_impurities(nodes=singles).usable)
    overrides = {**QUICK, 'exchange': False}
    overrides['scf'] = {**QUICK['scf'], 'starts': ['emulator'], 'max_predicted_error': 10.0}
    node = run_get_node(trimer(pair, emulator=emulator, magnetic_state=[1, -1, 1], overrides=overrides)).node
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] == 'emulator'
    assert results['magnetic_state']['obtained'] == [1, -1, 1]


@pytest.fixture
def turning(tmp_path: Path) -> InstalledCode:
    """The embedded solver, to which all impurities are given the potential of the first: their moments turn."""
    program = tmp_path / 'mlkkr-kkrimp'
    program.write_text(
        f'#!{sys.executable}\n'
        'from pathlib import Path\n'
        'from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential, write_potential\n'
        'from aiida_mlkkr.solver.main import main\n'
        "first = read_potential(Path('potential')).sites[0]\n"
        "write_potential(ImpurityPotential((first, first)), Path('potential'))\n"
        'main([])\n'
    )
    program.chmod(0o755)
    return code_on(computer_at(tmp_path), str(program), 'kkr.kkrimp')


def test_a_state_that_could_not_be_kept(pair, turning):
    from aiida.engine import run_get_node

    node = run_get_node(pair.builder(code=turning, magnetic_state='antiferro', overrides=QUICK)).node
    assert node.exit_status == 431
    assert 'from none of the starts standard: asked [1, -1]' in node.exit_message
    assert 'exchange' not in node.outputs
    results = node.outputs.results.get_dict()
    assert results['magnetic_state']['kept'] is False
    assert results['magnetic_state']['turned'] == [1]
    assert results['attempts'][0]['kept'] is False
    assert 'converged_potential' in node.outputs
