"""Finished impurities as nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

from aiida.orm.pydantic import OrmMetadataField

from aiida_mlkkr.data.specified import SpecifiedArrayData
from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.ml.files import dataset_from_arrays, dataset_to_arrays, write_dataset
from aiida_mlkkr.ml.spec import DatasetSpec


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
        if dataset is not None:
            return cls(*dataset_to_arrays(dataset, left_out))
        nothing: dict[str, Any] = {'kind': {}, 'hosts': [], 'elements': [], 'number': 0, 'arrays': {}}
        return cls({}, DatasetSpec(**nothing, details={'sources': []}, left_out=dict(left_out)))

    @property
    def dataset(self) -> ImpurityDataset | None:
        """The impurities; None if there are none.

        :raises DatasetError: the node is damaged, or of a newer version of aiida-mlkkr.
        """
        spec = self.spec
        spec.check(self.arrays)
        if not spec.number:
            return None
        return dataset_from_arrays(self.arrays, spec)

    def to_file(self, path: Path | str) -> None:
        """Write the impurities to a safetensors file; the provenance stays behind.

        :raises DatasetError: there are none.
        """
        dataset = self.dataset
        if dataset is None:
            raise DatasetError('the dataset is empty')
        write_dataset(Path(path), dataset)
