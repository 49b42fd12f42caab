"""The impurity self-consistencies: some at a time, those reused that an earlier demo has finished or begun."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.live import LiveErrors
from aiida_mlkkr.demo.pauses import Pauses
from aiida_mlkkr.demo.recipe import Recipe
from aiida_mlkkr.demo.reuse import find_process

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.daemon.client import DaemonClient
    from aiida.orm import AbstractCode, CalcJobNode, ProcessNode, WorkChainNode

    from aiida_mlkkr.data.surrogate import SurrogateData

GROUP = 'mlkkr-demo'
STARTS = ('standard', 'emulator')
SCHEDULES = ('default', 'tuned')
_ONE_THREAD = dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1')
OPTIONS: dict[str, Any] = {
    'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
    'max_wallclock_seconds': 3600,
    'environment_variables': _ONE_THREAD,
}


class ScfRun:
    """The self-consistency of one impurity from one start with one mixing schedule.

    `node` is its workchain, None while it waits; `reused` says that an earlier demo had finished it; `problem` says why
    no result is to come.
    """

    def __init__(self, recipe: Recipe, start: str, schedule: str, builder: ProcessBuilder) -> None:
        self.recipe = recipe
        self.start = start
        self.schedule = schedule
        self.node: WorkChainNode | None = None
        self.reused = False
        self.problem: str | None = None
        self._builder = builder
        self._is_over = False
        self._finished: dict[int, list[float]] = {}
        self._live = LiveErrors()

    @property
    def name(self) -> str:
        """The run in words."""
        return f'{self.recipe.symbol}, {self.start} start, {self.schedule} schedule'

    @property
    def is_waiting(self) -> bool:
        """Whether it is still to be submitted."""
        return self.node is None

    @property
    def is_running(self) -> bool:
        """Whether its workchain was under way at the last look."""
        return self.node is not None and not self._is_over

    @property
    def has_result(self) -> bool:
        """Whether its workchain came to its end, converged or not."""
        return self._is_over and self.problem is None

    @property
    def iterations(self) -> int:
        """Iterations so far."""
        return sum(map(len, self._finished.values())) + len(self._live.values)

    @property
    def error(self) -> float | None:
        """Last known error of the potential."""
        values = self._live.values or next(reversed(self._finished.values()), [])
        return values[-1] if values else None

    def resume(self) -> None:
        """Take up what an earlier demo has finished or begun."""
        from aiida.orm import WorkChainNode

        found = find_process('KkrImpScfWorkChain', self._builder._inputs(prune=True))
        if isinstance(found, WorkChainNode):
            self.reused = found.is_finished_ok
            self._take(found)

    def submit(self) -> None:
        """Submit the workchain."""
        from aiida.engine import submit
        from aiida.orm import WorkChainNode

        node = submit(self._builder)
        assert isinstance(node, WorkChainNode)
        self._take(node)

    def _take(self, node: WorkChainNode) -> None:
        from aiida import orm

        self.node = node
        orm.Group.collection.get_or_create(GROUP)[0].add_nodes(node)
        self.look()

    def look(self) -> None:
        """Notice what happened since the last look."""
        assert self.node is not None
        # first whether it has ended: it may end between two questions
        ended = self.node.is_terminated
        current = None
        for calculation in calculations_of(self.node):
            assert calculation.pk is not None
            if not calculation.is_terminated:
                current = calculation
            elif calculation.pk not in self._finished:
                self._finished[calculation.pk] = errors_of(calculation)
        self._live = self._live if current is not None else LiveErrors()
        if current is not None:
            self._live.follow(current)
        if ended and 'results' not in self.node.outputs:
            last_words = (self.node.exception or 'it was killed').strip().splitlines()[-1]
            self.problem = f'workchain {self.node.pk} failed: {self.node.exit_message or last_words}'
        elif current is not None and current.paused:
            self.problem = f'calculation {current.pk} is paused: {current.process_status}'
        self._is_over = ended or self.problem is not None


def calculations_of(workchain: WorkChainNode) -> list[CalcJobNode]:
    """The KKRimp calculations of a workchain, in order: each was called by a restart chain that it called."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={'id': workchain.pk}, tag='scf')
    query.append(orm.WorkChainNode, with_incoming='scf', tag='restarts')
    query.append(orm.CalcJobNode, with_incoming='restarts', tag='calculation')
    query.order_by({'calculation': 'ctime'})
    calculations: list[CalcJobNode] = query.all(flat=True)
    return calculations


