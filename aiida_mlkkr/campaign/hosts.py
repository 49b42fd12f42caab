"""The write-outs of host Green functions that impurities can be put into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm

from aiida_mlkkr.calculations.folders import writeout_of
from aiida_mlkkr.calculations.records import NEEDED
from aiida_mlkkr.kkr.cluster import SAME_SITE, ImpurityCluster, count_shells
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.query.evidence import HOST_LINKS
from aiida_mlkkr.query.links import inputs_of

KKRHOST = 'aiida.calculations:kkr.kkr'


@dataclass(frozen=True, eq=False)
class HostCluster:
    """A write-out: the sites that it holds, with the host's atoms on them.

    :param writeout: the calculation of KKRhost.
    :param name: host and number of sites, for people.
    :param cluster: the sites.
    :param z: (natom,) nuclear charges of the host's atoms on them.
    :param lmax: largest angular-momentum cutoff.
    """

    writeout: orm.CalcJobNode
    name: str
    cluster: ImpurityCluster
    z: tuple[float, ...]
    lmax: int

    @property
    def greenfunction(self) -> orm.RemoteData:
        """Remote folder of the write-out."""
        return self.writeout.outputs.remote_folder

    @property
    def centre(self) -> int:
        """Index of the site at the origin."""
        return int(np.linalg.norm(self.cluster.positions, axis=1).argmin())

    def site_of_shell(self, shell: int) -> int:
        """Index of a site on a shell around the centre, from 1.

        :raises ValueError: if the cluster does not reach that far.
        """
        distances = np.linalg.norm(self.cluster.positions - self.cluster.positions[self.centre], axis=1)
        radii = [radius for radius, _ in count_shells(distances) if radius > SAME_SITE]
        if not 0 < shell <= len(radii):
            raise ValueError(f'{self.name}: the cluster has {len(radii)} shells around its centre, no shell {shell}')
        return int(np.abs(distances - radii[shell - 1]).argmin())

    def impurity_info(self, sites: Sequence[int], charges: Sequence[int]) -> dict[str, Any]:
        """``impurity_info`` of impurities on sites of the cluster.

        Sites that the write-out names as those of impurities are named again, by their host atom if they have no
        impurity: else aiida-kkr would take what the write-out was made for.
        """
        written = self.writeout.inputs.impurity_info.get_dict()
        if written.get('imp_cls') is None and tuple(sites) == (self.centre,):
            return {**written, 'Zimp': [float(charges[0])]}
        changed = np.flatnonzero(self.cluster.z_table != self.z).tolist()
        named = [site for site in changed if site not in sites]
        places = self.cluster.positions[[*sites, *named]]
        return {
            'imp_cls': self.cluster.table().tolist(),
            'ilayer_center': written.get('ilayer_center', 0),
            'Rcut': written.get('Rcut'),
            'Zimp': [float(z) for z in (*charges, *(self.z[site] for site in named))],
            'Rimp_rel': places.tolist(),
        }


def host_clusters(nodes: Iterable[orm.Node]) -> list[HostCluster]:
    """The write-outs among nodes, those that nodes called or began with, and those of remote folders; each once.

    :raises ValueError: if the files of a write-out are damaged.
    """
    found = {node.uuid: node for start in nodes for node in _writeouts(start)}
    return [_host_cluster(node) for node in sorted(found.values(), key=lambda node: node.ctime)]


def _writeouts(node: orm.Node) -> list[orm.CalcJobNode]:
    if isinstance(node, orm.RemoteData):
        return [node.creator] if node.creator is not None and _is_writeout(node.creator) else []
    if not isinstance(node, orm.ProcessNode):
        return []
    family = [node, *node.called_descendants]
    folders = inputs_of([process.pk for process in family if process.pk], orm.RemoteData, HOST_LINKS)
    makers = [link.other.creator for link in folders]
    return [process for process in [*family, *makers] if process is not None and _is_writeout(process)]


def _is_writeout(node: orm.Node) -> bool:
    if not isinstance(node, orm.CalcJobNode) or node.process_type != KKRHOST or 'impurity_info' not in node.inputs:
        return False
    if 'retrieved' not in node.outputs:
        return False
    return set(NEEDED) <= set(node.outputs.retrieved.base.repository.list_object_names())


def _host_cluster(node: orm.CalcJobNode) -> HostCluster:
    try:
        writeout = writeout_of(node.outputs.retrieved)
    except KkrFileError as error:
        raise ValueError(f'KkrCalculation<{node.pk}>: {error}') from error
    host, cluster = writeout.host, writeout.cluster
    return HostCluster(
        writeout=node,
        name=f'{host.name}, {cluster.natom} sites',
        cluster=cluster,
        z=tuple(host.z[cluster.layer - 1].tolist()),
        lmax=int(writeout.lmax.max()),
    )
