"""Values of options that several commands take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import click

T = TypeVar('T', bound=str)


def chosen(text: str | None, known: Sequence[T], option: str) -> tuple[T, ...]:
    """The known names that a list holds; all of them if there is no list."""
    if text is None:
        return tuple(known)
    names = [name.strip() for name in text.split(',') if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        what = f'there is no {", ".join(unknown)}' if unknown else 'nothing is named'
        raise click.BadParameter(f'{what}; there are {", ".join(known)}', param_hint=option)
    return tuple(name for name in known if name in names)
