"""What the database knows of the last calculations of impurities, gathered for many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_mlkkr.query.candidates import Candidate
from aiida_mlkkr.query.links import inputs_of, outputs_of, projected

HOST_LINKS = ('host_Greenfunction_folder', 'GFhost_folder')
"""Input with the Green function of the host; the second name is that of aiida-kkr before version 1.1.8."""


@dataclass(frozen=True)
class Writeout:
    """The calculation that wrote the Green function of a host; None what it does not have."""

    pk: int
    retrieved: orm.FolderData | None
    impurity_info: orm.Dict | None
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """A candidate with the nodes that belong to it; None what it does not have.

    :param process: the workchain, or the calculation itself.
    :param calculation: the last KKRimp calculation.
    :param potential: the file that the workchain returns.
    :param impurity_info: of the calculation, else of the write-out, which aiida-kkr then takes.
    """

    candidate: Candidate
    process: orm.ProcessNode
    calculation: orm.CalcJobNode
    retrieved: orm.FolderData | None
    potential: orm.SinglefileData | None
    parameters: Mapping[str, Any]
    impurity_info: orm.Dict | None
    writeout: Writeout | None


def gather(candidates: Sequence[Candidate]) -> list[Evidence]:
    """The evidence of candidates, in their order."""
    pks = [candidate.calculation for candidate in candidates]
    processes = _nodes({*pks, *(candidate.process for candidate in candidates)}, orm.ProcessNode)
    potentials = _nodes({c.potential for c in candidates if c.potential is not None}, orm.SinglefileData)
    retrieved = {link.pk: link.other for link in outputs_of(pks, orm.FolderData, ('retrieved',))}
    parameters = {link.pk: link.other.get_dict() for link in inputs_of(pks, orm.Dict, ('parameters',))}
    infos = {link.pk: link.other for link in inputs_of(pks, orm.Dict, ('impurity_info',))}
    writeouts = _writeouts(pks)
    found = []
    for candidate in candidates:
        pk = candidate.calculation
        writeout = writeouts.get(pk)
        found.append(
            Evidence(
                candidate=candidate,
                process=processes[candidate.process],
                calculation=processes[pk],
                retrieved=retrieved.get(pk),
                potential=None if candidate.potential is None else potentials[candidate.potential],
                parameters=parameters.get(pk, {}),
                impurity_info=infos.get(pk) or (writeout.impurity_info if writeout is not None else None),
                writeout=writeout,
            )
        )
    return found


def _nodes(pks: Iterable[int], node_class: type[orm.Node]) -> dict[int, Any]:
    return dict(projected(pks, node_class, ['id', '*']))


def _writeouts(pks: Sequence[int]) -> dict[int, Writeout]:
    """The write-outs that calculations began with."""
    folders = {link.pk: link.other for link in inputs_of(pks, orm.RemoteData, HOST_LINKS, 'id')}
    writers = {link.pk: link.other for link in inputs_of(folders.values(), orm.CalcJobNode, (), 'id')}
    writer_pks = set(writers.values())
    retrieved = {link.pk: link.other for link in outputs_of(writer_pks, orm.FolderData, ('retrieved',))}
    infos = {link.pk: link.other for link in inputs_of(writer_pks, orm.Dict, ('impurity_info',))}
    parameters = {link.pk: link.other.get_dict() for link in inputs_of(writer_pks, orm.Dict, ('parameters',))}
    known = {pk: Writeout(pk, retrieved.get(pk), infos.get(pk), parameters.get(pk, {})) for pk in writer_pks}
    return {pk: known[writers[folder]] for pk, folder in folders.items() if folder in writers}
