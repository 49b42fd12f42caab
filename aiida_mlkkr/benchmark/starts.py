"""Start potentials that nobody has to learn, and predictions as start potentials."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.benchmark.cases import Case, Files
from aiida_mlkkr.kkr.potential import ImpurityPotential
from aiida_mlkkr.kkr.shapes import values_of
from aiida_mlkkr.ml.emulator import Prediction
from aiida_mlkkr.solver.start import cluster_potential, free_moment, host_of_cluster, standard_start

FloatArray = NDArray[np.float64]

FixedStart = Literal['voronoi', 'free_atoms', 'host']
FIXED_STARTS: Final[tuple[FixedStart, ...]] = get_args(FixedStart)
"""By the voronoi code, JuKKR's usual one; from free atoms with the moments of Hund's rule; the host's potential."""


@dataclass(frozen=True, eq=False)
class Start:
    """A start potential.

    :param state_known: whether its maker knows the magnetic state, so that it needs no initial field.
    :param expected: error that its maker expects on any site, at most [Ry]; infinite if it does not know.
    """

    potential: ImpurityPotential
    state_known: bool
    expected: float = inf

    def values(self, case: Case) -> tuple[FloatArray, ...]:
        """Potential (nspin, size) of each site in Ry, without -2Z/r, as in :class:`ImpurityRecord`."""
        meshes = [case.record.host.meshes[layer - 1] for layer in case.record.layer]
        return tuple(
            np.array([values_of(atom, mesh) for atom in site])
            for site, mesh in zip(self.potential.sites, meshes, strict=True)
        )


def fixed_start(name: FixedStart, case: Case, files: Files) -> Start | None:
    """A start potential that is not learnt; None if there is none for this impurity."""
    match name:
        case 'voronoi':
            made = files.voronoi
            return None if made is None else Start(made.potential, made.state_known)
        case 'free_atoms':
            return Start(_free_atoms(case, files), state_known=True)
        case 'host':
            sites = host_of_cluster(files.writeout.potential, case.record.layer)
            v = [np.stack([case.record.host.v[layer - 1]] * 2) for layer in case.record.layer]
            bottom = files.writeout.contour_bottom
            return Start(cluster_potential(case.record.z, files.writeout.lmax, sites, bottom, v), state_known=False)


def predicted_start(prediction: Prediction, case: Case, files: Files) -> Start:
    """A prediction as a start potential."""
    sites = host_of_cluster(files.writeout.potential, case.record.layer)
    bottom = files.writeout.contour_bottom
    potential = cluster_potential(case.record.z, files.writeout.lmax, sites, bottom, prediction.start)
    expected = inf if prediction.possible.any() else float(prediction.error.max())
    return Start(potential, state_known=True, expected=expected)


def _free_atoms(case: Case, files: Files) -> ImpurityPotential:
    record, writeout = case.record, files.writeout
    moments = np.zeros(len(record.z))
    for site in record.impurities:
        hund = free_moment(int(record.z[site])) if record.z[site] else 0.0
        moments[site] = np.copysign(hund, record.moments[site] if case.moments_asked else 1.0)
    sites = host_of_cluster(writeout.potential, record.layer)
    return standard_start(record.z, writeout.lmax, sites, writeout.contour_bottom, moments)
