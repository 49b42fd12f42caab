"""The self-consistency history of a KKRimp run, read from its log and its standard output.

JuKKR's KKRimp and the embedded solver write the same lines. A log of 10 MB is read in one pass, in well below a second;
truncated files, NaN, fields that overflowed (``****``) and several runs appended to one file are expected.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STAGNATION_WINDOW: Final = 30
"""Iterations without progress that make a run stagnating: the longest pause in 124 converged ones is 20."""

STAGNATION_GAIN: Final = 0.10
"""The smallest relative decrease of the error in ``STAGNATION_WINDOW`` iterations that counts as progress.

At a slower pace two decades of the error take more than 1300 iterations.
"""

SIMPLE_MIXING_WINDOW: Final = 10
"""Iterations that show whether simple mixing works, the first as many set aside: an initial field acts in them."""

DIVERGENCE_WINDOW: Final = 5
"""Iterations whose median error decides on divergence, so that a single excursion does not."""

DIVERGENCE_GROWTH: Final = 15.0
"""A median error this many times the best one before means divergence. Runs that converge stay below 10."""

DIVERGENCE_FLOOR: Final = 0.1
"""Error in Ry below which nothing diverges: Anderson mixing has made excursions to 0.05 on the way to a solution."""


@dataclass(frozen=True)
class ScfSettings:
    """Settings that the code echoes; None where the log does not say (it then ends before its header does)."""

    nspin: int | None = None
    natom: int | None = None
    ins: int | None = None
    kvrel: int | None = None
    imix: int | None = None
    mixfac: float | None = None
    fcm: float | None = None
    qbound: float | None = None
    scfsteps: int | None = None
    spin_orbit: bool | None = None
    testflags: tuple[str, ...] = ()
    runflags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ScfHistory:
    """One run of KKRimp: n complete iterations on natom sites.

    An iteration is complete when its average error is printed. Energies are in Ry, charges in electrons, moments in
    Bohr magnetons, the errors of the potential in Ry. A number the files do not give is NaN, and so is a NaN they do
    give; a field that overflowed is infinite.

    :param serial: what the code says of itself, ``name_version_compileoptions_time``; empty if unknown.
    :param iteration: numbers of the iterations (n,).
    :param rms_charge: average error of V_up + V_down (n,).
    :param rms_spin: average error of V_up - V_down (n,); zeros in a run without spin polarisation.
    :param total_energy: total energy (n,).
    :param charge: electrons in each site's cell, core included (n, natom).
    :param core_charge: core electrons of each site (n, natom).
    :param spin_moment: spin moment of each site (n, natom); zeros in a run without spin polarisation.
    :param nuclear_charge: Z of each site (natom,).
    :param l_charge: valence electrons by site, spin (down, up) and l (n, natom, nspin, lmax + 1).
    :param rms_charge_site: error of V_up + V_down of each site (n, natom).
    :param rms_spin_site: error of V_up - V_down of each site (n, natom).
    :param energies: points of the energy contour (nE,).
    :param weights: their weights (nE,).
    :param iterations_started: number of iterations begun; more than n if the last one was not completed.
    :param stopped_by_criterion: whether the code says that it stopped because the error fell below QBOUND.
    :param complete: whether the code says that it came to its end.
    :param step: the last step the log names.
    :param inside_step: whether the log ends inside of that step.
    :param runs_in_file: number of runs appended to one another in the file; this is the last one.
    :param has_nan: whether an error, energy, charge or moment of the last iteration is printed as NaN, infinite or
        overflown.
    """

    settings: ScfSettings
    serial: str
    iteration: NDArray[np.int64]
    rms_charge: Floats
    rms_spin: Floats
    total_energy: Floats
    charge: Floats
    core_charge: Floats
    spin_moment: Floats
    nuclear_charge: Floats
    l_charge: Floats
    rms_charge_site: Floats
    rms_spin_site: Floats
    energies: NDArray[np.complex128]
    weights: NDArray[np.complex128]
    iterations_started: int
    stopped_by_criterion: bool
    complete: bool
    step: str
    inside_step: bool
    runs_in_file: int
    has_nan: bool

    @property
    def niter(self) -> int:
        """Number of complete iterations."""
        return len(self.iteration)

    @property
    def natom(self) -> int:
        """Number of sites."""
        return int(self.charge.shape[1])

    @property
    def error(self) -> Floats:
        """The larger one of the two errors (n,), which KKRimp compares with QBOUND."""
        return np.maximum(self.rms_charge, self.rms_spin)

    @property
    def contour_bottom(self) -> float | None:
        """Lowest energy of the contour in Ry, None if unknown."""
        return float(self.energies.real.min()) if self.energies.size else None

    @property
    def converged(self) -> bool:
        """Whether the error of the last iteration is below QBOUND."""
        qbound = self.settings.qbound
        return bool(self.niter and qbound is not None and self.error[-1] < qbound)

    @property
    def diverging(self) -> bool:
        """Whether the error grows, see :func:`is_diverging`."""
        return is_diverging(self.error)

    @property
    def stagnating(self) -> bool:
        """Whether the error makes no progress, see :func:`is_stagnating`."""
        return is_stagnating(self.error)


def is_diverging(error: Floats) -> bool:
    """Whether the errors (n,) of successive iterations end far above the best one reached before.

    The last ``DIVERGENCE_WINDOW`` errors have a median above ``DIVERGENCE_FLOOR`` and above ``DIVERGENCE_GROWTH``
    times the smallest error before them, and have not come down below half of their maximum.
    """
    if len(error) <= DIVERGENCE_WINDOW:
        return False
    last, before = error[-DIVERGENCE_WINDOW:], error[:-DIVERGENCE_WINDOW]
    best = np.nanmin(before) if np.isfinite(before).any() else np.inf
    return bool(np.median(last) > max(DIVERGENCE_FLOOR, DIVERGENCE_GROWTH * best) and last[-1] > 0.5 * np.max(last))


def is_stagnating(error: Floats) -> bool:
    """Whether the best one of the last ``STAGNATION_WINDOW`` errors (n,) is hardly below the best one before them."""
    if len(error) <= STAGNATION_WINDOW:
        return False
    last, before = error[-STAGNATION_WINDOW:], error[:-STAGNATION_WINDOW]
    if not (np.isfinite(last).any() and np.isfinite(before).any()):
        return False
    return bool(np.nanmin(last) > (1.0 - STAGNATION_GAIN) * np.nanmin(before))


def is_beyond_simple_mixing(error: Floats, mixfac: float) -> bool:
    """Whether simple mixing does not reduce the errors (n,): the self-consistency overshoots, or does not move at all.

    In m iterations a contraction reduces the error to (1 - ``mixfac``)ᵐ or below. The criterion is half of that
    progress, missed both in the last ``SIMPLE_MIXING_WINDOW`` iterations and since the first one; it is not applied
    before twice as many iterations are there.
    """
    if len(error) < 2 * SIMPLE_MIXING_WINDOW:
        return False
    return all(
        error[-1] > 0.5 * (1.0 + (1.0 - mixfac) ** steps) * error[-1 - steps]
        for steps in (SIMPLE_MIXING_WINDOW, len(error) - 1)
    )


def read_history(log: str, stdout: str = '', timing: str = '') -> ScfHistory:
    """The last run recorded in KKRimp's log (text of ``out_log.000.txt``) and standard output (of ``out_kkrimp``).

    The log is preferred; from the standard output come the message on convergence, and the iterations that the log does
    not hold: it may be cut, or shortened to the last iteration, as aiida-kkr 1.x did. The timings
    (``out_timing.000.txt``) tell whether the run came to its end, as do the last lines of both other files. Lines that
    cannot be understood are passed over: any text has a history, in the worst case an empty one.
    """
    runs = _read_runs(log)
    terminal = _read_runs(stdout)[-1]
    run = runs[-1]
    records = _joined(run.records, terminal.records)
    settings = _settings(run)
    natom = settings.natom
    if natom is None or (records and not any(len(record.charge) == natom for record in records)):
        natom = max((record.natom for record in records), default=0)

    def per_site(values: Callable[[_Iteration], list[float]]) -> Floats:
        table = np.full((len(records), natom), np.nan)
        for row, record in zip(table, records, strict=True):
            numbers = values(record)
            if len(numbers) == natom:
                row[:] = numbers
        return table

    rms_spin = np.array([record.rms_spin for record in records], dtype=np.float64)
    spin_moment = per_site(lambda record: record.spin_moment)
    rms_spin_site = per_site(lambda record: record.rms_spin_site)
    if settings.nspin == 1:
        rms_spin[:] = spin_moment[:] = rms_spin_site[:] = 0.0
    contour = np.array(run.contour, dtype=np.float64).reshape(-1, 4).view(np.complex128)
    nuclear = next((record.nuclear_charge for record in reversed(records) if record.nuclear_charge), [])
    started = max(run.iterations_started, terminal.iterations_started, len(records))
    return ScfHistory(
        settings=settings,
        serial=run.serial or terminal.serial,
        iteration=np.array([record.number for record in records], dtype=np.int64),
        rms_charge=np.array([record.rms_charge for record in records], dtype=np.float64),
        rms_spin=rms_spin,
        total_energy=np.array([record.total_energy for record in records], dtype=np.float64),
        charge=per_site(lambda record: record.charge),
        core_charge=per_site(lambda record: record.core_charge),
        spin_moment=spin_moment,
        nuclear_charge=np.array(nuclear if len(nuclear) == natom else [np.nan] * natom, dtype=np.float64),
        l_charge=_l_charges(records, natom),
        rms_charge_site=per_site(lambda record: record.rms_charge_site),
        rms_spin_site=rms_spin_site,
        energies=contour[:, 0],
        weights=contour[:, 1],
        iterations_started=started,
        stopped_by_criterion=terminal.stopped_by_criterion or run.stopped_by_criterion,
        complete=run.complete or terminal.complete or 'Total running time' in timing,
        step=run.step,
        inside_step=run.inside_step,
        runs_in_file=len(runs),
        has_nan=bool(records) and records[-1].not_finite,
    )


def _number(token: str) -> float:
    """A Fortran number: infinite if asterisks say that its field overflowed, NaN also if it is damaged."""
    if token.startswith('*'):
        return np.inf
    try:
        return float(token.replace('D', 'E').replace('d', 'E'))
    except ValueError:
        return np.nan


def _last_token(line: str) -> str:
    """The last token of a line; asterisks may touch the sign of equality."""
    tokens = line.replace('=', ' ').replace(':', ' ').split()
    return tokens[-1] if tokens else ''


@dataclass
class _Iteration:
    """What is printed of one iteration, in the order of printing."""

    number: int
    rms_charge: float = np.nan
    rms_spin: float = np.nan
    total_energy: float = np.nan
    charge: list[float] = field(default_factory=list)
    core_charge: list[float] = field(default_factory=list)
    nuclear_charge: list[float] = field(default_factory=list)
    spin_moment: list[float] = field(default_factory=list)
    rms_charge_site: list[float] = field(default_factory=list)
    rms_spin_site: list[float] = field(default_factory=list)
    l_charge: list[list[list[float]]] = field(default_factory=list)
    not_finite: bool = False

    def take(self, token: str) -> float:
        """A number that belongs to this iteration; remembers whether one was printed that is not finite."""
        value = _number(token)
        if not np.isfinite(value) and token.lstrip('+-')[:3].lower() in ('nan', 'inf', '***'):
            self.not_finite = True
        return value

    @property
    def natom(self) -> int:
        return max(len(self.charge), len(self.rms_charge_site))


def _joined(log: list[_Iteration], terminal: list[_Iteration]) -> list[_Iteration]:
    """The complete iterations of the log; if the standard output has more, those, as far as possible from the log."""
    if len(log) >= len(terminal):
        return log
    in_log = {record.number: record for record in log}
    return [in_log.get(record.number, record) for record in terminal]


@dataclass
class _Run:
    """What is printed of one run."""

    serial: str = ''
    settings: dict[str, float] = field(default_factory=dict)
    testflags: list[str] = field(default_factory=list)
    runflags: list[str] = field(default_factory=list)
    contour: list[list[float]] = field(default_factory=list)
    records: list[_Iteration] = field(default_factory=list)
    iterations_started: int = 0
    stopped_by_criterion: bool = False
    complete: bool = False
    step: str = ''
    inside_step: bool = False
    begun: bool = False


_MAX_SITES: Final = 10_000


class _Lines:
    """Lines of a text, with one step back for a reader that has gone too far.

    A last line without its end is dropped: its number may be cut.
    """

    def __init__(self, text: str) -> None:
        self._lines = text[: text.rfind('\n') + 1].splitlines()
        self._next = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._lines[self._next]
        except IndexError:
            raise StopIteration from None
        self._next += 1
        return line

    def back(self) -> None:
        self._next -= 1


# Lines that come by the thousand and say nothing are dropped before the search.
_NOISE: Final = (' call ', ' end ', ' proc ', ' cutting ', ' entering ', ' exited ', ' spinorbit ', ' - state')

_KEY: Final = re.compile(
    r'Iteration Number|average rms-error|rms-error for atom|charge in wigner seitz|charge in WS-cell'
    r'|spin magnetic moment =|nuclear charge|TOTAL ENERGY|>>>>>>>>|<<<<<<<<|^ *ATOM +Ne|v\+ - v- ='
    r'|energies and weights are|Spin orbit coupling used|NATOM is|TESTFLAG|RUNFLAG|stop signal'
    r'|SCF ITERATION CONVERGED|# serial:|Version:|Deleting file kkrflex_greennew'
    r'|^ *(?:INS|KVREL|NSPIN|IMIX|MIXFAC|FCM|QBOUND|SCFSTEPS) *='
)
_SETTING: Final = re.compile(r'^\s*(INS|KVREL|NSPIN|IMIX|MIXFAC|FCM|QBOUND|SCFSTEPS)\s*=\s*(\S+)')
_NUCLEAR: Final = re.compile(r'nuclear charge\s*(\S+)\s+core charge\s*=?\s*(\S+)')
_RMS_SITE: Final = re.compile(r'v\+ \+ v- =\s*(\S+)(?:.*?v\+ - v- =\s*(\S+))?')
_AVERAGE: Final = re.compile(r'ITERATION\s*(\d{1,9}|\*+).*?v\+ \+ v- =\s*(\S+)')
_CELL: Final = re.compile(r'charge in WS-cell =\s*(\S+?)\s*spin moment =\s*(\S+)')
_L_ROW: Final = re.compile(r'^\s*(\d+|\*+)?\s*([spdfghi]) =(.*)$')
# what stands between the rows: rules, sums, and the part outside of the muffin-tin sphere
_L_RULE: Final = re.compile(r'^\s*(?:[=-]+|TOT.*|ns .*|[-+.\d]+|)\s*$')
_FLAGS: Final = re.compile(r'(?:TESTFLAG|RUNFLAG)S?\s*=?(.*)')
_MARK: Final = re.compile(r'(>>>>>>>>+|<<<<<<<<+)\s*(.*?)\s*[<> ]*$')


def _read_runs(text: str) -> list[_Run]:
    """All runs of a text; at least one, which may be empty."""
    runs = [_Run()]
    lines = _Lines(text)
    search = _KEY.search
    for line in lines:
        if line.startswith(_NOISE):
            continue
        match = search(line)
        if match is None:
            continue
        key = match[0]
        if key in ('# serial:', 'Version:'):
            if runs[-1].begun:
                runs.append(_Run())
            # a potential's title line names a serial as well: only a line of its own starts a run
            runs[-1].serial = line.split(':', 1)[1].split(';')[0].strip()
            runs[-1].begun = True
            continue
        run = runs[-1]
        if key.startswith(('>>', '<<')):
            name = _mark(run, line)
            if name == 'read_config' and run.settings:
                run = _Run(serial=run.serial, begun=True, step='read_config', inside_step=True)
                runs.append(run)
            continue
        run.begun = True
        handler = _HANDLERS.get(key)
        if handler is None:
            handler = _read_l_charges if key.endswith('Ne') else _read_setting
        handler(run, line, lines)
    for run in runs:
        run.records = [record for record in run.records if not _incomplete(record)]
    return runs


def _incomplete(record: _Iteration) -> bool:
    return record.number < 0


def _mark(run: _Run, line: str) -> str:
    """A line that says that a step begins or ends; returns the name of a step that begins."""
    match = _MARK.search(line)
    if match is None or not match[2]:
        return ''
    name = match[2]
    run.begun = True
    if name == 'end program':
        run.complete = True
    if match[1][0] == '<':
        run.step, run.inside_step = name.removeprefix('end '), False
        return ''
    run.step, run.inside_step = name, True
    return name


def _read_setting(run: _Run, line: str, lines: _Lines) -> None:
    match = _SETTING.match(line)
    if match:
        run.settings.setdefault(match[1].lower(), _number(match[2]))


def _start_iteration(run: _Run, line: str, lines: _Lines) -> None:
    run.iterations_started += 1
    # a negative number marks an iteration whose average error is still to come
    run.records.append(_Iteration(-1))


def _current(run: _Run) -> _Iteration:
    """The iteration being read; one of its own for lines before any is announced."""
    if not run.records or run.records[-1].number >= 0:
        run.records.append(_Iteration(-1))
    return run.records[-1]


def _read_average(run: _Run, line: str, lines: _Lines) -> None:
    match = _AVERAGE.search(line)
    if match is None:
        return
    record = _current(run)
    record.number = int(match[1]) if match[1].isdigit() else len(run.records)
    record.rms_charge = record.take(match[2])


def _read_average_spin(run: _Run, line: str, lines: _Lines) -> None:
    if run.records:
        run.records[-1].rms_spin = run.records[-1].take(_last_token(line))


def _read_energy(run: _Run, line: str, lines: _Lines) -> None:
    # printed after the average error, which completes an iteration
    if run.records:
        run.records[-1].total_energy = run.records[-1].take(_last_token(line))


def _read_site_error(run: _Run, line: str, lines: _Lines) -> None:
    match = _RMS_SITE.search(line)
    if match:
        record = _current(run)
        record.rms_charge_site.append(record.take(match[1]))
        record.rms_spin_site.append(record.take(match[2]) if match[2] else np.nan)


def _read_charge(run: _Run, line: str, lines: _Lines) -> None:
    record = _current(run)
    record.charge.append(record.take(_last_token(line)))


def _read_cell(run: _Run, line: str, lines: _Lines) -> None:
    match = _CELL.search(line)
    if match:
        record = _current(run)
        record.charge.append(record.take(match[1]))
        record.spin_moment.append(record.take(match[2]))


def _read_moment(run: _Run, line: str, lines: _Lines) -> None:
    record = _current(run)
    record.spin_moment.append(record.take(_last_token(line)))


def _read_core(run: _Run, line: str, lines: _Lines) -> None:
    match = _NUCLEAR.search(line)
    if match:
        record = _current(run)
        record.nuclear_charge.append(record.take(match[1]))
        record.core_charge.append(record.take(match[2]))


def _read_l_charges(run: _Run, line: str, lines: _Lines) -> None:
    """The table of valence charges: rows of (down, up, moment), or of one number without spin polarisation."""
    record = _current(run)
    nspin = 2 if 'spin' in line else 1
    for row in lines:
        match = _L_ROW.match(row)
        if match is None:
            if _L_RULE.match(row):
                continue
            lines.back()
            return
        if match[2] == 's':
            record.l_charge.append([])
        if record.l_charge:
            record.l_charge[-1].append([_number(token) for token in match[3].split()[:nspin]])


def _read_contour(run: _Run, line: str, lines: _Lines) -> None:
    run.contour = []
    for count, row in enumerate(lines):
        tokens = row.split()
        if len(tokens) == 5 and tokens[0].isdigit():
            run.contour.append([_number(token) for token in tokens[1:]])
        elif count >= 3:
            return


def _read_natom(run: _Run, line: str, lines: _Lines) -> None:
    run.settings.setdefault('natom', _number(_last_token(line)))


def _read_spin_orbit(run: _Run, line: str, lines: _Lines) -> None:
    run.settings.setdefault('spin_orbit', _number(_last_token(line)))


def _read_flags(into: Callable[[_Run], list[str]]) -> Callable[[_Run, str, _Lines], None]:
    """Flags stand on the line itself, or, with JuKKR, below it between two rules of ``#``."""

    def read(run: _Run, line: str, lines: _Lines) -> None:
        match = _FLAGS.search(line)
        flags = match[1].split() if match else []
        rules = 0
        for row in () if flags else lines:
            if row.strip().startswith('####'):
                rules += 1
            if rules == 0:
                lines.back()
            if rules != 1:
                break
            if not row.strip().startswith('####'):
                flags += row.split()
        into(run).extend(flags)

    return read


