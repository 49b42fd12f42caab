"""The program aiida-mlkkr-train: files in, files out, and what it does when it is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_clusters import KIND, record

from aiida_mlkkr.common.program import EXIT_OUT_OF_WALLTIME, EXIT_REFUSED
from aiida_mlkkr.ml.dataset import ImpurityDataset, merge
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
from aiida_mlkkr.ml.files import read_checkpoint, read_dataset, read_model, write_checkpoint, write_dataset, write_model
from aiida_mlkkr.ml.train_main import EmulatorOrder, main, read_order

PROGRAM = Path(sysconfig.get_path('scripts'), 'aiida-mlkkr-train')
TASK = {'emulator': {'radial_functions': 4}, 'cross_validation': {'folds': 4}}


def prepare(folder: Path, **order) -> Path:
    """Two datasets of four impurities, and the order to train on them."""
    records = tuple(record({0: float(z)}) for z in (24, 25, 26, 27))
    for name, part in (('a.safetensors', records[:2]), ('b.safetensors', records[1:])):
        write_dataset(folder / name, ImpurityDataset(KIND, part))
    content = {'task': TASK, 'datasets': ['a.safetensors', 'b.safetensors'], **order}
    (folder / 'train.json').write_text(json.dumps(content))
    return folder


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [PROGRAM], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors='strict'
    )


def progress(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / 'progress.jsonl').read_text().splitlines()]


@pytest.fixture(scope='module')
def whole(tmp_path_factory) -> Path:
    """The folder of a training without interruptions."""
    folder = prepare(tmp_path_factory.mktemp('whole'))
    process = start(folder)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (0, '')
    assert stdout.startswith('aiida-mlkkr-train ')
    assert 'cross-validation: 4/4, error_Ry' in stdout
    assert 'done in ' in stdout
    return folder


def test_files_of_a_training(whole: Path):
    report = json.loads((whole / 'report.json').read_text())
    assert report['data']['clusters'] == 4  # the one in both datasets once
    assert report['validation']['clusters'] == 4
    emulator = PotentialEmulator.load(*read_model(whole / 'model.safetensors'))
    assert emulator.elements == ('Cr', 'Mn', 'Fe', 'Co')
    assert not (whole / 'checkpoint.safetensors').exists()
    entries = progress(whole)
    assert 'started' in entries[0]
    assert entries[-1]['finished']
    folds = [entry['done'] for entry in entries if entry.get('stage') == 'cross-validation']
    assert folds == [1, 2, 3, 4]


def stop_at(folder: Path, step: str, number: signal.Signals) -> str:
    """Train until a line of the output begins so, and send a signal then; what was written after it."""
    process = start(folder)
    for line in process.stdout:
        if line.startswith(step):
            process.send_signal(number)
            break
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number, stderr
    assert not (folder / 'model.safetensors').exists()
    return stdout


def go_on(folder: Path) -> str:
    process = start(folder)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert 'going on from checkpoint.safetensors' in stdout
    return stdout


def test_a_signal_leaves_a_checkpoint_and_the_rest_gives_the_same_model(whole: Path, tmp_path: Path):
    folder = prepare(tmp_path)
    assert 'stopped by SIGTERM; run it again' in stop_at(folder, 'fold 2 of 4', signal.SIGTERM)
    _, state = read_checkpoint(folder / 'checkpoint.safetensors')
    behind = len(state['found'])
    assert behind in (1, 2)

    stdout = go_on(folder)
    assert f'cross-validation: {behind + 1}/4' in stdout
    assert 'fold 1 of 4' not in stdout
    assert (folder / 'model.safetensors').read_bytes() == (whole / 'model.safetensors').read_bytes()
    reports = [json.loads((place / 'report.json').read_text()) for place in (folder, whole)]
    assert [report['runs'] for report in reports] == [2, 1]
    assert reports[0]['validation'] == reports[1]['validation']


def test_a_network_goes_on_in_the_middle_of_its_epochs(tmp_path: Path):
    """With the same bytes as without an interruption."""
    options = {'hidden': 4, 'layers': 1, 'folds': 2, 'repeats': 2, 'epochs': 25, 'patience': 25}
    settings = {'model': 'network', 'radial_functions': 4, 'options': options}
    folder = prepare(tmp_path, task={'emulator': settings, 'cross_validation': None})
    dataset = merge(read_dataset(folder / name) for name in read_order(folder).datasets)
    emulator = PotentialEmulator.fit(dataset, EmulatorSettings.model_validate(settings))
    write_model(folder / 'expected', *emulator.export())

    assert 'stopped by SIGINT; run it again' in stop_at(folder, 'model, network', signal.SIGINT)
    arrays, state = read_checkpoint(folder / 'checkpoint.safetensors')
    assert state['stage'] == 'model'
    assert arrays

    assert 'model, network: 1/25' not in go_on(folder)
    assert (folder / 'model.safetensors').read_bytes() == (folder / 'expected').read_bytes()
    epochs = [entry['done'] for entry in progress(folder) if 'stage' in entry]
    assert epochs == list(range(1, 26))


def test_the_walltime_is_respected(tmp_path: Path):
    """It comes to an end by going on, however short a time it gets."""
    folder = prepare(tmp_path, walltime=1e-3)
    begin = time.monotonic()
    process = start(folder)
    stdout, stderr = process.communicate(timeout=60)
    assert time.monotonic() - begin < 30
    assert process.returncode == EXIT_OUT_OF_WALLTIME, stderr
    assert 'out of walltime; run it again to go on' in stdout
    assert progress(folder)[-1]['stopped'] == 'out of walltime'
    assert len(read_checkpoint(folder / 'checkpoint.safetensors')[1]['found']) == 1


def test_it_does_without_aiida(tmp_path: Path):
    folder = prepare(tmp_path, task={**TASK, 'cross_validation': None})
    script = (
        'import sys\n'
        'from aiida_mlkkr.ml.train_main import main\n'
        'try:\n'
        '    main([])\n'
        'except SystemExit as end:\n'
        '    assert end.code == 0, end.code\n'
        'print(sorted(name for name in sys.modules if name.partition(".")[0] in ("aiida", "aiida_kkr", "masci_tools")))'
    )
    done = subprocess.run([sys.executable, '-c', script], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1:] == ['[]'], done.stderr
    assert (folder / 'model.safetensors').is_file()


def refusal(folder: Path, capsys, monkeypatch) -> str:
    """The one line that says why a training is refused."""
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == EXIT_REFUSED
    error = capsys.readouterr().err
    assert error.count('\n') == 1
    assert not list(folder.glob('model*'))
    return error.removeprefix('aiida-mlkkr-train: error: ').strip()


def test_bad_orders(tmp_path: Path, capsys, monkeypatch):
    assert refusal(tmp_path, capsys, monkeypatch).startswith('train.json is missing')
    order = prepare(tmp_path) / 'train.json'
    for content, message in {
        '{': 'train.json is no JSON file',
        '[]': 'train.json is not valid',
        '{"datasets": []}': 'train.json is not valid: datasets',
        '{"datasets": ["../a.safetensors"]}': 'train.json is not valid: datasets.0',
        '{"datasets": ["a.safetensors"], "walltime": 0}': 'train.json is not valid: walltime',
        '{"datasets": ["a.safetensors"], "task": {"emulator": {"model": "oracle"}}}': "no model 'oracle'",
        '{"datasets": ["c.safetensors"]}': 'the dataset file c.safetensors cannot be read: No such file',
        '{"datasets": ["train.json"]}': 'train.json is damaged or foreign',
    }.items():
        order.write_text(content)
        assert message in refusal(tmp_path, capsys, monkeypatch)


def test_bad_datasets(tmp_path: Path, capsys, monkeypatch):
    folder = prepare(tmp_path)
    other = replace(KIND, lmax=3)
    write_dataset(folder / 'b.safetensors', ImpurityDataset(other, (record({0: 28.0}),)))
    assert 'different kinds cannot be mixed: lmax is 2 in one and 3' in refusal(folder, capsys, monkeypatch)
    path = prepare(folder) / 'b.safetensors'
    path.write_bytes(path.read_bytes()[:-5])
    assert 'b.safetensors is damaged' in refusal(folder, capsys, monkeypatch)
    for name in 'ab':
        write_dataset(folder / f'{name}.safetensors', ImpurityDataset(KIND, ()))
    assert 'the dataset is empty' in refusal(folder, capsys, monkeypatch)


def test_bad_checkpoints(tmp_path: Path, capsys, monkeypatch):
    folder = prepare(tmp_path)
    checkpoint = folder / 'checkpoint.safetensors'
    write_checkpoint(checkpoint, {'weights': np.ones(3)}, {'identity': {'task': 'another'}})
    assert 'the checkpoint belongs to a training with another task' in refusal(folder, capsys, monkeypatch)
    checkpoint.write_bytes(b'\x80\x04pickle')
    assert 'a Python pickle; such a file is not opened' in refusal(folder, capsys, monkeypatch)


def test_defaults_are_those_of_the_task():
    order = EmulatorOrder(datasets=('a',))
    assert order.walltime is None
    assert order.task.cross_validation.folds == 5
