"""Models by name. Those of other packages are found as those of this one: by their entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.models.base import PotentialModel

GROUP: Final = 'aiida_mlkkr.potential_models'


def model_names() -> list[str]:
    """Names of all installed models."""
    return sorted(entry_points(group=GROUP).names)


def model_type(name: str) -> type[PotentialModel]:
    """The model of a name; only then is it imported.

    :raises ModelError: if there is none, or a package that it needs is not installed.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise ModelError(f'there is no model {name!r}; installed are {", ".join(model_names())}')
    try:
        model: type[PotentialModel] = next(iter(found)).load()
    except ImportError as error:
        raise ModelError(
            f'the model {name} needs a package that is not installed ({error}): pip install "aiida-mlkkr[nn]"'
        ) from error
    return model
