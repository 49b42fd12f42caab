"""`aiida-mlkkr launch spins`, `show spins` and `plot spins`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from aiida.cmdline.params import types

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.workchains import run_or_submit

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, ProcessNode, StructureData
    from matplotlib.figure import Figure

    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.data.spin_model import SpinModelData
    from aiida_mlkkr.plot.magnets import Curve

FIGURES = ('magnetisation', 'cumulants', 'correlations', 'ground-state', 'transitions')
SHOWN_TEMPERATURES = 8
WORKCHAIN = types.WorkflowParamType()


@click.command('spins')
@options.PROFILE()
@click.argument('models', nargs=-1, type=types.DataParamType(sub_classes=('aiida.data:mlkkr.spin_model',)))
@click.option(
    '-s', '--structure', type=types.DataParamType(sub_classes=('aiida.data:core.structure',)), help='The host crystal.'
)
@click.option(
    '-x',
    '--exchange',
    multiple=True,
    type=types.DataParamType(sub_classes=('aiida.data:mlkkr.exchange',)),
    help='Exchange data; can be given several times.',
)
@click.option('-c', '--concentrations', metavar='LIST', help="Shares of the sites, such as 'Mn=0.05,Cr=0.02'.")
@click.option(
    '-b', '--box', 'boxes', multiple=True, metavar='N,M,L', help='Cells of the box; several times for the crossing.'
)
@click.option('--configurations', type=click.IntRange(1), default=1, show_default=True, help='For each box.')
@click.option('--missing-is-zero', is_flag=True, help='Pairs without exchange where others have one are not coupled.')
@click.option('--seed', type=click.IntRange(0), default=0, show_default=True, help='Of all random numbers.')
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
    run_or_submit(builder, daemon, 'results', _show)


@click.command('spins')
@options.PROFILE()
@click.argument('workchain', type=WORKCHAIN)
def show_spins(workchain: ProcessNode) -> None:
    """What WORKCHAIN, a finished mlkkr.spin_dynamics, has found."""
    _results(workchain)
    _show(workchain)


@click.command('spins')
@options.PROFILE()
@click.argument('workchains', nargs=-1, required=True, type=WORKCHAIN)
@click.option('-f', '--figure', type=click.Choice(FIGURES), default='magnetisation', show_default=True)
@options.OUTPUT(default=Path('spins.png'), show_default=True, help='The figure; the suffix says in which format.')
def plot_spins(workchains: tuple[ProcessNode, ...], figure: str, output: Path) -> None:
    """Draw what WORKCHAINS, finished mlkkr.spin_dynamics, have found.

    All figures but the transitions, which are a matrix of magnets with one or two elements, are of the first of them.
    """
    try:
        drawn = transitions_figure(workchains) if figure == 'transitions' else figure_of(workchains[0], figure)
        drawn.savefig(output)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f'{figure}: {output}')


def figure_of(workchain: ProcessNode, figure: str) -> Figure:
    """One of the figures of a workchain.

    :raises ValueError: it has not measured what is to be drawn.
    """
    from aiida_mlkkr.plot.magnets import binder_figure, magnetisation_figure

    found = _results(workchain)
    if figure == 'correlations':
        return _correlations(workchain)
    if figure == 'ground-state':
        return _ground_state(workchain)
    transition = found['transition']
    at = None if transition['temperature'] is None else (transition['temperature'], transition['error'])
    if figure == 'cumulants':
        frozen = found['order'] == 'frozen'
        return binder_figure(_curves(workchain, 'spin_glass_binder' if frozen else 'binder'), at)
    return magnetisation_figure(_curves(workchain, 'magnetisation'), _curves(workchain, 'susceptibility'), at)


def _curves(workchain: ProcessNode, name: str) -> list[Curve]:
    from aiida_mlkkr.plot.magnets import Curve

    curves = workchain.outputs.curves
    names = ('temperatures', name, f'{name}_error')
    return [
        Curve(f'{size} moments', *(curves.get_array(f'{part}_{size}') for part in names))
        for size in curves.base.attributes.get('sizes')
    ]


def _ground_state(workchain: ProcessNode) -> Figure:
    from aiida_mlkkr.plot.magnets import configuration_figure

    if 'ground_state' not in workchain.outputs:
        raise ValueError(f'workchain {workchain.pk} has no ground state: its schedule has no cooling')
    state = workchain.outputs.ground_state
    positions, directions, box = (state.get_array(name) for name in ('positions', 'directions', 'box'))
    return configuration_figure(positions, directions, state.base.attributes.get('elements'), box)


def _correlations(workchain: ProcessNode) -> Figure:
    """Those of the largest boxes, at some of the temperatures."""
    import numpy as np

    from aiida_mlkkr.plot.magnets import correlations_figure

    curves = workchain.outputs.curves
    size = curves.base.attributes.get('sizes')[-1]
    if f'distances_{size}' not in curves.get_arraynames():
        raise ValueError(f'workchain {workchain.pk} has no correlations: its schedule has no correlation_reach')
    names = ('distances', 'temperatures', 'correlations', 'correlations_error')
    distances, temperatures, values, errors = (curves.get_array(f'{name}_{size}') for name in names)
    measured = np.flatnonzero(np.isfinite(values).all(axis=1))
    chosen = measured[np.unique(np.linspace(0, len(measured) - 1, SHOWN_TEMPERATURES).astype(int))]
    return correlations_figure(distances, temperatures[chosen], values[chosen], errors[chosen])


def transitions_figure(workchains: tuple[ProcessNode, ...]) -> Figure:
    """Transition temperatures of magnets with one or two elements as a matrix.

    :raises ValueError: one has three elements or more, or two are of the same elements.
    """
    import numpy as np

    from aiida_mlkkr.plot.magnets import transition_matrix_figure

    results = [_results(workchain) for workchain in workchains]
    elements = sorted({element for found in results for element in found['elements']})
    values, errors = np.full((2, len(elements), len(elements)), np.nan)
    seen: set[tuple[str, ...]] = set()
    for found in results:
        names = tuple(found['elements'])
        if len(names) > 2 or names in seen:
            raise ValueError(f'{"-".join(names)}: magnets of one or two elements, each pair once, are needed')
        seen.add(names)
        i, j = elements.index(names[0]), elements.index(names[-1])
        if found['transition']['temperature'] is not None:
            values[i, j] = values[j, i] = found['transition']['temperature']
            errors[i, j] = errors[j, i] = found['transition']['error']
    return transition_matrix_figure(elements, values, errors)


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


def _results(workchain: ProcessNode) -> dict[str, Any]:
    if 'results' not in workchain.outputs or 'curves' not in workchain.outputs:
        raise click.ClickException(f'workchain {workchain.pk} is no finished mlkkr.spin_dynamics')
    found: dict[str, Any] = workchain.outputs.results.get_dict()
    return found


def _show(workchain: ProcessNode) -> None:
    found = workchain.outputs.results.get_dict()
    shares = ', '.join(f'{share:.1%} {name}' for name, share in found['composition'].items())
    boxes = ', '.join(f'{count} with {size}' for size, count in found['configurations'].items())
    click.echo(f'moments: {shares}; boxes: {boxes}')
    click.echo(f'mean field: {found["mean_field_temperature"]:.1f} K; order: {found["order"]}')
    transition = found['transition']
    if transition['temperature'] is None:
        click.echo(f'no transition: {transition["reason"]}')
    else:
        click.echo(f'transition: {transition["temperature"]:.2f} ± {transition["error"]:.2f} K, {transition["method"]}')
    if state := found['ground_state']:
        click.echo(
            f'ground state of {state["model"]}: {state["energy_meV"]:.4f} meV per moment, magnetisation '
            f'{state["magnetisation"]:.3f}, by {state["lower"]} ({state.get("found_by", "none")} minima by annealing)'
        )
    for size, temperatures in found['not_thermalised'].items():
        click.echo(f'not thermalised with {size} moments: {", ".join(f"{t:.4g}" for t in temperatures)} K')
    for row in found['dynamics']:
        click.echo(f'dynamics at {row["temperature"]:g} K: {row["energy_meV"]:.4f} meV per moment')
