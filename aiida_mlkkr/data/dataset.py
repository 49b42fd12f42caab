"""Finished impurities as nodes."""

from __future__ import annotations

from typing import cast

from aiida.orm.pydantic import OrmMetadataField

from aiida_mlkkr.data.specified import SpecifiedArrayData
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
