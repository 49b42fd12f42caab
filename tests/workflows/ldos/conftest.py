"""Manganese in copper by JuKKR (the packaged archive), and the two embedded codes on one computer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from this_machine import code_on, computer_at

from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.manage.configuration import Profile
    from aiida.orm import InstalledCode, WorkChainNode

COARSE = {'contour': {'bottom': -10.0, 'top': 1.5, 'points': 24, 'temperature': 1600.0, 'kmesh': [8, 8, 8]}}
"""A broadening of 0.43 eV."""


@dataclass(frozen=True)
class Manganese:
    """A finished ``kkr_imp_wc``, and codes."""

    single: WorkChainNode
    kkrimp: InstalledCode
    kkrhost: InstalledCode

    def builder(self, **inputs: Any) -> ProcessBuilder:
        from aiida_mlkkr.workflows.ldos import LdosWorkChain

        inputs.setdefault('kkr', self.kkrhost)
        inputs.setdefault('overrides', COARSE)
        return LdosWorkChain.get_builder_from_protocol(self.kkrimp, self.single, **inputs)


@pytest.fixture(scope='module')
def manganese(aiida_profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Manganese:
    with packaged_archive() as path:
        (single, *_), _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Mn',)))
    computer = computer_at(tmp_path_factory.mktemp('work'))
    codes = (
        code_on(computer, name, plugin)
        for name, plugin in (('mlkkr-kkrimp', 'kkr.kkrimp'), ('mlkkr-kkrhost', 'kkr.kkr'))
    )
    return Manganese(single, *codes)
