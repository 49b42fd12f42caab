"""Run the recipes: some impurities at a time, stage after stage, reusing what an earlier demo has finished."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.recipe import Recipe

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.engine.daemon.client import DaemonClient
    from aiida.orm import AbstractCode, CalcJobNode, ProcessNode

PARSER = 'mlkkr.kkrimp'
GROUP = 'mlkkr-demo'
RESULT_FILE = 'out_kkrimp'
_POLL_SECONDS = 0.3
_DAEMON_CHECK_SECONDS = 10.0
_WALLTIME_SECONDS = 3600
_ERROR_LINE = re.compile(r'average rms-error\s*:\s*v\+ \+ v-\s*=\s*(\S+)')


@dataclass
class LiveErrors:
    """Follows the errors that a running calculation on this machine writes, reading only what is new."""

    values: list[float] = field(default_factory=list)
    _node: CalcJobNode | None = None
    _offset: int = 0

    def follow(self, node: CalcJobNode) -> None:
        """Read the new lines of the calculation's output; nothing happens where it is not on this machine."""
        if self._node is None or node.pk != self._node.pk:
            self._node, self._offset, self.values = node, 0, []
        folder = node.get_remote_workdir()
        if folder is None or node.computer is None or node.computer.transport_type != 'core.local':
            return
        try:
            with open(Path(folder) / RESULT_FILE, 'rb') as handle:
                handle.seek(self._offset)
                new = handle.read()
        except OSError:
            return
        complete = new[: new.rfind(b'\n') + 1]
        self._offset += len(complete)
        for match in _ERROR_LINE.finditer(complete.decode('ascii', 'replace')):
            self.values.append(float(match[1].replace('D', 'E')))


class ImpurityRun:
    """One impurity on its way through the stages of its recipe.

    `calculations` holds the calculations of the stages begun; `reused` counts those that an earlier demo had finished;
    `problem` says why the run ended early.
    """

    def __init__(self, recipe: Recipe, code: AbstractCode) -> None:
        self.recipe = recipe
        self.code = code
        self.calculations: list[CalcJobNode] = []
        self.reused = 0
        self.problem: str | None = None
        self._done_iterations = 0
        self._live = LiveErrors()

    @property
    def symbol(self) -> str:
        """Element of the impurity."""
        return self.recipe.symbol

    @property
    def stages(self) -> int:
        """Number of stages of the recipe."""
        return len(self.recipe.parameters)

    @property
    def is_waiting(self) -> bool:
        """Whether the next stage's calculation is still to be found or submitted."""
        return self.problem is None and not self.is_done and (not self.calculations or self._current_is_ok)

    @property
    def is_running(self) -> bool:
        """Whether a calculation is under way."""
        return bool(self.calculations) and self.problem is None and not self._current_is_ok

    @property
    def is_done(self) -> bool:
        """Whether every stage ended well."""
        return len(self.calculations) == self.stages and self._current_is_ok

    @property
    def iterations(self) -> int:
        """Iterations so far, over all stages."""
        return self._done_iterations + len(self._live.values)

    @property
    def error(self) -> float | None:
        """Last known error of the potential."""
        return self._live.values[-1] if self._live.values else None

    @property
    def _current_is_ok(self) -> bool:
        return self.calculations[-1].is_finished_ok

    def resume(self) -> None:
        """Take up what earlier demos have finished or begun."""
        while self.is_waiting and (calculation := find_calculation(self.recipe, self.code, self.calculations)):
            self._follow(calculation)
            self.reused += calculation.is_finished_ok

    def submit(self) -> None:
        """Submit the calculation of the next stage."""
        from aiida import orm
        from aiida.engine import submit

        calculation = submit(build(self.recipe, self.code, self.calculations))
        assert isinstance(calculation, orm.CalcJobNode)
        self._follow(calculation)

    def _follow(self, calculation: CalcJobNode) -> None:
        from aiida import orm

        self._done_iterations += len(self._live.values)
        self._live = LiveErrors()
        self.calculations.append(calculation)
        orm.Group.collection.get_or_create(GROUP)[0].add_nodes(calculation)
        self.look()

    def look(self) -> None:
        """Notice what happened to the calculation under way."""
        calculation = self.calculations[-1]
        # first whether it has ended: it may end between two questions
        if not calculation.is_terminated:
            if calculation.paused:
                self.problem = f'calculation {calculation.pk} is paused: {calculation.process_status}'
            else:
                self._live.follow(calculation)
        elif calculation.is_finished_ok:
            self._live.values = calculation.outputs.output_parameters['convergence_group']['rms_all_iterations']
        else:
            last_words = (calculation.exception or 'it was killed').strip().splitlines()[-1]
            reason = calculation.exit_message or last_words
            self.problem = f'calculation {calculation.pk} of stage {len(self.calculations)} failed: {reason}'


