"""Output files of KKRimp: what aiida-kkr's parser and people look for, in JuKKR's own lines.

The long lists that JuKKR prints for each energy and site are left out.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr import __version__
from aiida_mlkkr.kkr.constants import JUKKR_RYDBERG_EV
from aiida_mlkkr.kkr.jij_matrix import BIQUADRATIC, FILE_NAME
from aiida_mlkkr.kkr.potential import AtomicPotential, ImpurityPotential, write_potential

from .config import KkrimpConfig
from .exchange import magnetic_sites
from .jij_output import biquadratic_file, jij_matrix_file
from .problem import ImpurityProblem
from .scf import Iteration, SiteResult
from .xc import MORUZZI_JANAK_WILLIAMS, VON_BARTH_HEDIN, VWN

FUNCTIONALS = {
    VWN: ('using LDA (Vosko-Wilk-Nusair)', 'Vosko,Wilk,Nusair'),
    VON_BARTH_HEDIN: ('using LDA (von Bath-Hedin)', 'von Barth,Hedin'),
    MORUZZI_JANAK_WILLIAMS: ('using LDA (Moruzzi-Janak-Williams)', 'Morruzi,Janak,Williams'),
}
"""How JuKKR names a functional on the standard output and in the titles of a potential."""

L_NAMES = 'spdfghi'
RULE = '+' * 70


def serial(started: datetime) -> str:
    """Name, version, kind and time of the run, in the form of JuKKR's serial number."""
    return f'mlkkr-kkrimp_v{__version__}_embedded_{started:%Y%m%d%H%M%S}'


