"""How console programs are called, when they stop, what they record, and how they end."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from aiida_mlkkr import __version__

PROGRESS: Final = 'progress.jsonl'
"""The record of a program that goes on from checkpoints: a line in JSON for each thing that happened."""

EXIT_REFUSED: Final = 2
"""Exit status when the input is refused: nothing was computed, there is nothing to go on from."""

EXIT_BROKEN_DOWN: Final = 3
"""Exit status when an iteration breaks down."""

EXIT_FILE_SYSTEM: Final = 4
"""Exit status when a file can be neither read nor written: no permission, disk full, standard output closed."""

EXIT_OUT_OF_WALLTIME: Final = 75
"""Exit status when the time is over; the checkpoint, if a step could be done, is there to go on from."""

EXIT_INTERRUPTED: Final = 130
"""Exit status when the user interrupts."""

STATUSES: Final = (
    '0 done, 2 input refused, 4 a file can be neither read nor written, 75 out of walltime, 130 and 143 stopped by a '
    'signal; after 75, 130 and 143 it goes on from the checkpoint when it is run again'
)
"""Exit statuses of a program with checkpoints."""

OUT_OF_TIME: Final = 'out of walltime'
"""The reason for a stop in the record, if it is no signal."""


class Watch:
    """Says when a program is to save a checkpoint and stop, because its time is over or a signal has come.

    :param folder: where the record is.
    :param begin: when the program began, on the monotonic clock.
    :param walltime: seconds that it has; None: as many as it takes.
    """

    def __init__(self, folder: Path, begin: float, walltime: float | None) -> None:
        self._progress = folder / PROGRESS
        self._end = begin + (walltime or math.inf)
        self._signal: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        signal.signal(number, signal.SIG_DFL)  # who asks twice does not want to wait

    def should_stop(self) -> bool:
        """Whether the time is over or a signal has come."""
        return self._signal is not None or time.monotonic() > self._end

    @property
    def exit_status(self) -> int:
        """Exit status of the program that was stopped: as a shell reports the signal, or that of the walltime."""
        return EXIT_OUT_OF_WALLTIME if self._signal is None else 128 + self._signal

    @property
    def reason(self) -> str:
        """Why the program was stopped."""
        return OUT_OF_TIME if self._signal is None else f'stopped by {signal.Signals(self._signal).name}'

    def write(self, **entry: Any) -> None:
        """Add a line for programs to the record."""
        with self._progress.open('a', encoding='utf-8') as file:
            file.write(f'{json.dumps({"time": round(time.time(), 3), **entry})}\n')


def say(line: str) -> None:
    """Print a line for people, at once."""
    print(line, flush=True)


@contextmanager
def exit_statuses(
    program: str, refused: tuple[type[Exception], ...], broken_down: tuple[type[Exception], ...] = (), left: str = ''
) -> Iterator[None]:
    """Say in a line why a program ends early, and exit with the status of that.

    :param refused: errors of the input.
    :param broken_down: errors of a program that had begun to compute, also where they are among ``refused``.
    :param left: what an interruption leaves behind.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(f'{program}: interrupted{left}', file=sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED) from None
    except OSError as error:
        # not "error:", by which parsers know refused input
        what = f'{error.filename}: {error.strerror}' if error.filename else f'writing the output: {error.strerror}'
        print(f'{program}: aborted: {what}', file=sys.stderr)
        raise SystemExit(EXIT_FILE_SYSTEM) from None
    except (*refused, *broken_down) as error:
        print(f'{program}: error: {error}', file=sys.stderr)
        raise SystemExit(EXIT_BROKEN_DOWN if isinstance(error, broken_down) else EXIT_REFUSED) from None


def argument_parser(program: str, description: str, statuses: str) -> argparse.ArgumentParser:
    """The parser of a program's command line.

    :param statuses: all exit statuses with their meanings, the end of the help.
    """
    parser = argparse.ArgumentParser(prog=program, description=description, epilog=f'Exit status: {statuses}.')
    parser.add_argument('--version', action='version', version=f'{program} {__version__}')
    return parser
