"""Retrieved files as texts."""

from __future__ import annotations

import json
from typing import Any

from aiida.orm import FolderData


def text_of(folder: FolderData, name: str | None) -> str:
    """The text of a file; empty if it is not there."""
    repository = folder.base.repository
    if not name or name not in repository.list_object_names():
        return ''
    return repository.get_object_content(name, mode='rb').decode('utf-8', errors='replace')


def records_of(folder: FolderData, name: str) -> list[dict[str, Any]]:
    """The lines of a program's record, in JSON; the last one may be cut off."""
    entries = []
    for line in text_of(folder, name).splitlines():
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    return entries
