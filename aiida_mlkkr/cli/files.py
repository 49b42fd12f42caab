"""Files that options name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


def read_mapping(path: Path, option: str) -> dict[str, Any]:
    """The content of a YAML or JSON file that gives values by name.

    :param option: that named the file.
    :raises click.BadParameter: it cannot be read, or holds something else.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise click.BadParameter(f'{path} is not a YAML or JSON file: {error}', param_hint=option) from error
    if not isinstance(content, dict):
        raise click.BadParameter(f'{path} holds no values by name', param_hint=option)
    return content
