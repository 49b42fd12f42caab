"""What an emulator of atomic spheres says of impurities in full potential.

Far more impurities are known in atomic spheres than in full potential, and most of what an impurity does to the
spherical spin average is the same in both. A model of full potentials then learns the difference alone: M. C. Kennedy
and A. O'Hagan, Biometrika 87, 1 (2000), with the factor 1 between cheap and costly results. The potential of the sphere
is continued into the corners of the cell as the constant that it ends with, and cut off at the cell's boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.dataset import Host, ImpurityDataset, PotentialKind
from aiida_mlkkr.ml.errors import ModelError

if TYPE_CHECKING:
    from aiida_mlkkr.ml.emulator import PotentialEmulator

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SAME_CRYSTAL: Final = 0.01
"""Relative difference of lattice constants below which spheres and full potential are those of one crystal."""

_SAME_PLACE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Spheres:
    """An emulator of atomic spheres, asked about clusters in full potential.

    :param emulator: the emulator.
    """

    emulator: PotentialEmulator

    def check(self, kind: PotentialKind, host: Host, z: FloatArray, layer: IntArray) -> None:
        """Whether the emulator can answer for impurities in a host.

        :param kind: of the full potentials.
        :raises ModelError: if not.
        """
        self.emulator.check(_of_spheres(kind), self._host(host), z, layer)

    def add_to(
        self,
        reference: Sequence[FloatArray],
        kind: PotentialKind,
        host: Host,
        positions: FloatArray,
        layer: IntArray,
        z: FloatArray,
    ) -> tuple[tuple[FloatArray, ...], FloatArray]:
        """References (size,) of the sites with what impurities do to them in spheres, and its standard error (natom,).

        The cluster is given as in :meth:`PotentialEmulator.predict`.

        :raises ModelError: if the emulator does not know the crystal, or refuses.
        """
        known = self._host(host)
        nothing = [np.zeros(known.meshes[number - 1].size) for number in layer]
        said = self.emulator.predict(_of_spheres(kind), known, positions, layer, z, nothing)
        added = []
        for number, before, v in zip(layer, reference, said.v, strict=True):
            mesh, sphere = host.meshes[number - 1], known.meshes[number - 1]
            added.append(before + mesh.of_cell(np.interp(mesh.r, sphere.r, v.mean(axis=0))))
        return tuple(added), said.error

    def added(self, dataset: ImpurityDataset) -> ImpurityDataset:
        """A dataset with what the spheres say in the references, so that the rest is left to learn.

        :raises ModelError: if these are no full potentials, the emulator does not know a crystal, or it refuses.
        """
        if not dataset.kind.full_potential:
            raise ModelError('an emulator of atomic spheres helps to learn full potentials, these are of spheres')
        records = []
        for record in dataset.impurities:
            its = (record.host, record.positions, record.layer, record.z)
            reference, _ = self.add_to(record.reference, dataset.kind, *its)
            records.append(replace(record, reference=reference))
        return ImpurityDataset(dataset.kind, tuple(records))

    def _host(self, host: Host) -> Host:
        """The crystal as the emulator knows it."""
        for known in self.emulator.hosts:
            if _are_one_crystal(known, host):
                return known
        names = ', '.join(known.name for known in self.emulator.hosts)
        raise ModelError(f'the emulator of atomic spheres has not seen the crystal of {host.name}, it knows {names}')


def _of_spheres(kind: PotentialKind) -> PotentialKind:
    return replace(kind, full_potential=False)


def _are_one_crystal(one: Host, other: Host) -> bool:
    """Whether the same atoms are on the same lattice, whichever Bravais vectors and cells describe it."""
    if not np.array_equal(one.z, other.z) or one.lattice.periodic_z != other.lattice.periodic_z:
        return False
    to_cells = np.linalg.inv(other.lattice.cell)
    vectors = one.lattice.cell @ to_cells
    apart = (one.lattice.positions - other.lattice.positions) @ to_cells
    return (
        abs(one.alat - other.alat) < SAME_CRYSTAL * one.alat
        and _are_whole(np.vstack([vectors, apart]))
        and abs(abs(np.linalg.det(vectors)) - 1.0) < _SAME_PLACE
    )


def _are_whole(numbers: FloatArray) -> bool:
    return np.allclose(numbers, np.round(numbers), atol=_SAME_PLACE)
