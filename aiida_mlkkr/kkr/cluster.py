"""Impurity clusters: the sites of a host crystal on which KKRimp recalculates the potential.

The site table has the columns of aiida-kkr's ``imp_cls`` and KKRhost's ``scoef`` file: x, y, z and distance from the
centre in units of the lattice constant, layer (site of the host's unit cell, counted from 1) and nuclear charge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.fortran import parse_floats
from aiida_mlkkr.kkr.kkrflex import AtomInfo

SAME_SITE = 1e-5
"""Distance in units of the lattice constant below which two positions are the same site (aiida-kkr's value)."""

MAX_Z = 118


@dataclass(frozen=True, eq=False)
class HostLattice:
    """A host crystal. All lengths are in one unit, the user's choice.

    :param cell: (3, 3) Bravais vectors, one per row.
    :param positions: (n, 3) Cartesian positions of the sites of the unit cell.
    :param z: (n,) nuclear charges.
    :param periodic_z: False for a film, which is repeated along the first two Bravais vectors only.
    :param alat: lattice constant; if None, the longest Bravais vector as in aiida-kkr (in a film, the longest of the
        in-plane ones).
    """

    cell: NDArray[np.float64]
    positions: NDArray[np.float64]
    z: NDArray[np.float64]
    periodic_z: bool = True
    alat: float | None = None

    def __post_init__(self) -> None:
        n = len(self.z)
        if n == 0 or self.cell.shape != (3, 3) or self.positions.shape != (n, 3):
            raise ValueError(f'a lattice of cell {self.cell.shape}, positions {self.positions.shape}, {n} charges')
        if self.volume < 1e-8 * float(np.prod(np.linalg.norm(self.cell, axis=1))):
            raise ValueError('the Bravais vectors of the host are linearly dependent')

    @property
    def volume(self) -> float:
        """Volume of the unit cell."""
        return abs(float(np.linalg.det(self.cell)))

    @property
    def lattice_constant(self) -> float:
        """The length in which positions of clusters are measured."""
        if self.alat is not None:
            return self.alat
        vectors = self.cell if self.periodic_z else self.cell[:2, :2]
        return float(np.sqrt(np.sum(vectors**2, axis=1)).max())

    def sites_within(
        self, cutoff: float, centre: int = 0, height: float | None = None, axis: ArrayLike = (0.0, 0.0, 1.0)
    ) -> NDArray[np.float64]:
        """Site table (n, 6) of all sites around a site of the unit cell, nearest first.

        Order and rounding are those of aiida-kkr's ``create_scoef_array``, so that both make the same files.

        :param cutoff: radius of the sphere, or of the cylinder if there is a height.
        :param centre: index of the site of the unit cell, from 0.
        :param height: height of the cylinder, whose middle is the central site.
        :param axis: direction of the axis of the cylinder.
        :raises ValueError: if the cutoff is not positive or there is no such site.
        """
        if not 0 <= centre < len(self.z):
            raise ValueError(f'the unit cell has sites 0 to {len(self.z) - 1}, no site {centre}')
        if not cutoff > 0:
            raise ValueError(f'the cutoff radius has to be positive, not {cutoff}')
        basis = self.positions - self.positions[centre]
        reach = cutoff if height is None else sqrt(cutoff**2 + height**2 / 4)
        # rows of the inverse: spacings of lattice planes
        span = reach + float(np.linalg.norm(basis, axis=1).max())
        counts = np.ceil(span * np.linalg.norm(np.linalg.inv(self.cell), axis=0)).astype(int)
        if not self.periodic_z:
            counts[2] = 0
        steps = np.stack(np.meshgrid(*(np.arange(-count, count + 1) for count in counts), indexing='ij'), -1)
        n, m, l = steps.reshape(-1, 3).T[:, :, None]
        translations = n * self.cell[0] + m * self.cell[1] + l * self.cell[2]
        positions = (basis[:, None, :] + translations).reshape(-1, 3)
        layer = np.repeat(np.arange(len(self.z)), len(translations))
        x, y, z = (-positions).T
        distance = np.sqrt(x * x + y * y + z * z)
        if height is None:
            inside = distance <= cutoff
        else:
            along = positions @ (np.asarray(axis, dtype=float) / np.linalg.norm(axis))
            inside = (np.abs(along) <= height / 2) & (np.sqrt(np.maximum(distance**2 - along**2, 0.0)) <= cutoff)
        inside &= distance > 0
        table = np.column_stack([positions, layer + 1.0, self.z[layer], distance])[inside]
        table = np.vstack([[0.0, 0.0, 0.0, centre + 1.0, self.z[centre], 0.0], table])
        table[:, [0, 1, 2, 5]] /= self.lattice_constant
        # no stable sort: equal distances have to come in the order in which aiida-kkr's sort leaves them
        sorted_table: NDArray[np.float64] = table[table[:, 5].argsort()]
        return sorted_table


@dataclass(frozen=True)
class Impurity:
    """An impurity atom to be put into a host.

    :param z: its nuclear charge, 0 for a vacancy.
    :param layer: index of the site of the host's unit cell that it replaces, from 0.
    :param position: Cartesian position relative to the first impurity, in units of the lattice constant.
    """

    z: int
    layer: int = 0
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class ImpurityCluster:
    """Sites of an impurity cluster.

    :param positions: (n, 3) in units of the lattice constant.
    :param layer: (n,) site of the host's unit cell, from 1 as in the files.
    :param z_table: (n,) nuclear charges as the table lists them, of the host or already of an impurity.
    :param distance: (n,) distance from the first impurity in units of the lattice constant.
    :param impurity_sites: indices of the sites that hold impurities, from 0.
    :param z_impurity: nuclear charges of the impurities, in the order of ``impurity_sites``.
    :raises ValueError: if sites coincide, a nuclear charge is not that of an element, or an impurity has no site.
    """

    positions: NDArray[np.float64]
    layer: NDArray[np.int64]
    z_table: NDArray[np.float64]
    distance: NDArray[np.float64]
    impurity_sites: tuple[int, ...] = ()
    z_impurity: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.layer)
        shapes = [array.shape for array in (self.positions, self.layer, self.z_table, self.distance)]
        if n == 0 or shapes != [(n, 3), (n,), (n,), (n,)]:
            raise ValueError(f'arrays of an impurity cluster do not fit together: {shapes}')
        twins = coinciding_sites(self.positions)
        if twins:
            first, second = twins
            raise ValueError(f'sites {first + 1} and {second + 1} of the cluster coincide at {self.positions[second]}')
        for z in (*self.z_table, *self.z_impurity):
            _check_element(z)
        if len(self.impurity_sites) != len(self.z_impurity):
            raise ValueError(f'{len(self.z_impurity)} nuclear charges for {len(self.impurity_sites)} impurity sites')
        if len(set(self.impurity_sites)) != len(self.impurity_sites):
            raise ValueError('two impurities are on the same site of the cluster')
        if any(not 0 <= site < n for site in self.impurity_sites):
            raise ValueError(f'impurity sites {self.impurity_sites} in a cluster of {n} sites')

    @property
    def natom(self) -> int:
        """Number of sites."""
        return len(self.layer)

    @property
    def z(self) -> NDArray[np.float64]:
        """Nuclear charges (n,) with the impurities in place."""
        z = self.z_table.copy()
        z[list(self.impurity_sites)] = self.z_impurity
        return z

    @classmethod
    def from_table(cls, imp_cls: ArrayLike) -> 'ImpurityCluster':
        """Cluster without impurities from a site table, rows x, y, z, layer, Z, distance (aiida-kkr's ``imp_cls``).

        :raises ValueError: if the rows are not that, or sites coincide.
        """
        table = np.array(imp_cls, dtype=np.float64, ndmin=2)
        if table.ndim != 2 or table.shape[1] != 6:
            raise ValueError(f'imp_cls needs rows [x, y, z, layer, Z, distance], its shape is {table.shape}')
        if not np.isfinite(table).all():
            raise ValueError('imp_cls holds a number that is not finite')
        layer = table[:, 3].astype(np.int64)
        if (layer != table[:, 3]).any() or (layer < 1).any():
            raise ValueError(f'layers of imp_cls are integers from 1, not {table[:, 3].tolist()}')
        return cls(table[:, :3].copy(), layer, table[:, 4].copy(), table[:, 5].copy())

    @classmethod
    def from_lattice(
        cls,
        lattice: HostLattice,
        impurities: Sequence[Impurity],
        cutoff: float | Sequence[float | None] | None = None,
    ) -> 'ImpurityCluster':
        """Cluster of one or several impurities in a host.

        The sites within the cutoff of each impurity are joined as in aiida-kkr's ``create_combined_imp_info``: to the
        sites around the first impurity come, impurity by impurity, the next impurity and those of its
        neighbours that are new.

        :param cutoff: radius around the impurities in the unit of the lattice, or one for each; None for the impurity
            sites alone.
        :raises ValueError: if an impurity is not on a lattice site or two are on the same.
        """
        if not impurities:
            raise ValueError('a cluster needs at least one impurity')
        origin = np.array(impurities[0].position)
        table = np.empty((0, 6))
        cutoffs = cutoff if isinstance(cutoff, Sequence) else [cutoff] * len(impurities)
        for number, (impurity, radius) in enumerate(zip(impurities, cutoffs, strict=True), start=1):
            offset = np.array(impurity.position) - origin
            _check_on_lattice(lattice, offset, impurity.layer, impurities[0].layer, f'impurity {number}')
            if radius is None:
                around = np.array([[0.0, 0.0, 0.0, impurity.layer + 1.0, lattice.z[impurity.layer], 0.0]])
            else:
                around = lattice.sites_within(radius, impurity.layer)
            around[0, 4] = impurity.z
            around[:, :3] += offset
            table = table[~_coincide(table, around[:1])]
            new = ~_coincide(around, table)
            new[0] = True
            table = np.vstack([table, around[new]])
        if len(impurities) > 1:
            table[:, 5] = np.sqrt(np.sum(table[:, :3] ** 2, axis=1))
        positions = [np.array(impurity.position) - origin for impurity in impurities]
        return cls.from_table(table).with_impurities([impurity.z for impurity in impurities], positions)

    @classmethod
    def from_impurity_info(cls, info: Mapping[str, Any], lattice: HostLattice | None = None) -> 'ImpurityCluster':
        """Cluster of aiida-kkr's ``impurity_info``.

        :param info: ``Zimp`` and either ``imp_cls`` (with ``Rimp_rel`` for several impurities) or ``Rcut`` (in the
            unit of the lattice; Angstrom in aiida-kkr) with ``ilayer_center``, ``hcut``, ``cylinder_orient``.
        :param lattice: the host, needed with ``Rcut``.
        :raises ValueError: if a key is missing or the values do not make up a cluster.
        """
        if info.get('Zimp') is None:
            raise ValueError('impurity_info has no Zimp, the nuclear charge of the impurity')
        if info.get('imp_cls') is not None:
            cluster = cls.from_table(info['imp_cls'])
            if lattice is not None:
                cluster.check_on_lattice(lattice)
        elif info.get('Rcut') is not None:
            if lattice is None:
                raise ValueError('impurity_info gives the cluster by Rcut: the host lattice is needed as well')
            height = info.get('hcut', -1.0)
            axis = info.get('cylinder_orient', (0.0, 0.0, 1.0))
            centre = info.get('ilayer_center', 0)
            cluster = cls.from_table(lattice.sites_within(info['Rcut'], centre, height if height >= 0 else None, axis))
        else:
            raise ValueError('impurity_info has neither imp_cls nor Rcut')
        charges = info['Zimp'] if isinstance(info['Zimp'], Sequence | np.ndarray) else [info['Zimp']]
        return cluster.with_impurities(charges, info.get('Rimp_rel', [[0.0, 0.0, 0.0]]))

    def with_impurities(self, charges: ArrayLike, positions: ArrayLike = ((0.0, 0.0, 0.0),)) -> 'ImpurityCluster':
        """The same sites with impurities of the given nuclear charges (n,) at the given positions (n, 3).

        :raises ValueError: if the numbers differ, a charge is not that of an element or a position is not a site.
        """
        z = np.atleast_1d(np.asarray(charges, dtype=np.float64))
        where = np.array(positions, dtype=np.float64, ndmin=2)
        if where.ndim != 2 or where.shape[1] < 3 or len(z) != len(where):
            raise ValueError(f'{len(z)} impurity charges (Zimp) for {len(where)} impurity positions (Rimp_rel)')
        sites = []
        for number, position in enumerate(where[:, :3], start=1):
            distances = np.linalg.norm(self.positions - position, axis=1)
            if not distances.min() < SAME_SITE:
                raise ValueError(f'impurity {number} at {position.tolist()} is not on a site of the cluster')
            sites.append(int(distances.argmin()))
        return replace(self, impurity_sites=tuple(sites), z_impurity=tuple(_check_element(charge) for charge in z))

    def check_on_lattice(self, lattice: HostLattice) -> None:
        """Check that every site is a site of the host.

        :raises ValueError: if one is not; the message names it.
        """
        centre = int(np.linalg.norm(self.positions, axis=1).argmin())
        if np.linalg.norm(self.positions[centre]) > SAME_SITE:
            raise ValueError('no site of the cluster is at the origin')
        for i, (position, layer) in enumerate(zip(self.positions, self.layer, strict=True), start=1):
            _check_on_lattice(
                lattice, position, int(layer) - 1, int(self.layer[centre]) - 1, f'site {i} of the cluster'
            )

    def table(self) -> NDArray[np.float64]:
        """Site table (n, 6): x, y, z, layer, Z, distance, with the charges as they were listed."""
        return np.column_stack([self.positions, self.layer, self.z_table, self.distance])

    def impurity_info(self) -> dict[str, Any]:
        """Content of an ``impurity_info`` node of aiida-kkr with the whole cluster written out."""
        return {
            'imp_cls': self.table().tolist(),
            'Zimp': [float(z) for z in self.z_impurity],
            'Rimp_rel': self.positions[list(self.impurity_sites)].tolist(),
        }

    def atominfo(self, lmax: int, serial: str = '') -> AtomInfo:
        """Content of a ``kkrflex_atominfo`` file with the impurities in place, the same lmax on all sites."""
        none = np.zeros(self.natom, dtype=np.bool_)
        return AtomInfo(self.positions, self.z, none, none, np.full(self.natom, lmax), serial)


