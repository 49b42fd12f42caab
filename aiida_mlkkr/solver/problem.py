"""The impurity problem: all that a self-consistency needs, read from KKRimp's input files, which are checked."""

from collections import Counter
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.cluster import coinciding_sites
from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.kkrflex import (
    AtomInfo,
    HostGreen,
    IntercellMoments,
    IntercellReference,
    TMatrix,
    read_atominfo,
    read_green,
    read_intercell_cmoms,
    read_intercell_ref,
    read_tmat,
)
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.kkr.sanity import core_fault

from .angular import lm_size
from .config import FULL_POTENTIAL, KkrimpConfig
from .core import FEWEST_POINTS
from .dyson import VoidGreenFunction, free_green_function, group_borders, void_green_function
from .electrostatics import madelung_matrices
from .errors import InconsistentInputError, UnsupportedSettingError
from .scattering import Contour

FloatArray = NDArray[np.float64]

DISPLACED = 0.3
"""Distance [alat] below which JuKKR takes a virtual site for the displaced place of another site."""

FAR_BELOW_THE_BANDS = 1.5
"""Im κ times the distance of neighbours from which on the host hardly reflects (contour of Cu: 3.4)."""

DIFFERENCE_FROM_FREE_ELECTRONS = 0.25
"""Largest relative difference that is believed; 0.014 in Cu, 0.017 in Ag, 0.54 and more for files of the other host."""


@dataclass(frozen=True)
class ImpurityProblem:
    """An impurity cluster in its host. Sites are those that the cluster keeps, in the order of the potential file.

    :param z: nuclear charges, shape (n,).
    :param lmax: angular-momentum cutoff of each site.
    :param void: G_void of each spin, all energies; one spin only if the host has one.
    :param offsets: first index (site, L) of each site, and the number of all at the end; shape (n+1,).
    :param coupling: Madelung matrices A, shape (n, n, L, L), and B, shape (n, n, L), of
        :func:`~aiida_mlkkr.solver.electrostatics.madelung_matrices`.
    :param host_coefficients: coefficients a_L of the host without the atoms of the cluster, shape (n, L) [Ry/Bohr^l].
    :param vbc: shift of the potential's zero [Ry].
    """

    contour: Contour
    z: FloatArray
    lmax: NDArray[np.int64]
    void: tuple[VoidGreenFunction, ...]
    offsets: NDArray[np.intp]
    coupling: tuple[FloatArray, FloatArray]
    host_coefficients: FloatArray
    vbc: float
    potential: ImpurityPotential

    @property
    def nspin(self) -> int:
        """Number of spins of the impurity."""
        return self.potential.nspin

    def void_of(self, spin: int) -> VoidGreenFunction:
        """G_void of a spin, all energies."""
        return self.void[min(spin, len(self.void) - 1)]

    @property
    def natom(self) -> int:
        """Number of sites of the cluster."""
        return self.potential.natom

    @property
    def meshes(self) -> list[RadialMesh]:
        """Radial mesh of each site."""
        return [site[0].mesh for site in self.potential.sites]


def read_problem(directory: Path, config: KkrimpConfig) -> ImpurityProblem:
    """Read the input files of KKRimp in ``directory``.

    :raises KkrFileError: if a file is missing or damaged.
    :raises InconsistentInputError: if the files do not belong together.
    :raises UnsupportedSettingError: if they ask for what the solver does not cover.
    """
    names = (
        'potential',
        'kkrflex_atominfo',
        'kkrflex_tmat',
        'kkrflex_green',
        'kkrflex_intercell_ref',
        'kkrflex_intercell_cmoms',
    )
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        raise KkrFileError(f'input files are missing: {", ".join(missing)}')
    atoms = read_atominfo(directory / 'kkrflex_atominfo')
    potential = read_potential(directory / 'potential', config.nspin)
    check_potential(potential, atoms)
    green = read_green(directory / 'kkrflex_green', 'read_doubleprecision' in config.test_flags)
    t_host = read_tmat(directory / 'kkrflex_tmat')
    reference = read_intercell_ref(directory / 'kkrflex_intercell_ref')
    moments = read_intercell_cmoms(directory / 'kkrflex_intercell_cmoms')
    check_host(atoms, green, t_host, reference, moments)
    check_impurity_against_host(potential, atoms, green, reference, config)
    weights = green.weights
    if 'llysimple' in config.run_flags:
        weights = weights * read_lloyd_factor(directory / 'kkrflex_llyfac')
    kept = ~atoms.removed
    lmax = atoms.lmax[kept]
    offsets = np.concatenate([[0], np.cumsum((lmax + 1) ** 2)])
    contour = Contour(green.energies, weights, 1 / SPEED_OF_LIGHT**2 if config.relativistic else 0.0)
    coupling = madelung_matrices(atoms.positions[kept], reference.alat, 2 * int(lmax.max()))
    host_coefficients = _host_coefficients(atoms, reference, moments, 2 * int(lmax.max()))
    # last, as it takes most of the memory, and the others much for a moment
    void = _void(atoms, green, t_host, offsets, config.nspin)
    check_geometry(void[0], contour, atoms.positions[kept] * reference.alat, lmax, offsets)
    return ImpurityProblem(
        contour=contour,
        z=atoms.z[kept],
        lmax=lmax,
        void=void,
        offsets=offsets,
        coupling=coupling,
        host_coefficients=host_coefficients,
        vbc=float(reference.vbc[0]),
        potential=potential,
    )


