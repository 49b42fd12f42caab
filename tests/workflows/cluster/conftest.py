"""Two manganese atoms in copper by JuKKR (write-out of two sites, self-consistency), and the embedded solver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from this_machine import CONNECTION, code_on, computer_at

from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiida.engine import ProcessBuilder
    from aiida.manage.configuration import Profile
    from aiida.orm import CalcJobNode, InstalledCode, WorkChainNode

ARCHIVE = Path(__file__).parents[2] / 'data' / 'cu_mn_pair.aiida'
PAIR = {'pattern': 'dimer', 'shell': 1, 'elements': ['Mn', 'Mn']}
QUICK = {
    'screening': {'shells': 0},
    'scf': {
        'schedule': {
            'name': 'quick',
            'initial_field': [0.02, 10],
            'stages': [{'IMIX': 0, 'MIXFAC': 0.03, 'SCFSTEPS': 30, 'QBOUND': 0.1}],
        }
    },
}
"""The impurity sites alone, for tests that do not depend on the end of the way."""


@dataclass(frozen=True)
class Pair:
    """The host, the write-out of two neighbouring sites, and a single impurity by JuKKR.

    :param code: the embedded solver.
    :param single: manganese alone among its neighbours, a finished ``kkr_imp_wc``.
    """

    code: InstalledCode
    writeout: CalcJobNode
    single: WorkChainNode

    def builder(self, impurities: Any = PAIR, **inputs: Any) -> ProcessBuilder:
        """In the write-out of the two sites unless a host is asked for."""
        from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain

        if 'host' not in inputs:
            inputs.setdefault('host_greenfunction', self.writeout.outputs.remote_folder)
        return KkrClusterWorkChain.get_builder_from_protocol(inputs.pop('code', self.code), impurities, **inputs)

    def in_host(self, impurities: Any = PAIR, **inputs: Any) -> ProcessBuilder:
        """In the host itself, whose Green function is found or written out."""
        host = {'host': self.writeout.inputs.parent_folder, 'kkr': self.writeout.inputs.code}
        return self.builder(impurities, **host, **inputs)


@pytest.fixture(scope='module')
def pair(aiida_profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    from aiida import orm
    from aiida.tools.archive import import_archive

    import_archive(ARCHIVE)
    with packaged_archive() as path:
        (single, *_), _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Mn',)))
    query = orm.QueryBuilder().append(orm.Group, filters={'label': 'cu_fcc_asa_mn_pair'}, tag='group')
    query.append(orm.WorkChainNode, with_group='group', filters={'process_type': {'like': '%gf_writeout%'}})
    writeout = query.one()[0].outputs.GF_host_remote.creator
    computer = writeout.inputs.code.computer
    computer.set_workdir(str(tmp_path_factory.mktemp('jukkr')))
    computer.configure(**CONNECTION)
    return Pair(code_on(computer_at(tmp_path_factory.mktemp('work')), 'mlkkr-kkrimp', 'kkr.kkrimp'), writeout, single)


@pytest.fixture
def failing_exchange(pair: Pair, tmp_path: Path, archived_output: Callable[[str], dict[str, bytes]]) -> InstalledCode:
    """A code that leaves behind what JuKKR did when its exchange crashed; its name is that of the embedded solver."""
    files = tmp_path / 'files'
    files.mkdir()
    for name, content in archived_output('jij_crash_signal').items():
        if name.startswith('out_') or name == '_scheduler-stderr.txt':
            (files / name).write_bytes(content)
    script = tmp_path / 'mlkkr-kkrimp'
    script.write_text(f"#!/bin/sh\ncp '{files}'/* .\n")
    script.chmod(0o755)
    return code_on(computer_at(tmp_path), str(script), 'kkr.kkrimp')
