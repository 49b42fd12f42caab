"""The benchmark of potential emulators: what is computed, in which order, and what is there already."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from rich.progress import Progress

from aiida_mlkkr.benchmark.cases import Case, Files
from aiida_mlkkr.benchmark.iterations import Converge, Origin, ScfRow, measure
from aiida_mlkkr.benchmark.potentials import (
    ChannelRow,
    CurveRow,
    ErrorRow,
    Outcome,
    Predictor,
    channel_rows,
    curve_sizes,
    deviations,
    error_row,
    fixed_row,
    learning_curve,
)
from aiida_mlkkr.benchmark.rows import Table
from aiida_mlkkr.benchmark.starts import FixedStart, Start, fixed_start, predicted_start
from aiida_mlkkr.kkr.schedule import Schedule
from aiida_mlkkr.ml.emulator import EmulatorSettings
from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.ml.splits import SplitName, split_folds
from aiida_mlkkr.solver.errors import SolverError

CURVE_FOLDS: Final = 4

ERRORS, ITERATIONS, CURVES, CHANNELS = 'errors.csv', 'iterations.csv', 'learning_curves.csv', 'channels.csv'
CASES: Final = 'cases.json'


@dataclass(frozen=True)
class Plan:
    """What is computed.

    :param models: emulators, each trained once for everything that is left out.
    :param splits: what is left out.
    :param scf_models: names of the models with which self-consistencies are run; ``scf_splits`` with what left out.
    :param fixed: starts that are not learnt, whose errors are measured; ``scf_fixed`` those that are iterated.
    :param schedules: mixing schedules of the self-consistencies.
    :param max_expected: error in Ry; a prediction that expects a larger one on a site is not used as a start.
    :param seed: of the learning curves' subsets.
    """

    models: tuple[EmulatorSettings, ...]
    splits: tuple[SplitName, ...]
    scf_models: tuple[str, ...]
    scf_splits: tuple[SplitName, ...]
    fixed: tuple[FixedStart, ...]
    scf_fixed: tuple[FixedStart, ...]
    schedules: tuple[Schedule, ...]
    max_expected: float
    seed: int = 0


class EmulatorBenchmark:
    """Computes what a plan asks for and the tables in a folder lack.

    :param cases: finished impurities of one kind.
    :param folder: where the tables are.
    :param converge: what runs a self-consistency.
    :raises DatasetError: if the tables are of other cases, or damaged.
    """

    def __init__(self, cases: Sequence[Case], plan: Plan, folder: Path, converge: Converge, progress: Progress) -> None:
        _claim(folder, cases)
        self.cases = cases
        self.plan = plan
        self.errors = Table(folder / ERRORS, ErrorRow)
        self.iterations = Table(folder / ITERATIONS, ScfRow)
        self.curves = Table(folder / CURVES, CurveRow)
        self.channels = Table(folder / CHANNELS, ChannelRow)
        self._predictor = Predictor(cases)
        self._converge = converge
        self._progress = progress

    def run(self) -> None:
        """All of it: the errors, which are quick, then the learning curves, then the self-consistencies."""
        self.run_errors()
        self.run_curves()
        self.run_scf()

    def outcomes(self, split: SplitName, settings: EmulatorSettings) -> Iterator[tuple[str, Outcome]]:
        """Name of what is left out, and the prediction, for every fold of a split."""
        for fold in split_folds([case.record for case in self.cases], split):
            for outcome in self._predictor.outcomes(split, fold, settings):
                yield fold.name, outcome

    def run_errors(self) -> None:
        """Errors of all starts and predictions."""
        for case, start in self._fixed(self.plan.fixed, 'errors of starts'):
            if case.files and ((case.record.source, '', '', start) not in self.errors):
                made, _ = _made(partial(fixed_start, start, case), case.files)
                if made is not None:
                    self.errors.add(fixed_row(case, start, made.values(case)))
        records = [case.record for case in self.cases]
        tasks = [
            (settings, split, fold)
            for split in self.plan.splits
            for settings in self.plan.models
            for fold in split_folds(records, split)
        ]
        for settings, split, fold in self._progress.track(tasks, description='training and predicting'):
            keys = [(records[index].source, split, fold.name, settings.model) for index in fold.test]
            if all(key in self.errors for key in keys):
                continue
            for outcome in self._predictor.outcomes(split, fold, settings):
                row = error_row(outcome, split, fold.name, settings.model)
                if row.key not in self.errors:
                    self.errors.add(row)
                    self._add_channels(outcome, split, fold.name, settings.model)

    def _add_channels(self, outcome: Outcome, split: str, left_out: str, model: str) -> None:
        if outcome.prediction is not None and outcome.case.kind.full_potential:
            for row in channel_rows(outcome.case, outcome.prediction.v, split, left_out, model):
                self.channels.add(row)

    def run_curves(self) -> None:
        """Learning curves of all models."""
        folds, sizes = curve_sizes(self.cases, CURVE_FOLDS, self.plan.seed)
        tasks = [(settings, fold) for settings in self.plan.models for fold in folds]
        for settings, fold in self._progress.track(tasks, description='learning curves'):
            missing = [size for size in sizes if (settings.model, fold.name, str(size)) not in self.curves]
            for row in learning_curve(self.cases, settings, fold, missing, self.plan.seed):
                self.curves.add(row)

    def run_scf(self) -> None:
        """Self-consistencies: first from the starts to which the others are compared."""
        for case, start in self._fixed(self.plan.scf_fixed, 'self-consistencies from starts that are not learnt'):
            if case.files:
                self._scf(case, case.files, Origin(start), partial(fixed_start, start, case))
        for split in self.plan.scf_splits:
            for settings in self.plan.models:
                if settings.model in self.plan.scf_models:
                    self._scf_of_model(split, settings)

    def _scf_of_model(self, split: SplitName, settings: EmulatorSettings) -> None:
        number = sum(len(fold.test) for fold in split_folds([case.record for case in self.cases], split))
        text = f'self-consistencies: {settings.model}, {split} left out'
        for left_out, outcome in self._progress.track(self.outcomes(split, settings), total=number, description=text):
            case = outcome.case
            if case.files is None:
                continue
            origin = self._origin(outcome, settings.model, split, left_out)
            self._scf(case, case.files, origin, partial(_of_prediction, outcome))

    def _origin(self, outcome: Outcome, model: str, split: str, left_out: str) -> Origin:
        if outcome.prediction is None:
            return Origin(model, split, left_out, problem=f'refused: {outcome.refusal}')
        worst, limit = float(outcome.prediction.error.max()), self.plan.max_expected
        problem = f'too uncertain: {1e3 * worst:.0f} mRy expected' if worst > limit else ''
        expected = float(1e3 * outcome.prediction.error[outcome.case.record.impurities].max())
        return Origin(model, split, left_out, expected=expected, problem=problem)

    def _scf(self, case: Case, files: Files, origin: Origin, make: Callable[[Files], Start | None]) -> None:
        for schedule in self.plan.schedules:
            if origin.key(case, schedule) in self.iterations:
                continue
            start, problem = (None, origin.problem) if origin.problem else _made(make, files)
            if start is None and not problem:
                continue
            error = origin.error if start is None else deviations(case, start.values(case))['error']
            known = replace(origin, error=error, problem=problem)
            self.iterations.add(measure(case, files, known, start, schedule, self._converge))

    def _fixed(self, starts: Sequence[FixedStart], text: str) -> Iterator[tuple[Case, FixedStart]]:
        tasks = [(case, start) for start in starts for case in self.cases]
        yield from self._progress.track(tasks, description=text)


def _claim(folder: Path, cases: Sequence[Case]) -> None:
    """Note which cases the tables of a folder are of; with others the models would have learnt something else."""
    path, sources = folder / CASES, json.dumps(sorted(case.record.source for case in cases), indent=1)
    if not path.is_file():
        path.write_text(sources)
    elif path.read_text() != sources:
        raise DatasetError(f'the tables in {folder} are of other impurities than these: choose another folder')


def _made(make: Callable[[Files], Start | None], files: Files) -> tuple[Start | None, str]:
    """A start potential, or why it cannot be made; neither where there is none for this impurity."""
    try:
        return make(files), ''
    except SolverError as error:
        return None, str(error)


def _of_prediction(outcome: Outcome, files: Files) -> Start | None:
    return None if outcome.prediction is None else predicted_start(outcome.prediction, outcome.case, files)
