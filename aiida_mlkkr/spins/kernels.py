"""Sweeps over the moments of a model, compiled by Numba; they hold no lock, so threads run at once.

Every sweep takes the moments in their order, which keeps the Boltzmann distribution. The field on a moment,
Σ_j 𝒥_ij e_j + m_i B, does not depend on its own direction: without anisotropy the heat bath is exact, with it the heat
bath and the reflection are proposals, accepted with min(1, exp β(e'·K e' − e·K e)).

Random numbers: xoshiro256+ (D. Blackman and S. Vigna, ACM Trans. Math. Softw. 47, 36, 2021), the state of each replica
in four integers that a checkpoint keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit
from numba.extending import overload
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
StateArray = NDArray[np.uint64]
Direction = tuple[float, float, float]

HEAT_BATH: Final = 0
METROPOLIS: Final = 1

_WEAK: Final = 1e-7
"""Energy over temperature below which a field does not matter."""

_FAST: Final = {'contract', 'reassoc', 'nsz', 'arcp'}
_compiled = njit(cache=True, nogil=True, fastmath=_FAST)


def local_field(
    spins: FloatArray, neighbours: IntArray, couplings: FloatArray, begin: int, end: int
) -> tuple[float, float, float]:
    """Σ_j 𝒥_ij e_j over the neighbours begin to end, for J (2p) and for tensors (2p, 3, 3)."""
    raise NotImplementedError  # Numba takes one of the two below


# Numba wants the same annotations here and in the two that it takes.
@overload(local_field, jit_options={'fastmath': _FAST})
def _local_field(spins: Any, neighbours: Any, couplings: Any, begin: Any, end: Any) -> Callable[..., Any]:
    return _scalar_field if couplings.ndim == 1 else _tensor_field


def _scalar_field(spins: Any, neighbours: Any, couplings: Any, begin: Any, end: Any) -> Any:
    x = y = z = 0.0
    for k in range(begin, end):
        j, coupling = neighbours[k], couplings[k]
        x += coupling * spins[j, 0]
        y += coupling * spins[j, 1]
        z += coupling * spins[j, 2]
    return x, y, z


def _tensor_field(spins: Any, neighbours: Any, couplings: Any, begin: Any, end: Any) -> Any:
    x = y = z = 0.0
    for k in range(begin, end):
        j = neighbours[k]
        a, b, c = spins[j, 0], spins[j, 1], spins[j, 2]
        x += couplings[k, 0, 0] * a + couplings[k, 0, 1] * b + couplings[k, 0, 2] * c
        y += couplings[k, 1, 0] * a + couplings[k, 1, 1] * b + couplings[k, 1, 2] * c
        z += couplings[k, 2, 0] * a + couplings[k, 2, 1] * b + couplings[k, 2, 2] * c
    return x, y, z


@_compiled
def _uniform(state: StateArray) -> float:
    """A number from [0, 1)."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    result = s0 + s3
    shifted = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
    return float(np.float64(result >> np.uint64(11)) * 1.1102230246251565e-16)


@_compiled
def _on_circle(state: StateArray) -> tuple[float, float]:
    """Cosine and sine of a random angle (von Neumann)."""
    while True:
        a = 2.0 * _uniform(state) - 1.0
        b = _uniform(state)
        square = a * a + b * b
        if 0.0 < square <= 1.0:
            return (a * a - b * b) / square, 2.0 * a * b / square


@_compiled
def _in_field(x: float, y: float, z: float, beta: float, state: StateArray) -> Direction:
    """A direction e with probability ∝ exp(β h·e), h = (x, y, z)."""
    size = np.sqrt(x * x + y * y + z * z)
    strength = beta * size
    cosine, sine = _on_circle(state)
    number = 1.0 - _uniform(state)
    if strength < _WEAK:
        along = 2.0 * number - 1.0
        across = np.sqrt(1.0 - along * along)
        return across * cosine, across * sine, along
    below = np.log(number + (1.0 - number) * np.exp(-2.0 * strength)) / strength  # cos θ − 1
    below = max(below, -2.0)
    along, across = 1.0 + below, np.sqrt(-below * (2.0 + below))
    x, y, z = x / size, y / size, z / size
    # two directions normal to h: T. Duff et al., J. Comput. Graph. Tech. 6, 1 (2017)
    sign = 1.0 if z >= 0.0 else -1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    p, q = across * cosine, across * sine
    return (
        along * x + p * (1.0 + sign * x * x * a) + q * b,
        along * y + p * sign * b + q * (sign + y * y * a),
        along * z - p * sign * x - q * y,
    )


@_compiled
def _alone(anisotropy: FloatArray, i: int, x: float, y: float, z: float) -> float:
    """e·K_i e."""
    k = anisotropy[i]
    return float(
        k[0, 0] * x * x
        + k[1, 1] * y * y
        + k[2, 2] * z * z
        + 2.0 * (k[0, 1] * x * y + k[0, 2] * x * z + k[1, 2] * y * z)
    )


@_compiled
def _gain(anisotropy: FloatArray, spins: FloatArray, i: int, new: Direction) -> float:
    """Energy of the anisotropy that a turn sets free, e'·K_i e' − e·K_i e."""
    after = _alone(anisotropy, i, new[0], new[1], new[2])
    return after - _alone(anisotropy, i, spins[i, 0], spins[i, 1], spins[i, 2])


@_compiled
def _refused(gain: float, beta: float, state: StateArray) -> bool:
    """Whether a turn is not made, by its probability min(1, exp β gain)."""
    return bool(gain < 0.0 and _uniform(state) >= np.exp(beta * gain))