def errors_of(calculation: CalcJobNode) -> list[float]:
    """Error of the potential in every iteration of a calculation that has ended, none if it left no results."""
    if 'output_parameters' not in calculation.outputs:
        return []
    group = calculation.outputs.output_parameters.get_dict().get('convergence_group', {})
    return list(group.get('rms_all_iterations', []))


def four_runs(recipe: Recipe, code: AbstractCode, emulator: SurrogateData) -> list[ScfRun]:
    """The runs of one impurity, from each start with each schedule.

    :raises DemoError: the inputs do not fit together.
    """
    return [
        ScfRun(recipe, start, schedule, build(recipe, code, schedule, emulator if start == 'emulator' else None))
        for schedule in SCHEDULES
        for start in STARTS
    ]


def build(recipe: Recipe, code: AbstractCode, schedule: str, emulator: SurrogateData | None = None) -> ProcessBuilder:
    """The workchain for an impurity of the archive, from the archived start potential or from an emulator's.

    The archived one is what the emulator's falls back to.

    :raises DemoError: the inputs do not fit together.
    """
    with redirect_stdout(io.StringIO()):  # aiida-kkr prints a version number when it is imported
        from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

    starts = ['startpot'] if emulator is None else ['emulator', 'startpot']
    try:
        builder = KkrImpScfWorkChain.get_builder_from_protocol(
            code,
            recipe.impurity_info,
            host_greenfunction=recipe.host,
            startpot=recipe.start_potential,
            magnetic_moments=recipe.moments,
            overrides={'starts': starts, 'schedule': schedule, 'scf': {'clean_workdir': True}},
            options=OPTIONS | {'withmpi': bool(code.with_mpi)},
            emulator=emulator,
        )
    except ValueError as error:
        raise DemoError(f'{recipe.symbol}: {error}') from error
    start = 'standard start' if emulator is None else 'emulator'
    builder['metadata']['label'] = f'{recipe.symbol} from the {start}, {schedule} schedule'
    builder['metadata']['description'] = 'aiida-mlkkr demo'
    return builder


def slots() -> int:
    """How many runs go on at a time: as many as there are cores."""
    return len(os.sched_getaffinity(0))


def lost_processes(begun: Sequence[WorkChainNode]) -> list[ProcessNode]:
    """Processes under way, of workchains and what they called, that the broker has no task for: no daemon would go on.

    To be called while the daemon is off: the queue of a broker that runs must not be looked into.
    """
    from aiida.engine.processes.control import get_process_tasks
    from aiida.manage import get_manager

    broker = get_manager().get_broker()
    tasks = set(get_process_tasks(broker)) if broker is not None else set()
    family = [process for node in begun for process in (node, *node.called_descendants)]
    return [process for process in family if not process.is_terminated and process.pk not in tasks]


def run_all(
    runs: Sequence[ScfRun], daemon: DaemonClient, report: Callable[[], None], check: Callable[[], None]
) -> None:
    """Bring every run to its end, as many at a time as there are cores.

    :param report: called after every look at the workchains.
    :param check: called likewise; an exception that it raises ends the waiting, the workchains go on.
    :raises DemoError: the daemon stopped.
    """
    pauses = Pauses(daemon, check)
    waiting = [run for run in runs if run.is_waiting]
    running = [run for run in runs if run.is_running]
    while waiting or running:
        for run in running:
            run.look()
        running = [run for run in running if run.is_running]
        while waiting and len(running) < slots():
            running.append(waiting.pop(0))
            running[-1].submit()
        report()
        pauses.take()
    report()
