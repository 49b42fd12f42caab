import time

import numpy as np
import pytest
from model_clusters import KIND, SITES, host, law, law_around, moment_of, record, row
from rotations import rotation_matrices

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import training_rows
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.harmonics import components, real_harmonics
from aiida_mlkkr.ml.models.base import Targets
from aiida_mlkkr.ml.models.kernel import Kernel, KernelOptions
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.sites import Sites, sites_of_cluster

FUNCTIONS = 8
CU, AG = host(29.0), host(47.0, alat=7.73)
LAYER = np.ones(len(SITES), dtype=np.int64)
FEW = KernelOptions(observations_for_lengths=30)


def fit(sites: Sites, targets: Targets, options: KernelOptions = FEW) -> Kernel:
    return Kernel.fit(sites, targets, options, 0, Monitor())


def single(z: float, number: int = 0, sign: float = 1.0) -> Sites:
    """The impurity's site and one of its neighbours, in one of two hosts."""
    charges = np.full(len(SITES), (CU, AG)[number].z[0])
    charges[0] = z
    sites = sites_of_cluster([CU, AG], number, SITES, LAYER, charges, np.full(len(SITES), sign))
    return sites.subset(np.array([0, 1]))


@pytest.fixture(scope='module')
def rows() -> tuple[Sites, Targets]:
    return training_rows(row(without=(26,)), FUNCTIONS)


@pytest.fixture(scope='module')
def model(rows: tuple[Sites, Targets]) -> Kernel:
    return fit(*rows)


def test_predicts_what_it_has_not_seen(model: Kernel) -> None:
    """Fe between its neighbours in the row: potentials within a few per cent of what it does, its moment."""
    sites, truth = training_rows(ImpurityDataset(KIND, (record({0: 26.0}),)), FUNCTIONS)
    found = model.predict(sites)
    for name in ('average', 'splitting'):
        asked, expected = getattr(found, name), getattr(truth, name)
        sizes = np.linalg.norm(expected, axis=(1, 2))
        assert (np.linalg.norm(asked - expected, axis=(1, 2)) < 0.1 * sizes + 1e-5).all()
    assert found.moment[0] == pytest.approx(moment_of(26.0), abs=0.3)
    assert found.moment[1] == 0.0


def test_sums_of_two_impurities(model: Kernel) -> None:
    """Of pairs nothing has been seen: what each does is added, a reversed moment reverses its part alone."""
    charges = np.full(len(SITES), 29.0)
    charges[:2] = 24.0, 27.0
    signs = np.array([1.0, -1.0] + [0.0] * (len(SITES) - 2))
    found = model.predict(sites_of_cluster([CU], 0, SITES, LAYER, charges, signs))
    functions = training_rows(ImpurityDataset(KIND, (record({0: 24.0, 1: 27.0}, signs={1: -1}),)), FUNCTIONS)
    sites, truth = functions
    here = np.flatnonzero(sites.z == 27)
    assert np.linalg.norm(found.splitting[1] - truth.splitting[here[0]]) < 0.1 * np.linalg.norm(
        truth.splitting[here[0]]
    )
    assert np.linalg.norm(law(24.0)[1]) > 10 * np.linalg.norm(law_around(24.0, 0.7)[1])
    assert found.moment[0] > 0.0 > found.moment[1]


def test_laws(model: Kernel) -> None:
    pure = model.predict(single(29.0))
    for value in (pure.average, pure.splitting, pure.moment, pure.variance):
        np.testing.assert_array_equal(value, 0.0)
    up, down = (model.predict(single(25.0, sign=sign)) for sign in (1.0, -1.0))
    np.testing.assert_array_equal(down.average, up.average)
    np.testing.assert_array_equal(down.splitting, -up.splitting)
    np.testing.assert_array_equal(down.moment, -up.moment)
    assert up.splitting.any()


def test_left_out_is_what_a_model_of_the_others_predicts(rows: tuple[Sites, Targets], model: Kernel) -> None:
    """But for lengths, which are of all data in one and of the others in the other."""
    sites, targets = rows
    found = model.left_out(sites, targets, FEW, 0)
    group = targets.group[np.flatnonzero(sites.z == 24)[0]]
    others, its = np.flatnonzero(targets.group != group), np.flatnonzero(targets.group == group)
    without = fit(sites.subset(others), targets.subset(others)).predict(sites.subset(its))
    size = np.linalg.norm(targets.average[its], axis=(1, 2))
    assert (np.linalg.norm(found.average[its] - without.average, axis=(1, 2)) < 0.05 * size).all()
    # more than at the data, where it is known
    assert (found.variance[its] > 2 * model.predict(sites.subset(its)).variance).all()
    np.testing.assert_allclose(np.sqrt(found.variance[its]), np.sqrt(without.variance), rtol=0.5)


def test_an_unseen_host_is_less_sure(model: Kernel) -> None:
    known, unknown = model.predict(single(25.0, 0)), model.predict(single(25.0, 1))
    assert (unknown.variance > 3 * known.variance).all()
    np.testing.assert_allclose(unknown.moment[0], known.moment[0], rtol=0.2)