def read_lloyd_factor(path: Path) -> complex:
    """Read the factor of ``RUNFLAG LLYsimple``: a complex number ``(re,im)``, or a real one as aiida-kkr writes it.

    :raises KkrFileError: if the file is missing or does not hold one number.
    """
    try:
        numbers = path.read_text(encoding='ascii').strip().strip('()').replace(',', ' ').split()
        re, im = [float(number) for number in numbers] if len(numbers) != 1 else (float(numbers[0]), 0.0)
    except (OSError, ValueError) as error:
        raise KkrFileError(
            f'{path.name}: RUNFLAG LLYsimple needs this file with one number, complex (re,im) or real'
        ) from error
    factor = complex(re, im)
    if not np.isfinite(factor):
        raise KkrFileError(f'{path.name}: the factor is not a finite number')
    return factor


def _void(
    atoms: AtomInfo, green: HostGreen, t_host: TMatrix, offsets: NDArray[np.intp], nspin: int
) -> tuple[VoidGreenFunction, ...]:
    """G_void of every spin, without the removed atoms and cut to the sites' lmax."""
    lm = green.lmsize
    kept = np.concatenate(
        [site * lm + np.arange(lm_size(atoms.lmax[site])) for site in range(atoms.natom) if not atoms.removed[site]]
    )
    result: list[VoidGreenFunction] = []
    for spin in range(min(nspin, green.nspin)):
        if spin == 1 and _same_for_both_spins(green, t_host):
            return (result[0], result[0])
        void = VoidGreenFunction.empty(green.energies.size, group_borders(offsets))
        for energy in range(green.energies.size):
            t = np.where(atoms.virtual[:, None, None], 0.0, t_host.values[:, spin, energy])
            host = np.asarray(green.values[spin, energy], dtype=np.complex128)
            void.set_energy(energy, void_green_function(host, t, kept))
        result.append(void)
    return tuple(result)


def _same_for_both_spins(green: HostGreen, t_host: TMatrix) -> bool:
    """Whether the host is non-magnetic, so that G_void need not be kept twice."""
    return np.array_equal(green.values[0], green.values[1]) and np.array_equal(t_host.values[:, 0], t_host.values[:, 1])


def _host_coefficients(
    atoms: AtomInfo, reference: IntercellReference, moments: IntercellMoments, lmax_pot: int
) -> FloatArray:
    """Coefficients of the host's potential at the kept sites without the contributions of the cluster's host atoms."""
    lmax_host = round(sqrt(moments.moments.shape[1])) - 1
    a_matrix, b_matrix = madelung_matrices(atoms.positions, reference.alat, lmax_host)
    cluster = np.einsum('ijkl,jl->ik', a_matrix, moments.moments)
    cluster += np.einsum('ijk,j->ik', b_matrix, moments.z_host)
    coefficients: FloatArray = (reference.coefficients - cluster)[~atoms.removed, : lm_size(lmax_pot)]
    return coefficients


