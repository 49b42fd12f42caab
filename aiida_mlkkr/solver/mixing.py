"""Error of a potential against its successor, and the mixing of the two.

Potentials are lists of arrays (nspin, n_i), one per site, spin down first, without −2Z/r [Ry].
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.mesh import RadialMesh

FloatArray = NDArray[np.float64]
Potentials = list[FloatArray]


@dataclass(frozen=True)
class PotentialError:
    """Root-mean-square difference of two potentials, charge part (V↓+V↑)/2 and spin part (V↓−V↑)/2, per site [Ry]."""

    charge: FloatArray
    spin: FloatArray

    @property
    def mean_charge(self) -> float:
        """Root of the mean square over the sites."""
        return float(np.sqrt(np.mean(self.charge**2)))

    @property
    def mean_spin(self) -> float:
        """Root of the mean square over the sites."""
        return float(np.sqrt(np.mean(self.spin**2)))

    @property
    def largest(self) -> float:
        """The larger one of the two means, which the criterion of convergence looks at; NaN if one of them is."""
        return float(np.max([self.mean_charge, self.mean_spin]))


def _parts(v: FloatArray) -> tuple[FloatArray, FloatArray]:
    return 0.5 * (v[0] + v[-1]), 0.5 * (v[0] - v[-1])


def potential_error(new: Potentials, old: Potentials, meshes: list[RadialMesh]) -> PotentialError:
    """Return the error that JuKKR prints: Σ_i w_i r_i² dr_i ΔV²/R³ with w = 4, 2, 4, 2, … from the first point on."""
    squares = np.zeros((2, len(new)))
    for site, (v_new, v_old, mesh) in enumerate(zip(new, old, meshes, strict=True)):
        weights = (4.0 - 2.0 * (np.arange(mesh.n) % 2)) * mesh.r**2 * mesh.drdi / mesh.rmax**3
        for k, part in enumerate(_parts(v_new - v_old)):
            squares[k, site] = weights @ part**2
    return PotentialError(*np.sqrt(squares))


def mix_simply(new: Potentials, old: Potentials, factor: float, spin_factor: float) -> Potentials:
    """Return old + factor (new − old), the spin part with ``factor · spin_factor``."""
    mixed = []
    for v_new, v_old in zip(new, old, strict=True):
        charge, spin = _parts(v_new - v_old)
        step = np.stack([factor * (charge + spin_factor * spin), factor * (charge - spin_factor * spin)])
        mixed.append(v_old + step[: v_old.shape[0]])
    return mixed


@dataclass
class QuasiNewton:
    """Broyden and Anderson mixing (IMIX 3, 4, 5) on top of the simply mixed potential.

    Srivastava, J. Phys. A 17, L317 (1984), for Broyden's methods; Eyert, J. Comput. Phys. 124, 271 (1996), for the
    generalised Anderson method (5), which keeps the pairs (u_k, v_k) mutually consistent by the weights W_k.
    The history is dropped as a whole when it holds ``longest`` calls.

    :param scheme: 3 Broyden's first, 4 his second method, 5 generalised Anderson.
    :param factor: MIXFAC, the factor of the simple mixing.
    :param longest: ITDBRY.
    """

    scheme: int
    factor: float
    longest: int
    _calls: int = 0
    _x: FloatArray | None = None
    _f: FloatArray | None = None
    _history: list[tuple[FloatArray, FloatArray, float]] = field(default_factory=list)

    def __call__(self, mixed: Potentials, old: Potentials, meshes: list[RadialMesh]) -> Potentials:
        """Return the accelerated potential; on the first call and after a restart the simply mixed one."""
        if self._calls >= self.longest:
            self._calls = 0
            self._history.clear()
        self._calls += 1
        x = _as_vector(old)
        f = (_as_vector(mixed) - x) / self.factor
        x_before, f_before, self._x, self._f = self._x, self._f, x, f
        if self._calls == 1 or x_before is None or f_before is None:
            return mixed
        dx, df = x - x_before, f - f_before
        u = self.factor * df + dx
        for u_k, v_k, _ in self._history:
            u -= (df @ v_k) * u_k
        v, weight = self._dual(dx, df, u, _metric(meshes, old[0].shape[0]))
        self._history.append((u, v, weight))
        return _as_potentials(x + (1.0 - f @ v) * u, old)

    def _dual(self, dx: FloatArray, df: FloatArray, u: FloatArray, metric: FloatArray) -> tuple[FloatArray, float]:
        """The vector v_m of the newest pair, normalised, and its weight W_m."""
        if self.scheme == 3:
            weighted = metric * dx
            v = self.factor * weighted
            for u_k, v_k, _ in self._history:
                v -= (weighted @ u_k) * v_k
            return v / (weighted @ u - dx @ weighted), 1.0
        v = metric * df
        if self.scheme == 5:
            for _, v_k, weight_k in self._history:
                v -= (df @ v_k) * weight_k * v_k
        weight = float(df @ v)
        return v / weight, weight


def _as_vector(potentials: Potentials) -> FloatArray:
    """Spin by spin, site by site."""
    return np.concatenate([v[spin] for spin in range(potentials[0].shape[0]) for v in potentials])


def _as_potentials(vector: FloatArray, like: Potentials) -> Potentials:
    result = [np.empty_like(v) for v in like]
    begin = 0
    for spin in range(like[0].shape[0]):
        for v in result:
            v[spin] = vector[begin : begin + v.shape[1]]
            begin += v.shape[1]
    return result


def _metric(meshes: list[RadialMesh], nspin: int) -> FloatArray:
    one_spin = np.concatenate([3 * mesh.r**2 * mesh.drdi / mesh.rmax**3 for mesh in meshes])
    return np.tile(one_spin, nspin)
