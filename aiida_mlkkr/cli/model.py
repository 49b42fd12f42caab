"""`aiida-mlkkr model`: models come and go as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_mlkkr.cli import options

if TYPE_CHECKING:
    from aiida_mlkkr.data.surrogate import SurrogateData


def find_model(what: str) -> SurrogateData:
    """The model that is meant: that of a file, not stored, or a node by its pk, UUID or label.

    :raises click.ClickException: there is none, it is damaged or foreign, or it cannot be used here.
    """
    from aiida.common.exceptions import MultipleObjectsError, NotExistent
    from aiida.orm import load_node

    from aiida_mlkkr.data.surrogate import SurrogateData
    from aiida_mlkkr.ml.errors import ModelError

    try:
        node = SurrogateData.from_file(what) if Path(what).is_file() else load_node(what)
    except (ModelError, NotExistent, MultipleObjectsError, ValueError) as error:
        raise click.ClickException(f'model {what}: {error}') from error
    if not isinstance(node, SurrogateData):
        raise click.ClickException(f'model {what}: {node.__class__.__name__}<{node.pk}> is no model (SurrogateData)')
    return node


def check_model(model: SurrogateData) -> None:
    """Load the emulator or surrogate in it, as a prediction does.

    :raises click.ClickException: its parts do not fit together, or its method is not installed.
    """
    from aiida_mlkkr.ml.emulator import PotentialEmulator
    from aiida_mlkkr.ml.errors import ModelError
    from aiida_mlkkr.ml.exchange.in_host import HostSurrogate

    kind = HostSurrogate if predicts_exchange(model) else PotentialEmulator
    try:
        kind.load(model.arrays, model.spec)
    except ModelError as error:
        raise click.ClickException(str(error)) from error


def predicts_exchange(model: SurrogateData) -> bool:
    """Whether it is a surrogate of exchange, and no emulator of potentials."""
    from aiida_mlkkr.ml.exchange.in_host import TASK

    return model.spec.task == TASK


def stored(model: SurrogateData) -> SurrogateData:
    """A model as a node of the profile: that of an earlier import, if its file was the same."""
    from aiida.orm import QueryBuilder

    from aiida_mlkkr.data.surrogate import FILE_SHA256, SurrogateData

    if model.is_stored:
        return model
    same = {f'extras.{FILE_SHA256}': model.base.extras.get(FILE_SHA256)}
    known = QueryBuilder().append(SurrogateData, filters=same).first(flat=True)
    if known is not None:
        return known
    check_model(model)
    return model.store()


@click.group('model')
def model() -> None:
    """Pass trained models on, and take in those of others."""


@model.command('export')
@options.PROFILE()
@click.argument('what', metavar='MODEL')
@click.argument('output', metavar='FILE', type=click.Path(dir_okay=False, path_type=Path), callback=options.in_a_folder)
@click.option('-f', '--force', is_flag=True, help='Replace the file if it is there.')
def export(what: str, output: Path, force: bool) -> None:
    """Write a model (pk, UUID or label) to a FILE of its own, arrays and spec in the safetensors format.

    The file holds numbers and text only; whoever opens it executes nothing. What the model was trained on stays
    behind: `verdi archive create` exports a model with its provenance.
    """
    if output.exists() and not force:
        raise click.BadParameter(f'{output} is there already; --force replaces it', param_hint='FILE')
    find_model(what).to_file(output)
    click.echo(f'{output}: {output.stat().st_size / 1e6:.2f} MB, SHA-256 {_sha256(output)}')


@model.command('import')
@options.PROFILE()
@click.argument('file', metavar='FILE', type=click.Path(exists=True, dir_okay=False))
@click.option('-l', '--label', help='Label of the node.')
def import_(file: str, label: str | None) -> None:
    """Store the model in a FILE as a node, after looking whether all of it fits together.

    The node's description and extras say where it came from. A file that was imported before gives the same node.
    """
    node = stored(find_model(file))
    if label is not None:
        node.label = label
    learnt = 'pairs' if predicts_exchange(node) else 'impurities'
    click.echo(f'Model {node.pk} ({node.spec.model}, {node.spec.number} {learnt}), {node.description}')


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
