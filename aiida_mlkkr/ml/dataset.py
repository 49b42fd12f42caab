"""Finished impurity clusters as the arrays that potentials are learnt from.

Units: Rydberg and Bohr; positions in units of the lattice constant; potentials without -2Z/r. In full potential the
components lm = 2 ... follow the spherical part of n values, one by one on the outermost points of the mesh, so that a
potential is one array of ``mesh.size`` values in every case.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from aiida_mlkkr.kkr.cluster import HostLattice
from aiida_mlkkr.kkr.elements import SYMBOLS, crystal_name, symbol
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.ml.meshes import meshes_from_arrays, meshes_to_arrays
from aiida_mlkkr.ml.radial import volume_weights

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]

SAME_POTENTIAL = 1e-4
"""Root mean square difference in Ry below which two potentials of a host are the same: of its own convergence."""

_SAME_PLACE = 1e-3
_SAME_LENGTH = 1e-6
_SAME_ENERGY = 1e-5

_SMALLEST_SPACING = 0.5
"""Of lattice planes, in Bohr: with smaller ones the neighbours of a site would be without number."""

_CELLS_AWAY = 10

_LARGEST_RADIUS = 1000.0
"""That a radial mesh would have in Bohr if its formula held for all of its points."""


@dataclass(frozen=True)
class PotentialKind:
    """What potentials must agree in to be learnt from together.

    :param full_potential: with components l > 0, or in the atomic-sphere approximation.
    :param nspin: number of spins.
    :param lmax: largest angular-momentum cutoff of a site.
    :param relativity: ``scalar-relativistic``, ``non-relativistic`` or ``spin-orbit``.
    :param xc: exchange-correlation functional, KKRimp's name of it.
    :param constants: whose constants and number formats the code has, ``jukkr`` for JuKKR and the embedded solver.
    """

    full_potential: bool
    nspin: int
    lmax: int
    relativity: str
    xc: str
    constants: str

    def difference(self, other: PotentialKind) -> str:
        """The first field that differs and both its values; empty if all agree."""
        for field in fields(self):
            mine, its = getattr(self, field.name), getattr(other, field.name)
            if mine != its:
                return f'{field.name} is {mine} in one and {its} in the other'
        return ''


@dataclass(frozen=True, eq=False)
class Host:
    """A host crystal, as the potentials of its impurities know it.

    :param alat: lattice constant in Bohr.
    :param efermi: Fermi energy in Ry.
    :param lattice: the crystal, lengths in units of the lattice constant.
    :param meshes: radial mesh of each atom of the cell; a :class:`~aiida_mlkkr.kkr.mesh.CellMesh` in full potential.
    :param v: spin-averaged potential (size,) of each atom of the cell in Ry.
    :raises DatasetError: if they do not fit together, or no crystal is like that.
    """

    alat: float
    efermi: float
    lattice: HostLattice
    meshes: tuple[RadialMesh, ...]
    v: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        if not len(self.z) == len(self.meshes) == len(self.v):
            raise DatasetError(
                f'a host of {len(self.z)} atoms with {len(self.meshes)} radial meshes and {len(self.v)} potentials'
            )
        for mesh, v in zip(self.meshes, self.v, strict=True):
            if np.log(mesh.b) + mesh.a * mesh.n > np.log(_LARGEST_RADIUS):
                raise DatasetError(f'no radial mesh of an atom is as large as {mesh}')
            if v.shape != (mesh.size,) or not np.isfinite(v).all():
                raise DatasetError(f'a potential of the host is not finite or does not fit its mesh of {mesh.n} points')
        directions = 3 if self.lattice.periodic_z else 2
        spacings = self.alat / np.linalg.norm(np.linalg.inv(self.lattice.cell), axis=0)[:directions]
        reach = np.linalg.norm(self.lattice.cell, axis=1).sum()
        if not (spacings > _SMALLEST_SPACING).all() or np.abs(self.lattice.positions).max() > _CELLS_AWAY * reach:
            raise DatasetError(f'no crystal has lattice planes {spacings.min():.2g} Bohr apart, or atoms so far away')

    @property
    def z(self) -> FloatArray:
        """Nuclear charges (nlayer,) of the atoms of the cell."""
        return self.lattice.z

    @property
    def name(self) -> str:
        """Elements and lattice constant, for people: ``Cu (alat 6.822)``."""
        return crystal_name(self.z, self.alat)

    @property
    def first_alike(self) -> IntArray:
        """(nlayer,) index of the first atom of the cell with the same nuclear charge, mesh and potential as each."""
        return np.array([next(i for i in range(j + 1) if self._are_alike(i, j)) for j in range(len(self.z))])

    def _are_alike(self, one: int, other: int) -> bool:
        if self.z[one] != self.z[other] or self.meshes[one].difference(self.meshes[other]):
            return False
        return _rms(self.meshes[one], self.v[one] - self.v[other]) < SAME_POTENTIAL

    def difference(self, other: Host) -> str:
        """What tells the hosts apart, with both values; empty if they are the same."""
        if not np.array_equal(self.z, other.z):
            return f'the atoms of the cell are {self.name} and {other.name}'
        if abs(self.alat - other.alat) > _SAME_LENGTH:
            return f'the lattice constants are {self.alat:.8f} and {other.alat:.8f} Bohr'
        mine, its = self.lattice, other.lattice
        if mine.periodic_z != its.periodic_z or not (
            np.allclose(mine.cell, its.cell, atol=_SAME_LENGTH)
            and np.allclose(mine.positions, its.positions, atol=_SAME_LENGTH)
        ):
            return 'the atoms of the cell are at other places, or the Bravais vectors differ'
        for mesh, its_mesh in zip(self.meshes, other.meshes, strict=True):
            if difference := mesh.difference(its_mesh):
                return difference
        if abs(self.efermi - other.efermi) > _SAME_ENERGY:
            return f'the Fermi energies are {self.efermi:.6f} and {other.efermi:.6f} Ry'
        for mesh, v, its_v in zip(self.meshes, self.v, other.v, strict=True):
            rms = _rms(mesh, v - its_v)
            if rms > SAME_POTENTIAL:
                return f'the potentials differ by {rms:.2g} Ry: their zeros or their convergence'
        return ''


@dataclass(frozen=True, eq=False)
class ImpurityRecord:
    """One finished cluster.

    :param source: identifies the calculation, the UUID of its potential's node.
    :param host: the crystal that it sits in.
    :param positions: (natom, 3) positions of the sites.
    :param layer: (natom,) which atom of the host's cell, from 1, a site replaces.
    :param z: (natom,) nuclear charges.
    :param v: converged potential (nspin, size) of each site, spin down first.
    :param reference: spin-averaged potential (size,) of each site that the difference is learnt to, see
        :func:`aiida_mlkkr.solver.start.reference_potential`.
    :param moments: (natom,) spin moments in µB.
    :param charges: (natom,) electrons.
    :param error: error of the potential in Ry where it is not converged, 0 where it is.
    """

    source: str
    host: Host
    positions: FloatArray
    layer: IntArray
    z: FloatArray
    v: tuple[FloatArray, ...]
    reference: tuple[FloatArray, ...]
    moments: FloatArray
    charges: FloatArray
    error: float = 0.0

    def __post_init__(self) -> None:
        natom = len(self.z)
        lengths = {
            len(entry) for entry in (self.positions, self.layer, self.v, self.reference, self.moments, self.charges)
        }
        if lengths != {natom}:
            raise DatasetError(
                f'impurity {self.source}: {natom} nuclear charges, but entries of {sorted(lengths)} sites'
            )
        if self.layer.min() < 1 or self.layer.max() > len(self.host.z):
            raise DatasetError(f'impurity {self.source}: its host has no atom {self.layer.max()} in the cell')
        if not np.isin(self.z, np.arange(len(SYMBOLS))).all():
            raise DatasetError(
                f'impurity {self.source}: a nuclear charge among {self.z.tolist()} is that of no element'
            )
        if not np.isfinite(self.positions).all() or pdist(self.positions).min(initial=np.inf) < _SAME_PLACE:
            raise DatasetError(f'impurity {self.source}: its sites are in the same place, or nowhere')
        for site, (v, reference, layer) in enumerate(zip(self.v, self.reference, self.layer, strict=True), start=1):
            size = self.host.meshes[layer - 1].size
            if v.shape[-1] != size or reference.shape != (size,):
                raise DatasetError(
                    f'impurity {self.source}: the potential of site {site} has {v.shape[-1]} points, '
                    f'its host {size}: they do not belong together'
                )
            if not (np.isfinite(v).all() and np.isfinite(reference).all()):
                raise DatasetError(f'impurity {self.source}: the potential of site {site} is not finite')

    @property
    def z_host(self) -> FloatArray:
        """Nuclear charges (natom,) of the host on the sites."""
        z: FloatArray = self.host.z[self.layer - 1]
        return z

    @property
    def impurities(self) -> IntArray:
        """Indices of the sites whose nuclear charge is not the host's."""
        return np.flatnonzero(self.z != self.z_host)

    @property
    def group(self) -> str:
        """The same for all runs of the same impurities, however they are turned: what a fair split keeps together.

        The place of an impurity is its distance to the centre of all, and the mean and the largest one to each.
        """
        impurities = self.impurities
        positions = self.positions[impurities]
        apart = np.linalg.norm(positions[:, None] - positions, axis=2)
        centre = np.linalg.norm(positions - positions.mean(axis=0), axis=1)
        places = np.stack([centre, apart.mean(axis=1), apart.max(axis=1, initial=0.0)], axis=1)
        kinds = zip(self.z[impurities].tolist(), self.layer[impurities].tolist(), places.round(3).tolist(), strict=True)
        listed = [f'{symbol(z)}{layer}@{",".join(f"{x:.3f}" for x in place)}' for z, layer, place in kinds]
        return f'{self.host.name}: {" ".join(sorted(listed))}'