def read_scoef(path: Path) -> ImpurityCluster:
    """Read KKRhost's ``scoef`` file; it does not say which sites hold impurities.

    :raises KkrFileError: if the file is truncated or foreign.
    """
    try:
        lines = path.read_text(encoding='ascii').splitlines()
    except UnicodeDecodeError as error:
        raise KkrFileError(f'{path}: not a scoef file, it holds bytes that are not ASCII text') from error
    if not lines or not lines[0].strip().isdigit():
        raise KkrFileError(f'{path}: the first line of a scoef file is the number of sites')
    rows = [line for line in lines[1:] if line.strip()]
    if len(rows) != int(lines[0]):
        raise KkrFileError(f'{path}: {len(rows)} sites, but the first line says {int(lines[0])}; it is truncated?')
    table = []
    for number, row in enumerate(rows, start=2):
        try:
            values = parse_floats(row)
        except ValueError:
            values = np.empty(0)
        if len(values) != 6:
            raise KkrFileError(f'{path}: line {number}: x, y, z, layer, Z and distance expected, found {row[:60]!r}')
        table.append(values)
    try:
        return ImpurityCluster.from_table(np.array(table))
    except ValueError as error:
        raise KkrFileError(f'{path}: {error}') from error


def write_scoef(cluster: ImpurityCluster, path: Path) -> None:
    """Write KKRhost's ``scoef`` file."""
    lines = [f'{cluster.natom:4d}']
    for x, y, z, layer, charge, distance in cluster.table().tolist():
        lines.append(f'{x:26.19e} {y:26.19e} {z:26.19e} {int(layer):4d} {charge:4.1f} {distance:26.19e}')
    path.write_text('\n'.join(lines) + '\n', encoding='ascii')


