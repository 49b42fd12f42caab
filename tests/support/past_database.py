"""Processes with their links as an import of old archives makes them: of AiiDA 0.12, 1 and 2, and aiida-kkr 1 and 2.

Compared with the archives of aiida-kkr's own tests. The files that go into them are those of real runs.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida.orm import CalcJobNode, Computer, Data, FolderData, ProcessNode

KKRIMP = 'aiida.calculations:kkr.kkrimp'


class PastDatabase:
    """Makes processes with their links, as they come out of an archive."""

    def __init__(self, computer: Computer) -> None:
        self._computer = computer

    def process(
        self,
        node_class: type[ProcessNode],
        label: str,
        inputs: Mapping[str, Data],
        caller: ProcessNode | None = None,
        state: str = 'finished',
        exit_status: int | None = 0,
        process_type: str = '',
    ) -> ProcessNode:
        """A stored process."""
        from aiida import orm
        from aiida.common.links import LinkType

        is_calculation = issubclass(node_class, orm.CalculationNode)
        node = node_class(process_type=process_type or f'aiida.workflows:{label}')
        if issubclass(node_class, orm.CalcJobNode):
            node.computer = self._computer
        for name, data in inputs.items():
            link_type = LinkType.INPUT_CALC if is_calculation else LinkType.INPUT_WORK
            node.base.links.add_incoming(data if data.is_stored else data.store(), link_type, name)
        if caller is not None:
            link_type = LinkType.CALL_CALC if is_calculation else LinkType.CALL_WORK
            node.base.links.add_incoming(caller, link_type, 'CALL')
        node.store()
        node.base.attributes.set_many({'process_label': label, 'process_state': state})
        if exit_status is not None:
            node.base.attributes.set('exit_status', exit_status)
        return node

    def kkrimp(
        self,
        files: Mapping[str, bytes] | None,
        inputs: Mapping[str, Data],
        parent: CalcJobNode | None = None,
        **options: Any,
    ) -> CalcJobNode:
        """A KKRimp calculation with these retrieved files, or none at all."""
        from aiida import orm

        links = dict(inputs)
        if parent is not None:
            links['parent_calc_folder'] = parent.outputs.remote_folder
        options = {'label': 'KkrimpCalculation', 'process_type': KKRIMP} | options
        node = self.process(orm.CalcJobNode, inputs=links, **options)
        remote = orm.RemoteData(remote_path=f'/scratch/{node.uuid}', computer=self._computer)
        self.output(node, remote, 'remote_folder')
        if files is not None:
            self.output(node, folder_of(files), 'retrieved')
        return node

    @staticmethod
    def output(process: ProcessNode, data: Data, label: str) -> Data:
        """Link an output to a process: a created one, or one that a workchain returns."""
        from aiida import orm
        from aiida.common.links import LinkType

        created = isinstance(process, orm.CalculationNode)
        if not created:
            data.store()
        data.base.links.add_incoming(process, LinkType.CREATE if created else LinkType.RETURN, label)
        return data.store()


def folder_of(files: Mapping[str, bytes]) -> FolderData:
    """A folder with these files."""
    from aiida import orm

    node = orm.FolderData()
    for name, content in files.items():
        node.base.repository.put_object_from_bytes(content, name)
    return node


def files_of(folder: FolderData) -> dict[str, bytes]:
    """The files of a folder."""
    repository = folder.base.repository
    return {name: repository.get_object_content(name, 'rb') for name in repository.list_object_names()}


def packed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Retrieved files as aiida-kkr 1.x left them: one archive without the potential, the log cut to one iteration."""
    log = files['out_log.000.txt'].decode()
    header, last = log[: log.index('Iteration Number')], log[log.rindex('  Iteration Number') :]
    kept = {name: files[name] for name in ('config.cfg', 'kkrflex_atominfo', 'out_kkrimp', 'out_timing.000.txt')}
    kept['out_log.000.txt'] = f'{header}# ... [removed output except for last iteration] ...\n{last}'.encode()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w:gz') as tar:
        for name, content in kept.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return {'_scheduler-stderr.txt': b'', 'output_all.tar.gz': stream.getvalue()}
