"""Files of finished runs as records that models learn from, and predictions of models as files for KKRimp.

Here the files of the host's write-out, the embedded solver's free atoms and the models meet; AiiDA is not imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.cluster import HostLattice, ImpurityCluster, read_scoef
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.impurity_info import sites_asked, sites_mismatch
from aiida_mlkkr.kkr.inputcard import InputCard
from aiida_mlkkr.kkr.kkrflex import read_atominfo, read_green
from aiida_mlkkr.kkr.mesh import CellMesh
from aiida_mlkkr.kkr.outcome import judge
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.kkr.run import KkrimpRun
from aiida_mlkkr.kkr.shapes import read_shapes, values_of, with_shapes
from aiida_mlkkr.kkr.start_check import shape_fault
from aiida_mlkkr.kkr.writeout import INPUTCARD, SPIN_ORBIT
from aiida_mlkkr.ml.dataset import Host, ImpurityRecord, PotentialKind
from aiida_mlkkr.ml.emulator import PotentialEmulator, Prediction
from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.solver.start import cluster_potential, host_of_cluster, reference_potential

NEEDED: Final = ('scoef', 'out_potential', 'inputcard')
"""Files of the write-out that are needed; the retrieved folder has them even if the Green function stayed behind."""

USEFUL: Final = ('kkrflex_atominfo', 'kkrflex_green')

SHAPES: Final = 'shapefun'
"""File of the shape functions of a host in full potential; the write-out has none, its voronoi calculation has it."""

LARGEST_ERROR: Final = 1e-4
"""Error of the potential in Ry up to which a run is converged well enough to learn from."""

DISTANCE_PER_ERROR: Final = 2.0
"""Distance of a potential from the converged one, root mean square on the impurity's site, by KKRimp's error, that of
one step. For 48 impurities in Cu and Ag after simple mixing to 1e-2 Ry it is 1.6 in the median, below 3.4 for nine of
ten; for 32 after some iterations of Anderson mixing, at 0.02 to 0.1 Ry, 0.5 and 1.1 (docs: howto, fill)."""

_SAME_ENERGY: Final = 1e-4


@dataclasses.dataclass(frozen=True, eq=False)
class Writeout:
    """A host's Green function as far as potentials are concerned.

    :param cluster: the sites.
    :param potential: of the host, one site for each atom of its cell; on true meshes, if the shape functions are known.
    :param lattice: of the host, lengths in units of the lattice constant.
    :param lmax: (natom,) angular-momentum cutoffs of the sites.
    :param contour_bottom: lowest energy of the contour in Ry.
    :param spin_orbit: whether the host has spin-orbit coupling.
    """

    cluster: ImpurityCluster
    potential: ImpurityPotential
    lattice: HostLattice
    lmax: NDArray[np.int64]
    contour_bottom: float
    spin_orbit: bool

    @property
    def host(self) -> Host:
        """The host as models know it.

        :raises DatasetError: if it is in full potential, and its shape functions are not known.
        """
        first = [site[0] for site in self.potential.sites]
        if self.potential.is_full_potential and not isinstance(first[0].mesh, CellMesh):
            raise DatasetError(
                'the host is in full potential, and the shape functions of its voronoi calculation (the file '
                f'{SHAPES}) are not in the database'
            )
        mean = tuple(np.mean([values_of(atom, atom.mesh) for atom in site], axis=0) for site in self.potential.sites)
        return Host(
            first[0].alat,
            first[0].efermi,
            self.lattice,
            tuple(atom.mesh for atom in first),
            mean,
        )

    def with_impurities(self, info: Mapping[str, Any]) -> ImpurityCluster:
        """The sites with the impurities of an ``impurity_info`` in place.

        :raises ValueError: if they do not fit.
        """
        if info.get('Zimp') is None:
            raise ValueError('impurity_info has no Zimp, the nuclear charge of the impurity')
        if 'imp_cls' in sites_asked(info) and (mismatch := sites_mismatch(info, {}, self.cluster)):
            raise ValueError(f'host and cluster do not match: {mismatch}')
        return self.cluster.with_impurities(info['Zimp'], info.get('Rimp_rel', [[0.0, 0.0, 0.0]]))

    def kind(self, settings: Mapping[str, Any], potential: ImpurityPotential | None = None) -> PotentialKind:
        """The kind of potential that a run with the given settings of KKRimp makes.

        :param settings: keys of ``config.cfg``; what is absent has KKRimp's default.
        :param potential: its potential, where there is one.
        """
        kind = kind_of(settings, int(self.lmax.max()))
        full, nspin = kind.full_potential or self.potential.is_full_potential, kind.nspin
        if potential is not None:
            full, nspin = potential.is_full_potential, potential.nspin
        relativity = 'spin-orbit' if self.spin_orbit else kind.relativity
        return dataclasses.replace(kind, full_potential=full, nspin=nspin, relativity=relativity)


def kind_of(settings: Mapping[str, Any], lmax: int) -> PotentialKind:
    """The kind of potential that the settings of KKRimp alone speak of; what is absent has KKRimp's default."""
    scalar = 'scalar-relativistic' if int(settings.get('KVREL', 1)) else 'non-relativistic'
    xc = str(settings.get('XC', 'LDA'))
    return PotentialKind(
        full_potential=bool(int(settings.get('INS', 0))),
        nspin=int(settings.get('NSPIN', 2)),
        lmax=lmax,
        relativity='spin-orbit' if int(settings.get('SPINORBIT', 0)) else scalar,
        xc='LDA-VWN' if xc == 'LDA' else xc,
        constants='jukkr',
    )


