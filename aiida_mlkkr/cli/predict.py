"""`aiida-mlkkr predict`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.files import read_mapping
from aiida_mlkkr.cli.model import find_model, predicts_exchange, stored

if TYPE_CHECKING:
    from aiida.orm import Data, Dict, FolderData, Node
    from rich.console import Console


def _numbers(_context: click.Context, parameter: click.Parameter, value: str | None) -> list[float] | None:
    if value is None:
        return None
    try:
        return [float(part) for part in value.split(',')]
    except ValueError as error:
        raise click.BadParameter(f'{value!r} is no list of numbers', param=parameter) from error


@click.command('predict')
@options.PROFILE()
@click.argument('model', metavar='MODEL')
@click.argument('host', metavar='HOST')
@options.ELEMENTS(help="Impurities, such as 'Sc-Zn,Al', each one alone on the central site.")
@click.option(
    '-i',
    '--impurity-info',
    'info',
    metavar='WHAT',
    help='The impurities of one cluster instead: pk or UUID of an impurity_info, or a YAML or JSON file with one '
    '(Zimp, Rimp_rel).',
)
@click.option(
    '-m',
    '--moments',
    metavar='LIST',
    callback=_numbers,
    help='Spin moments asked for on the impurities in µB, in the order of Zimp, such as 3.5,-3.5: their signs count, 0 '
    'means none.  [default: what the model expects, parallel]',
)
@options.OUTPUT(
    help="File for the start potential in JuKKR's format; with several elements their symbols are put before its "
    'suffix.',
)
@click.option('--store', is_flag=True, help='Keep the prediction, with model and host, in the provenance.')
def predict(
    model: str,
    host: str,
    elements: str | None,
    info: str | None,
    moments: list[float] | None,
    output: Path | None,
    store: bool,
) -> None:
    """Predict start potentials of impurities.

    MODEL is a trained model (pk, UUID or label) or a model file. HOST is a write-out of a host's Green function: its
    pk or UUID, or that of its retrieved files, its remote folder or a workchain that has one.
    """
    from rich.console import Console

    if (elements is None) == (info is None):
        raise click.UsageError('Either --elements or --impurity-info says which impurities.')
    emulator = stored(find_model(model)) if store else find_model(model)
    if predicts_exchange(emulator):
        raise click.ClickException('this is a model for exchange; `aiida-mlkkr predict-exchange` asks it')
    folder, central = _host(host)
    asked = {'': _impurity_info(info)} if info is not None else dict(_single(elements or '', central))
    console, failed = Console(), False
    for name, impurities in asked.items():
        potential, prediction, problem = _predict(emulator, folder, impurities, moments, store)
        if problem:
            failed = True
            click.echo(f'{name}: {problem}' if name else problem, err=True)
            continue
        _show(console, potential.get_content(), prediction.get_dict())
        if store:
            console.print(f'start potential {potential.pk}, prediction {prediction.pk}', highlight=False)
        if output is not None:
            path = output.with_name(f'{output.stem}_{name}{output.suffix}') if len(asked) > 1 else output
            path.write_text(potential.get_content(), encoding='ascii')
            console.print(f'start potential in {path}', markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise SystemExit(1)


def _node(what: str, name: str) -> Node:
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import load_node

    try:
        return load_node(what)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise click.BadParameter(f'{what}: {error}', param_hint=name) from error


def _host(what: str) -> tuple[FolderData, Callable[[int], dict[str, Any]]]:
    """Retrieved files of a write-out, and the impurity_info of an impurity on its central site."""
    from aiida.orm import FolderData

    from aiida_mlkkr.campaign.hosts import host_clusters

    node = _node(what, 'HOST')
    start = node.creator if isinstance(node, FolderData) and node.creator is not None else node
    try:
        clusters = host_clusters([start])
    except ValueError as error:
        raise click.BadParameter(f'{what}: {error}', param_hint='HOST') from error
    if len(clusters) != 1:
        found = ', '.join(str(cluster.writeout.pk) for cluster in clusters) or 'none'
        raise click.BadParameter(
            f"{what}: one write-out of a host's Green function is needed, found: {found}", param_hint='HOST'
        )
    (cluster,) = clusters
    return cluster.writeout.outputs.retrieved, lambda charge: cluster.impurity_info([cluster.centre], [charge])


def _single(elements: str, central: Callable[[int], dict[str, Any]]) -> Iterator[tuple[str, Dict]]:
    from aiida.orm import Dict

    from aiida_mlkkr.campaign.plan import parse_elements
    from aiida_mlkkr.kkr.elements import symbol

    try:
        charges = parse_elements(elements)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint='--elements') from error
    for charge in charges:
        yield symbol(charge), Dict(central(charge))


def _impurity_info(what: str) -> Dict:
    from aiida.orm import Dict

    if Path(what).is_file():
        return Dict(read_mapping(Path(what), '--impurity-info'))
    node = _node(what, '--impurity-info')
    if not isinstance(node, Dict):
        raise click.BadParameter(f'{what} is no impurity_info (Dict)', param_hint='--impurity-info')
    return node


def _predict(
    model: Data, folder: FolderData, impurities: Dict, moments: list[float] | None, store: bool
) -> tuple[Any, Any, str | None]:
    """Potential and prediction, or why there are none."""
    from aiida.orm import List

    from aiida_mlkkr.calculations.emulation import emulated_start_potential

    inputs: dict[str, Any] = {'model': model, 'host_writeout': folder, 'impurity_info': impurities}
    inputs['metadata'] = {'store_provenance': store}
    if moments is not None:
        inputs['moments'] = List(moments)
    outputs: Any
    outputs, process = emulated_start_potential.run_get_node(**inputs)
    if not process.is_finished_ok:
        return None, None, process.exit_message
    return outputs['potential'], outputs['prediction'], None


def _show(console: Console, potential: str, prediction: dict[str, Any]) -> None:
    """A row for each site; neighbouring rows that are alike are one."""
    from io import StringIO

    from rich import box
    from rich.table import Table

    from aiida_mlkkr.kkr.elements import symbol
    from aiida_mlkkr.kkr.potential import read_potential

    charges = [site[0].z for site in read_potential(StringIO(potential)).sites]
    rows = [
        (symbol(z), f'{1e3 * error:.2f}', f'{moment:+.2f}' if moment else '')
        for z, error, moment in zip(
            charges, prediction['rms_error_per_site_Ry'], prediction['spin_moment_per_site_muB'], strict=True
        )
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ('site', 'atom', 'expected error (mRy)', 'moment (µB)'):
        table.add_column(title, justify='right' if '(' in title else 'left')
    for row, numbered in groupby(enumerate(rows, start=1), key=lambda pair: pair[1]):
        numbers = [number for number, _ in numbered]
        table.add_row(f'{numbers[0]}-{numbers[-1]}' if len(numbers) > 1 else str(numbers[0]), *row)
    console.print(table)
    if not prediction['host_seen']:
        console.print('The model has seen no impurity in this host: the errors may be larger than expected.')
    if not prediction['moments_known']:
        console.print(
            'It cannot tell whether there is a moment; the start potential is split as if. Ask for one, or for none.'
        )
