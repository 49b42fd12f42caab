"""``config.cfg``: every key and flag is implemented, known to be without effect here, or refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from aiida_mlkkr.kkr.config import config_lines
from aiida_mlkkr.kkr.errors import KkrFileError

from .errors import UnsupportedSettingError
from .xc import XC_KINDS

FULL_POTENTIAL = 'it covers the atomic-sphere approximation (INS= 0) only'
COLLINEAR = 'it covers collinear spins without spin-orbit coupling only'

WITHOUT_EFFECT = {
    'BRYMIX': 'written by aiida-kkr, read by nobody',
    'DELTA_BDG': 'superconductors',
    'ICST': 'Born iterations of the non-spherical potential',
    'IMIXSPIN': 'mixing of moment directions',
    'LAMBDA_BDG': 'superconductors',
    'NCHEB': 'Chebyshev mesh',
    'NPAN_EQ': 'Chebyshev mesh',
    'NPAN_LOG': 'Chebyshev mesh',
    'NPAN_LOGPANELFAC': 'Chebyshev mesh',
    'POT_NS_CUTOFF': 'non-spherical potential',
    'QBOUND_LDAU': 'LDA+U',
    'RADIUS_LOGPANELS': 'Chebyshev mesh',
    'RADIUS_MIN': 'Chebyshev mesh',
    'SPINMIXBOUND': 'mixing of moment directions',
    'SPINMIXFAC': 'mixing of moment directions',
    'USE_E_SYMM_BDG': 'superconductors',
    'WAVEFUNC_RECALC_THRESHHOLD': 'memory of the Chebyshev solver',
}
"""Keys that JuKKR reads, but does not use in a collinear calculation in the atomic-sphere approximation."""

REFUSED_IF_SET = {
    'CALCFORCE': FULL_POTENTIAL,
    'CALCORBITALMOMENT': COLLINEAR,
    'LATTICE_RELAX': 'displaced impurities are not implemented',
    'NCOLL': COLLINEAR,
    'SPINORBIT': COLLINEAR,
    'USE_BDG': 'superconductors are not implemented',
}
"""Keys whose value must be 0 (or F), and why."""

RUN_FLAGS = {
    'force_angles': 'directions of the moments, on which nothing depends without spin-orbit coupling: no effect',
    'ldos': 'density of states per site and l',
    'lmdos': 'as ldos',
    'llysimple': "weights of the contour multiplied by Lloyd's factor",
    'rmsdisplayall': 'errors of all sites on the standard output',
    'gbulktomemory': 'memory against time: no effect',
    'simulasa': 'drops a non-spherical potential that INS= 0 has not: no effect',
}
TEST_FLAGS = {
    'jij(e)': 'set by aiida-kkr with CALCJIJMAT= 1: exchange of each energy, in files that it does not retrieve',
    'read_doubleprecision': 'kkrflex_green in double precision',
    'nodisplayeloop': 'no progress bar of the energy loop: no effect',
    'write_all_ranks': 'MPI: no effect',
    'tmat_mpicomm': 'MPI: no effect',
    'accumulate_hfield': 'the initial field stays in the potential, as in the release build of JuKKR',
}
"""Supported flags, in lower case; ``accumulate_hfield`` is our own, for comparisons with JuKKR."""


LONGEST_HISTORY = 40
"""Largest ITDBRY."""


@dataclass(frozen=True)
class KkrimpConfig:
    """Settings of a calculation, named as in ``config.cfg``, with JuKKR's defaults.

    :param relativistic: KVREL= 1 (scalar-relativistic) or 0.
    :param hfield: initial field [Ry]; ``hfield_iterations`` how long it is on.
    :param exchange: CALCJIJMAT= 1: ``out_Jijmatrix`` is written, of the potential that is read.
    :param alat_tolerance: how far the lattice constants of potential and host may differ [Bohr].
    """

    nspin: int = 2
    relativistic: bool = True
    xc: str = 'LDA'
    hfield: float = 0.0
    hfield_iterations: int = 0
    scfsteps: int = 1
    imix: int = 2
    mixfac: float = 0.1
    fcm: float = 2.0
    itdbry: int = 40
    nsimplemixfirst: int = 0
    qbound: float = 1e-8
    exchange: bool = False
    alat_tolerance: float = 1e-11
    run_flags: frozenset[str] = frozenset()
    test_flags: frozenset[str] = frozenset()

    @property
    def xc_kind(self) -> int:
        """The functional as :mod:`aiida_mlkkr.solver.xc` numbers it."""
        return XC_KINDS[self.xc]


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f'{word} is not an integer') from None


def _integer(low: int, high: int | None = None) -> Callable[[list[str]], int]:
    def read(words: list[str]) -> int:
        value = _whole(words[0])
        if value < low or (high is not None and value > high):
            raise ValueError(f'must be at least {low}' + (f' and at most {high}' if high is not None else ''))
        return value

    return read


def _number(words: list[str]) -> float:
    try:
        value = float(words[0].lower().replace('d', 'e'))
    except ValueError:
        raise ValueError(f'{words[0]} is not a number') from None
    if not isfinite(value):
        raise ValueError('must be a finite number')
    return value


def _positive(words: list[str]) -> float:
    value = _number(words)
    if value <= 0:
        raise ValueError('must be a positive number')
    return value


def _not_negative(words: list[str]) -> float:
    value = _number(words)
    if value < 0:
        raise ValueError('must not be negative')
    return value


def read_config(path: Path) -> KkrimpConfig:
    """Read ``config.cfg``.

    :raises KkrFileError: if the file is missing or empty, or the value of a key cannot be read.
    :raises UnsupportedSettingError: if a key, flag or value is not implemented.
    """
    if not path.is_file():
        raise KkrFileError(f'{path.name} is missing: the settings of KKRimp')
    values: dict[str, Any] = {}
    ins_given = False
    text = path.read_text(encoding='utf-8', errors='replace')
    if not text.strip():
        raise KkrFileError(f'{path.name} is empty')
    for number, key, words in config_lines(text):
        ins_given |= key == 'INS'
        values.update(_fields_of(f'{path.name}, line {number}', key, words))
    if not ins_given:
        raise UnsupportedSettingError(
            'INS absent from config.cfg, which means full potential (INS= 1),', FULL_POTENTIAL
        )
    config = KkrimpConfig(**values)
    if config.nspin == 1 and config.hfield and config.hfield_iterations > 0:
        raise UnsupportedSettingError('HFIELD with NSPIN= 1', 'there are no two spins that a field could split')
    if config.nspin == 1 and config.exchange:
        raise UnsupportedSettingError('CALCJIJMAT= 1 with NSPIN= 1', 'without two spins there is no exchange')
    if config.imix >= 3 and config.mixfac == 0:
        raise KkrFileError(f'{path.name}: IMIX= {config.imix} needs a MIXFAC above 0')
    if config.imix >= 3 and config.itdbry > LONGEST_HISTORY:
        raise UnsupportedSettingError(
            f'ITDBRY= {config.itdbry}', f'the history is at most {LONGEST_HISTORY} long, for JuKKR too'
        )
    return config


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check settings before there is a ``config.cfg``: keys and values, a list for several words of a value.

    :raises KkrFileError: if a value cannot be read.
    :raises UnsupportedSettingError: if a key, flag or value is not implemented.
    """
    for key, value in settings.items():
        words = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        _fields_of('settings', key, [str(word) for word in words])


