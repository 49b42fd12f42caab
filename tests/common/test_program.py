"""How programs end: exit statuses and the lines that say why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aiida_mlkkr.common.program import argument_parser, exit_statuses


@pytest.mark.parametrize(
    ('error', 'status', 'line'),
    [
        (ValueError('no such thing'), 2, 'program: error: no such thing'),
        (ArithmeticError('too large'), 3, 'program: error: too large'),
        (OverflowError('much too large'), 3, 'program: error: much too large'),
        (FileNotFoundError(2, 'No such file', 'a.txt'), 4, 'program: aborted: a.txt: No such file'),
        (OSError(28, 'No space left'), 4, 'program: aborted: writing the output: No space left'),
        (KeyboardInterrupt(), 130, 'program: interrupted; a file is left'),
    ],
)
def test_exit_statuses(error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    endings = exit_statuses('program', (ValueError, OverflowError), (ArithmeticError,), left='; a file is left')
    with pytest.raises(SystemExit) as end, endings:
        raise error
    assert end.value.code == status
    assert capsys.readouterr().err == f'{line}\n'


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(KeyError), exit_statuses('program', refused=(ValueError,)):
        raise KeyError


def test_the_help_ends_with_the_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        argument_parser('program', 'Does something.', '0 done, 2 refused').parse_args(['--help'])
    assert capsys.readouterr().out.endswith('Exit status: 0 done, 2 refused.\n')


WATCHED = """
import os, signal, time
from pathlib import Path
from aiida_mlkkr.common.program import Watch
watch = Watch(Path(), time.monotonic(), {walltime})
print(watch.should_stop())
{event}
print(watch.should_stop())
watch.write(stopped=watch.reason)
raise SystemExit(watch.exit_status)
"""


@pytest.mark.parametrize(
    ('walltime', 'event', 'status', 'reason'),
    [
        (0.5, 'time.sleep(0.6)', 75, 'out of walltime'),
        (None, 'os.kill(os.getpid(), signal.SIGTERM)', 143, 'stopped by SIGTERM'),
        (None, 'os.kill(os.getpid(), signal.SIGINT)', 130, 'stopped by SIGINT'),
        (None, 'os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)', -signal.SIGINT, None),
    ],
)
def test_a_watch(walltime: float | None, event: str, status: int, reason: str | None, tmp_path: Path) -> None:
    script = WATCHED.format(walltime=walltime, event=event)
    begin = time.time()
    done = subprocess.run([sys.executable, '-c', script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    if reason is None:
        assert os.listdir(tmp_path) == []
        return
    assert done.stdout == 'False\nTrue\n'
    entry = json.loads((tmp_path / 'progress.jsonl').read_text(encoding='utf-8'))
    assert entry['stopped'] == reason
    assert begin - 0.001 <= entry['time'] <= time.time()