@dataclass(frozen=True, eq=False)
class ImpurityDataset:
    """Finished clusters of one kind."""

    kind: PotentialKind
    impurities: tuple[ImpurityRecord, ...]

    def __post_init__(self) -> None:
        for record in self.impurities:
            spins = {v.shape[0] for v in record.v}
            if spins != {self.kind.nspin}:
                raise DatasetError(f'impurity {record.source} has {spins} spins, the dataset {self.kind.nspin}')

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The different hosts."""
        hosts: list[Host] = []
        for record in self.impurities:
            if all(record.host.difference(host) for host in hosts):
                hosts.append(record.host)
        return tuple(hosts)

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the impurities, by atomic number."""
        charges = {float(z) for record in self.impurities for z in record.z[record.impurities]}
        return tuple(symbol(z) for z in sorted(charges))

    def without(self, z: float) -> ImpurityDataset:
        """The clusters in which no impurity has this nuclear charge."""
        kept = tuple(record for record in self.impurities if z not in record.z[record.impurities])
        return ImpurityDataset(self.kind, kept)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Plain arrays and a description in plain JSON that :meth:`from_arrays` takes back."""
        hosts = self.hosts
        records = self.impurities
        arrays = {
            **hosts_to_arrays(hosts),
            'impurity_host': np.array([host_index(hosts, record.host) for record in records], dtype=np.int64),
            'impurity_error': np.array([record.error for record in records], dtype=np.float64),
            'impurity_natom': np.array([len(record.z) for record in records], dtype=np.int64),
            'site_position': np.concatenate([record.positions for record in records] or [np.empty((0, 3))]),
            'potential': np.concatenate([v for record in records for v in record.v] or [np.empty((2, 0))], axis=1),
            'reference': _joined(v for record in records for v in record.reference),
        }
        for name in ('layer', 'z', 'moments', 'charges'):
            arrays[f'site_{name}'] = _joined(getattr(record, name) for record in records)
        arrays['site_layer'] = arrays['site_layer'].astype(np.int64)
        return arrays, {'kind': asdict(self.kind), 'sources': [record.source for record in records]}

    @classmethod
    def from_arrays(cls, arrays: Arrays, description: dict[str, Any]) -> ImpurityDataset:
        """Take back what :meth:`to_arrays` gave.

        :raises DatasetError: if the arrays do not fit together.
        """
        try:
            return cls._from_arrays(arrays, description)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, DatasetError):
                raise
            raise DatasetError(f'the arrays of the dataset do not fit together: {error!r}') from error

    @classmethod
    def _from_arrays(cls, arrays: Arrays, description: dict[str, Any]) -> ImpurityDataset:
        hosts = hosts_from_arrays(arrays)
        _check_impurities(arrays, len(description['sources']))
        last_site = np.cumsum(arrays['impurity_natom'])
        layers = np.split(arrays['site_layer'], last_site[:-1])
        records = []
        point = 0
        for number, source in enumerate(description['sources']):
            host = hosts[arrays['impurity_host'][number]]
            sites = slice(last_site[number] - arrays['impurity_natom'][number], last_site[number])
            ends = point + np.cumsum([host.meshes[layer - 1].size for layer in layers[number]])
            bounds = list(zip([point, *ends[:-1]], ends, strict=True))
            records.append(
                ImpurityRecord(
                    source=source,
                    host=host,
                    positions=arrays['site_position'][sites],
                    layer=layers[number],
                    z=arrays['site_z'][sites],
                    v=tuple(arrays['potential'][:, begin:end] for begin, end in bounds),
                    reference=tuple(arrays['reference'][begin:end] for begin, end in bounds),
                    moments=arrays['site_moments'][sites],
                    charges=arrays['site_charges'][sites],
                    error=float(arrays['impurity_error'][number]),
                )
            )
            point = int(ends[-1])
        if point != arrays['potential'].shape[1]:
            raise DatasetError('the dataset has potentials of no impurity')
        return cls(PotentialKind(**description['kind']), tuple(records))


def merge(datasets: Iterable[ImpurityDataset]) -> ImpurityDataset:
    """All clusters of several datasets, each once.

    :raises DatasetError: if the datasets are of different kinds (it names the field), or there is no cluster at all.
    """
    found: dict[str, ImpurityRecord] = {}
    kind: PotentialKind | None = None
    for dataset in datasets:
        if not dataset.impurities:
            continue
        if kind is None:
            kind = dataset.kind
        elif difference := kind.difference(dataset.kind):
            raise DatasetError(f'datasets of different kinds cannot be mixed: {difference}')
        for record in dataset.impurities:
            found.setdefault(record.source, record)
    if kind is None:
        raise DatasetError('the dataset is empty: there is no finished impurity to learn from')
    return ImpurityDataset(kind, tuple(found.values()))


def _check_impurities(arrays: Arrays, named: int) -> None:
    sites, hosts = arrays['impurity_natom'], arrays['impurity_host']
    if {len(sites), len(hosts)} != {named}:
        raise DatasetError(f'the dataset names {named} impurities, and has {len(sites)}')
    if (hosts < 0).any() or (sites < 1).any() or sites.sum() != len(arrays['site_z']):
        raise DatasetError('an impurity of the dataset has no host or no site, or a site no impurity')


def host_index(hosts: tuple[Host, ...], host: Host) -> int:
    """Place of a host among others.

    :raises DatasetError: if it is not there; it says what tells it apart from each.
    """
    differences = []
    for index, candidate in enumerate(hosts):
        difference = candidate.difference(host)
        if not difference:
            return index
        differences.append(difference)
    raise DatasetError(f'the host {host.name} is not among the known ones: {"; ".join(differences)}')


def hosts_to_arrays(hosts: tuple[Host, ...]) -> Arrays:
    """Hosts as plain arrays, all names beginning with ``host_``."""
    meshes = [mesh for host in hosts for mesh in host.meshes]
    return {
        'host_alat': np.array([host.alat for host in hosts], dtype=np.float64),
        'host_efermi': np.array([host.efermi for host in hosts], dtype=np.float64),
        'host_natom': np.array([len(host.z) for host in hosts], dtype=np.int64),
        'host_cell': np.array([host.lattice.cell for host in hosts], dtype=np.float64).reshape(-1, 3, 3),
        'host_film': np.array([not host.lattice.periodic_z for host in hosts], dtype=np.bool_),
        'host_position': np.concatenate([host.lattice.positions for host in hosts] or [np.empty((0, 3))]),
        'host_z': _joined(host.z for host in hosts),
        **meshes_to_arrays(meshes),
        'host_potential': _joined(v for host in hosts for v in host.v),
    }


def hosts_from_arrays(arrays: Arrays) -> tuple[Host, ...]:
    """Take back what :func:`hosts_to_arrays` gave."""
    meshes = meshes_from_arrays(arrays)
    potentials = np.split(arrays['host_potential'], np.cumsum([mesh.size for mesh in meshes])[:-1])
    atoms_of_hosts = int(arrays['host_natom'].sum())
    if {atoms_of_hosts} != {len(meshes), len(arrays['host_position']), len(arrays['host_z'])}:
        raise DatasetError(f'{atoms_of_hosts} atoms of hosts with {len(meshes)} radial meshes')
    hosts = []
    for number, last in enumerate(np.cumsum(arrays['host_natom'])):
        atoms = slice(last - arrays['host_natom'][number], last)
        hosts.append(
            Host(
                float(arrays['host_alat'][number]),
                float(arrays['host_efermi'][number]),
                HostLattice(
                    arrays['host_cell'][number],
                    arrays['host_position'][atoms],
                    arrays['host_z'][atoms],
                    not arrays['host_film'][number],
                    alat=1.0,
                ),
                tuple(meshes[atoms]),
                tuple(potentials[atoms]),
            )
        )
    return tuple(hosts)


def _rms(mesh: RadialMesh, difference: FloatArray) -> float:
    return float(np.sqrt(volume_weights(mesh) @ difference**2))


def _joined(parts: Iterable[NDArray[Any]]) -> FloatArray:
    pieces = [np.asarray(part, dtype=np.float64) for part in parts]
    return np.concatenate(pieces) if pieces else np.empty(0)
