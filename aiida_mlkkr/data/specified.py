"""Arrays with a spec: what the nodes of models and datasets have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida.common.exceptions import ValidationError
from aiida.orm import ArrayData
from aiida.orm.pydantic import OrmMetadataField
from numpy.typing import NDArray

from aiida_mlkkr.ml.spec import Spec


class SpecifiedArrayData(ArrayData):
    """Arrays in files (``.npy``, no pickle), and a spec in the attributes to which they are held when stored."""

    spec_type: ClassVar[type[Spec]]

    class AttributesModel(ArrayData.AttributesModel):
        """What the database can be asked for."""

        format_version: int = OrmMetadataField(description='Version of the format')
        package_version: str = OrmMetadataField(description='Version of aiida-mlkkr that made it')
        kind: dict[str, Any] = OrmMetadataField(description='What potentials must agree in to be used together')
        hosts: list[str] = OrmMetadataField(description='Names of the host crystals')
        elements: list[str] = OrmMetadataField(description='Symbols of the impurities')
        number: int = OrmMetadataField(description='Number of impurity clusters')

    def __init__(self, arrays: Mapping[str, NDArray[Any]], spec: Spec, **kwargs: Any) -> None:
        super().__init__(dict(arrays), **kwargs)
        self.base.attributes.set_many(spec.model_dump(mode='json'))

    @property
    def spec(self) -> Spec:
        """The spec.

        :raises ValueError: it is not valid, or of a newer version of aiida-mlkkr.
        """
        attributes = self.base.attributes.all
        return self.spec_type.read(
            {name: attributes[name] for name in self.spec_type.model_fields if name in attributes}
        )

    def _validate(self) -> bool:
        super()._validate()
        try:
            self.spec.check(self.arrays)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return True
