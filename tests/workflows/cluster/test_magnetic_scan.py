"""Two manganese atoms in copper from several starting moments."""

from __future__ import annotations

import pytest

from .conftest import PAIR

STATES = {'parallel': [4.0, 4.0], 'reversed': [-4.0, -4.0], 'antiparallel': [4.0, -4.0]}


def builder_of(pair, states=None, **inputs):
    from aiida_mlkkr.workflows.magnetic_scan import MagneticScanWorkChain

    inputs.setdefault('host_greenfunction', pair.writeout.outputs.remote_folder)
    return MagneticScanWorkChain.get_builder_from_protocol(pair.code, PAIR, states, **inputs)


@pytest.fixture(scope='module')
def scan(pair):
    from aiida.engine import run_get_node

    return run_get_node(builder_of(pair, STATES, protocol='fast')).node


def test_two_solutions_of_three_states(scan):
    assert scan.is_finished_ok, scan.exit_message
    results = scan.outputs.results.get_dict()
    assert {row['state']: row['solution'] for row in results['states']} == {
        'parallel': 0,
        'reversed': 0,
        'antiparallel': 1,
    }
    assert all(row['converged'] and row['failure'] is None for row in results['states'])
    parallel, antiparallel = results['solutions']
    assert (parallel['signs'], antiparallel['signs']) == ('++', '+-')
    assert parallel['spin_moments'] == pytest.approx([3.017, 3.017], abs=0.01)
    assert antiparallel['spin_moments'] == pytest.approx([3.076, -3.076], abs=0.01)
    assert parallel['states'] == ['parallel', 'reversed']
    assert set(scan.outputs.potentials) == {'solution_0', 'solution_1'}


def test_the_lowest_is_that_of_the_grand_potential(scan):
    """The sum over the sites has it the other way round (tests/solver/test_grand_potential.py)."""
    results = scan.outputs.results.get_dict()
    assert (results['lowest'], results['lowest_by']) == (1, 'grand_potential_meV')
    parallel, antiparallel = results['solutions']
    assert antiparallel['grand_potential_meV'] == parallel['site_energy_meV'] == 0.0
    # converged to 1e-4 Ry
    assert parallel['grand_potential_meV'] == pytest.approx(135, abs=10)
    assert antiparallel['site_energy_meV'] == pytest.approx(301, abs=10)
    assert 'misses what changes outside' in results['energies']['site_energy_meV']


def test_without_the_green_function_the_sites_decide_and_the_result_says_so(scan, pair):
    from aiida import orm

    from aiida_mlkkr.calculations.magnetic_scan import magnetic_solutions

    runs = {link.link_label: link.node for link in scan.base.links.get_outgoing().all() if link.link_label in STATES}
    bare = orm.FolderData()
    source = pair.writeout.outputs.retrieved.base.repository
    bare.base.repository.put_object_from_bytes(source.get_object_content('out_potential', 'rb'), 'out_potential')
    results = magnetic_solutions(
        course=orm.Dict({'asked': {**STATES, 'lost': [1.0, 0.0]}, 'failures': {'lost': 'it diverged'}}),
        host_writeout=bare,
        **{
            name: {
                'results': run.outputs.results,
                'potential': run.outputs.converged_potential,
                'retrieved': run.outputs.retrieved,
            }
            for name, run in runs.items()
        },
    ).get_dict()
    assert (results['lowest'], results['lowest_by']) == (0, 'site_energy_meV')
    assert 'Not available: input files are missing: kkrflex_tmat' in results['energies']['grand_potential_meV']
    assert results['states'][3] == {
        'state': 'lost',
        'moments_asked': [1.0, 0.0],
        'converged': False,
        'failure': 'it diverged',
        'spin_moments': None,
        'solution': None,
        'iterations': None,
        'start': None,
    }


def test_the_command_prints_it(scan):
    from aiida_mlkkr.cli.magnetic_scan import report

    lines = report(scan.outputs.results.get_dict())
    assert lines[0] == 'parallel (4.000, 4.000 µB): solution 0'
    assert lines[5] == 'lowest: solution 1, by grand_potential_meV'
    assert lines[-1].startswith('site_energy_meV: the total energy that KKRimp sums')


def test_states_by_default(pair):
    states = builder_of(pair).states.get_dict()
    assert states == {
        'up_up': [5.0, 5.0],
        'up_down': [5.0, -5.0],
        'low': [1.0, 1.0],
        'nonmagnetic': [0.0, 0.0],
    }


@pytest.mark.parametrize(
    ('states', 'message'),
    [
        ({}, 'give one at least'),
        ({'high': [5.0]}, 'high has 1 moments for 2 impurities'),
        ({'+-': [5.0, -5.0]}, 'a name is made of letters'),
    ],
)
def test_what_is_no_state(pair, states, message):
    with pytest.raises(ValueError, match=message):
        builder_of(pair, states)
