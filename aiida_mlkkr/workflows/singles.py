"""Single impurities that a user gives."""

from __future__ import annotations

from collections.abc import Sequence

from aiida import orm

from aiida_mlkkr.query import FinishedImpurity, find_impurities
from aiida_mlkkr.workflows.messages import name_of


def given_impurities(processes: Sequence[orm.ProcessNode]) -> Sequence[FinishedImpurity]:
    """What processes have calculated.

    :raises ValueError: one of them has not converged, or is no calculation of impurities.
    """
    found = find_impurities(nodes=processes)
    if found.dropped or found.others or not found.usable:
        reasons = '; '.join(f'{name_of(node)}: {reason}' for node, reason in found.dropped)
        raise ValueError(f'singles: {reasons or "these are no finished calculations of impurities"}')
    return found.usable
