"""The laws and the interface that every installed model keeps, whatever it has learnt."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from model_clusters import KIND, SITES, host, record
from rotations import rotation_matrices

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import training_rows
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.harmonics import real_harmonics
from aiida_mlkkr.ml.models import Estimate, PotentialModel, Targets, model_names, model_type
from aiida_mlkkr.ml.monitor import Monitor, TrainingInterrupted
from aiida_mlkkr.ml.sites import Sites, sites_of_cluster
from aiida_mlkkr.ml.spec import describe

SEED = 3
FUNCTIONS = 5
LMAX = 4
QUICK = {
    'kernel': {'observations_for_lengths': 15},
    'network': {'hidden': 8, 'gates': 2, 'folds': 2, 'repeats': 2, 'epochs': 2, 'device': 'cpu'},
}
"""Options with which a training takes a second; the laws hold for any."""

MODELS = model_names()

every_model = pytest.mark.parametrize('name', MODELS)


def full_targets(sites: Sites, targets: Targets) -> Targets:
    """Potentials of all lm made of directions to impurities, so that they rotate as they must."""
    average, splitting = (np.zeros((len(sites), (LMAX + 1) ** 2, FUNCTIONS)) for _ in range(2))
    average[:, 0], splitting[:, 0] = targets.average[:, 0], targets.splitting[:, 0]
    near = np.flatnonzero(sites.neighbour_changed)
    harmonics = real_harmonics(sites.vector[near], LMAX)[:, 1:]
    change = 1e-3 * (sites.neighbour_z - sites.neighbour_z_host)[near] / sites.distance[near]
    radial = np.arange(1.0, FUNCTIONS + 1.0)
    np.add.at(average[:, 1:], sites.owner[near], np.einsum('m,ma,k->mak', change, harmonics, radial))
    odd = 0.1 * change * sites.neighbour_sign[near]
    np.add.at(splitting[:, 1:], sites.owner[near], np.einsum('m,ma,k->mak', odd, harmonics, radial))
    return replace(targets, average=average, splitting=splitting)


@pytest.fixture(scope='module')
def asa() -> tuple[Sites, Targets]:
    """Impurities in two hosts, and pairs."""
    silver = host(47.0, alat=7.73)
    records = [record({0: float(z)}) for z in (22, 24, 25, 28, 31)] + [record({0: float(z)}, silver) for z in (25, 30)]
    records += [record({0: 25.0, 1: 26.0}, signs={1: -1}), record({0: 24.0, 5: 31.0})]
    return training_rows(ImpurityDataset(KIND, tuple(records)), FUNCTIONS)


@pytest.fixture(scope='module')
def full() -> tuple[Sites, Targets]:
    """All channels up to l = 4, of fewer impurities."""
    records = (*(record({0: float(z)}) for z in (22, 25, 31)), record({0: 25.0, 1: 26.0}, signs={1: -1}))
    sites, targets = training_rows(ImpurityDataset(KIND, records), FUNCTIONS)
    return sites, full_targets(sites, targets)


def fit(name: str, rows: tuple[Sites, Targets], seed: int = SEED) -> PotentialModel:
    method = model_type(name)
    return method.fit(*rows, method.options_type.model_validate(QUICK.get(name, {})), seed, Monitor())


@pytest.fixture(scope='module')
def trained(asa: tuple[Sites, Targets], full: tuple[Sites, Targets]) -> dict[tuple[str, str], PotentialModel]:
    return {(name, kind): fit(name, rows) for name in MODELS for kind, rows in (('asa', asa), ('full', full))}


class Stop(Monitor):
    def should_stop(self) -> bool:
        return True


@pytest.mark.parametrize('name', ['jacobi_legendre', 'network'])
def test_told_to_stop(name: str, asa: tuple[Sites, Targets]) -> None:
    """The others take no longer than a step between two looks at the clock."""
    method = model_type(name)
    with pytest.raises(TrainingInterrupted):
        method.fit(*asa, method.options_type.model_validate(QUICK.get(name, {})), SEED, Stop())


def new_cluster() -> Sites:
    """Two of the three impurities of a cluster that no training data have, and two sites beside them."""
    hosts = [host(), host(47.0, alat=7.73)]
    z = np.full(len(SITES), hosts[0].z[0])
    z[[0, 2, 7]] = 25.0, 26.0, 31.0
    its = np.zeros(len(SITES))
    its[[0, 2, 7]] = 1.0, -1.0, 1.0
    sites = sites_of_cluster(hosts, 0, SITES, np.ones(len(SITES), dtype=np.int64), z, its)
    return sites.subset(np.array([0, 2, 3, 11]))


def shuffled(sites: Sites) -> Sites:
    """The neighbours of each site in another order."""
    order = np.lexsort((np.random.default_rng(0).random(len(sites.owner)), sites.owner))
    of_neighbours = ('vector', 'neighbour_atom', 'neighbour_z', 'neighbour_z_host', 'neighbour_sign')
    return replace(sites, **{name: getattr(sites, name)[order] for name in of_neighbours})


def assert_close(one: Estimate, other: Estimate, tolerance: float = 1e-9) -> None:
    """Equal up to rounding, in Ry."""
    for field in fields(Estimate):
        mine, its = getattr(one, field.name), getattr(other, field.name)
        np.testing.assert_allclose(mine, its, rtol=0.0, atol=tolerance, err_msg=field.name)


def some_rotation(reflected: bool) -> np.ndarray:
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    determinant = np.linalg.det(rotation)
    return rotation * (-determinant if reflected else determinant)


@every_model
@pytest.mark.parametrize('kind', ['asa', 'full'])
def test_host_is_left_as_it_is(name: str, kind: str, trained: dict[tuple[str, str], PotentialModel]) -> None:
    crystal = host()
    z = np.full(len(SITES), crystal.z[0])
    sites = sites_of_cluster([crystal], 0, SITES, np.ones(len(SITES), dtype=np.int64), z, np.zeros(len(SITES)))
    estimate = trained[name, kind].predict(sites)
    assert estimate.average.shape == (len(SITES), 1 if kind == 'asa' else (LMAX + 1) ** 2, FUNCTIONS)
    for field in fields(Estimate):
        assert not getattr(estimate, field.name).any(), field.name


@every_model
@pytest.mark.parametrize('kind', ['asa', 'full'])
def test_reversal_of_all_moments(name: str, kind: str, trained: dict[tuple[str, str], PotentialModel]) -> None:
    sites = new_cluster()
    up, down = (trained[name, kind].predict(table) for table in (sites, sites.with_signs_flipped()))
    assert_close(up, replace(down, splitting=-down.splitting, moment=-down.moment), 1e-13)


@every_model
@pytest.mark.parametrize('kind', ['asa', 'full'])
def test_order_of_neighbours(name: str, kind: str, trained: dict[tuple[str, str], PotentialModel]) -> None:
    sites = new_cluster()
    assert_close(trained[name, kind].predict(shuffled(sites)), trained[name, kind].predict(sites))


@every_model
@pytest.mark.parametrize('reflected', [False, True])
def test_channels_rotate_with_the_cluster(
    name: str, reflected: bool, trained: dict[tuple[str, str], PotentialModel]
) -> None:
    sites, rotation = new_cluster(), some_rotation(reflected)
    matrices = rotation_matrices(rotation, LMAX)
    before, after = (trained[name, 'full'].predict(table) for table in (sites, sites.rotated(rotation)))
    assert np.abs(before.average[:, 0]).max() > 0 or name == 'standard_start'

    def turned(values: np.ndarray) -> np.ndarray:
        parts = np.split(values, [l * l for l in range(1, LMAX + 1)], axis=1)
        return np.concatenate([matrix @ part for matrix, part in zip(matrices, parts, strict=True)], axis=1)

    assert_close(after, replace(before, average=turned(before.average), splitting=turned(before.splitting)))


@pytest.mark.parametrize('name', ['jacobi_legendre', 'kernel', 'network'])
def test_learns_channels_beyond_the_spherical_one(
    name: str, trained: dict[tuple[str, str], PotentialModel], full: tuple[Sites, Targets]
) -> None:
    """The baselines take over the spherical part alone, and their docstring says so."""
    found = trained[name, 'full'].predict(full[0])
    for quantity in ('average', 'splitting'):
        truth = getattr(full[1], quantity)[:, 1:]
        assert np.linalg.norm(getattr(found, quantity)[:, 1:] - truth) < np.linalg.norm(truth)


@every_model
@pytest.mark.parametrize('kind', ['asa', 'full'])
def test_some_sites_are_some_of_the_estimates(
    name: str, kind: str, trained: dict[tuple[str, str], PotentialModel]
) -> None:
    sites, chosen = new_cluster(), np.array([3, 0])
    assert_close(trained[name, kind].predict(sites.subset(chosen)), trained[name, kind].predict(sites).subset(chosen))


@every_model
@pytest.mark.parametrize('kind', ['asa', 'full'])
def test_arrays_there_and_back(name: str, kind: str, trained: dict[tuple[str, str], PotentialModel]) -> None:
    model = trained[name, kind]
    arrays, details = model.to_arrays()
    describe(arrays)
    again = type(model).from_arrays({key: value.copy() for key, value in arrays.items()}, details)
    arrays_again, details_again = again.to_arrays()
    assert details_again == details
    assert {key: value.tobytes() for key, value in arrays_again.items()} == {
        key: value.tobytes() for key, value in arrays.items()
    }
    sites = new_cluster()
    assert_close(again.predict(sites), model.predict(sites), 1e-13)


@every_model
def test_damaged_arrays_are_refused(name: str, trained: dict[tuple[str, str], PotentialModel]) -> None:
    model = trained[name, 'asa']
    arrays, details = model.to_arrays()
    first = sorted(arrays)[0]
    with pytest.raises((ModelError, KeyError, ValueError, TypeError, IndexError)):
        type(model).from_arrays({key: value for key, value in arrays.items() if key != first}, details)


@every_model
def test_same_seed_same_bytes(
    name: str, asa: tuple[Sites, Targets], trained: dict[tuple[str, str], PotentialModel]
) -> None:
    one, other = (model.to_arrays() for model in (trained[name, 'asa'], fit(name, asa)))
    assert one[1] == other[1]
    assert {key: value.tobytes() for key, value in one[0].items()} == {
        key: value.tobytes() for key, value in other[0].items()
    }


@every_model
def test_left_out_groups(name: str, asa: tuple[Sites, Targets], trained: dict[tuple[str, str], PotentialModel]) -> None:
    """An estimate of each row of the training data, with a variance where there is something to be wrong about."""
    model = trained[name, 'asa']
    estimate = model.left_out(*asa, model.options_type.model_validate(QUICK.get(name, {})), SEED)
    assert estimate.average.shape == asa[1].average.shape
    assert all(np.isfinite(getattr(estimate, field.name)).all() for field in fields(Estimate))
    assert (estimate.variance > 0.0).all()


@every_model
def test_nothing_to_learn_from(name: str, asa: tuple[Sites, Targets]) -> None:
    """Refused before any training."""
    nothing = np.empty(0, dtype=np.int64)
    sites, targets = (table.subset(nothing) for table in asa)
    assert re.search(r'no |nothing|empty', model_type(name).refusal(sites, targets))
