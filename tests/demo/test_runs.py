"""Following a calculation that runs, and stopping at a safe moment."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aiida_mlkkr.demo.errors import DemoError, DemoInterrupted
from aiida_mlkkr.demo.interruption import Interruption
from aiida_mlkkr.demo.live import LiveErrors
from aiida_mlkkr.demo.profile import DemoProfile, running_daemon

BLOCK = """
      ITERATION{number:4d} average rms-error : v+ + v- =  {error}
                                        v+ - v- =  9.3696D-03
"""


def calculation(folder: Path | None, pk: int = 7, transport: str = 'core.local') -> SimpleNamespace:
    """What LiveErrors asks of a calculation: its number and where it runs."""
    return SimpleNamespace(
        pk=pk,
        computer=SimpleNamespace(transport_type=transport),
        get_remote_workdir=lambda: None if folder is None else str(folder),
    )


def test_only_complete_new_lines_are_read(tmp_path: Path):
    output = tmp_path / 'out_kkrimp'
    live = LiveErrors()
    live.follow(calculation(tmp_path))  # nothing is written yet
    assert live.values == []
    output.write_text(
        BLOCK.format(number=1, error='3.0743D-03') + '   ITERATION   2 average rms-error : v+ + v- =  2.95'
    )
    live.follow(calculation(tmp_path))
    assert live.values == [3.0743e-3]
    with output.open('a', encoding='ascii') as handle:
        handle.write('13D-03\n')
    live.follow(calculation(tmp_path))
    live.follow(calculation(tmp_path))
    assert live.values == [3.0743e-3, 2.9513e-3]


def test_another_calculation_starts_afresh(tmp_path: Path):
    (tmp_path / 'out_kkrimp').write_text(BLOCK.format(number=1, error='3.0743D-03'), encoding='ascii')
    live = LiveErrors()
    live.follow(calculation(tmp_path, pk=7))
    live.follow(calculation(tmp_path / 'nowhere', pk=8))
    assert live.values == []


def test_a_calculation_on_another_machine_is_left_alone(tmp_path: Path):
    (tmp_path / 'out_kkrimp').write_text(BLOCK.format(number=1, error='3.0743D-03'), encoding='ascii')
    live = LiveErrors()
    live.follow(calculation(tmp_path, transport='core.ssh'))
    live.follow(calculation(None))
    assert live.values == []


def test_the_first_ctrl_c_waits_and_the_second_does_not():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        interruption.check()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(DemoInterrupted, match='the same command goes on'):
            interruption.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_daemon_that_somebody_else_stopped_hides_no_error(
    aiida_config: object, aiida_profile_factory: Callable[..., Any], aiida_storage: Callable[[], dict[str, Any]]
):
    def work_until_the_daemon_is_gone(profile: DemoProfile) -> None:
        with running_daemon(profile) as client:
            client.stop_daemon(wait=True, timeout=60)
            while client.is_daemon_running:
                time.sleep(0.1)
            raise DemoError('the daemon stopped')

    with (
        aiida_profile_factory(aiida_config, broker_backend='core.zeromq', **aiida_storage()) as profile,
        pytest.raises(DemoError, match='the daemon stopped'),
    ):
        work_until_the_daemon_is_gone(DemoProfile(profile.name, own=True, created=False))
