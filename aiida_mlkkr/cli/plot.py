"""`aiida-mlkkr plot`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.exchange import find_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_mlkkr.exchange.table import ExchangeTable

_MOST_CURVES = 8


@click.group('plot')
def plot() -> None:
    """Draw what there is."""


@plot.command('exchange')
@options.PROFILE()
@click.argument('what', metavar='[WHAT]...', nargs=-1)
@click.option(
    '--as',
    'kind',
    type=click.Choice(['elements', 'distance', 'vectors']),
    default='elements',
    show_default=True,
    help='J over both elements, a panel for each shell; J over the distance with its tail; or D in space.',
)
@click.option('--pairs', metavar='LIST', help="Only these, such as 'Mn-Mn,Mn-Fe'.")
@click.option('--shells', type=click.IntRange(1), metavar='NUMBER', help='Only the closest ones, with --as elements.')
@click.option('--tail/--no-tail', default=True, show_default=True, help='Whether A cos(2 k_F R + φ)/R³ is fitted.')
@click.option('--k-fermi', type=click.FloatRange(0, min_open=True), metavar='K', help='k_F in 1/Å.  [default: fitted]')
@options.FIGURE(default=Path('exchange.png'))
def plot_exchange(
    what: tuple[str, ...],
    kind: str,
    pairs: str | None,
    shells: int | None,
    tail: bool,
    k_fermi: float | None,
    output: Path,
) -> None:
    """Draw the exchange of pairs.

    WHAT is as for `show exchange`; without it, the pairs in copper that come with the package are drawn. All energies
    are in the convention of `show exchange`: J > 0 is ferromagnetic.
    """
    from aiida_mlkkr.exchange.errors import ExchangeError
    from aiida_mlkkr.exchange.tables import copper_pairs
    from aiida_mlkkr.exchange.views import chosen

    draw: dict[str, Callable[[ExchangeTable], Figure]] = {
        'elements': lambda table: _elements(table, shells),
        'distance': lambda table: _distance(table, tail, k_fermi),
        'vectors': _vectors,
    }
    try:
        table = find_table(what) if what else copper_pairs()
        if pairs is not None:
            table = chosen(table, _pairs(pairs))
        draw[kind](table).savefig(output)
    except (ExchangeError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f'{len(table.pairs)} pairs in {table.host}: {output}')


def _elements(table: ExchangeTable, shells: int | None) -> Figure:
    from aiida_mlkkr.exchange.views import j_of_shells
    from aiida_mlkkr.plot.exchange import heat_map_figure

    found = list(j_of_shells(table).items())[:shells]
    return heat_map_figure({f'R = {distance:.2f} Å': pairs for distance, pairs in found})


def _distance(table: ExchangeTable, tail: bool, k_fermi: float | None) -> Figure:
    """The figure; the parameters of the tails are printed."""
    from aiida_mlkkr.exchange.rkky import fit_tail
    from aiida_mlkkr.exchange.views import j_over_distance
    from aiida_mlkkr.plot.exchange import distance_figure, fine_distances

    curves = j_over_distance(table)
    if len(curves) > _MOST_CURVES:
        raise ValueError(f'{len(curves)} curves are too many for a figure; choose up to {_MOST_CURVES} with --pairs')
    tails = {}
    for name, (r, j) in curves.items() if tail else ():
        fitted = fit_tail(r, j, k_fermi)
        fine = fine_distances(r)
        tails[name] = fine, fitted.j(fine)
        click.echo(
            f'{name}: A = {fitted.amplitude:.4g} meV Å³, k_F = {fitted.k_fermi:.4f} 1/Å, φ = {fitted.phase:.3f}, left '
            f'of J R³ {fitted.residual:.3g} meV Å³ (rms of {len(r)} pairs)'
        )
    return distance_figure(curves, tails)


def _vectors(table: ExchangeTable) -> Figure:
    from aiida_mlkkr.plot.exchange import vectors_figure

    terms = table.terms()
    return vectors_figure(table.positions, table.elements, table.pairs, terms.j, terms.d)


def _pairs(names: str) -> list[tuple[str, str]]:
    pairs = [tuple(name.strip().split('-')) for name in names.split(',')]
    if not all(len(pair) == 2 for pair in pairs):
        raise ValueError(f'--pairs {names}: two elements joined by a hyphen are one pair, and commas are between them')
    return [(pair[0], pair[1]) for pair in pairs]
