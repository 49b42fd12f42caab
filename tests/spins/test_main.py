"""The program: what it writes, refuses, and goes on from."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from spin_models import free, simple_cubic

from aiida_mlkkr.common.program import EXIT_OUT_OF_WALLTIME
from aiida_mlkkr.spins import main as program
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.files import read_arrays, read_model, write_model
from aiida_mlkkr.spins.groundstate import largest_torque
from aiida_mlkkr.spins.montecarlo import Simulation
from aiida_mlkkr.spins.observables import Measurements
from aiida_mlkkr.spins.schedule import Schedule

SCHEDULE = {'temperatures': [5.0, 9.0], 'thermalisation': 5, 'measurement': 64, 'reflections': 0, 'seed': 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in (1, 2):
        write_model(tmp_path / f'{seed}.npz', simple_cubic(4, share=0.6, seed=seed))
    order(tmp_path)
    return tmp_path


def order(folder: Path, **changes: object) -> None:
    content = {'schedule': SCHEDULE, 'models': ['1.npz', '2.npz'], 'threads': 1} | changes
    (folder / 'monte_carlo.json').write_text(json.dumps(content), encoding='utf-8')


def test_errors_are_those_of_the_disorder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        program.main([])
    assert ended.value.code == 0
    arrays, meta = read_arrays(folder / 'results.npz')
    energies = []
    for seed in (1, 2):
        simulation = Simulation(simple_cubic(4, share=0.6, seed=seed), Schedule(**SCHEDULE))
        simulation.run()
        energies.append(Measurements.of_simulation(simulation).blocks['energy'].mean(axis=0))
    np.testing.assert_allclose(arrays['energy'], np.mean(energies, axis=0), rtol=1e-12)
    np.testing.assert_allclose(arrays['energy_error'], np.std(energies, axis=0, ddof=1) / np.sqrt(2), rtol=1e-9)
    assert (meta['number'], meta['models'], meta['groups']) == (38, 2, ['Mn_0'])
    lines = [json.loads(line) for line in (folder / 'progress.jsonl').read_text(encoding='utf-8').splitlines()]
    assert lines[-1]['finished']
    assert not (folder / 'checkpoint.npz').exists()


def test_stopped_again_and_again(folder: Path) -> None:
    """With a walltime that is always over the program gets on by one round each time."""
    order(folder, models=['1.npz'])
    assert program.run(folder) == 0
    whole = read_arrays(folder / 'results.npz')[0]
    order(folder, models=['1.npz'], walltime=1e-9)
    statuses = [program.run(folder) for _ in range(69)]
    assert statuses == [EXIT_OUT_OF_WALLTIME] * 68 + [0]
    for name, values in read_arrays(folder / 'results.npz')[0].items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_stopped_while_it_cools(folder: Path) -> None:
    """The candidates of the ground state that are known are kept."""
    cooling = {'schedule': {**SCHEDULE, 'cooling': 20}}
    order(folder, **cooling)
    assert program.run(folder) == 0
    whole = read_arrays(folder / 'results.npz')[0]
    assert whole['ground_state_directions'].shape == (2, 38, 3)
    for seed, directions, energies in zip(
        (1, 2), whole['ground_state_directions'], whole['ground_state_energies'], strict=True
    ):
        model = read_model(folder / f'{seed}.npz')
        assert model.energy(directions) / len(model) == pytest.approx(energies[0])
        assert largest_torque(model, directions) < 1e-5
        assert np.all(np.diff(energies) >= 0)
    order(folder, **cooling, walltime=1e-9)
    statuses = [program.run(folder) for _ in range(2 * (69 + 3) - 1)]
    assert statuses == [EXIT_OUT_OF_WALLTIME] * (len(statuses) - 1) + [0]
    for name, values in read_arrays(folder / 'results.npz')[0].items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_terminated_and_gone_on_with(folder: Path) -> None:
    """A process that a scheduler ends leaves a checkpoint; the next one gives the numbers of one without a stop."""
    longer = {'schedule': {**SCHEDULE, 'measurement': 4000}, 'models': ['1.npz']}
    order(folder, **longer)
    assert program.run(folder) == 0
    whole = read_arrays(folder / 'results.npz')[0]
    (folder / 'results.npz').unlink()
    (folder / 'progress.jsonl').unlink()
    process = subprocess.Popen([sys.executable, '-m', program.__name__], cwd=folder)
    while 'done' not in (folder / 'progress.jsonl').read_text() if (folder / 'progress.jsonl').exists() else True:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert (folder / 'checkpoint.npz').is_file()
    assert not (folder / 'results.npz').exists()
    subprocess.run([sys.executable, '-m', program.__name__], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for name, values in read_arrays(folder / 'results.npz')[0].items():
        # sums over the moments are those of the linear algebra library, which another process may round otherwise
        np.testing.assert_allclose(values, whole[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_what_is_refused(folder: Path) -> None:
    order(folder, walltime=1e-9)
    assert program.run(folder) == EXIT_OUT_OF_WALLTIME
    cases = {
        'belongs to other models or to another schedule': {'schedule': {**SCHEDULE, 'seed': 3}},
        'is not valid: schedule: the temperatures must ascend': {'schedule': {**SCHEDULE, 'temperatures': [2.0, 1.0]}},
        'is not valid: models.0': {'models': ['../1.npz']},
        'nothing.npz cannot be read': {'models': ['nothing.npz']},
    }
    for message, changes in cases.items():
        order(folder, **changes)
        with pytest.raises(SpinModelError, match=message):
            program.run(folder)
    (folder / 'monte_carlo.json').unlink()
    with pytest.raises(SpinModelError, match=r'monte_carlo\.json is missing'):
        program.run(folder)


def test_files_of_others_are_not_opened(tmp_path: Path) -> None:
    for content in (b'', b'PK\x03\x04', b'\x80\x04K\x01.', b'x' * 100):
        (tmp_path / 'model.npz').write_bytes(content)
        with pytest.raises(SpinModelError, match=r'model\.npz cannot be read'):
            read_model(tmp_path / 'model.npz')
    np.savez(tmp_path / 'model.npz', json=np.array('{}'), box=np.array([{}], dtype=object))
    with pytest.raises(SpinModelError, match=r'model\.npz cannot be read'):
        read_model(tmp_path / 'model.npz')
    write_model(tmp_path / 'model.npz', free({}, 2))
    assert read_model(tmp_path / 'model.npz').elements == ('Mn', 'Mn')
