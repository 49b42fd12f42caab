"""Start potentials of two impurities from each alone, on copper's meshes by JuKKR."""

from __future__ import annotations

import dataclasses
import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.arrangement import LatticeSite, Screening, joint_cluster
from aiida_mlkkr.kkr.cluster import HostLattice
from aiida_mlkkr.kkr.joint_start import Single, joined_potential
from aiida_mlkkr.kkr.patterns import dimer
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential

DATA = Path(__file__).parents[1] / 'data' / 'mn_pair'
FCC = HostLattice(
    3.61 * np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]), np.zeros((1, 3)), np.ones(1) * 29
)


def potential(name):
    return read_potential(io.StringIO(gzip.decompress((DATA / name).read_bytes()).decode()))


HOST = potential('gf/out_potential.gz').sites[0]
MN = potential('calc1/out/out_potential.gz').sites[0]


def shifted(blocks, by):
    return tuple(dataclasses.replace(block, v=block.v + by) for block in blocks)


def single(blocks=MN, z=25, **around):
    """Alone among its twelve neighbours, all of them shifted."""
    cluster = joint_cluster(FCC, [LatticeSite()], [z], Screening(shells=1))
    sites = [shifted(HOST, around.get('by', 0.0))] * cluster.natom
    sites[cluster.impurity_sites[0]] = tuple(dataclasses.replace(block, z=float(z)) for block in blocks)
    return Single(cluster, ImpurityPotential(tuple(sites)))


def joined(*singles, shell=1, charges=(25, 26), moments=None, screening=None):
    cluster = joint_cluster(FCC, dimer(FCC, shell), list(charges), screening or Screening(shells=1))
    return cluster, joined_potential(cluster, ImpurityPotential((HOST,) * cluster.natom), singles, moments)


def test_what_the_impurities_change_is_added():
    iron = single(shifted(MN, 0.5), z=26, by=0.03)
    cluster, start = joined(single(by=0.01), iron)
    mn, fe = cluster.impurity_sites
    assert [site[0].z for site in start.sites] == cluster.z.tolist()
    np.testing.assert_allclose(start.sites[mn][1].v, MN[1].v + 0.03, atol=1e-14)
    np.testing.assert_allclose(start.sites[fe][0].v, MN[0].v + 0.5 + 0.01, atol=1e-14)
    assert start.sites[fe][0].core == MN[0].core
    near = np.linalg.norm(cluster.positions[:, None] - cluster.positions[[mn, fe]], axis=2) < 1.01
    for site in set(range(cluster.natom)) - {mn, fe}:
        np.testing.assert_allclose(start.sites[site][0].v, HOST[0].v + near[site] @ [0.01, 0.03], atol=1e-14)


def test_far_apart_they_do_not_meet():
    cluster, start = joined(single(by=0.01), shell=4, charges=(25, 25), screening=Screening(shells=2))
    for site in cluster.impurity_sites:
        np.testing.assert_allclose(start.sites[site][0].v, MN[0].v, atol=1e-14)
    distance = np.linalg.norm(cluster.positions[:, None] - cluster.positions[list(cluster.impurity_sites)], axis=2)
    (both,) = np.flatnonzero((np.abs(distance - 1) < 1e-3).all(axis=1))
    np.testing.assert_allclose(start.sites[both][0].v, HOST[0].v + 0.02, atol=1e-14)
    outside = np.flatnonzero((distance > 1.01).all(axis=1))
    assert outside.size
    assert all(start.sites[site][0].v is HOST[0].v or (start.sites[site][0].v == HOST[0].v).all() for site in outside)


def test_moments_are_turned_as_asked():
    assert single().sign == 1
    assert single().turned().sign == -1
    cluster, start = joined(single(), charges=(25, 25), moments=[3.0, -3.0])
    up, down = (start.sites[site] for site in cluster.impurity_sites)
    np.testing.assert_array_equal(up[0].v, down[1].v)
    np.testing.assert_array_equal(up[1].v, down[0].v)
    assert [block.title for block in up] == [block.title for block in down]
    assert down[0].core == up[1].core
    _, same = joined(single().turned(), charges=(25, 25), moments=[3.0, -3.0])
    np.testing.assert_array_equal(same.sites[cluster.impurity_sites[0]][0].v, up[0].v)
    _, kept = joined(single().turned(), charges=(25, 25), moments=[0.0, 0.0])
    np.testing.assert_array_equal(kept.sites[cluster.impurity_sites[0]][0].v, up[1].v)


def test_singles_that_do_not_fit():
    with pytest.raises(ValueError, match='there is no Fe alone on a site of layer 1'):
        joined(single())
    other = tuple(dataclasses.replace(block, efermi=block.efermi + 0.01) for block in MN)
    with pytest.raises(ValueError, match='Mn alone was calculated at a Fermi energy'):
        joined(single(other), charges=(25, 25))
    mesh = dataclasses.replace(HOST[0].mesh, b=HOST[0].mesh.b * 1.01)
    with pytest.raises(ValueError, match='Mn alone was calculated on other radial meshes'):
        joined(single(tuple(dataclasses.replace(block, mesh=mesh) for block in MN)), charges=(25, 25))
    pair = joint_cluster(FCC, dimer(FCC), [25, 25])
    with pytest.raises(ValueError, match='a single impurity is needed, not 2'):
        Single(pair, ImpurityPotential((HOST, HOST)))
