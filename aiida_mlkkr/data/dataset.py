"""Finished impurities as nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, cast

from aiida.orm.pydantic import OrmMetadataField

from aiida_mlkkr.data.specified import SpecifiedArrayData
from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.spec import DatasetSpec, describe


class ImpurityDatasetData(SpecifiedArrayData):
    """Converged potentials of impurities: arrays, and a :class:`~aiida_mlkkr.ml.spec.DatasetSpec` in the attributes."""

    spec_type = DatasetSpec

    class AttributesModel(SpecifiedArrayData.AttributesModel):
        """What the database can be asked for."""

        left_out: dict[str, str] = OrmMetadataField(description='Impurities that could not be used, and why')

    @property
    def spec(self) -> DatasetSpec:
        """The spec of the dataset.

        :raises DatasetError: it is not valid, or of a newer version of aiida-mlkkr.
        """
        return cast(DatasetSpec, super().spec)

    @classmethod
    def from_dataset(cls, dataset: ImpurityDataset | None, left_out: Mapping[str, str]) -> Self:
        """A node, not yet stored.

        :param dataset: None if nothing could be used.
        :param left_out: what could not be used, by name, and why.
        """
        arrays, description = ({}, {'kind': {}, 'sources': []}) if dataset is None else dataset.to_arrays()
        spec = DatasetSpec(
            kind=description['kind'],
            hosts=[] if dataset is None else [host.name for host in dataset.hosts],
            elements=[] if dataset is None else list(dataset.elements),
            number=len(description['sources']),
            arrays=describe(arrays),
            details={'sources': description['sources']},
            left_out=dict(left_out),
        )
        return cls(arrays, spec)

    @property
    def dataset(self) -> ImpurityDataset | None:
        """The impurities; None if there are none.

        :raises DatasetError: the node is damaged, or of a newer version of aiida-mlkkr.
        """
        spec = self.spec
        spec.check(self.arrays)
        if not spec.number:
            return None
        return ImpurityDataset.from_arrays(self.arrays, {'kind': spec.kind, **spec.details})
