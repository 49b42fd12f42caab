"""A finished KKRimp run, read from the texts of its output files, whatever state they are in."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.config import config_lines
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.history import ScfHistory, read_history
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.kkr.sanity import ClusterResult, HostReference, Problem, check_result

Floats = NDArray[np.float64]

STDOUT: Final = 'out_kkrimp'
LOG: Final = 'out_log.000.txt'
POTENTIAL: Final = 'out_potential'
TIMING: Final = 'out_timing.000.txt'
BAND_ENERGIES: Final = 'out_energysp_per_atom_eV'
SINGLE_PARTICLE_ENERGIES: Final = 'out_energytotal_per_atom_eV'
SPIN_MOMENTS: Final = 'out_magneticmoments'
ORBITAL_MOMENTS: Final = 'out_orbitalmoments'
CONFIG: Final = 'config.cfg'
STDERR: Final = '_scheduler-stderr.txt'

_NOT_A_NUMBER: Final = re.compile(r'(?<![A-Za-z])(?:NaN|Inf(?:inity)?)(?![A-Za-z])', re.IGNORECASE)
_OVERFLOW: Final = re.compile(r'\*{8,}')
_SOLVER_ERROR: Final = re.compile(r'mlkkr-kkrimp: error: *(.*)')
_LOST_CORE_STATE: Final = re.compile(
    r'STOP +INTCOR|\*\*\* int: stop after|core state .* (?:not bound|not found|converge)'
)
_CRASH: Final = re.compile(
    r'segmentation fault|sigsegv|sigabrt|sigfpe|sigbus|runtime error|forrtl|^ *stop\b|^ *error stop\b|traceback'
    r'|mpi_abort|abort|killed|out of memory|bus error|floating point exception|core dumped|error while loading'
    r'|: not found *$|command not found|oom.kill|no such file|permission denied|exec format',
    re.IGNORECASE,
)
_IEEE_NOTE: Final = re.compile(r'^Note: The following floating-point exceptions are signalling')


@dataclass(frozen=True, eq=False)
class KkrimpRun:
    """What a run has left behind.

    :param files: texts of the output files by name; absent files are not in it.
    :param potential: the potential it wrote, None if there is none that can be read.
    :param potential_fault: why not; empty if it can be read.
    :param potential_finite: False if the potential file contains NaN, infinities or overflown fields.
    :param band_energies: single-particle valence energies of the sites in eV (natom,), None if they cannot be read.
    :param single_particle_energies: the same with the core states (natom,).
    :param problems: what the sanity check finds in the last complete iteration.
    :param unchecked: why the sanity check could not be made; empty if it could.
    :param host_known: whether the host's own charges were known to the sanity check.
    """

    files: Mapping[str, str]
    history: ScfHistory
    potential: ImpurityPotential | None
    potential_fault: str
    potential_finite: bool
    band_energies: Floats | None
    single_particle_energies: Floats | None
    problems: tuple[Problem, ...]
    unchecked: str
    host_known: bool

    def text(self, name: str) -> str:
        """Text of an output file, empty if it is absent."""
        return self.files.get(name, '')

    @property
    def config(self) -> dict[str, str]:
        """Settings of ``config.cfg``, keys in upper case."""
        return read_config_keys(self.text(CONFIG))

    @property
    def solver_error(self) -> str:
        """What the embedded solver says of why it ended; empty if it does not."""
        match = _SOLVER_ERROR.search(self.text(STDERR))
        return match[1].strip() if match else ''

    @property
    def lost_core_state(self) -> bool:
        """Whether the code ended because it did not find a core state."""
        return any(_LOST_CORE_STATE.search(text) for text in (self.text(STDERR), self.text(STDOUT)[-2000:]))

    @property
    def crash_report(self) -> str:
        """The first line of the error output that tells of a crash; empty if there is none."""
        for text in (self.text(STDERR), self.text(STDOUT)[-4000:]):
            for line in text.splitlines():
                if _CRASH.search(line) and not _IEEE_NOTE.match(line):
                    return line.strip()
        return ''


def read_config_keys(text: str) -> dict[str, str]:
    """Keys (upper case) and values of a ``config.cfg``."""
    return {key: ' '.join(words) for _, key, words in config_lines(text)}


def read_run(files: Mapping[str, str], host: HostReference | None = None) -> KkrimpRun:
    """Read the output files of a run, given as texts by name; nothing that is wrong with them raises an error.

    :param host: charges of the host on the sites of the cluster, for the sanity check.
    """
    history = read_history(files.get(LOG, ''), files.get(STDOUT, ''), files.get(TIMING, ''))
    text = files.get(POTENTIAL, '')
    potential, fault = None, f'{POTENTIAL} is {"empty" if POTENTIAL in files else "missing"}'
    if text.strip():
        try:
            stream = io.StringIO(text)
            stream.name = POTENTIAL
            potential, fault = read_potential(stream, history.settings.nspin), ''
        except (KkrFileError, ValueError) as error:
            fault = str(error)
    if potential is not None and history.natom and potential.natom != history.natom:
        fault = f'{POTENTIAL} has {potential.natom} sites, but {LOG} has {history.natom}; it is truncated'
        potential = None
    numbers = '\n'.join(line for line in text.splitlines() if 'POTENTIAL' not in line)
    natom = potential.natom if potential is not None else history.natom
    problems, unchecked, host_known = _check(history, potential, host)
    return KkrimpRun(
        files=files,
        history=history,
        potential=potential,
        potential_fault=fault,
        potential_finite=not (_NOT_A_NUMBER.search(numbers) or _OVERFLOW.search(numbers)),
        band_energies=_per_site(files.get(BAND_ENERGIES, ''), natom),
        single_particle_energies=_per_site(files.get(SINGLE_PARTICLE_ENERGIES, ''), natom),
        problems=problems,
        unchecked=unchecked,
        host_known=host_known,
    )


def _check(
    history: ScfHistory, potential: ImpurityPotential | None, host: HostReference | None
) -> tuple[tuple[Problem, ...], str, bool]:
    """The sanity check with all that is known: problems, why it could not be made, whether the host was known."""
    attempts = [(potential, host), (potential, None), (None, host), (None, None)]
    unchecked = ''
    for with_potential, with_host in attempts:
        try:
            result = ClusterResult.from_run(history, with_potential, with_host)
            return check_result(result), '', with_host is not None
        except ValueError as error:
            unchecked = str(error)
    return (), unchecked, False


def _per_site(text: str, natom: int) -> Floats | None:
    """Last column of the last ``natom`` rows ``site energy``; None if the file does not end with a whole iteration."""
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith('#')]
    last = rows[-natom:] if natom else []
    if not last or [row[0] for row in last] != [str(number) for number in range(1, natom + 1)]:
        return None
    try:
        return np.array([float(row[1].replace('D', 'E')) for row in last])
    except (ValueError, IndexError):
        return None
