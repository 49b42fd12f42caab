"""The state of lowest energy: replicas of a simulation cooled to zero, and the minimum of the energy next to each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import bsr_array

from . import kernels
from .model import SpinModel
from .montecarlo import Simulation

FloatArray = NDArray[np.float64]

COLDEST: Final = 4
"""Temperatures, counted from the lowest, whose replicas are cooled."""

SAME_ENERGY: Final = 1e-6
"""Difference of energies per moment below which two minima are the same [meV]."""

_PRECISION: Final = 1e-14
_FLAT: Final = 1e-9
_STEPS: Final = 5000
_RESTARTS: Final = 10
_FEW: Final = 5


@dataclass(frozen=True, eq=False)
class GroundState:
    """The lowest of the minima that were found.

    :param directions: unit vectors, shape (n, 3).
    :param energies: of all minima, ascending, per moment, shape (c) [meV].
    """

    directions: FloatArray
    energies: FloatArray

    @property
    def found(self) -> int:
        """How many of the candidates ended at the lowest energy: 1 is a warning that there may be a lower one."""
        return int(np.sum(self.energies < self.energies[0] + SAME_ENERGY))


def ground_state(
    simulation: Simulation, threads: int = 1, should_stop: Callable[[], bool] = lambda: False
) -> GroundState | None:
    """Cool the coldest replicas of a finished simulation to zero, and minimise their energy.

    The temperature falls linearly from that of the replica in ``schedule.cooling`` sweeps of heat bath, each followed
    by one of over-relaxation. The simulation is left as it is: done again, it gives the same.

    :return: None if it was told to stop.
    """
    model, schedule = simulation.model, simulation.schedule
    chosen = [(copy, k) for k in range(min(COLDEST, len(simulation.betas))) for copy in range(len(simulation.order))]

    def candidate(place: tuple[int, int]) -> FloatArray | None:
        if should_stop():
            return None
        replica = simulation.order[place]
        spins, state = simulation.replicas[replica].copy(), simulation.states[replica].copy()
        for step in range(schedule.cooling, 0, -1):
            beta = simulation.betas[place[1]] * schedule.cooling / step
            kernels.heat_bath(spins, *simulation.terms, beta, state)
            kernels.over_relaxation(spins, *simulation.terms, beta, state)
        return minimised(model, spins)

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(candidate, chosen))
    minima = [spins for spins in found if spins is not None]
    if len(minima) < len(chosen):
        return None
    energies = np.array([model.energy(spins) for spins in minima]) / len(model)
    order = np.argsort(energies, kind='stable')
    return GroundState(minima[order[0]], energies[order])


def minimised(model: SpinModel, directions: FloatArray) -> FloatArray:
    """The minimum of the energy next to a configuration, by L-BFGS in vectors whose length does not matter.

    :param directions: unit vectors, shape (n, 3).
    :return: unit vectors, shape (n, 3).
    """
    matrix = _matrix(model)

    def energy(x: FloatArray) -> tuple[float, FloatArray]:
        vectors = x.reshape(-1, 3)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        e = vectors / lengths
        field = (matrix @ e.ravel()).reshape(-1, 3) + model.zeeman
        total = -0.5 * np.sum(e * (field + model.zeeman))
        return float(total), ((np.sum(field * e, axis=1, keepdims=True) * e - field) / lengths).ravel()

    options = {'maxiter': _STEPS, 'maxfun': 2 * _STEPS, 'ftol': _PRECISION, 'gtol': _FLAT, 'maxcor': 20}
    minimum = directions
    for _ in range(_RESTARTS):  # vectors that have grown long hide the slope of the energy
        found = minimize(energy, minimum.ravel(), jac=True, method='L-BFGS-B', options=options)
        vectors = found.x.reshape(-1, 3)
        minimum = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        if found.nit < _FEW:
            break
    return minimum


def largest_torque(model: SpinModel, directions: FloatArray) -> float:
    """The largest component of the field across a moment; zero in a minimum [meV]."""
    field = (_matrix(model) @ directions.ravel()).reshape(-1, 3) + model.zeeman
    across = field - np.sum(field * directions, axis=1, keepdims=True) * directions
    return float(np.abs(across).max())


def _matrix(model: SpinModel) -> bsr_array:
    """A of E = −½ e·A e − Σ m_i B·e_i: the tensors and, on its diagonal, 2 K; shape (3n, 3n) [meV]."""
    n = len(model)
    alone = bsr_array((2 * model.anisotropy, np.arange(n), np.arange(n + 1)), shape=(3 * n, 3 * n))
    return model.graph.matrix + alone
