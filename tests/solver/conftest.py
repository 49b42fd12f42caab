"""Real input files of JuKKR for the solver's tests: the two-site Mn pair in Cu."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest

from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.solver.config import KkrimpConfig, read_config
from aiida_mlkkr.solver.problem import ImpurityProblem, read_problem

PAIR = Path(__file__).parents[1] / 'data' / 'mn_pair'
HOST_FILES = ('kkrflex_green', 'kkrflex_tmat', 'kkrflex_intercell_ref', 'kkrflex_intercell_cmoms')


def unpack(source: Path, target: Path) -> None:
    """Copy a file of the test data, which may be stored compressed."""
    if source.exists():
        shutil.copy(source, target)
    else:
        target.write_bytes(gzip.decompress(source.with_name(source.name + '.gz').read_bytes()))


@pytest.fixture(scope='session')
def pair_source() -> Path:
    """The calculations of the pair, as stored: ``calc0`` from the start potential, ``calc1`` to convergence, ``gf``."""
    return PAIR


@pytest.fixture(scope='session')
def read_stored_potential() -> Callable[[Path], ImpurityPotential]:
    """Read a potential of the test data, which is compressed."""

    def read(path: Path) -> ImpurityPotential:
        with gzip.open(path, 'rt') as stream:
            return read_potential(stream, 2)

    return read


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that lays out all input files of a run of the pair in a new folder.

    ``calculation`` is calc0 or calc1; ``settings`` replaces JuKKR's config.cfg.
    """

    def make(calculation: str = 'calc1', settings: str | None = None) -> Path:
        folder = Path(mkdtemp(prefix='run', dir=tmp_path))
        for file in HOST_FILES:
            unpack(PAIR / 'gf' / file, folder / file)
        for file in ('kkrflex_atominfo', 'potential', 'config.cfg'):
            unpack(PAIR / calculation / file, folder / file)
        if settings is not None:
            (folder / 'config.cfg').write_text(settings)
        return folder

    return make


@pytest.fixture
def read_run() -> Callable[[Path], tuple[ImpurityProblem, KkrimpConfig]]:
    """Read the input files in a folder."""

    def read(folder: Path) -> tuple[ImpurityProblem, KkrimpConfig]:
        config = read_config(folder / 'config.cfg')
        return read_problem(folder, config), config

    return read
