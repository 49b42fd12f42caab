"""Impurities whose potential does not follow from those of the others: most likely another kind of solution.

A self-consistency may count a shallow p level of K, Ba or Ra to the valence or lose it below the contour, and its
potential is then 0.5 Ry off those of its neighbours in the periodic table. One of them spoils lengths and noise of a
model for all. Found before a model is trained, and so for all alike: by the Gaussian process with fixed lengths of
:mod:`aiida_mlkkr.ml.reach` each impurity is predicted by all others in closed form (C. E. Rasmussen and C. K. I.
Williams, Gaussian Processes for Machine Learning, MIT Press 2006, equations 5.10 to 5.12), and held against the median
of what these predictions are off in units of their standard errors.

Only the spherical spin average counts: whether there is a moment may well differ from one impurity to the next.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.models import Targets
from aiida_mlkkr.ml.reach import covariance_of_seen
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LIMIT: Final = 5.0
"""Standard deviations beyond which an impurity is an outlier, of the normal distribution with the same median."""

_OF_MEDIAN: Final = 1.4826
"""Standard deviation of a normal distribution in units of the median of absolute values."""

_FEWEST: Final = 8
"""With fewer impurities there is no telling which of them is right."""


def outliers(sites: Sites, targets: Targets) -> dict[tuple[int, int], float]:
    """Impurities that are off what the others say by more than :data:`LIMIT`, and by more than what impurities do in
    the median: nuclear charges of impurity and of the atom that it replaces, and how far off it is in Ry.

    The worst one is taken out until there is none. What looked wrong beside a wrong neighbour is then taken back.
    """
    rows = np.flatnonzero(sites.changed & (targets.error == 0.0))
    kinds, kind = np.unique(np.stack([sites.z, sites.z_host], axis=1)[rows], axis=0, return_inverse=True)
    seen = [np.median(targets.average[rows[kind == number], 0], axis=0) for number in range(len(kinds))]
    outputs = np.array(seen).reshape(len(kinds), targets.average.shape[2])
    good, taken = np.ones(len(kinds), dtype=np.bool_), list[int]()
    while good.sum() >= _FEWEST:
        deviations, _ = _deviations(kinds[good], outputs[good])
        if deviations.max() <= LIMIT:
            break
        taken.append(int(np.flatnonzero(good)[np.argmax(deviations)]))
        good[taken[-1]] = False
    found: dict[tuple[int, int], float] = {}
    for one in taken:
        good[one] = True
        place = int(good[:one].sum())
        deviation, off = (values[place] for values in _deviations(kinds[good], outputs[good]))
        if deviation > LIMIT:
            good[one] = False
            found[int(kinds[one, 0]), int(kinds[one, 1])] = float(off)
    return found


def _deviations(kinds: IntArray, outputs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far each output (n, K) is off what the others predict, in standard deviations and in its own unit.

    What is off by less than the median of all outputs deviates by nothing: that is no solution of another kind.
    """
    inverse = np.linalg.inv(covariance_of_seen(kinds))
    sizes, precisions = np.linalg.norm(inverse @ outputs, axis=1), np.diag(inverse)
    off, scaled = sizes / precisions, sizes / np.sqrt(precisions)
    deviations = scaled / max(_OF_MEDIAN * float(np.median(scaled)), np.finfo(np.float64).tiny)
    return deviations * (off > np.median(np.linalg.norm(outputs, axis=1))), off
