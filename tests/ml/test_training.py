"""Trainings: what a cross-validation says, what a report holds, and that they can be stopped and gone on with."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from model_clusters import KIND, host, record, row
from pydantic import ValidationError

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import EmulatorSettings
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.monitor import Monitor, TrainingInterrupted
from aiida_mlkkr.ml.radial import volume_weights
from aiida_mlkkr.ml.training import TrainingTask, data_hash, train
from aiida_mlkkr.ml.validation import CrossValidation, assess, validation_folds

IMPURITIES = (24, 25, 26, 27)
TASK = TrainingTask(emulator=EmulatorSettings(radial_functions=4), cross_validation=CrossValidation(folds=2))


class Recorder(Monitor):
    """Keeps what it is told; stops when it has heard so many steps."""

    def __init__(self, stop_after: int = 10**9, checkpoint=None) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.checkpoint = checkpoint
        self._stop_after = stop_after

    def progress(self, stage, done, total, losses):
        self.steps.append((stage, done, total))

    def should_stop(self):
        return len(self.steps) >= self._stop_after

    def save(self, arrays, state):
        self.checkpoint = (arrays, json.loads(json.dumps(state)))

    def restore(self):
        return self.checkpoint


@pytest.fixture(scope='module')
def dataset() -> ImpurityDataset:
    return ImpurityDataset(KIND, tuple(record({0: float(z)}) for z in IMPURITIES))


@pytest.fixture(scope='module')
def whole(dataset):
    """A training without interruptions: emulator, report and what its monitor has heard."""
    recorder = Recorder()
    return (*train(dataset, TASK, recorder), recorder)


def test_the_report_says_what_was_done(dataset, whole):
    _, report, _ = whole
    assert report['task'] == TASK.model_dump(mode='json')
    assert report['data']['sha256'] == data_hash(dataset)
    assert report['data']['elements'] == ['Cr', 'Mn', 'Fe', 'Co']
    assert report['versions']['numpy'] == np.__version__
    assert report['runs'] == 1
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_errors_of_the_validation_are_those_of_left_out_clusters(dataset, whole):
    """Once more by hand: the emulator of the other folds, its potential against the true one."""
    _, report, _ = whole
    errors, starts = [], []
    for fold in validation_folds(dataset.impurities, TASK.cross_validation, TASK.emulator.seed):
        known = ImpurityDataset(KIND, tuple(dataset.impurities[place] for place in fold.train))
        emulator, _ = train(known, TrainingTask(emulator=TASK.emulator, cross_validation=None))
        for one in (dataset.impurities[place] for place in fold.test):
            weights = volume_weights(one.host.meshes[0])
            v = emulator.predict(KIND, one.host, one.positions, one.layer, one.z, one.reference).v
            errors.append(np.sqrt(np.mean((v[0] - one.v[0]) ** 2, axis=0) @ weights))
            starts.append(np.sqrt(np.mean((one.reference[0] - one.v[0]) ** 2, axis=0) @ weights))
    validation = report['validation']
    assert validation['clusters'] == len(IMPURITIES)
    assert validation['refused'] == {}
    assert validation['error_Ry'] == pytest.approx(np.mean(errors), rel=1e-9)
    assert validation['reference_error_Ry'] == pytest.approx(np.mean(starts), rel=1e-9)
    assert validation['error_Ry'] < 0.5 * validation['reference_error_Ry']


def test_a_stopped_training_goes_on_to_the_same_model(dataset, whole):
    """Same data, task and seed: the same bytes, interrupted or not."""
    emulator, report, undisturbed = whole
    first = Recorder(stop_after=1)
    with pytest.raises(TrainingInterrupted):
        train(dataset, TASK, first)
    second = Recorder(checkpoint=first.checkpoint)
    resumed, its_report = train(dataset, TASK, second)
    assert first.steps + second.steps == undisturbed.steps
    assert its_report['validation'] == report['validation']
    assert its_report['runs'] == 2
    assert its_report['seconds'] > 0.0
    (arrays, spec), (again, its_spec) = emulator.export(), resumed.export()
    assert its_spec == spec
    assert arrays.keys() == again.keys()
    assert all(arrays[name].tobytes() == again[name].tobytes() for name in arrays)


def test_checkpoints_of_other_trainings_are_refused(dataset):
    recorder = Recorder(stop_after=1)
    with pytest.raises(TrainingInterrupted):
        train(dataset, TASK, recorder)
    other = TASK.model_copy(update={'cross_validation': CrossValidation(folds=3)})
    with pytest.raises(ModelError, match='belongs to a training with another task'):
        train(dataset, other, Recorder(checkpoint=recorder.checkpoint))
    fewer = ImpurityDataset(KIND, dataset.impurities[:-1])
    with pytest.raises(ModelError, match='belongs to a training with another data'):
        train(fewer, TASK, Recorder(checkpoint=recorder.checkpoint))


def test_what_is_left_out_together(dataset):
    """Runs of one impurity, whatever their source; a host; elements of pairs."""
    again = record({0: 25.0}, signs={0: -1}, source='another run')
    silver = host(47.0, alat=7.7)
    records = (*dataset.impurities, again, record({0: 25.0, 1: 26.0}), record({0: 25.0}, silver))
    for split, labels in {
        'impurity': [one.group for one in records],
        'host': [one.host.name for one in records],
    }.items():
        for fold in validation_folds(records, CrossValidation(group_by=split), 0):
            assert not {labels[place] for place in fold.train} & {labels[place] for place in fold.test}
    by_element = validation_folds(records, CrossValidation(group_by='element', folds=5), 0)
    manganese = [fold for fold in by_element if 1 in fold.test]
    assert len(by_element) == 4
    assert all({1, 4, 5, 6} <= set(fold.test.tolist()) for fold in manganese)


def test_potentials_on_their_way_are_no_truth(dataset):
    """They are left out with their impurity, and never tested with."""
    on_its_way = replace(record({0: 25.0}, source='on its way'), error=1e-2)
    records = (*dataset.impurities, on_its_way)
    folds = validation_folds(records, CrossValidation(folds=4), 0)
    assert sorted(place for fold in folds for place in fold.test) == [0, 1, 2, 3]
    assert [4 in fold.train for fold in folds] == [1 not in fold.test for fold in folds]
    with pytest.raises(DatasetError, match='only 1 of a kind'):
        validation_folds((on_its_way, dataset.impurities[0]), CrossValidation(), 0)


def test_a_cross_validation_needs_two_of_a_kind(dataset):
    with pytest.raises(DatasetError, match=r'has to leave something out, there is only 1 of a kind \(host\)'):
        train(dataset, TrainingTask(cross_validation=CrossValidation(group_by='host')))
    single = ImpurityDataset(KIND, dataset.impurities[:1])
    with pytest.raises(DatasetError, match='there is only 1 of a kind'):
        train(single, TrainingTask())


def test_refusing_is_not_rewarded(dataset, whole):
    """A cluster out of reach has the error of its reference, and the refusal is told."""
    far = record({0: 57.0})
    one = assess(whole[0], KIND, far)
    assert 'out of the range of the model' in one.refusal
    assert one.error == pytest.approx(one.reference)
    assert one.around == pytest.approx(one.reference_around)


def test_a_moment_where_there_is_none_is_an_error(whole):
    """That there is none is not told; which way one points is."""
    manganese, down = record({0: 25.0}), record({0: 25.0}, signs={0: -1})
    unsplit = replace(manganese, v=tuple(np.stack([v.mean(axis=0)] * 2) for v in manganese.v), moments=np.zeros(13))
    right, turned, wrong = (assess(whole[0], KIND, one) for one in (manganese, down, unsplit))
    assert turned.splitting == pytest.approx(right.splitting)
    assert right.splitting < 0.1 * wrong.splitting
    assert wrong.moment > 2.0


def test_only_the_validation(dataset):
    emulator, report = train(dataset, TASK.model_copy(update={'final': False}))
    assert emulator is None
    assert report['left_out'] is None
    assert report['validation']['clusters'] == len(IMPURITIES)


@pytest.mark.parametrize(
    'values',
    [
        {'cross_validation': None, 'final': False},
        {'cross_validation': {'folds': 1}},
        {'cross_validation': {'group_by': 'colour'}},
        {'emulator': {'model': 'oracle'}},
        {'emulator': {'options': {'no_such': 1}}},
        {'epochs': 3},
    ],
)
def test_tasks_that_are_none(values):
    with pytest.raises(ValidationError):
        TrainingTask.model_validate(values)


def test_nothing_to_learn_from():
    with pytest.raises(DatasetError, match='the dataset is empty'):
        train(ImpurityDataset(KIND, ()), TrainingTask(cross_validation=None))


def test_the_seed_deals_the_folds():
    records = row().impurities
    by_seed = [
        [fold.test.tolist() for fold in validation_folds(records, CrossValidation(), seed)] for seed in (0, 0, 1)
    ]
    assert by_seed[0] == by_seed[1] != by_seed[2]
