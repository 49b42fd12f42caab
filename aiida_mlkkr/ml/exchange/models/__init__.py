"""Models of exchange behind one interface, found by their entry points.

Another model takes a file with a :class:`~aiida_mlkkr.ml.exchange.models.base.PairModel` and an entry point in the
group ``aiida_mlkkr.exchange_models``.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.exchange.models.base import PairEstimate as PairEstimate
from aiida_mlkkr.ml.exchange.models.base import PairModel as PairModel

GROUP: Final = 'aiida_mlkkr.exchange_models'


def model_names() -> list[str]:
    """Names of all installed models."""
    return sorted(entry_points(group=GROUP).names)


def model_type(name: str) -> type[PairModel]:
    """The model of a name; only then is it imported.

    :raises ModelError: if there is none, or a package that it needs is not installed.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise ModelError(f'there is no model of exchange {name!r}; installed are {", ".join(model_names())}')
    try:
        model: type[PairModel] = next(iter(found)).load()
    except ImportError as error:
        raise ModelError(f'the model {name} needs a package that is not installed: {error}') from error
    return model
