"""Magnetic states of a few impurities: which to start from, and which of the solutions are the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.scf_summary import moment_signs

LOW_MOMENT: Final = 1.0
"""Bohr magnetons that a low-spin state starts with."""

SAME_MOMENT: Final = 0.05
"""Difference of the moments (Bohr magnetons) up to which two solutions are one; converged ones agree to 0.001."""

ALL_SIGNS: Final = 3
"""Number of impurities up to which all signs are tried."""


def trial_states(moments: Sequence[float]) -> dict[str, list[float]]:
    """Starting moments to try, by name: the high-spin states of all signs, a low-spin one, one without moments.

    States that differ by a reversal of all moments are one. With more than three magnetic impurities of the signs only
    those of ferro and antiferro (alternating) are tried. The name of a state is its directions, such as ``up_down``.

    :param moments: moment of each impurity in the high-spin state, at least 0 [Bohr magnetons].
    """
    magnetic = [number for number, moment in enumerate(moments) if moment]
    patterns: list[tuple[int, ...]] = []
    if len(magnetic) > ALL_SIGNS:
        patterns = [(1,) * len(magnetic), tuple(1 - 2 * (k % 2) for k in range(len(magnetic)))]
    elif magnetic:
        patterns = [(1, *rest) for rest in product((1, -1), repeat=len(magnetic) - 1)]
    states: dict[str, list[float]] = {}
    for pattern in patterns:
        signs = np.zeros(len(moments), dtype=np.int64)
        signs[magnetic] = pattern
        states['_'.join(('down', 'none', 'up')[sign + 1] for sign in signs)] = (signs * np.array(moments)).tolist()
    if magnetic:
        states['low'] = [min(moment, LOW_MOMENT) for moment in moments]
    states['nonmagnetic'] = [0.0] * len(moments)
    return states


def signs_of(moments: Sequence[float]) -> str:
    """Signs of moments as text, such as ``+-0``; 0 is one below 0.1 Bohr magnetons."""
    return ''.join('0+-'[sign] for sign in moment_signs(moments))


def distinct_solutions(moments: Sequence[Sequence[float]], reversible: bool) -> list[int]:
    """Number of the solution that each result is, from 0 in the order in which they first come.

    :param moments: moments of the impurities in each result [Bohr magnetons].
    :param reversible: whether a solution with all moments reversed is the same one, as in a host without magnetism.
    """
    found: list[NDArray[np.float64]] = []
    numbers: list[int] = []
    for result in moments:
        vector = np.array(result)
        same = [number for number, other in enumerate(found) if _alike(vector, other, reversible)]
        if not same:
            found.append(vector)
        numbers.append(same[0] if same else len(found) - 1)
    return numbers


def _alike(moments: NDArray[np.float64], others: NDArray[np.float64], reversible: bool) -> bool:
    return any(np.abs(moments - sign * others).max() < SAME_MOMENT for sign in ((1, -1) if reversible else (1,)))
