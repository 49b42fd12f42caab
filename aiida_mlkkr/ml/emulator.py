"""The potential emulator: converged potentials of impurity clusters, predicted from those of others.

The potential of a site is that of a cheap reference of equal nuclear charge plus what is learnt: a difference of the
spin average, and a spin splitting, each expanded in radial functions. Both are sums of two kinds of contributions:

- `own`: what an impurity does to its own site, a function of its element;
- `around`: what each other impurity of the cluster does to a site, a function of its element and its distance.

The splitting that an impurity causes changes its sign with its moment. Sites at equal distances of the same impurities
are the same, so that a symmetric cluster gets a symmetric potential.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from aiida_mlkkr.kkr.elements import SYMBOLS, symbol
from aiida_mlkkr.ml.dataset import (
    Host,
    ImpurityDataset,
    PotentialKind,
    host_index,
    hosts_from_arrays,
    hosts_to_arrays,
)
from aiida_mlkkr.ml.elements import AROUND, ON_SITE
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.gaussian_process import GaussianProcess
from aiida_mlkkr.ml.radial import RadialFunctions
from aiida_mlkkr.ml.sites import (
    Observation,
    Site,
    around_contributions,
    atom_numbers,
    host_atoms,
    observations,
    own_contributions,
    sites_of_cluster,
)
from aiida_mlkkr.ml.spec import ArraySpec, SurrogateSpec, describe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TASK: Final = 'impurity_potential'
MODEL: Final = 'gaussian_process'

SMALL_MOMENT: Final = 0.5
"""Predicted moments below this (µB) are none: twice the error with which those of 3d impurities in Cu are predicted."""

MOMENT_FACTOR: Final = 2.0
"""A moment that is asked for and the predicted one may differ by this factor and still mean the same state."""

_PRIOR_LENGTHS: Final = {'own': [2.5] * len(ON_SITE), 'around': [2.5] * len(AROUND) + [0.3]}
_CONTRIBUTIONS: Final = {'own': own_contributions, 'around': around_contributions}
_NOTHING_KNOWN: Final = 0.9


class EmulatorSettings(BaseModel):
    """How an emulator is trained.

    :param model: the method.
    :param radial_functions: how many, for each of spin average and splitting.
    :param seed: of the random numbers of the training.
    """

    model_config = ConfigDict(extra='forbid', frozen=True)

    model: Literal['gaussian_process'] = MODEL
    radial_functions: int = Field(default=16, ge=4, le=60)
    seed: int = Field(default=0, ge=0)


class _Details(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True)

    settings: EmulatorSettings
    calibration: dict[str, float]


@dataclass(frozen=True, eq=False)
class Prediction:
    """A predicted cluster.

    :param v: potential (2, n) of each site in Ry, spin down first, without -2Z/r.
    :param error: (natom,) predicted standard error of the potential, root mean square over volume and spins, in Ry.
    :param moments: (natom,) expected spin moments of the impurities in µB, with the signs asked for; 0 on host atoms.
    """

    v: tuple[FloatArray, ...]
    error: FloatArray
    moments: FloatArray


class PotentialEmulator:
    """A trained emulator.

    :param hosts: the crystals that it has seen; it knows no others, and not their potentials with another zero.
    :param elements: nuclear charges of the impurities that it has seen.
    :param processes: of ``average`` and ``splitting``, each ``own`` and ``around``; the last output of
        ``splitting_own`` is the moment of the impurity in µB.
    :param calibration: factor of each process's standard errors that makes those of left-out observations right.
    """

    def __init__(
        self,
        settings: EmulatorSettings,
        kind: PotentialKind,
        hosts: tuple[Host, ...],
        elements: tuple[int, ...],
        number: int,
        processes: dict[str, GaussianProcess],
        calibration: dict[str, float],
    ) -> None:
        self.settings = settings
        self.kind = kind
        self.hosts = hosts
        self.elements = elements
        self.number = number
        self._processes = processes
        self._calibration = calibration

    @classmethod
    def fit(cls, dataset: ImpurityDataset, settings: EmulatorSettings | None = None) -> PotentialEmulator:
        """Train on finished clusters.

        :raises DatasetError: if the dataset is empty, in full potential or without spins.
        :raises ModelError: if it is too large for the method.
        """
        settings = settings or EmulatorSettings()
        if not any(len(record.impurities) for record in dataset.impurities):
            raise DatasetError('the dataset is empty: there is no finished impurity to learn from')
        if dataset.kind.full_potential:
            raise DatasetError('the emulator learns potentials of the atomic-sphere approximation, these are full ones')
        if dataset.kind.nspin != 2:
            raise DatasetError('the emulator needs spin-polarised potentials (NSPIN=2)')
        hosts = dataset.hosts
        observed = _observations(dataset, hosts, settings.radial_functions)
        processes: dict[str, GaussianProcess] = {}
        calibration: dict[str, float] = {}
        # neighbours first: what they do to each other's sites is taken off before the impurities' own part is learnt
        for part in ('around', 'own'):
            chosen = [one for one in observed if bool(len(one.site.own)) == (part == 'own')]
            if not chosen:
                continue
            for quantity in ('average', 'splitting'):
                name, signs = f'{quantity}_{part}', quantity == 'splitting'
                sites = [one.site for one in chosen]
                outputs = np.array([getattr(one, quantity) for one in chosen])
                if part == 'own' and f'{quantity}_around' in processes:
                    outputs = outputs - processes[f'{quantity}_around'].predict(around_contributions(sites, signs))[0]
                contributions = _CONTRIBUTIONS[part](sites, signs)
                process = GaussianProcess.fit(contributions, outputs, _PRIOR_LENGTHS[part], settings.seed)
                calibration[name] = _calibration(process)
                if name == 'splitting_own':
                    moments = np.array([[one.moment] for one in chosen])
                    process = GaussianProcess(contributions, np.hstack([outputs, moments]), process.covariance)
                processes[name] = process
        elements = {int(z) for record in dataset.impurities for z in record.z[record.impurities]}
        return cls(
            settings, dataset.kind, hosts, tuple(sorted(elements)), len(dataset.impurities), processes, calibration
        )

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
        :raises ModelError: if the model is of another kind, does not know the host or an element, or does not expect
            a moment of that size.
        """
        atoms = self.check(kind, host, z, layer)
        z_host = host.z[layer - 1]
        impurities = np.flatnonzero(z != z_host)
        signs = np.ones(len(impurities))
        expected = self._expected_moments(z[impurities], atoms[impurities])
        if moments is None:
            signs[np.abs(expected) < SMALL_MOMENT] = 0.0
        else:
            if len(moments) != len(impurities):
                raise ModelError(
                    f'{len(moments)} moments are asked for, but the cluster has {len(impurities)} impurities'
                )
            signs = np.array(
                [_sign(charge, *pair) for charge, *pair in zip(z[impurities], moments, expected, strict=True)]
            )
        sites = sites_of_cluster(atoms, positions, z, impurities, signs)
        average, variance = self._sum('average', sites)
        splitting, spin_variance = self._sum('splitting', sites)
        v = []
        for site, mean in enumerate(reference):
            functions = RadialFunctions(host.meshes[layer[site] - 1], self.settings.radial_functions)
            up_and_down = functions.expand(np.stack([average[site], splitting[site]]))
            v.append(mean + up_and_down[0] + np.array([[1.0], [-1.0]]) * up_and_down[1])
        all_moments = np.zeros(len(z))
        all_moments[impurities] = signs * np.abs(expected)
        return Prediction(tuple(v), np.sqrt(variance + spin_variance), all_moments)

    def check(self, kind: PotentialKind, host: Host, z: FloatArray, layer: IntArray) -> IntArray:
        """Numbers (natom,) of the host's atoms on the sites, if the model can answer for it and the impurities.

        :raises ModelError: if the model is of another kind, or does not know the host or an element.
        """
        self._check_kind(kind)
        try:
            number = host_index(self.hosts, host)
        except DatasetError as error:
            raise ModelError(f'{error}. Train a model on impurities in this host.') from error
        atoms = atom_numbers(self.hosts)[number][layer - 1]
        changed = z != host.z[layer - 1]
        for charge, atom in sorted(set(zip(z[changed].tolist(), atoms[changed].tolist(), strict=True))):
            self._check_element(charge, atom)
        return atoms

    def check_without_host(self, kind: PotentialKind, z: Iterable[float]) -> None:
        """As :meth:`check`, as far as can be told while the host and its sites are not known yet.

        :param z: nuclear charges of the impurities.
        :raises ModelError: the model is of another kind, or does not know an element on any atom that it has seen.
        """
        self._check_kind(kind)
        atoms = set(np.concatenate(atom_numbers(self.hosts)).tolist())
        for charge in z:
            refusals = []
            for atom in atoms:
                try:
                    self._check_element(charge, atom)
                except ModelError as error:
                    refusals.append(error)
            if len(refusals) == len(atoms):
                raise refusals[0]

    def _check_kind(self, kind: PotentialKind) -> None:
        if difference := self.kind.difference(kind):
            raise ModelError(
                f'the model is of another kind than the potential asked for: {difference}. Train one on impurities of '
                'this kind.'
            )

    def _check_element(self, charge: float, atom: int) -> None:
        seen = ', '.join(symbol(z) for z in self.elements)
        if not 0 <= charge < len(SYMBOLS) or charge != int(charge):
            raise ModelError(f'an impurity with Z={charge:g} is no element; the model has seen {seen}')
        process = self._processes['average_own']
        own = own_contributions(_lone_sites(np.array([charge]), np.array([atom])), with_signs=False)
        _, variance = process.predict(own)
        if variance[0] > _NOTHING_KNOWN * process.covariance.variances(own)[0]:
            raise ModelError(
                f'{symbol(charge)} is out of the range of the model, which has seen {seen}: add impurities like it to '
                'the training data.'
            )

    def _expected_moments(self, z: FloatArray, atoms: IntArray) -> FloatArray:
        if not len(z):
            return np.zeros(0)
        contributions = own_contributions(_lone_sites(z, atoms), with_signs=True)
        moments: FloatArray = self._processes['splitting_own'].predict(contributions)[0][:, -1]
        return moments

    def _sum(self, quantity: str, sites: Sequence[Site]) -> tuple[FloatArray, FloatArray]:
        """Coefficients (natom, K) of all sites, and the variance (natom,) of the potential."""
        number = self.settings.radial_functions
        mean, variance = np.zeros((len(sites), number)), np.zeros(len(sites))
        for part, contributions_of in _CONTRIBUTIONS.items():
            contributions = contributions_of(sites, quantity == 'splitting')
            if not len(contributions.host):
                continue
            name = f'{quantity}_{part}'
            if name not in self._processes:
                raise ModelError(
                    'the model has not seen a host atom beside an impurity: train it on clusters with their neighbours.'
                )
            process = self._processes[name]
            part_mean, part_variance = process.predict(contributions)
            mean += part_mean[:, :number]
            variance += part_variance * process.amplitudes[:number].sum() * self._calibration[name] ** 2
        return mean, variance

    def report(self) -> dict[str, Any]:
        """How well the training data are predicted when left out one by one: root mean square errors in Ry (µB)."""
        report: dict[str, Any] = {}
        for name, process in self._processes.items():
            outputs = process.outputs[:, : self.settings.radial_functions]
            mean, _ = process.left_out()
            errors = np.linalg.norm(mean[:, : self.settings.radial_functions] - outputs, axis=1)
            report[name] = {
                'number_of_sites': len(outputs),
                'rms_Ry': float(np.sqrt(np.mean(np.linalg.norm(outputs, axis=1) ** 2))),
                'left_out_rms_Ry': float(np.sqrt(np.mean(errors**2))),
                'left_out_median_Ry': float(np.median(errors)),
                'calibration': self._calibration[name],
                'lengths': process.covariance.lengths.tolist(),
                'noise': process.covariance.noise,
            }
            if name == 'splitting_own':
                moments = process.outputs[:, -1]
                report[name]['left_out_moment_rms_muB'] = float(np.sqrt(np.mean((mean[:, -1] - moments) ** 2)))
        return report

    def export(self) -> tuple[dict[str, NDArray[Any]], SurrogateSpec]:
        """Arrays and spec, from which :meth:`load` makes the same emulator."""
        arrays = hosts_to_arrays(self.hosts)
        for name, process in self._processes.items():
            arrays |= process.to_arrays(name)
        spec = SurrogateSpec(
            kind=asdict(self.kind),
            hosts=[host.name for host in self.hosts],
            elements=[symbol(z) for z in self.elements],
            number=self.number,
            arrays={name: ArraySpec.model_validate(entry) for name, entry in describe(arrays).items()},
            details=_Details(settings=self.settings, calibration=self._calibration).model_dump(),
            task=TASK,
            model=MODEL,
            seed=self.settings.seed,
        )
        return arrays, spec

    @classmethod
    def load(cls, arrays: dict[str, NDArray[Any]], spec: SurrogateSpec) -> PotentialEmulator:
        """Take back what :meth:`export` gave.

        :raises ModelError: if it is a model of another kind, or the arrays do not fit together.
        """
        if (spec.task, spec.model) != (TASK, MODEL):
            raise ModelError(f'this is a model {spec.model} for {spec.task}, a {MODEL} for {TASK} is needed')
        spec.check(arrays)
        try:
            details = _Details.model_validate(spec.details)
            if absent := [name for name in ('average_own', 'splitting_own') if name not in details.calibration]:
                raise ModelError(f'the model has no {" and no ".join(absent)}')
            return cls(
                details.settings,
                TypeAdapter(PotentialKind).validate_python(spec.kind),
                hosts_from_arrays(arrays),
                tuple(SYMBOLS.index(name) for name in spec.elements),
                spec.number,
                {name: GaussianProcess.from_arrays(arrays, name) for name in details.calibration},
                details.calibration,
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ModelError(f'the arrays and the spec of the model do not fit together: {error!r}') from error


def _observations(dataset: ImpurityDataset, hosts: tuple[Host, ...], radial_functions: int) -> list[Observation]:
    """All different sites of all clusters, and what is known of the hosts' own atoms."""
    observed: list[Observation] = []
    for host, numbers in zip(hosts, atom_numbers(hosts), strict=True):
        records = [record for record in dataset.impurities if not host.difference(record.host)]
        of_host = [one for record in records for one in observations(record, numbers, radial_functions)]
        observed += of_host + host_atoms(host.z, numbers, of_host, radial_functions)
    return [one for one in observed if len(one.site.own) or len(one.site.around)]


def _lone_sites(z: FloatArray, atoms: IntArray) -> list[Site]:
    """An impurity by itself for each nuclear charge, in place of one of the host's atoms."""
    here, alone, up = np.zeros((1, 3)), np.zeros(1, dtype=np.int64), np.ones(1)
    lone = zip(z, atoms, strict=True)
    return [sites_of_cluster(np.array([atom]), here, np.array([charge]), alone, up)[0] for charge, atom in lone]


def _calibration(process: GaussianProcess) -> float:
    """Root mean square of errors of left-out observations in units of their standard errors."""
    mean, variance = process.left_out()
    squares = np.sum((mean - process.outputs) ** 2, axis=1)
    expected = variance * process.amplitudes.sum()
    return float(np.sqrt(np.mean(squares / np.maximum(expected, 1e-300)))) if expected.any() else 1.0


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
