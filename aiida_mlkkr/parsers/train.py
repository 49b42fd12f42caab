"""The parser of trainings."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.train_main import MODEL, OUT_OF_TIME, PROGRESS, REPORT
from aiida_mlkkr.parsers.files import records_of, text_of

OUT_OF_MEMORY = 110
"""Exit status by which a scheduler's plugin says that a job needed too much memory."""

_REFUSED = 'aiida-mlkkr-train: error: '
_ABORTED = 'aiida-mlkkr-train: aborted: '


class TrainParser(Parser):
    """Parse a ``TrainCalculation``: its model, its report, the losses, or why there are none."""

    def parse(self, **kwargs: object) -> ExitCode | None:
        """Parse the retrieved files."""
        files = self.retrieved.base.repository.list_object_names()
        progress = records_of(self.retrieved, PROGRESS)
        if history := _history(progress):
            self.out('history', history)
        if REPORT not in files:
            return self._unfinished(progress)
        try:
            # numbers that are not finite are none in the database
            report = json.loads(text_of(self.retrieved, REPORT), parse_constant=lambda _: None)
            if report['task']['final']:
                self.out('model', self._model())
        except (ValueError, KeyError, TypeError, OSError) as error:
            return self.exit_codes.ERROR_OUTPUT_INVALID.format(reason=f'{type(error).__name__}: {error}')
        self.out('report', orm.Dict(report))
        return None

    def _unfinished(self, progress: list[dict[str, Any]]) -> ExitCode | None:
        """Why there is no report; None keeps what the scheduler says."""
        lines = text_of(self.retrieved, self.node.get_option('scheduler_stderr')).splitlines()
        for prefix, label in ((_REFUSED, 'ERROR_INPUT_REFUSED'), (_ABORTED, 'ERROR_ABORTED')):
            if found := [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]:
                return self.exit_codes[label].format(reason=found[-1])
        if self.node.exit_status == OUT_OF_MEMORY:
            return None
        # the record of a training that goes on begins with that of the one before
        started = bool(text_of(self.retrieved, self.node.get_option('output_filename')))
        last = progress[-1] if progress and started else {}
        if last.get('stopped') == OUT_OF_TIME:
            further = last.get('further')
            return self.exit_codes['ERROR_OUT_OF_WALLTIME' if further else 'ERROR_WALLTIME_TOO_SHORT']
        if started and any('checkpoint' in entry for entry in progress):
            return self.exit_codes.ERROR_INTERRUPTED.format(reason=last.get('stopped', 'without a word'))
        if self.node.exit_status is not None:
            return None
        return self.exit_codes.ERROR_OUTPUT_MISSING.format(reason=lines[-1] if lines else 'it did not say why')

    def _model(self) -> SurrogateData:
        """The model in the retrieved file.

        :raises ModelError: if there is none, or it is damaged.
        """
        try:
            content = self.retrieved.base.repository.get_object_content(MODEL, mode='rb')
        except FileNotFoundError as error:
            raise ModelError(f'{MODEL} is missing') from error
        with TemporaryDirectory() as folder:
            path = Path(folder, MODEL)
            path.write_bytes(content)
            return SurrogateData.from_file(path)


def _history(progress: list[dict[str, Any]]) -> orm.ArrayData | None:
    """Losses of all steps; None if there are none."""
    steps = [entry for entry in progress if entry.get('losses')]
    if not steps:
        return None
    stages = list(dict.fromkeys(entry['stage'] for entry in steps))
    arrays = {
        'stage': np.array([stages.index(entry['stage']) for entry in steps]),
        'step': np.array([entry['done'] for entry in steps]),
        'time': np.array([entry['time'] for entry in steps]),
    }
    for name in sorted({name for entry in steps for name in entry['losses']}):
        arrays[name] = np.array([entry['losses'].get(name, np.nan) for entry in steps], dtype=np.float64)
    node = orm.ArrayData(arrays)
    node.base.attributes.set('stages', stages)
    return node