@_compiled
def _normalised(new: Direction) -> Direction:
    """Of a length that is 1 up to rounding, which would grow over many sweeps."""
    size = 1.5 - 0.5 * (new[0] * new[0] + new[1] * new[1] + new[2] * new[2])
    return size * new[0], size * new[1], size * new[2]


@_compiled
def heat_bath(
    spins: FloatArray,
    starts: IntArray,
    neighbours: IntArray,
    couplings: FloatArray,
    zeeman: FloatArray,
    anisotropy: FloatArray,
    beta: float,
    state: StateArray,
) -> None:
    """Turn every moment once by the heat bath.

    :param couplings: J (2p) or tensors (2p, 3, 3) [meV].
    :param zeeman: m_i B, shape (n, 3) [meV]; ``anisotropy`` K_i, shape (n, 3, 3), or (0, 3, 3) if there is none.
    :param beta: 1/k_B T [1/meV].
    """
    for i in range(len(spins)):
        x, y, z = local_field(spins, neighbours, couplings, starts[i], starts[i + 1])
        new = _in_field(x + zeeman[i, 0], y + zeeman[i, 1], z + zeeman[i, 2], beta, state)
        if len(anisotropy) and _refused(_gain(anisotropy, spins, i, new), beta, state):
            continue
        spins[i, 0], spins[i, 1], spins[i, 2] = _normalised(new)


@_compiled
def over_relaxation(
    spins: FloatArray,
    starts: IntArray,
    neighbours: IntArray,
    couplings: FloatArray,
    zeeman: FloatArray,
    anisotropy: FloatArray,
    beta: float,
    state: StateArray,
) -> None:
    """Reflect every moment at the field on it, which changes no energy but that of the anisotropy."""
    for i in range(len(spins)):
        x, y, z = local_field(spins, neighbours, couplings, starts[i], starts[i + 1])
        x, y, z = x + zeeman[i, 0], y + zeeman[i, 1], z + zeeman[i, 2]
        square = x * x + y * y + z * z
        if square == 0.0:
            continue
        a, b, c = spins[i, 0], spins[i, 1], spins[i, 2]
        twice = 2.0 * (x * a + y * b + z * c) / square
        new = twice * x - a, twice * y - b, twice * z - c
        if len(anisotropy) and _refused(_gain(anisotropy, spins, i, new), beta, state):
            continue
        spins[i, 0], spins[i, 1], spins[i, 2] = _normalised(new)


@_compiled
def metropolis(
    spins: FloatArray,
    starts: IntArray,
    neighbours: IntArray,
    couplings: FloatArray,
    zeeman: FloatArray,
    anisotropy: FloatArray,
    beta: float,
    state: StateArray,
) -> None:
    """Propose a random direction for every moment once: slow at low temperature, a check of the others."""
    for i in range(len(spins)):
        x, y, z = local_field(spins, neighbours, couplings, starts[i], starts[i + 1])
        x, y, z = x + zeeman[i, 0], y + zeeman[i, 1], z + zeeman[i, 2]
        new = _in_field(0.0, 0.0, 0.0, 0.0, state)
        gain = x * (new[0] - spins[i, 0]) + y * (new[1] - spins[i, 1]) + z * (new[2] - spins[i, 2])
        if len(anisotropy):
            gain += _gain(anisotropy, spins, i, new)
        if not _refused(gain, beta, state):
            spins[i, 0], spins[i, 1], spins[i, 2] = new


@_compiled
def energy(
    spins: FloatArray,
    starts: IntArray,
    neighbours: IntArray,
    couplings: FloatArray,
    zeeman: FloatArray,
    anisotropy: FloatArray,
) -> float:
    """The energy of a configuration [meV]."""
    total = 0.0
    for i in range(len(spins)):
        x, y, z = local_field(spins, neighbours, couplings, starts[i], starts[i + 1])
        a, b, c = spins[i, 0], spins[i, 1], spins[i, 2]
        total -= a * (0.5 * x + zeeman[i, 0]) + b * (0.5 * y + zeeman[i, 1]) + c * (0.5 * z + zeeman[i, 2])
        if len(anisotropy):
            total -= _alone(anisotropy, i, a, b, c)
    return total


@_compiled
def advance(
    replicas: FloatArray,
    starts: IntArray,
    neighbours: IntArray,
    couplings: FloatArray,
    zeeman: FloatArray,
    anisotropy: FloatArray,
    betas: FloatArray,
    states: StateArray,
    sweeps: int,
    reflections: int,
    algorithm: int,
    energies: FloatArray,
) -> None:
    """Sweep several replicas, each at a temperature of its own, and write down their energies.

    :param replicas: shape (r, n, 3); ``betas`` and ``energies`` shape (r); ``states`` shape (r, 4).
    :param sweeps: each is one of the algorithm and then ``reflections`` of over-relaxation.
    """
    for r in range(len(replicas)):
        spins, state, beta = replicas[r], states[r], betas[r]
        for _ in range(sweeps):
            if algorithm == METROPOLIS:
                metropolis(spins, starts, neighbours, couplings, zeeman, anisotropy, beta, state)
            else:
                heat_bath(spins, starts, neighbours, couplings, zeeman, anisotropy, beta, state)
            for _ in range(reflections):
                over_relaxation(spins, starts, neighbours, couplings, zeeman, anisotropy, beta, state)
        energies[r] = energy(spins, starts, neighbours, couplings, zeeman, anisotropy)
