"""The archive that comes with the package: JuKKR's impurities in copper, looked into, checked and imported."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from aiida_mlkkr.demo.errors import DemoError

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode

ARCHIVE_NAME = 'cu_impurities.aiida'


@dataclass(frozen=True)
class ArchivedImpurity:
    """A finished impurity workchain (`kkr_imp_wc`) of an archive."""

    symbol: str
    atomic_number: int
    uuid: str


@contextmanager
def packaged_archive() -> Iterator[Path]:
    """Path of the archive inside the installed package."""
    with as_file(files('aiida_mlkkr.demo') / ARCHIVE_NAME) as path:
        yield path


def check_archive(path: Path) -> None:
    """Read every member of the archive and compare its checksum.

    :raises DemoError: there is no such file, it is not an archive, or it is damaged.
    """
    if not path.is_file():
        raise DemoError(f'there is no archive {path}; is the package installed completely?')
    advice = 'Fetch the file again, or reinstall the package if it is the one that came with it.'
    try:
        with zipfile.ZipFile(path) as handle:
            broken = handle.testzip()
            names = set(handle.namelist())
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DemoError(f'the archive {path} is damaged or no AiiDA archive ({error}). {advice}') from error
    if broken is not None:
        raise DemoError(f'the archive {path} is damaged (in {broken}). {advice}')
    if not {'metadata.json', 'db.sqlite3'} <= names:
        raise DemoError(f'the archive {path} is no AiiDA archive of version 2: it holds no db.sqlite3. {advice}')


@contextmanager
def current_archive(path: Path) -> Iterator[Path]:
    """The archive, migrated to this aiida-core's archive version where it is older.

    :raises DemoError: the archive is damaged, or newer than this aiida-core.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.tools.archive.abstract import get_format

    check_archive(path)
    archive_format = get_format()
    try:
        version = archive_format.read_version(path)
        if version == archive_format.latest_version:
            yield path
            return
        with TemporaryDirectory() as folder:
            migrated = Path(folder) / path.name
            archive_format.migrate(path, migrated, archive_format.latest_version)
            yield migrated
    except AiidaException as error:
        raise DemoError(f'the archive {path} cannot be read by this aiida-core: {error}') from error


def archived_workchains(path: Path) -> tuple[ArchivedImpurity, ...]:
    """The finished single-impurity workchains in an archive of the current version, by atomic number.

    :raises DemoError: the archive's database is damaged.
    """
    from aiida import orm
    from aiida.common.constants import elements
    from aiida.tools.archive.abstract import get_format
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with get_format().open(path, 'r') as reader:
            query = reader.querybuilder()
            query.append(
                orm.WorkChainNode,
                filters={'attributes.process_label': 'kkr_imp_wc', 'attributes.exit_status': 0},
                project='uuid',
                tag='workchain',
            )
            query.append(
                orm.Dict, with_outgoing='workchain', edge_filters={'label': 'impurity_info'}, project='attributes.Zimp'
            )
            rows = query.all()
    except (SQLAlchemyError, KeyError, ValueError) as error:
        raise DemoError(f'the database in the archive {path} cannot be read: {error}') from error

    found = []
    for uuid, charges in rows:
        numbers = charges if isinstance(charges, list) else [charges]
        if len(numbers) == 1:
            number = round(numbers[0])
            found.append(ArchivedImpurity(str(elements[number]['symbol']), number, uuid))
    return tuple(sorted(found, key=lambda entry: (entry.atomic_number, entry.uuid)))


def choose_impurities(
    available: tuple[ArchivedImpurity, ...], symbols: tuple[str, ...]
) -> tuple[ArchivedImpurity, ...]:
    """The archived impurities with the given element symbols, in the order asked for.

    :raises DemoError: an element is not in the archive.
    """
    by_symbol = {entry.symbol: entry for entry in available}
    missing = [symbol for symbol in symbols if symbol not in by_symbol]
    if missing:
        raise DemoError(
            f'the archive holds no impurity {", ".join(missing)}; it has {", ".join(by_symbol) or "none at all"}.'
        )
    return tuple(by_symbol[symbol] for symbol in dict.fromkeys(symbols))


def import_workchains(path: Path, chosen: tuple[ArchivedImpurity, ...]) -> tuple[list[WorkChainNode], bool]:
    """The chosen workchains as nodes of the loaded profile; the archive is imported where one of them is not there yet.

    :returns: the nodes, and whether an import was needed.
    :raises DemoError: the import failed; the profile is left without the archive's nodes.
    """
    from aiida import orm
    from aiida.common.exceptions import AiidaException
    from aiida.tools.archive import import_archive

    uuids = [entry.uuid for entry in chosen]
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'uuid': {'in': uuids}})
    needed = query.count() < len(uuids)
    if needed:
        try:
            import_archive(path, create_group=False)
        except (AiidaException, ValueError) as error:
            raise DemoError(f'the archive {path} could not be imported: {error}') from error
    nodes = {node.uuid: node for node in query.all(flat=True)}
    return [nodes[uuid] for uuid in uuids], needed
