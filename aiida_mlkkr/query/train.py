"""From finished impurities to a trained model: datasets in shards, then the training, all in the provenance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from aiida import orm
from aiida.engine import ProcessState
from rich.progress import Progress

from aiida_mlkkr import __version__
from aiida_mlkkr.calculations.dataset import OTHER_KIND, impurity_dataset
from aiida_mlkkr.calculations.records import LARGEST_ERROR
from aiida_mlkkr.calculations.training import train_potential_emulator
from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.query.find import LIMIT, find_impurities
from aiida_mlkkr.query.impurity import FinishedImpurity, QueryError
from aiida_mlkkr.query.links import inputs_of

SHARD_SIZE = 50
"""Impurities of one dataset: each comes with three or four nodes, and thousands of inputs make a process unusable."""

Inputs = dict[str, int]
"""Pks of inputs by the labels of their links."""


def train_emulator(
    impurities: Iterable[FinishedImpurity] | str | orm.Group,
    settings: Mapping[str, Any] | None = None,
    shard_size: int = SHARD_SIZE,
    progress: Progress | None = None,
    largest_error: float = LARGEST_ERROR,
) -> SurrogateData:
    """Train a potential emulator on finished impurities; datasets that exist already are used again.

    :param impurities: those that :func:`find_impurities` has found, or a group to find them in.
    :param settings: of the training, see :class:`aiida_mlkkr.ml.emulator.EmulatorSettings`.
    :param shard_size: impurities of one dataset.
    :param progress: where to show how far it is.
    :param largest_error: error of a potential in Ry up to which it is learnt from; by default converged ones alone.
    :raises QueryError: if there is nothing to train on, or if the impurities cannot be learnt from together.
    """
    if isinstance(impurities, str | orm.Group):
        impurities = find_impurities(impurities, progress=progress, largest_error=largest_error).usable
    return train_on(impurity_shards(list(impurities), shard_size, progress, largest_error), settings)


def impurity_shards(
    impurities: Sequence[FinishedImpurity],
    shard_size: int = SHARD_SIZE,
    progress: Progress | None = None,
    largest_error: float = LARGEST_ERROR,
) -> list[ImpurityDatasetData]:
    """Datasets that hold these impurities: those that exist, and new ones for the rest.

    :param largest_error: that of :func:`find_impurities`.
    :raises QueryError: if there are no impurities.
    """
    if not impurities:
        raise QueryError('there is no finished impurity to train on')
    wanted = {_label(impurity): impurity for impurity in impurities}
    shards = []
    for shard, inputs in _existing_shards(largest_error):
        labels = set(_labels(inputs))
        if labels <= wanted.keys() and inputs == _links({label: wanted[label] for label in labels}):
            shards.append(shard)
            wanted = {label: impurity for label, impurity in wanted.items() if label not in labels}
    rest = sorted(wanted)
    task = None if progress is None else progress.add_task('gathering potentials', total=len(rest))
    for begin in range(0, len(rest), shard_size):
        labels_of_shard = rest[begin : begin + shard_size]
        shards.append(_new_shard({label: wanted[label] for label in labels_of_shard}, largest_error))
        if progress is not None and task is not None:
            progress.advance(task, len(labels_of_shard))
    return shards


def train_on(
    shards: Sequence[ImpurityDatasetData],
    settings: Mapping[str, Any] | None = None,
    spheres: SurrogateData | None = None,
) -> SurrogateData:
    """Train a potential emulator on datasets.

    :param spheres: for full potentials: an emulator of atomic spheres on top of which it is trained.
    :raises QueryError: if the settings are not valid, or if no model can be trained on the datasets.
    """
    check_one_kind(shards)
    inputs: dict[str, Any] = {f'shard_{number:04d}': shard for number, shard in enumerate(shards)}
    if settings:
        inputs['settings'] = orm.Dict(dict(settings))
    if spheres is not None:
        inputs['spheres'] = spheres
    outputs: Any
    outputs, node = train_potential_emulator.run_get_node(**inputs)
    if not node.is_finished_ok:
        raise QueryError(node.exit_message)
    return cast(SurrogateData, outputs['model'])


def check_one_kind(shards: Iterable[ImpurityDatasetData]) -> None:
    """Check that no impurity had to be left out of a dataset because of its kind.

    :raises QueryError: if one had to; the message names the field that differs.
    """
    mixed = [why for shard in shards for why in shard.spec.left_out.values() if why.startswith(OTHER_KIND)]
    if mixed:
        difference = mixed[0].removeprefix(f'{OTHER_KIND}: ')
        raise QueryError(f'impurities of different kinds cannot be mixed: {difference}. Exclude those of one kind.')


def left_out(shards: Iterable[ImpurityDatasetData], impurities: Iterable[FinishedImpurity]) -> dict[str, str]:
    """UUIDs of the impurities that datasets have left out, and why."""
    uuids = {_label(impurity): impurity.uuid for impurity in impurities}
    return {uuids[label]: reason for shard in shards for label, reason in shard.spec.left_out.items()}


def _label(impurity: FinishedImpurity) -> str:
    return f'impurity_{impurity.uuid.replace("-", "_")}'


def _labels(inputs: Iterable[str]) -> Iterable[str]:
    """The impurities that labels of links belong to; AiiDA separates namespaces by two underscores."""
    return (link.rpartition('__')[0] for link in inputs)


def _links(impurities: Mapping[str, FinishedImpurity]) -> Inputs:
    return {
        f'{label}__{name}': node.pk
        for label, impurity in impurities.items()
        for name, node in impurity.inputs.items()
        if node.pk is not None
    }


def _existing_shards(largest_error: float) -> list[tuple[ImpurityDatasetData, Inputs]]:
    """The datasets that this version of the package has made, the largest first, with their impurities' inputs.

    :param largest_error: that they were made with.
    """
    query = orm.QueryBuilder()
    query.append(
        orm.CalcFunctionNode,
        filters={
            'process_type': {'like': '%impurity_dataset'},
            'attributes.process_state': ProcessState.FINISHED.value,
            'attributes.exit_status': 0,
            'attributes.version.plugin': __version__,
        },
        project='id',
        tag='function',
    )
    query.append(ImpurityDatasetData, with_incoming='function', project='*')
    shards = dict(query.all())
    limits = {link.pk: link.other for link in inputs_of(shards, orm.Float, (LIMIT,), 'attributes.value')}
    inputs: dict[int, Inputs] = defaultdict(dict)
    for link in inputs_of(shards, orm.Data, (), 'id'):
        if link.label != LIMIT:
            inputs[link.pk][link.label] = link.other
    found = [(shard, inputs[pk]) for pk, shard in shards.items() if limits.get(pk, LARGEST_ERROR) == largest_error]
    return sorted(found, key=lambda pair: len(pair[1]), reverse=True)


def _new_shard(impurities: Mapping[str, FinishedImpurity], largest_error: float) -> ImpurityDatasetData:
    inputs: dict[str, Any] = {label: impurity.inputs for label, impurity in impurities.items()}
    if largest_error != LARGEST_ERROR:
        inputs[LIMIT] = orm.Float(largest_error)
    shard: Any
    shard, node = impurity_dataset.run_get_node(**inputs)
    if not node.is_finished_ok:
        raise QueryError(node.exit_message)
    return cast(ImpurityDatasetData, shard)
