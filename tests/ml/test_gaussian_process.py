import numpy as np
import pytest

from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.gaussian_process import MAX_OBSERVATIONS, Contributions, Covariance, GaussianProcess


def single(x: np.ndarray, host: np.ndarray | None = None, weight: np.ndarray | None = None) -> Contributions:
    """One contribution to each observation."""
    n = len(x)
    return Contributions(
        np.asarray(x, dtype=float).reshape(n, np.size(x) // max(n, 1)),
        np.zeros(n, dtype=np.int64) if host is None else host,
        np.arange(n),
        np.ones(n) if weight is None else weight,
        n,
    )


def covariance(noise: float = 1e-12, share: float = 0.0) -> Covariance:
    return Covariance(np.array([2.0]), np.array([3.0]), share, noise)


X = np.arange(8.0)
Y = np.column_stack([np.sin(X), 0.1 * X])


def test_goes_through_exact_observations() -> None:
    process = GaussianProcess(single(X), Y, covariance())
    mean, variance = process.predict(single(X))
    np.testing.assert_allclose(mean, Y, atol=1e-9)
    np.testing.assert_allclose(variance, 0.0, atol=1e-9)


def test_knows_nothing_far_away() -> None:
    process = GaussianProcess(single(X), Y, covariance(share=0.5))
    mean, variance = process.predict(single(np.array([1e4])))
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)
    np.testing.assert_allclose(variance, 1.5)


def test_matern_covariance() -> None:
    # (1 + a + a²/3) exp(-a) with a = sqrt(5) d / length; Rasmussen and Williams, equation 4.17
    a = np.sqrt(5.0) * 3.0 / 2.0
    found = covariance().between(single(np.array([0.0])), single(np.array([3.0])))
    assert found[0, 0] == pytest.approx((1 + a + a**2 / 3) * np.exp(-a), rel=1e-14)


def test_left_out_is_what_the_others_say() -> None:
    process = GaussianProcess(single(X), Y, covariance(noise=1e-3))
    mean, variance = process.left_out()
    for i in range(len(X)):
        others = np.arange(len(X)) != i
        without = GaussianProcess(single(X[others]), Y[others], covariance(noise=1e-3))
        expected, uncertainty = without.predict(single(X[i : i + 1]))
        np.testing.assert_allclose(mean[i], expected[0], atol=1e-10)
        assert variance[i] == pytest.approx(uncertainty[0] + 1e-3, rel=1e-8)


def test_sums_of_contributions_are_taken_apart() -> None:
    """From sums of pairs alone the single contributions follow, and any other sum of them."""
    pairs = [(i, j) for i in range(8) for j in range(i)]
    x = np.array([X[i] for pair in pairs for i in pair])[:, None]
    stacked = Contributions(
        x, np.zeros(len(x), dtype=np.int64), np.repeat(np.arange(len(pairs)), 2), np.ones(len(x)), len(pairs)
    )
    process = GaussianProcess(stacked, np.array([Y[i] + Y[j] for i, j in pairs]), covariance(1e-10))
    np.testing.assert_allclose(process.predict(single(X))[0], Y, atol=1e-6)


def test_odd_in_the_weights() -> None:
    process = GaussianProcess(single(X), Y, covariance(1e-4))
    plus = process.predict(single(X + 0.5))
    minus = process.predict(single(X + 0.5, weight=-np.ones(8)))
    np.testing.assert_array_equal(minus[0], -plus[0])
    np.testing.assert_allclose(minus[1], plus[1], atol=1e-12)


def test_hosts_share_what_is_common() -> None:
    host = np.array([0] * 8 + [1] * 3)
    x = np.concatenate([X, X[[0, 4, 7]]])
    y = np.concatenate([Y, Y[[0, 4, 7]] + 0.3])  # the other host differs by a constant
    asked = single(X[[2, 5]], host=np.array([1, 1]))
    together, variance = GaussianProcess(single(x, host), y, covariance(1e-6, 0.3)).predict(asked)
    alone, variance_alone = GaussianProcess(single(x[8:], host[8:] * 0), y[8:], covariance(1e-6, 0.0)).predict(
        single(X[[2, 5]])
    )
    assert (variance < 0.5 * variance_alone).all()
    assert np.abs(together - (Y[[2, 5]] + 0.3)).max() < 0.5 * np.abs(alone - (Y[[2, 5]] + 0.3)).max()


def test_lengths_tell_which_feature_matters() -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0.0, 10.0, (60, 2))
    process = GaussianProcess.fit(single(x), np.sin(x[:, :1]), [2.5, 2.5], seed=0)
    relevant, idle = process.covariance.lengths
    assert relevant < 4.0
    assert idle > 3.0 * relevant
    asked = rng.uniform(1.0, 9.0, (40, 2))
    mean, _ = process.predict(single(asked))
    np.testing.assert_allclose(mean, np.sin(asked[:, :1]), atol=0.05)


def test_variances_are_those_of_the_errors() -> None:
    """On functions drawn from the very process the scaled squared errors average to one."""
    rng = np.random.default_rng(5)
    x = np.sort(rng.uniform(0.0, 20.0, 40))
    contributions = single(x)
    matrix = covariance().between(contributions, contributions) + 1e-6 * np.eye(40)
    y = np.linalg.cholesky(matrix) @ rng.normal(size=(40, 500))
    train, test = np.arange(0, 40, 2), np.arange(1, 40, 2)
    process = GaussianProcess(single(x[train]), y[train], covariance(1e-6))
    mean, variance = process.predict(single(x[test]))
    scaled = (mean - y[test]) ** 2 / (variance[:, None] + 1e-6)
    # 10000 squares, those of one function correlated: the mean is good to a few per cent
    assert scaled.mean() == pytest.approx(1.0, abs=0.1)
    assert process.amplitudes.mean() == pytest.approx(1.0, abs=0.05)


def test_arrays_and_back() -> None:
    process = GaussianProcess.fit(single(X), Y, [2.0], seed=0)
    again = GaussianProcess.from_arrays(process.to_arrays('own'), 'own')
    asked = single(np.array([0.5, 3.3]))
    for one, other in zip(process.predict(asked), again.predict(asked), strict=True):
        np.testing.assert_array_equal(one, other)


def test_same_seed_same_process() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 30.0, 300)
    first, second = (GaussianProcess.fit(single(x), np.sin(x)[:, None], [2.5], seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.covariance.lengths, second.covariance.lengths)


def test_nothing_and_too_much() -> None:
    with pytest.raises(ModelError, match='nothing to learn'):
        GaussianProcess.fit(single(np.zeros(0)), np.zeros((0, 2)), [1.0], seed=0)
    n = MAX_OBSERVATIONS + 1
    with pytest.raises(ModelError, match=f'{n} different sites are more than'):
        GaussianProcess.fit(single(np.arange(n)), np.zeros((n, 1)), [1.0], seed=0)
