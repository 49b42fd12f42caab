"""What parsers have in common that give every calculation an exit code, whatever has become of it."""

from __future__ import annotations

import traceback
from abc import abstractmethod
from typing import ClassVar, Final

from aiida.common.exceptions import NotExistent
from aiida.engine import ExitCode
from aiida.orm import FolderData
from aiida.parsers import Parser

from aiida_mlkkr.kkr.outcome import Outcome, Verdict
from aiida_mlkkr.parsers.results import printable

SCHEDULER_STATUS: Final = range(100, 200)
"""Exit statuses by which a scheduler's plugin says why it ended a job: out of walltime, out of memory …"""


class TolerantParser(Parser):
    """A parser that never excepts, and returns an exit code of :class:`aiida_mlkkr.kkr.outcome.Outcome`."""

    entry_point: ClassVar[str]

    def parse(self, **kwargs: object) -> ExitCode | None:
        """Parse the retrieved files; return the exit code, or None to keep the scheduler's."""
        try:
            verdict = self._verdict()
        except Exception as error:
            self.logger.error(traceback.format_exc())
            message = f'{type(error).__name__}: {error}'
            verdict = Verdict(
                Outcome.PARSER_FAILED, f'the parser {self.entry_point} failed, please report it: {message}'
            )
        status = self.node.exit_status
        if status is not None and status in SCHEDULER_STATUS:
            return None
        return ExitCode(int(verdict.outcome), printable(verdict.message) or None)

    @abstractmethod
    def judge(self, retrieved: FolderData) -> Verdict:
        """Attach what was read, and say how the run ended."""

    def _verdict(self) -> Verdict:
        try:
            retrieved = self.retrieved
        except NotExistent:
            return Verdict(Outcome.NO_RETRIEVED_FOLDER, 'the calculation has no retrieved files')
        return self.judge(retrieved)
