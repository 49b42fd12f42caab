"""`aiida-mlkkr show exchange`, and where the commands on exchange take their pairs from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_mlkkr.cli import options

if TYPE_CHECKING:
    from rich.table import Table

    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.table import ExchangeTable

WHAT = (
    'pk, UUID or label of a workchain with an output exchange, of its ExchangeData or of a group of them, or a CSV file'
)


@click.command('exchange')
@options.PROFILE()
@click.argument('what', metavar='WHAT...', nargs=-1, required=True)
@click.option(
    '--convention',
    'name',
    metavar='NAME',
    default='aiida-mlkkr',
    show_default=True,
    help='Of the numbers that are shown; the names are in the documentation, topics/exchange.',
)
@click.option('--csv', type=click.Path(dir_okay=False, path_type=Path), help='Write the pairs, in our convention.')
@click.option(
    '--spirit', type=click.Path(dir_okay=False, path_type=Path), help='Write a file of interaction pairs for Spirit.'
)
@click.option(
    '--neglected',
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    metavar='MEV',
    help='Up to which size S and B may be left out where a convention has no place for them, Spirit among them.',
)
def show_exchange(what: tuple[str, ...], name: str, csv: Path | None, spirit: Path | None, neglected: float) -> None:
    """Exchange of pairs: J, and the sizes of D and S, with the moments.

    WHAT is the pk, UUID or label of a workchain with an output exchange, of its ExchangeData or of a group of them, or
    a CSV file; several are put together, if they are of one host. |S| is the root of the sum of the squares of the nine
    elements; the spread is by how much the diagonal elements of the tensor are uncertain. Where pairs were predicted,
    half widths of 90 % intervals of J and of |ΔD| follow, and whether a pair is none that the model has learnt about:
    they do not hold there. All three are in meV of our convention.
    """
    from rich.console import Console

    from aiida_mlkkr.exchange.conventions import CONVENTIONS
    from aiida_mlkkr.exchange.errors import ExchangeError
    from aiida_mlkkr.exchange.spirit import write_spirit_pairs

    if name not in CONVENTIONS:
        raise click.BadParameter(f'{name} is none of {", ".join(CONVENTIONS)}', param_hint='--convention')
    try:
        table = find_table(what)
        shown = pairs_shown(table, name, neglected)
        if csv is not None:
            table.write_csv(csv)
        if spirit is not None:
            write_spirit_pairs(table, spirit, neglected)
    except (ExchangeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    console = Console()
    console.print(f'{table.host}, {len(table.pairs)} pairs, by {table.method}', markup=False, highlight=False)
    console.print(shown, markup=False)
    console.print(convention_text(name), markup=False, highlight=False, soft_wrap=True)


def find_table(what: Sequence[str]) -> ExchangeTable:
    """The pairs that are meant, in one table.

    :raises click.BadParameter: there are none.
    :raises ExchangeError: a file or node is damaged, or they are of different hosts.
    """
    from aiida_mlkkr.exchange.tables import joined, read_csv

    tables = []
    for item in what:
        from_file = Path(item).is_file()
        tables += [read_csv(Path(item))] if from_file else [node.table for node in exchange_nodes(item)]
    return tables[0] if len(tables) == 1 else joined(tables)


def convention_text(name: str) -> str:
    """What the numbers of a convention mean."""
    from aiida_mlkkr.exchange.conventions import CONVENTIONS

    convention = CONVENTIONS[name]
    axis = 'along the moments' if convention.along_moments else 'along the axis of the spins up'
    sign = 'ferromagnetic' if convention.j < 0 else 'antiferromagnetic'
    return f'{name}, in {convention.unit}: H = {convention.hamiltonian}; e {axis}, J > 0 is {sign}'


def pairs_shown(table: ExchangeTable, name: str, neglected: float) -> Table:
    """One row for each pair, closest first.

    :raises ExchangeError: the convention has no place for a term that is larger than what may be neglected.
    """
    import numpy as np
    from rich import box
    from rich.table import Table

    from aiida_mlkkr.exchange.conventions import CONVENTIONS, convert, without_small

    convention = CONVENTIONS[name]
    terms = convert(without_small(table.terms(), convention, neglected), convention)
    with_b, unit = terms.b is not None, convention.unit
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    titles = ['pair', 'sites', 'R (Å)', 'm_i (µB)', 'm_j (µB)', f'J ({unit})', f'|D| ({unit})', f'|S| ({unit})']
    predicted = table.origins if table.origins is not None and table.origins.predicted.any() else None
    last = ['spread (meV)'] + ['± J (meV)', '± D (meV)', 'origin'] * (predicted is not None)
    for title in titles + ['B'] * with_b + last:
        shown.add_column(title, justify='left' if title in ('pair', 'sites', 'origin') else 'right')
    digits = 3 if unit == 'meV' else 8
    for k in np.argsort(table.distances, kind='stable').tolist():
        i, j = table.pairs[k].tolist()
        sizes = [float(terms.j[k]), float(np.linalg.norm(terms.d[k]))]
        sizes += [] if terms.s is None else [float(np.linalg.norm(terms.s[k]))]
        energies = [f'{size:.{digits}f}' for size in sizes] + ['–'] * (terms.s is None)
        energies += [f'{terms.b[k]:.{digits}f}'] if terms.b is not None else []
        moments = [f'{table.moments[site]:.3f}' for site in (i, j)]
        where = [f'{table.elements[i]}-{table.elements[j]}', f'{i}-{j}', f'{table.distances[k]:.3f}']
        said = [] if predicted is None else _said(predicted.row(k))
        shown.add_row(*where, *moments, *energies, f'{table.spread[k]:.3f}', *said)
    return shown


def _said(origin: dict[str, Any]) -> list[str]:
    """Uncertainties and origin of a pair."""
    if origin['origin'] == 'computed':
        return ['', '', 'computed']
    of_d = origin['D_uncertainty_meV']
    widths = [f'{origin["uncertainty_meV"]:.3f}', '–' if of_d is None else f'{of_d:.3f}']
    return [*widths, 'predicted, not learnt' if origin['outside'] else 'predicted']


def exchange_nodes(item: str) -> list[ExchangeData]:
    """The exchange of a node or of the nodes of a group.

    :raises click.BadParameter: there is none.
    """
    from aiida_mlkkr.cli.campaign import nodes_of

    try:
        found = [data for node in nodes_of(item, 'WHAT') if (data := _exchange_of(node)) is not None]
    except ValueError as error:
        raise click.BadParameter(f'{error}; give the {WHAT}', param_hint='WHAT') from error
    if not found:
        raise click.BadParameter(f'{item} has no exchange; give the {WHAT}', param_hint='WHAT')
    return found


def _exchange_of(node: Any) -> ExchangeData | None:
    from aiida.orm import ProcessNode

    from aiida_mlkkr.data.exchange import ExchangeData

    found = node.outputs.exchange if isinstance(node, ProcessNode) and 'exchange' in node.outputs else node
    return found if isinstance(found, ExchangeData) else None
