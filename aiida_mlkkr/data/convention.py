"""What nodes with exchange in it say of their format and their convention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiida_mlkkr import __version__
from aiida_mlkkr.exchange.conventions import OURS

_CONVENTION: Final = {'convention': OURS.name, 'hamiltonian': OURS.hamiltonian}


def stated(format_version: int) -> dict[str, Any]:
    """Attributes of a new node: version of the format and of the package, convention and Hamiltonian."""
    return {'format_version': format_version, 'package_version': __version__, **_CONVENTION}


def disagreement(attributes: Mapping[str, Any], format_version: int) -> str | None:
    """Message if a node has another format or another convention than this version reads."""
    for name, value in {'format_version': format_version, **_CONVENTION}.items():
        if attributes.get(name) != value:
            return f'{name} is {attributes.get(name)!r}, this version of aiida-mlkkr reads {value!r}'
    return None
