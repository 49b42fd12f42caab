"""States of lowest energy against those that are known."""

from __future__ import annotations

import numpy as np
import pytest
from spin_models import free, simple_cubic

from aiida_mlkkr.exchange.tensors import compose
from aiida_mlkkr.spins.groundstate import GroundState, candidates, cooled, largest_torque, lowest, minimised
from aiida_mlkkr.spins.model import SpinModel
from aiida_mlkkr.spins.montecarlo import Simulation
from aiida_mlkkr.spins.schedule import Schedule


def annealed(model: SpinModel) -> GroundState:
    settings = {'temperatures': (5.0, 20.0), 'thermalisation': 20, 'measurement': 64, 'cooling': 100, 'seed': 1}
    simulation = Simulation(model, Schedule(**settings))
    simulation.run()
    return lowest(model, [cooled(simulation, place) for place in candidates(simulation)])


def directions_of(model: SpinModel, seed: int = 0) -> np.ndarray:
    e = np.random.default_rng(seed).normal(size=(len(model), 3))
    return e / np.linalg.norm(e, axis=1, keepdims=True)


def test_antiferromagnetic_triangle() -> None:
    """Three moments at 120° to each other."""
    found = annealed(free({(0, 1): -np.eye(3), (1, 2): -np.eye(3), (0, 2): -np.eye(3)}, 3))
    assert found.energies[0] == pytest.approx(-0.5)
    e = found.directions
    np.testing.assert_allclose(e @ e.T, 1.5 * np.eye(3) - 0.5, atol=1e-5)
    assert found.found == len(found.energies) == 4


def test_spiral_of_a_chain_with_d() -> None:
    """Neighbours at the angle arctan D/J, in the plane normal to D."""
    tensor = compose(np.array(3.0), np.array([0.0, 0.0, 4.0]), np.zeros((3, 3)))
    model = free({(i, i + 1): tensor for i in range(9)}, 10)
    found = annealed(model)
    assert found.energies[0] == pytest.approx(-5.0 * 9 / 10)
    turns = np.cross(found.directions[:-1], found.directions[1:])
    np.testing.assert_allclose(turns, np.tile([0.0, 0.0, 0.8], (9, 1)), atol=1e-4)


def test_easy_axis_and_field() -> None:
    """A field across the easy axis turns moments by sin θ = mB/2K."""
    strength = 0.4 / 0.057883818060
    model = free({}, 2, anisotropy=np.tile(np.diag([0.0, 0.0, 0.5]), (2, 1, 1)), field=np.array([strength, 0.0, 0.0]))
    e = minimised(model, directions_of(model))
    np.testing.assert_allclose(e[:, 0], 0.4, atol=1e-6)
    np.testing.assert_allclose(np.abs(e[:, 2]), np.sqrt(1 - 0.16), atol=1e-6)
    assert largest_torque(model, e) < 1e-6


def test_a_minimum_from_any_start() -> None:
    model = simple_cubic(6, share=0.5)
    for seed in range(3):
        start = directions_of(model, seed)
        e = minimised(model, start)
        assert model.energy(e) < model.energy(start)
        assert largest_torque(model, e) < 1e-5
        np.testing.assert_allclose(np.linalg.norm(e, axis=1), 1.0, atol=1e-12)
