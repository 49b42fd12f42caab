"""How far predicted potentials of left-out impurities are from the converged ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.benchmark.cases import Case
from aiida_mlkkr.benchmark.rows import Row
from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator, Prediction
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.metrics import rms, rms_by_channel, rms_by_radius
from aiida_mlkkr.ml.splits import Fold, SplitName, grouped_folds, growing_subsets

FloatArray = NDArray[np.float64]

SHELLS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Bounds of the shells by which errors are told apart, in radii of the sphere."""


@dataclass(frozen=True)
class ErrorRow(Row):
    """How a left-out impurity is predicted; errors are root mean squares over volume and spins in mRy.

    :param model: the emulator's, or the name of a start that is not learnt.
    :param error: on the sites of impurities; ``average`` and ``splitting`` its two parts, ``shell_1`` to ``shell_4`` in
        the shells of :data:`SHELLS`; ``around`` on all other sites.
    :param expected, expected_around: what the model expects; NaN for a start that is not learnt.
    :param worst_expected: the largest of any site.
    :param moment, known_moment: of the cluster in µB, as predicted and converged.
    :param training: number of impurities that were learnt from, in ``training_seconds``.
    :param seconds: of this prediction.
    :param refusal: why there is no prediction; empty if there is.
    """

    key_fields: ClassVar[tuple[str, ...]] = ('source', 'split', 'left_out', 'model')

    source: str
    host: str
    elements: str
    magnetic: bool
    split: str
    left_out: str
    model: str
    error: float
    average: float
    splitting: float
    shell_1: float
    shell_2: float
    shell_3: float
    shell_4: float
    around: float
    expected: float
    expected_around: float
    worst_expected: float
    moment: float
    known_moment: float
    training: int
    training_seconds: float
    seconds: float
    refusal: str


@dataclass(frozen=True)
class ChannelRow(Row):
    """Error of one channel lm of a full potential on the impurities' sites, root mean square in mRy.

    :param channel: lm, counted from 1 as in JuKKR's files.
    :param known: size of the channel of the converged potential.
    """

    key_fields: ClassVar[tuple[str, ...]] = ('source', 'split', 'left_out', 'model', 'channel')

    source: str
    host: str
    elements: str
    split: str
    left_out: str
    model: str
    channel: int
    error: float
    known: float


@dataclass(frozen=True)
class CurveRow(Row):
    """One point of a learning curve.

    :param size: number of different impurities that were learnt from.
    :param error: median over the left-out impurities, on their own sites, in mRy.
    """

    key_fields: ClassVar[tuple[str, ...]] = ('model', 'fold', 'size')

    model: str
    fold: str
    size: int
    error: float
    number: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an emulator says of a left-out impurity: a prediction, or why there is none."""

    case: Case
    prediction: Prediction | None
    refusal: str
    training: int
    training_seconds: float
    seconds: float


class Predictor:
    """Trains on all but what is left out, and predicts that; remembers what it has predicted."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._cases = cases
        self._known: dict[tuple[str, str, str], list[Outcome]] = {}

    def outcomes(self, split: SplitName, fold: Fold, settings: EmulatorSettings) -> list[Outcome]:
        """Predictions of what a fold leaves out."""
        key = (split, fold.name, settings.model)
        if key not in self._known:
            self._known[key] = list(predict_fold(self._cases, fold, settings))
        return self._known[key]


def predict_fold(cases: Sequence[Case], fold: Fold, settings: EmulatorSettings) -> Iterator[Outcome]:
    """Train on a part of the cases and predict the other."""
    dataset = ImpurityDataset(cases[0].kind, tuple(cases[index].record for index in fold.train))
    begin = time.perf_counter()
    try:
        emulator = PotentialEmulator.fit(dataset, settings)
    except (ModelError, DatasetError) as error:
        yield from (Outcome(cases[index], None, str(error), len(fold.train), 0.0, 0.0) for index in fold.test)
        return
    trained = time.perf_counter() - begin
    for index in fold.test:
        case, begin = cases[index], time.perf_counter()
        prediction, refusal = predict(emulator, case)
        yield Outcome(case, prediction, refusal, len(fold.train), trained, time.perf_counter() - begin)


def predict(emulator: PotentialEmulator, case: Case) -> tuple[Prediction | None, str]:
    """The prediction of an impurity, or why there is none."""
    record = case.record
    inputs = (record.host, record.positions, record.layer, record.z, record.reference)
    try:
        return emulator.predict(case.kind, *inputs, case.moments_asked), ''
    except ModelError as error:
        return None, str(error)


