"""What the commands that run many calculations have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from aiida.orm import Group, Node
    from rich.console import Console

    from aiida_mlkkr.campaign.runs import Outcome

Outcomes = Sequence['Outcome[Any]']


def nodes_of(item: str, option: str) -> list[Node]:
    """The nodes of a group, or the one node that is meant.

    :param option: that named it.
    :raises ValueError: there is none.
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import Group, QueryBuilder, load_node

    group = QueryBuilder().append(Group, filters={'label': item}).first(flat=True)
    if group is not None:
        return list(group.nodes)
    try:
        return [load_node(item)]
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise ValueError(f'{option} {item}: there is no such group or node ({error})') from error


def group_of(label: str) -> Group:
    """A group, new if there is none of this label."""
    from aiida.orm import Group

    return Group.collection.get_or_create(label)[0]


def listed(names: Sequence[str]) -> str:
    """Their number, and the names."""
    return f'{len(names)}: {", ".join(names)}' if names else '0'


def run_plan(
    console: Console,
    runs: Callable[[Callable[[], bool]], Iterable[Outcome[Any]]],
    number: int,
    jobs: int,
    line: Callable[[Outcome[Any]], str],
) -> tuple[list[Outcome[Any]], bool]:
    """Run a plan and tell how it goes.

    :param runs: makes the runs; takes a function that is asked before each whether to go on.
    :param number: of runs.
    :param jobs: how many at a time; for more than one the daemon is started.
    :param line: what is printed of a run.
    :return: how they ended, and whether Ctrl-C was pressed.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from aiida_mlkkr.demo.interruption import Interruption

    outcomes: list[Outcome[Any]] = []
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Interruption() as interruption,
        _daemon(jobs if number else 1),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task('runs', total=number)
        for outcome in runs(lambda: not interruption.requested):
            outcomes.append(outcome)
            failed = sum(bool(entry.problem) for entry in outcomes)
            console.print(line(outcome), markup=False, highlight=False, soft_wrap=True)
            progress.update(task, advance=1, description=f'runs, {failed} failed' if failed else 'runs')
        return outcomes, len(outcomes) < number


def show_outcomes(console: Console, outcomes: Outcomes) -> None:
    """How many runs ended well, and which did not."""
    from rich import box
    from rich.table import Table

    if not outcomes:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ('host', 'run', 'converged', 'failed', 'iterations', 'seconds'):
        table.add_column(title, justify='left' if title == 'host' else 'right')
    for name in Counter(outcome.planned.where for outcome in outcomes):
        of_host = [outcome for outcome in outcomes if outcome.planned.where == name]
        good = [outcome for outcome in of_host if not outcome.problem]
        mean = f'{sum(outcome.iterations for outcome in good) / len(good):.1f}' if good else ''
        seconds = f'{sum(outcome.seconds for outcome in of_host) / len(of_host):.1f}'
        table.add_row(name, str(len(of_host)), str(len(good)), str(len(of_host) - len(good)), mean, seconds)
    console.print(table)
    for outcome in outcomes:
        if outcome.problem:
            console.print(f'failed: {failure(outcome)}', markup=False, highlight=False, soft_wrap=True)


def leave(outcomes: Outcomes, interrupted: bool) -> None:
    """Exit with the status of a filling, unless all went well."""
    if interrupted:
        click.echo('interrupted: the same command goes on from here', err=True)
        raise SystemExit(130)
    if any(outcome.problem for outcome in outcomes):
        raise SystemExit(1)


def failure(outcome: Outcome[Any]) -> str:
    """Why a run failed, in a line."""
    pk = '' if outcome.node is None else f' (workchain {outcome.node.pk})'
    return f'{outcome.planned.name}: failed, {outcome.problem}{pk}'


def _daemon(jobs: int) -> Any:
    from aiida.manage import get_manager

    from aiida_mlkkr.demo.profile import DemoProfile, running_daemon

    profile = get_manager().get_profile()
    assert profile is not None
    if jobs == 1:
        return nullcontext()
    if profile.process_control_backend is None:
        raise ValueError(
            f'profile {profile.name!r} has no broker for a daemon: give it one with `verdi profile configure-broker '
            f'core.zeromq -p {profile.name}`, or run one at a time with --jobs 1'
        )
    return running_daemon(DemoProfile(profile.name, own=False, created=False))
