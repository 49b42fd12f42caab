"""Models by name. Those of other packages are found as those of this one: by their entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Generic, TypeVar

from aiida_mlkkr.ml.errors import ModelError

Model = TypeVar('Model')


class Installed(Generic[Model]):
    """The installed models of a kind.

    :param group: of their entry points.
    :param noun: what one of them is.
    """

    def __init__(self, group: str, noun: str) -> None:
        self._group = group
        self._noun = noun

    def names(self) -> list[str]:
        """Names of all installed models."""
        return sorted(entry_points(group=self._group).names)

    def of_name(self, name: str) -> type[Model]:
        """The model of a name; only then is it imported.

        :raises ModelError: if there is none, or a package that it needs is not installed.
        """
        found = entry_points(group=self._group, name=name)
        if not found:
            raise ModelError(f'there is no {self._noun} {name!r}; installed are {", ".join(self.names())}')
        try:
            model: type[Model] = next(iter(found)).load()
        except ImportError as error:
            raise ModelError(
                f'the {self._noun} {name} needs a package that is not installed ({error}): '
                'pip install "aiida-mlkkr[nn]"'
            ) from error
        return model
