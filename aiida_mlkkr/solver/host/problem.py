"""The write-out of a host: what KKRhost's input files ask for, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.cluster import HostLattice, ImpurityCluster, read_scoef
from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.inputcard import InputCard
from aiida_mlkkr.kkr.potential import AtomicPotential, read_potential

from ..errors import InconsistentInputError
from ..scattering import Contour, SingleSite, solve_single_site
from .brillouin import Mesh, k_meshes
from .contour import ContourSettings, contour_along_axis, energy_contour
from .errors import UnsupportedHostError
from .screening import ON_THE_EDGE, ReferenceSystem, lattice_points, touching_radius

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]

WRITE_OUT: Final = {'KKRFLEX', '<write_kkrimp_input>'}
"""Options that ask KKRhost for the kkrflex files."""

OBEYED: Final = {'<set_kmesh_large>', '<write_double_precision>'}
"""Options that change what is written."""

HARMLESS: Final = {'<use_full_bz>', '<disable_print_serialnumber>', 'noserial', 'fullBZ'}
"""Options that change nothing here."""

REASONS: Final = {
    'NEWSOSOL': 'no spin-orbit coupling, and no full potential',
    '<use_chebychev_solver>': 'no spin-orbit coupling, and no full potential',
    'LLOYD': "no Lloyd's formula",
    '<use_lloyd>': "no Lloyd's formula",
    'LDA+U': 'no LDA+U',
    '<use_ldau>': 'no LDA+U',
    'SEMICORE': 'no contour of its own for semicore states',
    '<use_semicore>': 'no contour of its own for semicore states',
}
"""Why an option is refused."""

CLUSTER_BOHR: Final = 11.0
"""Radius of the screening cluster if the inputcard gives none [Bohr]."""

SAME_LENGTH: Final = 1e-8


@dataclass(frozen=True)
class HostProblem:
    """A host crystal with one atom per cell, and the cluster whose files are asked for.

    :param cell: Bravais vectors, one per row, shape (3, 3) [alat].
    :param alat: lattice constant [Bohr].
    :param atom: potential of each spin, one or two.
    :param cluster: sites of the cluster.
    :param steps: lattice vectors of the sites, shape (n, 3), in steps along the cell.
    :param contour: energies and weights.
    :param meshes: k points along the reciprocal vectors at each energy.
    :param reference: the reference system.
    :param double_precision: whether ``kkrflex_green`` is asked for in double precision.
    """

    cell: FloatArray
    alat: float
    atom: tuple[AtomicPotential, ...]
    cluster: ImpurityCluster
    steps: IntArray
    lmax: int
    contour: Contour
    meshes: tuple[Mesh, ...]
    reference: ReferenceSystem
    double_precision: bool

    @property
    def nspin(self) -> int:
        """Number of spins."""
        return len(self.atom)

    @property
    def repeated_meshes(self) -> set[Mesh]:
        """Meshes too coarse for the cluster: G(R) of its most distant pairs is mistaken for that of a nearer image."""
        extent = np.ptp(self.steps, axis=0)
        return {mesh for mesh in self.meshes if (np.array(mesh) <= 2 * extent).any()}

    @property
    def is_for_densities_of_states(self) -> bool:
        """Whether the energies lie along the real axis, so that their sum gives no charge."""
        return bool(np.ptp(self.contour.energies.imag) == 0)

    @property
    def relativistic(self) -> bool:
        """Whether the equations are scalar-relativistic."""
        return self.contour.inverse_c2 > 0

    def solve_sites(self, contour: Contour) -> list[SingleSite]:
        """Return the single-site solutions of each spin on a contour."""
        return [solve_single_site(atom.v, atom.mesh, atom.z, self.lmax, contour, self.nspin) for atom in self.atom]


def read_host_problem(directory: Path) -> HostProblem:
    """Read ``inputcard``, ``potential`` and ``scoef``.

    :raises KkrFileError: if a file is missing or damaged.
    :raises UnsupportedHostError: if the host or a setting is beyond the embedded write-out.
    :raises InconsistentInputError: if the files do not belong together.
    """
    for name in ('inputcard', 'potential', 'scoef'):
        if not (directory / name).is_file():
            raise KkrFileError(f'{directory / name} is missing')
    card = InputCard.read(directory / 'inputcard')
    check_supported(card)
    atom = _read_atom(directory / 'potential', card)
    alat = card.number('ALATBASIS')
    if abs(alat - atom[0].alat) > SAME_LENGTH * alat:
        raise InconsistentInputError(
            f'the lattice constant is {alat} Bohr in the inputcard and {atom[0].alat} in the potential'
        )
    cell = card.table('BRAVAIS', 3, 3)
    if not len(cell):
        raise KkrFileError(f'{card.name}: no BRAVAIS')
    cluster = read_scoef(directory / 'scoef')
    lmax = card.integer('LMAX')
    inverse_c2 = SPEED_OF_LIGHT**-2 if card.integer('KVREL', 1) else 0.0
    energies, weights = _contour(card, atom[0].efermi)
    return HostProblem(
        cell=cell,
        alat=alat,
        atom=atom,
        cluster=cluster,
        steps=lattice_steps(cell, atom[0].z, cluster),
        lmax=lmax,
        contour=Contour(energies, weights, inverse_c2),
        meshes=_meshes(card, energies),
        reference=_reference_system(card, cell, alat, lmax),
        double_precision='<write_double_precision>' in card.options(),
    )


def check_supported(card: InputCard) -> None:
    """Check that the inputcard asks for what the embedded write-out can do.

    :raises UnsupportedHostError: if it does not.
    """
    options = card.options()
    if not options & WRITE_OUT:
        raise UnsupportedHostError(
            'an inputcard without RUNOPT KKRFLEX', 'it only writes Green functions out, self-consistency is not part'
        )
    for option in sorted(options - WRITE_OUT - OBEYED - HARMLESS):
        raise UnsupportedHostError(f'the option {option}', REASONS.get(option, 'it is unknown here'))
    for key, default, allowed, reason in (
        ('NAEZ', 1, (1,), 'one atom per cell only'),
        ('NATYP', 1, (1,), 'one kind of atom only, no alloy'),
        ('INS', 0, (0,), 'atomic spheres only, no full potential'),
        ('KSHAPE', 0, (0,), 'atomic spheres only, no full potential'),
        ('KVREL', 1, (0, 1), 'no Dirac equation'),
        ('NAT_LDAU', 0, (0,), 'no LDA+U'),
        ('NPOLSEMI', 0, (0,), 'no contour of its own for semicore states'),
        ('HFIELD', 0, (0,), 'no magnetic field'),
        ('VCONST', 0, (0,), 'no shift of the potential'),
    ):
        value = card.number(key, default)
        if value not in allowed:
            raise UnsupportedHostError(f'{key}= {value:g}', reason)
    if card.logical('INTERFACE'):
        raise UnsupportedHostError('INTERFACE= T', 'bulk only, no films and surfaces')


def lattice_steps(cell: FloatArray, z: float, cluster: ImpurityCluster) -> IntArray:
    """Return the lattice vectors of the sites of a cluster, shape (n, 3), in steps along the cell.

    :param cell: Bravais vectors, one per row [alat].
    :param z: nuclear charge of the host's atoms.
    :raises InconsistentInputError: if a site is not one of the lattice.
    """
    try:
        cluster.check_on_lattice(HostLattice(cell, np.zeros((1, 3)), np.array([z]), alat=1.0))
    except ValueError as error:
        raise InconsistentInputError(f'scoef: {error}') from error
    steps: IntArray = np.rint(cluster.positions @ np.linalg.inv(cell)).astype(np.int64)
    return steps


def _read_atom(path: Path, card: InputCard) -> tuple[AtomicPotential, ...]:
    potential = read_potential(path)
    if potential.is_full_potential:
        raise UnsupportedHostError(f'the potential in {path}', 'atomic spheres only, no full potential')
    if potential.natom != 1:
        raise InconsistentInputError(f'{path}: potentials of {potential.natom} atoms, but one atom per cell')
    nspin, atom = card.integer('NSPIN'), potential.sites[0]
    if len(atom) != nspin:
        raise InconsistentInputError(f'{path}: {len(atom)} spins, but the inputcard says NSPIN= {nspin}')
    z = card.table('<ZATOM>', 1, 1)
    if z.size and z[0, 0] != atom[0].z:
        raise InconsistentInputError(f'the nuclear charge is {z[0, 0]:g} in the inputcard and {atom[0].z:g} in {path}')
    return atom


def _contour(card: InputCard, fermi: float) -> tuple[ComplexArray, ComplexArray]:
    """The contour up to the Fermi energy, or with NPOL= 0 the one for densities of states."""
    bottom, top = card.number('EMIN'), card.number('EMAX', 1.0)
    temperature, poles = card.number('TEMPR', 800.0), card.integer('NPOL', 7)
    along = card.integer('NPT2', round((top - bottom) * 20))
    if poles == 0:
        if along < 2 or top <= bottom or temperature <= 0:
            raise KkrFileError(
                f'{card.name}: with NPOL= 0 NPT2 is at least 2, EMAX above EMIN and TEMPR positive, not NPT2= {along}, '
                f'EMIN= {bottom:g}, EMAX= {top:g}, TEMPR= {temperature:g}'
            )
        return contour_along_axis(bottom, top, temperature, along)
    points = (card.integer('NPT1', 3), along, card.integer('NPT3', 3))
    if poles < 0:
        raise UnsupportedHostError(f'NPOL= {poles}', 'the contour has to run around poles of the Fermi function')
    if min(points) < 1 or temperature <= 0:
        raise KkrFileError(f'{card.name}: NPT1, NPT2, NPT3 = {points} and TEMPR= {temperature:g} have to be positive')
    return energy_contour(ContourSettings(bottom, temperature, poles, points), fermi)


def _meshes(card: InputCard, energies: ComplexArray) -> tuple[Mesh, ...]:
    nx, ny, nz = (int(n) for n in card.numbers('BZDIVIDE', 3, (10.0, 10.0, 10.0)))
    if min(nx, ny, nz) < 1:
        raise KkrFileError(f'{card.name}: BZDIVIDE= {nx} {ny} {nz} has to be positive')
    if '<set_kmesh_large>' in card.options():
        return ((nx, ny, nz),) * energies.size
    return k_meshes((nx, ny, nz), energies)


def _reference_system(card: InputCard, cell: FloatArray, alat: float, lmax: int) -> ReferenceSystem:
    radius = card.number('RCLUSTZ', CLUSTER_BOHR / alat)
    radius_xy = card.number('RCLUSTXY', radius)
    given = card.table('<RMTREF>', 1, 1)
    # KKRhost takes off one per cent and cuts off after two decimals
    sphere = float(given[0, 0]) if given.size else int(touching_radius(cell) * alat * 99) / 100
    steps = lattice_points(cell, radius + ON_THE_EDGE, radius_xy + ON_THE_EDGE)
    if len(steps) == 1:
        raise KkrFileError(f'{card.name}: RCLUSTZ= {radius:g} and RCLUSTXY= {radius_xy:g} leave a cluster of one site')
    return ReferenceSystem(steps, cell * alat, sphere, lmax)
