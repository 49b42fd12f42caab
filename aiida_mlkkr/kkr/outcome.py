"""How a KKRimp run ended: one word for programs (with the exit status of the parser) and a sentence for people."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.jij_matrix import FILE_NAME as JIJ_MATRIX
from aiida_mlkkr.kkr.jij_matrix import parse_jij_matrices
from aiida_mlkkr.kkr.run import LOG, STDERR, STDOUT, KkrimpRun

_SOLVER_NAN: Final = 'not a number'
"""Words by which the embedded solver says that its iterations ended in NaN."""


class Outcome(IntEnum):
    """How a run ended; the value is the exit status of the parser.

    The numbers avoid those of AiiDA's core (below 100), of the schedulers (100 to 199), of aiida-kkr's ``KkrimpParser``
    and of ``BaseRestartWorkChain`` (301, 302, 401, 402).
    """

    DONE = 0
    INPUT_REFUSED = 210
    NO_RETRIEVED_FOLDER = 303
    OUTPUT_MISSING = 310
    OUTPUT_EMPTY = 311
    OUTPUT_INCOMPLETE = 312
    CRASHED = 320
    JIJ_CRASHED = 321
    CORE_STATE_LOST = 322
    INTERRUPTED = 323
    PARSER_FAILED = 390
    NOT_CONVERGED = 410
    STAGNATING = 411
    DIVERGING = 412
    NOT_FINITE = 413
    FALSE_CONVERGENCE = 414

    @property
    def label(self) -> str:
        """Name of the exit code."""
        return f'ERROR_{self.name}' if self else 'FINISHED'


@dataclass(frozen=True)
class Verdict:
    """How a run ended, and what there is to say of it."""

    outcome: Outcome
    message: str = ''


def judge(run: KkrimpRun, density_of_states: bool = False) -> Verdict:
    """How a run ended.

    What comes first in this list decides: nothing was written; the input was refused; NaN; the run broke off; its last
    potential or results cannot be read; it converged, sanely or not; it did not converge, in one of three ways.

    :param density_of_states: whether it was a density-of-states run, which does not iterate to self-consistency; its
        contour does not give charges either.
    """
    history = run.history
    nothing = _nothing_written(run)
    if nothing is not None:
        return nothing
    if _SOLVER_NAN in run.solver_error:
        return Verdict(Outcome.NOT_FINITE, run.solver_error)
    if run.solver_error and not history.niter and not run.lost_core_state:
        return Verdict(Outcome.INPUT_REFUSED, run.solver_error)
    if history.has_nan or not run.potential_finite:
        return _not_finite(run)
    if not history.complete:
        return _broken_off(run)
    if density_of_states:
        return Verdict(Outcome.DONE)
    incomplete = _incomplete(run)
    if incomplete:
        return Verdict(Outcome.OUTPUT_INCOMPLETE, incomplete)
    if _without_self_consistency(run):
        return Verdict(Outcome.DONE)
    if not history.converged:
        return _unconverged(run)
    if run.problems:
        findings = '; '.join(problem.finding for problem in run.problems)
        remedies = ' '.join(dict.fromkeys(problem.remedy for problem in run.problems))
        return Verdict(
            Outcome.FALSE_CONVERGENCE,
            f'the error is below QBOUND, but the solution is not physical: {findings}. {remedies}',
        )
    return Verdict(Outcome.DONE)


def _nothing_written(run: KkrimpRun) -> Verdict | None:
    if run.text(LOG).strip() or run.text(STDOUT).strip():
        return None
    said = run.solver_error or run.crash_report
    if run.solver_error:
        return Verdict(Outcome.CORE_STATE_LOST if run.lost_core_state else Outcome.INPUT_REFUSED, run.solver_error)
    reason = f'the error output says: {_short(said)}' if said else f'{STDERR} may say why'
    if LOG not in run.files and STDOUT not in run.files:
        return Verdict(
            Outcome.OUTPUT_MISSING,
            f'neither {LOG} nor {STDOUT} was retrieved; {reason}. Look into the remote folder of the calculation.',
        )
    return Verdict(
        Outcome.OUTPUT_EMPTY,
        f'{LOG} and {STDOUT} are empty: the code did not start, or ended at once; {reason}. Check the executable, its '
        ' libraries and the prepend text of code and computer.',
    )


def _not_finite(run: KkrimpRun) -> Verdict:
    history = run.history
    finite = [number for number, error in zip(history.iteration, history.error, strict=True) if error < float('inf')]
    where = 'out_potential' if not run.potential_finite else f'iteration {history.iteration[-1]}'
    good = f'; the last finite error belongs to iteration {finite[-1]}' if finite else ''
    return Verdict(
        Outcome.NOT_FINITE,
        f'NaN or infinite numbers in {where}{good}. The mixing was too strong or the start potential insane: restart '
        'from the last sane potential (not the one of this run) with a smaller MIXFAC and simple mixing (IMIX= 0).',
    )


def _broken_off(run: KkrimpRun) -> Verdict:
    history = run.history
    where = _place(run)
    report = run.solver_error or run.crash_report
    if run.lost_core_state:
        growth = ''
        if history.niter > 1:
            growth = f' The error was {history.error.min():.2g} at best and {history.error[-1]:.2g} at last.'
        said = f' ({run.solver_error})' if run.solver_error else ''
        if not history.niter:
            return Verdict(
                Outcome.CORE_STATE_LOST,
                f'in the first iteration a core state was not found{said}: the start potential does not hold the core '
                'states that it lists. Check its nuclear charges, radial mesh and core states, or start from another.',
            )
        return Verdict(
            Outcome.CORE_STATE_LOST,
            f'{where}, a core state was not found{said}: the potential has become insane, or the state belongs to the '
            f'valence.{growth} Restart from the last sane potential with a smaller MIXFAC; for an element whose '
            'd states are close to the bottom of the energy contour (Ga, In) move the bottom.',
        )
    if _of_exchange(run):
        said = f' ({_short(report)})' if report else ''
        return Verdict(
            Outcome.JIJ_CRASHED,
            f'the calculation of exchange tensors (CALCJIJMAT=1) broke off {where}{said}. JuKKR builds by gfortran are '
            'known to crash here, because of an array bound in the call that sets up the exchange-correlation field; '
            'it needs NCOLL=1, the Chebyshev solver and a full-potential host. Use another build.',
        )
    if report:
        return Verdict(Outcome.CRASHED, f'the code crashed {where}: {_short(report)}')
    return Verdict(
        Outcome.INTERRUPTED,
        f'the output ends {where}, without an error message: the run was interrupted (walltime, memory, a signal), or '
        f'its files are truncated. {history.niter} iterations are complete.',
    )


def _place(run: KkrimpRun) -> str:
    history = run.history
    step = f'{"in" if history.inside_step else "after"} the step {history.step}' if history.step else ''
    if history.iterations_started:
        step = f'in iteration {history.iterations_started}' + (f', {step}' if step else '')
    return step or 'before the first iteration'


def _incomplete(run: KkrimpRun) -> str:
    """Which results of a run that came to its end cannot be read; empty if all can."""
    history = run.history
    faults = []
    if not history.niter:
        faults.append('no complete iteration is recorded')
    if run.potential_fault:
        faults.append(run.potential_fault)
    if history.niter and run.unchecked:
        faults.append(f'the results of the last iteration cannot be read ({run.unchecked})')
    if history.settings.qbound is None:
        faults.append(f'{LOG} does not hold the settings')
    if run.band_energies is None or run.single_particle_energies is None:
        faults.append('the energies per atom cannot be read')
    if _of_exchange(run):
        try:
            parse_jij_matrices(run.text(JIJ_MATRIX))
        except KkrFileError as error:
            faults.append(f'{JIJ_MATRIX} holds {error}')
    if not faults:
        return ''
    return f'the run came to its end, but {"; ".join(faults)}. Run it again from its last readable potential.'


def _without_self_consistency(run: KkrimpRun) -> bool:
    """Whether the run was not meant to change the potential: exchange tensors, or no mixing."""
    return _of_exchange(run) or (run.history.settings.mixfac == 0.0 and _is_zero(run.config.get('MIXFAC', '0')))


def _of_exchange(run: KkrimpRun) -> bool:
    return run.config.get('CALCJIJMAT', '0').split()[:1] not in ([], ['0'])


def _is_zero(text: str) -> bool:
    try:
        return float(text.replace('D', 'E')) == 0.0
    except ValueError:
        return False


def _unconverged(run: KkrimpRun) -> Verdict:
    history = run.history
    found = f'error {history.error[-1]:.3g} after {history.niter} iterations, QBOUND {history.settings.qbound:.1g}'
    if run.problems:
        found += '; the state is not physical: ' + '; '.join(problem.finding for problem in run.problems)
    if history.diverging:
        return Verdict(
            Outcome.DIVERGING,
            f'the error grows: {found}. Restart from the last sane potential with a smaller MIXFAC and simple mixing.',
        )
    if history.stagnating:
        return Verdict(
            Outcome.STAGNATING,
            f'the error makes no progress: {found}. Change the mixing (Anderson, IMIX= 5, instead of simple mixing, or '
            'a quarter of MIXFAC), or start from another magnetic state; more of the same iterations will not help.',
        )
    return Verdict(Outcome.NOT_CONVERGED, f'on the way, but not converged: {found}. Continue from out_potential.')


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:300] + '…'
