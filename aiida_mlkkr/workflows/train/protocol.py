"""A builder of the search for a model from a protocol and a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.query import check_one_kind, find_impurities, impurity_shards
from aiida_mlkkr.workflows.protocols import merged, protocol_inputs
from aiida_mlkkr.workflows.train.base import PROTOCOL

Datasets = Mapping[str, ImpurityDatasetData] | Sequence[ImpurityDatasetData] | ImpurityDatasetData


class ProtocolMixin:
    """``get_builder_from_protocol`` of :class:`SurrogateTrainWorkChain`."""

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        impurities: Datasets | orm.Group | str,
        *,
        candidates: Mapping[str, Mapping[str, Any]] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol; its inputs are checked.

        :param code: ``aiida-mlkkr-train`` on a computer.
        :param impurities: datasets; or a group of finished impurities, or its label: datasets are made of them then,
            or found, if they have been made before.
        :param candidates: settings of emulators by label, instead of those of the protocol.
        :param protocol: ``balanced``, ``precise`` or ``fast``.
        :param overrides: nested values that replace those of the protocol.
        :param options: options of the calculations: ``resources``, ``queue_name``, ``account`` …
        :raises ValueError: there is no such protocol, or the inputs are not valid; nothing to learn from in the group
            (``QueryError``).
        """
        values = protocol_inputs(PROTOCOL, protocol, overrides)
        train = {'metadata': {'options': {'withmpi': bool(code.with_mpi)}}}
        base = merged({'train': train}, values['base'])
        base['train']['metadata']['options'] |= options or {}  # resources as a whole: their keys depend on one another
        builder = cls.get_builder()  # type: ignore[attr-defined]
        builder.code = code
        builder.datasets = _datasets(impurities)
        builder.candidates = orm.Dict(values['candidates'] if candidates is None else dict(candidates))
        builder.cross_validation = orm.Dict(values['cross_validation'])
        builder.max_parallel = orm.Int(values['max_parallel'])
        builder.base = base
        return builder


def _datasets(impurities: Datasets | orm.Group | str) -> dict[str, ImpurityDatasetData]:
    if isinstance(impurities, Mapping):
        return dict(impurities)
    if isinstance(impurities, ImpurityDatasetData):
        impurities = [impurities]
    elif isinstance(impurities, str | orm.Group):
        impurities = impurity_shards(find_impurities(impurities).usable)
        check_one_kind(impurities)
    return {f'shard_{number:04d}': node for number, node in enumerate(impurities)}
