"""Environments of sites, against the power spectrum of every pair of elements, without any compression."""

import numpy as np
import pytest
from ase import Atoms
from dscribe.descriptors import SOAP
from model_clusters import SITES, host

from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.ml.sites import Sites, sites_of_cluster
from aiida_mlkkr.ml.soap import CUTOFF, element_weights, environments, nearest_distance

HOSTS = [host(29.0), host(47.0, alat=7.73)]


def cluster(impurities: dict[int, int], number: int = 0) -> Sites:
    z = np.full(len(SITES), HOSTS[number].z[0])
    for site, charge in impurities.items():
        z[site] = charge
    return sites_of_cluster(HOSTS, number, SITES, np.ones(len(SITES), dtype=np.int64), z, np.ones(len(SITES)))


def overlaps(sites: Sites) -> np.ndarray:
    vectors, which = environments(sites, sites.neighbour_z)
    return (vectors @ vectors.T)[np.ix_(which, which)]


def test_blocks_of_pairs_of_elements_contracted() -> None:
    """With p_nn' of all pairs of elements: Σ_ab P_ab·P'_ab, P_ab = Σ_ZZ' u_a(Z) u_b(Z') (p_nn' + p_n'n)/2."""
    here = np.array([0])
    sites = Sites.join([cluster({1: 40}).subset(here), cluster({1: 40, 2: 40, 3: 40}).subset(here)])
    elements = [29, 40]
    weights = np.array([element_weights(z) for z in elements])
    spectra = [np.einsum('yzlij,ya,zb->ablij', all_pairs(sites, site, elements), weights, weights) for site in (0, 1)]
    spectra = [0.5 * (p + p.transpose(0, 1, 2, 4, 3)) for p in spectra]
    expected = np.sum(spectra[0] * spectra[1]) / np.linalg.norm(spectra[0]) / np.linalg.norm(spectra[1])
    assert expected < 0.9999
    assert overlaps(sites)[0, 1] == pytest.approx(expected, rel=1e-8)


def all_pairs(sites: Sites, site: int, elements: list[int]) -> np.ndarray:
    """The power spectrum (Z, Z', l, n, n') of a site without compression."""
    its = sites.owner == site
    vectors = sites.vector[its] / nearest_distance(sites)[site]
    near = np.linalg.norm(vectors, axis=1) < CUTOFF
    atoms = Atoms([symbol(z) for z in sites.neighbour_z[its][near]], positions=vectors[near])
    names = [symbol(z) for z in elements]
    full = SOAP(species=names, r_cut=CUTOFF, n_max=4, l_max=4, sigma=0.3)
    values = full.create(atoms, centers=[[0.0, 0.0, 0.0]])[0]
    found = np.zeros((len(elements), len(elements), 5, 4, 4))
    first, second = np.triu_indices(4)
    for i, one in enumerate(names):
        for j, other in enumerate(names[i:], start=i):
            block = values[full.get_location((one, other))]
            if i == j:
                found[i, i][:, first, second] = found[i, i][:, second, first] = block.reshape(5, 10)
            else:
                found[i, j] = block.reshape(5, 4, 4)
                found[j, i] = found[i, j].transpose(0, 2, 1)
    return found


def test_same_for_sites_that_are_the_same_by_symmetry() -> None:
    """The neighbours of an impurity see it in different directions, and all the same."""
    found = overlaps(cluster({0: 25}))
    np.testing.assert_allclose(found[1:, 1:], 1.0, atol=1e-9)
    assert found[0, 1] < 1.0 - 1e-4


def test_does_not_change_when_everything_is_rotated() -> None:
    sites = cluster({0: 25, 3: 31})
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    both = Sites.join([sites, sites.rotated(rotation)])
    np.testing.assert_allclose(np.diag(overlaps(both)[: len(sites), len(sites) :]), 1.0, atol=1e-9)


def test_the_nearer_the_elements_the_more_alike() -> None:
    """An environment of Mn instead of Cu: nearer to one of Fe than to one of Zr; lengths are those of the crystal."""
    sites = Sites.join([cluster({}).subset(np.array([0]))] * 3)
    z = np.repeat([25, 26, 40], np.bincount(sites.owner))
    vectors, _ = environments(sites, z)
    assert 1.0 > vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    stretched = Sites.join([cluster({}, 0).subset(np.array([0])), cluster({}, 1).subset(np.array([0]))])
    vectors, which = environments(stretched, np.full(len(stretched.owner), 29))
    assert vectors[which[0]] @ vectors[which[1]] == pytest.approx(1.0, abs=1e-9)


def test_computed_once_for_equal_environments() -> None:
    sites = Sites.join([cluster({0: z}) for z in (24, 25, 26)])
    vectors, which = environments(sites, sites.neighbour_z_host)
    assert len(vectors) == 1
    assert (which == 0).all()


def test_empty_spheres_and_lone_sites_count_nothing() -> None:
    np.testing.assert_array_equal(element_weights(0), 0.0)
    sites = cluster({}).subset(np.array([0]))
    vectors, _ = environments(sites, np.zeros(len(sites.owner), dtype=np.int64))
    np.testing.assert_array_equal(vectors, 0.0)
