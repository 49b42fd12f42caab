"""Trainings as calculations: real ones on this machine, and how each kind of ending is told."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from model_clusters import KIND, record

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
    from aiida.plugins import CalculationFactory

    def build(settings=None, **inputs):
        filled = CalculationFactory('mlkkr.train').get_builder()
        filled.code = train_code
        filled.datasets = inputs.pop('datasets', datasets)
        filled.settings = {**SETTINGS, **(settings or {})}
        for name, value in inputs.items():
            filled[name] = value
        return filled

    return build


def run(builder):
    from aiida.engine import run_get_node

    return run_get_node(builder)[1]


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


def test_a_checkpoint_of_another_computer(builder, aiida_computer):
    from aiida import orm

    elsewhere = orm.RemoteData(remote_path='/elsewhere', computer=aiida_computer(label='elsewhere')).store()
    with pytest.raises(ValueError, match='parent_folder is on elsewhere, the code on mlkkr-tests'):
        run(builder(parent_folder=elsewhere))


@pytest.mark.parametrize(('limit', 'seconds'), [(1, 0.5), (100, 50.0), (1000, 940.0), (86400, 82080.0)])
def test_the_margin_before_the_end(limit, seconds):
    from aiida_mlkkr.calculations.program import program_walltime

    assert program_walltime(limit) == pytest.approx(seconds)


@pytest.fixture
def parse(aiida_localhost):
    """A function: the parser's exit code and outputs for retrieved files of a calculation that was not run."""
    from aiida import orm
    from aiida.common.links import LinkType
    from aiida.plugins import ParserFactory

    def of_files(scheduler_status=None, **files):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:mlkkr.train')
        node.set_options(
            {
                'resources': {'num_machines': 1},
                'output_filename': 'train.out',
                'scheduler_stderr': '_scheduler-stderr.txt',
            }
        )
        if scheduler_status is not None:
            node.set_exit_status(scheduler_status)
        node.store()
        folder = orm.FolderData()
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            folder.base.repository.put_object_from_filelike(io.BytesIO(data), NAMES[name])
        folder.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label='retrieved')
        folder.store()
        parser = ParserFactory('mlkkr.train')(node)
        return parser.parse(), parser.outputs

    return of_files


NAMES = {
    'out': 'train.out',
    'err': '_scheduler-stderr.txt',
    'progress': 'progress.jsonl',
    'report': 'report.json',
    'model': 'model.safetensors',
}
STEP = json.dumps({'time': 1.0, 'stage': 'fold 1 of 2', 'done': 1, 'total': 9, 'losses': {'train': 0.5}}) + '\n'
SAVED = '{"time": 1.0, "checkpoint": true}\n'
STOPPED = '{"time": 2.0, "stopped": "out of walltime", "further": true}\n'
IN_VAIN = '{"time": 2.0, "stopped": "out of walltime", "further": false}\n'


@pytest.mark.parametrize(
    ('files', 'status', 'words'),
    [
        ({}, 310, 'it did not say why'),
        ({'err': 'line 1\nSegmentation fault\n'}, 310, 'Segmentation fault'),
        ({'err': 'aiida-mlkkr-train: error: train.json is missing\n'}, 220, 'train.json is missing'),
        ({'err': 'aiida-mlkkr-train: aborted: model: No space left on device\n'}, 411, 'No space left'),
        ({'out': 'begun', 'progress': STEP}, 310, 'it did not say why'),
        ({'out': 'begun', 'progress': STEP + SAVED}, 410, r'interrupted \(without a word\)'),
        ({'out': 'begun', 'progress': SAVED + STOPPED}, 400, 'parent_folder'),
        ({'out': 'begun', 'progress': SAVED + STOPPED + IN_VAIN}, 401, 'not one step .* raise'),
        ({'out': 'begun', 'progress': SAVED + STOPPED + STEP[:20]}, 400, 'parent_folder'),
        ({'out': 'begun', 'progress': SAVED + '{"stopped": "stopped by SIGTERM"}'}, 410, 'stopped by SIGTERM'),
        # the record is that of the calculation before, this one did not begin
        ({'err': 'python: not found', 'progress': SAVED + STOPPED}, 310, 'python: not found'),
        ({'report': '{"task": {"final": true}}'}, 311, 'model.safetensors is missing'),
        ({'report': '{"task": {"final": true}}', 'model': b'\x80\x04'}, 311, 'a Python pickle'),
        ({'report': '{"task": {"final"'}, 311, 'cannot be read'),
        ({'report': '{}'}, 311, 'KeyError'),
        ({'scheduler_status': 120, 'out': 'begun', 'progress': SAVED}, 410, 'interrupted'),
    ],
)
def test_endings(parse, files, status, words):
    code, outputs = parse(**files)
    assert code.status == status
    assert re.search(words, code.message)
    assert 'report' not in outputs
    assert 'model' not in outputs


@pytest.mark.parametrize(('status', 'progress'), [(110, STEP + SAVED), (120, STEP), (140, '')])
def test_the_word_of_the_scheduler_is_kept(parse, status, progress):
    code, _ = parse(scheduler_status=status, out='begun', progress=progress)
    assert code is None


def test_numbers_that_are_not_finite(parse, tmp_path):
    """They do not keep the rest of the report from the database."""
    code, outputs = parse(report='{"task": {"final": false}, "losses": {"model": {"train": NaN}}}', progress=STEP)
    assert code is None
    assert outputs['report']['losses'] == {'model': {'train': None}}
    assert outputs['history'].get_array('train').tolist() == [0.5]
