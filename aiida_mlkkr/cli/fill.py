"""`aiida-mlkkr fill`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.campaign import failure, group_of, leave, listed, nodes_of, run_plan, show_outcomes
from aiida_mlkkr.cli.files import read_mapping
from aiida_mlkkr.cli.train import show_dropped

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Group
    from rich.console import Console

    from aiida_mlkkr.campaign.plan import ImpurityPlan, PlannedImpurity
    from aiida_mlkkr.campaign.runs import Outcome
    from aiida_mlkkr.data.dataset import ImpurityDatasetData
    from aiida_mlkkr.data.surrogate import SurrogateData

GROUP = 'mlkkr-fill'


@click.command('fill')
@options.PROFILE()
@click.option(
    '-H',
    '--host',
    'hosts',
    multiple=True,
    required=True,
    metavar='WHAT',
    help='Write-outs of host Green functions: a group, or the pk or UUID of a write-out, of its remote folder, or of '
    'a workchain that has one; can be given several times.',
)
@options.ELEMENTS(
    help="Impurities, such as 'Sc-Zn,Al'.  [default: all up to U without open shells beyond the host's lmax]",
)
@click.option(
    '--pairs',
    'shells',
    type=click.IntRange(1),
    multiple=True,
    metavar='SHELL',
    help='Pairs of these elements, too, the second one on this shell around the first (1: nearest neighbours); can be '
    'given several times.',
)
@click.option('--no-singles', is_flag=True, help='Pairs only.')
@options.KKRIMP()
@options.CALCULATION_OPTIONS()
@options.FILLED_GROUP(default=GROUP)
@options.JOBS()
@options.protocol('imp_scf')
@options.EMULATOR()
@click.option(
    '--learn',
    'learn_every',
    type=click.IntRange(1),
    default=None,
    metavar='NUMBER',
    help='Train a new emulator on the group after so many new solutions, for the starts of the next ones.',
)
@options.OUTPUT(
    help='Write all impurities of the group to this file, too, to pass them on (.safetensors); of sites that are alike '
    'by symmetry one stands in it for all.',
)
@options.DRY_RUN()
def fill(
    hosts: tuple[str, ...],
    elements: str | None,
    shells: tuple[int, ...],
    no_singles: bool,
    code: AbstractCode | None,
    options_file: Path | None,
    label: str,
    jobs: int | None,
    protocol: str,
    emulator: SurrogateData | None,
    learn_every: int | None,
    output: Path | None,
    dry_run: bool,
) -> None:
    """Fill a dataset: impurities of the periodic table in the hosts at hand, each a workchain of its own.

    What the database has already, of the same impurities in the same write-out, is not run again, whoever calculated
    it; what failed before is tried again. Ctrl-C lets the runs under way come to their end and begins no new one; the
    same command goes on from there. At the end the datasets are made that `aiida-mlkkr train` learns from.
    """
    from rich.console import Console

    from aiida_mlkkr.campaign.fill import Filling, cores
    from aiida_mlkkr.demo.codes import embedded_solver
    from aiida_mlkkr.demo.errors import DemoError

    if no_singles and not shells:
        raise click.UsageError('--no-singles leaves nothing to run without --pairs.')
    given = {} if options_file is None else read_mapping(options_file, '--options')
    console = Console()
    try:
        plan = _plan(console, hosts, elements, not no_singles, shells)
        _show_plan(console, plan)
        if dry_run:
            return
        filling = Filling(
            code=code or embedded_solver(),
            group=group_of(label),
            protocol=protocol,
            options=given,
            emulator=emulator,
            learn_every=learn_every or 0,
            tell=lambda text: console.print(text, markup=False, highlight=False),
        )
        at_a_time = jobs or cores()
        outcomes, interrupted = run_plan(
            console, lambda goes_on: filling.run(plan, at_a_time, goes_on), len(plan.missing), at_a_time, _line
        )
    except (ValueError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    show_outcomes(console, outcomes)
    shards = _show_datasets(console, filling.group)
    if output is not None and shards:
        _write(console, shards, output)
    leave(outcomes, interrupted)


def _plan(
    console: Console, hosts: Sequence[str], elements: str | None, singles: bool, shells: Sequence[int]
) -> ImpurityPlan:
    from rich.progress import Progress

    from aiida_mlkkr.campaign.hosts import host_clusters
    from aiida_mlkkr.campaign.plan import compare, parse_elements, wanted

    charges = None if elements is None else parse_elements(elements)
    clusters = host_clusters([node for item in hosts for node in nodes_of(item, '--host')])
    if not clusters:
        raise ValueError(f"there is no write-out of a host's Green function in {', '.join(hosts)}")
    planned = [entry for cluster in clusters for entry in wanted(cluster, charges, singles, shells)]
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        return compare(planned, progress)


def _show_plan(console: Console, plan: ImpurityPlan) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ('host', 'impurities', 'there already', 'to be run'):
        table.add_column(title)
    hosts = {entry.host.writeout.pk: entry.host.name for entry in (*plan.there, *plan.missing)}
    for pk, name in hosts.items():
        for number, what in ((1, 'single'), (2, 'pairs')):
            there, missing = (_names(entries, pk, number) for entries in (plan.there, plan.missing))
            if there or missing:
                table.add_row(f'{name} (write-out {pk})', what, listed(there), listed(missing))
    console.print(table, markup=False)


def _names(entries: Iterable[PlannedImpurity], writeout: int | None, number: int) -> list[str]:
    from aiida_mlkkr.kkr.elements import symbol

    return [
        '-'.join(map(symbol, entry.charges))
        for entry in entries
        if entry.host.writeout.pk == writeout and len(entry.charges) == number
    ]


def _line(outcome: Outcome[PlannedImpurity]) -> str:
    if outcome.problem or outcome.node is None:
        return failure(outcome)
    results = outcome.node.outputs.results
    return (
        f'{outcome.planned.name}: {outcome.iterations} iterations from the {results["start"]} start, '
        f'{results["total_spin_moment"]:.3f} µB, {outcome.seconds:.0f} s (workchain {outcome.node.pk})'
    )


def _show_datasets(console: Console, group: Group) -> list[ImpurityDatasetData]:
    """Make the datasets of all that the group has, and say what is left out."""
    from rich.progress import Progress

    from aiida_mlkkr.query import Dropped, QueryError, find_impurities, impurity_shards, left_out

    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        found = find_impurities(group, progress=progress)
        try:
            shards = impurity_shards(found.usable, progress=progress)
        except QueryError as error:
            console.print(f'no dataset: {error}', markup=False)
            return []
    by_uuid = {impurity.uuid: impurity for impurity in found.usable}
    reasons = left_out(shards, found.usable)
    dropped = [*found.dropped, *(Dropped(by_uuid[uuid].process, why) for uuid, why in reasons.items())]
    show_dropped(console, dropped, 'are not in the datasets')
    pks = ', '.join(str(shard.pk) for shard in shards)
    console.print(
        f'Group {group.label!r}: {len(found.usable) - len(reasons)} impurities in {len(shards)} datasets ({pks}).\n'
        f'`aiida-mlkkr train --group {group.label}` learns from them.',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return shards


def _write(console: Console, shards: Sequence[ImpurityDatasetData], output: Path) -> None:
    from aiida_mlkkr.ml.dataset import merge
    from aiida_mlkkr.ml.files import write_dataset
    from aiida_mlkkr.ml.slim import different_sites

    dataset = different_sites(merge(shard.dataset for shard in shards if shard.dataset is not None))
    write_dataset(output, dataset)
    console.print(f'They are in the file {output}, too.', markup=False, highlight=False, soft_wrap=True)
