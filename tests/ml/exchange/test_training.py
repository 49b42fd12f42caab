"""Trainings of surrogates of exchange by ``aiida-mlkkr-train``: files in, files out, stopped and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from exchange_tables import HOST, all_pairs, dimer_table

from aiida_mlkkr.exchange.pairs import pairs_of_tables
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.exchange.in_host import HostSurrogate
from aiida_mlkkr.ml.exchange.training import ExchangeTask, train_exchange
from aiida_mlkkr.ml.files import read_model
from aiida_mlkkr.ml.monitor import Monitor, TrainingInterrupted
from aiida_mlkkr.ml.train_main import main

SETTINGS = {'seed': 1, 'options': {'steps': 2}}
TASK = {'exchange': SETTINGS, 'cross_validation': {'folds': 3}}


def prepare(folder: Path, **order: object) -> Path:
    """Two tables, and the order to train on them."""
    folder.mkdir(exist_ok=True)
    pairs = all_pairs()
    for name, part in (('a.csv', pairs[:6]), ('b.csv', pairs[6:])):
        dimer_table(part).write_csv(folder / name)
    (folder / 'train.json').write_text(json.dumps({'task': TASK, 'datasets': ['a.csv', 'b.csv'], **order}))
    return folder


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as end:
        main([])
    code = end.value.code
    assert isinstance(code, int)
    return code


def test_a_training_and_the_same_one_stopped_after_each_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = prepare(tmp_path / 'whole')
    assert run(whole, monkeypatch) == 0
    output = capsys.readouterr().out
    assert '45 pairs, V, Cr, Mn, Fe, Co' in output
    assert 'cross-validation: 3/3, mae_meV' in output
    assert 'error of left-out pairs (pair): ' in output
    report = json.loads((whole / 'report.json').read_text())
    assert report['data'] | {'pairs': 45, 'host': HOST, 'elements': ['V', 'Cr', 'Mn', 'Fe', 'Co']} == report['data']
    assert report['validation']['number'] == 45
    assert report['validation']['mae'] > 0.0

    stopped = prepare(tmp_path / 'stopped', walltime=1e-3)
    assert [run(stopped, monkeypatch) for _ in range(4)] == [75, 75, 75, 0]
    assert (stopped / 'model.safetensors').read_bytes() == (whole / 'model.safetensors').read_bytes()
    again = json.loads((stopped / 'report.json').read_text())
    assert (again['runs'], again['validation']) == (4, report['validation'])
    assert not (stopped / 'checkpoint.safetensors').exists()

    surrogate = HostSurrogate.load(*read_model(whole / 'model.safetensors'))
    known = pairs_of_tables([dimer_table([(25, 25)])])
    assert np.isfinite(surrogate.predict(known, HOST).j).all()


class Impatient(Monitor):
    """Stops after a fold, and remembers."""

    state: dict

    def should_stop(self) -> bool:
        return True

    def save(self, arrays: dict, state: dict) -> None:
        self.state = state

    def restore(self):
        return ({}, self.state) if hasattr(self, 'state') else None


def test_the_checkpoint_of_another_training_is_refused() -> None:
    monitor, tables = Impatient(), [dimer_table(all_pairs())]
    with pytest.raises(TrainingInterrupted):
        train_exchange(tables, ExchangeTask.model_validate(TASK), monitor)
    assert len(monitor.state['found']) == 1
    other = ExchangeTask.model_validate({**TASK, 'exchange': {**SETTINGS, 'seed': 2}})
    with pytest.raises(ModelError, match='the checkpoint belongs to a training with another task'):
        train_exchange(tables, other, monitor)


@pytest.mark.parametrize(
    ('order', 'message'),
    [
        ({'task': {'exchange': {'model': 'oracle'}}}, "there is no model of exchange 'oracle'"),
        ({'task': {'exchange': {}, 'emulator': {}}}, 'task.emulator: Extra inputs'),
        ({'task': {'exchange': {}, 'final': False, 'cross_validation': None}}, 'neither a cross_validation nor'),
        ({'task': {'exchange': SETTINGS, 'cross_validation': {'split': 'leap'}}}, 'task.cross_validation.split'),
        ({'datasets': ['train.json']}, 'the convention has to be known'),
        ({'datasets': ['a.csv', 'other.csv']}, 'pairs of one set are in one host'),
        ({'datasets': ['one.csv']}, 'one class only'),
    ],
)
def test_refusals_in_one_line(
    order: dict, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = prepare(tmp_path, **order)
    dimer_table([(25, 25)], host='another').write_csv(folder / 'other.csv')
    dimer_table([(25, 25)]).write_csv(folder / 'one.csv')
    assert run(folder, monkeypatch) == 2
    error = capsys.readouterr().err
    assert error.startswith('aiida-mlkkr-train: error: ')
    assert message in error
    assert error.count('\n') == 1
