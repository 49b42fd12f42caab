"""Monte Carlo against exact answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spin_models import free, simple_cubic

from aiida_mlkkr.exchange.tensors import compose
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.model import SpinModel
from aiida_mlkkr.spins.montecarlo import Simulation
from aiida_mlkkr.spins.observables import Measurements, Observables
from aiida_mlkkr.spins.schedule import Schedule
from aiida_mlkkr.spins.transition import Cumulant, crossing
from aiida_mlkkr.spins.units import BOHR_MAGNETON, BOLTZMANN

SIGMAS = 4.5


def simulate(model: SpinModel, temperatures: list[float], **settings: object) -> Observables:
    """A simulation with the settings that are fast for few moments; temperatures in meV."""
    kelvin = [temperature / BOLTZMANN for temperature in temperatures]
    schedule = Schedule(
        **{'temperatures': kelvin, 'thermalisation': 200, 'measurement': 4000, 'sweeps': 2, 'seed': 5} | settings
    )
    simulation = Simulation(model, schedule)
    simulation.run()
    return Measurements.of_simulation(simulation).observables()


def assert_agree(observables: Observables, name: str, exact: np.ndarray, largest_error: float) -> None:
    """Within the errors, which must be small enough to mean something."""
    value, error = observables.values[name], observables.errors[name]
    assert np.all(error < largest_error), error
    assert np.all(np.abs(value - exact) < SIGMAS * error), (value, exact, error)


def langevin(x: np.ndarray) -> np.ndarray:
    return 1 / np.tanh(x) - 1 / x


def sphere(points: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Directions and weights, with a sum of 1, of an integral over all directions."""
    cosines, weights = np.polynomial.legendre.leggauss(points)
    angles = 2 * np.pi * np.arange(2 * points) / (2 * points)
    sines = np.sqrt(1 - cosines**2)
    directions = np.stack(
        [np.outer(sines, np.cos(angles)), np.outer(sines, np.sin(angles)), np.outer(cosines, np.ones(2 * points))], -1
    )
    return directions.reshape(-1, 3), np.repeat(weights / (4 * points), 2 * points)


def mean_magnetisation(coupling: float) -> float:
    """⟨‖e_1 + e_2‖⟩/2 of a dimer with K = J/k_B T."""
    cosines, weights = np.polynomial.legendre.leggauss(60)
    weights = weights * np.exp(coupling * cosines)
    return float(np.sum(weights * np.sqrt((1 + cosines) / 2)) / np.sum(weights))


def mean_energies(log_z: object, temperatures: np.ndarray) -> np.ndarray:
    """−∂ ln Z/∂β."""
    beta, step = 1 / temperatures, 1e-4
    return np.array([-(log_z(b + step) - log_z(b - step)) / (2 * step) for b in beta])


@pytest.mark.parametrize('algorithm', ['heat-bath', 'metropolis'])
def test_dimer(algorithm: str) -> None:
    """⟨e_1·e_2⟩ = coth K − 1/K, and the heat capacity that belongs to it."""
    temperatures = np.array([0.3, 1.0, 2.0])
    model = free({(0, 1): 1.5 * np.eye(3)}, 2)
    found = simulate(model, temperatures.tolist(), algorithm=algorithm, reflections=0, measurement=6000)
    k = 1.5 / temperatures
    assert_agree(found, 'energy', -1.5 * langevin(k) / 2, 0.006)
    assert_agree(found, 'heat_capacity', (1 - (k / np.sinh(k)) ** 2) / 2, 0.03)
    c, c2 = langevin(k), 1 - 2 * langevin(k) / k  # of the cosine and its square; m² = (1 + cosine)/2
    assert_agree(found, 'binder', (5 - 3 * (1 + 2 * c + c2) / (1 + c) ** 2) / 2, 0.03)
    # q² = (1 + product of the cosines of both copies)/2
    assert_agree(found, 'spin_glass_susceptibility', 1 + c**2, 0.03)
    assert_agree(found, 'overlap', np.sqrt((1 + c**2) / 2), 0.01)
    assert_agree(found, 'spin_glass_binder', (11 - 9 * (1 + 2 * c**2 + c2**2) / (1 + c**2) ** 2) / 2, 0.12)
    square, mean = (1 + c) / 2, np.array([mean_magnetisation(coupling) for coupling in k])
    assert_agree(found, 'magnetisation', mean, 0.01)
    assert_agree(found, 'susceptibility', 2 * BOHR_MAGNETON * (square - mean**2) / temperatures, 0.001)
    assert found.measurements.thermalised.all()