def _fields_of(place: str, key: str, words: list[str]) -> dict[str, Any]:
    """Return the fields of :class:`KkrimpConfig` that a setting sets; ``place`` is where an error is."""
    try:
        return _interpret(key, words)
    except (ValueError, IndexError) as error:
        reason = 'it has no value' if isinstance(error, IndexError) else str(error)
        raise KkrFileError(f'{place}: value of {key}: {reason}') from error


def _interpret(key: str, words: list[str]) -> dict[str, Any]:
    """Return the fields of :class:`KkrimpConfig` that one line sets."""
    readers: dict[str, tuple[str, Callable[[list[str]], Any]]] = {
        'CALCJIJMAT': ('exchange', lambda words: bool(_integer(0, 1)(words))),
        'NSPIN': ('nspin', _integer(1, 2)),
        'SCFSTEPS': ('scfsteps', _integer(1)),
        'MIXFAC': ('mixfac', _not_negative),
        'FCM': ('fcm', _not_negative),
        'ITDBRY': ('itdbry', _integer(1)),
        'NSIMPLEMIXFIRST': ('nsimplemixfirst', _integer(0)),
        'QBOUND': ('qbound', _number),
        'TOL_ALAT_CHECK': ('alat_tolerance', _positive),
    }
    if key in readers:
        name, read = readers[key]
        return {name: read(words)}
    if key in WITHOUT_EFFECT:
        return {}
    if key in REFUSED_IF_SET:
        if words[0].upper().strip('.') not in ('0', 'F', 'FALSE'):
            raise UnsupportedSettingError(f'{key}= {words[0]}', REFUSED_IF_SET[key])
        return {}
    if key == 'INS':
        if _whole(words[0]) != 0:
            raise UnsupportedSettingError(f'INS= {words[0]} (full potential)', FULL_POTENTIAL)
        return {}
    if key == 'KVREL':
        if _whole(words[0]) not in (0, 1):
            raise UnsupportedSettingError(
                f'KVREL= {words[0]}', 'it solves the scalar-relativistic equations (KVREL= 1)'
            )
        return {'relativistic': _whole(words[0]) == 1}
    if key == 'XC':
        if words[0] not in XC_KINDS:
            raise UnsupportedSettingError(f'XC= {words[0]}', f'it has the functionals {", ".join(XC_KINDS)}')
        return {'xc': words[0]}
    if key == 'IMIX':
        if _whole(words[0]) > 5:
            raise UnsupportedSettingError(f'IMIX= {words[0]}', 'IMIX is at most 5, for JuKKR too')
        return {'imix': _whole(words[0])}
    if key == 'HFIELD':
        return {'hfield': _number(words), 'hfield_iterations': _whole(words[1])}
    if key == 'HFIELD2':
        if any(_number([word]) for word in words[:2]):
            raise UnsupportedSettingError(
                'HFIELD2', 'a field for the first 19 sites only is not implemented; use HFIELD'
            )
        return {}
    if key == 'RUNFLAG':
        return {'run_flags': _flags('RUNFLAG', words, RUN_FLAGS)}
    if key == 'TESTFLAG':
        return {'test_flags': _flags('TESTFLAG', words, TEST_FLAGS)}
    raise UnsupportedSettingError(key, 'this key is unknown')


def _flags(key: str, words: list[str], supported: dict[str, str]) -> frozenset[str]:
    for word in words:
        if word.lower() not in supported:
            raise UnsupportedSettingError(f'{key} {word}', f'of these flags it has {", ".join(supported)}')
    return frozenset(word.lower() for word in words)
