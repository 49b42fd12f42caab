"""Pairs of impurities on the shells of a host: which are wanted, and which are in the database already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, product
from typing import Any, TypeVar

import numpy as np
from aiida import orm
from numpy.typing import NDArray

from aiida_mlkkr.calculations.folders import lattice_of
from aiida_mlkkr.kkr.arrangement import Screening, joint_cluster
from aiida_mlkkr.kkr.cluster import ImpurityCluster
from aiida_mlkkr.kkr.constants import BOHR_ANGSTROM
from aiida_mlkkr.kkr.elements import crystal_name, symbol
from aiida_mlkkr.kkr.patterns import dimer, nuclear_charge
from aiida_mlkkr.query import FinishedImpurity, find_impurities
from aiida_mlkkr.query.impurity import impurity_charges
from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain
from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation, remote_folder

T = TypeVar('T')

_DECIMALS = 4

Key = tuple[Any, ...]
"""The same for the same elements on the same sites of the same host."""


@dataclass(frozen=True, eq=False)
class DimerShape:
    """Two sites of a host with the host atoms that screen them: what pairs of all elements on a shell share.

    :param host: remote folder of the converged host.
    :param host_name: for people.
    :param shell: of the second site around the first, from 1.
    :param centre: the first site, an atom of the unit cell from 0.
    :param cluster: the sites, with the host's own atoms in place of the impurities.
    :param places: of the two sites in the crystal, shape (2, 3) [Å].
    """

    host: orm.RemoteData
    host_name: str
    shell: int
    centre: int
    cluster: ImpurityCluster
    places: NDArray[np.float64]

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
    def info(self) -> dict[str, Any]:
        """``impurity_info``."""
        return self.shape.cluster.impurity_info() | {'Zimp': [float(z) for z in self.charges]}

    @property
    def key(self) -> Key:
        """By which it is found again."""
        return dimer_key(self.shape.host, self.info)


def converged_host(node: orm.Node) -> orm.RemoteData:
    """Remote folder of the converged host, from that folder, a calculation or workchain of the host, or a write-out.

    :raises ValueError: the node is none of these.
    """
    calculation = kkr_calculation(remote_folder(node))
    written = 'impurity_info' in calculation.inputs
    return calculation.inputs.parent_folder if written else calculation.outputs.remote_folder


def dimer_shape(host: orm.RemoteData, shell: int, screening: Mapping[str, Any], centre: int = 0) -> DimerShape:
    """The shape of the pairs on a shell around an atom of the host's cell.

    :param screening: as in the protocol of ``mlkkr.cluster``: ``shells`` and ``radius``.
    :raises ValueError: there is no such shell or atom, or the files of the host are damaged.
    """
    crystal = lattice_of(kkr_calculation(host).outputs.retrieved)
    lattice = replace(crystal, alat=None)  # aiida-kkr's, for its sites
    sites = dimer(lattice, shell, centre)
    cluster = joint_cluster(lattice, sites, [int(lattice.z[site.site]) for site in sites], Screening(**screening))
    name = crystal_name(crystal.z, crystal.lattice_constant / BOHR_ANGSTROM)
    places = np.array([site.position(lattice) for site in sites])
    return DimerShape(host, name, shell, centre, cluster, places)


def element_pairs(elements: Sequence[T], equal: bool) -> Iterator[tuple[T, T]]:
    """All pairs of elements; in both orders where the two sites are not equal, but different atoms of the cell."""
    return combinations_with_replacement(elements, 2) if equal else product(elements, elements)


def wanted_dimers(shape: DimerShape, charges: Sequence[int]) -> list[PlannedDimer]:
    """All pairs of elements but the host's own."""
    sites = list(shape.cluster.impurity_sites)
    first, second = shape.cluster.layer[sites]
    pairs = element_pairs(charges, bool(first == second))
    return [PlannedDimer(shape, pair) for pair in pairs if not np.isin(pair, shape.cluster.z_table[sites]).any()]


def planned_dimer(shape: DimerShape, elements: Sequence[str | float]) -> PlannedDimer:
    """A pair of elements on the sites of a shape; where a symmetry exchanges the sites, in the order of the table.

    :raises ValueError: there is no such element, or it is the host's own.
    """
    charges = tuple(nuclear_charge(element) for element in elements)
    sites = list(shape.cluster.impurity_sites)
    first, second = shape.cluster.layer[sites]
    pair = PlannedDimer(shape, tuple(sorted(charges)) if first == second else charges)
    if len(charges) != 2 or np.equal(pair.charges, shape.cluster.z_table[sites]).any():
        raise ValueError(f'{"-".join(map(str, elements))} in {shape.name}: two elements, none that of the host')
    return pair


def single_impurities(nodes: Iterable[orm.Node]) -> dict[int, FinishedImpurity]:
    """The converged impurities among nodes that are alone in their cluster, by nuclear charge; the oldest of each."""
    found: dict[int, FinishedImpurity] = {}
    for impurity in find_impurities(nodes=nodes).usable:
        charges = impurity_charges(impurity.impurity_info)
        if len(charges) == 1:
            found.setdefault(int(charges[0]), impurity)
    return found


def finished_dimers(group: orm.Group | None = None) -> dict[Key, orm.WorkChainNode]:
    """The clusters that converged and have their exchange, each pair once: those of a group, or all."""
    query = orm.QueryBuilder()
    if group is not None:
        query.append(orm.Group, filters={'id': group.pk}, tag='group')
    query.append(
        orm.WorkChainNode,
        filters={'attributes.process_label': KkrClusterWorkChain.__name__, 'attributes.exit_status': 0},
        **({} if group is None else {'with_group': 'group'}),
    )
    return {_key_of(node): node for node in query.all(flat=True) if 'exchange' in node.outputs}


def dimer_key(host: orm.RemoteData, info: Mapping[str, Any]) -> Key:
    """The same for the same elements on the same sites of the same host.

    :param info: ``impurity_info`` of the pair.
    """
    places = (*np.array(info['imp_cls'])[:, :3].ravel(), *np.ravel(info['Rimp_rel']))
    return host.pk, tuple(float(z) for z in info['Zimp']), tuple((np.round(places, _DECIMALS) + 0.0).tolist())


def _key_of(node: orm.WorkChainNode) -> Key:
    host = kkr_calculation(node.outputs.host_greenfunction).inputs.parent_folder
    return dimer_key(host, node.inputs.scf.impurity_info.get_dict())
