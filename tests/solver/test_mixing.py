"""Error of a potential and its mixing: by hand, and on problems whose solution is known."""

import numpy as np
import pytest

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.solver.mixing import PotentialError, Potentials, QuasiNewton, mix_simply, potential_error

MESHES = [RadialMesh(0.025, 4.4e-4, 349), RadialMesh(0.03, 3e-4, 300)]


def random_potentials(nspin: int = 2, seed: int = 0) -> Potentials:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(nspin, mesh.n)) for mesh in MESHES]


class LinearProblem:
    """V_new = C + M (V − C): the fixed point is C, and M acts on charge and spin at each point with a few eigenvalues.

    ``M = −1.5`` (a charge that sloshes) makes plain iterations diverge.
    """

    def __init__(self, eigenvalues: tuple[float, ...], nspin: int = 2) -> None:
        self.solution = random_potentials(nspin, seed=1)
        rng = np.random.default_rng(2)
        self.factors = [rng.choice(eigenvalues, size=(1, mesh.n)) for mesh in MESHES]

    def __call__(self, v: Potentials) -> Potentials:
        return [c + m * (x - c) for c, m, x in zip(self.solution, self.factors, v, strict=True)]

    def solve(self, steps: int, factor: float, accelerate: QuasiNewton | None = None) -> list[float]:
        """Errors of ``steps`` iterations from zero."""
        v = [np.zeros_like(c) for c in self.solution]
        errors = []
        for _ in range(steps):
            new = self(v)
            errors.append(potential_error(new, v, MESHES).largest)
            mixed = mix_simply(new, v, factor, 1.0)
            v = mixed if accelerate is None else accelerate(mixed, v, MESHES)
        return errors


def test_error_by_hand() -> None:
    mesh = RadialMesh(a=0.5, b=1.0, n=3)
    r = np.exp(0.5 * np.arange(3)) - 1
    dr = 0.5 * np.exp(0.5 * np.arange(3))
    down, up = np.array([1.0, 0.3, -0.4]), np.array([0.5, 0.1, 0.2])
    error = potential_error([np.stack([down, up])], [np.zeros((2, 3))], [mesh])
    weights = np.array([4, 2, 4]) * r**2 * dr / r[2] ** 3
    assert error.charge[0] == pytest.approx(np.sqrt(weights @ ((down + up) / 2) ** 2), rel=1e-14)
    assert error.spin[0] == pytest.approx(np.sqrt(weights @ ((down - up) / 2) ** 2), rel=1e-14)


def test_error_of_a_constant_shift() -> None:
    # twice Simpson's rule times 3/2: the sum is 3 ∫ r² dr / R³ = 1 times the shift, to the accuracy of the trapezoid
    # rule with alternating weights
    old = random_potentials()
    error = potential_error([v + 0.01 for v in old], old, MESHES)
    np.testing.assert_allclose(error.charge, 0.01, rtol=0.06)
    np.testing.assert_allclose(error.spin, 0.0, atol=1e-15)


def test_means_over_the_sites() -> None:
    error = PotentialError(charge=np.array([0.3, 0.4]), spin=np.array([0.0, 0.1]))
    assert error.mean_charge == pytest.approx(np.sqrt(0.125))
    assert error.mean_spin == pytest.approx(np.sqrt(0.005))
    assert error.largest == error.mean_charge
    assert np.isnan(PotentialError(np.array([0.1, np.nan]), np.zeros(2)).largest)
    assert np.isnan(PotentialError(np.zeros(2), np.array([0.1, np.nan])).largest)


def test_error_without_spin() -> None:
    new, old = random_potentials(1), random_potentials(1, seed=3)
    error = potential_error(new, old, MESHES)
    both = potential_error([np.repeat(v, 2, axis=0) for v in new], [np.repeat(v, 2, axis=0) for v in old], MESHES)
    np.testing.assert_allclose(error.charge, both.charge, rtol=1e-14)
    np.testing.assert_array_equal(error.spin, 0.0)


def test_simple_mixing() -> None:
    new, old = random_potentials(), random_potentials(seed=3)
    for mixed, v_new, v_old in zip(mix_simply(new, old, 0.1, 2.0), new, old, strict=True):
        # charge part by 0.1, spin part by 0.1 · 2
        np.testing.assert_allclose(mixed.sum(axis=0), 0.9 * v_old.sum(axis=0) + 0.1 * v_new.sum(axis=0), rtol=1e-12)
        difference = mixed[0] - mixed[1]
        expected = 0.8 * (v_old[0] - v_old[1]) + 0.2 * (v_new[0] - v_new[1])
        np.testing.assert_allclose(difference, expected, atol=1e-14)


