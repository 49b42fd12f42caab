"""The potential emulator: converged potentials of impurity clusters, predicted from those of others.

The potential of a site is that of a cheap reference of equal nuclear charge plus what a model has learnt: a difference
of the spin average, and a spin splitting, each expanded in radial functions. Which model, is a setting
(:mod:`aiida_mlkkr.ml.models`); all else is here and the same for all: sites that are alike by symmetry get the same
potential, turned as they are, the splitting changes its sign with the moments, the zero of the potential is that of the
host, and an impurity that is too far from all training data is refused.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from threadpoolctl import threadpool_limits

from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.kkr.elements import SYMBOLS, symbol
from aiida_mlkkr.ml.dataset import (
    Host,
    ImpurityDataset,
    ImpurityRecord,
    PotentialKind,
    host_index,
    hosts_from_arrays,
    hosts_to_arrays,
)
from aiida_mlkkr.ml.elements import free_spin
from aiida_mlkkr.ml.errors import DatasetError, ModelError, OutOfReachError
from aiida_mlkkr.ml.judgement import SMALL_MOMENT, judge
from aiida_mlkkr.ml.models import Options, PotentialModel, Targets, model_type
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.outliers import outliers
from aiida_mlkkr.ml.radial import channel_functions
from aiida_mlkkr.ml.reach import FAR, OTHER_ROW, unknown_share
from aiida_mlkkr.ml.settings import ModelSettings
from aiida_mlkkr.ml.sites import MAGNETIC, NEIGHBOUR_RANGE, Sites, sites_of_cluster
from aiida_mlkkr.ml.spec import SurrogateSpec, describe
from aiida_mlkkr.ml.spheres import Spheres
from aiida_mlkkr.ml.symmetry import orbits

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TASK: Final = 'impurity_potential'

LASTING_MOMENT: Final = 1.0
"""A self-consistency begins with a splitting that belongs to so large a moment (µB) at least, if it has one at all.

Smaller ones may vanish where a moment should come out (Mo in Ag, 1.1 µB, from the splitting of 0.43 µB with simple
mixing); where none should, the larger one costs an iteration or two.
"""

SMALL_SHARE: Final = 0.25
"""Of the moment of the free atom, below which other rows of the periodic table are not believed."""

STONER: Final = 0.06
"""Splitting (Ry) of the potential by a moment of 1 µB: Stoner's parameter, 0.045 in 4d to 0.07 in 3d metals."""

MOMENT_FACTOR: Final = 2.0
"""A moment that is asked for and the predicted one may differ by this factor and still mean the same state."""

_DOWN_UP: Final = np.array([[1.0], [-1.0]])
_PREFIX: Final = 'model_'
_OF_SPHERES: Final = 'spheres_'
_MISFITS: Final = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)


class EmulatorSettings(ModelSettings):
    """How an emulator is trained.

    :param radial_functions: how many, for each channel of spin average and splitting.
    """

    model: str = 'kernel'
    radial_functions: int = Field(default=16, ge=4, le=60)

    def model_options(self) -> Options:
        """The options as the model's own type."""
        return model_type(self.model).options_type.model_validate(self.options)


