"""Progress of the runs on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from aiida_mlkkr.demo.runs import ImpurityRun


class RunsProgress:
    """A bar for each impurity: iterations against those that JuKKR needed, and the error of the potential.

    Where the output is no terminal, one line is printed for each impurity that ended.
    """

    def __init__(self, console: Console, runs: Sequence[ImpurityRun], expected: Sequence[int]) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn('{task.description:<3}'),
            BarColumn(bar_width=30, complete_style='cyan', finished_style='green', pulse_style='bright_black'),
            TextColumn('iteration {task.completed:>3.0f}'),
            TextColumn('error {task.fields[error]:<8}'),
            TextColumn('{task.fields[state]}'),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._runs = list(runs)
        self._tasks: list[TaskID] = [
            self._bars.add_task(run.symbol, total=total, start=False, error='', state='waiting')
            for run, total in zip(runs, expected, strict=True)
        ]
        self._ended: set[str] = set()

    def __enter__(self) -> RunsProgress:
        self._bars.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.__exit__(kind, error, trace)

    def update(self) -> None:
        """Show where every run is."""
        for run, task in zip(self._runs, self._tasks, strict=True):
            if run.symbol in self._ended or not run.calculations:
                continue
            self._bars.start_task(task)
            bar = self._bars.tasks[self._tasks.index(task)]
            ended = run.is_done or run.problem is not None
            self._bars.update(
                task,
                completed=run.iterations,
                total=run.iterations if run.is_done else max(bar.total or 0, run.iterations),
                error='' if run.error is None else f'{run.error:.1e}',
                state=_state(run),
            )
            if ended:
                self._ended.add(run.symbol)
                self._bars.stop_task(task)
                if not self._console.is_terminal:
                    self._console.print(f'{run.symbol}: {run.iterations} iterations, {_state(run)}', markup=False)


def _state(run: ImpurityRun) -> str:
    if run.problem is not None:
        return 'failed'
    if run.is_done:
        return 'reused' if run.reused == run.stages else 'done'
    return f'stage {len(run.calculations)} of {run.stages}'
