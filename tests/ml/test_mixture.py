import numpy as np

from aiida_mlkkr.ml.contributions import Contributions
from aiida_mlkkr.ml.covariance import Covariance
from aiida_mlkkr.ml.gaussian_process import GaussianProcess
from aiida_mlkkr.ml.mixture import Mixture


def single(x: np.ndarray) -> Contributions:
    """One contribution to each observation, all in the same environment."""
    nothing = np.zeros(len(x), dtype=np.int64)
    return Contributions(x[:, None], nothing, np.ones((1, 1)), nothing, np.arange(len(x)), np.ones(len(x)), len(x))


ALL = 10_000
X = np.arange(8.0)
Y = np.column_stack([np.sin(X), 0.1 * X])
NO_ERRORS = np.zeros(len(X))
COVARIANCES = [Covariance(np.array([one]), np.array([3.0]), 0.2, 1.0, 1e-3) for one in (0.6, 2.0)]
MIXTURE = Mixture.condition(single(X), Y, NO_ERRORS, COVARIANCES, ALL)
ASKED = single(np.array([0.4, 5.7, 9.0]))


def drawn(means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of what is drawn from normal distributions in equal parts."""
    normal = np.random.default_rng(0).normal(size=(200_000, *means.shape))
    all_drawn = (means + np.sqrt(variances) * normal).reshape(-1, *means.shape[1:])
    return all_drawn.mean(axis=0), all_drawn.var(axis=0)


def test_moments_are_those_of_what_is_drawn_from_both() -> None:
    processes = [GaussianProcess.condition(single(X), Y, NO_ERRORS, one, ALL) for one in COVARIANCES]
    found = [process.predict(ASKED) for process in processes]
    means = np.stack([mean for mean, _ in found])
    variances = np.stack([v[:, None] * process.amplitudes for (_, v), process in zip(found, processes, strict=True)])
    mean, variance = MIXTURE.predict(ASKED)
    expected_mean, expected_variance = drawn(means, variances)
    np.testing.assert_allclose(mean, expected_mean, atol=0.01)
    np.testing.assert_allclose(variance, expected_variance, rtol=0.02)


def test_one_process_alone_is_itself() -> None:
    process = GaussianProcess.condition(single(X), Y, NO_ERRORS, COVARIANCES[0], ALL)
    mean, variance = Mixture((process,)).predict(ASKED)
    np.testing.assert_array_equal(mean, process.predict(ASKED)[0])
    np.testing.assert_array_equal(variance, process.predict(ASKED)[1][:, None] * process.amplitudes)


def test_left_out_is_what_the_others_say() -> None:
    """But for the amplitudes of the outputs, which are of all data."""
    groups = np.array([0, 0, 1, 1, 1, 2, 3, 4])
    mean, _ = MIXTURE.left_out(single(X), groups, single(X), Y, NO_ERRORS, groups)
    for group in range(5):
        others, its = np.flatnonzero(groups != group), np.flatnonzero(groups == group)
        without = Mixture.condition(single(X[others]), Y[others], NO_ERRORS[others], COVARIANCES, ALL)
        np.testing.assert_allclose(mean[its], without.predict(single(X[its]))[0], atol=1e-8)


def test_arrays_and_back() -> None:
    again = Mixture.from_arrays(MIXTURE.to_arrays('own'), 'own', 2)
    for one, other in zip(MIXTURE.predict(ASKED), again.predict(ASKED), strict=True):
        np.testing.assert_array_equal(one, other)
