"""Two ``impurity_info``: the same sites or not, as aiida-kkr's KkrimpCalculation sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_mlkkr.kkr.cluster import ImpurityCluster, read_scoef
from aiida_mlkkr.kkr.impurity_info import sites_asked, sites_mismatch

WRITTEN = {'Rcut': 2.6802882540876, 'ilayer_center': 0, 'Zimp': [25.0]}


@pytest.fixture(scope='module')
def cluster() -> ImpurityCluster:
    """The 13 sites of the write-out in copper."""
    return read_scoef(Path(__file__).parents[1] / 'data' / 'kkr' / 'cu13_scoef')


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'Zimp': 30}, ''),
        ({'ilayer_center': 0}, ''),
        ({'Rcut': 3.0}, 'Rcut is 3.0, that of the write-out is 2.68'),
        ({'hcut': 1.0}, 'hcut is 1.0, that of the write-out is None'),
        ({'ilayer_center': 1}, 'ilayer_center is 1, that of the write-out is 0'),
        ({'Rimp_rel': [[0, 0, 0]]}, 'Rimp_rel is [[0, 0, 0]], that of the write-out is None'),
    ],
)
def test_sites_by_a_radius(cluster, change, words):
    mismatch = sites_mismatch({**WRITTEN, **change}, WRITTEN, cluster)
    assert mismatch.startswith(words)
    assert bool(mismatch) == bool(words)
    assert (sites_asked({**WRITTEN, **change}) == sites_asked(WRITTEN)) == (not words)


def test_a_table_of_sites_is_compared_with_those_written(cluster):
    table = cluster.table()
    info = {'imp_cls': table.tolist(), 'Zimp': [25]}
    assert sites_mismatch(info, WRITTEN, cluster) == ''
    table[0, 4] = 25.0  # the nuclear charges in the table do not count
    table[3, 0] += 1e-7
    assert sites_mismatch({'imp_cls': table.tolist(), 'Zimp': [25]}, WRITTEN, cluster) == ''
    assert 'has 12 sites' in sites_mismatch({'imp_cls': table[:-1].tolist()}, WRITTEN, cluster)
    table[3, 0] += 1e-3
    assert 'not the 13 sites' in sites_mismatch({'imp_cls': table.tolist()}, WRITTEN, cluster)


def test_a_radius_for_a_written_table(cluster):
    """aiida-kkr does not take it, even if the sites are the same."""
    assert 'given by imp_cls' in sites_mismatch(WRITTEN, {'imp_cls': cluster.table().tolist()}, cluster)


def test_minus_zero_is_zero(cluster):
    table = cluster.table()
    assert sites_asked({'imp_cls': table}) == sites_asked({'imp_cls': table + 0.0})
    table[0, :3] = -0.0
    assert sites_asked({'imp_cls': table}) == sites_asked({'imp_cls': cluster.table()})
