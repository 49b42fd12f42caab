"""What ports of several workchains refuse: each function returns a message, or None if there is nothing to say."""

from __future__ import annotations

from aiida import orm


def validate_positive(value: orm.Int | orm.Float, _: object) -> str | None:
    """Message on a number that is not above 0."""
    if value.value > 0:
        return None
    return f'a number {"from 1" if isinstance(value, orm.Int) else "above 0"} is needed: {value.value} is not positive'
