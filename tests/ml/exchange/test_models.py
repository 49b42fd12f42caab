"""Models of exchange on pairs that follow a law: symmetry, honesty towards what was not seen, files, intervals."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from model_pairs import model_pairs

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.exchange.structure import HostStructure
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.exchange.models import model_names, model_type
from aiida_mlkkr.ml.exchange.splits import pair_folds
from aiida_mlkkr.ml.exchange.surrogate import ExchangeSurrogate
from aiida_mlkkr.ml.splits import grouped_folds

NAMES = (
    'composition_automl',
    'compressed_soap_krr',
    'coulomb_matrix_krr',
    'equivariant_tensor',
    'extra_trees',
    'gaussian_process',
    'median',
    'soap_krr',
    'stack',
)
MAGNETIC = (23, 24, 25, 26, 27, 42, 43)


def small() -> Pairs:
    """Pairs of few elements, for models that take long."""
    pairs = model_pairs()
    return pairs.subset(np.isin(pairs.z, (*MAGNETIC[:4], 29)).all(axis=1))


@pytest.fixture(scope='module')
def split() -> tuple[Pairs, Pairs]:
    """Noisy pairs, a fifth of the pairs of elements left out."""
    pairs = model_pairs(noise=0.05)
    fold = pair_folds(pairs, 'pair', 5, 0)[0]
    return pairs.subset(fold.train), pairs.subset(fold.test)


@pytest.fixture(scope='module')
def surrogate(split: tuple[Pairs, Pairs]) -> ExchangeSurrogate:
    return ExchangeSurrogate.fit('gaussian_process', split[0])


def test_all_models_are_installed() -> None:
    assert set(NAMES) <= set(model_names())
    with pytest.raises(ModelError, match='no model of exchange'):
        model_type('oracle')


@pytest.mark.parametrize('name', NAMES)
def test_every_model_is_symmetric_blind_to_labels_and_the_same_from_its_arrays(name: str) -> None:
    pairs = small()
    test = (pairs.element_pairs == np.array('V-Mn')) | (pairs.element_pairs == np.array('Cr-Fe'))
    train, asked = pairs.subset(~test), pairs.subset(test)
    model = model_type(name).fit(train)
    mean = model.predict(asked).mean
    np.testing.assert_allclose(model.predict(asked.exchanged()).mean, mean, rtol=1e-6, atol=1e-6)
    hidden = replace(asked, j=np.full(len(asked), np.nan), moments=np.full((len(asked), 2), np.nan))
    np.testing.assert_array_equal(model.predict(hidden).mean, mean)
    again = type(model).from_arrays(*model.to_arrays())
    np.testing.assert_array_equal(again.predict(asked).mean, mean)


def test_the_process_finds_the_law(split: tuple[Pairs, Pairs], surrogate: ExchangeSurrogate) -> None:
    train, test = split
    misses = np.abs(surrogate.predict(test).j - test.j)
    median = np.abs(test.j - np.median(train.j))
    trees = np.abs(model_type('extra_trees').fit(train).predict(test).mean - test.j)
    assert misses.mean() < 0.15 * median.mean()
    assert misses.mean() < 0.5 * trees.mean()


def test_intervals_hold_on_pairs_never_seen(split: tuple[Pairs, Pairs], surrogate: ExchangeSurrogate) -> None:
    prediction = surrogate.predict(split[1])
    inside = np.abs(prediction.j - split[1].j) <= prediction.half_width
    assert 0.8 <= inside.mean() <= 0.99
    assert not prediction.outside.any()


def test_what_was_not_learnt_is_flagged(surrogate: ExchangeSurrogate) -> None:
    known = surrogate.model.pairs.subset(np.arange(3))
    far = replace(known, vectors=4.0 * known.vectors)
    between = replace(known, vectors=1.4 * known.vectors)
    foreign = replace(known, z=np.array([[24, 64]] * 3))
    elsewhere = replace(known, layers=known.layers + 5)
    assert not surrogate.predict(known).outside.any()
    for asked in (far, between, foreign, elsewhere):
        assert surrogate.predict(asked).outside.all()


@pytest.mark.parametrize('name', ['gaussian_process', 'coulomb_matrix_krr', 'extra_trees'])
def test_pairs_left_out_are_predicted_without_them(name: str) -> None:
    pairs = small()
    model = model_type(name).fit(pairs)
    left = model.left_out()
    fold = grouped_folds(pairs.element_pairs, model.folds, 0)[1]
    again = model.of_part(fold.train).predict(pairs.subset(fold.test))
    np.testing.assert_allclose(left.mean[fold.test], again.mean, rtol=1e-9)
    np.testing.assert_allclose(left.error[fold.test], again.error, rtol=1e-9)


def test_pairs_left_out_of_the_process_decide_no_hyperparameters() -> None:
    pairs = small()
    model = model_type('gaussian_process').fit(pairs)
    fold = grouped_folds(pairs.element_pairs, model.folds, 0)[1]
    alone = model_type('gaussian_process').fit(pairs.subset(fold.train))
    np.testing.assert_array_equal(model.left_out().mean[fold.test], alone.predict(pairs.subset(fold.test)).mean)


def test_a_surrogate_comes_back_from_its_arrays(surrogate: ExchangeSurrogate) -> None:
    asked = surrogate.model.pairs.subset(np.arange(20))
    again = ExchangeSurrogate.from_arrays(*surrogate.to_arrays())
    for name in ('j', 'half_width', 'outside'):
        np.testing.assert_array_equal(getattr(again.predict(asked), name), getattr(surrogate.predict(asked), name))
    arrays, details = surrogate.to_arrays()
    with pytest.raises(ModelError, match='has no intervals'):
        ExchangeSurrogate.from_arrays({}, details)
    with pytest.raises(ModelError, match='do not fit together'):
        ExchangeSurrogate.from_arrays({k: v for k, v in arrays.items() if k != 'pairs_z'}, details)


def test_ten_thousand_predictions_take_no_time(surrogate: ExchangeSurrogate) -> None:
    rows = np.resize(np.arange(len(surrogate.model.pairs)), 10_000)
    asked = surrogate.model.pairs.subset(rows)
    begin = time.process_time()
    surrogate.predict(asked)
    assert time.process_time() - begin < 2.0


def test_bad_input_is_refused() -> None:
    pairs = small()
    one = pairs.subset(np.array(pairs.element_pairs) == 'Cr-Mn')
    with pytest.raises(ModelError, match='at least two different pairs'):
        model_type('median').fit(one)
    for name, which in (('j', 'J'), ('d', 'D'), ('moments', 'a moment'), ('vectors', 'the vector')):
        damaged = getattr(pairs, name).copy()
        damaged[3] = np.nan
        with pytest.raises(ModelError, match=f'^{which} of a pair to learn from is not finite'):
            model_type('median').fit(replace(pairs, **{name: damaged}))


@pytest.mark.parametrize('name', ['soap_krr', 'coulomb_matrix_krr'])
def test_descriptors_see_the_host(name: str) -> None:
    places = np.array([[0.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
    host = HostStructure(4.0 * np.eye(3), places, np.array([55, 17]), np.array([1]), np.array([0]))
    pairs = small()
    flat = pairs.subset(pairs.vectors[:, 2] == 0)
    model = model_type(name).fit(replace(flat, host=host))
    assert np.abs(model.predict(replace(flat, host=host)).mean - flat.j).mean() < np.abs(flat.j).mean()
    again = type(model).from_arrays(*model.to_arrays())
    assert again.pairs.host is not None
