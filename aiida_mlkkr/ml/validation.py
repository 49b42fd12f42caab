"""Grouped cross-validation of potential emulators: how well clusters are predicted that are not trained on.

A cluster that the emulator refuses costs as much as its reference potential is off: refusing is not rewarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from aiida_mlkkr.ml.dataset import ImpurityRecord, PotentialKind
from aiida_mlkkr.ml.emulator import PotentialEmulator
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.metrics import calibration
from aiida_mlkkr.ml.radial import volume_weights
from aiida_mlkkr.ml.sites import MAGNETIC
from aiida_mlkkr.ml.splits import Fold, SplitName, grouped_folds, labels_of

FloatArray = NDArray[np.float64]

_WORST: Final = 5


class CrossValidation(BaseModel):
    """How a cross-validation is done.

    :param folds: how many; fewer if there is less to be left out.
    :param group_by: what is left out as a whole: an impurity, an element, a row of the periodic table or a host.
    """

    model_config = ConfigDict(extra='forbid', frozen=True)

    folds: int = Field(default=5, ge=2)
    group_by: SplitName = 'impurity'


@dataclass(frozen=True)
class Tested:
    """How a left-out cluster is predicted; errors are root mean squares over volume and sites in Ry.

    :param group: the cluster, see :attr:`ImpurityRecord.group`.
    :param average, splitting: error of spin average and splitting on the sites of impurities.
    :param around: error of the potential, over both spins, on the other sites; 0 if there are none.
    :param reference, reference_around: errors of the reference potential that the difference is learnt to.
    :param expected: the error that the emulator expects on the sites of impurities.
    :param moment: error of the moments in µB.
    :param refusal: why the emulator does not predict it; the errors are those of the reference then.
    """

    group: str
    average: float
    splitting: float
    around: float
    reference: float
    reference_around: float
    expected: float
    moment: float
    refusal: str

    @property
    def error(self) -> float:
        """Error of the potential on the sites of impurities, over both spins."""
        return float(np.hypot(self.average, self.splitting))


def validation_folds(records: Sequence[ImpurityRecord], settings: CrossValidation, seed: int) -> list[Fold]:
    """Folds of a cross-validation; what is tested in one shares no label with what it is trained on.

    Potentials that are not converged are trained on, but no truth to be tested with.

    :raises DatasetError: if there are no two labels of converged ones to be parted.
    """
    labels = [labels_of(record, settings.group_by) for record in records]
    converged = np.array([record.error == 0.0 for record in records], dtype=np.bool_)
    names = sorted(frozenset[str]().union(*(labels[place] for place in np.flatnonzero(converged))))
    try:
        dealt = grouped_folds(names, settings.folds, seed)
    except ValueError as error:
        what = f'{len(names)} of a kind ({settings.group_by}) that is converged'
        raise DatasetError(f'a cross-validation has to leave something out, there is only {what}') from error
    folds = []
    for fold in dealt:
        left_out = {names[place] for place in fold.test}
        inside = np.array([bool(its & left_out) for its in labels])
        if not inside.all():
            folds.append(Fold(fold.name, np.flatnonzero(~inside), np.flatnonzero(inside & converged)))
    return folds


def assess(emulator: PotentialEmulator, kind: PotentialKind, record: ImpurityRecord) -> Tested:
    """How a cluster is predicted, given which way moments point; the emulator has to know whether there are any."""
    own = record.impurities
    around = np.flatnonzero(record.z == record.z_host)
    start = _errors(record, record.reference)
    refusal, expected, moment = '', 0.0, 0.0
    try:
        sizes = _predict(emulator, kind, record, None).moments[own]
        signs = np.where(record.moments[own] <= -MAGNETIC, -1.0, 1.0)
        prediction = _predict(emulator, kind, record, signs * np.abs(sizes))
        errors, expected = _errors(record, prediction.v), _rms(prediction.error[own])
        moment = _rms(prediction.moments[own] - record.moments[own])
    except ModelError as error:
        errors, refusal = start, str(error)
    return Tested(
        group=record.group,
        average=_rms(errors[own, 0]),
        splitting=_rms(errors[own, 1]),
        around=_norm(errors[around]),
        reference=_norm(start[own]),
        reference_around=_norm(start[around]),
        expected=expected,
        moment=moment,
        refusal=refusal,
    )


def summary(folds: Sequence[Sequence[Tested]], settings: CrossValidation) -> dict[str, Any]:
    """What a cross-validation has found; errors in Ry, of moments in µB.

    ``error_Ry``, by which models are compared, is the mean over clusters of the error on the sites of impurities.
    """
    clusters = [one for fold in folds for one in fold]
    predicted = [one for one in clusters if not one.refusal]
    errors = np.array([one.error for one in clusters])
    worst = sorted(clusters, key=lambda one: one.error, reverse=True)[:_WORST]
    found: dict[str, Any] = {
        **settings.model_dump(),
        'clusters': len(clusters),
        'refused': {one.group: one.refusal for one in clusters if one.refusal},
        'error_Ry': float(errors.mean()),
        'error_of_folds_Ry': [float(np.mean([one.error for one in fold])) for fold in folds],
        'median_error_Ry': float(np.median(errors)),
        'reference_error_Ry': float(np.mean([one.reference for one in clusters])),
        'average_rms_Ry': _rms([one.average for one in clusters]),
        'splitting_rms_Ry': _rms([one.splitting for one in clusters]),
        'around_rms_Ry': _rms([one.around for one in clusters]),
        'reference_around_rms_Ry': _rms([one.reference_around for one in clusters]),
        'moment_rms_muB': _rms([one.moment for one in predicted]) if predicted else None,
        'worst': {one.group: one.error for one in worst},
    }
    if predicted:
        pair = np.array([[one.error, one.expected] for one in predicted])
        expected = calibration(pair[:, 0], pair[:, 1])
        found['calibration_95'] = {
            name: value if np.isfinite(value) else None for name, value in asdict(expected).items()
        }
    return found


def _predict(
    emulator: PotentialEmulator, kind: PotentialKind, record: ImpurityRecord, moments: FloatArray | None
) -> Any:
    asked = None if moments is None else moments.tolist()
    return emulator.predict(kind, record.host, record.positions, record.layer, record.z, record.reference, asked)


def _errors(record: ImpurityRecord, v: Sequence[FloatArray]) -> FloatArray:
    """(natom, 2) root mean square errors of spin average and splitting of each site."""
    errors = []
    for true, predicted, layer in zip(record.v, v, record.layer, strict=True):
        difference = true - predicted  # the reference is the same for both spins
        parts = np.stack([difference.mean(axis=0), 0.5 * (difference[0] - difference[-1])])
        errors.append(np.sqrt(parts**2 @ volume_weights(record.host.meshes[layer - 1])))
    return np.array(errors)


def _rms(values: Sequence[float] | FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0


def _norm(errors: FloatArray) -> float:
    """Root mean square over sites (n, 2) of spin average and splitting together."""
    return float(np.sqrt(np.sum(errors**2) / len(errors))) if len(errors) else 0.0