def read_writeout(folder: Path) -> Writeout:
    """Read the retrieved files of a write-out: :data:`NEEDED`, of :data:`USEFUL` those that are there, :data:`SHAPES`.

    :raises KkrFileError: if a file is missing, truncated, foreign or does not belong to the others.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise KkrFileError(f'the retrieved folder of the host write-out lacks {", ".join(missing)}')
    cluster = read_scoef(folder / 'scoef')
    potential = read_potential(folder / 'out_potential')
    if cluster.layer.max() > potential.natom:
        raise KkrFileError(
            f'scoef has sites of atom {cluster.layer.max()} of the cell, out_potential has {potential.natom} atoms'
        )
    card = InputCard.read(folder / INPUTCARD)
    if potential.is_full_potential and (folder / SHAPES).is_file():
        shapes = read_shapes((folder / SHAPES).read_text(encoding='ascii', errors='replace'))
        potential = with_shapes(potential, shapes, _shape_numbers(card, potential.natom))
    if (folder / 'kkrflex_atominfo').is_file():
        lmax = read_atominfo(folder / 'kkrflex_atominfo').lmax
    else:
        lmax = np.full(cluster.natom, card.integer('LMAX'))
    if lmax.shape != (cluster.natom,):
        raise KkrFileError(f'kkrflex_atominfo has {lmax.size} sites, scoef {cluster.natom}')
    if (folder / 'kkrflex_green').is_file():
        contour_bottom = read_green(folder / 'kkrflex_green').contour_bottom
    else:
        contour_bottom = card.number('EMIN')
    lattice = card.lattice(np.array([site[0].z for site in potential.sites]))
    return Writeout(cluster, potential, lattice, lmax, contour_bottom, bool(card.options() & SPIN_ORBIT))


def record_of_run(
    source: str, writeout: Writeout, info: Mapping[str, Any], run: KkrimpRun, largest_error: float = LARGEST_ERROR
) -> tuple[PotentialKind, ImpurityRecord]:
    """What a model learns from a finished run.

    :param source: what identifies the run.
    :param info: its ``impurity_info``.
    :param largest_error: error in Ry up to which it may be used; above :data:`LARGEST_ERROR` it is not converged, and
        the record says how far it may be from the converged potential.
    :raises DatasetError: if nothing is to be learnt from it; the message says why.
    """
    potential, fault = run.potential, unusable(run, largest_error)
    if potential is None or fault:
        raise DatasetError(fault)
    try:
        cluster = writeout.with_impurities(info)
    except ValueError as error:
        raise DatasetError(str(error)) from error
    host, sites = writeout.host, host_of_cluster(writeout.potential, cluster.layer)
    fault = shape_fault(potential, cluster.z, potential.nspin) or _host_fault(potential, sites)
    if fault:
        raise DatasetError(fault)
    try:
        reference = reference_potential(cluster.z, sites)
    except ValueError as error:
        raise DatasetError(str(error)) from error
    record = ImpurityRecord(
        source=source,
        host=host,
        positions=cluster.positions,
        layer=cluster.layer,
        z=cluster.z,
        v=tuple(
            np.array([values_of(atom, its[0].mesh) for atom in site])
            for site, its in zip(potential.sites, sites.sites, strict=True)
        ),
        reference=reference,
        moments=run.history.spin_moment[-1],
        charges=run.history.charge[-1],
        error=_distance(float(run.history.error[-1])),
    )
    return writeout.kind(run.config, potential), record


def predicted_potential(
    emulator: PotentialEmulator,
    writeout: Writeout,
    info: Mapping[str, Any],
    moments: Sequence[float] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[ImpurityPotential, Prediction]:
    """Start potential of impurities.

    :param info: ``impurity_info`` of the impurities.
    :param moments: those of :func:`moments_of_sites`; what the emulator expects if None.
    :param settings: of the KKRimp run to come, keys as in ``config.cfg``.
    :return: the potential, and the prediction that it was made from.
    :raises ModelError: if the emulator cannot tell.
    :raises ValueError: if impurities and host do not fit.
    """
    cluster, host = writeout.with_impurities(info), writeout.host
    changed = cluster.z != host.z[cluster.layer - 1]
    sites = host_of_cluster(writeout.potential, cluster.layer)
    prediction = emulator.predict(
        writeout.kind(settings or {}),
        host,
        cluster.positions,
        cluster.layer,
        cluster.z,
        reference_potential(cluster.z, sites),
        None if moments is None else moments_of_sites(cluster, moments)[changed].tolist(),
    )
    potential = cluster_potential(cluster.z, writeout.lmax, sites, writeout.contour_bottom, prediction.start)
    return potential, prediction


def moments_of_sites(cluster: ImpurityCluster, moments: Sequence[float]) -> NDArray[np.float64]:
    """Moments (natom,) of all sites from those of the impurities in the order of ``Zimp``; 0 beyond their list.

    :raises ValueError: if there are more moments than impurities, or one is no number.
    """
    if len(moments) > len(cluster.impurity_sites):
        raise ValueError(f'{len(moments)} start moments for {len(cluster.impurity_sites)} impurities')
    if not all(isinstance(moment, int | float) for moment in moments):
        raise ValueError(f'start moments {list(moments)} are not all numbers')
    of_sites = np.zeros(cluster.natom)
    of_sites[list(cluster.impurity_sites[: len(moments)])] = moments
    return of_sites


def unusable(run: KkrimpRun, largest_error: float = LARGEST_ERROR) -> str:
    """Why nothing is to be learnt from a run, whatever its host; empty if there is no reason.

    Exit codes do not tell: aiida-kkr's workchains end with exit code 0 at an error of 0.03 Ry and at solutions that are
    not physical, and one that failed may have left a converged potential. The last iteration decides.
    """
    history = run.history
    if not history.niter or not history.complete:
        return judge(run).message.partition('. ')[0]
    if history.has_nan or not run.potential_finite:
        return 'there are numbers in its results that are not finite (NaN)'
    if run.potential is None:
        return run.potential_fault
    if 'LDA+U' in run.config.get('RUNFLAG', ''):
        return 'it was calculated with LDA+U, of which models know nothing'
    error = float(history.error[-1])
    if not error <= largest_error:
        return f'it is not converged, its error is {error:.1e} Ry'
    if run.unchecked:
        return f'it cannot be checked: {run.unchecked}'
    return f'it is not physical: {run.problems[0].finding}' if run.problems else ''


def _distance(error: float) -> float:
    """How far a potential may be from the converged one (Ry), 0 if it is converged, from its error in Ry."""
    return 0.0 if error <= LARGEST_ERROR else DISTANCE_PER_ERROR * error


def _host_fault(potential: ImpurityPotential, host: ImpurityPotential) -> str:
    """In what a potential and the host's, site by site, do not belong together; empty if they do."""
    for number, (site, host_site) in enumerate(zip(potential.sites, host.sites, strict=True), start=1):
        mine, its = site[0], host_site[0]
        if (mine.nonspherical is None) != (its.nonspherical is None) or not mine.has_mesh_of(its):
            return f'the radial meshes of its site {number} and of the host differ: {mine.mesh} and {its.mesh}'
        if abs(mine.efermi - its.efermi) > _SAME_ENERGY:
            return f'its Fermi energy is {mine.efermi:.6f} Ry, that of the host {its.efermi:.6f} Ry'
        if any(np.abs(atom.v - its.v).max() > _SAME_ENERGY for atom in host_site):
            return 'its host is magnetic; models learn impurities in hosts that are not'
    return ''


def _shape_numbers(card: InputCard, natom: int) -> list[int]:
    """Which shape function, from 1, the cell of each atom has: as many as there are atoms, unless the card says so."""
    numbers = card.table('<SHAPE>', natom, 1)[:, 0].astype(int).tolist()
    return numbers or list(range(1, natom + 1))
