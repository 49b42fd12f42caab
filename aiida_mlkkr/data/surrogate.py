"""Trained models as nodes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, cast

from aiida.orm.pydantic import OrmMetadataField

from aiida_mlkkr.data.specified import SpecifiedArrayData
from aiida_mlkkr.ml.files import read_model, write_model
from aiida_mlkkr.ml.spec import SurrogateSpec

FILE_NAME: Final = 'file_name'
FILE_SHA256: Final = 'file_sha256'
"""Extras of models that came from a file."""


class SurrogateData(SpecifiedArrayData):
    """A trained model: its arrays, and a :class:`~aiida_mlkkr.ml.spec.SurrogateSpec` in the attributes."""

    spec_type = SurrogateSpec

    class AttributesModel(SpecifiedArrayData.AttributesModel):
        """What the database can be asked for."""

        task: str = OrmMetadataField(description='What the model predicts')
        model: str = OrmMetadataField(description='The method')
        seed: int = OrmMetadataField(description="Seed of the training's random numbers")

    @property
    def spec(self) -> SurrogateSpec:
        """The spec of the model.

        :raises ModelError: it is not valid, or of a newer version of aiida-mlkkr.
        """
        return cast(SurrogateSpec, super().spec)

    def to_file(self, path: Path | str) -> None:
        """Write the model to a safetensors file; the provenance stays behind."""
        write_model(Path(path), self.arrays, self.spec)

    @classmethod
    def from_file(cls, path: Path | str) -> SurrogateData:
        """A node, not yet stored, of the model in a file, whose name and SHA-256 become its extras and description.

        :raises ModelError: the file is missing, foreign, truncated or damaged, or of a newer version of aiida-mlkkr.
        """
        file = Path(path)
        node = cls(*read_model(file))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        node.description = f'from the file {file.name}, SHA-256 {digest}'
        node.base.extras.set_many({FILE_NAME: file.name, FILE_SHA256: digest})
        return node
