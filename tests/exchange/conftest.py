"""A file of JuKKR for the tests of exchange."""

import gzip
from pathlib import Path

import pytest

from aiida_mlkkr.kkr.jij_matrix import JijMatrices, read_jij_matrices


@pytest.fixture(scope='session')
def jukkr_pair(tmp_path_factory: pytest.TempPathFactory) -> JijMatrices:
    """Two Mn neighbours in Cu, full potential with spin-orbit coupling."""
    stored = Path(__file__).parents[1] / 'data' / 'kkr' / 'mn_pair_out_Jijmatrix.gz'
    path = tmp_path_factory.mktemp('jij') / 'out_Jijmatrix'
    path.write_bytes(gzip.decompress(stored.read_bytes()))
    return read_jij_matrices(path)
