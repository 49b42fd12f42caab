"""Random supercells of dilute magnets as nodes."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.spins.couplings import TOLERANCE, Couplings, bonds_of_table
from aiida_mlkkr.spins.dilute import Dopants, dilute_model
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.lattice import HostLattice
from aiida_mlkkr.spins.meanfield import dilute_mean_field_temperature
from aiida_mlkkr.spins.network import network, order_forbidden

Vector = tuple[float, float, float]


class DilutionSettings(BaseModel):
    """How the sites of a host are occupied.

    :param concentrations: share of the sites of the sublattice for each element.
    :param sublattice: numbers of the sites of the cell.
    :param repetitions: of the cell along its vectors.
    :param seed: of the random numbers; ``configurations`` how many arrangements are made.
    :param moments: of each element [µB]; where absent the mean of the sizes in the exchange data.
    :param field: B [T].
    :param origin: where in the cell the origin of the positions of the exchange data is [Å].
    :param symmetric: whether the operations of the host bring a pair to others.
    :param tolerance: by how much values of equal pairs may differ [meV]; their mean is taken.
    :param missing_is_zero: whether elements without exchange at a distance where others have one are not coupled.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    concentrations: dict[str, float] = Field(min_length=1)
    sublattice: tuple[NonNegativeInt, ...] = (0,)
    repetitions: tuple[PositiveInt, PositiveInt, PositiveInt]
    seed: NonNegativeInt
    configurations: Annotated[int, Field(ge=1, le=1000)] = 1
    moments: dict[str, float] = Field(default_factory=dict)
    field: Vector = (0.0, 0.0, 0.0)
    origin: Vector = (0.0, 0.0, 0.0)
    symmetric: bool = True
    tolerance: Annotated[float, Field(ge=0.0)] = TOLERANCE
    missing_is_zero: bool = False


@calcfunction
def dilute_spin_models(
    structure: orm.StructureData, settings: orm.Dict, **exchange: ExchangeData
) -> dict[str, orm.Data] | ExitCode:
    """Occupy sites of a host at random and couple them by exchange data.

    :param structure: the host, its cell as small as can be.
    :param settings: fields of :class:`DilutionSettings`.
    :param exchange: tables of pairs; pairs that the host makes equal need one of them only.
    :return: ``configuration_0``, … (``SpinModelData``) and ``report``: the mean-field temperature, statistics of the
        networks, and why there is no transition where that is sure; exit code 221 if the settings are not valid, 222
        if no model can be made.
    """
    try:
        chosen = DilutionSettings.model_validate(settings.get_dict())
        tables = [node.table for _, node in sorted(exchange.items())]
        return _models(lattice_of_structure(structure), chosen, tables)
    except ValidationError as error:
        return ExitCode(221, f'the settings are not valid: {first_complaint(error)}')
    except (SpinModelError, ExchangeError) as error:
        return ExitCode(222, f'no spin model can be made: {error}')


def _models(lattice: HostLattice, settings: DilutionSettings, tables: list[ExchangeTable]) -> dict[str, orm.Data]:
    bonds = [bond for table in tables for bond in bonds_of_table(table, np.array(settings.origin))]
    couplings = Couplings.of_bonds(lattice, bonds, symmetric=settings.symmetric, tolerance=settings.tolerance)
    dopants = Dopants(settings.concentrations, mean_moments(tables) | settings.moments, settings.sublattice)
    models = [
        dilute_model(
            lattice,
            couplings,
            dopants,
            settings.repetitions,
            seed=settings.seed,
            configuration=k,
            field=np.array(settings.field),
            missing_is_zero=settings.missing_is_zero,
        )
        for k in range(settings.configurations)
    ]
    report: dict[str, Any] = {
        'mean_field_temperature': dilute_mean_field_temperature(couplings, dopants),
        'moments': {element: abs(dopants.moments[element]) for element in dopants.concentrations},
        'networks': [network(model).statistics() for model in models],
        'order_forbidden': [order_forbidden(model) for model in models],
    }
    nodes: dict[str, orm.Data] = {
        f'configuration_{k}': SpinModelData.from_spin_model(model) for k, model in enumerate(models)
    }
    return nodes | {'report': orm.Dict(report)}


def mean_moments(tables: list[ExchangeTable]) -> dict[str, float]:
    """The mean of the sizes of the moments of each element [µB]."""
    sizes: dict[str, list[float]] = {}
    for table in tables:
        for element, moment in zip(table.elements, np.abs(table.moments).tolist(), strict=True):
            sizes.setdefault(element, []).append(moment)
    return {element: float(np.mean(values)) for element, values in sizes.items()}


def lattice_of_structure(structure: orm.StructureData) -> HostLattice:
    """The crystal of a structure."""
    symbols = tuple(structure.get_kind(site.kind_name).get_symbols_string() for site in structure.sites)
    return HostLattice(np.array(structure.cell), symbols, np.array([site.position for site in structure.sites]))
