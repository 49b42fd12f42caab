"""Trainings as calculations: real ones on this machine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from model_clusters import KIND, record
from processes import calculation, run

from aiida_mlkkr.ml.dataset import ImpurityDataset

SETTINGS = {'emulator': {'radial_functions': 4, 'seed': 3}, 'cross_validation': {'folds': 2}}


@pytest.fixture(scope='module')
def datasets(aiida_profile):
    """Two datasets of impurities, and an empty one."""
    from aiida_mlkkr.data.dataset import ImpurityDatasetData

    records = [record({0: float(z)}) for z in (24, 25, 26, 27)]
    parts = {'light': ImpurityDataset(KIND, tuple(records[:2])), 'heavy': ImpurityDataset(KIND, tuple(records[2:]))}
    return {
        name: ImpurityDatasetData.from_dataset(part, {}).store() for name, part in {**parts, 'nothing': None}.items()
    }


@pytest.fixture
def builder(train_code, datasets):
    """A function: a builder with settings that differ from the usual ones."""

    def build(settings=None, **inputs):
        usual = {'code': train_code, 'datasets': datasets, 'settings': {**SETTINGS, **(settings or {})}}
        return calculation('mlkkr.train', **{**usual, **inputs})

    return build


def test_a_training_and_the_same_one_interrupted(builder, tmp_path):
    """Same data, settings and seed: the same bytes, also when the time was over after the first of two folds."""
    from aiida_mlkkr.ml.emulator import PotentialEmulator

    whole = run(builder())
    assert whole.is_finished_ok, whole.exit_message
    model, report, history = whole.outputs.model, whole.outputs.report.get_dict(), whole.outputs.history
    assert (model.spec.seed, model.spec.number, model.spec.elements) == (3, 4, ['Cr', 'Mn', 'Fe', 'Co'])
    assert PotentialEmulator.load(model.arrays, model.spec).settings.radial_functions == 4
    assert report['validation']['clusters'] == 4
    assert report['task']['emulator'] == SETTINGS['emulator'] | {'model': 'kernel', 'options': {}}
    assert history.base.attributes.get('stages') == ['cross-validation']
    np.testing.assert_allclose(history.get_array('error_Ry'), report['validation']['error_of_folds_Ry'])
    names = whole.base.repository.list_object_names()
    assert 'train.json' in names
    assert not [name for name in names if name.endswith('.safetensors')]  # the data are in their nodes

    short = builder()
    short.metadata.options.max_wallclock_seconds = 1
    first = run(short)
    assert first.exit_status == 400, first.exit_message
    assert 'give remote_folder as parent_folder' in first.exit_message
    assert 'report' not in first.outputs
    assert len(first.outputs.history.get_array('error_Ry')) == 1

    rest = run(builder(parent_folder=first.outputs.remote_folder))
    assert rest.is_finished_ok, rest.exit_message
    assert rest.outputs.report['runs'] == 2
    assert rest.outputs.report['validation'] == report['validation']
    assert len(rest.outputs.history.get_array('error_Ry')) == 2  # that of the first run is in it
    for node in (whole, rest):
        node.outputs.model.to_file(tmp_path / str(node.pk))
    assert (tmp_path / str(whole.pk)).read_bytes() == (tmp_path / str(rest.pk)).read_bytes()

    other = run(builder({'cross_validation': {'folds': 3}}, parent_folder=first.outputs.remote_folder))
    assert other.exit_status == 220
    assert 'the checkpoint belongs to a training with another task' in other.exit_message


def test_bad_inputs_are_refused_when_the_builder_is_filled(builder, datasets):
    from aiida_mlkkr.data.dataset import ImpurityDatasetData

    other = ImpurityDataset(replace(KIND, lmax=3), (record({0: 28.0}),))
    wide = ImpurityDatasetData.from_dataset(other, {}).store()
    for inputs, message in (
        ({'settings': {'epochs': 3}}, 'epochs: Extra inputs are not permitted'),
        ({'settings': {'emulator': {'options': {'no_such': 1}}}}, 'no_such'),
        ({'datasets': {'nothing': datasets['nothing']}}, 'no finished impurity in the datasets'),
        ({'datasets': {'light': datasets['light'], 'wide': wide}}, 'lmax is 2 in light and 3 in wide'),
    ):
        with pytest.raises(ValueError, match=message):
            builder(**inputs)


def test_a_model_of_spheres_below(builder, datasets):
    """The program has it, and these data are no full potentials."""
    from aiida import orm

    from aiida_mlkkr.calculations.training import train_potential_emulator

    spheres = train_potential_emulator(settings=orm.Dict(SETTINGS['emulator']), light=datasets['light'])['model']
    node = run(builder(spheres=spheres))
    assert node.exit_status == 220
    assert 'helps to learn full potentials, these are of spheres' in node.exit_message


def test_a_checkpoint_of_another_computer(builder, aiida_computer):
    from aiida import orm

    elsewhere = orm.RemoteData(remote_path='/elsewhere', computer=aiida_computer(label='elsewhere')).store()
    with pytest.raises(ValueError, match='parent_folder is on elsewhere, the code on mlkkr-tests'):
        run(builder(parent_folder=elsewhere))


@pytest.mark.parametrize(('limit', 'seconds'), [(1, 0.5), (100, 50.0), (1000, 940.0), (86400, 82080.0)])
def test_the_margin_before_the_end(limit, seconds):
    from aiida_mlkkr.calculations.program import program_walltime

    assert program_walltime(limit) == pytest.approx(seconds)