def count_shells(distances: ArrayLike, tolerance: float = SAME_SITE) -> list[tuple[float, int]]:
    """Shells of sites: distance and number of sites of each, nearest first; the centre is a shell of its own.

    :param distances: (n,) distances from the centre.
    :param tolerance: distances that differ by less belong to the same shell.
    """
    ordered = np.sort(np.asarray(distances, dtype=np.float64))
    breaks = np.flatnonzero(np.diff(ordered) > tolerance) + 1
    return [(float(shell.mean()), len(shell)) for shell in np.split(ordered, breaks) if len(shell)]


def _check_element(z: float) -> int:
    if not (0 <= z <= MAX_Z and float(z).is_integer()):
        raise ValueError(f'there is no element with Z = {z:g}; Z is an integer from 1 to {MAX_Z}, or 0 for a vacancy')
    return int(z)


def _check_on_lattice(
    lattice: HostLattice, position: NDArray[np.float64], layer: int, centre_layer: int, name: str
) -> None:
    for index in (layer, centre_layer):
        if not 0 <= index < len(lattice.z):
            raise ValueError(f'{name}: the host has layers 1 to {len(lattice.z)}, no layer {index + 1}')
    shift = position * lattice.lattice_constant - lattice.positions[layer] + lattice.positions[centre_layer]
    steps = shift @ np.linalg.inv(lattice.cell)
    whole = np.rint(steps)
    if not lattice.periodic_z:
        whole[2] = 0.0
    if np.linalg.norm((steps - whole) @ lattice.cell) > SAME_SITE * lattice.lattice_constant:
        raise ValueError(f'{name} at {position.tolist()} is not a site of the host (layer {layer + 1})')


def coinciding_sites(positions: NDArray[np.float64]) -> tuple[int, int] | None:
    """Indices of the first two sites at one position, None if there are none; positions (n, 3) in lattice constants."""
    for second in range(1, len(positions)):
        near = np.flatnonzero(np.linalg.norm(positions[:second] - positions[second], axis=1) < SAME_SITE)
        if near.size:
            return int(near[0]), second
    return None


def _coincide(table: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of a site table are at the position of a row of another."""
    separation = np.linalg.norm(table[:, None, :3] - others[None, :, :3], axis=2)
    coincides: NDArray[np.bool_] = (separation < SAME_SITE).any(axis=1)
    return coincides
