"""The runs of a plan: some at a time, each a process of its own, whatever becomes of the others."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, NamedTuple, cast

from aiida import orm
from aiida.engine import ProcessBuilder, run_get_node, submit

from aiida_mlkkr.campaign.plan import P
from aiida_mlkkr.workflows.messages import reason_of

_POLL_SECONDS = 1.0
_ONE_THREAD = dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1')

OPTIONS: Final[dict[str, Any]] = {'max_wallclock_seconds': 3600, 'environment_variables': _ONE_THREAD}
"""Options of the calculations, unless others are given."""


class Outcome(NamedTuple, Generic[P]):
    """How a run ended.

    :param node: its workchain; None if its inputs were refused.
    :param problem: why there is no solution; empty if there is one.
    """

    planned: P
    node: orm.WorkChainNode | None
    problem: str
    seconds: float

    @property
    def iterations(self) -> int:
        """Iterations of the self-consistency, 0 where there are no results."""
        return 0 if self.node is None or 'results' not in self.node.outputs else self.node.outputs.results['iterations']


def run_all(
    planned: Iterable[P], build: Callable[[P], ProcessBuilder], goes_on: Callable[[], bool], jobs: int
) -> Iterator[Outcome[P]]:
    """Run a plan.

    :param build: makes the inputs of a run; raises a ``ValueError`` where there can be none.
    :param goes_on: asked before each run; no further one begins after a no.
    :param jobs: how many at a time; 1 runs in this process, more need a running daemon.
    """
    return run_here(planned, build, goes_on) if jobs == 1 else run_in_daemon(planned, build, goes_on, jobs)


def run_here(
    planned: Iterable[P], build: Callable[[P], ProcessBuilder], goes_on: Callable[[], bool]
) -> Iterator[Outcome[P]]:
    """One after the other in this process, without a daemon; Ctrl-C has to wait for the end of the run under way.

    :param goes_on: asked before each run; no further one begins after a no.
    """
    for entry in planned:
        if not goes_on():
            return
        begin = time.monotonic()
        try:
            builder = build(entry)
        except ValueError as error:
            yield Outcome(entry, None, f'refused: {error}', 0.0)
            continue
        with _signals_wait():
            _, process = run_get_node(builder)
        yield _outcome(entry, cast(orm.WorkChainNode, process), begin)


def run_in_daemon(
    planned: Iterable[P], build: Callable[[P], ProcessBuilder], goes_on: Callable[[], bool], jobs: int
) -> Iterator[Outcome[P]]:
    """Several at a time by the daemon, which has to be running.

    :param goes_on: asked before each run; after a no those under way come to their end, and no further one begins.
    """
    waiting = iter(planned)
    running: dict[str, tuple[P, orm.WorkChainNode, float]] = {}
    exhausted = False
    while running or not exhausted:
        while len(running) < jobs and not exhausted:
            entry = next(waiting, None) if goes_on() else None
            if entry is None:
                exhausted = True
                break
            try:
                node = cast(orm.WorkChainNode, submit(build(entry)))
            except ValueError as error:
                yield Outcome(entry, None, f'refused: {error}', 0.0)
                continue
            running[node.uuid] = (entry, node, time.monotonic())
        for uuid in [uuid for uuid, (_, node, _) in running.items() if node.is_terminated]:
            yield _outcome(*running.pop(uuid))
        time.sleep(_POLL_SECONDS if running else 0.0)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM: AiiDA would kill the process that runs here and leave its storage in disorder."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _outcome(planned: P, node: orm.WorkChainNode, begin: float) -> Outcome[P]:
    return Outcome(planned, node, '' if node.is_finished_ok else reason_of(node), time.monotonic() - begin)
