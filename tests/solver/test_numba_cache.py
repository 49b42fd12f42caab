"""Where compiled code is kept when nothing around the package can be written to."""

import importlib.util
import os
import stat
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from aiida_mlkkr.solver import numba_cache


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module in a folder where it cannot keep compiled code: also root cannot make a folder of a file."""
    package = tmp_path / 'package'
    package.mkdir()
    source = package / 'numba_cache.py'
    source.write_text(Path(numba_cache.__file__).read_text())
    (package / '__pycache__').write_text('')
    (tmp_path / 'not_a_folder').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'not_a_folder' / 'cache'))
    # set and deleted, so that what the module sets is taken back afterwards
    monkeypatch.setenv('NUMBA_CACHE_DIR', '')
    monkeypatch.delenv('NUMBA_CACHE_DIR')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    specification = importlib.util.spec_from_file_location('numba_cache_elsewhere', source)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def chosen() -> Path:
    return Path(os.environ['NUMBA_CACHE_DIR'])


def test_private_folder_when_nothing_can_be_written(elsewhere: ModuleType, tmp_path: Path) -> None:
    elsewhere.choose_cache()
    assert chosen() == tmp_path / f'aiida-mlkkr-numba-{os.getuid()}'
    assert stat.S_IMODE(chosen().stat().st_mode) == 0o700


def test_the_same_folder_again(elsewhere: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.choose_cache()
    first = chosen()
    monkeypatch.delenv('NUMBA_CACHE_DIR')
    elsewhere.choose_cache()
    assert chosen() == first


@pytest.mark.parametrize('trap', ['open to others', 'link', 'file'])
def test_folder_that_is_not_private_is_not_trusted(elsewhere: ModuleType, tmp_path: Path, trap: str) -> None:
    shared = tmp_path / f'aiida-mlkkr-numba-{os.getuid()}'
    if trap == 'file':
        shared.write_text('')
    elif trap == 'link':
        (tmp_path / 'target').mkdir(mode=0o700)
        shared.symlink_to(tmp_path / 'target')
    else:
        shared.mkdir()
        shared.chmod(0o777)
    elsewhere.choose_cache()
    assert chosen().parent == tmp_path
    assert chosen() != shared
    assert stat.S_IMODE(chosen().stat().st_mode) == 0o700


def test_cache_of_the_user_is_left_to_numba(
    elsewhere: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    elsewhere.choose_cache()
    assert 'NUMBA_CACHE_DIR' not in os.environ


def test_users_own_choice_stays(elsewhere: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('NUMBA_CACHE_DIR', '/anywhere')
    elsewhere.choose_cache()
    assert os.environ['NUMBA_CACHE_DIR'] == '/anywhere'
