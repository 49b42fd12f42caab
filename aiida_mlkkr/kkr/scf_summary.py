"""The self-consistency of an impurity in short: what several calculations, one after the other, came to.

They are read from ``output_parameters`` as the parser ``mlkkr.kkrimp`` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Results = Mapping[str, Any]

MAGNETIC_MOMENT: Final = 0.1
"""Spin moment (Bohr magnetons) from which on a site counts as magnetic; what the moment asked for may be off by is a
factor of two: it is there to tell states apart, not to be met."""


def history_arrays(calculations: Sequence[Results], stages: Sequence[int]) -> dict[str, NDArray[Any]]:
    """The course of the iterations.

    :param calculations: results of the calculations, in order.
    :param stages: to which stage each of them belongs, from 1 on.
    :return: for n iterations and natom sites ``rms_charge`` and ``rms_spin`` (n,) Ry, ``spin_moment`` (n, natom) Bohr
        magnetons, ``total_energy`` (n,) Ry; ``stage`` and ``calculation`` (n,), from 1 on, to which an iteration
        belongs, and ``stage_ends``: how many iterations there were after each stage. NaN is what was not recorded.
    """
    groups = [results.get('convergence_group', {}) for results in calculations]
    lengths = [len(group.get('rms_all_iterations', [])) for group in groups]
    calculation = np.repeat(np.arange(1, len(groups) + 1), lengths)
    stage = np.repeat(np.array(stages, dtype=np.int64), lengths)
    moments = [_moments(group, length) for group, length in zip(groups, lengths, strict=True)]
    natom = max((array.shape[1] for array in moments), default=0)
    return {
        'rms_charge': _joined(groups, lengths, 'rms_all_iterations'),
        'rms_spin': _joined(groups, lengths, 'rms_spin_all_iterations'),
        'total_energy': _joined(groups, lengths, 'total_energy_Ry_all_iterations'),
        'spin_moment': np.concatenate([_widened(array, natom) for array in moments] or [np.empty((0, 0))]),
        'stage': stage,
        'calculation': calculation,
        'stage_ends': np.array([int((stage <= number).sum()) for number in range(1, max(stages, default=0) + 1)]),
    }


def summary(last: Results, history: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The numbers of the last calculation that people ask for, and how many iterations they took.

    :param last: results of the last calculation.
    :param history: of :func:`history_arrays`.
    """
    convergence, own = last.get('convergence_group', {}), last.get('mlkkr_group', {})
    ends = history['stage_ends'].tolist()
    return {
        'total_energy': last.get('total_energy_Ry'),
        'total_energy_unit': 'Ry',
        'fermi_energy': last.get('fermi_energy'),
        'fermi_energy_unit': 'Ry',
        'charge_per_atom': last.get('total_charge_per_atom'),
        'charge_unit': 'e',
        'spin_moment_per_atom': own.get('spin_moment_per_atom'),
        'total_spin_moment': last.get('magnetism_group', {}).get('total_spin_moment', 0.0),
        'spin_moment_unit': 'mu_Bohr',
        'nuclear_charge_per_atom': own.get('nuclear_charge_per_atom'),
        'iterations': int(history['stage'].size),
        'iterations_per_stage': np.diff([0, *ends]).tolist(),
        'rms_charge': convergence.get('rms'),
        'rms_spin': convergence.get('rms_spin'),
        'rms_unit': 'Ry',
        'convergence': convergence.get('qbound'),
        'problems': own.get('problems', []),
        'sanity_checked': own.get('sanity_checked', False),
    }


def magnetic_state(asked: Sequence[float] | None, obtained: Sequence[float]) -> dict[str, Any]:
    """The moments of the impurities beside those asked for.

    ``reached`` is None where nothing was asked. Otherwise it says whether every impurity has the sign asked for and no
    more than twice and no less than half of the size, or stays below 0.1 Bohr magnetons where none was asked for.

    :param asked: (n,) moments asked for, None if there was no wish.
    :param obtained: (n,) moments of the last iteration.
    """
    reached = None
    if asked is not None:
        reached = all(_is_of_the_state(*pair) for pair in zip(asked, obtained, strict=True))
    return {'asked': None if asked is None else list(asked), 'obtained': list(obtained), 'reached': reached}


def moment_signs(moments: Sequence[float]) -> list[int]:
    """Sign of each moment; 0 of one below 0.1 Bohr magnetons."""
    return [0 if abs(moment) < MAGNETIC_MOMENT else int(np.sign(moment)) for moment in moments]


def signs_kept(asked: Sequence[float] | None, obtained: Sequence[float]) -> dict[str, Any]:
    """Whether the moments point as asked, whatever their sizes.

    ``kept`` is None where nothing was asked. ``turned`` are the impurities, from 0, with a moment the other way;
    ``vanished`` those that have none although one was asked for, which is an answer and no failure.

    :param asked: (n,) moments asked for, None if there was no wish.
    :param obtained: (n,) moments of the last iteration.
    """
    signs = moment_signs(obtained)
    wanted = [0] * len(signs) if asked is None else [int(np.sign(moment)) for moment in asked]
    turned = [number for number, (sign, wish) in enumerate(zip(signs, wanted, strict=True)) if sign * wish < 0]
    vanished = [number for number, (sign, wish) in enumerate(zip(signs, wanted, strict=True)) if wish and not sign]
    return {
        'asked': None if asked is None else wanted,
        'obtained': signs,
        'turned': turned,
        'vanished': vanished,
        'kept': None if asked is None else not turned,
    }


def _is_of_the_state(asked: float, obtained: float) -> bool:
    if not asked:
        return abs(obtained) < MAGNETIC_MOMENT
    return abs(obtained) >= MAGNETIC_MOMENT and 0.5 <= obtained / asked <= 2.0


def _joined(groups: Sequence[Results], lengths: Sequence[int], key: str) -> NDArray[np.float64]:
    parts = [_padded(group.get(key) or [], length) for group, length in zip(groups, lengths, strict=True)]
    return np.concatenate(parts or [np.empty(0)])


def _padded(values: Sequence[float | None], length: int) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64) if len(values) == length else np.full(length, np.nan)


def _moments(group: Results, length: int) -> NDArray[np.float64]:
    """Moments along z of all iterations, which are recorded as one list of vectors."""
    recorded = group.get('total_spin_moment_all_iterations')
    if not length or not recorded or not recorded[1]:
        return np.empty((length, 0))
    return np.array(recorded[1], dtype=np.float64)[:, 2].reshape(length, -1)


def _widened(moments: NDArray[np.float64], natom: int) -> NDArray[np.float64]:
    return moments if moments.shape[1] == natom else np.full((len(moments), natom), np.nan)