def test_magnetisation_of_each_element() -> None:
    """Two dimers, one parallel and one antiparallel, each with the magnetisation that it has alone."""
    temperatures = np.array([0.4, 2.0])
    both = free({(0, 1): 1.5 * np.eye(3), (2, 3): -1.0 * np.eye(3)}, 4, elements=('Mn', 'Mn', 'Cr', 'Cr'))
    found = simulate(both, temperatures.tolist(), reflections=0)
    assert found.measurements.groups == ('Cr_0', 'Mn_0')
    exact = [[mean_magnetisation(j / t) for j in (-1.0, 1.5)] for t in temperatures]
    assert_agree(found, 'magnetisation_of_groups', np.array(exact), 0.01)


def test_fluctuations_over_configurations_are_those_of_each() -> None:
    """Dimers of which one is coupled five times as strongly: their energies differ, their heat capacities stay."""
    temperatures = np.array([0.3, 1.0])
    dimers = [free({(0, 1): j * np.eye(3)}, 2) for j in (0.5, 2.5)]
    parts = [simulate(dimer, temperatures.tolist(), reflections=0).measurements for dimer in dimers]
    found = Measurements.over_configurations(parts).observables()
    k = np.outer([0.5, 2.5], 1 / temperatures)
    exact = np.mean((1 - (k / np.sinh(k)) ** 2) / 2, axis=0)
    np.testing.assert_allclose(found.values['heat_capacity'], exact, atol=0.03)


def test_correlations_over_configurations_are_those_at_distances_of_all() -> None:
    third = [0.0, 2.0, 4.0], [0.0, 2.0, 5.0]
    chain = free({(0, 1): np.eye(3)}, 3)
    models = [replace(chain, positions=np.outer(x, [1.0, 0.0, 0.0])) for x in third]
    parts = [simulate(model, [0.5], correlation_reach=4.5).measurements for model in models]
    assert [part.distances.tolist() for part in parts] == [[2.0, 4.0], [2.0, 3.0]]
    found = Measurements.over_configurations(parts).observables()
    assert found.measurements.distances.tolist() == [2.0]
    coupled, free_pair = langevin(np.array([2.0])), 0.0
    exact = np.mean([(coupled + free_pair) / 2, coupled])
    np.testing.assert_allclose(found.values['correlations'], exact, atol=0.03)


def test_correlations_reach_less_than_half_of_the_box() -> None:
    schedule = Schedule(temperatures=(5.0,), seed=1, correlation_reach=6.0)
    with pytest.raises(SpinModelError, match=r'correlation_reach is 6 Å, but must be less than .* 6\.00 Å'):
        Simulation(simple_cubic(4), schedule)


def test_dimer_with_a_full_tensor() -> None:
    """Z = ∫ sinh(βa)/βa with a = |𝒥ᵀ e|: D and S at once, none of the axes special."""
    rng = np.random.default_rng(2)
    s = rng.normal(size=(3, 3))
    s = (s + s.T) / 2
    tensor = compose(np.array(0.7), rng.normal(size=3), s - np.trace(s) / 3 * np.eye(3))
    directions, weights = sphere()
    fields = np.linalg.norm(directions @ tensor, axis=1)
    temperatures = np.array([0.4, 1.0, 2.0])
    found = simulate(free({(0, 1): tensor}, 2), temperatures.tolist())
    exact = mean_energies(lambda b: np.log(weights @ (np.sinh(b * fields) / (b * fields))), temperatures)
    assert_agree(found, 'energy', exact / 2, 0.012)


def test_anisotropic_moments_in_a_field() -> None:
    """Z = ∫ exp β(e·K e + mB·e) with the field across the axes of K."""
    matrix = np.array([[0.5, 0.3, 0.0], [0.3, -1.0, 0.2], [0.0, 0.2, 2.0]])
    field = np.array([3.0, 1.0, -2.0])
    model = free({}, 4, anisotropy=np.array([matrix] * 4), field=field, moments=np.full(4, 3.0))
    directions, weights = sphere()
    gains = np.einsum('na,ab,nb->n', directions, matrix, directions) + 3 * BOHR_MAGNETON * directions @ field
    temperatures = np.array([0.5, 1.0, 2.0])
    found = simulate(model, temperatures.tolist())
    exact = mean_energies(lambda b: np.log(weights @ np.exp(b * gains)), temperatures)
    assert_agree(found, 'energy', exact, 0.01)
    boltzmann = weights * np.exp(gains / temperatures[:, None])
    along = boltzmann @ (directions @ field) / np.linalg.norm(field) / boltzmann.sum(axis=1)
    assert_agree(found, 'magnetisation_along_field', along, 0.01)


