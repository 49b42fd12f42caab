"""What is wrong with settings, in a line."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, model_validator

from aiida_mlkkr.common.complaints import complaint_on


class Inner(BaseModel):
    model_config = ConfigDict(extra='forbid')

    low: int = 0
    high: int = 1

    @model_validator(mode='after')
    def _ascend(self) -> Inner:
        if self.low > self.high:
            raise ValueError('low is above high')
        return self


class Outer(BaseModel):
    parts: list[Inner]


@pytest.mark.parametrize(
    ('content', 'model', 'complaint'),
    [
        ({}, Inner, None),
        ({'low': 2}, Inner, 'low is above high'),
        ({'parts': [{}, {'low': 2}]}, Outer, 'parts.1: low is above high'),
        ({'lower': 2, 'higher': 1}, Inner, 'lower: Extra inputs are not permitted'),
    ],
)
def test_the_first_complaint(content: dict, model: type[BaseModel], complaint: str | None) -> None:
    assert complaint_on(content, model) == complaint
