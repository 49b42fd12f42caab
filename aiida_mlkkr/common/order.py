"""What a program is to do: its input file in JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

FileName = Annotated[str, Field(pattern=r'^[\w.-]+$')]
"""Of a file in the folder itself."""


class Order(BaseModel):
    """What the orders of all programs that go on from checkpoints have.

    :param walltime: seconds after which the program saves a checkpoint and stops.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    walltime: float | None = Field(default=None, gt=0.0)
