"""`aiida-mlkkr launch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from aiida.cmdline.params import types

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.workchains import host_inputs, run_or_submit

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Node, ProcessNode

    from aiida_mlkkr.data.surrogate import SurrogateData

SIGNS = {'+': 1, '-': -1, '0': 0}


@click.group('launch')
def launch() -> None:
    """Run workchains, or submit them to the daemon."""


@launch.command('cluster')
@options.PROFILE()
@options.HOST()
@options.KKR()
@options.ELEMENTS(required=True, help="Impurities, such as 'Mn,Fe'; one for all sites.")
@options.PATTERN()
@options.SHELL()
@click.option('--number', type=click.IntRange(1), help='Number of impurities of a chain, a ring or a random filling.')
@click.option('--centre', type=click.IntRange(0), help="Atom of the host's cell to begin at, from 0.  [default: 0]")
@click.option('--radius', type=float, help='Radius in Å of the region that is filled at random.')
@click.option('--seed', type=int, help='Seed of the random filling.')
@click.option(
    '--site',
    'sites',
    multiple=True,
    metavar='ATOM,N,M,L',
    help="Instead of a pattern: atom of the host's cell (from 0) and lattice vector of each impurity; once for each.",
)
@click.option(
    '--state',
    default=None,
    metavar='STATE',
    help="ferro, antiferro, free (begun parallel), or signs such as '+-+'; 0 for no moment.  [default: ferro]",
)
@click.option(
    '--single',
    'singles',
    multiple=True,
    type=types.NodeParamType(),
    help='A finished process of one of the impurities alone in the host, to start from; can be given several times.',
)
@options.EMULATOR()
@options.KKRIMP()
@options.protocol('cluster')
@options.SCREENING()
@click.option('--no-exchange', is_flag=True, help='The self-consistency alone.')
@options.DAEMON()
def cluster(
    host: Node,
    kkr: AbstractCode | None,
    elements: str,
    pattern: str,
    sites: tuple[str, ...],
    state: str | None,
    singles: tuple[ProcessNode, ...],
    emulator: SurrogateData | None,
    code: AbstractCode | None,
    protocol: str | None,
    screening: int | None,
    no_exchange: bool,
    daemon: bool,
    **arguments: Any,
) -> None:
    """Several impurities in a host: their self-consistency, and the exchange between them."""
    from aiida_mlkkr.demo.codes import embedded_solver
    from aiida_mlkkr.demo.errors import DemoError
    from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain

    wish = _wish(elements, pattern, sites, {key: value for key, value in arguments.items() if value is not None})
    overrides: dict[str, Any] = {'exchange': False} if no_exchange else {}
    if screening is not None:
        overrides['screening'] = {'shells': screening}
    try:
        builder = KkrClusterWorkChain.get_builder_from_protocol(
            code or embedded_solver(),
            wish,
            singles=singles,
            emulator=emulator,
            magnetic_state=state if state in (None, 'ferro', 'antiferro', 'free') else _signs(state),
            protocol=protocol,
            overrides=overrides,
            **host_inputs(host, kkr),
        )
    except (ValueError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    run_or_submit(builder, daemon, 'results', _show)


def _wish(elements: str, pattern: str, sites: tuple[str, ...], arguments: dict[str, Any]) -> Any:
    names = [name.strip() for name in elements.split(',')]
    if not sites:
        return {'pattern': pattern, 'elements': names, **arguments}
    if arguments:
        raise click.BadParameter(f'{", ".join(arguments)} belong to a pattern', param_hint='--site')
    if len(names) not in (1, len(sites)):
        raise click.BadParameter(f'{len(names)} elements for {len(sites)} sites', param_hint='--elements')
    names = names if len(names) == len(sites) else names * len(sites)
    return [{'element': name, **_place(site)} for name, site in zip(names, sites, strict=True)]


def _place(site: str) -> dict[str, Any]:
    try:
        atom, n, m, l = (int(word) for word in site.split(','))
    except ValueError as error:
        raise click.BadParameter(f'{site} is not four integers, such as 0,1,0,0', param_hint='--site') from error
    return {'site': atom, 'cell': (n, m, l)}


def _signs(state: str) -> list[int]:
    if not set(state) <= SIGNS.keys():
        raise ValueError(f'--state is ferro, antiferro, free or signs such as +-+, not {state}')
    return [SIGNS[sign] for sign in state]


def _show(node: ProcessNode) -> None:
    """Moments and exchange, where there are any."""
    results = node.outputs.results.get_dict()
    for row in results['impurities']:
        moment = 'no moment' if row['spin_moment'] is None else f'{row["spin_moment"]:.4f} mu_B'
        click.echo(f'{row["element"]:<2} {row["charge"]:.4f} e, {moment}')
    for row in results['pairs']:
        d = ' '.join(f'{row[f"D{axis}_meV"]:.3f}' for axis in 'xyz')
        click.echo(
            f'{row["element_i"]}-{row["element_j"]} at {row["distance_A"]:.3f} Å: J = {row["J_meV"]:.3f} meV, '
            f'D = ({d}) meV'
        )
    if results['pairs']:
        click.echo(f'H = {results["convention"]}')
