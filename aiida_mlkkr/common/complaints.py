"""What is wrong with settings, in a line for the user."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError


def first_complaint(error: ValidationError) -> str:
    """The first of pydantic's complaints, and where it is."""
    complaint = error.errors(include_url=False)[0]
    where = '.'.join(map(str, complaint['loc']))
    what = complaint['msg'].removeprefix('Value error, ')
    return f'{where}: {what}' if where else what


def complaint_on(content: Any, model: type[BaseModel]) -> str | None:
    """The first thing that is wrong with the fields of a model; None if nothing is."""
    try:
        model.model_validate(content)
    except ValidationError as error:
        return first_complaint(error)
    return None
