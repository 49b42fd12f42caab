"""The tensor model keeps the symmetries of exchange to the last digit, and learns tensors that follow a law."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from model_pairs import model_pairs
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.pairs import Pairs, pairs_of_tables
from aiida_mlkkr.exchange.structure import HostStructure
from aiida_mlkkr.exchange.tables import copper_pairs
from aiida_mlkkr.exchange.tensors import compose, rotated, swapped
from aiida_mlkkr.ml.exchange.models import PairEstimate
from aiida_mlkkr.ml.exchange.models.equivariant_tensor import EquivariantTensor, TensorOptions
from aiida_mlkkr.ml.exchange.pair_bases import pair_bases
from aiida_mlkkr.ml.exchange.splits import pair_folds
from aiida_mlkkr.ml.exchange.surrogate import ExchangeSurrogate

FloatArray = NDArray[np.float64]

ABOVE = np.array([0.3, -0.2, 1.0])
"""Towards the heavier atoms of the host, which is not symmetric."""


def host() -> HostStructure:
    """Impurities on a layer at z = 0 or 6 Å; a heavy atom beside each."""
    places = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 6.0], 1.9 * ABOVE, 1.9 * ABOVE + [0.4, 0.9, 6.0]])
    return HostStructure(
        np.diag([4.0, 4.0, 12.0]), places, np.array([17, 17, 83, 52]), np.array([1, 2]), np.array([0, 1])
    )


def tensor_pairs() -> Pairs:
    """Pairs with D ∝ J r × above, and S of the quadrupole of r."""
    pairs = replace(model_pairs(), host=host())
    bond = pairs.vectors / pairs.distances[:, None]
    d = 0.3 * pairs.j[:, None] * np.cross(bond, ABOVE)
    s = 0.2 * pairs.j[:, None, None] * (bond[:, :, None] * bond[:, None, :] - np.eye(3) / 3)
    return replace(pairs, d=d, s=s)


def tensors(estimate: PairEstimate) -> FloatArray:
    assert estimate.d is not None
    assert estimate.s is not None
    return compose(estimate.mean, estimate.d, estimate.s)


@pytest.fixture(scope='module')
def split() -> tuple[Pairs, Pairs]:
    pairs = tensor_pairs()
    fold = pair_folds(pairs, 'pair', 5, 0)[0]
    return pairs.subset(fold.train), pairs.subset(fold.test)


@pytest.fixture(scope='module')
def model(split: tuple[Pairs, Pairs]) -> EquivariantTensor:
    return EquivariantTensor.fit(split[0])


@pytest.mark.parametrize('improper', [False, True])
@pytest.mark.parametrize('seed', range(3))
def test_tensors_turn_with_pair_and_host(
    seed: int, improper: bool, split: tuple[Pairs, Pairs], model: EquivariantTensor
) -> None:
    q = Rotation.random(random_state=seed).as_matrix() * (-1.0 if improper else 1.0)
    assert_covariant(model, split[1], q)


@pytest.mark.parametrize('q', [-np.eye(3), np.diag([-1.0, 1.0, 1.0]), np.diag([1.0, 1.0, -1.0])])
def test_tensors_turn_under_inversion_and_mirrors(
    q: FloatArray, split: tuple[Pairs, Pairs], model: EquivariantTensor
) -> None:
    assert_covariant(model, split[1], q)


def assert_covariant(model: EquivariantTensor, pairs: Pairs, q: FloatArray) -> None:
    crystal = pairs.host
    assert crystal is not None
    turned_host = replace(crystal, cell=crystal.cell @ q.T, positions=crystal.positions @ q.T)
    turned = replace(pairs, vectors=pairs.vectors @ q.T, host=turned_host)
    straight = tensors(model.predict(pairs))
    np.testing.assert_allclose(
        tensors(model.predict(turned)), rotated(straight, q), atol=1e-12 * np.abs(straight).max()
    )


def test_tensors_are_transposed_when_the_sites_are_exchanged(
    split: tuple[Pairs, Pairs], model: EquivariantTensor
) -> None:
    pairs = split[1]
    other = replace(pairs, z=pairs.z[:, ::-1], vectors=-pairs.vectors, layers=pairs.layers[:, ::-1])
    straight = tensors(model.predict(pairs))
    np.testing.assert_allclose(tensors(model.predict(other)), swapped(straight), atol=1e-12 * np.abs(straight).max())


def test_a_centre_of_inversion_forbids_d_of_like_sites(model: EquivariantTensor) -> None:
    places = np.array([[0.0, 0.0, 0.0], 1.9 * ABOVE, [0.0, 0.0, 6.0], [0.0, 0.0, 6.0] - 1.9 * ABOVE])
    symmetric = HostStructure(
        np.diag([4.0, 4.0, 12.0]), places, np.array([17, 83, 17, 83]), np.array([1, 2]), np.array([0, 2])
    )
    across = replace(model.pairs, host=symmetric).subset(model.pairs.vectors[:, 2] > 0)
    like = across.z[:, 0] == across.z[:, 1]
    estimate = model.predict(across)
    assert estimate.d is not None
    sizes = np.linalg.norm(estimate.d, axis=1)
    assert sizes[like].max() < 1e-12 * np.abs(estimate.mean).max()
    assert sizes[~like].max() > 1e-6


def test_pairs_of_elements_never_seen_have_the_tensors_of_the_law(
    split: tuple[Pairs, Pairs], model: EquivariantTensor
) -> None:
    test = split[1]
    assert test.s is not None
    estimate = model.predict(test)
    assert estimate.d is not None
    assert np.abs(estimate.mean - test.j).mean() < 0.15 * np.abs(test.j).mean()
    assert np.linalg.norm(estimate.d - test.d, axis=1).mean() < 0.3 * np.linalg.norm(test.d, axis=1).mean()
    assert np.abs(tensors(estimate) - compose(test.j, test.d, test.s)).mean() < 0.1 * np.abs(test.j).mean()


@pytest.fixture(scope='module')
def surrogate(split: tuple[Pairs, Pairs]) -> ExchangeSurrogate:
    return ExchangeSurrogate.fit('equivariant_tensor', split[0], TensorOptions(steps=40))


def test_its_surrogate_says_how_sure_d_is_and_comes_back(
    split: tuple[Pairs, Pairs], surrogate: ExchangeSurrogate
) -> None:
    prediction = surrogate.predict(split[1])
    assert prediction.d is not None
    assert prediction.d_half_width is not None
    inside = np.linalg.norm(prediction.d - split[1].d, axis=1) <= prediction.d_half_width
    assert 0.8 <= inside.mean() <= 1.0
    again = ExchangeSurrogate.from_arrays(*surrogate.to_arrays()).predict(split[1])
    for name in ('j', 'half_width', 'd', 'd_half_width', 's'):
        np.testing.assert_array_equal(getattr(again, name), getattr(prediction, name))


def test_what_it_has_not_seen_is_flagged_or_refused(split: tuple[Pairs, Pairs], surrogate: ExchangeSurrogate) -> None:
    known = split[1].subset(np.arange(3))
    assert not surrogate.predict(known).outside.any()
    crystal = known.host
    assert crystal is not None
    foreign = replace(known, z=np.array([[24, 64]] * 3))
    far = replace(known, vectors=known.vectors + np.array([8.0, 0.0, 0.0]))
    places = np.concatenate([crystal.positions, [[2.0, 2.0, 0.0]]])
    more = replace(
        crystal, positions=places, z=np.append(crystal.z, 17), layers=np.array([1, 2, 3]), sites=np.array([0, 1, 4])
    )
    elsewhere = replace(known, layers=np.full((3, 2), 3), host=more, vectors=np.array([[4.0, 0.0, 0.0]] * 3))
    for asked in (foreign, far, elsewhere):
        prediction = surrogate.predict(asked)
        assert prediction.outside.all()
        assert np.isfinite(prediction.j).all()
    with pytest.raises(ExchangeError, match='the structure of the host has no layer 7'):
        surrogate.predict(replace(known, layers=known.layers + 6))
    with pytest.raises(ExchangeError, match='no atom of the host'):
        surrogate.predict(replace(known, vectors=known.vectors + 1.0))


def test_ten_thousand_tensors_take_no_time(split: tuple[Pairs, Pairs], surrogate: ExchangeSurrogate) -> None:
    asked = split[0].subset(np.resize(np.arange(len(split[0])), 10_000))
    begin = time.process_time()
    surrogate.predict(asked)
    assert time.process_time() - begin < 2.0


def test_without_a_host_nothing_but_the_bond_can_turn() -> None:
    bases = pair_bases(model_pairs())
    assert np.abs(bases.axial).max(initial=0.0) < 1e-15
    assert np.abs(bases.quadrupoles).max() > 0.1


def test_copper_has_j_and_neither_d_nor_s_without_spin_orbit_coupling() -> None:
    pairs = pairs_of_tables([copper_pairs()])
    magnetic = pairs.subset(np.isin(pairs.z, (24, 25, 26)).all(axis=1))
    assert magnetic.s is not None
    estimate = EquivariantTensor.fit(magnetic, TensorOptions(steps=100)).predict(magnetic)
    assert estimate.d is None
    assert estimate.s is None
    assert np.abs(estimate.mean - magnetic.j).mean() < 0.6 * np.abs(magnetic.j).mean()
