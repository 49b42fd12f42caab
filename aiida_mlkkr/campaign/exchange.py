"""Fill a table of exchange interactions: pairs of impurities on the shells of a host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_mlkkr.campaign.dimers import DimerPlan
from aiida_mlkkr.campaign.runs import OPTIONS, Outcome, run_all
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tables import joined
from aiida_mlkkr.kkr.patterns import nuclear_charge
from aiida_mlkkr.query import FinishedImpurity
from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain
from aiida_mlkkr.workflows.exchange.clusters import common_inputs, pair_inputs
from aiida_mlkkr.workflows.exchange.dimers import PlannedDimer, finished_dimers

_DECIMALS = 3
"""Of distances in Å that are the same."""


@dataclass
class ExchangeFilling:
    """A group of pairs that is filled. Their moments begin parallel, and whatever becomes of them is taken.

    :param code: KKRimp, by JuKKR or the embedded solver.
    :param kkr: KKRhost, by JuKKR or ``mlkkr-kkrhost``, for the write-outs that pairs on one shell share.
    :param group: where the workchains are put.
    :param screening: as in the protocol of ``mlkkr.cluster``: ``shells`` and ``radius``.
    :param singles: converged impurities alone in the host by nuclear charge, to start from.
    :param protocol: of the clusters.
    :param options: of the calculations: ``resources``, ``queue_name``, ``account`` …; with one thread and for an hour
        unless they say otherwise.
    """

    code: orm.AbstractCode
    kkr: orm.AbstractCode
    group: orm.Group
    screening: Mapping[str, Any]
    singles: Mapping[int, FinishedImpurity] = field(default_factory=dict)
    protocol: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(
        self, plan: DimerPlan, jobs: int, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Outcome[PlannedDimer]]:
        """Run what is missing.

        :param jobs: how many at a time; 1 runs in this process, more need a running daemon.
        :param goes_on: asked before each run.
        """
        for outcome in run_all(plan.missing, self._build, goes_on, jobs):
            if outcome.node is not None:
                self.group.add_nodes(outcome.node)
            yield outcome

    def _build(self, pair: PlannedDimer) -> ProcessBuilder:
        host = pair.shape.host
        common = common_inputs(
            self.code,
            self.kkr,
            host,
            protocol=self.protocol,
            overrides={'screening': self.screening},
            options=OPTIONS | dict(self.options),
        )
        singles = {z: impurity.inputs for z, impurity in self.singles.items()}
        builder = KkrClusterWorkChain.get_builder()
        for name, value in pair_inputs(common, host, pair.info, singles).items():
            builder[name] = value
        builder['metadata']['label'] = pair.name
        builder['metadata']['description'] = 'aiida-mlkkr fill-exchange'
        return builder


def table_of_group(group: orm.Group) -> ExchangeTable:
    """The exchange of all pairs of the finished clusters of a group, by distance and elements.

    :raises ExchangeError: there is none, or they are of different hosts.
    """
    tables = [node.outputs.exchange.table for node in finished_dimers(group).values()]
    return joined(sorted(tables, key=_distance_and_elements))


def _distance_and_elements(table: ExchangeTable) -> tuple[float, list[int]]:
    return round(float(table.distances[0]), _DECIMALS), [nuclear_charge(element) for element in table.elements]
