"""Datasets without what symmetry makes superfluous, to pass them on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.dataset import Host, ImpurityDataset, ImpurityRecord
from aiida_mlkkr.ml.sites import sites_of_cluster
from aiida_mlkkr.ml.symmetry import orbits


def different_sites(dataset: ImpurityDataset) -> ImpurityDataset:
    """The same clusters with one of the host atoms that are alike by symmetry, and with all impurities.

    Models learn the same from it: the other sites are the same again, and what surrounds a site is known from the host
    and the impurities. Thirteen sites of an fcc crystal become two.
    """
    hosts = dataset.hosts
    return ImpurityDataset(dataset.kind, tuple(_slim(record, hosts) for record in dataset.impurities))


def _slim(record: ImpurityRecord, hosts: tuple[Host, ...]) -> ImpurityRecord:
    number = next(index for index, host in enumerate(hosts) if not host.difference(record.host))
    signs = np.sign(np.where(record.z != record.z_host, record.moments, 0.0))
    sites = sites_of_cluster(hosts, number, record.positions, record.layer, record.z, signs)
    first = {orbit.sites[0] for orbit in orbits(sites)}
    kept: NDArray[np.int64] = np.array(sorted(first.union(record.impurities.tolist())), dtype=np.int64)
    return replace(
        record,
        positions=record.positions[kept],
        layer=record.layer[kept],
        z=record.z[kept],
        v=tuple(record.v[site] for site in kept),
        reference=tuple(record.reference[site] for site in kept),
        moments=record.moments[kept],
        charges=record.charges[kept],
    )
