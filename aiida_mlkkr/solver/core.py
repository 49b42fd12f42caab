"""Core states: bound scalar-relativistic states in a spherical potential.

With g = r * (large component) and f = r * (small component), the equations of Koelling and Harmon, J. Phys. C 10, 3107
(1977), without spin-orbit coupling read (Ry, c = 274.07)

    g' = g/r + c M f,                        M = 1 + U/c^2,  U = E - V + 2Z/r
    f' = -f/r - [U - l(l+1)/(r^2 M)] g / c

They are integrated over the mesh index with the four-point Adams-Moulton formula, whose implicit part is a 2x2 linear
system: outwards from a power series at the nucleus, inwards from the decaying solution, and matched at the outermost
maximum of g by the first-order correction of the energy. This is also how JuKKR finds its core states; mesh end,
matching point and tolerance follow its rules, so that densities agree to some 1e-14.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.elements import L_LETTERS
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import CoreState

from .quadrature import simpson_weights

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SERIES_TERMS: Final = 9
_LIGHTEST_WITH_RELATIVISTIC_SERIES: Final = 20.0  # JuKKR: above this Z the series at the nucleus starts as r^s, s < l+1

FEWEST_POINTS: Final = 35
"""A mesh has at least so many points, as JuKKR takes them for the most compact state."""

_FOUND = 0
_NOT_BOUND = 1
_WRONG_NODES = 2
_NOT_CONVERGED = 3
_NOT_FINITE = 4


class CoreStateError(RuntimeError):
    """A core state that does not exist in the given potential, or that could not be found."""


@dataclass(frozen=True)
class CoreSolution:
    """Core states of one atom and one spin direction.

    :ivar density: (n,) electrons/Bohr; 4 pi r^2 times the core density of this spin, its integral over r is ``charge``
    :ivar states: the states asked for, in their order, with the energies found (Ry)
    :ivar charge: electrons of this spin (of both spins for nspin=1), Simpson's rule over the whole sphere
    :ivar energy_by_l: (4,) Ry, sum of (2l+1) 2/nspin E for each l: JuKKR's ESPC
    """

    density: FloatArray
    states: tuple[CoreState, ...]
    charge: float
    energy_by_l: FloatArray

    @property
    def energies(self) -> tuple[float, ...]:
        """Energies of the states in Ry."""
        return tuple(state.energy for state in self.states)

    @property
    def energy_sum(self) -> float:
        """``energy_by_l`` summed over l."""
        return float(self.energy_by_l.sum())


@njit(cache=True, error_model='numpy', inline='always')
def _coupling(
    energy: float, potential: float, r: float, dr: float, ell: int, c: float, relativistic: bool
) -> tuple[float, float, float]:
    """u, x, y at one radius: dg/di = u f + x g, df/di = -x f - y g; ``potential`` includes -2Z/r."""
    phi = (energy - potential) * dr / c
    u = dr * c
    if relativistic:
        u += phi
    x = dr / r
    return u, x, phi - ell * (ell + 1.0) * x * x / u


@njit(cache=True, error_model='numpy')
def _series(
    energy: float, v0: float, z: float, ell: int, c: float, power_series: bool
) -> tuple[float, FloatArray, FloatArray]:
    """s, p, q of g = r^s sum p_n r^n and f = r^s sum q_n r^n at the nucleus, for the potential -2Z/r + v0."""
    terms = _SERIES_TERMS
    p = np.empty(terms)
    q = np.empty(terms)
    if power_series:
        # s = l; f follows from the non-relativistic g' - g/r = c f
        p[0] = 0.0
        p[1] = 1.0
        for n in range(2, terms):
            p[n] = ((v0 - energy) * p[n - 2] - 2.0 * z * p[n - 1]) / ((n + 2 * ell) * (n - 1.0))
        for n in range(terms - 1):
            q[n] = p[n + 1] * (ell + n) / c
        n = terms
        beyond = ((v0 - energy) * p[n - 2] - 2.0 * z * p[n - 1]) / ((n + 2 * ell) * (n - 1.0))
        q[terms - 1] = beyond * (ell + terms - 1) / c
        return float(ell), p, q
    alpha = 2.0 * z / c
    w = (energy - v0) / c
    rest = c + w
    centrifugal = ell * (ell + 1.0)
    s = np.sqrt(centrifugal + 1.0 - alpha * alpha)
    p[0] = 1.0
    q[0] = (s - 1.0) / alpha
    for n in range(1, terms):
        first = rest * q[n - 1]
        second = alpha * w * p[n - 1]
        if ell > 0:
            second += rest * (alpha * p[n - 1] + (n - 1 + s + 1.0) * q[n - 1])
            if n > 1:
                second += rest * w * p[n - 2]
        determinant = -alpha * n * (n + 2.0 * s)
        p[n] = alpha * (second - (n + s + 1.0) * first) / determinant
        q[n] = ((n + s - 1.0) * second - (centrifugal - alpha * alpha) * first) / determinant
    return s, p, q


@njit(cache=True, error_model='numpy', inline='always')
def _adams_moulton(
    work: FloatArray,
    k: int,
    before: int,
    step: float,
    dg1: float,
    dg2: float,
    dg3: float,
    df1: float,
    df2: float,
    df3: float,
) -> tuple[float, float, float, float]:
    """g, f and their slopes at index k from index ``before`` and the slopes at the last three indices.

    ``step`` is 8/3 outwards and -8/3 inwards.
    """
    g, f, u, x, y = work
    b1 = step * g[before] + (dg1 - 5.0 * dg2 + 19.0 * dg3) / 9.0
    b2 = step * f[before] + (df1 - 5.0 * df2 + 19.0 * df3) / 9.0
    inverse = 1.0 / (step * step - x[k] * x[k] + u[k] * y[k])
    gk = (b1 * (step + x[k]) + b2 * u[k]) * inverse
    fk = (b2 * (step - x[k]) - b1 * y[k]) * inverse
    return gk, fk, u[k] * fk + x[k] * gk, -x[k] * fk - y[k] * gk


@njit(cache=True, error_model='numpy')
def _outward(work: FloatArray, r: FloatArray, s: float, p: FloatArray, q: FloatArray, match: int) -> tuple[int, float]:
    """Integrate from the nucleus to index ``match``; returns the sign changes of g and dg/di at ``match``."""
    g, f, u, x, y = work
    nodes = 0
    g[0] = 0.0
    f[0] = 0.0
    terms = p.shape[0]
    for k in range(1, 4):
        gg = p[terms - 1]
        ff = q[terms - 1]
        for n in range(terms - 2, -1, -1):
            gg = gg * r[k] + p[n]
            ff = ff * r[k] + q[n]
        scale = r[k] ** s
        g[k] = scale * gg
        f[k] = scale * ff
        if k > 1 and g[k] * g[k - 1] < 0.0:
            nodes += 1
    dg1, dg2, dg3 = u[1] * f[1] + x[1] * g[1], u[2] * f[2] + x[2] * g[2], u[3] * f[3] + x[3] * g[3]
    df1, df2, df3 = -x[1] * f[1] - y[1] * g[1], -x[2] * f[2] - y[2] * g[2], -x[3] * f[3] - y[3] * g[3]
    step = 8.0 / 3.0
    positive = g[3] >= 0.0
    for k in range(4, match + 1):
        g[k], f[k], dg, df = _adams_moulton(work, k, k - 1, step, dg1, dg2, dg3, df1, df2, df3)
        if (g[k] >= 0.0) != positive:
            positive = not positive
            nodes += 1
        dg1, dg2, dg3 = dg2, dg3, dg
        df1, df2, df3 = df2, df3, df
    return nodes, dg3


@njit(cache=True, error_model='numpy')
def _inward(
    work: FloatArray,
    v: FloatArray,
    z: float,
    r: FloatArray,
    drdi: FloatArray,
    a: float,
    b: float,
    energy: float,
    ell: int,
    c: float,
    relativistic: bool,
    last: int,
    innermost: int,
    value: float,
    slope: float,
) -> tuple[int, int, float]:
    """Integrate from index ``last`` to the outermost extremum of g, at most to ``innermost``.

    Starts with g = value, dg/dr = slope and three Runge-Kutta steps. Returns the sign changes of g, the last index and
    dg/di there.
    """
    g, f, u, x, y = work
    nodes = 0
    k = last
    slope_i = slope * drdi[k]
    g[k] = value
    f[k] = (slope_i - x[k] * value) / u[k]
    dg = slope_i
    df = -x[k] * f[k] - y[k] * g[k]
    dgs = np.empty(3)
    dfs = np.empty(3)
    half = np.exp(-0.5 * a)
    for start in range(3):
        k -= 1
        # the nuclear part is known between the mesh points, the rest is interpolated
        expo = (r[k + 1] + b) * half
        rh = expo - b
        vh = (3.0 * v[k + 1] + 6.0 * v[k] - v[k - 1]) * 0.125 - 2.0 * z / rh
        uh, xh, yh = _coupling(energy, vh, rh, a * expo, ell, c, relativistic)
        g1, f1 = g[k + 1], f[k + 1]
        gg, ff = g1 - 0.5 * dg, f1 - 0.5 * df
        dg2, df2 = uh * ff + xh * gg, -xh * ff - yh * gg
        gg, ff = g1 - 0.5 * dg2, f1 - 0.5 * df2
        dg3, df3 = uh * ff + xh * gg, -xh * ff - yh * gg
        gg, ff = g1 - dg3, f1 - df3
        g[k] = g1 - (dg + 2.0 * (dg2 + dg3) + u[k] * ff + x[k] * gg) / 6.0
        f[k] = f1 - (df + 2.0 * (df2 + df3) - x[k] * ff - y[k] * gg) / 6.0
        if g[k] * g1 < 0.0:
            nodes += 1
        dg = u[k] * f[k] + x[k] * g[k]
        df = -x[k] * f[k] - y[k] * g[k]
        dgs[start] = dg
        dfs[start] = df
    dg1, dg2, dg3 = dgs[0], dgs[1], dgs[2]
    df1, df2, df3 = dfs[0], dfs[1], dfs[2]
    step = -8.0 / 3.0
    positive = g[k] >= 0.0
    while True:
        k -= 1
        g[k], f[k], dg, df = _adams_moulton(work, k, k + 1, step, dg1, dg2, dg3, df1, df2, df3)
        if (g[k] >= 0.0) != positive:
            positive = not positive
            nodes += 1
        dg1, dg2, dg3 = dg2, dg3, dg
        df1, df2, df3 = df2, df3, df
        if k <= innermost or positive == (dg3 >= 0.0):
            return nodes, k, dg3


@njit(cache=True, error_model='numpy')
def _log_derivative_outside(energy: float, ell: int, radius: float, c: float, relativistic: bool) -> float:
    """d ln(r k_l(qr))/dr at ``radius``: the decaying solution in the empty space outside the sphere."""
    q2 = -energy
    if relativistic:
        q2 *= 1.0 + energy / (c * c)
    q = np.sqrt(q2)
    ratio = 1.0 + 1.0 / (q * radius)  # k_1/k_0
    for order in range(1, ell + 1):
        ratio = 1.0 / ratio + (2 * order + 1) / (q * radius)
    result: float = (ell + 1) / radius - q * ratio
    return result


@njit(cache=True, error_model='numpy')
def _outer_end(energy: float, z: float, a: float, b: float, n: int) -> int:
    """Number of mesh points (odd unless all are needed) beyond which the state has decayed."""
    if energy > -1.0e-8:
        return n
    twice = 2.0 * np.sqrt(-energy)
    radius = 2.0 * (np.log(-twice * energy / 1.0e-8) / twice - 2.0 * z / energy)
    if not radius < b * np.exp(a * n):
        return n
    if radius <= 0.0:
        return FEWEST_POINTS
    points = int(np.log(radius / b + 1.0) / a + 1.0)
    return max(min(points // 2 * 2 + 1, n), FEWEST_POINTS)


@njit(cache=True, error_model='numpy')
def _bound_state(
    v: FloatArray,
    total: FloatArray,
    r: FloatArray,
    drdi: FloatArray,
    a: float,
    b: float,
    z: float,
    ell: int,
    nodes: int,
    energy: float,
    c: float,
    relativistic: bool,
    tolerance: float,
    work: FloatArray,
) -> tuple[int, float, float, int]:
    """One bound state; the rows 0 and 1 of ``work`` (5, n) return g and f, not normalised.

    ``total`` is the potential ``v`` with -2Z/r. Returns (status, energy, integral of g^2 + f^2, number of mesh points
    up to the outer end, beyond which g and f are meaningless).
    """
    n = r.shape[0]
    g, f, u, x, y = work
    power_series = not relativistic or z <= _LIGHTEST_WITH_RELATIVISTIC_SERIES
    low = -50.0 - 1.5 * (5.0 + ((z + 1.0) / (ell + 1)) ** 2)
    high = 0.0
    status = _NOT_CONVERGED
    for _ in range(120):
        if not (low < energy < high):
            energy = 0.5 * (low + high)
        if high - low < 1.0e-14 * (1.0 - low):
            return _NOT_BOUND if high == 0.0 else _WRONG_NODES, energy, 0.0, 0
        points = _outer_end(energy, z, a, b, n)
        last = points - 1
        if points < n:
            value = 0.1
            slope = -0.1
        else:
            value = 1.0e-10
            slope = value * _log_derivative_outside(energy, ell, r[last], c, relativistic)
        for k in range(1, points):
            u[k], x[k], y[k] = _coupling(energy, total[k], r[k], drdi[k], ell, c, relativistic)
        innermost = 29 if nodes > 0 else points // 3 - 1
        outer_nodes, match, dg = _inward(
            work, v, z, r, drdi, a, b, energy, ell, c, relativistic, last, innermost, value, slope
        )
        rm = r[match]
        outer = g[match]
        outer_slope = rm * dg / drdi[match]
        s, p, q = _series(energy, v[0], z, ell, c, power_series)
        inner_nodes, dg = _outward(work, r, s, p, q, match)
        inner = g[match]
        inner_slope = rm * dg / drdi[match]
        if not np.isfinite(inner + inner_slope + outer + outer_slope):
            return _NOT_FINITE, energy, 0.0, 0
        found = outer_nodes + inner_nodes
        if found != nodes:
            if found > nodes:
                high = energy
                status = _WRONG_NODES
            else:
                low = energy
                status = _NOT_BOUND
            energy = 0.5 * (low + high)
            continue
        outer_square = outer * outer + outer_slope * outer_slope
        ratio = np.sqrt(outer_square / (inner * inner + inner_slope * inner_slope))
        if outer * inner < 0.0:
            ratio = -ratio
        for k in range(match + 1):
            g[k] *= ratio
            f[k] *= ratio
        if not relativistic:
            f[:points] = 0.0
        weights = simpson_weights(points)
        norm = 0.0
        for k in range(points):
            u[k] = g[k] * g[k] + f[k] * f[k]
            norm += u[k] * drdi[k] * weights[k]
        change = outer_square * (np.arctan(inner_slope / inner) - np.arctan(outer_slope / outer)) / (norm * rm)
        if change > 0.0:
            low = energy
        elif change < 0.0:
            high = energy
        if abs(change) <= tolerance:
            return _FOUND, energy, norm, points
        status = _NOT_CONVERGED
        energy += change
    return status, energy, 0.0, 0


@njit(cache=True, error_model='numpy')
def _bound_states(
    v: FloatArray,
    r: FloatArray,
    drdi: FloatArray,
    a: float,
    b: float,
    z: float,
    ells: IntArray,
    nodes: IntArray,
    energies: FloatArray,
    degeneracies: FloatArray,
    relativistic: bool,
    density: FloatArray,
) -> tuple[int, int]:
    """Add degeneracy * (g^2 + f^2), normalised, of all states to ``density``, replace the start energies by the found.

    Returns (status, index of the state that failed, or -1).
    """
    n = r.shape[0]
    c = SPEED_OF_LIGHT if relativistic else 1.0
    tolerance = 1.0e-12 * (z * z + 1.0)
    total = v.copy()
    for k in range(1, n):
        total[k] -= 2.0 * z / r[k]
    work = np.empty((5, n))
    for i in range(ells.shape[0]):
        status, energy, norm, points = _bound_state(
            v, total, r, drdi, a, b, z, ells[i], nodes[i], energies[i], c, relativistic, tolerance, work
        )
        energies[i] = energy
        if status != _FOUND:
            return status, i
        weight = degeneracies[i] / norm
        for k in range(1, points):
            density[k] += weight * (work[0, k] ** 2 + work[1, k] ** 2)
    return _FOUND, -1


def _nodes(states: tuple[CoreState, ...]) -> IntArray:
    """Number of nodes n-l-1 of each state: the states of one l are its lowest ones, in the order of the list."""
    seen: dict[int, int] = {}
    nodes = []
    for state in states:
        nodes.append(seen.get(state.l, 0))
        seen[state.l] = nodes[-1] + 1
    return np.array(nodes, dtype=np.int64)


def _failure(status: int, ell: int, nodes: int, z: float, energy: float, where: str) -> CoreStateError:
    reason = {
        _NOT_BOUND: 'is not bound in this potential',
        _WRONG_NODES: 'was not found: no energy gives the right number of nodes',
        _NOT_CONVERGED: 'did not converge',
        _NOT_FINITE: 'was not found: the potential is not a finite number',
    }[status]
    place = f' of {where}' if where else ''
    return CoreStateError(
        f'The core state {nodes + ell + 1}{L_LETTERS[ell]}{place} (l={ell}, Z={z:g}) {reason}; last trial energy '
        f'{energy:.6g} Ry. Check that the potential belongs to this nuclear charge, and that its list of core states '
        'holds deep states only.'
    )


def solve_core(
    v: FloatArray,
    mesh: RadialMesh,
    z: float,
    states: tuple[CoreState, ...],
    nspin: int,
    relativistic: bool = True,
    where: str = '',
) -> CoreSolution:
    """Core states of one atom and one spin in its self-consistent potential.

    :param v: (n,) Ry, spherical potential without -2Z/r
    :param states: l and start energy (Ry) of each state; the k-th state of an l has the principal quantum number l+k
    :param nspin: 2 if ``v`` belongs to one spin direction, each state then has 2l+1 electrons; 1: twice as many
    :param relativistic: scalar-relativistic (KVREL=1) or non-relativistic (KVREL=0)
    :param where: the words for the atom and spin in an error message, such as ``site 1, spin down``
    :raises CoreStateError: a state is not bound, or cannot be found
    :raises ValueError: fewer than :data:`FEWEST_POINTS` mesh points
    """
    if mesh.n < FEWEST_POINTS:
        raise ValueError(f'core states need at least {FEWEST_POINTS} mesh points, not {mesh.n}')
    density = np.zeros(mesh.n)
    energies = np.array([state.energy for state in states])
    ells = np.array([state.l for state in states], dtype=np.int64)
    degeneracies = (2.0 * ells + 1.0) * 2.0 / nspin
    nodes = _nodes(states)
    v = np.ascontiguousarray(v, dtype=np.float64)
    status, failed = _bound_states(
        v, mesh.r, mesh.drdi, mesh.a, mesh.b, float(z), ells, nodes, energies, degeneracies, relativistic, density
    )
    if status != _FOUND:
        raise _failure(status, int(ells[failed]), int(nodes[failed]), z, float(energies[failed]), where)
    energy_by_l = np.zeros(len(L_LETTERS))
    np.add.at(energy_by_l, ells, degeneracies * energies)
    return CoreSolution(
        density=density,
        states=tuple(CoreState(state.l, energy) for state, energy in zip(states, energies.tolist(), strict=True)),
        charge=float(density @ (simpson_weights(mesh.n) * mesh.drdi)),
        energy_by_l=energy_by_l,
    )
