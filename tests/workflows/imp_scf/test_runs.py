"""The impurity self-consistency with the embedded solver, from start to end."""

from __future__ import annotations

from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import MN_CHARGE, MN_MOMENT, QUICK, Copper

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode


@pytest.fixture(scope='module')
def manganese(copper: Copper) -> WorkChainNode:
    """From a potential that is not one (NaN), so that the standard start comes next."""
    from aiida import orm

    content = copper.start('Mn').get_content()
    first = content.splitlines()[14].split()[0]
    broken = orm.SinglefileData(BytesIO(content.replace(first, 'NaN'.rjust(len(first)), 1).encode()), 'potential')
    return copper.run('Mn', startpot=broken)


def test_manganese_as_jukkr_has_it(manganese):
    assert manganese.is_finished_ok, manganese.exit_message
    results = manganese.outputs.results.get_dict()
    assert results['total_spin_moment'] == pytest.approx(MN_MOMENT, abs=2e-4)
    assert results['impurity_charges'] == pytest.approx([MN_CHARGE], abs=2e-5)
    assert results['rms_charge'] < 1e-6
    assert results['problems'] == []
    assert results['sanity_checked']


def test_an_insane_start_is_dropped_and_the_next_one_tried(manganese):
    results = manganese.outputs.results.get_dict()
    assert results['start'] == 'standard'
    (dropped,) = results['starts_dropped']
    assert dropped['start'] == 'startpot'
    assert 'not finite' in dropped['reason']
    assert dropped['iterations'] == 0


def test_history_is_that_of_the_calculations(manganese):
    import numpy as np

    results, history = manganese.outputs.results.get_dict(), manganese.outputs.scf_history
    assert history.get_array('stage_ends')[-1] == results['iterations'] == sum(results['iterations_per_stage'])
    errors = history.get_array('rms_charge')
    assert errors.shape == (results['iterations'],)
    first, threshold = history.get_array('stage_ends')[0], manganese.inputs.schedule['stages'][0]['QBOUND']
    assert errors[first - 1] < threshold < errors[first - 2]
    assert history.get_array('spin_moment').shape == (results['iterations'], 13)
    assert history.get_array('spin_moment')[-1].sum() == pytest.approx(results['total_spin_moment'], abs=1e-5)
    assert np.isfinite(history.get_array('total_energy')).all()


def test_the_moment_of_the_free_atom_is_the_guess(manganese):
    """Without a wish, the standard start begins with Hund's moment, and needs no field."""
    results = manganese.outputs.results.get_dict()
    assert results['start_is_magnetic']
    assert results['initial_field'] == [0.0, 0]
    assert results['magnetic_state']['reached'] is None
    (start,) = (node for node in manganese.called if node.process_label == 'standard_start_potential')
    assert start.inputs.moments.get_list() == [5.0]


def test_everything_has_its_provenance(manganese):
    """The potential comes from the start potential and the host, by calculations alone."""
    from aiida import orm

    potential = manganese.outputs.converged_potential
    ancestors = orm.QueryBuilder()
    ancestors.append(orm.Node, filters={'id': potential.pk}, tag='potential')
    ancestors.append(orm.CalcFunctionNode, with_descendants='potential', project='attributes.process_label')
    made = [output for output in manganese.base.links.get_outgoing().all_nodes() if isinstance(output, orm.Data)]
    assert made
    assert all(isinstance(output.creator, orm.CalculationNode) for output in made)
    labels = {link.link_label for link in manganese.base.links.get_outgoing().all()}
    assert {'standard_start', 'standard_stage_1', 'standard_stage_2', 'results'} <= labels
    last = manganese.outputs.last_remote_folder.creator
    assert manganese.outputs.retrieved == last.outputs.retrieved
    assert potential.get_content() == last.outputs.retrieved.base.repository.get_object_content('out_potential')


def test_a_moment_down(copper):
    node = copper.run('Mn', magnetic_moments=[-4.0], overrides={'schedule': QUICK})
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['total_spin_moment'] == pytest.approx(-MN_MOMENT, abs=0.3)
    moment = results['spin_moment_per_atom'][0]
    assert results['magnetic_state'] == {'asked': [-4.0], 'obtained': [moment], 'reached': True}


def test_no_moment(copper):
    """Where none is asked for there is no field either, and the solution has two equal spins."""
    from aiida_mlkkr.kkr.potential import read_potential
    from aiida_mlkkr.kkr.start_check import is_magnetic

    few_steps = {**QUICK, 'stages': [{**QUICK['stages'][0], 'QBOUND': 0.3}]}
    node = copper.run('Mn', magnetic_moments=[0], overrides={'schedule': few_steps})
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['initial_field'] == [0.0, 0]
    assert results['magnetic_state']['reached']
    assert not is_magnetic(read_potential(StringIO(node.outputs.converged_potential.get_content())))


def test_a_start_that_does_not_converge_is_dropped(copper):
    """The start of the voronoi code needs its field and some 80 iterations, the standard start some 30."""
    node = copper.run('Mn', startpot=copper.start('Mn'), overrides=_no_more_than(8))
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] == 'standard'
    (dropped,) = results['starts_dropped']
    assert dropped['start'] == 'startpot'
    assert 'KkrimpBaseWorkChain' in dropped['reason']
    assert dropped['iterations'] == 8
    assert results['initial_field'] == [0.0, 0]


def test_when_all_starts_fail_what_was_computed_stays(copper):
    node = copper.run('Mn', startpot=copper.start('Mn'), overrides=_no_more_than(1))
    assert node.exit_status == 420
    assert 'startpot: stage 1' in node.exit_message
    assert 'standard: stage 1' in node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] is None
    assert [entry['iterations'] for entry in results['starts_dropped']] == [1, 1]
    assert results['iterations'] == 1
    assert 'converged_potential' not in node.outputs
    assert node.outputs.scf_history.get_array('rms_charge').shape == (1,)


def _no_more_than(iterations: int) -> dict[str, Any]:
    """A schedule with a limit, which is kept: nothing is done again."""
    return {
        'schedule': {**QUICK, 'stages': [{**QUICK['stages'][0], 'SCFSTEPS': iterations}]},
        'scf': {'max_iterations': 1},
    }
