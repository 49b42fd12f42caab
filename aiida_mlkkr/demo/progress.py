"""Progress of the runs on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich import box
from rich.console import Console
from rich.live import Live
from rich.status import Status
from rich.table import Table
from rich.text import Text

from aiida_mlkkr.demo.runs import SCHEDULES, STARTS, ScfRun


class RunsProgress:
    """A table with a row for each impurity: iterations and error of the potential of each of its runs.

    Where the output is no terminal, one line is printed for each run that ended.
    """

    def __init__(self, console: Console, runs: Sequence[ScfRun]) -> None:
        self._console = console
        self._runs = list(runs)
        self._ended: set[str] = set()
        self._live = Live(self._table(), console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> RunsProgress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self) -> None:
        """Show where every run is."""
        if self._console.is_terminal:
            self._live.update(self._table(), refresh=True)
            return
        for run in self._runs:
            if run.name not in self._ended and (run.has_result or run.problem is not None):
                self._ended.add(run.name)
                self._console.print(f'{run.name}: {run.iterations} iterations, {_outcome(run)}', markup=False)

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column('')
        for schedule in SCHEDULES:
            for start in STARTS:
                table.add_column(f'{schedule} schedule\n{start} start', min_width=16, no_wrap=True)
        for symbol in dict.fromkeys(run.recipe.symbol for run in self._runs):
            cells = {(run.schedule, run.start): _cell(run) for run in self._runs if run.recipe.symbol == symbol}
            row = [cells.get((schedule, start), Text()) for schedule in SCHEDULES for start in STARTS]
            table.add_row(Text(symbol, 'bold'), *row)
        return table


class StepsProgress:
    """A line that says in words how far something is; where the output is no terminal, a line for every change."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        self._name = name
        self._said = ''
        self._status = Status('', console=console)

    def __enter__(self) -> StepsProgress:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._status.stop()

    def update(self, words: str) -> None:
        """Show where it is."""
        if self._console.is_terminal:
            self._status.update(f'{self._name}: {words}')
        elif words != self._said:
            self._console.print(f'{self._name}: {words}', markup=False, highlight=False)
        self._said = words


def _outcome(run: ScfRun) -> str:
    assert run.node is not None
    if run.problem is not None:
        return 'failed'
    if not run.node.is_finished_ok:
        return 'not converged'
    return 'reused' if run.reused else 'done'


def _cell(run: ScfRun) -> Text:
    if run.is_waiting:
        return Text('·', 'dim')
    if run.is_running:
        error = '' if run.error is None else f'  {run.error:.1e}'
        return Text(f'{run.iterations:>4}{error}', 'cyan')
    outcome = _outcome(run)
    return Text(f'{run.iterations:>4}  {outcome}', 'green' if outcome in ('done', 'reused') else 'red')
