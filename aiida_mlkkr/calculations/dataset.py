"""Finished impurities gathered into a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.calculations.folders import run_of, writeout_of
from aiida_mlkkr.calculations.records import LARGEST_ERROR, Writeout, record_of_run
from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.ml.dataset import ImpurityDataset, ImpurityRecord, PotentialKind

OTHER_KIND = 'it is of another kind than the first one'
"""Begins the reason why an impurity is left out of a dataset that it could not be mixed into."""

PARTS = {
    'retrieved': orm.FolderData,
    'impurity_info': orm.Dict,
    'host_writeout': orm.FolderData,
    'potential': orm.SinglefileData | None,
}


@calcfunction
def impurity_dataset(largest_error: orm.Float | None = None, **impurities: Any) -> ImpurityDatasetData | ExitCode:
    """Potentials of impurities, converged unless asked otherwise, for models to learn from: a shard of a training set.

    Thousands of inputs of one process are unusable: give some fifty impurities to each call, and the datasets to the
    training. Nothing is lost by an impurity that cannot be used (not converged, not sane, of another kind than the
    first one): it is left out, and the attribute ``left_out`` of the dataset says why.

    :param largest_error: error in Ry up to which a potential may be used. By default 1e-4, converged ones alone; what
        is further off enters with a larger uncertainty, see :class:`~aiida_mlkkr.ml.dataset.ImpurityRecord`.
    :param impurities: a namespace for each impurity: ``retrieved``, the retrieved folder of its last KKRimp
        calculation; ``impurity_info``; ``host_writeout``, the retrieved folder of the host's write-out, with or without
        the Green function; and, where a workchain made one of its own, the file ``potential``.
    :return: the dataset, empty if no impurity can be used; exit code 220 if a namespace is not complete.
    """
    for label, parts in impurities.items():
        given = parts if isinstance(parts, Mapping) else {}
        absent = [name for name, valid in PARTS.items() if not isinstance(given.get(name), valid)]
        if absent:
            return ExitCode(220, f'the inputs of impurity {label} lack {", ".join(absent)}, or these are no such nodes')
    limit = LARGEST_ERROR if largest_error is None else largest_error.value
    writeouts: dict[str, Writeout] = {}
    records: list[ImpurityRecord] = []
    left_out: dict[str, str] = {}
    kind: PotentialKind | None = None
    for label, parts in sorted(impurities.items()):
        try:
            its_kind, record = _record(parts, writeouts, limit)
        except ValueError as error:
            left_out[label] = str(error)
            continue
        kind = kind or its_kind
        if difference := kind.difference(its_kind):
            left_out[label] = f'{OTHER_KIND}: {difference}'
        else:
            records.append(record)
    dataset = ImpurityDataset(kind, tuple(records)) if kind else None
    return ImpurityDatasetData.from_dataset(dataset, left_out)


def _record(
    parts: Mapping[str, Any], writeouts: dict[str, Writeout], largest_error: float
) -> tuple[PotentialKind, ImpurityRecord]:
    """What there is to learn from an impurity; ``writeouts`` are those that have been read already."""
    folder = parts['host_writeout']
    if folder.uuid not in writeouts:
        writeouts[folder.uuid] = writeout_of(folder)
    run = run_of(parts['retrieved'], folder, parts.get('potential'))
    info = parts['impurity_info'].get_dict()
    return record_of_run(parts['retrieved'].uuid, writeouts[folder.uuid], info, run, largest_error)
