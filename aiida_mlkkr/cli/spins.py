"""`aiida-mlkkr launch spins`, `show spins` and `plot spins`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from aiida.cmdline.params import types

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.workchains import check_finished, run_or_submit, show_summary

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, ProcessNode, StructureData
    from matplotlib.figure import Figure

    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.data.spin_model import SpinModelData

FIGURES = ('magnetisation', 'cumulants', 'correlations', 'ground-state', 'transitions')
NAME = 'mlkkr.spin_dynamics'
WORKCHAIN = types.WorkflowParamType()


@click.command('spins')
@options.PROFILE()
@click.argument('models', nargs=-1, type=types.DataParamType(sub_classes=('aiida.data:mlkkr.spin_model',)))
@options.STRUCTURE()
@options.EXCHANGE()
@click.option('-c', '--concentrations', metavar='LIST', help="Shares of the sites, such as 'Mn=0.05,Cr=0.02'.")
@click.option(
    '-b', '--box', 'boxes', multiple=True, metavar='N,M,L', help='Cells of the box; several times for the crossing.'
)
@click.option('--configurations', type=click.IntRange(1), default=1, show_default=True, help='For each box.')
@options.MISSING_IS_ZERO()
@options.SEED()
@click.option('--code', type=types.CodeParamType(entry_point='mlkkr.monte_carlo'), help='Instead of this machine.')
@click.option('--spirit', 'with_spirit', is_flag=True, help='Ground state by Spirit as well.')
@click.option('--dynamics', metavar='LIST', help='Dynamics by Spirit at these temperatures (K), such as 10,50.')
@options.protocol('spin_dynamics')
@options.DAEMON()
def launch_spins(
    models: tuple[SpinModelData, ...],
    structure: StructureData | None,
    exchange: tuple[ExchangeData, ...],
    concentrations: str | None,
    boxes: tuple[str, ...],
    configurations: int,
    missing_is_zero: bool,
    seed: int,
    code: AbstractCode | None,
    with_spirit: bool,
    dynamics: str | None,
    protocol: str,
    daemon: bool,
) -> None:
    """Ground state, magnetisation and transition of spin models.

    MODELS are configurations of one composition; or they are made of a host, exchange data and concentrations.
    """
    from aiida_mlkkr.demo.codes import monte_carlo_program, spirit_program
    from aiida_mlkkr.demo.errors import DemoError
    from aiida_mlkkr.workflows.spin_dynamics import SpinDynamicsWorkChain

    overrides = {'spirit': {'dynamics': {'temperatures': _numbers(dynamics)}}} if dynamics else {}
    try:
        found = {f'model_{k:03d}': model for k, model in enumerate(models)}
        if structure is not None:
            settings = {'configurations': configurations, 'missing_is_zero': missing_is_zero, 'seed': seed}
            found |= _diluted(
                structure, exchange, options.shares(concentrations or '', '--concentrations'), boxes, settings
            )
        builder = SpinDynamicsWorkChain.get_builder_from_protocol(
            code or monte_carlo_program(),
            found,
            spirit=spirit_program() if with_spirit or dynamics else None,
            seed=seed,
            protocol=protocol,
            overrides=overrides,
        )
    except (ValueError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    run_or_submit(builder, daemon, 'results', show_summary)


@click.command('spins')
@options.PROFILE()
@click.argument('workchain', type=WORKCHAIN)
def show_spins(workchain: ProcessNode) -> None:
    """What WORKCHAIN, a finished mlkkr.spin_dynamics, has found."""
    check_finished(workchain, NAME)
    show_summary(workchain)


@click.command('spins')
@options.PROFILE()
@click.argument('workchains', nargs=-1, required=True, type=WORKCHAIN)
@click.option('-f', '--figure', type=click.Choice(FIGURES), default='magnetisation', show_default=True)
@options.FIGURE(default=Path('spins.png'))
def plot_spins(workchains: tuple[ProcessNode, ...], figure: str, output: Path) -> None:
    """Draw what WORKCHAINS, finished mlkkr.spin_dynamics, have found.

    All figures but the transitions, which are a matrix of magnets with one or two elements, are of the first of them.
    """
    try:
        _figure(workchains, figure).savefig(output)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f'{figure}: {output}')


def _figure(workchains: tuple[ProcessNode, ...], figure: str) -> Figure:
    from aiida_mlkkr.workflows.spin_dynamics.figures import transitions_figure

    for workchain in workchains:
        check_finished(workchain, NAME)
    tools: list[Any] = [workchain.tools for workchain in workchains]
    if figure == 'transitions':
        return transitions_figure([(found.results['elements'], found.transition()) for found in tools])
    drawn: Figure = getattr(tools[0], f'plot_{figure.replace("-", "_")}')()
    return drawn


def _diluted(
    structure: StructureData,
    exchange: tuple[ExchangeData, ...],
    shares: dict[str, float],
    boxes: tuple[str, ...],
    settings: dict[str, Any],
) -> dict[str, SpinModelData]:
    from aiida import orm

    from aiida_mlkkr.calculations.spin_models import dilute_spin_models

    if not exchange or not shares or not boxes:
        raise ValueError('with --structure, --exchange, --concentrations and --box are needed as well')
    tables = {f'exchange_{k:03d}': node for k, node in enumerate(exchange)}
    models: dict[str, SpinModelData] = {}
    found: Any
    for k, box in enumerate(boxes):
        cells = [int(number) for number in _numbers(box)]
        chosen = orm.Dict({**settings, 'concentrations': shares, 'repetitions': cells})
        found, node = dilute_spin_models.run_get_node(structure, chosen, **tables)
        if not node.is_finished_ok:
            raise ValueError(node.exit_message)
        models |= {f'box_{k}_{label}': model for label, model in found.items() if label != 'report'}
    return models


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(',')]
    except ValueError as error:
        raise click.BadParameter(f'{text} is no list of numbers, separated by commas') from error
