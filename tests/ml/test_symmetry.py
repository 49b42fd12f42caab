from __future__ import annotations

import full_potential as cu
import numpy as np
import pytest
from model_clusters import SITES, host

from aiida_mlkkr.ml.sites import Sites, sites_of_cluster
from aiida_mlkkr.ml.symmetry import maps, orbits


def cluster(positions: np.ndarray, impurities: dict[int, float], signs: dict[int, float] | None = None) -> Sites:
    z, sign = np.full(len(positions), 29.0), np.zeros(len(positions))
    for site, charge in impurities.items():
        z[site], sign[site] = charge, (signs or {}).get(site, 1.0)
    return sites_of_cluster((host(),), 0, positions, np.ones(len(positions), dtype=np.int64), z, sign)


def sizes(sites: Sites) -> list[tuple[int, int]]:
    """How many sites are alike, and the order of their point group."""
    return [(len(orbit.sites), len(orbit.group)) for orbit in orbits(sites)]


def test_an_impurity_in_an_fcc_crystal() -> None:
    # O_h on the impurity's site, C_2v on its neighbours
    assert sizes(cluster(SITES, {0: 25.0})) == [(1, 48), (12, 4)]


def test_a_crystal_without_impurities() -> None:
    assert sizes(cluster(SITES, {})) == [(13, 48)]


def test_a_pair_of_equal_impurities() -> None:
    pair = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    assert sizes(cluster(pair, {0: 25.0, 1: 25.0})) == [(2, 4)]
    assert sizes(cluster(pair, {0: 25.0, 1: 24.0})) == [(1, 4), (1, 4)]
    # opposite moments are not alike, and no map takes one to the other
    assert sizes(cluster(pair, {0: 25.0, 1: 25.0}, {1: -1.0})) == [(1, 4), (1, 4)]


def test_equal_distances_are_not_enough() -> None:
    # both host sites are √3.5 away from both impurities, at different angles to the crystal's axes
    places = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1.5, -1.0, 0.5], [1.0, -0.5, 1.5]])
    sites = cluster(places, {0: 25.0, 1: 25.0})
    np.testing.assert_allclose(np.linalg.norm(places[2:, None] - places[None, :2], axis=2), np.sqrt(3.5))
    assert [orbit.sites for orbit in orbits(sites)] == [(0, 1), (2,), (3,)]
    assert not len(maps(sites, 2, 3))


def test_maps_take_atoms_to_atoms() -> None:
    sites = cluster(SITES, {0: 25.0, 4: 24.0})
    for orbit in orbits(sites):
        first = sites.vector[sites.owner == orbit.sites[0]]
        for site, rotation in zip(orbit.sites, orbit.maps, strict=True):
            np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
            there = sites.vector[sites.owner == site]
            nearest = np.linalg.norm((first @ rotation.T)[:, None] - there[None], axis=2).min(axis=1)
            assert nearest.max() < 1e-9


def test_maps_turn_with_the_cluster() -> None:
    generator = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    turned = cluster(SITES, {0: 25.0}).rotated(rotation)
    assert sizes(turned) == [(1, 48), (12, 4)]


@pytest.mark.parametrize('element', ['v', 'cr', 'mn'])
def test_potentials_of_jukkr_have_the_symmetry_of_their_sites(element: str) -> None:
    record = cu.record(element)
    impurity, neighbours = orbits(cu.sites_of(record.z))
    mesh = record.host.meshes[0]
    for orbit, site in ((impurity, 0), (neighbours, 1)):
        values = cu.components(mesh, record.v[site][0])
        alone = orbit.spread(values)[0]
        assert np.abs(alone - values).max() < 1e-6
        # on a cubic site l = 0 and the two components of l = 4 alone
        allowed = {0, 20, 24} if site == 0 else {0, 1, 3, 4, 6, 9, 11, 13, 15, 18, 20, 24}
        noise = np.random.default_rng(1).normal(size=(25, 4))
        assert set(np.flatnonzero(orbit.spread(noise)[0].any(axis=1))) == allowed


def test_the_average_over_sites_is_that_of_the_first() -> None:
    record = cu.record('cr')
    _, neighbours = orbits(cu.sites_of(record.z))
    mesh = record.host.meshes[0]
    values = np.array([cu.components(mesh, record.v[site][0]) for site in neighbours.sites])
    np.testing.assert_allclose(neighbours.average(values), values[0], atol=1e-6)
