"""`aiida-mlkkr demo` as a user starts it: processes of its own, an AiiDA configuration of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiida_mlkkr.demo.archive import packaged_archive


class Machine:
    """A home for AiiDA's configuration, and commands that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, 'AIIDA_PATH': str(folder), 'COLUMNS': '80', 'OMP_NUM_THREADS': '1'}

    @property
    def config(self) -> dict:
        """AiiDA's configuration as it is stored."""
        return json.loads((self.folder / '.aiida' / 'config.json').read_text(encoding='utf-8'))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `aiida-mlkkr`, `verdi` …; without the environment's own PATH, as a user who did not activate it."""
        command = [str(Path(sys.executable).parent / arguments[0]), *arguments[1:]]
        environment = {**self.environment, 'PATH': os.defpath}
        return subprocess.Popen(
            command, env=environment, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *arguments: str, code: int = 0, timeout: float = 240.0) -> str:
        """Run to the end, with this exit code; return all output."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=timeout)
        assert process.returncode == code, output
        return output

    def processes(self, profile: str) -> int:
        """Number of self-consistencies begun in a profile (the archive's are of another kind)."""
        script = (
            f'from aiida import load_profile, orm; load_profile({profile!r}); '
            "filters = {'attributes.process_label': 'KkrImpScfWorkChain'}; "
            'print(orm.QueryBuilder().append(orm.WorkChainNode, filters=filters).count())'
        )
        return int(self.run('python', '-c', script).split()[-1])


@pytest.fixture(scope='module')
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine whose user has a default profile already."""
    machine = Machine(tmp_path_factory.mktemp('machine'))
    machine.run('verdi', 'presto', '--profile-name', 'mine', '--use-zeromq', '--non-interactive')
    yield machine
    if 'mlkkr-demo' in machine.config['profiles']:
        machine.start('verdi', '-p', 'mlkkr-demo', 'daemon', 'stop').communicate(timeout=120)


def test_an_unknown_element_changes_nothing(machine: Machine):
    before = machine.config
    output = machine.run('aiida-mlkkr', 'demo', '-e', 'V,Xx', code=1)
    assert 'holds no impurity Xx; it has Na, Mg, Al' in ' '.join(output.split())
    assert machine.config == before


def test_a_damaged_archive_changes_nothing(machine: Machine, tmp_path: Path):
    with packaged_archive() as path:
        damaged = Path(shutil.copy(path, tmp_path))
    damaged.write_bytes(damaged.read_bytes()[:1_000_000])
    before = machine.config
    output = machine.run('aiida-mlkkr', 'demo', '--archive', str(damaged), code=1)
    assert 'is damaged or no AiiDA archive' in ' '.join(output.split())
    assert machine.config == before


def test_profiles_that_cannot_be_used_are_refused(machine: Machine, tmp_path: Path):
    output = machine.run('aiida-mlkkr', 'demo', '--profile', 'nobodys', code=1)
    assert "there is no AiiDA profile 'nobodys'" in output

    machine.run('verdi', 'presto', '--profile-name', 'silent', '--no-broker', '--non-interactive')
    output = machine.run('aiida-mlkkr', 'demo', '--profile', 'silent', code=1)
    assert 'has no broker' in output
    assert 'configure-broker core.zeromq -p silent' in ' '.join(output.split())

    with packaged_archive() as path:
        machine.run('verdi', 'profile', 'setup', 'core.sqlite_zip', '-n', '-p', 'frozen', '--filepath', str(path))
    output = machine.run('aiida-mlkkr', 'demo', '--profile', 'frozen', code=1)
    assert 'is read-only' in output

    machine.run('verdi', 'presto', '--profile-name', 'broken', '--use-zeromq', '--non-interactive')
    storage = Path(machine.config['profiles']['broken']['storage']['config']['filepath'])
    (storage / 'database.sqlite').write_bytes(b'not a database' * 1000)
    output = machine.run('aiida-mlkkr', 'demo', '--profile', 'broken', code=1)
    assert "the storage of profile 'broken' cannot be used" in ' '.join(output.split())


def test_a_code_for_another_plugin_is_refused_before_anything_is_submitted(machine: Machine):
    machine.run(
        'verdi', '-p', 'mine', 'code', 'create', 'core.code.installed', '-n', '--computer', 'localhost',
        '--label', 'add', '--default-calc-job-plugin', 'core.arithmetic.add', '--filepath-executable', '/bin/bash',
    )  # fmt: skip
    output = machine.run('aiida-mlkkr', 'demo', '--profile', 'mine', '--kkrimp', 'add@localhost', code=1)
    assert "for the plugin 'core.arithmetic.add'; a KKRimp code" in ' '.join(output.split())
    output = machine.run('aiida-mlkkr', 'demo', '--profile', 'mine', '--kkrimp', 'absent@localhost', code=1)
    assert '--kkrimp absent@localhost' in output
    assert machine.processes('mine') == 0


def test_a_machine_without_a_default_profile_gets_none(tmp_path: Path):
    fresh = Machine(tmp_path)
    output = fresh.run('aiida-mlkkr', 'demo', '--kkrimp', 'absent@nowhere', code=1)
    assert 'mlkkr-demo (made)' in output
    assert list(fresh.config['profiles']) == ['mlkkr-demo']
    assert 'default_profile' not in fresh.config
    assert fresh.processes('mlkkr-demo') == 0


def excerpt(machine: Machine, path: Path, *symbols: str) -> Path:
    """The packaged archive with these impurities only."""
    with packaged_archive() as packaged:
        script = (
            'from aiida import load_profile, orm; from aiida.storage.sqlite_zip import SqliteZipBackend; '
            'from aiida.tools.archive import create_archive; '
            'from aiida_mlkkr.demo.archive import archived_workchains; from pathlib import Path; '
            f'packaged = Path({str(packaged)!r}); '
            f'chosen = [e.uuid for e in archived_workchains(packaged) if e.symbol in {symbols!r}]; '
            'load_profile(SqliteZipBackend.create_profile(packaged), allow_switch=True); '
            f'create_archive([orm.load_node(uuid) for uuid in chosen], filename=Path({str(path)!r}))'
        )
        machine.run('python', '-c', script)
    return path


def test_an_archive_with_one_element_teaches_no_emulator(machine: Machine, tmp_path: Path):
    """Nothing is submitted where an emulator cannot be trained."""
    small = excerpt(machine, tmp_path / 'small.aiida', 'Al')
    output = machine.run('aiida-mlkkr', 'demo', '-p', 'mine', '-e', 'Al', '--archive', str(small), code=1)
    assert 'there is no impurity but Al in the archive' in ' '.join(output.split())
    assert machine.processes('mine') == 0


def wait_for_iterations(machine: Machine, process: subprocess.Popen[str]) -> None:
    """Wait until a calculation has written its first iteration."""
    end = time.monotonic() + 240
    while time.monotonic() < end and process.poll() is None:
        outputs = (machine.folder / '.aiida' / 'scratch').rglob('out_kkrimp')
        if any('average rms-error' in path.read_text() for path in outputs):
            return
        time.sleep(0.1)
    process.kill()
    pytest.fail(f'no calculation ever began:\n{process.communicate()[0]}')


def test_the_demo_runs_is_interrupted_resumes_and_reuses(machine: Machine, tmp_path: Path):
    """Aluminium: the shortest run, and few to learn from. Ctrl-C while it runs, then to the end, then once more."""
    archive = excerpt(machine, tmp_path / 'few.aiida', 'Mg', 'Al', 'P', 'Zn', 'Ge', 'As')
    before = machine.config
    arguments = ('aiida-mlkkr', 'demo', '--elements', 'Al', '--output', 'report', '--archive', str(archive))

    process = machine.start(*arguments)
    wait_for_iterations(machine, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 130, output
    assert 'the same command goes on from here' in output
    assert not (machine.folder / 'report').exists()
    assert 1 <= machine.processes('mlkkr-demo') <= os.cpu_count()

    # a broker that lost its tasks (its folder was cleaned up) must not make the demo wait for ever
    shutil.rmtree(machine.folder / '.aiida' / 'broker')
    output = machine.run(*arguments)
    assert '1 of 1 impurities agree with JuKKR' in ' '.join(output.split())
    assert machine.processes('mlkkr-demo') == 4

    after = machine.config
    own = after['profiles'].pop('mlkkr-demo')
    assert after == before  # with the user's default profile
    assert own['storage']['backend'] == 'core.sqlite_dos'
    assert own['process_control']['backend'] == 'core.zeromq'
    assert 'not running' in machine.start('verdi', '-p', 'mlkkr-demo', 'daemon', 'status').communicate(timeout=120)[0]

    results = list(csv.DictReader((machine.folder / 'report' / 'results.csv').open(encoding='utf-8')))
    iterations = {(row['code'] == 'JuKKR', row['start'], row['schedule']): int(row['iterations']) for row in results}
    assert iterations[False, 'standard', 'default'] == pytest.approx(iterations[True, 'standard', 'default'], abs=2)
    assert iterations[False, 'emulator', 'default'] <= 0.6 * iterations[False, 'standard', 'default']
    assert iterations[False, 'emulator', 'tuned'] <= iterations[False, 'standard', 'tuned']
    assert all(float(row['charge_e']) == pytest.approx(12.478869, abs=1e-4) for row in results)
    assert all(row['trained_on'] == '5' for row in results if row['start'] == 'emulator')
    assert len((machine.folder / 'report' / 'report.html').read_text(encoding='utf-8')) > 100_000

    output = machine.run(*arguments)
    assert (
        f'Al, emulator start, default schedule: {iterations[False, "emulator", "default"]} iterations, reused' in output
    )
    assert output.count('iterations, reused') == 4
    assert machine.processes('mlkkr-demo') == 4
    again = list(csv.DictReader((machine.folder / 'report' / 'results.csv').open(encoding='utf-8')))
    assert again == results