def _read_stop(run: _Run, line: str, lines: _Lines) -> None:
    run.stopped_by_criterion = True


def _read_end(run: _Run, line: str, lines: _Lines) -> None:
    run.complete = True


_HANDLERS: Final[dict[str, Callable[[_Run, str, _Lines], None]]] = {
    'Iteration Number': _start_iteration,
    'average rms-error': _read_average,
    'v+ - v- =': _read_average_spin,
    'rms-error for atom': _read_site_error,
    'charge in wigner seitz': _read_charge,
    'charge in WS-cell': _read_cell,
    'spin magnetic moment =': _read_moment,
    'nuclear charge': _read_core,
    'TOTAL ENERGY': _read_energy,
    'energies and weights are': _read_contour,
    'NATOM is': _read_natom,
    'Spin orbit coupling used': _read_spin_orbit,
    'TESTFLAG': _read_flags(lambda run: run.testflags),
    'RUNFLAG': _read_flags(lambda run: run.runflags),
    'SCF ITERATION CONVERGED': _read_stop,
    'stop signal': _read_stop,
    'Deleting file kkrflex_greennew': _read_end,
}


def _settings(run: _Run) -> ScfSettings:
    def whole(key: str) -> int | None:
        value = run.settings.get(key)
        return int(value) if value is not None and abs(value) < 1e9 else None

    def real(key: str) -> float | None:
        value = run.settings.get(key)
        return value if value is not None and np.isfinite(value) else None

    spin_orbit, natom = whole('spin_orbit'), whole('natom')
    return ScfSettings(
        nspin=whole('nspin'),
        natom=natom if natom is not None and 0 < natom <= _MAX_SITES else None,
        ins=whole('ins'),
        kvrel=whole('kvrel'),
        imix=whole('imix'),
        mixfac=real('mixfac'),
        fcm=real('fcm'),
        qbound=real('qbound'),
        scfsteps=whole('scfsteps'),
        spin_orbit=None if spin_orbit is None else spin_orbit == 1,
        testflags=tuple(run.testflags),
        runflags=tuple(run.runflags),
    )


def _l_charges(records: list[_Iteration], natom: int) -> Floats:
    shapes = {(len(site), len(row)) for record in records for site in record.l_charge for row in site}
    nl = max((shape[0] for shape in shapes), default=0)
    nspin = max((shape[1] for shape in shapes), default=0)
    table = np.full((len(records), natom, nspin, nl), np.nan)
    for values, record in zip(table, records, strict=True):
        if len(record.l_charge) != natom:
            continue
        for site, rows in zip(values, record.l_charge, strict=True):
            for l_index, row in enumerate(rows):
                site[: len(row), l_index] = row
    return table
