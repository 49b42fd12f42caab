"""The program mlkkr-kkrimp: exit status, messages, restarts, interruption; run as AiiDA runs it."""

import gzip
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr import __version__
from aiida_mlkkr.common.program import EXIT_BROKEN_DOWN, EXIT_FILE_SYSTEM, EXIT_INTERRUPTED, EXIT_REFUSED
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.history import read_history
from aiida_mlkkr.kkr.kkrflex import read_atominfo
from aiida_mlkkr.kkr.outcome import Outcome, judge
from aiida_mlkkr.kkr.potential import read_potential
from aiida_mlkkr.kkr.run import read_run
from aiida_mlkkr.solver.main import MPI_SIZES, main

SETTINGS = 'INS= 0\nNSPIN= 2\nSCFSTEPS= {steps}\nIMIX= 0\nMIXFAC= 0.05\nQBOUND= 1e-9\n'


LOGS = ('out_log.000.txt', 'out_kkrimp', 'out_timing.000.txt')


@pytest.fixture(scope='module')
def program() -> str:
    path = shutil.which('mlkkr-kkrimp', path=sysconfig.get_path('scripts'))
    assert path, "the package is not installed here: python -m pip install '.[tests]'"
    return path


def execute(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def potentials(path: Path) -> np.ndarray:
    return np.array([[block.v for block in blocks] for blocks in read_potential(path).sites])


def test_a_run(program: str, make_run: Callable[..., Path]) -> None:
    folder = make_run('calc1', SETTINGS.format(steps=2))
    result = execute(program, folder)
    assert (result.returncode, result.stderr) == (0, '')
    (folder / 'out_kkrimp').write_text(result.stdout)
    history = read_history(*((folder / name).read_text() for name in LOGS))
    assert history.complete
    assert history.niter == 2
    # JuKKR's numbers, see test_scf
    np.testing.assert_allclose(history.charge[0], 24.869650, atol=1.1e-6)
    np.testing.assert_allclose(history.spin_moment[0], 3.105545, atol=1.1e-6)
    assert history.total_energy[0] == pytest.approx(-4634.99776716, abs=2e-8)
    written = {path.name for path in folder.iterdir() if path.name.startswith('out_')}
    assert written == {
        'out_kkrimp',
        'out_log.000.txt',
        'out_timing.000.txt',
        'out_potential',
        'out_energysp_eV',
        'out_energytotal_eV',
        'out_energysp_per_atom_eV',
        'out_energytotal_per_atom_eV',
    }


def test_to_convergence(make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    folder = make_run('calc1')
    monkeypatch.chdir(folder)
    main([])
    stdout = capsys.readouterr().out
    history = read_history((folder / 'out_log.000.txt').read_text(), stdout)
    assert history.stopped_by_criterion
    assert history.converged
    assert stdout.count('SCF ITERATION CONVERGED') == 1


def test_steps_used_up_are_no_failure(make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(make_run('calc1', SETTINGS.format(steps=1)))
    main([])
    assert 'SCF ITERATION CONVERGED' not in capsys.readouterr().out


def test_restart_continues_where_it_stopped(make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    through = make_run('calc0', SETTINGS.format(steps=4))
    first = make_run('calc0', SETTINGS.format(steps=2))
    for folder in (through, first):
        monkeypatch.chdir(folder)
        main([])
    second = make_run('calc0', SETTINGS.format(steps=2))
    shutil.copy(first / 'out_potential', second / 'potential')
    monkeypatch.chdir(second)
    main([])
    # simple mixing has no memory, and core energies only start the search; potentials are written with thirteen digits
    np.testing.assert_allclose(potentials(second / 'out_potential'), potentials(through / 'out_potential'), atol=1e-9)
    assert not np.allclose(potentials(first / 'out_potential'), potentials(through / 'out_potential'), atol=1e-6)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ('INS= 1\n', 'INS= 1 (full potential) is not supported by mlkkr-kkrimp'),
        ('INS= 0\nSPINORBIT= 1\n', 'SPINORBIT= 1 is not supported'),
        ('INS= 0\nXC= GGA\n', 'XC= GGA is not supported'),
        ('INS= 0\nRUNFLAG= LDA+U\n', 'RUNFLAG LDA+U is not supported'),
        ('INS= 0\nMIXFAC= much\n', 'config.cfg, line 2: value of MIXFAC'),
    ],
)
def test_refused_settings(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys, settings: str, message: str
) -> None:
    folder = make_run('calc1', settings)
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == EXIT_REFUSED == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f'mlkkr-kkrimp: error: {message}')
    assert captured.err.count('\n') == 1
    assert captured.out == ''
    # at once: nothing was written
    assert list(folder.glob('out_*')) == []


def test_refused_files_in_a_process_of_its_own(program: str, make_run: Callable[..., Path]) -> None:
    folder = make_run('calc1', SETTINGS.format(steps=1))
    (folder / 'kkrflex_tmat').unlink()
    result = execute(program, folder)
    assert result.returncode == EXIT_REFUSED
    assert result.stderr == 'mlkkr-kkrimp: error: input files are missing: kkrflex_tmat\n'
    result = execute(program, folder.parent)
    assert result.returncode == EXIT_REFUSED
    assert 'config.cfg is missing' in result.stderr


def test_core_state_that_is_not_bound_is_a_breakdown(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    # 3d of Mn taken for core states, which are not bound in the sphere
    folder = make_run('calc1', SETTINGS.format(steps=1))
    text = (folder / 'potential').read_text()
    lines = []
    for line in text.splitlines(keepends=True):
        lines.append(line.replace(' 5 1', ' 6 1') if line.split() == ['5', '1'] else line)
        words = line.split()
        if len(words) == 2 and words[0] == '1' and words[1].startswith('-2.'):
            lines.append('    2  -3.00000000000D-01\n')
    (folder / 'potential').write_text(''.join(lines))
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == EXIT_BROKEN_DOWN == 3
    message = capsys.readouterr().err
    assert message.startswith('mlkkr-kkrimp: error: ')
    assert 'site 1, spin down' in message


def test_diverging_run_keeps_its_last_potential(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    # far too much of the new potential each time
    folder = make_run('calc0', SETTINGS.format(steps=200).replace('0.05', '3.0'))
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == EXIT_BROKEN_DOWN
    captured = capsys.readouterr()
    assert captured.err.startswith('mlkkr-kkrimp: error: ')
    history = read_history((folder / 'out_log.000.txt').read_text(), captured.out)
    assert not history.complete
    assert history.niter >= 1
    assert np.isfinite(potentials(folder / 'out_potential')).all()


def test_killed_at_any_time_leaves_a_whole_potential(program: str, make_run: Callable[..., Path]) -> None:
    folder = make_run('calc0', SETTINGS.format(steps=100_000))
    process = subprocess.Popen([program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        potential = folder / 'out_potential'
        end = time.monotonic() + 90  # a first compilation takes some ten seconds
        while not potential.exists():
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.01)
        # whenever one looks, the file is whole; it is written some thirty times per second
        for _ in range(20):
            assert read_potential(potential).natom == 2
            time.sleep(0.003)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert np.isfinite(potentials(potential)).all()
    # the log holds what had been done, to the line; the run is known not to be complete
    history = read_history((folder / 'out_log.000.txt').read_text())
    assert history.niter >= 1
    assert not history.complete
    # and the next run goes on from there
    os.replace(potential, folder / 'potential')
    (folder / 'config.cfg').write_text(SETTINGS.format(steps=1))
    assert execute(program, folder).returncode == 0


def test_interrupted_by_the_user(program: str, make_run: Callable[..., Path]) -> None:
    folder = make_run('calc1', SETTINGS.format(steps=500))
    with subprocess.Popen([program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (folder / 'out_potential').exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED
    assert message == 'mlkkr-kkrimp: interrupted; out_potential holds the last complete iteration, if any\n'
    assert read_potential(folder / 'out_potential').natom == 2


def test_output_that_cannot_be_written(program: str, make_run: Callable[..., Path]) -> None:
    folder = make_run('calc1', SETTINGS.format(steps=1))
    (folder / 'out_log.000.txt').mkdir()
    result = execute(program, folder)
    assert result.returncode == EXIT_FILE_SYSTEM
    assert result.stderr == f'mlkkr-kkrimp: aborted: {folder / "out_log.000.txt"}: Is a directory\n'


def test_full_disk(program: str, make_run: Callable[..., Path]) -> None:
    folder = make_run('calc1', SETTINGS.format(steps=1))
    with open('/dev/full', 'w') as full:
        result = subprocess.run([program], cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert result.returncode == EXIT_FILE_SYSTEM
    assert result.stderr == 'mlkkr-kkrimp: aborted: writing the output: No space left on device\n'
    run = read_run({'_scheduler-stderr.txt': result.stderr, 'out_kkrimp': '  ***\n'})
    assert judge(run).outcome is Outcome.CRASHED


@pytest.mark.parametrize('name', MPI_SIZES)
def test_several_processes_of_mpi_are_refused(
    name: str, make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = make_run('calc1', SETTINGS.format(steps=1))
    monkeypatch.chdir(folder)
    monkeypatch.setenv(name, '4')
    with pytest.raises(SystemExit) as exit_info:
        main([])
    assert exit_info.value.code == EXIT_REFUSED
    assert f'MPI started 4 of it ({name})' in capsys.readouterr().err
    assert not (folder / 'out_log.000.txt').exists()
    monkeypatch.setenv(name, '1')
    main([])


def test_version(program: str, tmp_path: Path) -> None:
    result = execute(program, tmp_path, '--version')
    assert result.stdout == f'mlkkr-kkrimp {__version__}\n'


def test_free_atom(capsys) -> None:
    main(['atom', 'mn'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('Mn (Z = 25)')
    assert [line.split()[0] for line in lines[1:-1]] == ['1s', '2s', '2p', '3s', '3p', '3d', '4s']
    assert lines[-1].startswith('total energy -23')
    by_number = main(['atom', '25'])
    assert by_number is None
    assert capsys.readouterr().out.splitlines() == lines


def test_unknown_element(capsys) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(['atom', 'Xx'])
    assert exit_.value.code == EXIT_REFUSED
    assert 'Xx is neither an element symbol nor a nuclear charge' in capsys.readouterr().err


def test_start_potential_of_ones_own(
    make_run: Callable[..., Path], pair_source: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = make_run('calc1', SETTINGS.format(steps=1))
    (folder / 'potential').unlink()
    host = gzip.decompress((pair_source / 'gf' / 'out_potential.gz').read_bytes())
    (folder / 'host_potential').write_bytes(host)
    monkeypatch.chdir(folder)
    main(['start', 'host_potential', '--moments', '3', '3'])
    start = read_potential(folder / 'potential')
    assert [blocks[0].z for blocks in start.sites] == [25.0, 25.0]
    main([])
    history = read_history((folder / 'out_log.000.txt').read_text(), capsys.readouterr().out)
    # free atoms in the places: within half an electron, and magnetic as asked for
    assert np.abs(history.charge[0] - 25.0).max() < 0.5
    assert (history.spin_moment[0] > 1.5).all()
    assert np.abs(np.diff(history.charge[0])).max() < 1e-5


def test_start_potential_needs_its_files(
    make_run: Callable[..., Path], pair_source: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = make_run('calc1')
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as exit_:
        main(['start', 'no_such_file'])
    assert exit_.value.code == EXIT_REFUSED
    assert 'no_such_file is missing' in capsys.readouterr().err
    (folder / 'host_potential').write_bytes(gzip.decompress((pair_source / 'gf' / 'out_potential.gz').read_bytes()))
    with pytest.raises(SystemExit):
        main(['start', 'host_potential', '--moments', '1', '2', '3'])
    assert '3 start moments for 2 sites' in capsys.readouterr().err
    # the start potential that was there is untouched
    assert read_potential(folder / 'potential').natom == read_atominfo(folder / 'kkrflex_atominfo').natom


def test_out_potential_that_is_cut_short_is_noticed(make_run: Callable[..., Path]) -> None:
    # what an interrupted write in place would leave
    folder = make_run('calc1')
    content = (folder / 'potential').read_bytes()
    (folder / 'potential').write_bytes(content[:-1000])
    with pytest.raises(KkrFileError, match='potential'):
        read_potential(folder / 'potential', 2)
