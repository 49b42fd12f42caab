"""What the user wants to be left out, by element, pk or UUID."""

from __future__ import annotations

from collections.abc import Iterable

from aiida_mlkkr.kkr.elements import SYMBOLS, symbol
from aiida_mlkkr.query.evidence import Evidence
from aiida_mlkkr.query.impurity import QueryError, impurity_charges

_SHORTEST_UUID = 6


class Exclusion:
    """Tells what is excluded.

    :param items: symbols of elements, pks, UUIDs or their beginnings.
    :param candidates: what they may belong to.
    :raises QueryError: if an item is none of these, or belongs to nothing.
    """

    def __init__(self, items: Iterable[str | int], candidates: Iterable[Evidence]) -> None:
        self._items = sorted({_normal(str(item)) for item in items})
        candidates = list(candidates)
        missing = [item for item in self._items if not any(_is_meant(item, evidence) for evidence in candidates)]
        if missing:
            raise QueryError(f'there is no impurity {", ".join(missing)} to exclude')

    def reason(self, evidence: Evidence) -> str:
        """Why an impurity is left out; empty if it is not."""
        matching = [item for item in self._items if _is_meant(item, evidence)]
        return f'excluded ({", ".join(matching)})' if matching else ''


def _is_meant(item: str, evidence: Evidence) -> bool:
    info = evidence.impurity_info
    if info is not None and item in {symbol(z) for z in impurity_charges(info)}:
        return True
    nodes = (evidence.process, evidence.calculation, evidence.potential)
    is_uuid = len(item) >= _SHORTEST_UUID
    return any(item == str(node.pk) or (is_uuid and node.uuid.startswith(item)) for node in nodes if node is not None)


def _normal(item: str) -> str:
    if item.capitalize() in SYMBOLS[1:]:
        return item.capitalize()
    is_uuid = len(item) >= _SHORTEST_UUID and set(item.lower()) <= set('0123456789abcdef-')
    if item.isdecimal() or is_uuid:
        return item.lower()
    raise QueryError(f'cannot exclude {item!r}: name an element, the pk of a node or its UUID')
