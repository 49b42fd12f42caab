"""The Jacobi-Legendre model against its definition, its laws and the explicit formulas of Bayesian regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from model_clusters import SITES, host, row
from rotations import rotation_matrices
from scipy.stats import ortho_group

from aiida_mlkkr.ml.covariant import ElementTables, terms_of
from aiida_mlkkr.ml.emulator import training_rows
from aiida_mlkkr.ml.harmonics import components, real_harmonics
from aiida_mlkkr.ml.jacobi import JacobiFunctions
from aiida_mlkkr.ml.likelihood import Likelihood
from aiida_mlkkr.ml.models.base import Targets
from aiida_mlkkr.ml.models.jacobi_legendre import JacobiLegendre, JacobiLegendreOptions, _Data
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.sites import Sites, sites_of_cluster

LMAX = 2
FUNCTIONS = JacobiFunctions(2, 9.0)
OPTIONS = JacobiLegendreOptions(pair_functions=2, cutoff=9.0, rows_for_lengths=60)


def cluster(impurities: dict[int, float], signs: tuple[int, ...] = (1, -1, 1)) -> Sites:
    """An fcc site and its neighbours with impurities on some, in a host of copper."""
    z, of_site = np.full(len(SITES), 29.0), np.zeros(len(SITES))
    for (site, charge), sign in zip(impurities.items(), signs, strict=False):
        z[site], of_site[site] = charge, sign
    return sites_of_cluster([host()], 0, SITES, np.ones(len(SITES), dtype=np.int64), z, of_site)


TRAINING = Sites.join(
    [cluster({0: 24.0, 3: 30.0, 7: 47.0}), cluster({0: 25.0, 5: 27.0}), cluster({2: 31.0, 9: 25.0}), cluster({0: 13.0})]
)


def values_of(sites: Sites, seed: int, functions: int = 3) -> Targets:
    """Potentials of sites that are any linear combination of the terms, and no others; noise of 0.1 mRy."""
    rng = np.random.default_rng(seed)
    n = len(sites)
    average, splitting = np.zeros((2, n, (LMAX + 1) ** 2, functions))
    for l in range(LMAX + 1):
        for values, odd in ((average, False), (splitting, True)):
            blocks = reference_blocks(sites, l, odd)
            found = sum(block @ rng.normal(0.0, 0.02, (block.shape[1], functions)) for block in blocks)
            values[:, components(l)] = found.reshape(n, 2 * l + 1, functions) + rng.normal(0.0, 1e-4, functions)
    moment = sites.sign * (1.0 + 0.1 * (sites.z - 25))
    return Targets(average, splitting, moment, np.zeros(n), np.repeat(np.arange(n // 13), 13))


def described(z: int) -> np.ndarray:
    """An element in three numbers, any will do."""
    return np.array([1.0, z / 30.0, np.sin(z)])


def reference_blocks(sites: Sites, l: int, odd: bool) -> list[np.ndarray]:
    """The terms by their definition, atom by atom."""
    rows: list[list[np.ndarray]] = [[], [], []]
    for i in range(len(sites)):
        sign = sites.sign[i] if odd else 1.0
        own = sign * (described(sites.z[i]) - described(sites.z_host[i]))
        around, change = np.zeros((2 * l + 1, 2, 3)), np.zeros((2 * l + 1, 2, 3))
        for j in np.flatnonzero(sites.owner == i):
            r = np.linalg.norm(sites.vector[j])
            radial = FUNCTIONS.vanishing(np.array([r]))[0] / [1, 2]
            angular = 4 * np.pi / (2 * l + 1) * real_harmonics(sites.vector[j : j + 1], l)[0, components(l)]
            shape = angular[:, None, None] * radial[None, :, None]
            of_host, of_atom = described(sites.neighbour_z_host[j]), described(sites.neighbour_z[j])
            around += shape * of_host
            change += shape * (of_atom - of_host) * (sites.neighbour_sign[j] if odd else 1.0)
        for m in range(2 * l + 1):
            rows[0].append(own if l == 0 else np.zeros(0))
            rows[1].append(np.einsum('a,nb->anb', own, around[m]).ravel())
            rows[2].append(np.einsum('a,nb->anb', described(sites.z[i]), change[m]).ravel())
    return [np.array(block) for block in rows]


@pytest.fixture(scope='module')
def targets() -> Targets:
    return values_of(TRAINING, 1)


@pytest.fixture(scope='module')
def model(targets: Targets) -> JacobiLegendre:
    return JacobiLegendre.fit(TRAINING, targets, OPTIONS, 0, Monitor())


@pytest.mark.parametrize('l', [0, 1, 2])
@pytest.mark.parametrize('odd', [False, True])
def test_terms_are_their_definition(l: int, odd: bool):
    table = np.array([described(z) for z in range(200)])
    sites = cluster({0: 24.0, 3: 30.0})
    terms = terms_of(sites, FUNCTIONS, l, odd)
    of_elements = table[: terms.own.shape[1]]
    expected = reference_blocks(sites, l, odd)
    kernel = of_elements @ of_elements.T
    tables = ElementTables(kernel, kernel, of_elements, of_elements, of_elements, of_elements)
    for block, definition in zip(terms.features(tables), expected, strict=True):
        assert np.allclose(block, definition, atol=1e-12)
    lengths = [np.sum(block**2, axis=1) for block in expected]
    assert np.allclose(terms.variances(tables), lengths, atol=1e-9)


def test_a_potential_of_these_terms_is_learnt(model: JacobiLegendre, targets: Targets):
    found = model.predict(TRAINING)
    for name in ('average', 'splitting'):
        known = getattr(targets, name)
        assert np.sqrt(np.mean((getattr(found, name) - known) ** 2)) < 0.1 * np.sqrt(np.mean(known**2))
    assert np.allclose(found.moment, targets.moment, atol=0.1)


def test_a_host_without_impurities_is_known_exactly(model: JacobiLegendre):
    found = model.predict(cluster({}))
    for values in (found.average, found.splitting, found.moment, found.variance):
        assert not values.any()


def test_reversed_moments(model: JacobiLegendre):
    sites = cluster({0: 24.0, 3: 26.0, 4: 27.0})
    found, flipped = model.predict(sites), model.predict(sites.with_signs_flipped())
    assert np.array_equal(found.average, flipped.average)
    assert np.array_equal(found.splitting, -flipped.splitting)
    assert np.array_equal(found.moment, -flipped.moment)
    assert found.splitting[:, 0].any()
    assert found.moment[[0, 3, 4]].all()
    assert np.array_equal(found.variance, flipped.variance)


@pytest.mark.parametrize('seed', [1, 2])
def test_channels_rotate_with_the_cluster(model: JacobiLegendre, seed: int):
    sites = cluster({0: 24.0, 3: 26.0, 4: 27.0})
    rotation = ortho_group.rvs(3, random_state=seed)
    found, rotated = model.predict(sites), model.predict(sites.rotated(rotation))
    for l, matrix in enumerate(rotation_matrices(rotation, LMAX)):
        for name in ('average', 'splitting'):
            before, after = (getattr(estimate, name)[:, components(l)] for estimate in (found, rotated))
            assert np.allclose(after, np.einsum('ab,nbk->nak', matrix, before), atol=1e-11)
            assert np.abs(before).max() > 1e-4
    assert np.allclose(found.variance, rotated.variance, rtol=1e-6)


def gaussian_process(
    model: JacobiLegendre, targets: Targets, train: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the spin average in the channel l = 0 from covariances, without any features."""
    arrays, _ = model.to_arrays()
    tables, strengths, noise = (
        [arrays[f'average_0_{name}'] for name in ('own_kernel', 'around_kernel')],
        arrays['average_0_strengths'],
        arrays['average_0_noise'],
    )
    terms = terms_of(TRAINING, FUNCTIONS, 0, odd=False)

    def quadratic(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        parts = values.reshape(len(values), -1, values.shape[-1])
        return np.einsum('ina,ab,jnb->ij', parts, kernel, parts, optimize=True)

    own, around = tables
    difference = quadratic(terms.own, own)
    parts = [
        difference,
        difference * quadratic(terms.host, around),
        quadratic(terms.centre, own) * quadratic(terms.change, around),
    ]
    matrix = np.tensordot(strengths, parts, 1)
    errors = targets.error**2 / targets.average[0].size
    inner = matrix[np.ix_(train, train)] + np.diag(np.where(TRAINING.changed, *noise)[train] + errors[train])
    gain = np.linalg.solve(inner, matrix[np.ix_(train, test)]).T
    return gain @ targets.average[train, 0], np.diag(matrix[np.ix_(test, test)] - gain @ matrix[np.ix_(train, test)])


def test_it_is_the_gaussian_process_of_its_covariances(targets: Targets):
    noisy = replace(targets, error=np.where(targets.group == 1, 0.01, 0.0))
    scalar = replace(noisy, average=noisy.average[:, :1], splitting=np.zeros_like(noisy.splitting[:, :1]))
    model = JacobiLegendre.fit(TRAINING, scalar, OPTIONS, 0, Monitor())
    everything = np.arange(len(TRAINING))
    mean, variance = gaussian_process(model, scalar, everything, everything)
    found = model.predict(TRAINING)
    assert np.allclose(found.average[:, 0], mean, atol=1e-8)
    assert np.allclose(found.variance, 3 * variance, rtol=1e-3, atol=1e-10)


def test_groups_are_left_out_in_closed_form(targets: Targets):
    scalar = replace(targets, average=targets.average[:, :1], splitting=np.zeros_like(targets.splitting[:, :1]))
    model = JacobiLegendre.fit(TRAINING, scalar, OPTIONS, 0, Monitor())
    found = model.left_out(TRAINING, scalar, OPTIONS, 0)
    for group in range(4):
        train, test = np.flatnonzero(targets.group != group), np.flatnonzero(targets.group == group)
        mean, variance = gaussian_process(model, scalar, train, test)
        assert np.allclose(found.average[test, 0], mean, atol=1e-7)
        assert np.allclose(found.variance[test], 3 * variance, rtol=1e-3, atol=1e-10)


def test_many_rows_give_the_same_as_few(model: JacobiLegendre, targets: Targets):
    """With more rows than columns the normal equations are those of the columns."""
    small = OPTIONS.model_copy(update={'element_functions': 2, 'centre_functions': 1, 'pair_functions': 1})
    many = JacobiLegendre.fit(TRAINING, targets, small, 0, Monitor())
    expansion = many._expansions[0]
    rows, _ = many._rows(expansion, _Data(TRAINING, targets, 'average', 0), np.arange(len(TRAINING)))
    features, outputs, noise = rows
    assert len(features) > features.shape[1]
    precision = np.diag(1.0 / expansion.ridge.scale**2) + (features.T / noise) @ features
    weights = np.linalg.solve(precision, (features.T / noise) @ outputs)
    mean, variance = expansion.ridge.predict(features)
    assert np.allclose(mean, features @ weights, atol=1e-9)
    assert np.allclose(variance, np.sum(features * np.linalg.solve(precision, features.T).T, axis=1), rtol=1e-5)


def test_slope_of_the_likelihood(targets: Targets):
    terms = terms_of(TRAINING, FUNCTIONS, 0, odd=False)
    likelihood = Likelihood(terms, targets.average[:, 0], np.zeros(len(TRAINING)), TRAINING.changed)
    x = np.concatenate([np.full(8, 0.8), [0.3, -0.5, 0.2], [-4.0, -3.0]])
    _, slope = likelihood.cost(x)
    steps = 1e-5 * np.eye(len(x))
    numeric = [(likelihood.cost(x + step)[0] - likelihood.cost(x - step)[0]) / 2e-5 for step in steps]
    assert np.allclose(slope, numeric, rtol=1e-4, atol=1e-3)


def test_saved_and_loaded(model: JacobiLegendre):
    loaded = JacobiLegendre.from_arrays(*model.to_arrays())
    sites = cluster({0: 24.0, 3: 26.0})
    assert np.array_equal(loaded.predict(sites).average, model.predict(sites).average)
    assert np.array_equal(loaded.predict(sites).variance, model.predict(sites).variance)


def test_left_out_elements_of_a_smooth_law():
    """Impurities of the row from Sc to As that follow a law: what a left-out one does is found from the others."""
    sites, targets = training_rows(row(), 8)
    options = JacobiLegendreOptions()
    model = JacobiLegendre.fit(sites, targets, options, 0, Monitor())
    left_out = model.left_out(sites, targets, options, 0)
    inner = sites.changed & (sites.z > 22) & (sites.z < 32)
    errors = np.linalg.norm((left_out.average - targets.average)[inner], axis=(1, 2))
    assert np.median(errors) < 0.1 * np.median(np.linalg.norm(targets.average[inner], axis=(1, 2)))


def test_unknown_elements_are_uncertain(model: JacobiLegendre):
    known, unknown = (model.predict(cluster({0: z})).variance[0] for z in (25.0, 57.0))
    assert unknown > 5.0 * known
