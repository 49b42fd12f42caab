"""The bound shells of a free atom in a given potential, on the mesh r_i = r_0 exp(a i).

Eight-point Adams-Moulton formula outwards from the nucleus and inwards from the vacuum; the energy follows from the
small component's jump where they meet.

Units: Rydberg and Bohr.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Adams-Moulton formula of eighth order: weights of the derivatives at the new point and the seven before it
_ADAMS: Final = np.array([36799.0, 139849.0, -121797.0, 123133.0, -88547.0, 41499.0, -11351.0, 1375.0]) / 120960.0
_START: Final = 7
_UNBOUNDED: Final = 1.0e30
_TRIALS: Final = 200


@njit(cache=True, error_model='numpy')
def bound_shells(
    v: FloatArray,
    r: FloatArray,
    a: float,
    z: float,
    ells: IntArray,
    nodes: IntArray,
    energies: FloatArray,
    inverse_c2: float,
    small_weight: float,
    densities: FloatArray,
) -> int:
    """All shells; writes g^2 + small_weight f^2, normalised, to ``densities`` (shells, n), replaces ``energies``.

    :param v: full potential (n,) on the mesh ``r`` (n,) of step ``a``.
    :param energies: first guesses (shells,).
    :param inverse_c2: 1/c^2, 0 without relativity.
    :returns: the index of a shell that was not found, or -1.
    """
    n = r.shape[0]
    work = np.empty((6, n))
    for i in range(ells.shape[0]):
        found, energy = _shell(v, r, a, z, ells[i], nodes[i], energies[i], inverse_c2, work)
        energies[i] = energy
        if not found:
            return i
        norm = 0.0
        for k in range(n):
            densities[i, k] = work[0, k] ** 2 + small_weight * work[1, k] ** 2
            norm += a * r[k] * densities[i, k]
        densities[i] /= norm
    return -1


@njit(cache=True, error_model='numpy')
def _shell(
    v: FloatArray,
    r: FloatArray,
    a: float,
    z: float,
    ell: int,
    nodes: int,
    energy: float,
    inverse_c2: float,
    work: FloatArray,
) -> tuple[bool, float]:
    """One bound shell.

    The rows 0 and 1 of ``work`` (6, n) return g and f, c times the usual small component; they vanish far outside.
    With M = 1 + (E - v)/c^2: g' = g/r + M f, f' = -f/r - [E - v - l(l+1)/(r^2 M)] g. Returns (found, energy).
    """
    n = r.shape[0]
    low = -_UNBOUNDED
    high = _UNBOUNDED
    centrifugal = ell * (ell + 1.0)
    for _ in range(_TRIALS):
        if low > -_UNBOUNDED and high < _UNBOUNDED and high - low < 1.0e-13 * (1.0 + abs(low)):
            return False, energy
        turning = _turning_point(v, r, centrifugal, energy)
        if turning < 2 * _START:
            low = energy
            energy = 0.5 * energy if high == _UNBOUNDED else 0.5 * (low + high)
            continue
        match = min(turning, n - 2 * _START)
        last = _last_point(v, r, a, centrifugal, energy, turning, match)
        _set_coefficients(v, r, a, centrifugal, energy, inverse_c2, last, work)
        found = _outwards(v, r, a, z, ell, energy, inverse_c2, match, work)
        if found < 0:
            return False, energy
        if found > nodes:
            high = energy
            energy = 0.5 * (low + high) if low > -_UNBOUNDED else 1.5 * energy - 0.1
            continue
        if found < nodes:
            low = energy
            energy = 0.5 * (low + high) if high < _UNBOUNDED else 0.7 * energy + 0.001
            continue
        g_left, f_left = work[0, match], work[1, match]
        _inwards(v, r, a, centrifugal, energy, inverse_c2, match, last, work)
        jump, norm = _join(r, a, inverse_c2, match, last, g_left, f_left, work)
        change = g_left * jump / norm
        if change > 0.0:
            low = energy
        elif change < 0.0:
            high = energy
        if abs(change) < 1.0e-12 * (1.0 + abs(energy)):
            work[:2, : last + 1] *= 1.0 / np.sqrt(norm)
            work[:2, last + 1 :] = 0.0
            return True, energy
        energy += change
        if not low < energy < high:
            energy = 0.5 * (low + high)
    return False, energy


@njit(cache=True, error_model='numpy')
def _turning_point(v: FloatArray, r: FloatArray, centrifugal: float, energy: float) -> int:
    """The outermost point where the electron may classically be, or -1."""
    for k in range(r.shape[0] - 1, -1, -1):
        if energy - v[k] - centrifugal / (r[k] * r[k]) > 0.0:
            return k
    return -1


@njit(cache=True, error_model='numpy')
def _last_point(
    v: FloatArray, r: FloatArray, a: float, centrifugal: float, energy: float, turning: int, match: int
) -> int:
    """Where the wave function has decayed by exp(-34), the precision of a double."""
    decay = 0.0
    for k in range(turning + 1, r.shape[0]):
        decay += a * r[k] * np.sqrt(max(v[k] + centrifugal / (r[k] * r[k]) - energy, 0.0))
        if decay > 34.0 and k > match + 2 * _START:
            return k
    outermost: int = r.shape[0] - 1
    return outermost


@njit(cache=True, error_model='numpy')
def _set_coefficients(
    v: FloatArray,
    r: FloatArray,
    a: float,
    centrifugal: float,
    energy: float,
    inverse_c2: float,
    last: int,
    work: FloatArray,
) -> None:
    """Rows 2 and 3 of ``work``: u and y of dg/di = u f + a g, df/di = -a f - y g."""
    for k in range(last + 1):
        kinetic = energy - v[k]
        mass = 1.0 + kinetic * inverse_c2
        work[2, k] = a * r[k] * mass
        work[3, k] = a * r[k] * (kinetic - centrifugal / (r[k] * r[k] * mass))


@njit(cache=True, error_model='numpy')
def _outwards(
    v: FloatArray,
    r: FloatArray,
    a: float,
    z: float,
    ell: int,
    energy: float,
    inverse_c2: float,
    match: int,
    work: FloatArray,
) -> int:
    """From the powers at a point nucleus to the point ``match``; the number of nodes, or -1 on overflow.

    Without relativity M is 1 and f needs the next power of g.
    """
    g, f, u, y, dg, df = work
    s = np.sqrt(ell * (ell + 1.0) + 1.0 - 4.0 * z * z * inverse_c2)
    for k in range(_START):
        if inverse_c2 > 0.0:
            g[k] = (r[k] / r[0]) ** s
            mass_r = r[k] + (2.0 * z + (energy - v[k] - 2.0 * z / r[k]) * r[k]) * inverse_c2
            f[k] = g[k] * (s - 1.0) / mass_r
        else:
            g[k] = (r[k] / r[0]) ** s * (1.0 - z * r[k] / (ell + 1.0))
            f[k] = (r[k] / r[0]) ** s * (ell / r[k] - z)
        dg[k] = u[k] * f[k] + a * g[k]
        df[k] = -a * f[k] - y[k] * g[k]
    found = 0
    for k in range(_START, match + 1):
        _step(a, k, 1, work)
        if g[k] * g[k - 1] < 0.0:
            found += 1
        if abs(g[k]) > 1.0e200:
            return -1
    return found


@njit(cache=True, error_model='numpy')
def _inwards(
    v: FloatArray,
    r: FloatArray,
    a: float,
    centrifugal: float,
    energy: float,
    inverse_c2: float,
    match: int,
    last: int,
    work: FloatArray,
) -> None:
    """From the decaying exponential at the point ``last`` to the point ``match``."""
    g, f, u, y, dg, df = work
    amplitude = 1.0e-15
    for k in range(last, last - _START, -1):
        kappa = np.sqrt(max(v[k] + centrifugal / (r[k] * r[k]) - energy, 1.0e-4))
        g[k] = amplitude
        f[k] = -(kappa + 1.0 / r[k]) * amplitude / (1.0 + (energy - v[k]) * inverse_c2)
        dg[k] = u[k] * f[k] + a * g[k]
        df[k] = -a * f[k] - y[k] * g[k]
        amplitude *= np.exp(kappa * a * r[k])
    for k in range(last - _START, match - 1, -1):
        _step(a, k, -1, work)


@njit(cache=True, error_model='numpy')
def _step(a: float, k: int, direction: int, work: FloatArray) -> None:
    """g, f and their derivatives at the point ``k`` from the seven points before it, implicitly."""
    g, f, u, y, dg, df = work
    b0 = direction * _ADAMS[0]
    b1 = g[k - direction]
    b2 = f[k - direction]
    for j in range(1, 8):
        b1 += direction * _ADAMS[j] * dg[k - direction * j]
        b2 += direction * _ADAMS[j] * df[k - direction * j]
    inverse = 1.0 / (1.0 - b0 * b0 * (a * a - u[k] * y[k]))
    g[k] = (b1 * (1.0 + b0 * a) + b0 * u[k] * b2) * inverse
    f[k] = (b2 * (1.0 - b0 * a) - b0 * y[k] * b1) * inverse
    dg[k] = u[k] * f[k] + a * g[k]
    df[k] = -a * f[k] - y[k] * g[k]


@njit(cache=True, error_model='numpy')
def _join(
    r: FloatArray,
    a: float,
    inverse_c2: float,
    match: int,
    last: int,
    g_left: float,
    f_left: float,
    work: FloatArray,
) -> tuple[float, float]:
    """Scale the inner and the outer part to one g at the point ``match``; the jump of f there, and the norm."""
    g, f = work[0], work[1]
    ratio = g_left / g[match]
    jump = f_left - f[match] * ratio
    g[match] = g_left
    f[match] = f_left
    norm = 0.0
    for k in range(match + 1):
        norm += a * r[k] * (g[k] * g[k] + f[k] * f[k] * inverse_c2)
    for k in range(match + 1, last + 1):
        g[k] *= ratio
        f[k] *= ratio
        norm += a * r[k] * (g[k] * g[k] + f[k] * f[k] * inverse_c2)
    return jump, norm