def error_row(outcome: Outcome, split: SplitName, left_out: str, model: str) -> ErrorRow:
    """How far a prediction is off."""
    prediction, case = outcome.prediction, outcome.case
    expected = np.full(len(case.record.z), np.nan) if prediction is None else 1e3 * prediction.error
    own, around = own_and_around(case, expected)
    return ErrorRow(
        **_of_case(case),
        split=split,
        left_out=left_out,
        model=model,
        **deviations(case, None if prediction is None else prediction.v),
        expected=own,
        expected_around=around,
        worst_expected=float(expected.max()),
        moment=float('nan') if prediction is None else float(prediction.moments.sum()),
        known_moment=float(case.record.moments[case.record.impurities].sum()),
        training=outcome.training,
        training_seconds=outcome.training_seconds,
        seconds=outcome.seconds,
        refusal=outcome.refusal.replace('\n', ' ')[:120],
    )


def fixed_row(case: Case, start: str, v: Sequence[FloatArray]) -> ErrorRow:
    """How far a start that is not learnt is off."""
    nothing = float('nan')
    return ErrorRow(
        **_of_case(case),
        split='',
        left_out='',
        model=start,
        **deviations(case, v),
        expected=nothing,
        expected_around=nothing,
        worst_expected=nothing,
        moment=nothing,
        known_moment=float(case.record.moments[case.record.impurities].sum()),
        training=0,
        training_seconds=0.0,
        seconds=0.0,
        refusal='',
    )


def deviations(case: Case, v: Sequence[FloatArray] | None) -> dict[str, Any]:
    """Errors of a potential in mRy, by the names of :class:`ErrorRow`; NaN without one."""
    record = case.record
    names = ('error', 'average', 'splitting', *(f'shell_{number}' for number in range(1, len(SHELLS))))
    if v is None:
        return dict.fromkeys((*names, 'around'), float('nan'))
    meshes = [record.host.meshes[layer - 1] for layer in record.layer]
    differences = [mine - known for mine, known in zip(v, record.v, strict=True)]
    table = np.array(
        [
            [
                rms(mesh, difference),
                rms(mesh, difference.mean(axis=0)),
                rms(mesh, 0.5 * (difference[0] - difference[1])),
                *rms_by_radius(mesh, difference, SHELLS),
            ]
            for mesh, difference in zip(meshes, differences, strict=True)
        ]
    )
    errors = [own_and_around(case, 1e3 * column) for column in table.T]
    return {**dict(zip(names, (own for own, _ in errors), strict=True)), 'around': errors[0][1]}


def channel_rows(case: Case, v: Sequence[FloatArray], split: str, left_out: str, model: str) -> Iterator[ChannelRow]:
    """Errors of a full potential channel by channel."""
    record = case.record
    squares = []
    for site in record.impurities:
        mesh = record.host.meshes[record.layer[site] - 1]
        parts = (v[site] - record.v[site], record.v[site])
        squares.append([rms_by_channel(mesh, part) ** 2 for part in parts])
    errors, sizes = 1e3 * np.sqrt(np.mean(squares, axis=0))
    for channel, (error, size) in enumerate(zip(errors, sizes, strict=True), start=1):
        names = (record.source, record.host.name, case.elements, split, left_out, model)
        yield ChannelRow(*names, channel, float(error), float(size))


def own_and_around(case: Case, values: FloatArray) -> tuple[float, float]:
    """Root mean squares of the values (natom,) of the sites with impurities, and of the others (NaN without any)."""
    own = np.isin(np.arange(len(values)), case.record.impurities)
    inside, outside = (np.sqrt(np.mean(part**2)) if len(part) else np.nan for part in (values[own], values[~own]))
    return float(inside), float(outside)


def learning_curve(
    cases: Sequence[Case], settings: EmulatorSettings, fold: Fold, sizes: Sequence[int], seed: int
) -> Iterator[CurveRow]:
    """Errors on what a fold leaves out, for more and more training data."""
    groups = [cases[index].record.group for index in fold.train]
    for size, chosen in zip(sizes, growing_subsets(groups, sizes, seed), strict=True):
        outcomes = list(predict_fold(cases, Fold(fold.name, fold.train[chosen], fold.test), settings))
        errors = [deviations(one.case, one.prediction.v)['error'] for one in outcomes if one.prediction is not None]
        median = float(np.median(errors)) if errors else float('nan')
        yield CurveRow(settings.model, fold.name, size, median, len(errors))


def curve_sizes(cases: Sequence[Case], folds: int, seed: int) -> tuple[list[Fold], list[int]]:
    """Folds of a learning curve, and numbers of impurities that double from 4 to all that a fold trains on."""
    groups = [case.record.group for case in cases]
    parts = grouped_folds(groups, folds, seed)
    largest = min(len({groups[index] for index in fold.train}) for fold in parts)
    sizes = [4]
    while 2 * sizes[-1] < largest:
        sizes.append(2 * sizes[-1])
    return parts, [*(size for size in sizes if size < largest), largest]


def _of_case(case: Case) -> dict[str, Any]:
    return {
        'source': case.record.source,
        'host': case.record.host.name,
        'elements': case.elements,
        'magnetic': case.magnetic,
    }
