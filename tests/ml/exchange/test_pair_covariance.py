"""The covariance of pairs, and the gradient of its likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from model_pairs import model_pairs
from scipy.optimize import check_grad

from aiida_mlkkr.ml.exchange.models.gaussian_process import _Data
from aiida_mlkkr.ml.exchange.pair_covariance import Numbered, PairLikelihood, symmetric_products


@pytest.fixture(scope='module')
def likelihood() -> PairLikelihood:
    pairs = model_pairs()
    return _Data(pairs.subset(np.arange(0, len(pairs), 9))).likelihood


def test_the_gradient_is_that_of_the_cost(likelihood: PairLikelihood) -> None:
    rng = np.random.default_rng(2)
    x = likelihood.expected + 0.1 * rng.normal(size=len(likelihood.expected))
    size = np.linalg.norm(likelihood.cost(x)[1])
    assert check_grad(lambda y: likelihood.cost(y)[0], lambda y: likelihood.cost(y)[1], x) < 1e-4 * size


def test_covariances_are_positive_and_do_not_know_an_order() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    elements = root @ root.T
    a, b = (rng.integers(0, 5, 40) for _ in range(2))
    g = np.zeros(40, dtype=np.int64)
    one, other = Numbered(a, b, g), Numbered(b, a, g)
    products = symmetric_products(elements, one, one)
    np.testing.assert_allclose(symmetric_products(elements[:, :], other, one), products)
    assert np.linalg.eigvalsh(products).min() > -1e-9 * np.abs(products).max()
