"""The parser of trainings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode

from aiida_mlkkr.common.program import PROGRESS
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.train_main import MODEL, PROGRAM, REPORT
from aiida_mlkkr.parsers.files import records_of, text_of
from aiida_mlkkr.parsers.program import ProgramParser


class TrainParser(ProgramParser):
    """Parse a ``TrainCalculation``: its model, its report, the losses, or why there are none."""

    program = PROGRAM

    def parse(self, **kwargs: object) -> ExitCode | None:
        """Parse the retrieved files."""
        files = self.retrieved.base.repository.list_object_names()
        progress = records_of(self.retrieved, PROGRESS)
        if history := _history(progress):
            self.out('history', history)
        if REPORT not in files:
            return self.unfinished()
        try:
            # numbers that are not finite are none in the database
            report = json.loads(text_of(self.retrieved, REPORT), parse_constant=lambda _: None)
            if report['task']['final']:
                self.out('model', self._model())
        except (ValueError, KeyError, TypeError, OSError) as error:
            return self.exit_codes.ERROR_OUTPUT_INVALID.format(reason=f'{type(error).__name__}: {error}')
        self.out('report', orm.Dict(report))
        return None

    def out_of_time(self, last: Mapping[str, Any]) -> ExitCode:
        """Whether another calculation could go on."""
        return self.exit_codes['ERROR_OUT_OF_WALLTIME' if last.get('further') else 'ERROR_WALLTIME_TOO_SHORT']

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
