"""At which temperatures a model is simulated: a wide grid from mean field, then a narrow one at the transition."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from .schedule import Temperature

FloatArray = NDArray[np.float64]

_DEEPER = 0.1


class TemperatureSettings(BaseModel):
    """Temperatures to be chosen, or those that are given.

    :param values: ascending [K]; where they are given, nothing is chosen.
    :param number: of temperatures of the wide grid, each larger than the last by the same factor.
    :param lowest: of the wide grid as share of the temperature at which mean field has the first order of any kind;
        ``highest`` likewise.
    :param refinements: how often a narrow grid follows, around what the last one shows.
    :param refined_number: of temperatures of a narrow grid, evenly spaced.
    :param refined_width: half of the first narrow grid as share of its middle; each further one is half as wide.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    values: tuple[Temperature, ...] = ()
    number: Annotated[int, Field(ge=2, le=200)] = 16
    lowest: Annotated[float, Field(gt=0.0)] = 0.05
    highest: Annotated[float, Field(gt=0.0)] = 1.1
    refinements: NonNegativeInt = 1
    refined_number: Annotated[int, Field(ge=4, le=200)] = 9
    refined_width: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15

    @model_validator(mode='after')
    def _ascending(self) -> Self:
        if any(one >= other for one, other in zip(self.values, self.values[1:], strict=False)):
            raise ValueError('the temperatures must ascend, each different from the last')
        if self.lowest >= self.highest:
            raise ValueError('lowest must be below highest')
        return self

    def wide(self, scale: float) -> list[float]:
        """The first temperatures [K].

        :param scale: temperature of mean field [K].
        """
        return list(self.values) or np.geomspace(self.lowest * scale, self.highest * scale, self.number).tolist()

    def deeper(self, lowest: float) -> list[float]:
        """Temperatures below those of the wide grid, with two octaves in common [K].

        :param lowest: of the wide grid [K].
        """
        chosen: list[float] = np.geomspace(_DEEPER * lowest, 4 * lowest, self.number).tolist()
        return chosen

    def narrow(self, middle: float, refinement: int) -> list[float]:
        """The temperatures around a transition [K].

        :param refinement: its number, from 0.
        """
        width = self.refined_width * middle / 2**refinement
        chosen: list[float] = np.linspace(middle - width, middle + width, self.refined_number).tolist()
        return chosen
