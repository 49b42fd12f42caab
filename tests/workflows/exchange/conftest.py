"""Impurities of the demo's archive, and its host."""

from __future__ import annotations

import pytest


@pytest.fixture(scope='module')
def workchains(aiida_profile):
    """Manganese and zinc of the demo's archive, by name."""
    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        nodes, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Mn', 'Zn')))
    return dict(zip(('Mn', 'Zn'), nodes, strict=True))


@pytest.fixture(scope='module')
def copper(workchains):
    """The 13 sites of the archive's write-out."""
    from aiida_mlkkr.campaign.hosts import host_clusters

    (cluster,) = host_clusters(workchains.values())
    return cluster
