"""Copper by JuKKR (the packaged archive), the embedded solver, and codes of JuKKR that are never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from this_machine import CONNECTION, code_on, computer_at

from aiida_mlkkr.demo.archive import archived_workchains, current_archive, import_workchains, packaged_archive

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.manage.configuration import Profile
    from aiida.orm import CalcJobNode, InstalledCode, ProcessNode, RemoteData, SinglefileData, WorkChainNode

    from aiida_mlkkr.data.surrogate import SurrogateData

QUICK = {
    'name': 'quick',
    'initial_field': [0.02, 10],
    'stages': [{'IMIX': 0, 'MIXFAC': 0.03, 'SCFSTEPS': 30, 'QBOUND': 5e-2}],
}
"""A schedule for tests that do not depend on the end of the way."""

MN_MOMENT, MN_CHARGE = 3.76605, 24.630716
"""Manganese in copper, 13 sites: total spin moment (Bohr magnetons) and charge of the site by JuKKR."""


@dataclass(frozen=True)
class Copper:
    """The host, its write-out, and JuKKR's impurities in it.

    :param code: the embedded solver.
    :param kkrhost: ``mlkkr-kkrhost``.
    :param impurities: finished ``kkr_imp_wc`` by element.
    """

    code: InstalledCode
    kkrhost: InstalledCode
    writeout: CalcJobNode
    impurities: dict[str, WorkChainNode]

    @property
    def greenfunction(self) -> RemoteData:
        return self.writeout.outputs.remote_folder

    @property
    def host(self) -> RemoteData:
        return self.writeout.inputs.parent_folder

    @property
    def kkr(self) -> InstalledCode:
        return self.writeout.inputs.code

    @property
    def voronoi(self) -> InstalledCode:
        return self.impurities['Mn'].inputs.voronoi

    def calculation(self, element: str, label: str, number: int = 0) -> ProcessNode:
        """The process of that label in the workchain of an impurity."""
        nodes = [node for node in self.impurities[element].called_descendants if node.process_label == label]
        return sorted(nodes, key=lambda node: node.ctime)[number]

    def builder(self, impurity: Any, **inputs: Any) -> ProcessBuilder:
        """By the embedded solver, in the write-out of the archive unless a host is given."""
        from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

        if 'host' not in inputs:
            inputs.setdefault('host_greenfunction', self.greenfunction)
        return KkrImpScfWorkChain.get_builder_from_protocol(self.code, impurity, **inputs)

    def run(self, impurity: Any, **inputs: Any) -> WorkChainNode:
        """To the end."""
        from aiida.engine import run_get_node

        return run_get_node(self.builder(impurity, **inputs)).node

    def start(self, element: str) -> SinglefileData:
        """The start potential of the voronoi code."""
        return self.calculation(element, 'KkrimpCalculation').inputs.impurity_potential


@pytest.fixture(scope='module')
def copper(aiida_profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Copper:
    with packaged_archive() as packaged, current_archive(packaged) as path:
        entries = archived_workchains(path)
        workchains, _ = import_workchains(path, entries)
    impurities = {entry.symbol: node for entry, node in zip(entries, workchains, strict=True)}
    calculations = [node for node in impurities['Mn'].called_descendants if node.process_label == 'KkrimpCalculation']
    writeout = calculations[0].inputs.host_Greenfunction_folder.creator
    # JuKKR's codes are not on their computer; it needs a folder that this user can write all the same
    computer = writeout.inputs.code.computer
    computer.set_workdir(str(tmp_path_factory.mktemp('jukkr')))
    computer.configure(**CONNECTION)
    local = computer_at(tmp_path_factory.mktemp('work'))
    code, kkrhost = code_on(local, 'mlkkr-kkrimp', 'kkr.kkrimp'), code_on(local, 'mlkkr-kkrhost', 'kkr.kkr')
    return Copper(code, kkrhost, writeout, impurities)


@pytest.fixture(scope='module')
def emulator(copper: Copper) -> SurrogateData:
    """Trained on JuKKR's impurities of the 3d row in copper, manganese not among them."""
    from aiida_mlkkr.query import find_impurities, train_emulator

    known = [node for symbol, node in copper.impurities.items() if symbol in ('Ti', 'V', 'Cr', 'Fe', 'Ni', 'Cu', 'Zn')]
    return train_emulator(find_impurities(nodes=known).usable)
