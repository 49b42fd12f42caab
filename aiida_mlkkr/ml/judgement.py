"""How far a trained model is off what is left out of its training data, and the factors that make its errors right."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.models import Estimate, Options, PotentialModel, Targets
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]

SMALL_MOMENT: Final = 0.25
"""Predicted moments below this (µB) are none: the error with which those in Cu and Ag are predicted.

Not more: a splitting where there should be none vanishes in the self-consistency, one that is missing never appears.
"""

_MOST_FOR_HOSTS: Final = 2000
"""Sites up to which whole hosts are left out, in a time that grows with the third power of their number."""


def judge(
    model: PotentialModel, sites: Sites, targets: Targets, options: Options, seed: int
) -> tuple[dict[str, float], dict[str, dict[str, int | float]]]:
    """Factors of the standard errors, and a report, see :meth:`PotentialEmulator.fit`.

    Potentials that are not converged do not count, unless there are no others. The factors are of sites with an
    impurity (``own``, or ``magnetic`` with a moment, where the splitting may be wrong, too) and beside one
    (``around``), and a further one is of hosts that were not in the training data
    (``unseen_host``): that of known hosts which are left out, as far as the model can tell in closed form, or what was
    measured for the model.
    """
    left_out = model.left_out(sites, targets, options, seed)
    squares = _squares(left_out, targets)
    factors: dict[str, float] = {}
    report: dict[str, dict[str, int | float]] = {}
    true = (targets.error == 0.0) | targets.error.all()
    magnetic = np.abs(targets.moment) >= SMALL_MOMENT
    classes = {'own': sites.changed & ~magnetic, 'magnetic': sites.changed & magnetic, 'around': ~sites.changed}
    for name, rows in classes.items():
        if (rows & true).any():
            factors[name] = _factor(left_out, squares, rows & true)
    for part, rows in (('own', sites.changed & true), ('around', ~sites.changed & true)):
        if rows.any():
            for name, its_squares in squares.items():
                report[f'{name}_{part}'] = _quality(getattr(targets, name)[rows], its_squares[rows])
    moments = (left_out.moment - targets.moment)[sites.changed & true]
    report['splitting_own']['left_out_moment_rms_muB'] = float(np.sqrt(np.mean(moments**2)))
    factors['unseen_host'] = model.unseen_host
    if model.closed_form and len(np.unique(sites.host)) > 1 and len(sites) <= _MOST_FOR_HOSTS:
        by_host = model.left_out(sites, replace(targets, group=sites.host), options, seed)
        in_unseen = _factor(by_host, _squares(by_host, targets), sites.changed & true)
        factors['unseen_host'] = max(1.0, in_unseen / _factor(left_out, squares, sites.changed & true))
    return factors, report


def _squares(estimate: Estimate, targets: Targets) -> dict[str, FloatArray]:
    """Squared errors (n,) of spin average and splitting."""
    return {
        name: np.sum((getattr(estimate, name) - getattr(targets, name)) ** 2, axis=(1, 2))
        for name in ('average', 'splitting')
    }


def _factor(estimate: Estimate, squares: dict[str, FloatArray], rows: NDArray[np.bool_]) -> float:
    """Factor that makes standard errors of some sites right; without a variance a site is beyond the model's reach."""
    reached = rows & (estimate.variance > 0.0)
    ratios = (squares['average'] + squares['splitting'])[reached] / estimate.variance[reached]
    return float(np.sqrt(ratios.mean())) if reached.any() else 1.0


def _quality(values: FloatArray, squares: FloatArray) -> dict[str, int | float]:
    return {
        'number_of_sites': len(values),
        'rms_Ry': float(np.sqrt(np.mean(np.sum(values**2, axis=(1, 2))))),
        'left_out_rms_Ry': float(np.sqrt(np.mean(squares))),
        'left_out_median_Ry': float(np.median(np.sqrt(squares))),
    }
