"""`aiida-mlkkr train-exchange` and `predict-exchange`, and what `show model` says of surrogates of exchange."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.exchange import exchange_nodes
from aiida_mlkkr.cli.files import read_mapping
from aiida_mlkkr.cli.model import check_model, find_model, predicts_exchange, stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiida.orm import StructureData
    from rich.console import Console

    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.data.surrogate import SurrogateData
    from aiida_mlkkr.exchange.table import ExchangeTable

_DECIMALS = 3
"""Of lengths in Å that are the same."""


@click.command('train-exchange')
@options.PROFILE()
@click.argument('what', metavar='[WHAT]...', nargs=-1)
@options.STRUCTURE(help='The host crystal: pairs that its symmetry makes equal are the same to the model.')
@options.METHOD(
    help='Method, such as gaussian_process or stack; any other name lists them.  [default: gaussian_process]',
)
@options.TRAINING_SETTINGS()
@click.option(
    '--mapping',
    help='What columns, units and convention are, of CSV files that are not ours: a YAML file, or the name of a '
    'packaged one, such as bi2te3_dimers. Tables are cleaned first; what is dropped or flagged is said.',
)
@options.MODEL_LABEL()
@options.OUTPUT(help='Write the model to this file, too, to pass it on (.safetensors).')
def train_exchange(
    what: tuple[str, ...],
    structure: StructureData | None,
    method: str | None,
    settings_file: Path | None,
    mapping: str | None,
    label: str,
    output: Path | None,
) -> None:
    """Train a surrogate of exchange on computed pairs.

    WHAT is as for `show exchange`; without it, the pairs in copper that come with the package are learnt. Pairs that
    were predicted are not learnt from. The pairs of files become nodes.
    """
    from aiida.orm import Dict
    from rich.console import Console

    from aiida_mlkkr.calculations.exchange_surrogates import train_exchange_surrogate
    from aiida_mlkkr.exchange.errors import ExchangeError

    settings = {} if settings_file is None else read_mapping(settings_file, '--settings')
    settings |= {} if method is None else {'model': method}
    try:
        nodes = {f'exchange_{number:04d}': node for number, node in enumerate(_nodes(what, mapping))}
    except (ExchangeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    inputs: dict[str, Any] = {'settings': Dict(settings), **nodes}
    inputs |= {} if structure is None else {'structure': structure}
    outputs: Any
    outputs, process = train_exchange_surrogate.run_get_node(**inputs)
    if not process.is_finished_ok:
        raise click.ClickException(str(process.exit_message))
    model = outputs['model']
    model.label = label
    if output is not None:
        model.to_file(output)
    _show_model(Console(), model, output)


@click.command('predict-exchange')
@options.PROFILE()
@click.argument('model', metavar='MODEL')
@options.ELEMENTS(required=True, help="Impurities, such as 'V-Ni,Ru': all their pairs.")
@click.option(
    '--vector',
    'vectors',
    type=(float, float, float),
    multiple=True,
    metavar='X Y Z',
    help='From one site to the other in Å; can be given several times.  [default: all that the model has learnt]',
)
@options.OUTPUT(help='Write the pairs to this CSV file.')
@click.option('--store', is_flag=True, help='Keep the prediction, with the model, in the provenance.')
def predict_exchange(
    model: str, elements: str, vectors: tuple[tuple[float, float, float], ...], output: Path | None, store: bool
) -> None:
    """Predict exchange of pairs, with intervals that hold J with 90 %.

    MODEL is a surrogate of exchange (pk, UUID or label), or a model file. A pair with an element, or at a distance,
    that the model has not learnt is marked: the interval does not hold there.
    """
    from aiida.orm import Dict
    from rich.console import Console

    from aiida_mlkkr.calculations.exchange_surrogates import predicted_exchange

    surrogate = stored(find_model(model)) if store else find_model(model)
    if not predicts_exchange(surrogate):
        raise click.ClickException(f'this is a model for {surrogate.spec.task}; `aiida-mlkkr predict` asks it')
    check_model(surrogate)
    inputs: dict[str, Any] = {'model': surrogate, 'pairs': Dict(_asked(surrogate, elements, vectors))}
    inputs['metadata'] = {'store_provenance': store}
    predicted: Any
    predicted, process = predicted_exchange.run_get_node(**inputs)
    if not process.is_finished_ok:
        raise click.ClickException(str(process.exit_message))
    console = Console()
    _show_pairs(console, predicted.table)
    if store:
        console.print(f'exchange data {predicted.pk}', highlight=False)
    if output is not None:
        predicted.to_csv(output)
        console.print(f'pairs in {output}', markup=False, highlight=False, soft_wrap=True)


def exchange_facts(model: SurrogateData) -> dict[str, str]:
    """What is said of a surrogate, by headings."""
    from aiida_mlkkr.ml.exchange.in_host import HostSurrogate

    spec = model.spec
    pairs = HostSurrogate.load(model.arrays, spec).surrogate.model.pairs
    settings: Any = spec.details['settings']
    given = ', '.join(f'{name} {value}' for name, value in settings['options'].items())
    distances = sorted({round(distance, 2) for distance in pairs.distances.tolist()})
    return {
        'model': where_from(model),
        'method': f'{spec.model}, seed {spec.seed}, {given or "default options"}',
        'trained on': f'{spec.number} pairs ({", ".join(spec.elements)})',
        'distances': f'{", ".join(f"{distance:.2f}" for distance in distances)} Å',
        'host': ', '.join(spec.hosts),
        'convention': str(spec.kind['hamiltonian']),
        **made_of(model),
    }


def where_from(model: SurrogateData) -> str:
    """Whether a model is a node or a file."""
    where = f'node {model.pk} {model.label}'.rstrip() if model.is_stored else 'a file, checksum right'
    return f'{where}; {model.description}' if model.description else where


def made_of(model: SurrogateData) -> dict[str, str]:
    """Versions and size of a model whose parts have been checked, by headings."""
    spec = model.spec
    return {
        'made by': f'aiida-mlkkr {spec.package_version}, format {spec.format_version}',
        'arrays': f'{len(spec.arrays)}, {sum(array.nbytes for array in model.arrays.values()) / 1e6:.2f} MB; they fit '
        'the spec and each other',
    }


def show_exchange_report(console: Console, report: dict[str, Any]) -> None:
    """How well a surrogate predicts pairs of elements left out of its training."""
    magnetic = report['magnetic_mae']
    between = '' if magnetic is None else f', {magnetic:.2f} between magnetic elements'
    console.print(
        f'Pairs of elements left out of the training, in all geometries: J is off by {report["mae"]:.2f} meV on '
        f'average{between} (rms {report["rmse"]:.2f}, R² {report["r2"]:.3f}); the 90 % intervals are '
        f'{report["width"]:.2f} meV wide.',
        markup=False,
        highlight=False,
    )


def _nodes(what: Sequence[str], mapping: str | None) -> list[ExchangeData]:
    """Exchange data that are meant; those of files are stored by their first use.

    :param mapping: of the files; None if they are ours.
    """
    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.tables import copper_pairs, read_csv

    if not what:
        return [ExchangeData.from_table(copper_pairs())]
    nodes = []
    for item in what:
        path = Path(item)
        if path.is_file():
            nodes.append(ExchangeData.from_table(read_csv(path) if mapping is None else _cleaned(path, mapping)))
        else:
            nodes += exchange_nodes(item)
    return nodes


def _cleaned(path: Path, mapping: str) -> ExchangeTable:
    """The rows of somebody's table that can be learnt from; what becomes of the others is said."""
    from aiida_mlkkr.exchange.cleaning import clean
    from aiida_mlkkr.exchange.mapping import read_mapping as read_table_mapping
    from aiida_mlkkr.exchange.pairs import table_of_pairs
    from aiida_mlkkr.exchange.reading import read_table

    meant = read_table_mapping(mapping)
    found = clean(read_table(path, meant))
    for line in found.lines():
        click.echo(line)
    return table_of_pairs(found.pairs, meant.host, f'table {path.name}')


