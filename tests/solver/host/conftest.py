"""The input of the write-out of the two-site cluster in Cu, as KkrCalculation wrote it for JuKKR."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

WRITE_OUT = Path(__file__).parents[2] / 'data' / 'mn_pair' / 'gf'


@pytest.fixture(scope='session')
def jukkr_files() -> Path:
    """The folder with the files that JuKKR wrote."""
    return WRITE_OUT


@pytest.fixture
def make_input(tmp_path: Path) -> Callable[[], Path]:
    """Return a function that lays the input files out in a folder."""

    def make() -> Path:
        return lay_out(tmp_path)

    return make


def lay_out(folder: Path) -> Path:
    for name in ('inputcard', 'scoef'):
        shutil.copy(WRITE_OUT / name, folder)
    (folder / 'potential').write_bytes(gzip.decompress((WRITE_OUT / 'potential.gz').read_bytes()))
    (folder / 'shapefun').touch()
    return folder


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the input files, and everything that the write-out makes of them."""
    from aiida_mlkkr.solver.host.write_out import write_out

    folder = lay_out(tmp_path_factory.mktemp('write_out'))
    write_out(folder)
    return folder