class _Details(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    settings: EmulatorSettings
    calibration: dict[str, Annotated[float, Field(ge=0.0)]]
    report: dict[str, dict[str, int | float]]
    model: dict[str, Any]
    spheres: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted cluster.

    :param v: potential (2, size) of each site in Ry, spin down first, without -2Z/r.
    :param error: (natom,) predicted standard error of the potential, root mean square over volume and spins, in Ry.
    :param moments: (natom,) expected spin moments of the impurities in µB, with the signs asked for; 0 on host atoms.
    :param host_seen: whether there were impurities in this host in the training data.
    :param possible: (natom,) moments in µB that impurities may have, although the model does not know of them; 0: none.
    """

    v: tuple[FloatArray, ...]
    error: FloatArray
    moments: FloatArray
    host_seen: bool
    possible: FloatArray

    @property
    def start(self) -> tuple[FloatArray, ...]:
        """As ``v``, to begin a self-consistency with: moments are enlarged to :data:`LASTING_MOMENT`.

        A possible moment splits the potential alike everywhere in the sphere.
        """
        sizes = np.abs(self.moments)
        small = (sizes > 0.0) & (sizes < LASTING_MOMENT)
        factors = np.ones(len(sizes))
        factors[small] = LASTING_MOMENT / sizes[small]
        added = 0.5 * STONER * self.possible
        start = []
        for v, factor, addition in zip(self.v, factors, added, strict=True):
            average = v.mean(axis=0)
            start.append(average + factor * (v - average) + addition * _DOWN_UP)
        return tuple(start)


class PotentialEmulator:
    """A trained emulator.

    :param hosts: the crystals that it has seen; a prediction is tied to the zero of the potential of its own host.
    :param seen: (m, 2) nuclear charges of the impurities that it has seen and of the atoms that they replaced.
    :param number: how many clusters it was trained on.
    :param calibration: factors of the model's standard errors that make those of left-out sites right, for sites with
        an impurity (``own``, or ``magnetic`` with a moment) and beside one (``around``), and in a host that it has not
        seen (``unseen_host``).
    :param report: how well it predicts its training data when left out, see :meth:`fit`.
    :param spheres: what atomic spheres say is added to the reference, see :meth:`fit`.
    """

    def __init__(
        self,
        settings: EmulatorSettings,
        kind: PotentialKind,
        hosts: tuple[Host, ...],
        seen: IntArray,
        number: int,
        model: PotentialModel,
        calibration: dict[str, float],
        report: dict[str, Any],
        spheres: Spheres | None = None,
    ) -> None:
        self.settings = settings
        self.kind = kind
        self.hosts = hosts
        self.seen = seen
        self.number = number
        self.report = report
        self._model = model
        self._calibration = calibration
        self._spheres = spheres

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the impurities that it has seen."""
        return tuple(symbol(z) for z in np.unique(self.seen[:, 0]))

    @classmethod
    def fit(
        cls,
        dataset: ImpurityDataset,
        settings: EmulatorSettings | None = None,
        monitor: Monitor | None = None,
        spheres: PotentialEmulator | None = None,
    ) -> PotentialEmulator:
        """Train on finished clusters.

        The report has root mean square errors in Ry (µB for moments) of sites left out of the training with all of
        their cluster, for ``average`` and ``splitting``, each ``own`` (with an impurity) and ``around`` (beside one).
        They are those of converged potentials, if there are any. Outliers (:mod:`aiida_mlkkr.ml.outliers`) are not
        trained on; ``outliers_Ry`` has how far they are off what the others say.

        :param monitor: told how far it is, and asked whether to stop.
        :param spheres: for full potentials an emulator of atomic spheres in the same crystals: what it says of the
            spherical spin average is added to the reference, and the rest is learnt (:mod:`aiida_mlkkr.ml.spheres`).
        :raises DatasetError: if the dataset is empty or without spins.
        :raises ModelError: if the method cannot learn from these data, or the emulator of atomic spheres refuses them.
        :raises TrainingInterrupted: if the monitor says so.
        """
        settings = settings or EmulatorSettings()
        method, options = model_type(settings.model), settings.model_options()
        with threadpool_limits(limits=1, user_api='blas'):  # several threads add up in another order: other bytes
            below = None if spheres is None else Spheres(spheres)
            dataset = dataset if below is None else below.added(dataset)
            sites, targets = training_rows(dataset, settings.radial_functions)
            if wrong := outliers(sites, targets):
                dataset = ImpurityDataset(
                    dataset.kind, tuple(record for record in dataset.impurities if not _any_of(record, wrong))
                )
                sites, targets = training_rows(dataset, settings.radial_functions)
            if refusal := method.refusal(sites, targets):
                raise ModelError(f'the model {settings.model} cannot learn from these data: {refusal}')
            model = method.fit(sites, targets, options, settings.seed, monitor or Monitor())
            calibration, report = judge(model, sites, targets, options, settings.seed)
        report['outliers_Ry'] = {f'{symbol(z)} in place of {symbol(on)}': off for (z, on), off in wrong.items()}
        seen = np.unique(np.stack([sites.z, sites.z_host], axis=1)[sites.changed], axis=0)
        number = len(dataset.impurities)
        return cls(settings, dataset.kind, dataset.hosts, seen, number, model, calibration, report, below)

    def predict(
        self,
        kind: PotentialKind,
        host: Host,
        positions: FloatArray,
        layer: IntArray,
        z: FloatArray,
        reference: Sequence[FloatArray],
        moments: Sequence[float] | None = None,
    ) -> Prediction:
        """Predict the potential of a cluster.

        :param kind: of the potentials asked for.
        :param host: the crystal; ``positions``, ``layer``, ``z``, ``reference`` as in :class:`ImpurityRecord`.
        :param moments: moment in µB asked for on each impurity, in the order of the sites: its sign is taken over, 0
            means none. What the model expects, with positive signs, if None.
        :raises ModelError: if the model is of another kind, an impurity is out of its reach (``OutOfReachError``), it
            does not expect a moment of that size, or what it predicts is not finite.
        """
        self.check(kind, host, z, layer)
        of_spheres = np.zeros(len(z))
        if self._spheres is not None:
            reference, of_spheres = self._spheres.add_to(reference, kind, host, positions, layer, z)
        hosts, number, host_seen = self._hosts_with(host)
        replaced = host.z[layer - 1]
        changed = z != replaced
        signs = changed.astype(np.float64)
        parallel = sites_of_cluster(hosts, number, positions, layer, z, signs)
        impurities = np.flatnonzero(changed)
        expected = self._model.predict(parallel.subset(impurities)).moment
        possible = np.zeros(len(z))
        if moments is None:
            possible[impurities] = self._possible_moments(z[impurities], replaced[impurities], expected, host_seen)
        signs[impurities] = _signs(z[impurities], moments, expected)
        sites = sites_of_cluster(hosts, number, positions, layer, z, signs)
        alike = orbits(sites)
        estimate = self._model.predict(sites.subset(np.array([orbit.sites[0] for orbit in alike])))
        factors = self._factors(changed, signs, host_seen)
        v: list[FloatArray] = [np.empty(0)] * len(z)
        error = np.zeros(len(z))
        for row, orbit in enumerate(alike):
            members = list(orbit.sites)
            parts = (orbit.spread(part[row]) for part in (estimate.average, estimate.splitting))
            for site, *coefficients in zip(members, *parts, strict=True):
                functions = channel_functions(host.meshes[layer[site] - 1], self.settings.radial_functions)
                average, splitting = (functions.expand(part) for part in coefficients)
                v[site] = reference[site] + average + _DOWN_UP * splitting
            error[members] = np.hypot(factors[members] * np.sqrt(estimate.variance[row]), of_spheres[members])
        all_moments = np.zeros(len(z))
        all_moments[impurities] = signs[impurities] * np.abs(expected)
        if not all(np.isfinite(part).all() for part in (*v, error, all_moments)):
            raise ModelError(f'what the model predicts in {host.name} is not finite')
        return Prediction(tuple(v), error, all_moments, host_seen, possible)

    def _factors(self, changed: NDArray[np.bool_], signs: FloatArray, host_seen: bool) -> FloatArray:
        """Factors (natom,) of the model's standard errors."""
        known = self._calibration
        one = known.get('own', known.get('magnetic', 1.0))
        other = known.get('magnetic', one)
        factors = np.where(changed, np.where(signs == 0.0, one, other), known.get('around', 1.0))
        return factors if host_seen else known['unseen_host'] * factors

    def check(self, kind: PotentialKind, host: Host, z: FloatArray, layer: IntArray) -> None:
        """Whether the model can answer for impurities in a host.

        :raises ModelError: if it is of another kind, or an impurity is out of its reach.
        """
        replaced = host.z[layer - 1]
        changed = z != replaced
        self._check_kind(kind)
        for charge, z_host in sorted(set(zip(z[changed].tolist(), replaced[changed].tolist(), strict=True))):
            self._check_element(charge, [z_host])
        if self._spheres is not None:
            self._spheres.check(kind, host, z, layer)

    def check_without_host(self, kind: PotentialKind, z: Iterable[float]) -> None:
        """As :meth:`check`, as far as can be told while the host and its sites are not known yet.

        :param z: nuclear charges of the impurities.
        :raises ModelError: the model is of another kind, or an impurity is out of its reach on every atom that it has
            seen replaced.
        """
        self._check_kind(kind)
        for charge in z:
            self._check_element(charge, np.unique(self.seen[:, 1]).tolist())

    def _check_kind(self, kind: PotentialKind) -> None:
        if difference := self.kind.difference(kind):
            raise ModelError(
                f'the model is of another kind than the potential asked for: {difference}. Train one on impurities of '
                'this kind.'
            )

    def _possible_moments(self, z: FloatArray, z_host: FloatArray, expected: FloatArray, host_seen: bool) -> FloatArray:
        """Moments (n,) in µB of open shells that the model does not expect, and cannot rule out; 0 elsewhere.

        Other rows of the periodic table do not tell: 3d impurities in Cu have moments, 4d ones have none. Where next
        to none is expected from them, it may be that of the free atom, from which it falls to the right one; a smaller
        one may not rise. Nor does another host tell that there is none: Mo has none in Cu, but one in Ag.
        """
        free = np.array([free_spin(int(charge)) for charge in z])
        if not host_seen:
            return np.where((free > 0.0) & (np.abs(expected) < SMALL_MOMENT), LASTING_MOMENT, 0.0)
        other_row = self._unknown(np.column_stack([z, z_host]).astype(np.int64)) > OTHER_ROW
        return np.where(other_row & (np.abs(expected) < SMALL_SHARE * free), free, 0.0)

    def _unknown(self, asked: IntArray) -> FloatArray:
        """Unknown shares (n,) of impurities (n, 2): nuclear charges, and those of the atoms that they replace."""
        seen = self.seen if self._spheres is None else np.vstack([self.seen, self._spheres.emulator.seen])
        hosts = np.unique(seen[:, 1])
        known = np.concatenate([seen, np.stack([hosts, hosts], axis=1)])
        return unknown_share(known, asked)

    def _check_element(self, charge: float, replaced: Sequence[float]) -> None:
        """Whether an impurity is in reach on any of the atoms that it may replace."""
        seen = ', '.join(self.elements)
        if not 0 <= charge < len(SYMBOLS) or charge != int(charge):
            raise ModelError(f'an impurity with Z={charge:g} is no element; the model has seen {seen}')
        if self._unknown(np.array([[charge, z_host] for z_host in replaced], dtype=np.int64)).min() > FAR:
            hosts = ', '.join(symbol(z) for z in np.unique(self.seen[:, 1]))
            raise OutOfReachError(
                f'{symbol(charge)} in place of {" or ".join(symbol(z) for z in replaced)} is out of the range of the '
                f'model, which has seen {seen} in place of {hosts}: add impurities like it to the training data.'
            )

    def _hosts_with(self, host: Host) -> tuple[tuple[Host, ...], int, bool]:
        """The known hosts with this one among them, its number, and whether it was known."""
        try:
            return self.hosts, host_index(self.hosts, host), True
        except DatasetError:
            return (*self.hosts, host), len(self.hosts), False

    def export(self) -> tuple[dict[str, NDArray[Any]], SurrogateSpec]:
        """Arrays and spec, from which :meth:`load` makes the same emulator."""
        model_arrays, details = self._model.to_arrays()
        arrays = {**hosts_to_arrays(self.hosts), 'seen': self.seen}
        arrays |= {f'{_PREFIX}{name}': array for name, array in model_arrays.items()}
        spheres = None
        if self._spheres is not None:
            its_arrays, its_spec = self._spheres.emulator.export()
            arrays |= {f'{_OF_SPHERES}{name}': array for name, array in its_arrays.items()}
            spheres = its_spec.model_dump(mode='json')
        spec = SurrogateSpec(
            kind=asdict(self.kind),
            hosts=[host.name for host in self.hosts],
            elements=list(self.elements),
            number=self.number,
            arrays=describe(arrays),
            details=_Details(
                settings=self.settings,
                calibration=self._calibration,
                report=self.report,
                model=details,
                spheres=spheres,
            ).model_dump(mode='json'),
            task=TASK,
            model=self.settings.model,
            seed=self.settings.seed,
        )
        return arrays, spec

    @classmethod
    def load(cls, arrays: dict[str, NDArray[Any]], spec: SurrogateSpec) -> PotentialEmulator:
        """Take back what :meth:`export` gave.

        :raises ModelError: if it is a model for another task, its method is not installed, or the arrays do not fit
            together.
        """
        if spec.task != TASK:
            raise ModelError(f'this is a model for {spec.task}, one for {TASK} is needed')
        spec.check(arrays)
        method = model_type(spec.model)
        try:
            details = _Details.model_validate(spec.details)
            if (details.settings.model, details.settings.seed) != (spec.model, spec.seed):
                raise ModelError(f'it is a model {spec.model} with the settings of a model {details.settings.model}')
            spheres = None
            if details.spheres is not None:
                its_spec = SurrogateSpec.read(details.spheres)
                spheres = Spheres(cls.load(_named(arrays, _OF_SPHERES), its_spec))
            emulator = cls(
                details.settings,
                TypeAdapter(PotentialKind).validate_python(spec.kind),
                hosts_from_arrays(arrays),
                arrays['seen'],
                spec.number,
                method.from_arrays(_named(arrays, _PREFIX), details.model),
                details.calibration,
                details.report,
                spheres,
            )
            emulator._check_parts(spec)
        except ValidationError as error:
            raise ModelError(f'the spec of the model is not valid: {first_complaint(error)}') from error
        except _MISFITS as error:
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            raise ModelError(f'the arrays and the spec of the model do not fit together: {reason}') from error
        return emulator

    def _check_parts(self, spec: SurrogateSpec) -> None:
        """Whether spec, hosts and model belong together: an impurity beside an atom of each host can be predicted.

        :raises ValueError: if not; the model's own errors mean the same.
        """
        z, z_host = self.seen.T
        if not 0 <= self.seen.min() <= self.seen.max() < len(SYMBOLS) or list(self.elements) != spec.elements:
            raise ValueError(f'the spec names {", ".join(spec.elements)}, its arrays other elements')
        if [host.name for host in self.hosts] != spec.hosts or not set(z_host) <= {x for h in self.hosts for x in h.z}:
            raise ValueError(f'the spec names the hosts {", ".join(spec.hosts)}, its arrays others')
        for host in self.hosts:
            for layer in np.flatnonzero(np.isin(host.z, z_host))[:1]:
                near = host.lattice.sites_within(NEIGHBOUR_RANGE / host.alat, centre=int(layer))[:2]
                layers = near[:, 3].astype(np.int64)
                charges = host.z[layers - 1]
                charges[0] = z[z_host == charges[0]][0]
                reference = [host.v[its - 1] for its in layers]
                with np.errstate(all='ignore'):
                    self.predict(self.kind, host, near[:, :3], layers, charges, reference)


def training_rows(dataset: ImpurityDataset, radial_functions: int) -> tuple[Sites, Targets]:
    """What there is to learn from finished clusters: their different sites, one row for all that are alike.

    :raises DatasetError: if there is no impurity, or the potentials have no spins.
    """
    records = [record for record in dataset.impurities if len(record.impurities)]
    if not records:
        raise DatasetError('the dataset is empty: there is no finished impurity to learn from')
    if dataset.kind.nspin != 2:
        raise DatasetError('the emulator needs spin-polarised potentials (NSPIN=2)')
    for record in records:
        if not np.isfinite([*record.moments, record.error]).all():
            raise DatasetError(f'impurity {record.source}: a moment or the error of its potential is not finite')
    hosts = dataset.hosts
    components = sorted({mesh.channels for host in hosts for mesh in host.meshes})
    if len(components) > 1 or (components[0] > 1) != dataset.kind.full_potential:
        raise DatasetError(
            f'full_potential is {dataset.kind.full_potential}, but the potentials have {components} components lm'
        )
    groups = {name: number for number, name in enumerate(sorted({record.group for record in records}))}
    rows = [_rows_of(record, hosts, radial_functions, groups[record.group]) for record in records]
    tables, targets = zip(*rows, strict=True)
    joined = {
        name: np.concatenate([getattr(part, name) for part in targets])
        for name in ('average', 'splitting', 'moment', 'error', 'group')
    }
    return Sites.join(tables), Targets(**joined)


def _rows_of(
    record: ImpurityRecord, hosts: tuple[Host, ...], radial_functions: int, group: int
) -> tuple[Sites, Targets]:
    impurities = record.impurities
    signs = np.zeros(len(record.z))
    small = np.abs(record.moments[impurities]) < MAGNETIC
    signs[impurities] = np.where(small, 1.0, np.sign(record.moments[impurities]))
    number = host_index(hosts, record.host)
    sites = sites_of_cluster(hosts, number, record.positions, record.layer, record.z, signs)
    alike = orbits(sites)
    average, splitting = [], []
    for orbit in alike:
        differences, halves = [], []
        for site in orbit.sites:
            functions = channel_functions(record.host.meshes[record.layer[site] - 1], radial_functions)
            differences.append(functions.coefficients(record.v[site].mean(axis=0) - record.reference[site]))
            halves.append(functions.coefficients(0.5 * (record.v[site][0] - record.v[site][1])))
        average.append(orbit.average(np.array(differences)))
        splitting.append(orbit.average(np.array(halves)))
    first = np.array([orbit.sites[0] for orbit in alike])
    moments = np.array([record.moments[list(orbit.sites)].mean() for orbit in alike])
    return sites.subset(first), Targets(
        average=np.array(average),
        splitting=np.array(splitting),
        moment=np.where(sites.changed[first], moments, 0.0),
        error=np.full(len(first), record.error),
        group=np.full(len(first), group),
    )


def _named(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _any_of(record: ImpurityRecord, impurities: Container[tuple[int, int]]) -> bool:
    """Whether one of some impurities, by nuclear charge and that of the atom replaced, is in a cluster."""
    own = record.impurities
    return any(pair in impurities for pair in zip(record.z[own].tolist(), record.z_host[own].tolist(), strict=True))


def _signs(z: FloatArray, asked: Sequence[float] | None, expected: FloatArray) -> FloatArray:
    """Signs of the moments of impurities: those asked for, or positive ones where the model expects a moment."""
    if asked is None:
        return np.where(np.abs(expected) < SMALL_MOMENT, 0.0, 1.0)
    if len(asked) != len(z):
        raise ModelError(f'{len(asked)} moments are asked for, but the cluster has {len(z)} impurities')
    return np.array([_sign(charge, *pair) for charge, *pair in zip(z, asked, expected, strict=True)])


def _sign(charge: float, asked: float, expected: float) -> float:
    """Sign of the moment that is asked for, if the model expects one of about that size."""
    if asked == 0.0:
        return 0.0
    if abs(expected) < SMALL_MOMENT or not 1 / MOMENT_FACTOR <= abs(asked / expected) <= MOMENT_FACTOR:
        raise ModelError(
            f'a moment of {asked:g} µB is asked for on {symbol(charge)}, where the model expects '
            f'{abs(expected):.2f} µB: start from another potential.'
        )
    return float(np.sign(asked))
