"""Surrogates of exchange as nodes: trained on exchange data, and what they predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aiida_mlkkr.calculations.spin_models import lattice_of_structure
from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.origins import Origins
from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tensors import compose
from aiida_mlkkr.kkr.patterns import nuclear_charge
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.exchange.in_host import ExchangeSettings, HostSurrogate, learnable
from aiida_mlkkr.ml.exchange.surrogate import PairPrediction
from aiida_mlkkr.spins.errors import SpinModelError

Vector = tuple[float, float, float]


@calcfunction
def train_exchange_surrogate(
    settings: orm.Dict | None = None, structure: orm.StructureData | None = None, **exchange: ExchangeData
) -> dict[str, orm.Data] | ExitCode:
    """Train a surrogate of exchange (see :mod:`aiida_mlkkr.ml.exchange.in_host`); predicted pairs are not learnt from.

    :param settings: fields of :class:`~aiida_mlkkr.ml.exchange.in_host.ExchangeSettings`, their defaults where absent.
    :param structure: the host, its cell as small as can be, for its symmetry: pairs that it makes equal are the same.
    :param exchange: computed pairs in one host.
    :return: ``model`` (``SurrogateData``) and ``report``, how well it predicts pairs of elements that it has not seen;
        exit code 221 if the settings are not valid, 222 if there are no computed pairs, or in several hosts, 223 if the
        model cannot be trained on them.
    """
    try:
        chosen = ExchangeSettings.model_validate({} if settings is None else settings.get_dict())
    except ValidationError as error:
        return ExitCode(221, f'the settings of the training are not valid: {first_complaint(error)}')
    foreign = [label for label, node in exchange.items() if not isinstance(node, ExchangeData)]
    if foreign:
        return ExitCode(222, f'input {", ".join(foreign)} is no exchange data (ExchangeData)')
    try:
        pairs, host = learnable([node.table for _, node in sorted(exchange.items())])
        rotations = None if structure is None else lattice_of_structure(structure).operations[0]
        surrogate = HostSurrogate.fit(pairs, host, chosen, rotations)
    except (ExchangeError, SpinModelError) as error:
        return ExitCode(222, f'no model can be trained: {error}')
    except (ModelError, DatasetError) as error:
        return ExitCode(223, f'no model can be trained: {error}')
    return {'model': SurrogateData(*surrogate.export()), 'report': orm.Dict(surrogate.report)}


class AskedPairs(BaseModel):
    """Pairs that a prediction is asked for.

    :param host: name of the host, as exchange data of it have it.
    :param elements: symbols of both sites of each pair.
    :param positions: of both sites of each pair [Å].
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    host: str
    elements: list[tuple[str, str]] = Field(min_length=1)
    positions: list[tuple[Vector, Vector]]


@calcfunction
def predicted_exchange(model: SurrogateData, pairs: orm.Dict) -> ExchangeData | ExitCode:
    """Exchange of pairs as a trained surrogate predicts it.

    :param model: from ``train_exchange_surrogate`` or ``mlkkr.train``, or from a file.
    :param pairs: fields of :class:`AskedPairs`.
    :return: J of each pair, D and S where the model knows them, and the moments that it expects; the origins have the
        UUID of the model, the half widths of the 90 % intervals of J and D, and whether a pair is outside of what was
        learnt. Exit code 211 if the pairs are none, 212 if the model is for something else or another host, or is
        damaged.
    """
    try:
        asked = AskedPairs.model_validate(pairs.get_dict())
        wanted = _pairs(asked)
    except ValidationError as error:
        return ExitCode(211, f'these are no pairs: {first_complaint(error)}')
    except ValueError as error:
        return ExitCode(211, f'these are no pairs: {error}')
    try:
        surrogate = HostSurrogate.load(model.arrays, model.spec)
        prediction = surrogate.predict(wanted, asked.host)
    except ModelError as error:
        return ExitCode(212, f'no prediction by this model: {error}')
    number = len(wanted)
    moments = surrogate.surrogate.moments.of_sites(wanted.z, wanted.layers)
    return ExchangeData.from_table(
        ExchangeTable(
            host=asked.host,
            elements=tuple(name for both in asked.elements for name in both),
            positions=np.array(asked.positions).reshape(-1, 3),
            moments=moments.ravel(),
            pairs=np.arange(2 * number).reshape(-1, 2),
            tensors=_tensors(prediction),
            method=f'predicted by {model.spec.model}',
            spread=np.zeros(number),
            origins=Origins.of_model(model.uuid, prediction.half_width, prediction.outside, prediction.d_half_width),
        )
    )


def _tensors(prediction: PairPrediction) -> NDArray[np.float64]:
    """𝒥 of J, and of D and S where the model knows them, shape (n, 3, 3) [meV]."""
    number = len(prediction.j)
    d = np.zeros((number, 3)) if prediction.d is None else prediction.d
    s = np.zeros((number, 3, 3)) if prediction.s is None else prediction.s
    return compose(prediction.j, d, s)


def _pairs(asked: AskedPairs) -> Pairs:
    """All sites of one kind of place, as in training.

    :raises ValueError: there is no such element, or a pair lacks its places.
    """
    places = np.array(asked.positions)
    if len(places) != len(asked.elements):
        raise ValueError(f'{len(asked.elements)} pairs of elements, and the places of {len(places)}')
    number = len(places)
    arguments: dict[str, Any] = {
        'z': np.array([[nuclear_charge(name) for name in both] for both in asked.elements]),
        'vectors': places[:, 1] - places[:, 0],
        'layers': np.ones((number, 2), dtype=np.int64),
        'moments': np.zeros((number, 2)),
        'j': np.zeros(number),
        'd': np.zeros((number, 3)),
    }
    return Pairs(**arguments)
