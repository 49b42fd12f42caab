"""The search for a model, with real trainings on this machine, and its builder."""

from __future__ import annotations

import pytest
from model_clusters import KIND, record

from aiida_mlkkr.ml.dataset import ImpurityDataset

CANDIDATES = {
    'candidates': {'model': 'standard_start', 'radial_functions': 4},
    'nearest': {'model': 'nearest_in_table', 'radial_functions': 4},
    'kernel': {'model': 'kernel', 'radial_functions': 4},
}
"""Of pairs of impurities one learns nothing, whatever its label, one cannot learn, one can."""


@pytest.fixture(scope='module')
def pairs(aiida_profile):
    """Pairs of impurities."""
    from aiida_mlkkr.data.dataset import ImpurityDatasetData

    records = tuple(record({0: float(z), 1: float(z + 1)}) for z in (23, 24, 25, 26))
    return ImpurityDatasetData.from_dataset(ImpurityDataset(KIND, records), {}).store()


@pytest.fixture
def build(train_code, pairs):
    """A function: a builder of a search whose trainings have time for one step each."""
    from aiida.plugins import WorkflowFactory

    def builder(candidates, **overrides):
        return WorkflowFactory('mlkkr.train').get_builder_from_protocol(
            train_code,
            pairs,
            candidates=candidates,
            protocol='fast',
            overrides={'cross_validation': {'folds': 2}, **overrides},
            options={'max_wallclock_seconds': 1},
        )

    return builder


def test_the_best_candidate_is_trained_on_all_data(build):
    from aiida.engine import run_get_node

    outputs, node = run_get_node(build(CANDIDATES, max_parallel=2))
    assert node.is_finished_ok, node.exit_message

    table = outputs['candidates'].get_dict()
    rows = {row['candidate']: row for row in table['table']}
    assert table['best'] == 'kernel'
    assert list(rows) == ['kernel', 'candidates', 'nearest']
    assert rows['kernel']['error_Ry'] < rows['candidates']['error_Ry']
    assert rows['candidates']['error_Ry'] == pytest.approx(rows['candidates']['reference_error_Ry'])
    assert 'there is no single impurity among them' in rows['nearest']['failure']
    assert rows['kernel']['settings'] == CANDIDATES['kernel']

    model = outputs['model']
    assert (model.spec.model, model.spec.number) == ('kernel', 4)
    assert model.creator.process_label == 'TrainCalculation'
    assert outputs['report'].creator == model.creator
    assert outputs['report']['validation'] is None
    assert outputs['candidates'].creator.process_label == 'best_candidate'

    links = {
        link.link_label: link.node for link in node.base.links.get_outgoing().all() if 'CALL' in link.link_type.name
    }
    assert links.keys() == {
        'candidate_candidates',
        'candidate_nearest',
        'candidate_kernel',
        'best_candidate',
        'final',
    }
    # the time was over after the first fold, and the checkpoint was gone on with
    kernel = links['candidate_kernel'].called
    assert sorted(calculation.exit_status for calculation in kernel) == [0, 400]
    assert links['candidate_kernel'].outputs.report['runs'] == 2
    (refused,) = links['candidate_nearest'].called
    assert (refused.exit_status, links['candidate_nearest'].exit_status) == (220, 410)


def test_no_candidate_is_trained_in_time(build):
    from aiida.engine import run_get_node

    builder = build({'kernel': CANDIDATES['kernel']}, base={'max_iterations': 1})
    _, node = run_get_node(builder)
    assert node.exit_status == 420
    assert 'not done in max_iterations calculations' in node.exit_message


def test_a_training_that_crashes_is_done_once_more(aiida_localhost, aiida_code_installed, pairs):
    """Its failure is not taken from the cache."""
    from aiida.engine import run_get_node
    from aiida.manage.caching import enable_caching
    from aiida.plugins import WorkflowFactory

    code = aiida_code_installed(
        label='crashing',
        default_calc_job_plugin='mlkkr.train',
        computer=aiida_localhost,
        filepath_executable='/bin/false',
        with_mpi=False,
    )
    builder = WorkflowFactory('mlkkr.train.base').get_builder()
    builder.train = {'code': code, 'datasets': {'pairs': pairs}}
    with enable_caching():
        _, node = run_get_node(builder)
    assert (node.exit_status, [calculation.exit_status for calculation in node.called]) == (402, [310, 310])
    assert 'see the last calculation' in node.exit_message
    assert not any(calculation.base.caching.is_created_from_cache for calculation in node.called)


def test_the_protocols(build, train_code, pairs):
    from aiida.plugins import WorkflowFactory

    search = WorkflowFactory('mlkkr.train')
    numbers = {}
    for protocol in ('fast', 'balanced', 'precise'):
        builder = search.get_builder_from_protocol(train_code, [pairs], protocol=protocol)
        numbers[protocol] = (len(builder.candidates.get_dict()), builder.cross_validation['folds'])
    assert numbers == {'fast': (1, 3), 'balanced': (3, 5), 'precise': (4, 10)}
    with pytest.raises(ValueError, match='there is no protocol quick'):
        search.get_builder_from_protocol(train_code, pairs, protocol='quick')


def test_all_combinations_of_hyperparameters(build):
    from aiida_mlkkr.workflows.train import grid

    linear = grid('jacobi_legendre', seed=3, radial_functions=[8], pair_functions=[2, 3], centre_functions=[4, 8])
    assert list(linear) == [f'jacobi_legendre_{number}' for number in range(4)]
    options = {'pair_functions': 3, 'centre_functions': 4}
    expected = {'model': 'jacobi_legendre', 'seed': 3, 'radial_functions': 8, 'options': options}
    assert linear['jacobi_legendre_2'] == expected
    candidates = linear | grid('kernel')
    assert build(candidates).candidates.get_dict() == candidates
    with pytest.raises(ValueError, match=r'candidate kernel_0: .*hidden'):
        build(grid('kernel', hidden=[4]))


@pytest.mark.parametrize(
    ('candidates', 'overrides', 'message'),
    [
        ({}, {}, 'there are no candidates'),
        ({'two words': {}}, {}, "'two words' is no label"),
        ({'a__b': {}}, {}, "'a__b' is no label"),
        ({'oracle': {'model': 'oracle'}}, {}, "candidate oracle: .*there is no model 'oracle'"),
        ({'kernel': {'radial_functions': 2}}, {}, 'candidate kernel: radial_functions'),
        (CANDIDATES, {'cross_validation': {'group_by': 'colour'}}, 'group_by'),
        (CANDIDATES, {'max_parallel': 0}, '0 is not positive'),
    ],
)
def test_bad_inputs_are_refused_when_the_builder_is_filled(build, candidates, overrides, message):
    with pytest.raises(ValueError, match=message):
        build(candidates, **overrides)


def test_a_group_of_finished_impurities(train_code):
    """Datasets are made of it once."""
    from aiida import orm

    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive
    from aiida_mlkkr.query import QueryError
    from aiida_mlkkr.workflows.train import SurrogateTrainWorkChain

    with packaged_archive() as path:
        workchains, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Mn', 'Zn')))
    group = orm.Group(label='finished').store()
    with pytest.raises(QueryError, match='no finished impurity'):
        SurrogateTrainWorkChain.get_builder_from_protocol(train_code, group)
    group.add_nodes(workchains)
    builders = [SurrogateTrainWorkChain.get_builder_from_protocol(train_code, group) for _ in range(2)]
    shards = [builder.datasets['shard_0000'] for builder in builders]
    assert shards[0].spec.elements == ['Mn', 'Zn']
    assert shards[0].uuid == shards[1].uuid