def _asked(model: SurrogateData, elements: str, vectors: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    """The pairs, as the calculation takes them."""
    from itertools import combinations_with_replacement

    import numpy as np

    from aiida_mlkkr.campaign.plan import parse_elements
    from aiida_mlkkr.kkr.elements import symbol

    try:
        charges = parse_elements(elements)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint='--elements') from error
    learnt = np.unique(np.round(model.get_array('pairs_vectors'), _DECIMALS), axis=0)
    places = sorted(vectors or learnt.tolist(), key=lambda vector: float(np.linalg.norm(vector)))
    pairs = [(both, place) for place in places for both in combinations_with_replacement(charges, 2)]
    return {
        'host': model.spec.hosts[0],
        'elements': [[symbol(z) for z in both] for both, _ in pairs],
        'positions': [[[0.0, 0.0, 0.0], list(place)] for _, place in pairs],
    }


def _show_pairs(console: Console, table: ExchangeTable) -> None:
    from math import hypot

    from rich import box
    from rich.table import Table

    rows = table.rows()
    with_d = rows[0]['D_uncertainty_meV'] is not None
    of_d = ['|D| (meV)', '± 90 %'] * with_d
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ('pair', 'R (Å)', 'm_i (µB)', 'm_j (µB)', 'J (meV)', '± 90 %', *of_d, ''):
        shown.add_column(title, justify='left' if title in ('pair', '') else 'right')
    for row in rows:
        numbers = [f'{row["distance_A"]:.2f}'] + [f'{row[f"moment_{site}_muB"]:.2f}' for site in 'ij']
        numbers += [f'{row["J_meV"]:.2f}', f'{row["uncertainty_meV"]:.2f}']
        if with_d:
            numbers += [f'{hypot(*(row[f"D{axis}_meV"] for axis in "xyz")):.2f}', f'{row["D_uncertainty_meV"]:.2f}']
        shown.add_row(f'{row["element_i"]}-{row["element_j"]}', *numbers, 'not learnt' if row['outside'] else '')
    console.print(shown, markup=False)
    console.print(f'{table.host}, {table.method}; J > 0 is ferromagnetic', markup=False, highlight=False)


def _show_model(console: Console, model: SurrogateData, output: Path | None) -> None:
    spec = model.spec
    console.print(
        f'Model {model.pk} is trained on {spec.number} pairs ({", ".join(spec.elements)}) in {", ".join(spec.hosts)}.',
        markup=False,
        highlight=False,
    )
    show_exchange_report(console, model.creator.outputs.report.get_dict())
    console.print(f'`aiida-mlkkr show model {model.pk}` shows it again.', markup=False, highlight=False)
    if output is not None:
        console.print(f'It is in the file {output}, too.', markup=False, highlight=False, soft_wrap=True)
