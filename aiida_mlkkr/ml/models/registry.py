"""Models of impurity potentials by name."""

from __future__ import annotations

from typing import Final

from aiida_mlkkr.ml.installed import Installed
from aiida_mlkkr.ml.models.base import PotentialModel

_INSTALLED: Final = Installed[PotentialModel]('aiida_mlkkr.potential_models', 'model')

model_names: Final = _INSTALLED.names
model_type: Final = _INSTALLED.of_name
