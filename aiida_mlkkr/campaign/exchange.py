"""Fill a table of exchange interactions: pairs of impurities on the shells of a host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_mlkkr.campaign.dimers import DimerPlan, PlannedDimer, finished_dimers
from aiida_mlkkr.campaign.runs import OPTIONS, Outcome, run_all
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tables import joined
from aiida_mlkkr.kkr.patterns import nuclear_charge
from aiida_mlkkr.kkr.schedule import schedule_values
from aiida_mlkkr.query import FinishedImpurity
from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain
from aiida_mlkkr.workflows.protocols import protocol_inputs, read_protocols

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
        known = all(z in self.singles for z in pair.charges)
        scf = {'schedule': _from_singles(self.protocol)} if known else {}
        builder = KkrClusterWorkChain.get_builder_from_protocol(
            self.code,
            pair.wish,
            host=pair.shape.host,
            kkr=self.kkr,
            magnetic_state='free',
            protocol=self.protocol,
            overrides={'screening': self.screening, 'scf': {**scf, 'scf': {'clean_workdir': True}}},
            options=OPTIONS | dict(self.options),
        )
        if known:
            builder.singles = {f'Z{z}': self.singles[z].inputs for z in pair.charges}
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


def _from_singles(protocol: str | None) -> dict[str, Any]:
    """The last stage of the schedule ``tuned``, without a field: the rest of it is for starts that are farther off."""
    convergence = protocol_inputs('imp_scf', protocol)['convergence']
    schedule = schedule_values(read_protocols('schedules'), 'tuned', convergence)
    return {
        'name': 'tuned, from singles',
        'stages': schedule['stages'][-1:],
        'initial_field': [0.0, 0],
    }
