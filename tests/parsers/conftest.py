"""Parsers of this package's programs, on files that were written by hand."""

from __future__ import annotations

import io

import pytest

PROGRAMS = {'mlkkr.monte_carlo': 'mlkkr-monte-carlo', 'mlkkr.train': 'aiida-mlkkr-train'}
"""Names of the programs by those of their calculations."""

STOPPED = {
    'mlkkr.monte_carlo': '{"time": 2.0, "stopped": "out of walltime"}\n',
    'mlkkr.train': '{"time": 2.0, "stopped": "out of walltime", "further": true}\n',
}
"""The last lines of their records when the time was over."""

SAVED = '{"time": 1.0, "checkpoint": true}\n'


@pytest.fixture
def parse(aiida_localhost, tmp_path):
    """A function: the parser's exit code and outputs for retrieved files of a calculation that was not run."""
    from aiida import orm
    from aiida.common.links import LinkType
    from aiida.plugins import ParserFactory

    def of_files(entry_point, scheduler_status=None, temporary=None, **files):
        name = entry_point.removeprefix('mlkkr.')
        names = {'out': f'{name}.out', 'err': '_scheduler-stderr.txt', 'progress': 'progress.jsonl'}
        names |= {'report': 'report.json', 'model': 'model.safetensors'}
        node = orm.CalcJobNode(computer=aiida_localhost, process_type=f'aiida.calculations:{entry_point}')
        node.set_options(
            {'resources': {'num_machines': 1}, 'output_filename': names['out'], 'scheduler_stderr': names['err']}
        )
        if scheduler_status is not None:
            node.set_exit_status(scheduler_status)
        node.store()
        folder = orm.FolderData()
        for key, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            folder.base.repository.put_object_from_filelike(io.BytesIO(data), names[key])
        folder.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label='retrieved')
        folder.store()
        for key, content in (temporary or {}).items():
            (tmp_path / key).write_bytes(content)
        parser = ParserFactory(entry_point)(node)
        return parser.parse(retrieved_temporary_folder=str(tmp_path)), parser.outputs

    return of_files
