"""Pairs of impurities on the shells of a host: which are wanted, and which are there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
from aiida import orm

from aiida_mlkkr.calculations.folders import lattice_of
from aiida_mlkkr.kkr.arrangement import Screening, joint_cluster
from aiida_mlkkr.kkr.cluster import ImpurityCluster
from aiida_mlkkr.kkr.constants import BOHR_ANGSTROM
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.patterns import dimer
from aiida_mlkkr.query import FinishedImpurity, find_impurities
from aiida_mlkkr.query.impurity import impurity_charges
from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain
from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation, remote_folder

_DECIMALS = 4

Key = tuple[Any, ...]
"""The same for the same elements on the same sites of the same host."""


@dataclass(frozen=True, eq=False)
class DimerShape:
    """Two sites of a host with the host atoms that screen them: what pairs of all elements on a shell share.

    :param host: remote folder of the converged host.
    :param host_name: for people.
    :param shell: of the second site around the first, from 1.
    :param cluster: the sites, with the host's own atoms in place of the impurities.
    """

    host: orm.RemoteData
    host_name: str
    shell: int
    cluster: ImpurityCluster

    @property
    def name(self) -> str:
        """Host, number of sites and shell."""
        return f'{self.host_name}, {self.cluster.natom} sites, shell {self.shell}'


@dataclass(frozen=True)
class PlannedDimer:
    """A pair of impurities on the two sites of a shape."""

    shape: DimerShape
    charges: tuple[int, ...]

    @property
    def name(self) -> str:
        """Impurities, host and shell."""
        return f'{"-".join(map(symbol, self.charges))} in {self.where}'

    @property
    def where(self) -> str:
        """Host and shell."""
        return self.shape.name

    @property
    def wish(self) -> dict[str, Any]:
        """For ``mlkkr.cluster``."""
        return {'pattern': 'dimer', 'shell': self.shape.shell, 'elements': list(self.charges)}

    @property
    def key(self) -> Key:
        """By which it is found again."""
        return _key(self.shape.host, self.shape.cluster.impurity_info() | {'Zimp': self.charges})


@dataclass(frozen=True)
class DimerPlan:
    """What is asked for.

    :param there: pairs that are finished, with their workchains.
    :param missing: pairs that are to be run.
    """

    there: dict[PlannedDimer, orm.WorkChainNode]
    missing: list[PlannedDimer]


def converged_host(node: orm.Node) -> orm.RemoteData:
    """Remote folder of the converged host, from that folder, a calculation or workchain of the host, or a write-out.

    :raises ValueError: the node is none of these.
    """
    calculation = kkr_calculation(remote_folder(node))
    written = 'impurity_info' in calculation.inputs
    return calculation.inputs.parent_folder if written else calculation.outputs.remote_folder


def dimer_shape(host: orm.RemoteData, shell: int, screening: Mapping[str, Any]) -> DimerShape:
    """The shape of the pairs on a shell around the first atom of the host's cell.

    :param screening: as in the protocol of ``mlkkr.cluster``: ``shells`` and ``radius``.
    :raises ValueError: there is no such shell, or the files of the host are damaged.
    """
    crystal = lattice_of(kkr_calculation(host).outputs.retrieved)
    lattice = replace(crystal, alat=None)  # aiida-kkr's, for its sites
    sites = dimer(lattice, shell)
    cluster = joint_cluster(lattice, sites, [int(lattice.z[site.site]) for site in sites], Screening(**screening))
    name = f'{"-".join(symbol(z) for z in crystal.z)} (alat {crystal.lattice_constant / BOHR_ANGSTROM:.3f})'
    return DimerShape(host, name, shell, cluster)


def wanted_dimers(shape: DimerShape, charges: Sequence[int]) -> list[PlannedDimer]:
    """All pairs of elements; both orders where the two sites are different atoms of the cell."""
    sites = list(shape.cluster.impurity_sites)
    first, second = shape.cluster.layer[sites]
    pairs = combinations_with_replacement(charges, 2) if first == second else product(charges, repeat=2)
    return [PlannedDimer(shape, pair) for pair in pairs if not np.isin(pair, shape.cluster.z_table[sites]).any()]


def compare_dimers(planned: Iterable[PlannedDimer], group: orm.Group | None) -> DimerPlan:
    """Look up which pairs a group has, converged and with their exchange."""
    planned, finished = list(planned), {} if group is None else finished_dimers(group)
    there = {entry: finished[key] for entry in planned if (key := entry.key) in finished}
    return DimerPlan(there, [entry for entry in planned if entry not in there])


def single_impurities(nodes: Iterable[orm.Node]) -> dict[int, FinishedImpurity]:
    """The converged impurities among nodes that are alone in their cluster, by nuclear charge; the oldest of each."""
    found: dict[int, FinishedImpurity] = {}
    for impurity in find_impurities(nodes=nodes).usable:
        charges = impurity_charges(impurity.impurity_info)
        if len(charges) == 1:
            found.setdefault(int(charges[0]), impurity)
    return found


def finished_dimers(group: orm.Group) -> dict[Key, orm.WorkChainNode]:
    """The clusters of a group that converged and have their exchange, each pair once."""
    query = orm.QueryBuilder()
    query.append(orm.Group, filters={'id': group.pk}, tag='group')
    query.append(
        orm.WorkChainNode,
        with_group='group',
        filters={'process_type': KkrClusterWorkChain.build_process_type(), 'attributes.exit_status': 0},
    )
    return {_key_of(node): node for node in query.all(flat=True) if 'exchange' in node.outputs}


def _key_of(node: orm.WorkChainNode) -> Key:
    host = kkr_calculation(node.outputs.host_greenfunction).inputs.parent_folder
    return _key(host, node.inputs.scf.impurity_info.get_dict())


def _key(host: orm.RemoteData, info: Mapping[str, Any]) -> Key:
    places = (*np.array(info['imp_cls'])[:, :3].ravel(), *np.ravel(info['Rimp_rel']))
    return host.pk, tuple(float(z) for z in info['Zimp']), tuple((np.round(places, _DECIMALS) + 0.0).tolist())
