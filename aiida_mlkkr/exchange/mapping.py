"""Mapping files: what the columns of somebody's table of exchange mean, its units and its convention."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Self

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, model_validator

from aiida_mlkkr.kkr.elements import SYMBOLS

from .conventions import CONVENTIONS, UNITS, Convention
from .errors import ExchangeError
from .structure import HostStructure

_Vector = tuple[float, float, float]
_Symbol = Annotated[str, Field(description='chemical symbol')]

PACKAGED: Final = files('aiida_mlkkr.exchange') / 'mappings'
"""Folder with mappings of published tables."""


class _Part(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


class Columns(_Part):
    """Names of columns.

    :param z_i, z_j: nuclear charges; ``x``, ``y``, ``z`` the vector from i to j; ``j`` the isotropic exchange;
        ``moment_i``, ``moment_j`` spin moments in µB.
    :param dx, dy, dz: of D, all or none; ``layer_i``, ``layer_j`` numbers of layers; ``site_i``, ``site_j`` numbers of
        the sites of a cluster.
    """

    z_i: str
    z_j: str
    x: str
    y: str
    z: str
    j: str
    moment_i: str
    moment_j: str
    dx: str | None = None
    dy: str | None = None
    dz: str | None = None
    layer_i: str | None = None
    layer_j: str | None = None
    site_i: str | None = None
    site_j: str | None = None


class Structure(_Part):
    """The host crystal.

    :param cell: lattice vectors in Å.
    :param atoms: symbol and fractional coordinates of each.
    :param layers: numbers of layers of the table, and the atoms they are, counted from 0.
    """

    cell: tuple[_Vector, _Vector, _Vector]
    atoms: tuple[tuple[_Symbol, float, float, float], ...] = Field(min_length=1)
    layers: dict[int, int]

    @model_validator(mode='after')
    def _atoms_exist(self) -> Self:
        if unknown := [name for name, *_ in self.atoms if name not in SYMBOLS]:
            raise ValueError(f'there is no element {", ".join(unknown)}')
        if any(not 0 <= atom < len(self.atoms) for atom in self.layers.values()):
            raise ValueError(f'layers name atoms from 0 to {len(self.atoms) - 1}')
        return self

    def structure(self) -> HostStructure:
        """As arrays."""
        cell = np.array(self.cell)
        return HostStructure(
            cell=cell,
            positions=np.array([place for _, *place in self.atoms]) @ cell,
            z=np.array([SYMBOLS.index(name) for name, *_ in self.atoms]),
            layers=np.array(list(self.layers), dtype=np.int64),
            sites=np.array(list(self.layers.values()), dtype=np.int64),
        )


class Mapping(_Part):
    """What a table means.

    :param host: name of the crystal.
    :param convention: name of a convention of :mod:`aiida_mlkkr.exchange.conventions`.
    :param energy_unit: of J and D.
    :param length_unit: Å in a unit of the vector.
    """

    host: str = Field(min_length=1)
    convention: str
    energy_unit: str
    length_unit: PositiveFloat
    columns: Columns
    structure: Structure | None = None

    @model_validator(mode='after')
    def _names_known(self) -> Self:
        if self.convention not in CONVENTIONS:
            raise ValueError(f'there is no convention {self.convention!r}; there are {", ".join(CONVENTIONS)}')
        if self.energy_unit not in UNITS:
            raise ValueError(f'energies are in {" or ".join(UNITS)}, not in {self.energy_unit!r}')
        vector = (self.columns.dx, self.columns.dy, self.columns.dz)
        if any(vector) and not all(vector):
            raise ValueError('columns: dx, dy and dz belong together')
        return self

    @property
    def its_convention(self) -> Convention:
        """The convention of the table."""
        return CONVENTIONS[self.convention]


def read_mapping(name: str | Path) -> Mapping:
    """Read a mapping file, or the packaged one of a name.

    :raises ExchangeError: there is none, or it is not valid.
    """
    packaged = PACKAGED / f'{name}.yaml'
    try:
        text = packaged.read_text('utf-8') if packaged.is_file() else Path(name).read_text('utf-8')
        return Mapping.model_validate(yaml.safe_load(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ExchangeError(f'{name} is no mapping file and no packaged mapping: {error}') from error
    except ValidationError as error:
        complaint = error.errors(include_url=False)[0]
        where = '.'.join(map(str, complaint['loc']))
        raise ExchangeError(
            f'{name} does not say what the table means: {where or "mapping"}: {complaint["msg"]}'
        ) from error
