"""Write-outs: found wherever they are, and the impurities that they take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest


def test_a_write_out_is_found_by_what_it_belongs_to(workchains, copper):
    from aiida_mlkkr.campaign.hosts import host_clusters

    for node in (copper.writeout, copper.greenfunction, workchains['Zn']):
        (found,) = host_clusters([node])
        assert found.writeout.uuid == copper.writeout.uuid
    assert host_clusters([workchains['Mn'].inputs.impurity_info]) == []
    assert (copper.name, copper.lmax, set(copper.z)) == ('Cu (alat 4.824), 13 sites', 2, {29.0})


def test_neighbours_are_a_shell(copper):
    site = copper.site_of_shell(1)
    assert np.linalg.norm(copper.cluster.positions[site]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match='1 shells around its centre, no shell 2'):
        copper.site_of_shell(2)


def test_impurities_are_where_they_are_asked_for(copper):
    """As aiida-kkr understands them: one in the words of the write-out, several by the table of all sites."""
    from aiida_mlkkr.workflows.imp_scf.writeout import cluster_in_host

    neighbour = copper.site_of_shell(1)
    for sites, charges in (((copper.centre,), (25,)), ((copper.centre, neighbour), (25, 30))):
        cluster = cluster_in_host(copper.writeout, copper.impurity_info(sites, charges))
        assert cluster.impurity_sites == sites
        assert cluster.z[list(sites)].tolist() == list(charges)
        assert set(np.delete(cluster.z, sites)) == {29.0}


def test_sites_that_the_write_out_was_made_for_go_back_to_the_host(copper):
    """A write-out for a pair of Mn takes one impurity: Cu stands on the other site."""
    table = copper.cluster.z_table.copy()
    neighbour = copper.site_of_shell(1)
    table[[copper.centre, neighbour]] = 25.0
    pair = replace(copper, cluster=replace(copper.cluster, z_table=table))
    info = pair.impurity_info((pair.centre, neighbour), (24, 26))
    assert info['Zimp'] == [24.0, 26.0]
    single = pair.cluster.with_impurities(
        *(pair.impurity_info((neighbour,), (26,))[key] for key in ('Zimp', 'Rimp_rel'))
    )
    expected = np.full(13, 29.0)
    expected[neighbour] = 26.0
    assert single.z.tolist() == expected.tolist()
