"""The start potential of several impurities from each of them alone.

On every site of the joint cluster

    V(r) = V_host(r) + Σ_i [V_i(r) − V_host(r)] ,

where V_i is the converged potential of impurity i alone in the host, on the site of its own cluster that lies the same
way from it. What is left to the self-consistency is what the impurities do to one another beyond that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.cluster import SAME_SITE, ImpurityCluster
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.potential import AtomicPotential, ImpurityPotential
from aiida_mlkkr.kkr.shapes import values_of, with_values

_SAME_ENERGY = 1e-4

Blocks = tuple[AtomicPotential, ...]


@dataclass(frozen=True, eq=False)
class Single:
    """A converged impurity, alone in the host.

    :param cluster: its sites, with one impurity.
    :param potential: of these sites.
    :raises ValueError: if the two do not fit, or it is not one impurity.
    """

    cluster: ImpurityCluster
    potential: ImpurityPotential

    def __post_init__(self) -> None:
        if len(self.cluster.impurity_sites) != 1:
            raise ValueError(f'a single impurity is needed, not {len(self.cluster.impurity_sites)}')
        if self.potential.natom != self.cluster.natom:
            raise ValueError(
                f'the potential of {self.element} alone has {self.potential.natom} sites, its cluster '
                f'{self.cluster.natom}'
            )

    @property
    def element(self) -> str:
        """Symbol of the impurity."""
        return symbol(self.cluster.z_impurity[0])

    @property
    def kind(self) -> tuple[int, int]:
        """Nuclear charge of the impurity, and the layer of its site, from 1."""
        return self.cluster.z_impurity[0], int(self.cluster.layer[self.cluster.impurity_sites[0]])

    @property
    def sign(self) -> int:
        """Of the moment: −1 if spin down feels the deeper potential on the impurity, else 1."""
        blocks = self.potential.sites[self.cluster.impurity_sites[0]]
        r = blocks[0].mesh.r
        return -1 if float(np.trapezoid(r**2 * (blocks[0].v - blocks[-1].v), r)) < 0 else 1

    def turned(self) -> Single:
        """The same with all moments reversed."""
        sites = tuple(
            tuple(replace(other, title=block.title) for block, other in zip(blocks, reversed(blocks), strict=True))
            for blocks in self.potential.sites
        )
        return Single(self.cluster, ImpurityPotential(sites))

    def seen_from(self, vectors: NDArray[np.float64], layers: NDArray[np.int64]) -> list[int | None]:
        """Which of its sites lie at vectors (n, 3) from the impurity; None where it has none."""
        own = self.cluster.positions - self.cluster.positions[self.cluster.impurity_sites[0]]
        separation = np.linalg.norm(own[:, None] - vectors, axis=2)
        nearest = separation.argmin(axis=0)
        there = (separation.min(axis=0) < SAME_SITE) & (self.cluster.layer[nearest] == layers)
        return [int(site) if found else None for site, found in zip(nearest, there, strict=True)]


def joined_potential(
    cluster: ImpurityCluster, host: ImpurityPotential, singles: Sequence[Single], moments: Sequence[float] | None = None
) -> ImpurityPotential:
    """Start potential of a cluster of impurities.

    :param host: potential of the host on each site of the cluster.
    :param singles: converged impurities, in any order; the first one counts of each element and layer.
    :param moments: moments asked for on the impurities, of which the signs count; those of the singles if None, and
        where one is 0.
    :raises ValueError: if an impurity has no single, or one was calculated on other meshes or in another host.
    """
    known = {single.kind: single for single in reversed(singles)}
    values = [[values_of(block, block.mesh) for block in site] for site in host.sites]
    blocks = list(host.sites)
    for number, site in enumerate(cluster.impurity_sites):
        kind = (cluster.z_impurity[number], int(cluster.layer[site]))
        if kind not in known:
            raise ValueError(f'there is no {symbol(kind[0])} alone on a site of layer {kind[1]} of the host')
        single = known[kind]
        if moments is not None and moments[number] * single.sign < 0:
            single = single.turned()
        places = single.seen_from(cluster.positions - cluster.positions[site], cluster.layer)
        for place, its in enumerate(places):
            if its is None:
                continue
            changed = single.potential.sites[its]
            _check(single, changed, host.sites[place])
            for spin, (block, of_host) in enumerate(zip(changed, host.sites[place], strict=True)):
                values[place][spin] = values[place][spin] + (
                    values_of(block, of_host.mesh) - values_of(of_host, of_host.mesh)
                )
            if place == site:
                blocks[place] = tuple(
                    replace(block, mesh=of_host.mesh) for block, of_host in zip(changed, host.sites[place], strict=True)
                )
    return ImpurityPotential(
        tuple(
            tuple(with_values(block, v) for block, v in zip(site, of_site, strict=True))
            for site, of_site in zip(blocks, values, strict=True)
        )
    )


def _check(single: Single, blocks: Blocks, host: Blocks) -> None:
    """Whether a site of a single impurity was calculated in this host."""
    name = f'{single.element} alone'
    if len(blocks) != len(host):
        raise ValueError(f'{name} has {len(blocks)} spins, the host {len(host)}')
    mine, its = blocks[0], host[0]
    if not mine.has_mesh_of(its):
        raise ValueError(f'{name} was calculated on other radial meshes than those of the host')
    if abs(mine.efermi - its.efermi) > _SAME_ENERGY:
        raise ValueError(f'{name} was calculated at a Fermi energy of {mine.efermi:.6f} Ry, not {its.efermi:.6f} Ry')