def check_potential(potential: ImpurityPotential, atoms: AtomInfo) -> None:
    """Check that the potential file belongs to the sites.

    :raises InconsistentInputError: if the number of sites or a nuclear charge differs, the spins of a site differ, or a
        mesh is too coarse.
    :raises UnsupportedSettingError: if it is a full potential.
    """
    if potential.is_full_potential:
        raise UnsupportedSettingError('The full potential in the file potential', FULL_POTENTIAL)
    kept = np.flatnonzero(~atoms.removed)
    if potential.natom != kept.size:
        raise InconsistentInputError(
            f'potential has {potential.natom} sites, but kkrflex_atominfo keeps {kept.size}; give the potential of '
            'this cluster'
        )
    for number, (site, blocks) in enumerate(zip(kept, potential.sites, strict=True), start=1):
        for block in blocks:
            if block.z != atoms.z[site]:
                raise InconsistentInputError(
                    f'potential: site {number} has nuclear charge {block.z:g}, but kkrflex_atominfo says '
                    f'{atoms.z[site]:g}; the start potential belongs to another impurity'
                )
        if blocks[0].mesh.n < FEWEST_POINTS:
            raise InconsistentInputError(
                f'potential: the mesh of site {number} has {blocks[0].mesh.n} points; at least {FEWEST_POINTS} are '
                'needed, some 350 are usual'
            )
        if len({tuple(state.l for state in block.core) for block in blocks}) > 1:
            raise InconsistentInputError(
                f'potential: the two spins of site {number} have different lists of core states'
            )


def check_host(
    atoms: AtomInfo, green: HostGreen, t_host: TMatrix, reference: IntercellReference, moments: IntercellMoments
) -> None:
    """Check that the kkrflex files describe one and the same host cluster.

    :raises InconsistentInputError: if sizes or the runs that wrote the files differ, or two sites coincide.
    :raises UnsupportedSettingError: if the host has spin-orbit coupling or a full potential.
    """
    if green.korbit or t_host.korbit:
        raise UnsupportedSettingError('A host with spin-orbit coupling', 'it covers scalar-relativistic hosts only')
    if reference.kshape or moments.kshape:
        # its charge moments are those of the cells, not of the spheres
        raise UnsupportedSettingError('A host in full potential (KSHAPE in kkrflex_intercell_*)', FULL_POTENTIAL)
    serials = {
        'kkrflex_atominfo': atoms.serial,
        'kkrflex_tmat': t_host.serial,
        'kkrflex_intercell_ref': reference.serial,
        'kkrflex_intercell_cmoms': moments.serial,
    }
    runs = {name: text.split('serial:')[1].split(';')[0].strip() for name, text in serials.items() if 'serial:' in text}
    if len(set(runs.values())) > 1:
        listed = ', '.join(f'{name}: {run}' for name, run in runs.items())
        raise InconsistentInputError(f'the files of the host were written by different calculations ({listed})')
    sizes = {
        'kkrflex_atominfo': atoms.natom,
        'kkrflex_green': green.natom,
        'kkrflex_tmat': t_host.values.shape[0],
        'kkrflex_intercell_ref': reference.coefficients.shape[0],
        'kkrflex_intercell_cmoms': moments.moments.shape[0],
    }
    _check_equal('number of host sites', sizes)
    _, nspin, n_energies, lm, _ = t_host.values.shape
    _check_equal('number of energies', {'kkrflex_green': green.energies.size, 'kkrflex_tmat': n_energies})
    _check_equal('number of angular momenta (l, m)', {'kkrflex_green': green.lmsize, 'kkrflex_tmat': lm})
    _check_equal('number of spins', {'kkrflex_green': green.nspin, 'kkrflex_tmat': nspin})
    if (lm_size(int(atoms.lmax.max()))) > green.lmsize:
        raise InconsistentInputError(
            f'kkrflex_atominfo asks for lmax {atoms.lmax.max()}, but kkrflex_green has only {green.lmsize} (l, m) per '
            'site'
        )
    lm_pot = {'ref': reference.coefficients.shape[1], 'cmoms': moments.moments.shape[1]}
    _check_equal('number of (l, m) per site', {f'kkrflex_intercell_{name}': number for name, number in lm_pot.items()})
    needed = lm_size(2 * int(atoms.lmax.max()))
    if lm_pot['ref'] < needed:
        raise InconsistentInputError(
            f'kkrflex_intercell_ref has {lm_pot["ref"]} (l, m) per site, lmax {atoms.lmax.max()} needs {needed}'
        )
    _check_virtual(atoms)
    twins = coinciding_sites(atoms.positions)
    if twins:
        raise InconsistentInputError(
            f'kkrflex_atominfo: sites {twins[0] + 1} and {twins[1] + 1} are at the same position; list each site once'
        )


