"""`aiida-mlkkr train`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.files import read_mapping
from aiida_mlkkr.cli.show import show_report

if TYPE_CHECKING:
    from aiida.orm import Group, Node
    from rich.console import Console

    from aiida_mlkkr.data.surrogate import SurrogateData
    from aiida_mlkkr.query import Dropped, FinishedImpurity

_ROWS = 30
_NODES_PER_ROW = 4


@click.command('train')
@options.PROFILE()
@options.GROUPS(required=True)
@click.option(
    '-x',
    '--exclude',
    multiple=True,
    metavar='WHAT',
    help='Impurities to leave out: element symbols, pks or UUIDs, separated by commas; can be given several times.',
)
@options.METHOD(
    help='Method, such as kernel or jacobi_legendre; any other name lists them.  [default: kernel]',
)
@options.TRAINING_SETTINGS(
    help="YAML file with settings of the training: model, radial_functions, seed, and the model's own options.",
)
@click.option(
    '--shard-size',
    type=click.IntRange(1, 500),
    default=50,
    show_default=True,
    help='Impurities of one dataset node.',
)
@click.option(
    '--largest-error',
    type=click.FloatRange(0.0, min_open=True),
    default=1e-4,
    show_default=True,
    metavar='RY',
    help='Error of a potential up to which it is learnt from. Above the default also potentials on their way to '
    'self-consistency are used, with a larger uncertainty.',
)
@options.SPHERES()
@options.MODEL_LABEL()
@options.OUTPUT(help='Write the model to this file, too, to pass it on (.safetensors).')
def train(
    groups: tuple[Group, ...],
    exclude: tuple[str, ...],
    method: str | None,
    settings_file: Path | None,
    shard_size: int,
    largest_error: float,
    spheres: SurrogateData | None,
    label: str,
    output: Path | None,
) -> None:
    """Train a potential emulator on the finished impurities of groups.

    The groups may hold kkr_imp_wc, kkr_imp_sub_wc, KkrImpScfWorkChain, KkrimpCalculation, or workchains that call
    these, of any version of aiida-kkr. What cannot be used is named with the reason. The datasets and the model are
    nodes; datasets that exist already are used again.
    """
    from rich.console import Console

    from aiida_mlkkr.query import QueryError

    settings = _settings(settings_file, method)
    items = [item.strip() for part in exclude for item in part.split(',') if item.strip()]
    nodes = [node for group in groups for node in group.nodes]
    if not nodes:
        raise click.ClickException(f'nothing is in {_named(groups)}; `verdi group add-nodes` puts calculations there.')
    console = Console()
    try:
        model = _train(console, nodes, items, settings, shard_size, largest_error, spheres)
    except QueryError as error:
        raise click.ClickException(str(error)) from error
    model.label = label
    if output is not None:
        model.to_file(output)
    _show_model(console, model, output)


def _settings(path: Path | None, method: str | None) -> dict[str, Any]:
    from pydantic import ValidationError

    from aiida_mlkkr.common.complaints import first_complaint
    from aiida_mlkkr.ml.emulator import EmulatorSettings

    settings = {} if path is None else read_mapping(path, '--settings')
    if method is not None:
        settings['model'] = method
    try:
        EmulatorSettings.model_validate(settings)
    except ValidationError as error:
        hint = '--model' if path is None else '--settings'
        raise click.BadParameter(first_complaint(error), param_hint=hint) from error
    return settings


def _named(groups: Iterable[Group]) -> str:
    return ', '.join(f'group {group.label!r}' for group in groups)


def _train(
    console: Console,
    nodes: Sequence[Node],
    exclude: Sequence[str],
    settings: dict[str, Any],
    shard_size: int,
    largest_error: float,
    spheres: SurrogateData | None,
) -> SurrogateData:
    from rich.progress import Progress

    from aiida_mlkkr.query import Dropped, find_impurities, impurity_shards, left_out, train_on

    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        found = find_impurities(nodes=nodes, exclude=exclude, progress=progress, largest_error=largest_error)
    show_dropped(console, found.dropped, 'impurity calculations are not used')
    _show_usable(console, found.usable, found.others)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        shards = impurity_shards(found.usable, shard_size, progress, largest_error)
    by_uuid = {impurity.uuid: impurity for impurity in found.usable}
    reasons = left_out(shards, found.usable)
    show_dropped(console, [Dropped(by_uuid[uuid].process, why) for uuid, why in reasons.items()], 'are not learnt from')
    with console.status('training'):
        return train_on(shards, settings, spheres)


def _show_usable(console: Console, usable: Sequence[FinishedImpurity], others: int) -> None:
    numbers: dict[str, int] = defaultdict(int)
    for impurity in usable:
        numbers['-'.join(impurity.elements)] += 1
    listed = ', '.join(name if number == 1 else f'{number} {name}' for name, number in numbers.items())
    text = f'Finished impurities: {len(usable)}' + (f' ({listed}).' if usable else '.')
    if others:
        text += f' Nodes that are no impurity calculations: {others}.'
    console.print(text, markup=False, highlight=False)


def show_dropped(console: Console, dropped: Sequence[Dropped], title: str) -> None:
    """A table of the reasons, with the nodes that each belongs to."""
    from rich import box
    from rich.table import Table

    by_reason: dict[str, list[Node]] = defaultdict(list)
    for node, reason in dropped:
        by_reason[reason].append(node)
    if not by_reason:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f'{len(dropped)} {title}', title_justify='left')
    table.add_column('node', no_wrap=True)
    table.add_column('label')
    table.add_column('reason', ratio=1)
    for reason, nodes in list(by_reason.items())[:_ROWS]:
        more = f'\n… {len(nodes) - _NODES_PER_ROW} more' if len(nodes) > _NODES_PER_ROW else ''
        shown = nodes[:_NODES_PER_ROW]
        pks, labels = '\n'.join(str(node.pk) for node in shown), '\n'.join(node.label for node in shown)
        table.add_row(pks + more, labels, reason)
    console.print(table, markup=False)
    if len(by_reason) > _ROWS:
        console.print(f'… and {len(by_reason) - _ROWS} other reasons', markup=False)


def _show_model(console: Console, model: SurrogateData, output: Path | None) -> None:
    spec = model.spec
    console.print(
        f'\nModel {model.pk} is trained on {spec.number} impurities ({", ".join(spec.elements)}) '
        f'in {", ".join(spec.hosts)}.',
        markup=False,
        highlight=False,
    )
    report = model.creator.outputs.report.get_dict()
    show_report(console, report)
    quality = [f'the potential to {1e3 * report["average_own"]["left_out_median_Ry"]:.2g} mRy']
    if 'splitting_own' in report:
        quality.append(f'the moment to {report["splitting_own"]["left_out_moment_rms_muB"]:.2g} µB')
    console.print(
        f'Of an impurity that it has not seen it predicts {" and ".join(quality)} (the training set, left out one by '
        f'one). `aiida-mlkkr show model {model.pk}` shows it again.',
        markup=False,
        highlight=False,
    )
    if output is not None:
        console.print(f'It is in the file {output}, too.', markup=False, highlight=False, soft_wrap=True)
    console.print('In Python (`verdi shell`), with the code and the write-out of the host:\n', markup=False)
    console.print(
        'from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain\n'
        'build = KkrImpScfWorkChain.get_builder_from_protocol\n'
        f"builder = build(code, 'Co', host_greenfunction=writeout, emulator=load_node({model.pk}))",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
