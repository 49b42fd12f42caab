"""This machine as an AiiDA computer, and the programs of this environment as codes on it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from aiida.orm import Computer, InstalledCode

# Not without a pause, which keeps a whole core busy, and without the login shell, whose start takes longer than what
# it is asked for.
SCHEDULER_POLL_SECONDS = 0.2
CONNECTION: dict[str, Any] = {'safe_interval': 0.0, 'use_login_shell': False}


def computer_at(folder: Path) -> Computer:
    """A computer that works in a folder: no scheduler."""
    from aiida import orm

    computer = orm.Computer(
        label=f'mlkkr-{folder.name}',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.direct',
        workdir=str(folder),
    ).store()
    computer.set_minimum_job_poll_interval(SCHEDULER_POLL_SECONDS)
    computer.set_default_mpiprocs_per_machine(1)
    computer.configure(**CONNECTION)
    return computer


def code_on(computer: Computer, program: str, plugin: str) -> InstalledCode:
    """A program as a code of its name.

    :param program: one of this environment, or the path of another one.
    """
    from aiida import orm

    executable = shutil.which(program)
    assert executable, "the package is not installed here: python -m pip install '.[tests]'"
    return orm.InstalledCode(
        label=program.rpartition('/')[2],
        default_calc_job_plugin=plugin,
        computer=computer,
        filepath_executable=executable,
        with_mpi=False,
    ).store()
