"""What start potentials are worth: iterations of the self-consistency to the known solution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from aiida_mlkkr.benchmark.cases import Case, Files
from aiida_mlkkr.benchmark.rows import Row
from aiida_mlkkr.benchmark.scf import Scf
from aiida_mlkkr.benchmark.starts import Start
from aiida_mlkkr.kkr.schedule import Schedule

SAME_MOMENT: Final = 1e-3
SAME_CHARGE: Final = 1e-3
SAME_ENERGY: Final = 1e-3
"""Total moment in µB, charge of a site in e, total energy in Ry: runs that differ by more found two solutions."""

NOT_LEARNT: Final = ''
"""In place of the split and of what is left out, for starts that nothing is learnt for."""

Converge = Callable[[Case, Start, Schedule], Scf]
"""Runs a self-consistency, here or elsewhere."""


@dataclass(frozen=True)
class ScfRow(Row):
    """One self-consistency.

    :param source: of the impurity's record.
    :param split, left_out: what the training set lacked.
    :param iterations: 0 where it failed; ``problem`` says how.
    :param error: of the start on the impurities' sites, ``expected`` by the model, in mRy; NaN where it has none.
    :param moment_error, charge_error, energy_error: of the solution, in µB, e and Ry.
    """

    key_fields: ClassVar[tuple[str, ...]] = ('source', 'split', 'left_out', 'start', 'schedule')

    source: str
    host: str
    elements: str
    magnetic: bool
    split: str
    left_out: str
    start: str
    schedule: str
    iterations: int
    error: float
    expected: float
    moment_error: float
    charge_error: float
    energy_error: float
    problem: str


@dataclass(frozen=True)
class Origin:
    """Where a start potential comes from; ``problem`` is why there is none."""

    start: str
    split: str = NOT_LEARNT
    left_out: str = NOT_LEARNT
    error: float = float('nan')
    expected: float = float('nan')
    problem: str = ''

    def key(self, case: Case, schedule: Schedule) -> tuple[str, ...]:
        """Key of the row to come."""
        return (case.record.source, self.split, self.left_out, self.start, schedule.name)


def measure(case: Case, files: Files, origin: Origin, start: Start | None, schedule: Schedule, run: Converge) -> ScfRow:
    """One self-consistency; without a start a row that says why.

    :param run: what does it.
    """
    scf = Scf.failed(origin.problem) if start is None else run(case, start, schedule)
    nothing = np.full(3, np.nan)
    moment_error, charge_error, energy_error = deviations(case, files, scf) if len(scf.charges) else nothing
    other = moment_error > SAME_MOMENT or charge_error > SAME_CHARGE or energy_error > SAME_ENERGY
    problem = 'another solution' if scf.converged and other else scf.problem
    return ScfRow(
        source=case.record.source,
        host=case.record.host.name,
        elements=case.elements,
        magnetic=case.magnetic,
        split=origin.split,
        left_out=origin.left_out,
        start=origin.start,
        schedule=schedule.name,
        iterations=0 if problem else scf.iterations,
        error=origin.error,
        expected=origin.expected,
        moment_error=float(moment_error),
        charge_error=float(charge_error),
        energy_error=float(energy_error),
        problem=problem.replace('\n', ' ')[:120],
    )


def deviations(case: Case, files: Files, scf: Scf) -> tuple[float, float, float]:
    """Of moment (µB), charge (e) and total energy (Ry) from the known solution; all moments reversed is the same."""
    known, found = case.record.moments, scf.moments
    moment = min(float(np.abs(sign * found.sum() - known.sum())) for sign in (1.0, -1.0))
    charge = float(np.abs(scf.charges - case.record.charges).max())
    return moment, charge, abs(scf.energy - files.energy)
