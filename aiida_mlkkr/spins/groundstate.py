"""The state of lowest energy: replicas of a simulation cooled to zero, and the minimum of the energy next to each."""

from __future__ import annotations

from collections.abc import Sequence
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


def candidates(simulation: Simulation) -> list[tuple[int, int]]:
    """The replicas that are cooled: copy and number of the temperature, the coldest first."""
    coldest = range(min(COLDEST, len(simulation.betas)))
    return [(copy, k) for k in coldest for copy in range(len(simulation.order))]


def cooled(simulation: Simulation, candidate: tuple[int, int]) -> FloatArray:
    """Cool a replica of a finished simulation to zero, and minimise its energy; shape (n, 3).

    The temperature falls linearly from that of the replica in ``schedule.cooling`` sweeps of heat bath, each followed
    by one of over-relaxation. The simulation is left as it is: done again, it gives the same.
    """
    replica, steps = simulation.order[candidate], simulation.schedule.cooling
    spins, state = simulation.replicas[replica].copy(), simulation.states[replica].copy()
    for step in range(steps, 0, -1):
        beta = simulation.betas[candidate[1]] * steps / step
        kernels.heat_bath(spins, *simulation.terms, beta, state)
        kernels.over_relaxation(spins, *simulation.terms, beta, state)
    return minimised(simulation.model, spins)


def lowest(model: SpinModel, minima: Sequence[FloatArray]) -> GroundState:
    """The lowest of the minima of the energy, each of shape (n, 3)."""
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