def test_paramagnet_in_a_field() -> None:
    """Langevin's function and its derivative; without a field Curie's law."""
    moment, strength = 4.0, 10.0
    model = free({}, 20, moments=np.full(20, moment), field=np.array([0.0, 0.0, strength]))
    temperatures = np.array([1.0, 3.0])
    found = simulate(model, temperatures.tolist(), reflections=0)
    x = moment * BOHR_MAGNETON * strength / temperatures
    assert_agree(found, 'magnetisation_along_field', langevin(x), 0.003)
    slope = 1 / x**2 - 1 / np.sinh(x) ** 2
    assert_agree(found, 'susceptibility', BOHR_MAGNETON * moment**2 / temperatures * slope, 0.01)
    zero = simulate(model.in_field(np.zeros(3)), temperatures.tolist(), reflections=0)
    assert_agree(zero, 'paramagnetic_susceptibility', BOHR_MAGNETON * moment**2 / (3 * temperatures), 0.02)
    assert_agree(zero, 'spin_glass_susceptibility', np.ones(2), 0.03)  # independent moments: ⟨q²⟩ = 1/n


def test_open_chain() -> None:
    """⟨e_i·e_(i+n)⟩ = u^n with u = coth K − 1/K (M. E. Fisher, Am. J. Phys. 32, 343, 1964)."""
    number = 12
    chain = free({(i, i + 1): np.eye(3) for i in range(number - 1)}, number)
    temperatures = np.array([0.2, 0.6])
    found = simulate(chain, temperatures.tolist(), correlation_reach=9.0)
    np.testing.assert_allclose(found.measurements.distances, [2.0, 4.0, 6.0, 8.0])
    u = langevin(1 / temperatures)
    assert_agree(found, 'correlations', u[:, None] ** np.arange(1, 5), 0.02)
    assert_agree(found, 'energy', -u * (number - 1) / number, 0.003)
    apart = np.abs(np.subtract.outer(np.arange(number), np.arange(number)))
    glass = np.sum(u[:, None, None] ** (2 * apart), axis=(1, 2)) / number
    assert_agree(found, 'spin_glass_susceptibility', glass, 0.25)


def test_simple_cubic_order() -> None:
    """Ordered below k_B T_c = 1.443 J (K. Chen et al., Phys. Rev. B 48, 3249, 1993), where the cumulants cross."""
    temperatures = [1.36, 1.40, 1.44, 1.48, 1.52]
    cumulants = []
    for size in (4, 8):
        found = simulate(simple_cubic(size), temperatures, measurement=1600, sweeps=1, reflections=2)
        assert found.measurements.thermalised.all()
        kelvin = found.measurements.temperatures
        cumulants.append(Cumulant(kelvin, found.values['binder'], found.deviations['binder']))
    temperature, error = crossing(*cumulants)
    assert BOLTZMANN * error < 0.01
    assert BOLTZMANN * temperature == pytest.approx(1.443, abs=0.02)
    assert crossing(*reversed(cumulants)) is None


def test_limits_of_order() -> None:
    """One degree of freedom less than three in the cold, the first terms of 1/T in the heat, cumulants from 1 to 0."""
    found = simulate(simple_cubic(6), [0.05, 10.0], measurement=1280, reflections=3)
    cold, hot = found.values['binder']
    assert (cold > 0.99, abs(hot) < 0.2, found.values['spin_glass_binder'][0] > 0.9) == (True, True, True)
    # two transverse directions of ½ k_B T each but for the motion of the whole; 3 bonds of K²/3 with K = J/k_B T
    assert_agree(found, 'heat_capacity', np.array([1.0, 1 / 100]), 0.06)
    assert_agree(found, 'energy', np.array([-3.0 + 0.05 * 215 / 216, -3 * 0.1 / 3]), 0.002)


def test_the_same_from_a_checkpoint_and_with_threads() -> None:
    """Not one bit differs."""
    model = simple_cubic(4, share=0.6, seed=4)
    schedule = Schedule(temperatures=(5.0, 8.0, 12.0), thermalisation=10, measurement=64, seed=1, correlation_reach=5.0)
    whole = Simulation(model, schedule)
    whole.run()
    first = Simulation(model, schedule, threads=2)
    stops = iter([False] * 30 + [True])
    first.run(lambda: next(stops))
    assert (int(first.done), first.is_finished) == (31, False)
    second = Simulation(model, schedule)
    second.restore(first.checkpoint())
    second.run()
    for name, values in whole.checkpoint().items():
        np.testing.assert_array_equal(second.checkpoint()[name], values, err_msg=name)
    assert whole.exchanges.min() > 0
    with pytest.raises(SpinModelError, match='another model or schedule'):
        Simulation(simple_cubic(4), schedule).restore(first.checkpoint())


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'temperatures': (3.0, 2.0)}, 'must ascend'),
        ({'temperatures': (2.0, 2.0)}, 'must ascend'),
        ({'temperatures': (0.0, 2.0)}, 'greater than 0'),
        ({'temperatures': ()}, 'at least 1'),
        ({'temperatures': (1.0,), 'measurement': 3}, 'greater than or equal to 64'),
    ],
)
def test_bad_schedules(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(seed=1, **settings)
