"""A surrogate of exchange as it is kept: with the host that it knows, its symmetry, and how well it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.exchange.conventions import OURS
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.pairs import Pairs, pairs_of_tables
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.exchange.metrics import pair_scores
from aiida_mlkkr.ml.exchange.models import model_type
from aiida_mlkkr.ml.exchange.moments import magnetic_class
from aiida_mlkkr.ml.exchange.surrogate import ExchangeSurrogate, PairPrediction
from aiida_mlkkr.ml.models.base import Options
from aiida_mlkkr.ml.settings import ModelSettings
from aiida_mlkkr.ml.spec import Arrays, SurrogateSpec, describe

FloatArray = NDArray[np.float64]

TASK: Final = 'exchange'
_ROTATIONS: Final = 'host_rotations'
_DECIMALS: Final = 3
"""Of lengths in Å that are the same."""


class ExchangeSettings(ModelSettings):
    """How a surrogate of exchange is trained."""

    model: str = 'gaussian_process'

    def model_options(self) -> Options:
        """The options as the model's own type."""
        return model_type(self.model).options_type.model_validate(self.options)


class _Details(BaseModel):
    """What only the surrogate itself understands."""

    model_config = ConfigDict(extra='forbid', frozen=True)

    settings: ExchangeSettings
    surrogate: dict[str, JsonValue]
    report: dict[str, JsonValue]


@dataclass(frozen=True, eq=False)
class HostSurrogate:
    """A surrogate of the pairs in one host.

    :param host: name of the host.
    :param rotations: orthogonal matrices that bring the host onto itself, shape (g, 3, 3); pairs that they bring to
        one another are the same. The identity alone where they are not known; none (g = 0) where there is D, which
        turns with the pair: that is a matter of the model.
    :param settings: of the training; ``report`` how well pairs were predicted that were left out of it.
    """

    surrogate: ExchangeSurrogate
    host: str
    rotations: FloatArray
    settings: ExchangeSettings
    report: dict[str, Any]

    @classmethod
    def fit(cls, pairs: Pairs, host: str, settings: ExchangeSettings, rotations: FloatArray | None = None) -> Self:
        """Train on pairs in a host.

        :raises ModelError: the model cannot learn from them.
        """
        rotations = np.eye(3)[None] if rotations is None else rotations
        rotations = rotations[:0] if pairs.d.any() else rotations
        known = alike(pairs, rotations)
        surrogate = ExchangeSurrogate.fit(settings.model, known, settings.model_options(), settings.seed)
        return cls(surrogate, host, rotations, settings, _report(surrogate))

    def predict(self, pairs: Pairs, host: str) -> PairPrediction:
        """J with intervals.

        :raises ModelError: the pairs are in another host than those that were learnt from.
        """
        if host != self.host:
            raise ModelError(f'the model has learnt pairs in {self.host}, these are in {host}: train one for this host')
        return self.surrogate.predict(alike(pairs, self.rotations))

    def export(self) -> tuple[dict[str, NDArray[Any]], SurrogateSpec]:
        """Arrays and spec, from which :meth:`load` makes the same surrogate."""
        arrays, surrogate = self.surrogate.to_arrays()
        arrays = arrays | {_ROTATIONS: self.rotations}
        pairs = self.surrogate.model.pairs
        spec = SurrogateSpec(
            kind={'convention': OURS.name, 'hamiltonian': OURS.hamiltonian},
            hosts=[self.host],
            elements=[symbol(z) for z in np.unique(pairs.z).tolist()],
            number=len(pairs),
            arrays=describe(arrays),
            details=_Details(settings=self.settings, surrogate=surrogate, report=self.report).model_dump(mode='json'),
            task=TASK,
            model=self.settings.model,
            seed=self.settings.seed,
        )
        return arrays, spec

    @classmethod
    def load(cls, arrays: Arrays, spec: SurrogateSpec) -> Self:
        """Take back what :meth:`export` gave.

        :raises ModelError: if it is a model for another task, of another convention, its method is not installed, or
            the arrays do not fit together.
        """
        if spec.task != TASK:
            raise ModelError(f'this is a model for {spec.task}, one for {TASK} is needed')
        spec.check(arrays)
        if (found := spec.kind.get('hamiltonian')) != OURS.hamiltonian:
            raise ModelError(f'the model is in another convention: {found!r}, not {OURS.hamiltonian!r}')
        try:
            details = _Details.model_validate(spec.details)
            (host,) = spec.hosts
            own = {name: np.asarray(array) for name, array in arrays.items() if name != _ROTATIONS}
            surrogate = ExchangeSurrogate.from_arrays(own, dict(details.surrogate))
            return cls(surrogate, host, arrays[_ROTATIONS], details.settings, dict(details.report))
        except ValidationError as error:
            raise ModelError(f'the spec of the model is not valid: {first_complaint(error)}') from error
        except (KeyError, TypeError, ExchangeError) as error:
            raise ModelError(f'the arrays and the spec of the model do not fit together: {error!r}') from error


def learnable(tables: Sequence[ExchangeTable]) -> tuple[Pairs, str]:
    """The computed pairs of tables, and their host; predicted ones are not learnt from.

    :raises ExchangeError: there are none, or they are in different hosts.
    """
    pairs = pairs_of_tables(tables)
    predicted = [
        np.zeros(len(table.pairs), bool) if table.origins is None else table.origins.predicted for table in tables
    ]
    computed = pairs.subset(~np.concatenate(predicted))
    if not len(computed):
        raise ExchangeError('all pairs are predicted; there is none to learn from')
    return computed, tables[0].host


def alike(pairs: Pairs, rotations: FloatArray) -> Pairs:
    """The pairs, without D, turned so that vectors that are equal up to a rotation or their direction become equal.

    :param rotations: shape (g, 3, 3); nothing is turned if there are none.
    """
    if not len(rotations):
        return pairs
    both = np.concatenate([rotations, -rotations])
    images = np.round(np.einsum('gij,nj->ngi', both, pairs.vectors), _DECIMALS) + 0.0
    best = np.array([np.lexsort(image.T[::-1])[-1] for image in images], dtype=np.int64)
    vectors = np.einsum('nij,nj->ni', both[best], pairs.vectors)
    return replace(pairs, vectors=vectors, d=np.zeros_like(pairs.d))


def _report(surrogate: ExchangeSurrogate) -> dict[str, Any]:
    """Scores of the training pairs, each predicted without its pair of elements."""
    pairs, estimate = surrogate.model.pairs, surrogate.left_out
    assert estimate is not None
    classes = magnetic_class(surrogate.moments.of_sites(pairs.z, pairs.layers))
    widths = surrogate.intervals.half_widths(estimate.error, classes)
    scores = pair_scores(pairs.j, estimate.mean, widths, classes == 2, surrogate.intervals.level)
    return {name: value if np.isfinite(value) else None for name, value in asdict(scores).items()}
