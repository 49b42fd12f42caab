"""`aiida-mlkkr fill-exchange`."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.campaign import failure, group_of, leave, listed, nodes_of, run_plan, show_outcomes
from aiida_mlkkr.cli.files import read_mapping

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Group, Node
    from rich.console import Console

    from aiida_mlkkr.campaign.dimers import DimerPlan
    from aiida_mlkkr.campaign.runs import Outcome
    from aiida_mlkkr.workflows.exchange.dimers import DimerShape, PlannedDimer

GROUP = 'mlkkr-exchange'


@click.command('fill-exchange')
@options.PROFILE()
@options.HOST(help='The host: a finished calculation or workchain of KKRhost, its remote folder, or a write-out.')
@options.KKR(help='KKRhost, which writes out the host.  [default: mlkkr-kkrhost]')
@options.ELEMENTS(required=True, help="Impurities, such as 'V-Ni,Ru': all their pairs.")
@click.option(
    '--shells', type=click.IntRange(1), default=1, show_default=True, metavar='NUMBER', help='Up to which shell.'
)
@click.option(
    '-s',
    '--singles',
    multiple=True,
    metavar='WHAT',
    help='Converged impurities alone in the host, to start from: a group or a workchain; can be given several times.  '
    '[default: free atoms]',
)
@options.SCREENING()
@options.KKRIMP()
@options.CALCULATION_OPTIONS()
@options.FILLED_GROUP(default=GROUP)
@options.JOBS()
@options.protocol('cluster')
@options.OUTPUT(help='Write all pairs of the group to this CSV.')
@options.DRY_RUN()
def fill_exchange(
    host: Node,
    kkr: AbstractCode | None,
    elements: str,
    shells: int,
    singles: tuple[str, ...],
    screening: int | None,
    code: AbstractCode | None,
    options_file: Path | None,
    label: str,
    jobs: int | None,
    protocol: str,
    output: Path | None,
    dry_run: bool,
) -> None:
    """Fill a table of exchange interactions: all pairs of elements on the first shells of a host.

    Each pair is a workchain `mlkkr.cluster` in a group; pairs on one shell share a write-out of the host. The moments
    begin parallel; one that turns or vanishes is in the table as it is. What the group has already is not run again;
    what failed before is tried again. Ctrl-C lets the runs under way come to their end and begins no new one; the same
    command goes on from there.
    """
    from rich.console import Console

    from aiida_mlkkr.campaign.exchange import ExchangeFilling
    from aiida_mlkkr.campaign.fill import cores
    from aiida_mlkkr.demo.codes import embedded_solver, host_writer
    from aiida_mlkkr.demo.errors import DemoError
    from aiida_mlkkr.workflows.exchange.dimers import single_impurities

    given = {} if options_file is None else read_mapping(options_file, '--options')
    console, at_a_time = Console(), jobs or cores()
    try:
        around = _screening(screening, protocol)
        plan = _plan(host, elements, shells, around, label)
        alone = single_impurities(node for item in singles for node in nodes_of(item, '--singles')) if singles else {}
        _show_plan(console, plan, alone)
        if dry_run:
            return
        filling = ExchangeFilling(
            code=code or embedded_solver(),
            kkr=kkr or host_writer(),
            group=group_of(label),
            screening=around,
            singles=alone,
            protocol=protocol,
            options=given,
        )
        outcomes, interrupted = run_plan(
            console, lambda goes_on: filling.run(plan, at_a_time, goes_on), len(plan.missing), at_a_time, _line
        )
    except (ValueError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    show_outcomes(console, outcomes)
    _show_group(console, filling.group, output)
    leave(outcomes, interrupted)


def _screening(shells: int | None, protocol: str) -> dict[str, Any]:
    from aiida_mlkkr.workflows.protocols import protocol_inputs

    return protocol_inputs('cluster', protocol)['screening'] if shells is None else {'shells': shells, 'radius': None}


def _plan(host: Node, elements: str, shells: int, screening: dict[str, Any], label: str) -> DimerPlan:
    from aiida.orm import Group, QueryBuilder

    from aiida_mlkkr.campaign.dimers import compare_dimers
    from aiida_mlkkr.campaign.plan import parse_elements
    from aiida_mlkkr.workflows.exchange.dimers import converged_host, dimer_shape, wanted_dimers

    charges, folder = parse_elements(elements), converged_host(host)
    shapes = [dimer_shape(folder, shell, screening) for shell in range(1, shells + 1)]
    group = QueryBuilder().append(Group, filters={'label': label}).first(flat=True)
    return compare_dimers([pair for shape in shapes for pair in wanted_dimers(shape, charges)], group)


def _show_plan(console: Console, plan: DimerPlan, alone: Container[int]) -> None:
    from rich import box
    from rich.table import Table

    from aiida_mlkkr.kkr.elements import symbol

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ('pairs', 'there already', 'to be run'):
        table.add_column(title)
    for shape in dict.fromkeys(pair.shape for pair in (*plan.there, *plan.missing)):
        there, missing = (listed(_names(pairs, shape)) for pairs in (plan.there, plan.missing))
        table.add_row(shape.name, there, missing)
    console.print(table, markup=False)
    without = [symbol(z) for z in sorted({z for pair in plan.missing for z in pair.charges}) if z not in alone]
    if without:
        console.print(
            f'Pairs with {", ".join(without)} start from free atoms: give --singles.', markup=False, highlight=False
        )


def _names(pairs: Iterable[PlannedDimer], shape: DimerShape) -> list[str]:
    from aiida_mlkkr.kkr.elements import symbol

    return ['-'.join(map(symbol, pair.charges)) for pair in pairs if pair.shape is shape]


def _line(outcome: Outcome[PlannedDimer]) -> str:
    if outcome.problem or outcome.node is None:
        return failure(outcome)
    results = outcome.node.outputs.results
    (pair,) = results['pairs']
    return (
        f'{outcome.planned.name}: J = {pair["J_meV"]:.3f} meV, moments {pair["moment_i_muB"]:.3f} and '
        f'{pair["moment_j_muB"]:.3f} µB, {outcome.iterations} iterations from the {results["start"]} start, '
        f'{outcome.seconds:.0f} s (workchain {outcome.node.pk})'
    )


def _show_group(console: Console, group: Group, output: Path | None) -> None:
    from aiida_mlkkr.campaign.exchange import table_of_group
    from aiida_mlkkr.exchange.errors import ExchangeError

    try:
        table = table_of_group(group)
    except ExchangeError as error:
        console.print(f'no table: {error}', markup=False)
        return
    where = ''
    if output is not None:
        table.write_csv(output)
        where = f', written to {output}'
    console.print(
        f'Group {group.label!r}: the exchange of {len(table.pairs)} pairs{where}.',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
