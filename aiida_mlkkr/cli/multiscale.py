"""`aiida-mlkkr launch multiscale` and `show multiscale`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from aiida.cmdline.params import types

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.workchains import check_finished, run_or_submit, show_summary

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Node, ProcessNode

    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.data.surrogate import SurrogateData


@click.command('multiscale')
@options.PROFILE()
@options.HOST(help='The host: a finished calculation of KKRhost (or its remote folder), or a write-out of it.')
@click.option(
    '-c',
    '--composition',
    'compositions',
    required=True,
    multiple=True,
    metavar='LIST',
    help="Shares of the sites, such as 'Mn=0.05,Cr=0.02'; once for each magnet.",
)
@options.EXCHANGE(help='Exchange that is there already; can be given several times.')
@click.option(
    '--surrogate',
    type=types.DataParamType(sub_classes=('aiida.data:mlkkr.surrogate',)),
    help='A trained model of exchange, taken where it is sure enough.',
)
@options.EMULATOR()
@options.KKRIMP()
@options.KKR(help='A KKRhost code that writes out the host instead of the one of this package.')
@click.option(
    '--compute/--no-compute', default=True, show_default=True, help='Whether what is missing is computed at all.'
)
@options.SEED()
@options.protocol('multiscale')
@options.DAEMON()
def launch_multiscale(
    host: Node,
    compositions: tuple[str, ...],
    exchange: tuple[ExchangeData, ...],
    surrogate: SurrogateData | None,
    emulator: SurrogateData | None,
    code: AbstractCode | None,
    kkr: AbstractCode | None,
    compute: bool,
    seed: int,
    protocol: str,
    daemon: bool,
) -> None:
    """From the Green function of a host to where the magnets diluted in it order or freeze.

    Impurities and pairs are computed as far as they are not there or predicted.
    """
    from aiida_mlkkr.demo.codes import embedded_solver, host_writer, monte_carlo_program
    from aiida_mlkkr.demo.errors import DemoError
    from aiida_mlkkr.workflows.exchange.dimers import converged_host
    from aiida_mlkkr.workflows.multiscale import MultiscaleWorkChain

    wanted = [options.shares(text, '--composition') for text in compositions]
    try:
        builder = MultiscaleWorkChain.get_builder_from_protocol(
            converged_host(host),
            wanted,
            monte_carlo_program(),
            code=(code or embedded_solver()) if compute else None,
            kkr=(kkr or host_writer()) if compute else None,
            exchange=exchange,
            surrogate=surrogate,
            emulator=emulator,
            seed=seed,
            protocol=protocol,
        )
    except (ValueError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    run_or_submit(builder, daemon, 'results', show_summary)


@click.command('multiscale')
@options.PROFILE()
@click.argument('workchain', type=types.WorkflowParamType())
def show_multiscale(workchain: ProcessNode) -> None:
    """What WORKCHAIN, a finished mlkkr.multiscale, has found."""
    check_finished(workchain, 'mlkkr.multiscale')
    show_summary(workchain)
