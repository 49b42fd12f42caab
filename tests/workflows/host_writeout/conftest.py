"""Copper by JuKKR (the packaged archive), and KKRhost's stand-in of this environment."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from aiida_mlkkr.demo.archive import archived_workchains, current_archive, import_workchains, packaged_archive

if TYPE_CHECKING:
    from aiida.manage.configuration import Profile
    from aiida.orm import CalcJobNode, InstalledCode, RemoteData


@dataclass(frozen=True)
class Copper:
    """The host, and JuKKR's write-out of it.

    :param code: ``mlkkr-kkrhost``.
    """

    code: InstalledCode
    writeout: CalcJobNode

    @property
    def host(self) -> RemoteData:
        return self.writeout.inputs.parent_folder


@pytest.fixture(scope='module')
def copper(aiida_profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Copper:
    from aiida import orm

    with packaged_archive() as packaged, current_archive(packaged) as path:
        workchains, _ = import_workchains(path, archived_workchains(path))
    calculations = [node for node in workchains[0].called_descendants if node.process_label == 'KkrimpCalculation']
    writeout = calculations[0].inputs.host_Greenfunction_folder.creator
    folder = tmp_path_factory.mktemp('work')
    computer = orm.Computer(
        label=f'mlkkr-{folder.name}',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.direct',
        workdir=str(folder),
    ).store()
    computer.set_minimum_job_poll_interval(0.0)
    computer.set_default_mpiprocs_per_machine(1)
    computer.configure(safe_interval=0.0)
    executable = shutil.which('mlkkr-kkrhost')
    assert executable, "the package is not installed here: python -m pip install '.[tests]'"
    code = orm.InstalledCode(
        label='mlkkr-kkrhost',
        default_calc_job_plugin='kkr.kkr',
        computer=computer,
        filepath_executable=executable,
        with_mpi=False,
    ).store()
    return Copper(code, writeout)
