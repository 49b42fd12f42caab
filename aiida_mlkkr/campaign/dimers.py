"""The pairs that a campaign is to run, and those that its group has already."""

from __future__ import annotations

from collections.abc import Iterable

from aiida import orm

from aiida_mlkkr.campaign.plan import Plan
from aiida_mlkkr.workflows.exchange.dimers import PlannedDimer, finished_dimers

DimerPlan = Plan[PlannedDimer, orm.WorkChainNode]
"""Of what is there, the workchains."""


def compare_dimers(planned: Iterable[PlannedDimer], group: orm.Group | None) -> DimerPlan:
    """Look up which pairs a group has, converged and with their exchange."""
    return Plan.of(planned, {} if group is None else finished_dimers(group))
