"""`aiida-mlkkr train-exchange`, `predict-exchange`, `show model` and `plot temperatures`."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from commands import shown
from exchange_tables import all_pairs, dimer_table
from model_pairs import MAPPING, model_pairs, rows_of, write_table


@pytest.fixture(scope='module')
def command(aiida_profile):
    """A function: the output of a command in the profile of the tests."""
    return shown


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A table, settings of a quick training, and where the model goes."""
    folder = tmp_path_factory.mktemp('surrogates')
    dimer_table(all_pairs()).write_csv(folder / 'pairs.csv')
    (folder / 'settings.yaml').write_text('options: {steps: 5}\n')
    return folder


@pytest.fixture(scope='module')
def trained(command, files):
    """What the training says."""
    return command(
        'train-exchange', files / 'pairs.csv', '--settings', files / 'settings.yaml', '-l', 'mine',
        '-o', files / 'model.safetensors',
    )  # fmt: skip


def test_a_training_makes_a_node_and_a_file(trained, files, command):
    assert 'is trained on 45 pairs (V, Cr, Mn, Fe, Co) in model crystal' in trained
    assert 'Pairs of elements left out of the training' in trained
    pk = re.search(r'Model (\d+) is', trained).group(1)
    shown = command('show', 'model', pk)
    assert f'node {pk} mine' in shown
    assert 'distances 4.00, 5.66, 6.93 Å' in shown
    assert 'gaussian_process, seed 0, steps 5' in shown
    from_file = command('show', 'model', files / 'model.safetensors')
    assert 'a file, checksum right' in from_file
    imported = command('model', 'import', files / 'model.safetensors')
    assert '(gaussian_process, 45 pairs)' in imported


def test_a_prediction(trained, files, command):
    from aiida_mlkkr.exchange.tables import read_csv

    output = command('predict-exchange', files / 'model.safetensors', '-e', 'Mn,Fe', '-o', files / 'predicted.csv')
    table = read_csv(files / 'predicted.csv')
    assert len(table.pairs) == 9
    assert table.origins.predicted.all()
    assert 'Mn-Fe 4.00 4.40 3.40' in output
    assert 'not learnt' not in output
    far = command('predict-exchange', 'mine', '-e', 'Mn,Os', '--vector', '4.0', '0.0', '0.0', '--store')
    assert far.count('not learnt') == 2
    assert 'exchange data' in far


def test_d_is_shown_where_the_model_knows_it(files, command):
    table = dimer_table(all_pairs())
    across = np.array([[0.0, 0.1, 0.0], [-0.1, 0.0, 0.0], [0.0, 0.0, 0.0]])
    replace(table, tensors=table.tensors + across).write_csv(files / 'with_d.csv')
    model = files / 'with_d.safetensors'
    command(
        'train-exchange', files / 'with_d.csv', '-m', 'equivariant_tensor', '--settings', files / 'settings.yaml',
        '-o', model,
    )  # fmt: skip
    output = command('predict-exchange', model, '-e', 'Mn')
    assert 'J (meV) ± 90 % |D| (meV) ± 90 %' in output
    assert re.search(r'Mn-Mn 4\.00 4\.40 4\.40 -?[\d.]+ [\d.]+ 0\.00 [\d.]+ ', output), 'no host, no D'


def test_a_table_of_others_is_cleaned_and_learnt(files, command):
    (files / 'mapping.yaml').write_text(MAPPING)
    pairs = model_pairs()
    rows = rows_of(pairs.subset(np.isin(pairs.z, (24, 25, 26)).all(axis=1)))
    table = write_table(files / 'theirs.csv', [*rows, rows[3]])
    arguments = ('train-exchange', table, '--settings', files / 'settings.yaml', '--mapping')
    output = command(*arguments, files / 'mapping.yaml')
    assert '27 of 28 rows are used' in output
    assert 'exact duplicate of another row' in output
    assert 'is trained on 27 pairs (Cr, Mn, Fe) in model crystal' in output
    assert 'no mapping file and no packaged mapping' in command(*arguments, 'nothing', code=1)
    assert 'the convention has to be known' in command('train-exchange', table, code=1)


def test_mistakes_are_named(trained, files, command):
    assert "no model of exchange 'oracle'" in command('train-exchange', files / 'pairs.csv', '-m', 'oracle', code=1)
    assert 'has no exchange' in command('train-exchange', 'mine', code=2)
    assert "there is no element 'Xx'" in command('predict-exchange', 'mine', '-e', 'Xx', code=2)
    message = 'this is a model for exchange; `aiida-mlkkr predict-exchange` asks it'
    assert message in command('predict', files / 'model.safetensors', 'mine', '-e', 'Mn', code=1)


def test_temperatures_of_pairs_in_copper(command, tmp_path):
    output = command('plot', 'temperatures', '-e', 'Cr,Mn,Fe', '--shells', 5, '-o', tmp_path / 'map.png')
    assert '9 of 9 pairs of dopants in Cu (alat 4.824)' in output
    assert re.search(r'highest: Fe-Fe, \d+', output)
    assert (tmp_path / 'map.png').stat().st_size > 10_000


def test_temperatures_need_the_host(command, files):
    assert '--structure is missing' in command('plot', 'temperatures', files / 'pairs.csv', code=2)
    assert 'no exchange of Os' in command('plot', 'temperatures', '-e', 'Os', code=1)
    assert 'two concentrations above 0' in command('plot', 'temperatures', '-c', 0.9, 0.2, code=1)


def test_errors_of_predictions_are_on_the_map(trained, files, command, tmp_path):
    from aiida import orm

    command('predict-exchange', files / 'model.safetensors', '-e', 'Mn,Fe', '-o', tmp_path / 'predicted.csv')
    structure = orm.StructureData(cell=[[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]])
    structure.append_atom(position=(0.0, 0.0, 0.0), symbols='Cu')
    structure.store()
    output = command('plot', 'temperatures', tmp_path / 'predicted.csv', '-s', structure.pk, '-o', tmp_path / 'map.png')
    assert re.search(r'highest: \w+-\w+, [\d.]+ ± [\d.]+ K', output)
