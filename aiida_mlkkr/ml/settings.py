"""Which model is trained, and how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from aiida_mlkkr.ml.models.base import Options


class ModelSettings(BaseModel, ABC):
    """Which model is trained, and how.

    :param model: the method, the name of an installed model.
    :param seed: of the random numbers of the training.
    :param options: of the model, its defaults where absent.
    """

    model_config = ConfigDict(extra='forbid', frozen=True)

    model: str
    seed: int = Field(default=0, ge=0)
    options: dict[str, JsonValue] = {}

    @model_validator(mode='after')
    def _options_are_the_models(self) -> Self:
        self.model_options()
        return self

    @abstractmethod
    def model_options(self) -> Options:
        """The options as the model's own type.

        :raises ModelError: if there is no such model; pydantic's error if it has no such options.
        """
