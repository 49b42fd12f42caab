"""`aiida-mlkkr launch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from aiida.cmdline.params import options, types

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode, Node, ProcessNode, RemoteData

    from aiida_mlkkr.data.surrogate import SurrogateData

PATTERNS = ('dimer', 'trimer', 'chain', 'ring', 'random')
SIGNS = {'+': 1, '-': -1, '0': 0}


@click.group('launch')
def launch() -> None:
    """Run workchains, or submit them to the daemon."""


@launch.command('cluster')
@options.PROFILE(type=types.ProfileParamType(load_profile=True), expose_value=False)
@click.option(
    '-H',
    '--host',
    type=types.NodeParamType(),
    required=True,
    help='The host: a finished calculation of KKRhost (or its remote folder), a write-out of its Green function or the '
    'converged host itself, whose Green function is then found in the database or written out with --kkr.',
)
@click.option(
    '-k', '--kkr', type=types.CodeParamType(entry_point='kkr.kkr'), help='KKRhost, which writes out the host.'
)
@click.option('-e', '--elements', required=True, metavar='LIST', help="Impurities, such as 'Mn,Fe'; one for all sites.")
@click.option('--pattern', type=click.Choice(PATTERNS), default='dimer', show_default=True, help='Where they are.')
@click.option('--shell', type=click.IntRange(1), help='Shell that neighbours are on, from 1.  [default: 1]')
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
@click.option(
    '--emulator',
    type=types.DataParamType(sub_classes=('aiida.data:mlkkr.surrogate',)),
    help='A trained model that predicts the start potential.',
)
@click.option(
    '--kkrimp',
    'code',
    type=types.CodeParamType(entry_point='kkr.kkrimp'),
    help='A KKRimp code to run instead of the embedded solver.',
)
@click.option('--protocol', help='balanced, precise or fast.  [default: balanced]')
@click.option('--screening', type=click.IntRange(0), help='Shells of host atoms around each impurity; 0 for none.')
@click.option('--no-exchange', is_flag=True, help='The self-consistency alone.')
@click.option('-d', '--daemon', is_flag=True, help='Submit to the daemon instead of running it here.')
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
    from aiida.engine import run_get_node, submit

    from aiida_mlkkr.demo.errors import DemoError

    wish = _wish(elements, pattern, sites, {key: value for key, value in arguments.items() if value is not None})
    overrides: dict[str, Any] = {'exchange': False} if no_exchange else {}
    if screening is not None:
        overrides['screening'] = {'shells': screening}
    try:
        builder = _builder(
            host,
            wish,
            code=code or _embedded_solver(),
            kkr=kkr,
            singles=singles,
            emulator=emulator,
            magnetic_state=state if state in (None, 'ferro', 'antiferro', 'free') else _signs(state),
            protocol=protocol,
            overrides=overrides,
        )
    except (ValueError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    if daemon:
        click.echo(f'submitted: workchain {submit(builder).pk}')
        return
    _, node = run_get_node(builder)
    _show(node)
    if not node.is_finished_ok:
        raise click.ClickException(f'workchain {node.pk} ended with {node.exit_status}: {node.exit_message}')


def _builder(host: Node, wish: Any, **inputs: Any) -> ProcessBuilder:
    from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain

    folder = remote_folder(host)
    if 'impurity_info' in folder.creator.inputs:
        inputs |= {'host_greenfunction': folder, 'kkr': None}
    else:
        inputs['host'] = folder
    return KkrClusterWorkChain.get_builder_from_protocol(impurities=wish, **inputs)


def remote_folder(host: Any) -> RemoteData:
    """Remote folder of a host or its write-out; :raises ValueError: it is neither."""
    from aiida.orm import ProcessNode

    names = ('host_greenfunction', 'GF_host_remote', 'last_RemoteData', 'remote_folder')
    found = [host.outputs[name] for name in names if name in host.outputs] if isinstance(host, ProcessNode) else [host]
    if not found or getattr(found[0], 'creator', None) is None:
        raise ValueError(f'{host} is no calculation of KKRhost, and no remote folder of one')
    return found[0]


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


def _embedded_solver() -> AbstractCode:
    from aiida_mlkkr.demo.codes import embedded_solver

    return embedded_solver()


def _show(node: ProcessNode) -> None:
    """Moments and exchange, where there are any."""
    if 'results' not in node.outputs:
        return
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
