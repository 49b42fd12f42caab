"""Fill a dataset: bring impurities to self-consistency, gather what they give, and learn from it on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_mlkkr.campaign.plan import ImpurityPlan, PlannedImpurity
from aiida_mlkkr.campaign.runs import OPTIONS, Outcome, run_all
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.query import QueryError, find_impurities, train_emulator
from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain


@dataclass
class Filling:
    """A dataset that is filled.

    :param code: KKRimp, by JuKKR or the embedded solver.
    :param group: where the workchains are put.
    :param protocol: of the self-consistency.
    :param options: of the calculations: ``resources``, ``queue_name``, ``account`` …; with one thread and for an hour
        unless they say otherwise.
    :param emulator: a model that predicts the start potentials.
    :param learn_every: train a new emulator on the group after so many new solutions; 0 for never.
    :param tell: takes what is to be said on the way.
    """

    code: orm.AbstractCode
    group: orm.Group
    protocol: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    emulator: SurrogateData | None = None
    learn_every: int = 0
    tell: Callable[[str], None] = lambda _: None

    def run(
        self, plan: ImpurityPlan, jobs: int, goes_on: Callable[[], bool] = lambda: True
    ) -> Iterator[Outcome[PlannedImpurity]]:
        """Run what is missing; what is there already is put into the group, too.

        :param jobs: how many at a time; 1 runs in this process, more need a running daemon.
        :param goes_on: asked before each run.
        """
        self.group.add_nodes([impurity.process for impurity in plan.there.values()])
        solutions = 0
        for outcome in run_all(plan.missing, self._build, goes_on, jobs):
            if outcome.node is not None:
                self.group.add_nodes(outcome.node)
            yield outcome
            solutions += not outcome.problem
            if self.learn_every and not outcome.problem and solutions % self.learn_every == 0:
                self._learn()

    def _build(self, planned: PlannedImpurity) -> ProcessBuilder:
        builder = KkrImpScfWorkChain.get_builder_from_protocol(
            self.code,
            planned.impurity_info,
            host_greenfunction=planned.host.greenfunction,
            emulator=self.emulator,
            protocol=self.protocol,
            overrides={'scf': {'clean_workdir': True}},
            options=OPTIONS | dict(self.options),
        )
        builder['metadata']['label'] = planned.name
        builder['metadata']['description'] = 'aiida-mlkkr fill'
        return builder

    def _learn(self) -> None:
        """Train on all that the group has; without success the emulator stays as it was."""
        try:
            self.emulator = train_emulator(find_impurities(self.group).usable)
        except QueryError as error:
            self.tell(f'no new emulator: {error}')
        else:
            number = self.emulator.spec.number
            self.tell(f'the next ones start from emulator {self.emulator.pk}, trained on {number} impurities')


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
