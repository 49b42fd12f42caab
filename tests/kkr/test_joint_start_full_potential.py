"""Start potentials of two impurities from each alone, in full potential: Mn and Cr in copper by JuKKR."""

from __future__ import annotations

import full_potential as cu
import numpy as np
import pytest

from aiida_mlkkr.kkr.arrangement import Screening, joint_cluster
from aiida_mlkkr.kkr.joint_start import Single, joined_potential
from aiida_mlkkr.kkr.patterns import dimer
from aiida_mlkkr.kkr.potential import ImpurityPotential
from aiida_mlkkr.kkr.shapes import values_of
from aiida_mlkkr.solver.start import host_of_cluster


def single(element: str) -> Single:
    """The impurity and one of its neighbours as JuKKR has them, the other neighbours as in the host."""
    cluster = cu.writeout().cluster.with_impurities([cu.Z[element]])
    host = host_of_cluster(cu.writeout().potential, cluster.layer).sites
    return Single(cluster, ImpurityPotential((*cu.potential(element).sites, *host[2:])))


def test_all_components_are_joined() -> None:
    lattice = cu.writeout().lattice
    cluster = joint_cluster(lattice, dimer(lattice, 3), [25.0, 24.0], Screening(shells=1))
    host = host_of_cluster(cu.writeout().potential, cluster.layer)
    manganese, chromium = single('mn'), single('cr')
    start = joined_potential(cluster, host, [manganese, chromium], [3.0, -3.0])
    assert start.is_full_potential
    mesh = host.sites[0][0].mesh
    mn, cr = cluster.impurity_sites
    for spin in range(2):
        # neither is a neighbour of the other; the moment of Cr is turned, so that its spins are exchanged
        expected = values_of(manganese.potential.sites[0][spin], mesh)
        np.testing.assert_allclose(values_of(start.sites[mn][spin], mesh), expected, atol=1e-12)
        expected = values_of(chromium.potential.sites[0][1 - spin], mesh)
        np.testing.assert_allclose(values_of(start.sites[cr][spin], mesh), expected, atol=1e-12)
    assert np.abs(values_of(start.sites[mn][0], mesh)[mesh.n :]).max() > 1e-3


def test_what_both_change_on_a_site_is_added() -> None:
    lattice = cu.writeout().lattice
    cluster = joint_cluster(lattice, dimer(lattice, 1), [25.0, 24.0], Screening(shells=1))
    host = host_of_cluster(cu.writeout().potential, cluster.layer)
    manganese, chromium = single('mn'), single('cr')
    start = joined_potential(cluster, host, [manganese, chromium])
    mesh = host.sites[0][0].mesh
    of_host = values_of(host.sites[0][0], mesh)
    changed = {}
    for its, site in ((manganese, cluster.impurity_sites[0]), (chromium, cluster.impurity_sites[1])):
        place = cluster.positions[site] + its.cluster.positions[1]
        there = int(np.linalg.norm(cluster.positions - place, axis=1).argmin())
        changed.setdefault(there, np.zeros_like(of_host))
        changed[there] += values_of(its.potential.sites[1][0], mesh) - of_host
    for site, difference in changed.items():
        if site not in cluster.impurity_sites:
            np.testing.assert_allclose(values_of(start.sites[site][0], mesh), of_host + difference, atol=1e-12)
    untouched = set(range(cluster.natom)) - set(changed) - set(cluster.impurity_sites)
    assert untouched
    for site in untouched:
        np.testing.assert_array_equal(values_of(start.sites[site][0], mesh), of_host)


def test_a_single_in_atomic_spheres_does_not_fit() -> None:
    cluster = cu.writeout().cluster.with_impurities([25.0])
    host = host_of_cluster(cu.writeout().potential, cluster.layer)
    sites = tuple(tuple(type(block)(**{**vars(block), 'nonspherical': None}) for block in site) for site in host.sites)
    lattice = cu.writeout().lattice
    joint = joint_cluster(lattice, dimer(lattice, 1), [25.0, 25.0], Screening(shells=1))
    alone = Single(cluster, ImpurityPotential(sites))
    with pytest.raises(ValueError, match='components of'):
        joined_potential(joint, host_of_cluster(cu.writeout().potential, joint.layer), [alone])