def build(recipe: Recipe, code: AbstractCode, finished: Sequence[CalcJobNode]) -> ProcessBuilder:
    """The calculation of the stage after the finished ones, with the archive's own settings as inputs."""
    from aiida_kkr.calculations import KkrimpCalculation

    stage = len(finished)
    builder = KkrimpCalculation.get_builder()
    builder.code = code
    builder.parameters = recipe.parameters[stage]
    builder.impurity_info = recipe.impurity_info
    builder.host_Greenfunction_folder = recipe.host
    if finished:
        builder.parent_calc_folder = finished[-1].outputs.remote_folder
    else:
        builder.impurity_potential = recipe.start_potential
    builder.metadata.label = f'{recipe.symbol} in the host, stage {stage + 1}'
    builder.metadata.description = 'aiida-mlkkr demo'
    builder.metadata.options = {
        'parser_name': PARSER,
        'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
        'withmpi': bool(code.with_mpi),
        'max_wallclock_seconds': _WALLTIME_SECONDS,
        'environment_variables': {'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1'},
    }
    return builder


def find_calculation(recipe: Recipe, code: AbstractCode, finished: Sequence[CalcJobNode]) -> CalcJobNode | None:
    """A finished or running calculation with exactly the inputs of the next stage, the finished ones first."""
    from aiida import orm

    if finished:
        start, label = finished[-1].outputs.remote_folder, 'parent_calc_folder'
    else:
        start, label = recipe.start_potential, 'impurity_potential'
    inputs = {
        'code': code,
        'parameters': recipe.parameters[len(finished)],
        'impurity_info': recipe.impurity_info,
        'host_Greenfunction_folder': recipe.host,
        label: start,
    }
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={'attributes.parser_name': PARSER}, tag='calculation')
    for name, node in inputs.items():
        query.append(orm.Node, filters={'id': node.pk}, with_outgoing='calculation', edge_filters={'label': name})
    query.order_by({'calculation': {'id': 'desc'}})
    query.add_projection('calculation', '*')
    candidates = [node for node in query.all(flat=True) if node.is_finished_ok or not node.is_terminated]
    return min(candidates, key=lambda node: not node.is_finished_ok, default=None)


def lost_calculations(runs: Sequence[ImpurityRun]) -> list[ProcessNode]:
    """Calculations under way that the broker has no task for, so that no daemon would go on with them.

    To be called while the daemon is off: the queue of a broker that runs must not be looked into.
    """
    from aiida.engine.processes.control import get_process_tasks
    from aiida.manage import get_manager

    broker = get_manager().get_broker()
    tasks = set(get_process_tasks(broker)) if broker is not None else set()
    begun = [run.calculations[-1] for run in runs if run.is_running]
    return [calculation for calculation in begun if calculation.pk not in tasks]


def run_all(
    runs: Sequence[ImpurityRun], daemon: DaemonClient, report: Callable[[], None], check: Callable[[], None]
) -> None:
    """Bring every run to its end, as many at a time as there are cores.

    :param report: called after every look at the calculations.
    :param check: called likewise; an exception that it raises ends the waiting, the calculations go on.
    :raises DemoError: the daemon stopped.
    """
    slots = len(os.sched_getaffinity(0))
    next_check = time.monotonic() + _DAEMON_CHECK_SECONDS
    while any(run.is_waiting or run.is_running for run in runs):
        for run in runs:
            if run.is_running:
                run.look()
            if run.is_waiting and sum(other.is_running for other in runs) < slots:
                run.submit()
        report()
        check()
        if time.monotonic() > next_check:
            next_check = time.monotonic() + _DAEMON_CHECK_SECONDS
            if not daemon.is_daemon_running:
                raise DemoError(
                    'the daemon stopped; what was computed is kept. Start the demo again to go on '
                    f'(log: {daemon.daemon_log_file}).'
                )
        time.sleep(_POLL_SECONDS)
    report()
