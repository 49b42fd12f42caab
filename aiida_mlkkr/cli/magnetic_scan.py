"""`aiida-mlkkr launch magnetic-scan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from aiida.cmdline.params import options, types

from aiida_mlkkr.cli.launch import PATTERNS, remote_folder

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Node


@click.command('magnetic-scan')
@options.PROFILE(type=types.ProfileParamType(load_profile=True), expose_value=False)
@click.option(
    '-H',
    '--host',
    type=types.NodeParamType(),
    required=True,
    help='The host, as for `launch cluster`: a write-out of its Green function, or the converged host itself.',
)
@click.option(
    '-k', '--kkr', type=types.CodeParamType(entry_point='kkr.kkr'), help='KKRhost, which writes out the host.'
)
@click.option('-e', '--elements', required=True, metavar='LIST', help="Impurities, such as 'Mn,Fe'.")
@click.option('--pattern', type=click.Choice(PATTERNS), default='dimer', show_default=True, help='Where several are.')
@click.option('--shell', type=click.IntRange(1), help='Shell that neighbours are on, from 1.  [default: 1]')
@click.option(
    '--state',
    'states',
    multiple=True,
    metavar='NAME=LIST',
    help="Starting moments in µB, such as 'high=5,5'; once for each.  [default: all signs of the moments of the free "
    'atoms, a low moment, none]',
)
@click.option(
    '--kkrimp',
    'code',
    type=types.CodeParamType(entry_point='kkr.kkrimp'),
    help='A KKRimp code to run instead of the embedded solver.',
)
@click.option('--protocol', help='balanced, precise or fast.  [default: balanced]')
@click.option('--screening', type=click.IntRange(0), help='Shells of host atoms around each impurity; 0 for none.')
@click.option('-d', '--daemon', is_flag=True, help='Submit to the daemon instead of running it here.')
def magnetic_scan(
    host: Node,
    kkr: AbstractCode | None,
    elements: str,
    pattern: str,
    shell: int | None,
    states: tuple[str, ...],
    code: AbstractCode | None,
    protocol: str | None,
    screening: int | None,
    daemon: bool,
) -> None:
    """Which moments impurities converge to from several starting moments, and the energies of these solutions."""
    from aiida.engine import run_get_node, submit

    from aiida_mlkkr.demo.codes import embedded_solver
    from aiida_mlkkr.demo.errors import DemoError
    from aiida_mlkkr.workflows.magnetic_scan import MagneticScanWorkChain

    names = [name.strip() for name in elements.split(',')]
    wish: Any = [{'element': names[0]}] if len(names) == 1 else {'pattern': pattern, 'elements': names}
    if shell is not None and len(names) > 1:
        wish['shell'] = shell
    try:
        folder = remote_folder(host)
        written = 'impurity_info' in folder.creator.inputs
        place = {'host_greenfunction': folder} if written else {'host': folder, 'kkr': kkr}
        builder = MagneticScanWorkChain.get_builder_from_protocol(
            code or embedded_solver(),
            wish,
            states=dict(_state(text) for text in states) or None,
            protocol=protocol,
            overrides={} if screening is None else {'screening': {'shells': screening}},
            **place,
        )
    except (ValueError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    if daemon:
        click.echo(f'submitted: workchain {submit(builder).pk}')
        return
    _, node = run_get_node(builder)
    if not node.is_finished_ok:
        raise click.ClickException(f'workchain {node.pk} ended with {node.exit_status}: {node.exit_message}')
    click.echo('\n'.join(report(node.outputs.results.get_dict())))


def report(results: dict[str, Any]) -> list[str]:
    """Lines on the states and the solutions of a scan."""
    lines = []
    for row in results['states']:
        asked = _moments(row['moments_asked'])
        found = f'solution {row["solution"]}' if row['converged'] else f'no solution: {row["failure"]}'
        lines.append(f'{row["state"]} ({asked}): {found}')
    for row in results['solutions']:
        energies = ', '.join(f'{name} {row[name]:.2f}' for name in results['energies'] if name in row)
        lines.append(f'solution {row["solution"]} {row["signs"]} ({_moments(row["spin_moments"])}): {energies}')
    lines.append(f'lowest: solution {results["lowest"]}, by {results["lowest_by"]}')
    return lines + [f'{name}: {words.removeprefix(f"{name}: ")}' for name, words in results['energies'].items()]


def _moments(moments: list[float]) -> str:
    return ', '.join(f'{moment:.3f}' for moment in moments) + ' µB'


def _state(text: str) -> tuple[str, list[float]]:
    name, _, moments = text.partition('=')
    try:
        return name.strip(), [float(word) for word in moments.split(',')]
    except ValueError as error:
        raise ValueError(f"--state {text}: a name and a moment for each impurity, such as 'high=5,5'") from error
