import numpy as np
import pytest

from aiida_mlkkr.ml.contributions import Contributions
from aiida_mlkkr.ml.covariance import Covariance, covariances_of
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.gaussian_process import GaussianProcess

ALL = 10_000


def single(
    x: np.ndarray, environment: np.ndarray | None = None, weight: np.ndarray | None = None, overlap: float = 1.0
) -> Contributions:
    """One contribution to each observation, in one of two environments that overlap."""
    n = len(x)
    return Contributions(
        np.asarray(x, dtype=float).reshape(n, np.size(x) // max(n, 1)),
        np.zeros(n, dtype=np.int64) if environment is None else environment,
        np.array([[1.0, 0.0], [overlap, np.sqrt(1.0 - overlap**2)]]),
        np.zeros(n, dtype=np.int64),
        np.arange(n),
        np.ones(n) if weight is None else weight,
        n,
    )


def covariance(noise: float = 1e-12, share: float = 0.0, power: float = 1.0) -> Covariance:
    return Covariance(np.array([2.0]), np.array([3.0]), share, power, noise)


def condition(
    x: Contributions, y: np.ndarray, cov: Covariance, rank: int = ALL, errors: float = 0.0
) -> GaussianProcess:
    return GaussianProcess.condition(x, y, np.full(len(y), errors), cov, rank)


X = np.arange(8.0)
Y = np.column_stack([np.sin(X), 0.1 * X])


def test_goes_through_exact_observations() -> None:
    mean, variance = condition(single(X), Y, covariance()).predict(single(X))
    np.testing.assert_allclose(mean, Y, atol=1e-9)
    np.testing.assert_allclose(variance, 0.0, atol=1e-9)


def test_knows_nothing_far_away() -> None:
    mean, variance = condition(single(X), Y, covariance(share=0.5)).predict(single(np.array([1e4])))
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)
    np.testing.assert_allclose(variance, 1.5)


def test_covariance_of_elements_and_environments() -> None:
    # (1 + a + a²/3) exp(-a) with a = sqrt(5) d / length; Rasmussen and Williams, equation 4.17
    def matern(length: float) -> float:
        a = np.sqrt(5.0) * 3.0 / length
        return float((1 + a + a**2 / 3) * np.exp(-a))

    both = single(np.array([0.0, 3.0]), environment=np.array([0, 1]), overlap=0.8)
    found = covariance(share=0.5, power=3.0).between(both, both)
    assert found[0, 1] == pytest.approx(matern(2.0) + 0.5 * 0.8**3 * matern(3.0), rel=1e-14)
    np.testing.assert_allclose(np.diag(found), covariance(share=0.5, power=3.0).variances(both))


def test_textbook_formulas() -> None:
    """Exact regression (Rasmussen and Williams, equations 2.25, 2.26) with errors of the observations."""
    cov, asked = covariance(1e-3, 0.3), single(np.array([0.4, 5.7, 9.0]))
    errors = np.linspace(0.0, 0.2, 8)
    mean, variance = GaussianProcess.condition(single(X), Y, errors, cov, ALL).predict(asked)
    inverse = np.linalg.inv(cov.between(single(X), single(X)) + np.diag(1e-3 + errors**2))
    cross = cov.between(asked, single(X))
    np.testing.assert_allclose(mean, cross @ inverse @ Y, atol=1e-8)
    np.testing.assert_allclose(variance, 1.3 - np.sum(cross @ inverse * cross, axis=1), atol=1e-8)


def test_few_inducing_observations_are_close_on_a_smooth_problem() -> None:
    x = np.linspace(0.0, 20.0, 400)
    y = np.sin(x)[:, None]
    asked = single(np.linspace(0.3, 19.7, 50))
    exact = condition(single(x), y, covariance(1e-4))
    sparse = condition(single(x), y, covariance(1e-4), rank=60)
    assert len(sparse.weights) == 60
    np.testing.assert_allclose(sparse.predict(asked)[0], exact.predict(asked)[0], atol=2e-3)
    # what the inducing observations cannot know stays in the variance
    assert sparse.predict(asked)[1].mean() > exact.predict(asked)[1].mean()
    with_all = condition(single(x), y, covariance(1e-4), rank=400)
    np.testing.assert_allclose(with_all.predict(asked)[0], exact.predict(asked)[0], atol=1e-8)


def test_left_out_is_what_the_others_say() -> None:
    cov = covariance(noise=1e-3, share=0.2)
    groups = np.array([0, 0, 1, 1, 1, 2, 3, 4])
    errors = np.linspace(0.0, 0.1, 8)
    process = GaussianProcess.condition(single(X), Y, errors, cov, ALL)
    asked = single(X + 0.3)
    mean, variance = process.left_out(asked, groups, single(X), Y, errors, groups)
    for group in range(5):
        others, its = np.flatnonzero(groups != group), np.flatnonzero(groups == group)
        without = GaussianProcess.condition(single(X[others]), Y[others], errors[others], cov, ALL)
        expected, uncertainty = without.predict(asked.subset(its))
        np.testing.assert_allclose(mean[its], expected, atol=1e-8)
        np.testing.assert_allclose(variance[its], uncertainty, atol=1e-8)


def test_zeros_that_are_told_are_as_if_trained_on() -> None:
    """Each one for its own observation."""
    cov, places, zeros = covariance(1e-3, 0.3), np.array([0.4, 9.0, 9.5]), np.array([1.5, 8.5, 10.0])
    told = condition(single(X), Y, cov).predict(single(places), single(zeros))
    for i in range(3):
        x = single(X).joined(single(zeros[i : i + 1]))
        trained = condition(x, np.concatenate([Y, np.zeros((1, 2))]), cov).predict(single(places[i : i + 1]))
        for one, other in zip(told, trained, strict=True):
            np.testing.assert_allclose(one[i : i + 1], other, atol=1e-8)


