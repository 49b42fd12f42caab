"""The archive in the package: complete, small, checked before anything is imported."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from aiida_mlkkr.demo.archive import (
    archived_workchains,
    check_archive,
    choose_impurities,
    current_archive,
    import_workchains,
    packaged_archive,
)
from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.main import DEFAULT_ELEMENTS


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A copy of the packaged archive."""
    with packaged_archive() as path:
        return Path(shutil.copy(path, tmp_path))


def with_version(archive: Path, version: str) -> Path:
    """The archive, declared to be of another version of the format."""
    changed = archive.with_name('changed.aiida')
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(changed, 'w') as target:
        for member in source.infolist():
            content = source.read(member)
            if member.filename == 'metadata.json':
                content = json.dumps({**json.loads(content), 'export_version': version}).encode()
            target.writestr(member, content)
    return changed


def test_it_holds_what_the_demo_needs_and_fits_into_the_wheel(archive: Path):
    assert archive.stat().st_size <= 8e6
    available = archived_workchains(archive)
    assert {entry.symbol for entry in available} >= set(DEFAULT_ELEMENTS)
    assert [entry.atomic_number for entry in available] == sorted(entry.atomic_number for entry in available)


def test_impurities_come_in_the_order_asked_for_and_once(archive: Path):
    available = archived_workchains(archive)
    assert [entry.symbol for entry in choose_impurities(available, ('Zn', 'V', 'Zn'))] == ['Zn', 'V']
    with pytest.raises(DemoError, match=r'holds no impurity Gd, Xx; it has Na, Mg, Al, P, Sc, Ti, V'):
        choose_impurities(available, ('V', 'Gd', 'Xx'))


def test_a_truncated_archive_is_named(archive: Path):
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(DemoError, match=r'cu_impurities.aiida is damaged.*reinstall'):
        check_archive(archive)


def test_a_flipped_byte_is_found(archive: Path):
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(DemoError, match='damaged'):
        check_archive(archive)


def test_something_else_is_no_archive(tmp_path: Path):
    text, other = tmp_path / 'text.aiida', tmp_path / 'other.zip'
    text.write_text('version https://git-lfs.github.com/spec/v1\n', encoding='ascii')
    with zipfile.ZipFile(other, 'w') as handle:
        handle.writestr('readme.txt', 'hello')
    with pytest.raises(DemoError, match='no AiiDA archive'):
        check_archive(text)
    with pytest.raises(DemoError, match=r'holds no db\.sqlite3'):
        check_archive(other)
    with pytest.raises(DemoError, match='there is no archive'):
        check_archive(tmp_path / 'missing.aiida')


def test_a_damaged_database_is_named(archive: Path):
    changed = archive.with_name('changed.aiida')
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(changed, 'w') as target:
        for member in source.infolist():
            content = source.read(member)
            target.writestr(member, content[:5000] if member.filename == 'db.sqlite3' else content)
    with current_archive(changed) as path, pytest.raises(DemoError, match='database in the archive'):
        archived_workchains(path)


def test_an_older_archive_is_migrated_and_a_newer_one_refused(archive: Path):
    with current_archive(with_version(archive, 'main_0000b')) as migrated:
        assert len(archived_workchains(migrated)) == 15
    with (
        pytest.raises(DemoError, match='cannot be read by this aiida-core'),
        current_archive(with_version(archive, 'main_9999')),
    ):
        pass


@pytest.mark.usefixtures('aiida_profile_clean')
def test_it_is_imported_once(archive: Path):
    from aiida import orm

    chosen = choose_impurities(archived_workchains(archive), ('Mn', 'Al'))
    nodes, imported = import_workchains(archive, chosen)
    assert imported
    assert [node.process_label for node in nodes] == ['kkr_imp_wc', 'kkr_imp_wc']
    assert [node.inputs.impurity_info['Zimp'] for node in nodes] == [[25.0], [13.0]]
    count = orm.QueryBuilder().append(orm.Node).count()
    again, imported = import_workchains(archive, chosen)
    assert not imported
    assert [node.pk for node in again] == [node.pk for node in nodes]
    assert orm.QueryBuilder().append(orm.Node).count() == count
