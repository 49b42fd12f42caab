"""The host of an impurity self-consistency: written out once for all, and the start of the voronoi code.

mlkkr-kkrhost writes out the host. JuKKR's codes are not here: the recorded calculation of its voronoi code stands in
for it, taken from the archive by AiiDA's caching. What was not recorded cannot run, and would fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .conftest import QUICK, Copper

COPPER = 29.0  # converged from the start
OPTIONS = {'resources': {'num_machines': 1}, 'withmpi': False, 'max_wallclock_seconds': 3600, 'queue_name': ''}
OVERRIDES = {'schedule': QUICK, 'host_options': OPTIONS}
QUICKER = {'<SET_KMESH_LARGE>': False, 'NPT2': 18}  # and unlike what other tests write out
"""A write-out that takes seconds."""


@contextmanager
def recorded(*processes: Any) -> Iterator[None]:
    """Take the results of these calculations where they would be done again."""
    from aiida.manage.caching import enable_caching

    for node in processes:
        node.base.caching.rehash()  # the archive comes from another version of AiiDA
    with enable_caching(identifier=processes[0].process_type):
        yield


def writeouts() -> list[Any]:
    from aiida import orm
    from aiida_kkr.workflows import kkr_flex_wc

    from aiida_mlkkr.workflows.host_writeout import HostWriteoutWorkChain

    return orm.QueryBuilder().append((kkr_flex_wc, HostWriteoutWorkChain)).all(flat=True)


def in_the_cluster(copper: Copper, z: float) -> dict[str, Any]:
    return {**copper.writeout.inputs.impurity_info.get_dict(), 'Zimp': [z]}


def test_a_finished_writeout_is_used_again(copper):
    before = len(writeouts())
    node = copper.run(
        in_the_cluster(copper, COPPER), host=copper.host, kkr=copper.kkr, magnetic_moments=[0], overrides=OVERRIDES
    )
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.host_greenfunction == copper.greenfunction
    assert len(writeouts()) == before


@pytest.fixture(scope='module')
def shared(copper):
    """Two impurities in one host, submitted together, and the write-out that there was not before."""
    from aiida.engine import run_get_node
    from aiida.manage import get_manager

    before = set(writeouts())
    first, second = (
        copper.builder(
            in_the_cluster(copper, z),
            host=copper.host,
            kkr=copper.kkrhost,
            magnetic_moments=[0],
            overrides=OVERRIDES,
            params_kkr_overwrite=QUICKER,
        )
        for z in (25.0, COPPER)
    )
    one = get_manager().get_runner().submit(first)
    other = run_get_node(second).node
    return one, other, set(writeouts()) - before


def test_two_impurities_share_a_writeout_that_is_under_way(copper, shared):
    """Written out by the first one that comes, without JuKKR."""
    one, other, (writeout,) = shared
    assert other.is_finished_ok, other.exit_message
    assert writeout.is_finished_ok
    assert writeout.caller == one
    assert writeout.process_label == 'HostWriteoutWorkChain'
    assert other.outputs.host_greenfunction == writeout.outputs.host_greenfunction
    calculation = other.outputs.host_greenfunction.creator
    assert calculation.inputs.code == copper.kkrhost
    assert calculation.inputs.parent_folder == copper.host
    assert calculation.get_option('max_wallclock_seconds') == OPTIONS['max_wallclock_seconds']


@pytest.mark.parametrize(
    ('changed', 'found'),
    [
        ({}, True),
        ({'contour': {'NPOL': 7}}, False),
        ({'impurity_info': {'Rcut': 4.0}}, False),
        ({'impurity_info': {'Zimp': [30.0]}}, True),
        ({'retrieve': False}, True),
    ],
)
def test_which_writeouts_can_be_shared(copper, changed, found):
    from aiida import orm

    from aiida_mlkkr.workflows.imp_scf.writeout import WantedWriteout

    wanted = WantedWriteout(
        kkr=copper.kkr,
        host=copper.host,
        impurity_info=orm.Dict(in_the_cluster(copper, 25.0) | changed.get('impurity_info', {})),
        options=orm.Dict(OPTIONS),
        contour=orm.Dict(changed['contour']) if 'contour' in changed else None,
        retrieve=changed.get('retrieve', True),
        computer=copper.code.computer,
    )
    archived = copper.writeout.caller
    assert wanted.find() == (archived if found else None)


@pytest.mark.parametrize(('contour', 'found'), [(QUICKER, True), (QUICKER | {'NPOL': 7}, False)])
def test_our_own_writeouts_are_shared(copper, shared, contour, found):
    from aiida import orm

    from aiida_mlkkr.workflows.imp_scf.writeout import WantedWriteout

    info, options = orm.Dict(in_the_cluster(copper, 30.0)), orm.Dict(OPTIONS)
    wanted = WantedWriteout(copper.kkrhost, copper.host, info, options, orm.Dict(contour), True, copper.code.computer)
    assert wanted.find() == (next(iter(shared[2])) if found else None)


def test_a_writeout_that_fails_ends_the_chain(copper):
    """KKRhost is not here, and this one was not recorded."""
    node = copper.run(
        in_the_cluster(copper, COPPER),
        host=copper.host,
        kkr=copper.kkr,
        params_kkr_overwrite={'NPOL': 9},
        overrides=OVERRIDES,
    )
    assert node.exit_status == 410
    assert 'HostWriteoutWorkChain' in node.exit_message


def test_only_one_at_a_time_looks_for_a_writeout(copper):
    """So that two daemon workers do not both find none."""
    import fcntl
    from pathlib import Path

    from aiida.manage.configuration import get_config

    from aiida_mlkkr.workflows.imp_scf.writeout import one_at_a_time

    lock = Path(get_config().dirpath) / 'mlkkr-writeout.lock'
    with one_at_a_time(), lock.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_green_function_that_stays_on_another_computer_is_refused(copper):
    inputs = {'host': copper.host, 'kkr': copper.kkr, 'overrides': {'retrieve_kkrflex': False}}
    with pytest.raises(ValueError, match='retrieve_kkrflex: the Green function would stay on'):
        copper.builder(in_the_cluster(copper, 25.0), **inputs)


def test_start_of_the_voronoi_code(copper):
    """The same potential as that of aiida-kkr's kkr_imp_wc, and the same first iterations, in the initial field."""
    voronoi = [copper.calculation(element, 'VoronoiCalculation') for element in ('Mn', 'Al')]
    first_steps = {**QUICK, 'stages': [{**QUICK['stages'][0], 'QBOUND': 0.1}]}
    overrides = {**OVERRIDES, 'starts': ['voronoi'], 'schedule': first_steps}
    with recorded(*voronoi):
        node = copper.run('Mn', voronoi=copper.voronoi, overrides=overrides)
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] == 'voronoi'
    assert not results['start_is_magnetic']
    assert results['initial_field'] == [0.02, 10]
    first = _first_calculation(node)
    assert first.inputs.impurity_potential.get_content() == copper.start('Mn').get_content()
    # as JuKKR's release builds do, which the embedded solver has to be told
    assert first.inputs.parameters['TESTFLAG'] == ['accumulate_hfield']
    jukkr = copper.calculation('Mn', 'KkrimpCalculation').outputs.output_parameters['convergence_group']
    ours = node.outputs.scf_history.get_array('rms_charge')
    assert len(ours) > 10
    assert ours == pytest.approx(jukkr['rms_all_iterations'][: len(ours)], rel=1e-3)


def test_a_voronoi_code_that_fails_costs_its_start_only(copper):
    """It is not here, and this time nothing is taken from what was recorded."""
    node = copper.run(
        'Cu',
        voronoi=copper.voronoi,
        magnetic_moments=[0],
        overrides={**OVERRIDES, 'starts': ['voronoi', 'standard']},
    )
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] == 'standard'
    (dropped,) = results['starts_dropped']
    assert dropped['start'] == 'voronoi'
    assert 'kkr_startpot_wc' in dropped['reason']


def _first_calculation(node: Any) -> Any:
    calculations = [child for child in node.called_descendants if child.process_label == 'KkrimpCalculation']
    return min(calculations, key=lambda child: child.ctime)
