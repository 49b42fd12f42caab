"""How a chain of KKRimp calculations ends when nothing helps: its exit codes, and what is left to try."""

from __future__ import annotations

from typing import Final, NamedTuple

from aiida.engine import CalcJob

from aiida_mlkkr.kkr.outcome import Outcome

_CODES: Final = CalcJob.exit_codes
OUT_OF_MEMORY: Final = _CODES.ERROR_SCHEDULER_OUT_OF_MEMORY.status
OUT_OF_WALLTIME: Final = _CODES.ERROR_SCHEDULER_OUT_OF_WALLTIME.status
NODE_FAILURE: Final = _CODES.ERROR_SCHEDULER_NODE_FAILURE.status
NOTHING_RETRIEVED: Final = _CODES.ERROR_NO_RETRIEVED_FOLDER.status
"""Exit statuses by which a scheduler's plugin, or AiiDA, says why a job ended."""


class Ending(NamedTuple):
    """An exit code of the chain; the message is what was found, followed by the advice."""

    status: int
    label: str
    advice: str = ''


def _ending(outcome: Outcome, advice: str = '') -> Ending:
    return Ending(int(outcome), outcome.label, advice)


_OTHER_START = (
    'Try another start: the converged potential of a neighbouring element or of the same element in another host, '
    'or another magnetic moment.'
)
_FILES = 'See the files in the remote folder of the calculation and the error output of the scheduler.'

ENDINGS: Final[dict[int, Ending]] = {
    Outcome.INPUT_REFUSED: _ending(Outcome.INPUT_REFUSED),
    Outcome.NO_RETRIEVED_FOLDER: _ending(Outcome.NO_RETRIEVED_FOLDER, _FILES),
    Outcome.OUTPUT_MISSING: _ending(Outcome.OUTPUT_MISSING, _FILES),
    Outcome.OUTPUT_EMPTY: _ending(Outcome.OUTPUT_EMPTY, _FILES),
    Outcome.OUTPUT_INCOMPLETE: _ending(Outcome.OUTPUT_INCOMPLETE, 'Check the disk space and quota of the computer.'),
    Outcome.CRASHED: _ending(Outcome.CRASHED, f'It crashed again where it had crashed before. {_FILES}'),
    Outcome.JIJ_CRASHED: _ending(Outcome.JIJ_CRASHED),
    Outcome.CORE_STATE_LOST: _ending(Outcome.CORE_STATE_LOST, _OTHER_START),
    Outcome.INTERRUPTED: _ending(Outcome.INTERRUPTED, _FILES),
    Outcome.PARSER_FAILED: _ending(Outcome.PARSER_FAILED),
    Outcome.STAGNATING: _ending(
        Outcome.STAGNATING,
        'The mixing was changed before: more of the same will not help. Look at the moments of the iterations '
        '(convergence_group of output_parameters): where one creeps on, the solution lies at another moment, so start '
        'there, or without one. Otherwise a larger cluster or another density of the energy contour may help.',
    ),
    Outcome.DIVERGING: _ending(Outcome.DIVERGING, f'Smaller steps were tried before. {_OTHER_START}'),
    Outcome.NOT_FINITE: _ending(Outcome.NOT_FINITE, f'Smaller steps were tried before. {_OTHER_START}'),
    Outcome.FALSE_CONVERGENCE: _ending(
        Outcome.FALSE_CONVERGENCE,
        f'It is not the mixing alone: smaller steps were tried before. {_OTHER_START} Check that the energy contour of '
        'the host begins below the valence states of the impurity and above its core states.',
    ),
    OUT_OF_WALLTIME: Ending(
        420,
        'ERROR_OUT_OF_WALLTIME',
        'There is nothing to go on from: not one iteration was completed, or its potential was not written, or it is a '
        'calculation that does not iterate. Raise metadata.options.max_wallclock_seconds, or use more processes or '
        'threads.',
    ),
    OUT_OF_MEMORY: Ending(
        421,
        'ERROR_OUT_OF_MEMORY',
        'Raise metadata.options.max_memory_kb (or ask for a larger node), put fewer processes on a node '
        '(metadata.options.resources), or choose a smaller cluster or lmax.',
    ),
}
"""The chain's endings, by the exit status of the calculation that it gives up on: the same status for the parser's own
ones, 420 and 421 for those of the scheduler."""
ENDINGS[NODE_FAILURE] = ENDINGS[Outcome.INTERRUPTED]
ENDINGS[NOTHING_RETRIEVED] = ENDINGS[Outcome.NO_RETRIEVED_FOLDER]
