"""The files of a write-out: what KKRhost hands to KKRimp."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import numpy as np

from aiida_mlkkr import __version__
from aiida_mlkkr.kkr.kkrflex import (
    AtomInfo,
    IntercellMoments,
    IntercellReference,
    TMatrix,
    write_atominfo,
    write_green_matrices,
    write_intercell_cmoms,
    write_intercell_ref,
    write_tmat,
)

from ..electrostatics import multipole_interaction
from ..scattering import SingleSite
from .charge import HostCharge, host_charge
from .green import ClusterGreen, cluster_green
from .madelung import lattice_multipoles
from .problem import HostProblem, read_host_problem


def write_out(directory: Path) -> tuple[HostProblem, HostCharge]:
    """Compute and write the kkrflex files for the input files in ``directory``, and the potential as it came.

    :raises KkrFileError: if an input file is missing or damaged.
    :raises SolverError: if the input is unsupported or inconsistent.
    :raises CoreStateError: if a core state cannot be found.
    """
    problem = read_host_problem(directory)
    sites = problem.solve_sites(problem.contour)
    green = cluster_green(problem, sites)
    charge = host_charge(problem, sites, green.onsite)
    serial = f'# serial: mlkkr-kkrhost_v{__version__}_embedded_{datetime.now():%Y%m%d%H%M%S}'
    _write_sites(directory, problem, serial)
    _write_tmat(directory, problem, sites, serial)
    _write_green(directory, problem, green)
    _write_intercell(directory, problem, charge, serial)
    shutil.copyfile(directory / 'potential', directory / 'out_potential')
    return problem, charge


def _write_sites(directory: Path, problem: HostProblem, serial: str) -> None:
    natom = problem.cluster.natom
    none = np.zeros(natom, dtype=np.bool_)
    z = np.full(natom, problem.atom[0].z)
    info = AtomInfo(problem.cluster.positions, z, none, none, np.full(natom, problem.lmax), serial)
    write_atominfo(info, directory / 'kkrflex_atominfo')


def _write_tmat(directory: Path, problem: HostProblem, sites: list[SingleSite], serial: str) -> None:
    t = np.stack([site.t_lm.T for site in sites])
    matrices = t[..., None] * np.eye(t.shape[-1])
    tmatrix = TMatrix(np.broadcast_to(matrices, (problem.cluster.natom, *matrices.shape)), serial=serial)
    write_tmat(tmatrix, directory / 'kkrflex_tmat')


def _write_green(directory: Path, problem: HostProblem, green: ClusterGreen) -> None:
    contour = problem.contour
    sizes = (problem.nspin, problem.cluster.natom, (problem.lmax + 1) ** 2, 0)
    path = directory / 'kkrflex_green'
    write_green_matrices(path, contour.energies, contour.weights, sizes, green.matrices(), problem.double_precision)


def _write_intercell(directory: Path, problem: HostProblem, charge: HostCharge, serial: str) -> None:
    """The moments, and the potential of the rest of the crystal, to which charges of neutral spheres add nothing."""
    natom, lmax_pot = problem.cluster.natom, 2 * problem.lmax
    multipoles = charge.moments.copy()
    multipoles[0] = 0.0
    interaction = multipole_interaction(lattice_multipoles(problem.cell * problem.alat, 2 * lmax_pot), lmax_pot)
    reference = IntercellReference(
        alat=problem.alat,
        vbc=np.full(2, problem.atom[0].vbc),
        coefficients=np.tile(interaction @ multipoles, (natom, 1)),
        serial=serial,
    )
    write_intercell_ref(reference, directory / 'kkrflex_intercell_ref')
    z_host = np.full(natom, problem.atom[0].z)
    moments = IntercellMoments(z_host, np.tile(charge.moments, (natom, 1)), serial=serial)
    write_intercell_cmoms(moments, directory / 'kkrflex_intercell_cmoms')
