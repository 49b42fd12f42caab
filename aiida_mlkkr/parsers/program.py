"""What parsers have in common of programs of this package, which keep a record and end in a line that says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_mlkkr.common.program import OUT_OF_TIME, PROGRESS
from aiida_mlkkr.parsers.files import records_of, text_of


class ProgramParser(Parser):
    """A parser of a ``ProgramCalculation``.

    :param program: name of the program, with which its last line begins.
    """

    program: ClassVar[str]

    def unfinished(self) -> ExitCode | None:
        """Why there are no results; None keeps what the scheduler says."""
        lines = text_of(self.retrieved, self.node.get_option('scheduler_stderr')).splitlines()
        for word, label in (('error', 'ERROR_INPUT_REFUSED'), ('aborted', 'ERROR_ABORTED')):
            prefix = f'{self.program}: {word}: '
            if found := [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]:
                return self.exit_codes[label].format(reason=found[-1])
        if self.node.exit_status == self.exit_codes.ERROR_SCHEDULER_OUT_OF_MEMORY.status:
            return None
        # the record of a program that goes on begins with that of the one before
        started = bool(text_of(self.retrieved, self.node.get_option('output_filename')))
        progress = records_of(self.retrieved, PROGRESS) if started else []
        last = progress[-1] if progress else {}
        if last.get('stopped') == OUT_OF_TIME:
            return self.out_of_time(last)
        if any('checkpoint' in entry for entry in progress):
            return self.exit_codes.ERROR_INTERRUPTED.format(reason=last.get('stopped', 'without a word'))
        if self.node.exit_status is not None:
            return None
        return self.exit_codes.ERROR_OUTPUT_MISSING.format(reason=lines[-1] if lines else 'it did not say why')

    def out_of_time(self, last: Mapping[str, Any]) -> ExitCode:
        """The exit code of a program whose time was over.

        :param last: the last entry of its record.
        """
        return self.exit_codes.ERROR_OUT_OF_WALLTIME
