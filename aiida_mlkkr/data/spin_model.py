"""Spin models as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from aiida.common.exceptions import ValidationError
from aiida.orm import ArrayData
from aiida.orm.pydantic import OrmMetadataField

from aiida_mlkkr.data.convention import disagreement, stated
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.files import MODEL_ARRAYS, model_of, write_model
from aiida_mlkkr.spins.model import SpinModel

FORMAT_VERSION: Final = 1


class SpinModelData(ArrayData):
    """Explicit moments and the pairs that couple them: a :class:`~aiida_mlkkr.spins.model.SpinModel` in the database.

    Energies are in meV, lengths in Å, moments in µB and fields in T, in the convention that the attribute
    ``hamiltonian`` writes out.
    """

    class AttributesModel(ArrayData.AttributesModel):
        """What the database can be asked for."""

        format_version: int = OrmMetadataField(description='Version of the format')
        package_version: str = OrmMetadataField(description='Version of aiida-mlkkr that made it')
        number: int = OrmMetadataField(description='Number of moments')
        pairs: int = OrmMetadataField(description='Number of coupled pairs')
        composition: dict[str, int] = OrmMetadataField(description='Number of moments of each element')
        seed: int = OrmMetadataField(description='Seed of the random numbers that the moments were placed with')
        configuration: int = OrmMetadataField(description='Number of the arrangement among those of the seed')
        convention: str = OrmMetadataField(description='Name of the convention')
        hamiltonian: str = OrmMetadataField(description='The Hamiltonian of the convention, in meV')

    @classmethod
    def from_spin_model(cls, model: SpinModel, **kwargs: Any) -> SpinModelData:
        """A node, not yet stored."""
        node = cls({name: getattr(model, name) for name in MODEL_ARRAYS} | {'species': _species(model)}, **kwargs)
        names = sorted(set(model.elements))
        node.base.attributes.set_many(
            {
                **stated(FORMAT_VERSION),
                'number': len(model),
                'pairs': len(model.pairs),
                'symbols': names,
                'composition': {name: model.elements.count(name) for name in names},
                'seed': model.seed,
                'configuration': model.configuration,
            }
        )
        return node

    @property
    def model(self) -> SpinModel:
        """The model.

        :raises SpinModelError: the node is damaged, or of another version or convention.
        """
        attributes, names = self.base.attributes.all, self.get_arraynames()
        if message := disagreement(attributes, FORMAT_VERSION):
            raise SpinModelError(message)
        arrays = {name: self.get_array(name) for name in names}
        if 'species' not in arrays or arrays['species'].max(initial=-1) >= len(attributes.get('symbols', [])):
            raise SpinModelError('the node does not say of which element its moments are')
        elements = np.array(attributes['symbols'])[arrays['species']].tolist()
        return model_of(arrays, {**attributes, 'elements': elements})

    def to_file(self, path: Path | str) -> None:
        """Write the model as ``mlkkr-monte-carlo`` reads it."""
        write_model(Path(path), self.model)

    def _validate(self) -> bool:
        super()._validate()
        try:
            _ = self.model
        except SpinModelError as error:
            raise ValidationError(f'not a spin model: {error}') from error
        return True


def _species(model: SpinModel) -> np.ndarray:
    """Number of the element of each moment among the symbols in their order."""
    return np.unique(np.array(model.elements), return_inverse=True)[1].astype(np.int64)
