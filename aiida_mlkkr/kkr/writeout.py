"""The files of a write-out of a host's Green function, by JuKKR's KKRhost or by ``mlkkr-kkrhost``, as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.cluster import read_scoef
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.inputcard import InputCard
from aiida_mlkkr.kkr.kkrflex import read_atominfo, read_green, read_intercell_cmoms, read_intercell_ref, read_tmat
from aiida_mlkkr.kkr.potential import read_potential

INPUTCARD: Final = 'inputcard'
STDOUT: Final = 'out_kkr'
POTENTIAL: Final = 'out_potential'
SITES: Final = 'scoef'
GREEN: Final = ('kkrflex_green', 'kkrflex_tmat')
"""Large files, which may stay where they were written."""

REST: Final = ('kkrflex_atominfo', 'kkrflex_intercell_ref', 'kkrflex_intercell_cmoms')

HOST_FILES: Final = (*GREEN, *REST[1:])
"""What a calculation needs of a write-out, besides ``kkrflex_atominfo``, which KKRimp writes for the impurities."""

_PRINTED: Final = r'{name}\s*=\s*([-+.\dEeDd]+)'
SPIN_ORBIT: Final = {'NEWSOSOL', '<use_chebychev_solver>'}


@dataclass(frozen=True, eq=False)
class WriteoutSummary:
    """What there is to know of a write-out without its matrices.

    :param serial: serial number of the run.
    :param nspin: number of spins of the host.
    :param natom_cell: number of atoms in the unit cell of the host.
    :param natom_cluster: number of sites of the cluster.
    :param alat: lattice constant in Bohr.
    :param fermi_energy: of ``out_potential``, in Ry.
    :param core_energies: highest core state of each atom and spin of the cell in Ry, as in ``out_potential``; NaN where
        there is none.
    :param core_counts: number of core states of each atom and spin of the cell.
    :param contour_bottom: where the contour begins, in Ry.
    :param energies: number of energies; None where the Green function is not at hand.
    :param spin_orbit: whether the host was calculated with the solver that has spin-orbit coupling.
    :param neutrality: electrons minus nuclear charge of the cell; None if it was not printed.
    :param warnings: lines of the standard output that begin with WARNING.
    """

    serial: str
    nspin: int
    natom_cell: int
    natom_cluster: int
    alat: float
    fermi_energy: float
    core_energies: NDArray[np.float64]
    core_counts: tuple[int, ...]
    contour_bottom: float
    energies: int | None
    spin_orbit: bool
    neutrality: float | None
    warnings: tuple[str, ...]


def read_summary(folder: Path, with_green: bool = True) -> WriteoutSummary:
    """Read all files of a write-out and check that they belong together.

    :param with_green: whether the Green function and the t matrices have to be there.
    :raises KkrFileError: if a file is missing, damaged or does not fit to the others.
    """
    needed = [INPUTCARD, POTENTIAL, SITES, *REST, *(GREEN if with_green else ())]
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise KkrFileError(f'{", ".join(missing)} missing')
    card = InputCard.read(folder / INPUTCARD)
    potential = read_potential(folder / POTENTIAL)
    atoms = read_atominfo(folder / REST[0])
    reference = read_intercell_ref(folder / REST[1])
    sizes = {
        SITES: read_scoef(folder / SITES).natom,
        REST[0]: atoms.natom,
        REST[1]: len(reference.coefficients),
        REST[2]: len(read_intercell_cmoms(folder / REST[2]).moments),
    }
    energies = _read_green(folder, card, sizes) if with_green else None
    if len(set(sizes.values())) > 1:
        raise KkrFileError('numbers of sites differ: ' + ', '.join(f'{name} {n}' for name, n in sizes.items()))
    blocks = [block for site in potential.sites for block in site]
    printed = (folder / STDOUT).read_text(encoding='utf-8', errors='replace') if (folder / STDOUT).is_file() else ''
    return WriteoutSummary(
        serial=atoms.serial.removeprefix('# serial:').partition(';')[0].strip(),
        nspin=potential.nspin,
        natom_cell=potential.natom,
        natom_cluster=atoms.natom,
        alat=reference.alat,
        fermi_energy=blocks[0].efermi,
        core_energies=np.array([max((state.energy for state in block.core), default=np.nan) for block in blocks]),
        core_counts=tuple(len(block.core) for block in blocks),
        contour_bottom=card.number('EMIN'),
        energies=energies,
        spin_orbit=bool(card.options() & SPIN_ORBIT),
        neutrality=_printed(printed, 'charge neutrality in unit cell'),
        warnings=tuple(line.strip() for line in printed.splitlines() if line.lstrip().startswith('WARNING')),
    )


def _read_green(folder: Path, card: InputCard, sizes: dict[str, int]) -> int:
    """Number of energies; enters the numbers of sites."""
    green = read_green(folder / GREEN[0], '<write_double_precision>' in card.options())
    t = read_tmat(folder / GREEN[1]).values
    sizes[GREEN[0]], sizes[GREEN[1]] = green.natom, len(t)
    if t.shape[1:4] != (len(green.values), len(green.energies), green.lmsize):
        raise KkrFileError(f'{GREEN[0]} and {GREEN[1]} differ in their numbers of spins, energies or components')
    return len(green.energies)


def _printed(text: str, name: str) -> float | None:
    found = re.findall(_PRINTED.format(name=name), text)
    return float(found[-1].upper().replace('D', 'E')) if found else None
