"""Finished impurities gathered into a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.calculations.folders import run_of, writeout_of
from aiida_mlkkr.calculations.records import Writeout, record_of_run
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
def impurity_dataset(**impurities: Any) -> ImpurityDatasetData | ExitCode:
    """Converged potentials of impurities, for models to learn from: a shard of a training set.

    Thousands of inputs of one process are unusable: give some fifty impurities to each call, and the datasets to the
    training. Nothing is lost by an impurity that cannot be used (not converged, not sane, of another kind than the
    first one): it is left out, and the attribute ``left_out`` of the dataset says why.

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
    writeouts: dict[str, Writeout] = {}
    records: list[ImpurityRecord] = []
    left_out: dict[str, str] = {}
    kind: PotentialKind | None = None
    for label, parts in sorted(impurities.items()):
        try:
            its_kind, record = _record(parts, writeouts)
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


def _record(parts: Mapping[str, Any], writeouts: dict[str, Writeout]) -> tuple[PotentialKind, ImpurityRecord]:
    """What there is to learn from an impurity; ``writeouts`` are those that have been read already."""
    folder = parts['host_writeout']
    if folder.uuid not in writeouts:
        writeouts[folder.uuid] = writeout_of(folder)
    run = run_of(parts['retrieved'], folder, parts.get('potential'))
    return record_of_run(parts['retrieved'].uuid, writeouts[folder.uuid], parts['impurity_info'].get_dict(), run)
