"""Full potentials of V, Cr and Mn in fcc Cu by JuKKR, see tests/data/cu_fcc_fp."""

from __future__ import annotations

import gzip
import io
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from aiida_mlkkr.calculations.records import Writeout, read_writeout
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.kkr.shapes import values_of
from aiida_mlkkr.ml.dataset import ImpurityDataset, ImpurityRecord, PotentialKind
from aiida_mlkkr.ml.sites import Sites, sites_of_cluster
from aiida_mlkkr.ml.symmetry import orbits
from aiida_mlkkr.solver.start import host_of_cluster, reference_potential

DATA = Path(__file__).parents[1] / 'data' / 'cu_fcc_fp'
KIND = PotentialKind(True, 2, 2, 'scalar-relativistic', 'LDA-VWN', 'jukkr')
MOMENTS = {'v': 1.0593, 'cr': 2.9733, 'mn': 3.4400}
Z = {'v': 23.0, 'cr': 24.0, 'mn': 25.0}


def text(name: str) -> str:
    return gzip.decompress((DATA / f'{name}.gz').read_bytes()).decode()


def folder_of_writeout(folder: Path) -> Path:
    """The host's write-out with its shape functions, in a folder."""
    for name in ('scoef', 'inputcard', 'shapefun'):
        (folder / name).write_text(text(name))
    (folder / 'out_potential').write_text(text('host_out_potential'))
    return folder


def potential(element: str) -> ImpurityPotential:
    """Impurity and first neighbour."""
    return read_potential(io.StringIO(text(f'{element}_out_potential')), nspin=2)


def sites_of(z: np.ndarray) -> Sites:
    """The sites of the 13-site cluster."""
    cluster = writeout().cluster
    signs = np.where(z != 29.0, 1.0, 0.0)
    return sites_of_cluster((writeout().host,), 0, cluster.positions, cluster.layer, z, signs)


def components(mesh, values: np.ndarray) -> np.ndarray:
    """Values (..., size) as (..., C, n), the components on all points."""
    spread = np.zeros((*values.shape[:-1], mesh.channels, mesh.n))
    spread[..., 0, :] = values[..., : mesh.n]
    shape = (*values.shape[:-1], mesh.channels - 1, mesh.outermost)
    spread[..., 1:, mesh.n - mesh.outermost :] = values[..., mesh.n :].reshape(shape)
    return spread


def flat(mesh, spread: np.ndarray) -> np.ndarray:
    outer = spread[..., 1:, mesh.n - mesh.outermost :]
    return np.concatenate([spread[..., 0, :], outer.reshape(*outer.shape[:-2], -1)], axis=-1)


@cache
def writeout() -> Writeout:
    with TemporaryDirectory() as folder:
        return read_writeout(folder_of_writeout(Path(folder)))


def record(element: str) -> ImpurityRecord:
    """The whole cluster, the other neighbours made from the first one by symmetry."""
    host, cluster = writeout().host, writeout().cluster
    z = np.array([Z[element], *12 * [29.0]])
    mesh = host.meshes[0]
    given = [np.array([values_of(block, mesh) for block in site]) for site in potential(element).sites]
    v = [given[0], *12 * [given[1]]]
    for orbit in orbits(sites_of(z))[1:]:
        turned = [orbit.spread(part) for part in components(mesh, given[1])]
        for number, site in enumerate(orbit.sites):
            v[site] = flat(mesh, np.array([spin[number] for spin in turned]))
    moments = np.array([MOMENTS[element], *12 * [0.0]])
    reference = reference_potential(z, host_of_cluster(writeout().potential, cluster.layer))
    return ImpurityRecord(element, host, cluster.positions, cluster.layer, z, tuple(v), reference, moments, z)


def dataset(*elements: str) -> ImpurityDataset:
    return ImpurityDataset(KIND, tuple(record(element) for element in elements))