def test_errors_of_potentials_are_noise(rows: tuple[Sites, Targets], model: Kernel) -> None:
    """A wrong potential that is said to be wrong does not pull the prediction as one that is not."""
    sites, targets = rows
    site = np.flatnonzero(sites.z == 24)
    average, error = targets.average.copy(), np.zeros(len(targets))
    average[site] += 0.05
    error[site] = 1.0
    wrong = Targets(average, targets.splitting, targets.moment, targets.error, targets.group)
    told = Targets(average, targets.splitting, targets.moment, error, targets.group)
    asked, truth = sites.subset(site), targets.average[site]
    misled = np.linalg.norm(fit(sites, wrong).predict(asked).average - truth)
    warned = np.linalg.norm(fit(sites, told).predict(asked).average - truth)
    assert warned < 0.3 * misled


def test_arrays_and_back(model: Kernel) -> None:
    arrays, details = model.to_arrays()
    again = Kernel.from_arrays(arrays, details).predict(single(26.0))
    np.testing.assert_array_equal(again.average, model.predict(single(26.0)).average)
    with pytest.raises(ModelError, match='outputs'):
        Kernel.from_arrays(arrays, {**details, 'functions': FUNCTIONS + 1})
    with pytest.raises(KeyError):
        Kernel.from_arrays(arrays, {**details, 'processes': {'average_own_7': 1}})


def test_same_seed_same_arrays(rows: tuple[Sites, Targets], model: Kernel) -> None:
    again = fit(*rows).to_arrays()[0]
    for name, values in model.to_arrays()[0].items():
        np.testing.assert_array_equal(again[name], values)


def test_fast_enough(model: Kernel) -> None:
    """A cluster of 13 sites in less than 0.2 s of computing, whatever else the machine does."""
    charges = np.full(len(SITES), 29.0)
    charges[0] = 26.0
    sites = sites_of_cluster([CU], 0, SITES, LAYER, charges, np.ones(len(SITES)))
    model.predict(sites)
    begin = time.process_time()
    model.predict(sites)
    assert time.process_time() - begin < 0.2


def full_law(sites: Sites) -> Targets:
    """Channels up to l = 4: own ones follow the crystal's neighbours, those around an impurity its direction."""
    n = len(sites)
    average, splitting = np.zeros((n, 25, 2)), np.zeros((n, 25, 2))
    shell = sites.distance < 1.1 * sites.distance.min()
    harmonics = real_harmonics(sites.vector, 4)
    for site in range(n):
        its = sites.owner == site
        strength = (sites.z[site] - sites.z_host[site]) / 100.0
        average[site] += strength * np.outer(harmonics[its & shell].sum(axis=0), [1.0, 0.3])
        for near in np.flatnonzero(its & sites.neighbour_changed):
            strength = (sites.neighbour_z[near] - sites.neighbour_z_host[near]) / 1000.0
            average[site] += strength * np.outer(harmonics[near], [1.0, -0.5])
            splitting[site] += sites.neighbour_sign[near] * 0.3 * strength * np.outer(harmonics[near], [1.0, 0.2])
    return Targets(average, splitting, np.zeros(n), np.zeros(n), np.repeat(np.arange(n // 2), 2))


@pytest.fixture(scope='module')
def full() -> Kernel:
    sites = Sites.join([single(z) for z in (22, 23, 24, 26, 27, 28, 30)])
    return fit(sites, full_law(sites))


def test_full_potential_of_an_unseen_impurity(full: Kernel) -> None:
    sites = single(25)
    found, truth = full.predict(sites), full_law(sites)
    for l in range(5):
        for name in ('average', 'splitting'):
            asked, expected = (getattr(one, name)[:, components(l)] for one in (found, truth))
            assert np.linalg.norm(asked - expected) <= 0.15 * np.linalg.norm(expected) + 1e-6, (l, name)
    assert found.variance.min() > 0.0


def test_forbidden_channels_are_zero(full: Kernel) -> None:
    """On the cubic site l = 1, 2, 3 vanish, and the e and t components but one of l = 4."""
    centre = full.predict(single(25)).average[0]
    for l in (1, 2, 3):
        np.testing.assert_allclose(centre[components(l)], 0.0, atol=1e-14)
    # Y_40 + sqrt(5/7) Y_44 is the cubic one
    np.testing.assert_allclose(centre[24], np.sqrt(5 / 7) * centre[20], atol=1e-12)
    assert np.abs(centre[20]).max() > 1e-3
    np.testing.assert_allclose(np.delete(centre[components(4)], [4, 8], axis=0), 0.0, atol=1e-14)


def test_channels_rotate_with_the_cluster(full: Kernel) -> None:
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    sites = single(25)
    found, turned = full.predict(sites), full.predict(sites.rotated(rotation))
    for l, matrix in enumerate(rotation_matrices(rotation, 4)):
        for name in ('average', 'splitting'):
            before, after = (getattr(one, name)[:, components(l)] for one in (found, turned))
            np.testing.assert_allclose(after, np.einsum('mn,ink->imk', matrix, before), atol=1e-9)
    np.testing.assert_allclose(turned.variance, found.variance, rtol=1e-6)
