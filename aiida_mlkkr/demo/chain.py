"""The whole chain of the demo: chromium, manganese and iron in copper, from single impurities to spin glasses."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Final

from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.pauses import Pauses
from aiida_mlkkr.demo.reuse import find_process
from aiida_mlkkr.demo.runs import GROUP, OPTIONS, slots

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.daemon.client import DaemonClient
    from aiida.orm import RemoteData, WorkChainNode

    from aiida_mlkkr.data.surrogate import SurrogateData

ELEMENTS: Final = ('Cr', 'Mn', 'Fe')
SHARE: Final = 0.1
"""Of the sites, for all elements of a composition together."""

COLDEST: Final = 0.01
"""Lowest temperature as share of that at which mean field has the first order: spin glasses freeze far below it."""


def compositions() -> list[dict[str, float]]:
    """Each element alone, and every two in equal shares."""
    return [
        {one: SHARE} if one == other else {one: SHARE / 2, other: SHARE / 2}
        for one, other in combinations_with_replacement(ELEMENTS, 2)
    ]


def build_chain(green: RemoteData, emulator: SurrogateData) -> ProcessBuilder:
    """The workchain, with the programs of this package alone, as many at a time as there are cores.

    :param green: write-out of the host, which is taken from there.
    :param emulator: that has not seen the elements.
    :raises DemoError: the inputs do not fit together.
    """
    with redirect_stdout(io.StringIO()):  # aiida-kkr prints a version number when it is imported
        from aiida_mlkkr.workflows.multiscale import MultiscaleWorkChain
    from aiida_mlkkr.demo.codes import embedded_solver, host_writer, monte_carlo_program
    from aiida_mlkkr.workflows.exchange.dimers import converged_host

    one_core = {'num_machines': 1, 'num_mpiprocs_per_machine': 1, 'num_cores_per_mpiproc': 1}
    try:
        builder = MultiscaleWorkChain.get_builder_from_protocol(
            converged_host(green),
            compositions(),
            monte_carlo_program(),
            code=embedded_solver(),
            kkr=host_writer(),
            emulator=emulator,
            protocol='fast',
            overrides={
                'max_parallel': slots(),
                'single': {'scf': {'clean_workdir': True}},
                'exchange': {'max_parallel': slots(), 'cluster': {'scf': {'scf': {'clean_workdir': True}}}},
                'spin_dynamics': {
                    'temperatures': {'lowest': COLDEST},
                    'base': {'monte_carlo': {'metadata': {'options': {'resources': one_core}}}},
                },
            },
            options=OPTIONS,
        )
    except ValueError as error:
        raise DemoError(f'the chain: {error}') from error
    builder['metadata']['label'] = f'{", ".join(ELEMENTS)} in copper'
    builder['metadata']['description'] = 'aiida-mlkkr demo --full'
    return builder


class ChainRun:
    """The workchain of the whole chain.

    `node` is None until it is found or submitted; `reused` says that an earlier demo had finished it.
    """

    def __init__(self, builder: ProcessBuilder) -> None:
        self.node: WorkChainNode | None = None
        self.reused = False
        self._builder = builder

    @property
    def has_result(self) -> bool:
        """Whether it came to its end with results, whole or not."""
        return self.node is not None and self.node.is_terminated and 'results' in self.node.outputs

    @property
    def problem(self) -> str | None:
        """Why it is not whole; None if it is, or is still under way."""
        if self.node is None or not self.node.is_terminated or self.node.is_finished_ok:
            return None
        last_words = (self.node.exception or 'it was killed').strip().splitlines()[-1]
        return f'workchain {self.node.pk} failed: {self.node.exit_message or last_words}'

    @property
    def steps(self) -> str:
        """In words, how far it is."""
        done = {name: _ended(self.node, label) for name, label in _STEPS.items()}
        return ', '.join(f'{ended} of {number} {name}' for name, (ended, number) in done.items() if number)

    def resume(self) -> None:
        """Take up what an earlier demo has finished or begun."""
        from aiida.orm import WorkChainNode

        found = find_process('MultiscaleWorkChain', self._builder._inputs(prune=True))
        if isinstance(found, WorkChainNode):
            self.reused, self.node = found.is_finished_ok, found

    def submit(self) -> None:
        """Submit it."""
        from aiida import orm
        from aiida.engine import submit

        node = submit(self._builder)
        assert isinstance(node, orm.WorkChainNode)
        self.node = node
        orm.Group.collection.get_or_create(GROUP)[0].add_nodes(node)

    def wait(self, daemon: DaemonClient, report: Callable[[str], None], check: Callable[[], None]) -> None:
        """Wait for its end.

        :param report: called with the steps at every look.
        :param check: called likewise; an exception that it raises ends the waiting, the workchain goes on.
        :raises DemoError: the daemon stopped.
        """
        assert self.node is not None
        pauses = Pauses(daemon, check)
        while not self.node.is_terminated:
            report(self.steps)
            pauses.take()
        report(self.steps)


_STEPS: Final = {
    'single impurities': ('KkrImpScfWorkChain', 1),
    'pairs': ('KkrClusterWorkChain', 2),
    'magnets': ('SpinDynamicsWorkChain', 1),
}
"""Kinds of processes that are counted, and how deep in the chain they are."""


def _ended(chain: WorkChainNode | None, label: tuple[str, int]) -> tuple[int, int]:
    """How many processes of a kind have ended, and how many were begun."""
    from aiida import orm

    if chain is None:
        return 0, 0
    kind, depth = label
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'id': chain.pk}, tag='0')
    for level in range(1, depth):
        query.append(orm.WorkChainNode, with_incoming=str(level - 1), tag=str(level))
    query.append(
        orm.WorkChainNode,
        with_incoming=str(depth - 1),
        filters={'attributes.process_label': kind},
        project='attributes.process_state',
    )
    states: list[Any] = query.all(flat=True)
    return sum(state in ('finished', 'excepted', 'killed') for state in states), len(states)