def test_simple_mixing_without_spin() -> None:
    new, old = random_potentials(1), random_potentials(1, seed=3)
    for mixed, v_new, v_old in zip(mix_simply(new, old, 0.1, 2.0), new, old, strict=True):
        assert mixed.shape == v_old.shape
        np.testing.assert_allclose(mixed, 0.9 * v_old + 0.1 * v_new, rtol=1e-12)


@pytest.mark.parametrize('scheme', [3, 4, 5])
def test_first_call_is_simple_mixing(scheme: int) -> None:
    new, old = random_potentials(), random_potentials(seed=3)
    mixed = mix_simply(new, old, 0.1, 1.0)
    accelerated = QuasiNewton(scheme, 0.1, 10)(mixed, old, MESHES)
    assert all(np.array_equal(a, b) for a, b in zip(accelerated, mixed, strict=True))


@pytest.mark.parametrize('nspin', [1, 2])
def test_anderson_solves_a_linear_problem_of_n_eigenvalues_in_n_plus_two_steps(nspin: int) -> None:
    problem = LinearProblem((0.7, 0.2, -0.5, -1.5), nspin)
    errors = problem.solve(7, 0.2, QuasiNewton(5, 0.2, 40))
    # four pairs span the whole problem: what is left is rounding, amplified by the small denominators
    assert errors[5] < 1e-9 * errors[0]
    assert problem.solve(6, 0.2)[-1] > 0.1 * errors[0]


@pytest.mark.parametrize('scheme', [3, 4])
def test_broyden_solves_a_linear_problem_superlinearly(scheme: int) -> None:
    problem = LinearProblem((0.7, 0.2, -0.5))
    errors = problem.solve(9, 0.3, QuasiNewton(scheme, 0.3, 40))
    # Broyden's methods end after 2 N steps on N unknowns (Gay 1979), N the number of eigenvalues here
    assert errors[7] < 1e-9 * errors[0]
    assert problem.solve(8, 0.3)[-1] > 1e-3 * errors[0]


@pytest.mark.parametrize('scheme', [3, 4, 5])
def test_acceleration_beats_simple_mixing_on_many_eigenvalues(scheme: int) -> None:
    problem = LinearProblem(tuple(np.linspace(-1.2, 0.9, 30)))
    accelerated = problem.solve(20, 0.2, QuasiNewton(scheme, 0.2, 40))
    # simple mixing leaves (1 − 0.2 · 0.1)²⁰ = 0.7 of the slowest mode; 20 steps do not span 30 eigenvalues
    assert accelerated[-1] < 0.1 * problem.solve(20, 0.2)[-1]


@pytest.mark.parametrize('scheme', [3, 4, 5])
def test_history_is_dropped_after_its_longest_number_of_calls(scheme: int) -> None:
    problem = LinearProblem((0.7, 0.2, -0.5, -1.5))
    accelerate = QuasiNewton(scheme, 0.2, longest=3)
    v = [np.zeros_like(c) for c in problem.solution]
    simple = []
    for _ in range(8):
        mixed = mix_simply(problem(v), v, 0.2, 1.0)
        following = accelerate(mixed, v, MESHES)
        simple.append(all(np.array_equal(a, b) for a, b in zip(following, mixed, strict=True)))
        v = following
    assert simple == [True, False, False, True, False, False, True, False]


def test_history_of_one_call_is_simple_mixing() -> None:
    problem = LinearProblem((0.7, -0.5))
    assert problem.solve(5, 0.2, QuasiNewton(5, 0.2, 1)) == problem.solve(5, 0.2)


@pytest.mark.parametrize('scheme', [3, 4, 5])
def test_second_step_by_hand(scheme: int) -> None:
    # all three schemes agree on the first pair only in the direction u; their duals v differ
    problem = LinearProblem((0.7, 0.2, -0.5))
    accelerate, factor = QuasiNewton(scheme, 0.2, 40), 0.2
    x1 = [np.zeros_like(c) for c in problem.solution]
    x2 = accelerate(mix_simply(problem(x1), x1, factor, 1.0), x1, MESHES)
    x3 = accelerate(mix_simply(problem(x2), x2, factor, 1.0), x2, MESHES)

    def flat(v: Potentials) -> np.ndarray:
        return np.concatenate([site[spin] for spin in range(2) for site in v])

    metric = flat([np.tile(3 * mesh.r**2 * mesh.drdi / mesh.rmax**3, (2, 1)) for mesh in MESHES])
    f1, f2 = (flat(problem(x)) - flat(x) for x in (x1, x2))
    dx, df = flat(x2) - flat(x1), f2 - f1
    u = factor * df + dx
    if scheme == 3:
        v = factor * metric * dx / ((metric * dx) @ u - (metric * dx) @ dx)
    else:
        v = metric * df / (df @ (metric * df))
    # rounding of sums over 1300 points
    np.testing.assert_allclose(flat(x3), flat(x2) + (1 - f2 @ v) * u, rtol=1e-9, atol=1e-11)
