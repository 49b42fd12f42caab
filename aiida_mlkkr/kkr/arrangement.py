"""Impurities on the sites of a host, and the cluster that they make up together.

Sites are counted exactly, by an atom of the host's unit cell and a lattice vector, so that the same arrangement
anywhere in the crystal, whatever the elements and their order, makes the very same sites: one shape, one write-out of
the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.cluster import SAME_SITE, HostLattice, Impurity, ImpurityCluster, count_shells

FloatArray = NDArray[np.float64]

_GROWTH = 1.25
"""By how much the sphere grows in which a shell is looked for."""


@dataclass(frozen=True, order=True)
class LatticeSite:
    """A site of a host.

    :param site: atom of the unit cell, from 0.
    :param cell: lattice vector, three integers that multiply the Bravais vectors.
    """

    site: int = 0
    cell: tuple[int, int, int] = (0, 0, 0)

    def position(self, lattice: HostLattice) -> FloatArray:
        """Cartesian position (3,), in the unit of the lattice."""
        place: FloatArray = lattice.positions[self.site] + np.array(self.cell) @ lattice.cell
        return place


@dataclass(frozen=True)
class Screening:
    """Which host atoms around each impurity belong to the cluster.

    :param shells: those of the first shells around it; 0 for none.
    :param radius: those within a distance in the unit of the lattice instead, whatever the shells.
    :raises ValueError: if they are negative.
    """

    shells: int = 0
    radius: float | None = None

    def __post_init__(self) -> None:
        if self.shells < 0 or (self.radius is not None and not self.radius > 0):
            raise ValueError(f'screening: a number of shells, or a radius above 0 is needed, not {self}')

    def cutoff(self, lattice: HostLattice, site: int) -> float | None:
        """Radius of the sphere around an atom of the unit cell, in the unit of the lattice; None for no host atoms."""
        if self.radius is not None or not self.shells:
            return self.radius
        return (shell_radius(lattice, site, self.shells) + SAME_SITE) * lattice.lattice_constant


def joint_cluster(
    lattice: HostLattice, sites: Sequence[LatticeSite], charges: Sequence[int], screening: Screening | None = None
) -> ImpurityCluster:
    """The cluster of impurities with the host atoms that screen them.

    Order and origin of the sites follow from the places of the impurities alone; the impurities stay in their order.

    :param charges: nuclear charges of the impurities, 0 for a vacancy.
    :raises ValueError: if two impurities are on one site, one is not on a site of the host, or one is no element.
    """
    if len(sites) != len(charges):
        raise ValueError(f'{len(charges)} elements for {len(sites)} sites')
    for number, site in enumerate(sites, start=1):
        check_site(lattice, site, f'impurity {number}')
        if site in sites[: number - 1]:
            raise ValueError(f'impurities {sites.index(site) + 1} and {number} are on the same site of the host')
    screening = screening or Screening()
    ordered = sorted(sites)
    places = np.array([site.position(lattice) for site in ordered]) / lattice.lattice_constant
    impurities = [
        Impurity(charges[sites.index(site)], site.site, tuple(place))
        for site, place in zip(ordered, places, strict=True)
    ]
    cluster = ImpurityCluster.from_lattice(
        lattice, impurities, [screening.cutoff(lattice, site.site) for site in ordered]
    )
    index = [cluster.impurity_sites[ordered.index(site)] for site in sites]
    return replace(
        cluster,
        z_table=lattice.z[cluster.layer - 1],
        impurity_sites=tuple(index),
        z_impurity=tuple(int(charge) for charge in charges),
    )


def place_in(
    cluster: ImpurityCluster, lattice: HostLattice, sites: Sequence[LatticeSite], charges: Sequence[int]
) -> ImpurityCluster:
    """The sites of a cluster that is there already with the impurities in place, as close to its centre as they fit.

    :raises ValueError: if they do not fit.
    """
    for number, site in enumerate(sites, start=1):
        check_site(lattice, site, f'impurity {number}')
    places = np.array([site.position(lattice) for site in sites]) / lattice.lattice_constant
    layers = [site.site + 1 for site in sites]
    found = []
    for origin in np.flatnonzero(cluster.layer == layers[0]):
        wanted = cluster.positions[origin] + places - places[0]
        separation = np.linalg.norm(cluster.positions[:, None] - wanted, axis=2)
        nearest = separation.argmin(axis=0)
        if separation.min(axis=0).max() < SAME_SITE and (cluster.layer[nearest] == layers).all():
            found.append((round(float(np.linalg.norm(wanted, axis=1).sum()), 5), nearest.tolist()))
    if not found:
        raise ValueError(
            f'the impurities do not fit into the {cluster.natom} sites of the write-out; give the host itself, and '
            'the code that writes out its Green function for their own sites'
        )
    _, index = min(found)
    return cluster.with_impurities(charges, cluster.positions[index])


def shell_sites(lattice: HostLattice, shell: int, centre: int = 0) -> list[LatticeSite]:
    """The sites on a shell, from 1 (nearest neighbours), around an atom of the unit cell in the cell (0, 0, 0).

    The first one stands for all: that of the largest x, then y, then z.

    :raises ValueError: if there is no such atom, or the shell is not a number from 1.
    """
    check_site(lattice, LatticeSite(centre), 'the centre')
    return sites_at_distance(lattice, centre, shell_radius(lattice, centre, shell))


def check_site(lattice: HostLattice, site: LatticeSite, name: str) -> None:
    """Check that a site is one of the host.

    :param name: what messages call it.
    :raises ValueError: if it is not.
    """
    if not 0 <= site.site < len(lattice.z):
        raise ValueError(f'{name}: the unit cell of the host has sites 0 to {len(lattice.z) - 1}, no site {site.site}')
    if len(site.cell) != 3 or any(int(step) != step for step in site.cell):
        raise ValueError(f'{name}: a lattice vector is three integers, not {site.cell}')
    if not lattice.periodic_z and site.cell[2]:
        raise ValueError(f'{name}: a film has no lattice vector {site.cell}, its third number is 0')


def shell_radius(lattice: HostLattice, centre: int, shell: int) -> float:
    """Radius of a shell, from 1, in units of the lattice constant.

    :raises ValueError: if it is not a number from 1.
    """
    if shell < 1:
        raise ValueError(f'shells are counted from 1, the nearest neighbours; there is no shell {shell}')
    cutoff = (lattice.volume / len(lattice.z)) ** (1 / 3)
    while True:
        inside = cutoff / lattice.lattice_constant - SAME_SITE
        radii = [radius for radius, _ in count_shells(lattice.sites_within(cutoff, centre)[:, 5]) if radius < inside]
        if len(radii) > shell:
            return radii[shell]
        cutoff *= _GROWTH


def sites_near(lattice: HostLattice, centre: int, cutoff: float) -> list[LatticeSite]:
    """The sites within a distance in the unit of the lattice, the centre left out."""
    table = lattice.sites_within(cutoff, centre)[1:]
    layer = table[:, 3].astype(int) - 1
    shift = table[:, :3] * lattice.lattice_constant - lattice.positions[layer] + lattice.positions[centre]
    steps = np.rint(shift @ np.linalg.inv(lattice.cell)).astype(int)
    return [LatticeSite(site, (n, m, l)) for site, (n, m, l) in zip(layer.tolist(), steps.tolist(), strict=True)]


def sites_at_distance(lattice: HostLattice, centre: int, radius: float) -> list[LatticeSite]:
    """The sites at a distance in units of the lattice constant, those of large x, y, z first."""
    alat, start = lattice.lattice_constant, lattice.positions[centre]
    found = []
    for site in sites_near(lattice, centre, (radius + SAME_SITE) * alat):
        vector = (site.position(lattice) - start) / alat
        if np.linalg.norm(vector) > radius - SAME_SITE:
            found.append(((np.round(vector, 4) + 0.0).tolist(), site))
    return [site for _, site in sorted(found, reverse=True)]


def site_at(lattice: HostLattice, position: FloatArray) -> LatticeSite | None:
    """The site at a Cartesian position in the unit of the lattice; None if there is none."""
    inverse = np.linalg.inv(lattice.cell)
    for number, basis in enumerate(lattice.positions):
        steps = np.rint((position - basis) @ inverse)
        if not lattice.periodic_z:
            steps[2] = 0.0
        if np.linalg.norm(basis + steps @ lattice.cell - position) < SAME_SITE * lattice.lattice_constant:
            n, m, l = (int(step) for step in steps)
            return LatticeSite(number, (n, m, l))
    return None
