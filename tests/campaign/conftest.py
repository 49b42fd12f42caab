"""Copper by JuKKR: the packaged archive, and a second write-out of two sites that is made from it."""

from __future__ import annotations

import pytest


@pytest.fixture(scope='module')
def workchains(aiida_profile):
    """Finished ``kkr_imp_wc`` of the packaged archive by element."""
    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        entries = choose_impurities(archived_workchains(path), ('Mn', 'Zn'))
        nodes, _ = import_workchains(path, entries)
    return {entry.symbol: node for entry, node in zip(entries, nodes, strict=True)}


@pytest.fixture(scope='module')
def copper(workchains):
    """The 13 sites of the archive's write-out."""
    from aiida_mlkkr.campaign.hosts import host_clusters

    (cluster,) = host_clusters(workchains.values())
    return cluster
