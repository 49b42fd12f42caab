"""KKRimp calculations of AiiDA archives as plain folders, with JuKKR's results next to the input.

The archive is opened read-only where it lies; nothing is imported into a profile.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST_FILES = ('kkrflex_green', 'kkrflex_tmat', 'kkrflex_intercell_ref', 'kkrflex_intercell_cmoms')
INPUT_FILES = ('config.cfg', 'kkrflex_atominfo', 'potential')
WRITEOUT_FILES = ('scoef', 'inputcard', 'out_potential')
"""What else of the write-out lies beside the host's files, which the links of a stage lead to."""


@dataclass(frozen=True)
class ArchivedRun:
    """One self-consistency of an archive.

    :param name: archive and label of the workflow.
    :param stages: folders of its successive KKRimp calculations; each holds the complete input, and JuKKR's output
        files in ``jukkr``.
    """

    name: str
    stages: tuple[Path, ...]


def extract(archive: Path, folder: Path) -> list[ArchivedRun]:
    """Write the successful KKRimp calculations of ``archive`` into ``folder``, one run for each workflow."""
    configuration = folder / '.aiida'
    configuration.mkdir(exist_ok=True)
    os.environ['AIIDA_PATH'] = str(folder)
    from aiida import orm, profile_context
    from aiida.storage.sqlite_zip.backend import SqliteZipBackend

    runs: dict[str, list[orm.CalcJobNode]] = {}
    with profile_context(SqliteZipBackend.create_profile(archive), allow_switch=True):
        query = orm.QueryBuilder().append(
            orm.CalcJobNode, filters={'attributes.process_label': 'KkrimpCalculation', 'attributes.exit_status': 0}
        )
        for calculation in sorted(query.all(flat=True), key=lambda node: node.pk):
            runs.setdefault(_name(calculation), []).append(calculation)
        return [
            ArchivedRun(
                f'{archive.stem}: {name}',
                tuple(
                    _write(calculation, folder / archive.stem / name.replace(' ', '_') / str(stage), folder)
                    for stage, calculation in enumerate(calculations, start=1)
                ),
            )
            for name, calculations in sorted(runs.items())
        ]


def _name(calculation: Any) -> str:
    node = calculation
    while node.caller is not None:
        node = node.caller
    return str(node.label or node.process_label)


def _write(calculation: Any, stage: Path, folder: Path) -> Path:
    jukkr = stage / 'jukkr'
    jukkr.mkdir(parents=True)
    _copy(calculation.base.repository, INPUT_FILES, stage)
    _copy(calculation.outputs.retrieved.base.repository, ('out_log.000.txt', 'out_kkrimp', 'out_potential'), jukkr)
    write_out = calculation.inputs.host_Greenfunction_folder.creator
    host = folder / f'host_{write_out.uuid}'
    if not host.exists():
        host.mkdir()
        _copy(write_out.outputs.retrieved.base.repository, (*HOST_FILES, *WRITEOUT_FILES), host)
    for name in HOST_FILES:
        (stage / name).symlink_to(host / name)
    return stage


def _copy(repository: Any, names: tuple[str, ...], folder: Path) -> None:
    for name in names:
        (folder / name).write_bytes(repository.get_object_content(name, 'rb'))
