"""`aiida-mlkkr launch ldos` and `aiida-mlkkr plot ldos`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from aiida.cmdline.params import types

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.workchains import run_or_submit

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, ArrayData, Node, ProcessNode

    from aiida_mlkkr.plot.ldos import SiteDensityOfStates


@click.command('ldos')
@options.PROFILE()
@click.argument('impurity', type=types.NodeParamType())
@options.KKR()
@click.option(
    '-g',
    '--greenfunction',
    type=types.NodeParamType(),
    help='Instead: a finished mlkkr.ldos of another impurity on the same sites, whose write-out is taken.',
)
@options.KKRIMP()
@options.protocol('ldos')
@options.DAEMON()
def launch_ldos(
    impurity: ProcessNode,
    kkr: AbstractCode | None,
    greenfunction: ProcessNode | None,
    code: AbstractCode | None,
    protocol: str | None,
    daemon: bool,
) -> None:
    """Local densities of states of IMPURITY, a finished self-consistency."""
    from aiida_mlkkr.demo.codes import embedded_solver
    from aiida_mlkkr.demo.errors import DemoError
    from aiida_mlkkr.workflows.ldos import LdosWorkChain

    try:
        builder = LdosWorkChain.get_builder_from_protocol(
            code or embedded_solver(),
            impurity,
            kkr=kkr,
            host_greenfunction=None if greenfunction is None else greenfunction.outputs.host_greenfunction,
            protocol=protocol,
        )
    except (ValueError, AttributeError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    run_or_submit(builder, daemon, 'ldos', _tell_how_to_draw)


def _tell_how_to_draw(node: ProcessNode) -> None:
    click.echo(f'workchain {node.pk}: draw it with aiida-mlkkr plot ldos {node.pk}')


@click.command('ldos')
@options.PROFILE()
@click.argument('what', metavar='WHAT...', nargs=-1, required=True, type=types.NodeParamType())
@click.option('--all-sites', is_flag=True, help='Host atoms of the cluster as well.')
@click.option('--on-axis', is_flag=True, help='Continued to the real axis, instead of broadened.')
@click.option('--sum-only', is_flag=True, help='Without the parts of s, p, d …')
@options.FIGURE(default=Path('ldos.png'))
def plot_ldos(what: tuple[Node, ...], all_sites: bool, on_axis: bool, sum_only: bool, output: Path) -> None:
    """Draw local densities of states, a panel for each impurity.

    WHAT are workchains mlkkr.ldos, or their outputs ldos.
    """
    from aiida_mlkkr.plot.ldos import ldos_figure

    try:
        sites = [site for node in what for site in _sites(node, all_sites, '_on_axis' if on_axis else '')]
        ldos_figure(sites, by_l=not sum_only).savefig(output)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f'{len(sites)} sites: {output}')


def _sites(node: Node, all_sites: bool, suffix: str) -> list[SiteDensityOfStates]:
    from aiida_mlkkr.plot.ldos import SiteDensityOfStates

    ldos = _ldos_of(node)
    attributes = ldos.base.attributes
    energies, values = ldos.get_array(f'energies{suffix}'), ldos.get_array(f'ldos{suffix}')
    elements, impurities = attributes.get('elements'), attributes.get('impurity_sites')
    return [
        SiteDensityOfStates(f'{elements[site]} (site {site})' if all_sites else elements[site], energies, values[site])
        for site in (range(len(elements)) if all_sites else impurities)
    ]


def _ldos_of(node: Node) -> ArrayData:
    from aiida.orm import ArrayData, ProcessNode

    found = node.outputs.ldos if isinstance(node, ProcessNode) and 'ldos' in node.outputs else node
    if not isinstance(found, ArrayData) or 'impurity_sites' not in found.base.attributes.all:
        raise ValueError(f'{node} is no finished mlkkr.ldos, and not the ldos of one')
    return found