def test_sums_of_contributions_are_taken_apart() -> None:
    """From sums of pairs alone the single contributions follow, and any other sum of them."""
    pairs = [(i, j) for i in range(8) for j in range(i)]
    x = single(np.array([X[i] for pair in pairs for i in pair]))
    stacked = Contributions(
        x.features, x.environment, x.environments, x.tensor, np.repeat(np.arange(28), 2), x.weight, 28
    )
    process = condition(stacked, np.array([Y[i] + Y[j] for i, j in pairs]), covariance(1e-10))
    np.testing.assert_allclose(process.predict(single(X))[0], Y, atol=1e-6)
    np.testing.assert_allclose(
        process.covariance.variances(stacked), np.diag(process.covariance.between(stacked, stacked)), rtol=1e-12
    )


def test_odd_in_the_weights() -> None:
    process = condition(single(X), Y, covariance(1e-4))
    plus = process.predict(single(X + 0.5))
    minus = process.predict(single(X + 0.5, weight=-np.ones(8)))
    np.testing.assert_array_equal(minus[0], -plus[0])
    np.testing.assert_allclose(minus[1], plus[1], atol=1e-12)


def test_components_of_different_tensors_are_independent() -> None:
    x = single(X)
    other = Contributions(
        x.features, x.environment, x.environments, np.ones(8, dtype=np.int64), x.observation, x.weight, 8
    )
    mean, variance = condition(x, Y, covariance(1e-4)).predict(other)
    np.testing.assert_array_equal(mean, 0.0)
    np.testing.assert_allclose(variance, 1.0)


def test_an_environment_shares_as_much_as_it_is_alike() -> None:
    """The nearer the environment is to the known one, the more is known in it."""
    process = condition(single(X), Y, covariance(1e-6, 1.0, 4.0))
    asked = [single(X, np.ones(8, dtype=np.int64), overlap=overlap) for overlap in (0.0, 0.8, 0.99, 1.0)]
    variances = [process.predict(one)[1].mean() for one in asked]
    assert variances == sorted(variances, reverse=True)
    assert variances[0] > 1.0
    assert variances[-1] < 1e-4
    np.testing.assert_allclose(process.predict(asked[-1])[0], Y, atol=1e-3)


def fit(x: Contributions, y: np.ndarray, lengths: list[float], number: int = 300, seed: int = 0) -> Covariance:
    return covariances_of(x, y, np.zeros(len(y)), [lengths], number, seed)[0]


def test_lengths_tell_which_feature_matters() -> None:
    rng = np.random.default_rng(1)
    x, asked = rng.uniform(0.0, 10.0, (60, 2)), rng.uniform(1.0, 9.0, (40, 2))
    found = fit(single(x), np.sin(x[:, :1]), [2.5, 2.5])
    relevant, idle = found.lengths
    assert relevant < 4.0
    assert idle > 3.0 * relevant
    mean, _ = condition(single(x), np.sin(x[:, :1]), found).predict(single(asked))
    np.testing.assert_allclose(mean, np.sin(asked[:, :1]), atol=0.05)


def test_each_description_gets_its_covariance() -> None:
    x = np.random.default_rng(1).uniform(0.0, 10.0, (40, 2))
    descriptions = [[2.5, 1e6], [1e6, 2.5]]
    for found, description in zip(
        covariances_of(single(x), np.sin(x), np.zeros(40), descriptions, 300, 0), descriptions, strict=True
    ):
        np.testing.assert_array_equal(found.lengths > 1e5, np.array(description) > 1e5)


def test_variances_are_those_of_the_errors() -> None:
    """On functions drawn from the very process the scaled squared errors average to one."""
    rng = np.random.default_rng(5)
    x = np.sort(rng.uniform(0.0, 20.0, 40))
    matrix = covariance().between(single(x), single(x)) + 1e-6 * np.eye(40)
    y = np.linalg.cholesky(matrix) @ rng.normal(size=(40, 500))
    train, test = np.arange(0, 40, 2), np.arange(1, 40, 2)
    process = condition(single(x[train]), y[train], covariance(1e-6))
    mean, variance = process.predict(single(x[test]))
    scaled = (mean - y[test]) ** 2 / (variance[:, None] + 1e-6)
    # 10000 squares, those of one function correlated: the mean is good to a few per cent
    assert scaled.mean() == pytest.approx(1.0, abs=0.1)
    assert process.amplitudes.mean() == pytest.approx(1.0, abs=0.05)


def test_arrays_and_back() -> None:
    process = condition(single(X), Y, covariance(1e-4, 0.2))
    arrays = process.to_arrays('own')
    again = GaussianProcess.from_arrays(arrays, 'own')
    asked = single(np.array([0.5, 3.3]))
    for one, other in zip(process.predict(asked), again.predict(asked), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ModelError, match='do not fit together'):
        GaussianProcess.from_arrays({**arrays, 'own_weights': arrays['own_weights'][1:]}, 'own')
    with pytest.raises(ValueError, match='do not fit together'):
        GaussianProcess.from_arrays({**arrays, 'own_environment': arrays['own_environment'] + 9}, 'own')


def test_same_seed_same_lengths() -> None:
    x = np.random.default_rng(0).uniform(0.0, 30.0, 100)
    first, second = (fit(single(x), np.sin(x)[:, None], [2.5], number=50, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.lengths, second.lengths)