@dataclass
class OutputFiles:
    """The output files of one run in ``directory``, written as the iterations come.

    :param begin: value of ``time.perf_counter()`` when the run began.
    """

    directory: Path
    config: KkrimpConfig
    stdout: TextIO
    begin: float
    started: datetime = field(default_factory=datetime.now)
    _log: TextIO = field(init=False)
    _timing: TextIO = field(init=False)
    _iteration_clock: float = 0.0

    def __post_init__(self) -> None:
        self._log = self._open('out_log.000.txt')
        self._timing = self._open('out_timing.000.txt')
        for name in ('energytotal', 'energysp'):
            for what in ('_per_atom_eV', '_eV'):
                self._open(f'out_{name}{what}').close()

    def _open(self, name: str) -> TextIO:
        stream = (self.directory / name).open('w', encoding='ascii')
        stream.write(f'# serial: {serial(self.started)}\n')
        return stream

    def _print(self, text: str) -> None:
        print(text, file=self.stdout, flush=True)

    def _note(self, text: str) -> None:
        print(text, file=self._log, flush=True)

    def _time(self, what: str, seconds: float) -> None:
        print(f' {what:<40}  {seconds:<22.15g}', file=self._timing, flush=True)

    def banner(self) -> None:
        """Say which code runs."""
        stars = '  ' + '*' * 74
        title = ' ' * 32 + 'KKR IMPURITY SOLVER OF aiida-mlkkr'
        version = f'{" " * 26}Version: {serial(self.started)}'
        self._print(f'{stars}\n{stars}\n{title}\n{version}\n{stars}\n{stars}')
        self._note(f' ICST     = {0:>12}\n INS      = {0:>12}')
        self._note(f' KVREL    = {int(self.config.relativistic):>12}\n NSRA     = {1 + self.config.relativistic:>12}')
        self._note(f' NSPIN    = {self.config.nspin:>12}\n IMIX      = {self.config.imix:>12}')
        self._note(f'MIXFAC   = {self.config.mixfac:17.3f}\nFCM      = {self.config.fcm:17.3f}')
        self._note(f'QBOUND   = {self.config.qbound:22.3E}\n SCFSTEPS = {self.config.scfsteps:>12}')
        for name, flags in (('TESTFLAG', self.config.test_flags), ('RUNFLAGS', self.config.run_flags)):
            self._note(f'  {name}  {" ".join(sorted(flags))}')

    def problem(self, problem: ImpurityProblem) -> None:
        """Describe the cluster and the contour."""
        self._note(
            f' NATOM is    {problem.natom:>12}\n NTOTATOM is {problem.natom:>12}\n LMAXD is    {problem.lmax.max():>12}'
        )
        contour = problem.contour
        self._note(f' [read_energy] number of energy points {contour.energies.size:>12}')
        self._note(f' [read_energy] number of spins {len(problem.void):>12}')
        self._note(' [read_energy] Spin orbit coupling used? (1=yes,0=no) ' + f'{0:>12}')
        self._note(' [read_energy] energies and weights are:')
        self._note(' [read_energy]   energie           weights')
        self._note(f' [read_energy]  real   imag      real    imag\n {"-" * 44}')
        for number, (e, w) in enumerate(zip(contour.energies, contour.weights, strict=True), start=1):
            self._note(f'       {number:3d}{e.real:25.14f}{e.imag:25.14f} {w.real:25.14f}{w.imag:25.14f}')
        stars = ' ' + '*' * 64
        self._print(f'{stars}\n {FUNCTIONALS[self.config.xc_kind][0]}\n{stars}')
        seconds = time.perf_counter() - self.begin
        self._time('time until scf starts', seconds)
        self._iteration_clock = time.perf_counter()

    def exchange(self, problem: ImpurityProblem) -> None:
        """Write ``out_Jijmatrix`` and ``out_biquadratic``."""
        sites = magnetic_sites(problem, range(problem.natom))
        for name, write in ((FILE_NAME, jij_matrix_file), (BIQUADRATIC, biquadratic_file)):
            (self.directory / name).write_text(write(sites, serial(self.started)), encoding='ascii')

    def iteration(self, problem: ImpurityProblem, iteration: Iteration) -> None:
        """Write one iteration to all files, the mixed potential last."""
        self._print(f'  Iteration Number {iteration.number:>12}')
        self._note(f'  Iteration Number {iteration.number:>12}')
        self._valence_table(iteration.sites)
        for number, site in enumerate(iteration.sites, start=1):
            self._site(iteration.number, number, site, problem.z[number - 1])
        moment = sum(site.moment for site in iteration.sites)
        line = f'{" " * 19} TOTAL mag. moment in unit cell = {moment:12.6f}'
        self._print(line)
        self._note(line)
        self._errors(iteration)
        self._energies(iteration)
        if 'ldos' in self.config.run_flags or 'lmdos' in self.config.run_flags:
            for number, site in enumerate(iteration.sites, start=1):
                self._density_of_states(number, site, problem.contour.energies)
        replace_file(
            self.directory / 'out_potential',
            mixed_potential(problem, iteration, FUNCTIONALS[self.config.xc_kind][1], serial(self.started)),
        )
        now = time.perf_counter()
        self._time(f'Iteration number {iteration.number:03d}', now - self._iteration_clock)
        self._iteration_clock = now

    def converged(self) -> None:
        """Say that the error is below QBOUND."""
        self._print(f'{" " * 17}++++++ SCF ITERATION CONVERGED ++++++\n{"*" * 79}')

    def close(self) -> None:
        """Write the total time and close the files: the sign of a complete run."""
        self._time('Total running time', time.perf_counter() - self.begin)
        self._log.close()
        self._timing.close()

    def _valence_table(self, sites: tuple[SiteResult, ...]) -> None:
        both = self.config.nspin == 2
        self._note('   ATOM        Ne spin dn  Ne spin up    m_spin' if both else '   ATOM        Ne')
        self._note('   ' + '=' * 49)
        for number, site in enumerate(sites, start=1):
            rows = zip(L_NAMES, site.valence_charges, strict=False)
            for index, (name, charges) in enumerate(rows):
                label = f'{number:>7}' if index == 0 else ' ' * 7
                values = ''.join(f'{charge:12.8f}' for charge in charges)
                self._note(f'{label}   {name} ={values}' + (f'  {charges[1] - charges[0]:8.4f}' if both else ''))
            total = site.valence_charges.sum(axis=0)
            values = ''.join(f'{charge:12.8f}' for charge in total)
            self._note(f'{" " * 10}TOT{values}' + (f'  {total[1] - total[0]:8.4f}' if both else ''))

    def _site(self, iteration: int, number: int, site: SiteResult, z: float) -> None:
        self._note(f' ATOM{number:>12}')
        core = sum(solution.charge for solution in site.core)
        self._note(f'    nuclear charge  {z:10.6f}         core charge =   {core:10.6f}')
        self._note(f'  Atom {number:4d} charge in wigner seitz sphere ={site.charge:12.6f}')
        both = self.config.nspin == 2
        if both:
            self._note(f'       spin moment in wigner seitz sphere ={site.moment:12.6f}')
            charge = f'charge in WS-cell = {site.charge:12.6f}'
            self._print(f'Atom {number:5d}:  {" " * 8}{charge}    spin moment ={site.moment:12.6f}')
        self._note('+' * 79)
        self._note(f'      ITERATION{iteration:4d} charge neutrality in unit cell = {site.charge - z:12.6f}')
        if both:
            self._note(f'{" " * 30}spin magnetic moment = {site.moment:12.6f}\n')

    def _errors(self, iteration: Iteration) -> None:
        both = self.config.nspin == 2
        for number, (charge, spin) in enumerate(
            zip(iteration.error.charge, iteration.error.spin, strict=True), start=1
        ):
            line = f'      rms-error for atom{number:3d} :v+ + v- = {_d(charge)}'
            line += f'  ,  v+ - v- = {_d(spin)}' if both else ''
            self._note(line)
            if len(iteration.sites) <= 10 or 'rmsdisplayall' in self.config.run_flags:
                self._print(line)
        lines = f'      ITERATION{iteration.number:4d} average rms-error : v+ + v- = {_d(iteration.error.mean_charge)}'
        if both:
            lines += f'\n{" " * 39} v+ - v- = {_d(iteration.error.mean_spin)}'
        self._print(f'{"-" * 79}\n\n{lines}')
        self._note(lines)

    def _energies(self, iteration: Iteration) -> None:
        for number, site in enumerate(iteration.sites, start=1):
            parts = site.energies
            self._note(f'   Total energies atom {number:3d}\n   {"-" * 23}')
            for spin in range(self.config.nspin):
                name = ('spin down   ', 'spin  up    ')[spin] if self.config.nspin == 2 else 'paramagnetic'
                self._note(f'     single particle energies  {name}')
                core = parts.core[spin, : max(1, int(np.flatnonzero(parts.core.any(axis=0)).max(initial=0)) + 1)]
                self._note(f'         core   contribution :{_by_l(core)}')
                self._note(f'       valence  contribution :{_by_l(parts.valence[spin])}')
            self._note(f'     total contribution of the single particle energies : {parts.single_particle:15.8f}')
            self._note(f'                                   band energy per atom : {parts.valence.sum():15.10f}')
            self._note(f'     tot. coulomb contribution : {parts.coulomb:15.8f}')
            self._note(f'     tot. ex.-cor. contribution : {parts.exchange_correlation:15.8f}')
            self._note(f'     eff. pot. contribution     : {parts.potential:15.8f}')
            self._note(f'\n   Total contribution of atom{number:3d} ={parts.total:15.8f}')
        band_energies = [float(site.energies.valence.sum()) for site in iteration.sites]
        self._note(f'     {" " * 30}sum of band energies : {sum(band_energies):15.10f}')
        total = iteration.total_energy
        block = (
            f'\n   {RULE}\n{" " * 15}TOTAL ENERGY in ryd. : {total:17.8f}\n'
            f'{" " * 15}                 eV  : {total * JUKKR_RYDBERG_EV:17.8f}\n   {RULE}'
        )
        self._note(block)
        self._print(block)
        single = [site.energies.single_particle for site in iteration.sites]
        self._append('out_energysp_per_atom_eV', _numbered(band_energies))
        self._append('out_energytotal_per_atom_eV', _numbered(single))
        self._append('out_energysp_eV', [f'  {sum(band_energies) * JUKKR_RYDBERG_EV:.15f}'])
        self._append('out_energytotal_eV', [f'  {total * JUKKR_RYDBERG_EV:.15f}'])

    def _append(self, name: str, lines: Iterable[str]) -> None:
        with (self.directory / name).open('a', encoding='ascii') as stream:
            stream.writelines(f'{line}\n' for line in lines)

    def _density_of_states(self, number: int, site: SiteResult, energies: NDArray[np.complex128]) -> None:
        """Write −Im n_l(E)/π on the contour and, linearly continued to the real axis, between its points."""
        for spin, dos in enumerate(site.dos, start=1):
            values = -dos.imag / np.pi
            self._write_dos(f'out_ldos.atom={number:02d}_spin{spin}.dat', energies.real, values)
            distance = energies.real[2:] - energies.real[:-2]
            inverse = np.divide(1.0, distance, out=np.full_like(distance, np.nan), where=distance != 0)
            slope = (dos[:, 2:] - dos[:, :-2]) * inverse
            on_axis = dos[:, 1:-1] - 1j * energies.imag[1:-1] * slope
            self._write_dos(
                f'out_ldos.interpol.atom={number:02d}_spin{spin}.dat', energies.real[1:-1], -on_axis.imag / np.pi
            )

    def _write_dos(self, name: str, energies: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        with (self.directory / name).open('w', encoding='ascii') as stream:
            stream.write(f'# serial: {serial(self.started)}\n')
            if 'interpol' in name:
                stream.write('# E, total, l-channels (s, p, d, ..., ns)\n')
            table = np.vstack([energies, values.sum(axis=0), values, np.zeros_like(energies)])
            np.savetxt(stream, table.T, fmt='%23.16E')


def mixed_potential(
    problem: ImpurityProblem, iteration: Iteration, functional: str, serial_number: str
) -> ImpurityPotential:
    """Return the start potential of the next iteration, with the core states just found."""

    def block(old: AtomicPotential, site: int, spin: int) -> AtomicPotential:
        return replace(
            old,
            title=f'{old.title[:28]:<28}        exc: {functional:<24}#serial: {serial_number}',
            rmtnew=old.rmt,
            efermi=problem.contour.fermi_energy,
            vbc=problem.vbc,
            core=iteration.sites[site].core[spin].states,
            v=iteration.mixed[site][spin],
        )

    return ImpurityPotential(
        tuple(
            tuple(block(old, site, spin) for spin, old in enumerate(blocks))
            for site, blocks in enumerate(problem.potential.sites)
        )
    )


def replace_file(path: Path, potential: ImpurityPotential) -> None:
    """Write a potential so that a run that is killed leaves the old file or the new one, whole."""
    temporary = path.with_name(path.name + '.part')
    write_potential(potential, temporary)
    os.replace(temporary, path)


def _d(value: float) -> str:
    """Fortran's 1p,d11.4."""
    return f'{value:11.4E}'.replace('E', 'D')


def _by_l(values: NDArray[np.float64]) -> str:
    """Two values to a line."""
    fields = [f' {name} ={value:15.8f}' for name, value in zip(L_NAMES, values, strict=False)]
    rows = [''.join(fields[first : first + 2]) for first in range(0, len(fields), 2)]
    return ' ' + f'\n{" " * 31}'.join(rows)


def _numbered(energies: list[float]) -> list[str]:
    return [f'{number:12d}  {energy * JUKKR_RYDBERG_EV:.15f}' for number, energy in enumerate(energies, start=1)]
