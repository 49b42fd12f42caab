"""Copper by JuKKR (the packaged archive), and KKRhost's stand-in of this environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from this_machine import code_on, computer_at

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
    with packaged_archive() as packaged, current_archive(packaged) as path:
        workchains, _ = import_workchains(path, archived_workchains(path))
    calculations = [node for node in workchains[0].called_descendants if node.process_label == 'KkrimpCalculation']
    writeout = calculations[0].inputs.host_Greenfunction_folder.creator
    code = code_on(computer_at(tmp_path_factory.mktemp('work')), 'mlkkr-kkrhost', 'kkr.kkr')
    return Copper(code, writeout)
