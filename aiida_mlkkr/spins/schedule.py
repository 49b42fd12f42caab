"""What a Monte Carlo simulation does: temperatures, lengths, moves."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

Temperature = Annotated[float, Field(gt=0.0)]


class Schedule(BaseModel):
    """A simulation, in rounds: each is some sweeps of every replica, an exchange of temperatures, a measurement.

    :param temperatures: ascending [K].
    :param thermalisation: rounds before the first measurement.
    :param measurement: rounds that are measured.
    :param sweeps: of the algorithm in a round.
    :param reflections: sweeps of over-relaxation after each of them.
    :param algorithm: ``heat-bath``, or ``metropolis`` to check it.
    :param tempering: whether replicas at neighbouring temperatures exchange them.
    :param cooling: sweeps in which the coldest replicas are cooled to zero at the end, to find the state of lowest
        energy; 0 for none.
    :param correlation_reach: largest distance at which correlations are measured [Å]; 0 for none.
    :param seed: of the random numbers.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    temperatures: tuple[Temperature, ...] = Field(min_length=1)
    thermalisation: NonNegativeInt = 1000
    measurement: Annotated[int, Field(ge=64)] = 2000
    sweeps: PositiveInt = 1
    reflections: NonNegativeInt = 3
    algorithm: Literal['heat-bath', 'metropolis'] = 'heat-bath'
    tempering: bool = True
    cooling: NonNegativeInt = 0
    correlation_reach: Annotated[float, Field(ge=0.0)] = 0.0
    seed: NonNegativeInt

    @model_validator(mode='after')
    def _ascending(self) -> Self:
        if any(one >= other for one, other in zip(self.temperatures, self.temperatures[1:], strict=False)):
            raise ValueError('the temperatures must ascend, each different from the last')
        return self

    @property
    def rounds(self) -> int:
        """All rounds."""
        return self.thermalisation + self.measurement