def _check_virtual(atoms: AtomInfo) -> None:
    virtual = atoms.virtual & ~atoms.removed
    distances = np.linalg.norm(atoms.positions[virtual, None] - atoms.positions[~atoms.virtual], axis=-1)
    if distances.min(initial=np.inf) < DISPLACED:
        raise UnsupportedSettingError(
            f'A virtual site within {DISPLACED} lattice constants of another site (kkrflex_atominfo)',
            'displaced impurities are not implemented',
        )


def check_geometry(
    void: VoidGreenFunction,
    contour: Contour,
    positions: FloatArray,
    lmax: NDArray[np.int64],
    offsets: NDArray[np.intp],
) -> None:
    """Check that the Green function belongs to these positions.

    Far below the bands G_void between neighbours is that of free electrons but for a few per cent, as what leaves the
    cluster hardly comes back.

    :param positions: shape (n, 3) [Bohr].
    :raises InconsistentInputError: if it is not.
    """
    energy = int(np.argmin(contour.energies.real))
    kappa = complex(contour.kappa[energy])
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1) + np.diag(np.full(len(positions), np.inf))
    nearest = distances.argmin(axis=1)
    if kappa.imag * distances.min(initial=np.inf) < FAR_BELOW_THE_BANDS or len(positions) == 1:
        return
    g_void = void.at(energy)
    difference, size = 0.0, 0.0
    for site, other in enumerate(nearest):
        free = free_green_function(positions[site] - positions[other], kappa, int(lmax[[site, other]].max()))
        rows, columns = slice(*offsets[site : site + 2]), slice(*offsets[other : other + 2])
        block = g_void[rows, columns]
        free = free[: block.shape[0], : block.shape[1]]
        difference += float(np.linalg.norm(block - free) ** 2)
        size += float(np.linalg.norm(free) ** 2)
    if difference > DIFFERENCE_FROM_FREE_ELECTRONS**2 * size:
        raise InconsistentInputError(
            'kkrflex_green does not belong to the positions in kkrflex_atominfo and the lattice constant in '
            'kkrflex_intercell_ref: at the lowest energy the Green function between '
            f'neighbours differs by {np.sqrt(difference / size):.0%} from that of free electrons (a few per cent are '
            'usual); take all kkrflex files from one write-out of the host'
        )


def check_impurity_against_host(
    potential: ImpurityPotential, atoms: AtomInfo, green: HostGreen, reference: IntercellReference, config: KkrimpConfig
) -> None:
    """Check lattice constants, core states and spins.

    :raises InconsistentInputError: if the potential belongs to a host of another lattice constant, or a calculation
        without spin is asked for in a magnetic host.
    """
    for number, blocks in enumerate(potential.sites, start=1):
        if abs(blocks[0].alat - reference.alat) > config.alat_tolerance:
            raise InconsistentInputError(
                f'potential: site {number} has lattice constant {blocks[0].alat:.12g} Bohr, but the host has '
                f'{reference.alat:.12g} (kkrflex_intercell_ref); the potential or the Green function is of another host'
            )
    bottom, fermi = green.contour_bottom, float(green.energies[-1].real)
    for number, (block, *_) in enumerate(potential.sites, start=1):
        contour = (None, None) if green.is_for_densities_of_states else (bottom, fermi)
        fault = core_fault(round(block.z), Counter(state.l for state in block.core), *contour)
        if fault and block.z == round(block.z):
            raise InconsistentInputError(
                f'potential: site {number} ({symbol(block.z)}): {fault}; list the states below the bottom of the '
                f'energy contour ({bottom:.3f} Ry) as core states, and no others'
            )
    if config.nspin == 1 and green.nspin == 2:
        difference = np.abs(green.values[0, -1] - green.values[1, -1]).max()
        if difference > 1e-5 * np.abs(green.values[0, -1]).max():
            raise InconsistentInputError('NSPIN= 1, but the host is spin-polarised; set NSPIN= 2')


def _check_equal(what: str, values: dict[str, int]) -> None:
    if len(set(values.values())) > 1:
        listed = ', '.join(f'{name} {value}' for name, value in values.items())
        raise InconsistentInputError(
            f'{what} differs between the files of the host: {listed}; they are not of one write-out'
        )
