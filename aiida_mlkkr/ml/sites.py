"""Sites of impurity clusters as models of potentials see them: the atom on each, and the crystal's atoms around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.dataset import Host

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

NEIGHBOUR_RANGE: Final = 12.0
"""Distance in Bohr up to which all atoms of the crystal are neighbours of a site; impurities are at any distance."""

MAGNETIC: Final = 0.05
"""Moments below this (µB) have no sign."""

_SAME_PLACE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Sites:
    """n sites, with m neighbours in all: the crystal's atoms as they are in the cluster, impurities in place.

    :param host: (n,) number of the host crystal.
    :param atom: (n,) number of the host's atom that belongs on the site, see :func:`atom_numbers`.
    :param z: (n,) nuclear charge of the atom on the site; ``z_host`` (n,) of the host's that belongs there.
    :param sign: (n,) sign of the moment of the impurity on the site: 1, -1, or 0 for none; 0 on atoms of the host.
    :param radius: (n,) radius of the atomic sphere in Bohr.
    :param owner: (m,) the site that a neighbour belongs to, ascending.
    :param vector: (m, 3) from the site to the neighbour in Bohr.
    :param neighbour_atom, neighbour_z, neighbour_z_host, neighbour_sign: (m,) the same of the neighbours.
    """

    host: IntArray
    atom: IntArray
    z: IntArray
    z_host: IntArray
    sign: FloatArray
    radius: FloatArray
    owner: IntArray
    vector: FloatArray
    neighbour_atom: IntArray
    neighbour_z: IntArray
    neighbour_z_host: IntArray
    neighbour_sign: FloatArray

    def __len__(self) -> int:
        return len(self.z)

    @property
    def changed(self) -> NDArray[np.bool_]:
        """(n,) whether there is an impurity on the site."""
        changed: NDArray[np.bool_] = self.z != self.z_host
        return changed

    @property
    def neighbour_changed(self) -> NDArray[np.bool_]:
        """(m,) whether the neighbour is an impurity."""
        changed: NDArray[np.bool_] = self.neighbour_z != self.neighbour_z_host
        return changed

    @property
    def distance(self) -> FloatArray:
        """(m,) distance of the neighbour in Bohr."""
        lengths: FloatArray = np.linalg.norm(self.vector, axis=1)
        return lengths

    def subset(self, chosen: NDArray[np.int64]) -> Sites:
        """Some of the sites, in the order given."""
        starts = np.searchsorted(self.owner, [chosen, chosen + 1])
        rows = [np.arange(begin, end) for begin, end in starts.T]
        kept = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        of_sites = {name: parts[name][chosen] for name in _OF_SITES}
        of_neighbours = {name: parts[name][kept] for name in _OF_NEIGHBOURS}
        owner = np.repeat(np.arange(len(chosen)), [len(row) for row in rows])
        return Sites(**of_sites, **of_neighbours, owner=owner)

    def with_signs_flipped(self) -> Sites:
        """The same sites, all moments reversed."""
        return replace(self, sign=-self.sign, neighbour_sign=-self.neighbour_sign)

    def rotated(self, rotation: FloatArray) -> Sites:
        """The same sites after a rotation or reflection (3, 3) of everything."""
        return replace(self, vector=self.vector @ rotation.T)

    @classmethod
    def join(cls, parts: Iterable[Sites]) -> Sites:
        """Several tables one after the other."""
        tables = list(parts) or [_none()]
        before = np.cumsum([0, *(len(table) for table in tables)])
        joined = {
            name: np.concatenate([getattr(table, name) for table in tables]) for name in _OF_SITES + _OF_NEIGHBOURS
        }
        owner = np.concatenate([table.owner + number for table, number in zip(tables, before, strict=False)])
        return cls(**joined, owner=owner)


_OF_SITES: Final = ('host', 'atom', 'z', 'z_host', 'sign', 'radius')
_OF_NEIGHBOURS: Final = ('vector', 'neighbour_atom', 'neighbour_z', 'neighbour_z_host', 'neighbour_sign')


def atom_numbers(hosts: Sequence[Host]) -> list[IntArray]:
    """Numbers (nlayer,) of the atoms of each host's cell, counted through all hosts; those that are alike share one."""
    before = np.cumsum([0, *(len(host.z) for host in hosts)])
    return [number + host.first_alike for number, host in zip(before, hosts, strict=False)]


def sites_of_cluster(
    hosts: Sequence[Host],
    number: int,
    positions: FloatArray,
    layer: IntArray,
    z: FloatArray,
    signs: FloatArray,
) -> Sites:
    """All sites of a cluster.

    :param hosts: the known hosts; ``number`` is the one of the cluster.
    :param positions: (natom, 3) in units of the lattice constant; ``layer`` (natom,) of the host's cell, from 1.
    :param z: (natom,) nuclear charges; ``signs`` (natom,) of the moments of impurities, 0 elsewhere.
    """
    host, atoms = hosts[number], atom_numbers(hosts)[number]
    charges, z_host = z.astype(np.int64), host.z.astype(np.int64)
    impurities = np.flatnonzero(charges != z_host[layer - 1])
    around = {int(its): _crystal_around(host, int(its)) for its in np.unique(layer)}
    vectors, layers, changed = [], [], []
    for site, position in enumerate(positions):
        offsets, its_layers = around[int(layer[site])]
        others = impurities[impurities != site]
        apart = positions[others] - position
        distances = np.linalg.norm(offsets[:, None, :] - apart[None, :, :], axis=2)
        replaced = np.full(len(offsets), -1)
        near = distances < _SAME_PLACE
        place, which_other = np.nonzero(near)
        replaced[place] = others[which_other]
        far = others[~near.any(axis=0)]
        vectors.append(np.concatenate([offsets, positions[far] - position]))
        layers.append(np.concatenate([its_layers, layer[far]]))
        changed.append(np.concatenate([replaced, far]))
    owner = np.repeat(np.arange(len(positions)), [len(rows) for rows in vectors])
    at, which = np.concatenate(layers) - 1, np.concatenate(changed)
    impurity = which >= 0
    return Sites(
        host=np.full(len(positions), number),
        atom=atoms[layer - 1],
        z=charges,
        z_host=z_host[layer - 1],
        sign=np.where(charges != z_host[layer - 1], signs, 0.0),
        radius=np.array([host.meshes[its - 1].rmax for its in layer]),
        owner=owner,
        vector=host.alat * np.concatenate(vectors),
        neighbour_atom=atoms[at],
        neighbour_z=np.where(impurity, charges[which], z_host[at]),
        neighbour_z_host=z_host[at],
        neighbour_sign=np.where(impurity, signs[which], 0.0),
    )


def _crystal_around(host: Host, layer: int) -> tuple[FloatArray, IntArray]:
    """Positions relative to an atom of the cell, in lattice constants, and layers, of all atoms around it."""
    table = host.lattice.sites_within(NEIGHBOUR_RANGE / host.alat, centre=layer - 1)[1:]
    return table[:, :3], table[:, 3].astype(np.int64)


def _none() -> Sites:
    of_sites = {name: np.empty(0, dtype=np.int64) for name in ('host', 'atom', 'z', 'z_host', 'owner')}
    of_neighbours = {f'neighbour_{name}': np.empty(0, dtype=np.int64) for name in ('atom', 'z', 'z_host')}
    empty = np.empty(0)
    return Sites(**of_sites, **of_neighbours, sign=empty, radius=empty, vector=np.empty((0, 3)), neighbour_sign=empty)
