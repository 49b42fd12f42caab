"""What stands beside the arrays of a model or a dataset: its spec, checked when it is stored, read or written.

A spec names the arrays with their types and shapes, so that a missing, foreign or damaged one is found, and carries
what a database is asked for: task, model, hosts, elements. What only the model itself understands is in ``details``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, NonNegativeInt, ValidationError

from aiida_mlkkr import __version__
from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.ml.errors import DatasetError, ModelError

FORMAT_VERSION: Final = 1
"""Version of the specs and of the arrays that go with them; raised when an old reader would misread a new one."""

Arrays = Mapping[str, NDArray[Any]]
_Name = Annotated[str, Field(pattern=r'^[A-Za-z][A-Za-z0-9_]*$')]


class ArraySpec(BaseModel):
    """Type and shape of an array."""

    model_config = ConfigDict(extra='forbid', frozen=True)

    dtype: Literal['float64', 'float32', 'int64', 'int32', 'bool']
    shape: tuple[NonNegativeInt, ...]


class Spec(BaseModel):
    """What models and datasets have in common.

    :param format_version: version of the format, see ``FORMAT_VERSION``.
    :param package_version: version of aiida-mlkkr that made it.
    :param kind: what potentials must agree in to be used together: spins, lmax, relativity, ...
    :param hosts: names of the host crystals in it.
    :param elements: symbols of the impurities in it.
    :param number: how many impurity clusters are in it.
    :param arrays: type and shape of each array.
    :param details: the rest, in plain JSON. AiiDA keeps 14 digits of a number in it: exact numbers go into arrays.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)
    noun: ClassVar[str]
    error: ClassVar[type[ValueError]]

    format_version: Literal[1] = FORMAT_VERSION
    package_version: str = __version__
    kind: dict[str, JsonValue]
    hosts: list[str]
    elements: list[str]
    number: NonNegativeInt
    arrays: dict[_Name, ArraySpec]
    details: dict[str, JsonValue]

    @classmethod
    def read(cls, content: Any) -> Self:
        """A spec from its plain form (attributes of a node, JSON of a file).

        :raises ModelError: if it is none, or one of another version (for a dataset ``DatasetError``).
        """
        version = content.get('format_version') if isinstance(content, Mapping) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise cls.error(
                f'the {cls.noun} was made by a newer aiida-mlkkr (format {version}, this one reads {FORMAT_VERSION}): '
                'update the package'
            )
        if version != FORMAT_VERSION:
            raise cls.error(f'the spec of the {cls.noun} has no known format version: {version!r}')
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise cls.error(f'the spec of the {cls.noun} is not valid: {first_complaint(error)}') from error

    def check(self, arrays: Arrays) -> None:
        """Compare arrays with the spec.

        :raises ModelError: if an array is missing, superfluous, of another type or shape, or holds a number that is
            not finite (for a dataset ``DatasetError``).
        """
        missing, superfluous = sorted(self.arrays.keys() - arrays.keys()), sorted(arrays.keys() - self.arrays.keys())
        if missing or superfluous:
            found = [f'{", ".join(missing)} missing'] * bool(missing)
            found += [f'{", ".join(superfluous)} not in the spec'] * bool(superfluous)
            raise self.error(f'the {self.noun} and its spec do not fit: array {"; ".join(found)}')
        for name, expected in self.arrays.items():
            array = arrays[name]
            if (array.dtype.name, array.shape) != (expected.dtype, expected.shape):
                raise self.error(
                    f'array {name} of the {self.noun} is {array.dtype.name} {array.shape}, '
                    f'its spec says {expected.dtype} {expected.shape}'
                )
            if not np.isfinite(array).all():
                raise self.error(f'array {name} of the {self.noun} holds a number that is not finite')


class SurrogateSpec(Spec):
    """Spec of a trained model.

    :param task: what it predicts, such as ``impurity_potential``.
    :param model: by which method, such as ``kernel``.
    :param seed: of the random numbers of its training.
    """

    noun = 'model'
    error = ModelError

    task: str = Field(min_length=1)
    model: str = Field(min_length=1)
    seed: NonNegativeInt


class DatasetSpec(Spec):
    """Spec of a dataset of finished impurities.

    :param left_out: impurities that could not be used, by name, and why.
    """

    noun = 'dataset'
    error = DatasetError

    left_out: dict[str, str] = {}


def describe(arrays: Arrays) -> dict[str, ArraySpec]:
    """Types and shapes of arrays, for the field ``arrays`` of a spec."""
    described = {name: {'dtype': array.dtype.name, 'shape': array.shape} for name, array in arrays.items()}
    return {name: ArraySpec.model_validate(entry) for name, entry in described.items()}
