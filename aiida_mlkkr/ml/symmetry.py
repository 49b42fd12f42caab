"""Symmetry of the sites of a cluster: which are alike, and by which rotations and reflections.

A map takes the surroundings of one site to those of another: atoms of the same kind, impurities of the same element and
sign of the moment come to lie on one another. Maps of a site to itself are its point group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from aiida_mlkkr.ml.harmonics import channel_matrices
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SAME_PLACE: Final = 5e-3
"""Distance in Bohr within which two atoms are on the same place."""

_NOTHING: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Orbit:
    """Sites that are alike.

    :param sites: their numbers, ascending; the first stands for all.
    :param maps: (number of sites, 3, 3) a map of the first one's surroundings to each; the identity to itself.
    :param group: (g, 3, 3) all maps of the first one to itself.
    """

    sites: tuple[int, ...]
    maps: FloatArray
    group: FloatArray

    @cached_property
    def _matrices(self) -> dict[int, FloatArray]:
        return {}

    def _of(self, channels: int) -> FloatArray:
        """(number of sites, C, C): what the point group leaves of the channels of the first site, turned to each."""
        if channels not in self._matrices:
            turned = channel_matrices(self.maps, channels) @ channel_matrices(self.group, channels).mean(axis=0)
            turned[np.abs(turned) < _NOTHING] = 0.0
            self._matrices[channels] = turned
        return self._matrices[channels]

    def average(self, coefficients: FloatArray) -> FloatArray:
        """Coefficients (C, K) of the first site from those of all (number of sites, C, K), without what they differ in.

        Channels that the symmetry forbids are exactly zero.
        """
        mean: FloatArray = np.einsum('scd,sck->dk', self._of(coefficients.shape[1]), coefficients) / len(self.sites)
        return mean

    def spread(self, coefficients: FloatArray) -> FloatArray:
        """Coefficients (number of sites, C, K) of all sites from those of the first (C, K), less what is forbidden."""
        return self._of(len(coefficients)) @ coefficients


def orbits(sites: Sites) -> tuple[Orbit, ...]:
    """The sites of one cluster, those that are alike together, in the order of the first ones."""
    return _orbits(_Pattern(sites))


@lru_cache(maxsize=64)
def _orbits(pattern: _Pattern) -> tuple[Orbit, ...]:
    sites = pattern.sites
    surroundings = [_Surroundings(sites, site) for site in range(len(sites))]
    found: list[tuple[list[int], list[FloatArray]]] = []
    for site, around in enumerate(surroundings):
        for members, maps_to in found:
            to_site = surroundings[members[0]].maps_to(around)
            if len(to_site):
                members.append(site)
                maps_to.append(to_site[0])
                break
        else:
            found.append(([site], [np.eye(3)]))
    return tuple(
        Orbit(tuple(members), np.array(maps_to), surroundings[members[0]].maps_to(surroundings[members[0]]))
        for members, maps_to in found
    )


class _Pattern:
    """A cluster as far as symmetry is concerned: the same for all elements in the same places."""

    def __init__(self, sites: Sites) -> None:
        self.sites = sites
        own = np.stack([sites.atom, sites.z, sites.sign], axis=1)
        around = np.stack([sites.neighbour_atom, sites.neighbour_z, sites.neighbour_sign], axis=1)
        _, kind = np.unique(np.concatenate([own, around]), axis=0, return_inverse=True)
        self.key = sites.vector.tobytes() + sites.owner.tobytes() + kind.tobytes()

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pattern) and self.key == other.key


def maps(sites: Sites, one: int, other: int) -> FloatArray:
    """All maps (g, 3, 3), orthogonal, of one site's surroundings to another's; none if the sites are not alike."""
    return _Surroundings(sites, one).maps_to(_Surroundings(sites, other))


class _Surroundings:
    """The atoms around a site in shells: of one distance, kind, charge and sign."""

    def __init__(self, sites: Sites, site: int) -> None:
        its = slice(*np.searchsorted(sites.owner, [site, site + 1]))
        self.own = tuple(float(values[site]) for values in (sites.host, sites.atom, sites.z, sites.sign))
        vectors = sites.vector[its]
        labels = np.stack([sites.neighbour_atom[its], sites.neighbour_z[its], sites.neighbour_sign[its]], axis=1)
        distances = np.linalg.norm(vectors, axis=1)
        order = np.argsort(distances, kind='stable')
        steps = np.diff(distances[order], prepend=0.0) > SAME_PLACE
        shell = np.cumsum(steps)
        self.vectors = vectors[order]
        self.labels = np.column_stack([shell, labels[order]])
        kinds, self.kind, self.sizes = np.unique(self.labels, axis=0, return_inverse=True, return_counts=True)
        self.kind = self.kind.ravel()
        radii = np.array([np.linalg.norm(self.vectors[self.kind == kind], axis=1).mean() for kind in range(len(kinds))])
        self.summary = np.column_stack([kinds, self.sizes, radii])

    @cached_property
    def tree(self) -> cKDTree:
        """All atoms with their kinds as a fourth coordinate, in which different kinds are far apart."""
        return cKDTree(np.column_stack([self.vectors, self.kind]))

    @cached_property
    def frame(self) -> IntArray:
        """Numbers (3,) of atoms in independent directions, of the smallest shells that have such."""
        chosen: list[int] = []
        for atom in np.lexsort([np.arange(len(self.kind)), self.sizes[self.kind]]):
            units = self.vectors[[*chosen, atom]]
            units = units / np.linalg.norm(units, axis=1)[:, None]
            if np.linalg.svd(units, compute_uv=False)[-1] > 0.1:
                chosen.append(int(atom))
            if len(chosen) == 3:
                break
        return np.array(chosen)

    def maps_to(self, other: _Surroundings) -> FloatArray:
        """All maps (g, 3, 3) of these surroundings to others."""
        if self.own != other.own or self.summary.shape != other.summary.shape:
            return np.empty((0, 3, 3))
        if np.abs(self.summary - other.summary).max() > SAME_PLACE:
            return np.empty((0, 3, 3))
        mine = self.vectors[self.frame]
        images = other.images(self.kind[self.frame], mine @ mine.T)
        left, _, right = np.linalg.svd(np.linalg.solve(mine, images).transpose(0, 2, 1))
        found = left @ right
        turned = self.vectors @ found.transpose(0, 2, 1)
        kinds = np.broadcast_to(self.kind[None, :, None], (*turned.shape[:2], 1))
        distance, _ = other.tree.query(np.concatenate([turned, kinds], axis=2), distance_upper_bound=SAME_PLACE)
        good: FloatArray = found[np.isfinite(distance).all(axis=1)]
        return good

    def images(self, kinds: IntArray, products: FloatArray) -> FloatArray:
        """Triples (t, 3, 3) of atoms of three kinds with the given scalar products (3, 3)."""
        first, second, third = (self.vectors[self.kind == kind] for kind in kinds)
        tolerance = SAME_PLACE * np.sqrt(np.diag(products).max())
        pairs = np.argwhere(np.abs(first @ second.T - products[0, 1]) < tolerance)
        a, b = first[pairs[:, 0]], second[pairs[:, 1]]
        fits = (np.abs(a @ third.T - products[0, 2]) < tolerance) & (np.abs(b @ third.T - products[1, 2]) < tolerance)
        rows = np.argwhere(fits)
        return np.stack([a[rows[:, 0]], b[rows[:, 0]], third[rows[:, 1]]], axis=1)
