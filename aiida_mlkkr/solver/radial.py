"""Scalar-relativistic radial solutions of a spherical potential at complex energies, compiled.

With r_i on the exponential mesh, U = E − V + 2Z/r and M = 1 + U/c² the regular solution P and its small component F
obey

    P' = P/r + M F,        F' = −F/r + [l(l+1)/(r² M) − U] P

(Koelling and Harmon, J. Phys. C 10, 3107 (1977), without spin-orbit coupling). The power r^s, s = √(l²+l+1−4Z²/c²),
is split off, P = r^s p and F = r^s f, and Q = r^{−s} q, G = r^{−s} g for the irregular partner; the rest is integrated
with the mesh index as variable by the five-step Adams-Bashforth-Moulton scheme that JuKKR uses, so that both codes
agree beyond the accuracy of the scheme. In the non-relativistic limit 1/c² = 0 and s = l.

The energies are handled in blocks of :data:`BLOCK` with real and imaginary parts in arrays of their own: the innermost
loops then run over independent energies and compile to vector instructions.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BLOCK = 16
"""Energies that are integrated together."""

RE_P, IM_P, RE_F, IM_F = range(4)


def power_of_r(l: int, z: float, inverse_c2: float) -> float:
    """Return the exponent s of the regular solution at the nucleus."""
    if z == 0.0 or inverse_c2 == 0.0:
        return float(l)
    return float(np.sqrt(l * l + l + 1 - 4 * z * z * inverse_c2))


@njit(cache=True)
def _start_at_nucleus(v, r, dr_over_r, z, inverse_c2, l, s, energy, wave, slopes):  # type: ignore[no-untyped-def]
    """Fill points 1 … 5 of p and f, and the slopes with respect to the index that start the Adams scheme."""
    for e in range(BLOCK):
        a = np.zeros(5, dtype=np.complex128)
        b = np.zeros(5, dtype=np.complex128)
        if inverse_c2 > 0.0 and z > 0.0:
            a[0] = 1.0
            b[0] = (s - 1.0) / (2.0 * z * inverse_c2)
        else:
            kinetic = v[1] - (energy[0, e] + 1j * energy[1, e])
            mass = 1.0 - kinetic * inverse_c2
            a[1] = 1.0
            b[0] = l / mass
            for j in range(2, 5):
                a[j] = (kinetic * mass * a[j - 2] - 2.0 * z * a[j - 1]) / ((j - 1) * (j + 2 * l))
                b[j - 1] = (l + j - 1) * a[j] / mass
        for i in range(1, 6):
            p, dp, f, df = 0j, 0j, 0j, 0j
            for j in range(4):
                power = r[i] ** j
                p += a[j] * power
                f += b[j] * power
                dp += j * a[j] * power
                df += j * b[j] * power
            wave[i, RE_P, e], wave[i, IM_P, e], wave[i, RE_F, e], wave[i, IM_F, e] = p.real, p.imag, f.real, f.imag
            dp *= dr_over_r[i]
            df *= dr_over_r[i]
            k = i - 1
            slopes[k, RE_P, e], slopes[k, IM_P, e], slopes[k, RE_F, e], slopes[k, IM_F, e] = (
                dp.real,
                dp.imag,
                df.real,
                df.imag,
            )


@njit(cache=True)
def _coefficients(potential, ri, dr, ll, inverse_c2, energy, coefficient):  # type: ignore[no-untyped-def]
    """Fill (dr/r) r M and the coefficient of the large component, real and imaginary parts, shape (4, BLOCK)."""
    for e in range(BLOCK):
        hr = potential - energy[0, e] * ri
        hi = -energy[1, e] * ri
        mr = ri - hr * inverse_c2
        mi = -hi * inverse_c2
        centrifugal = ll / (mr * mr + mi * mi)
        coefficient[0, e] = mr * dr
        coefficient[1, e] = mi * dr
        coefficient[2, e] = (hr + mr * centrifugal) * dr
        coefficient[3, e] = (hi - mi * centrifugal) * dr


@njit(cache=True)
def _index_slopes(coefficient, y, large, small, slope):  # type: ignore[no-untyped-def]
    """Fill the slopes of both components; ``large`` and ``small`` are the factors of the power of r split off."""
    for e in range(BLOCK):
        mr, mi, hr, hi = coefficient[0, e], coefficient[1, e], coefficient[2, e], coefficient[3, e]
        pr, pi, fr, fi = y[0, e], y[1, e], y[2, e], y[3, e]
        slope[0, e] = mr * fr - mi * fi + large * pr
        slope[1, e] = mr * fi + mi * fr + large * pi
        slope[2, e] = hr * pr - hi * pi + small * fr
        slope[3, e] = hr * pi + hi * pr + small * fi


@njit(cache=True)
def _adams_step(y, slopes, newest, coefficient, large, small, direction, predicted, slope):  # type: ignore[no-untyped-def]
    """Advance y by one point; the oldest of the five slopes is overwritten by the new one, whose index is returned.

    :param direction: 1 outwards, -1 inwards.
    """
    k0 = newest
    k1 = k0 - 1 if k0 > 0 else 4
    k2 = k1 - 1 if k1 > 0 else 4
    k3 = k2 - 1 if k2 > 0 else 4
    k4 = k3 - 1 if k3 > 0 else 4
    step = direction / 720.0
    for j in range(4):
        for e in range(BLOCK):
            predicted[j, e] = (
                y[j, e]
                + (
                    1901.0 * slopes[k0, j, e]
                    - 2774.0 * slopes[k1, j, e]
                    + 2616.0 * slopes[k2, j, e]
                    - 1274.0 * slopes[k3, j, e]
                    + 251.0 * slopes[k4, j, e]
                )
                * step
            )
    _index_slopes(coefficient, predicted, large, small, slope)
    for j in range(4):
        for e in range(BLOCK):
            y[j, e] += (
                251.0 * slope[j, e]
                + 646.0 * slopes[k0, j, e]
                - 264.0 * slopes[k1, j, e]
                + 106.0 * slopes[k2, j, e]
                - 19.0 * slopes[k3, j, e]
            ) * step
    _index_slopes(coefficient, y, large, small, slopes[k4])
    return k4


@njit(cache=True)
def integrate_regular(v, r, dr_over_r, z, inverse_c2, l, s, energy, weight, wave, log_derivative, norm):  # type: ignore[no-untyped-def]
    """Integrate p and f outwards for one l and one block of energies.

    :param v: V without −2Z/r, shape (n,) [Ry]; ``r`` and ``dr_over_r`` = (dr/di)/r on the same mesh (entry 0 unused).
    :param energy: real and imaginary parts, shape (2, BLOCK) [Ry].
    :param weight: integration weights times r^{2s}, shape (n,).
    :param wave: receives p and f, shape (n, 4, BLOCK).
    :param log_derivative: receives the logarithmic derivative of P/r at the sphere, shape (2, BLOCK).
    :param norm: receives Σ weight (p² + f²/c²), shape (2, BLOCK).
    """
    n = r.size
    slopes = np.empty((5, 4, BLOCK))
    y = np.empty((4, BLOCK))
    predicted = np.empty((4, BLOCK))
    slope = np.empty((4, BLOCK))
    coefficient = np.empty((4, BLOCK))
    acc = np.zeros((2, BLOCK))
    ll = l * (l + 1.0)
    _start_at_nucleus(v, r, dr_over_r, z, inverse_c2, l, s, energy, wave, slopes)
    for j in range(4):
        for e in range(BLOCK):
            wave[0, j, e] = 0.0
            y[j, e] = wave[5, j, e]
    for i in range(1, 6):
        for e in range(BLOCK):
            pr, pi, fr, fi = wave[i, 0, e], wave[i, 1, e], wave[i, 2, e], wave[i, 3, e]
            acc[0, e] += weight[i] * (pr * pr - pi * pi + inverse_c2 * (fr * fr - fi * fi))
            acc[1, e] += weight[i] * 2.0 * (pr * pi + inverse_c2 * fr * fi)
    k0 = 4
    for i in range(6, n):
        dr = dr_over_r[i]
        wi = weight[i]
        _coefficients(v[i] * r[i] - 2.0 * z, r[i], dr, ll, inverse_c2, energy, coefficient)
        k0 = _adams_step(y, slopes, k0, coefficient, -dr * (s - 1.0), -dr * (s + 1.0), 1.0, predicted, slope)
        for e in range(BLOCK):
            pr, pi, fr, fi = y[0, e], y[1, e], y[2, e], y[3, e]
            acc[0, e] += wi * (pr * pr - pi * pi + inverse_c2 * (fr * fr - fi * fi))
            acc[1, e] += wi * 2.0 * (pr * pi + inverse_c2 * fr * fi)
        for j in range(4):
            for e in range(BLOCK):
                wave[i, j, e] = y[j, e]
    for e in range(BLOCK):
        p = y[0, e] + 1j * y[1, e]
        dp = slopes[k0, 0, e] + 1j * slopes[k0, 1, e]
        d = (dp / (p * dr_over_r[n - 1]) + s - 1.0) / r[n - 1]
        log_derivative[0, e], log_derivative[1, e] = d.real, d.imag
        norm[0, e], norm[1, e] = acc[0, e], acc[1, e]


@njit(cache=True)
def _index_derivatives(v, r, dr_over_r, z, inverse_c2, l, energy, x, i):  # type: ignore[no-untyped-def]
    """Return (dr/r) r M and the coefficient of the large component in dg/di, x of the way from point i to i − 1."""
    if x == 0.0:
        h = v[i] * r[i] - 2.0 * z - energy * r[i]
        m = r[i] - h * inverse_c2
        return m * dr_over_r[i], (l * (l + 1.0) / m + h) * dr_over_r[i], dr_over_r[i]
    mass, hamiltonian, step = 0j, 0j, 0.0
    for k, c in ((0, 15.0 / 48.0), (1, 45.0 / 48.0), (2, -15.0 / 48.0), (3, 3.0 / 48.0)):
        h = v[i - k] * r[i - k] - 2.0 * z - energy * r[i - k]
        m = r[i - k] - h * inverse_c2
        mass += c * m * dr_over_r[i - k]
        hamiltonian += c * (l * (l + 1.0) / m + h) * dr_over_r[i - k]
        step += c * dr_over_r[i - k]
    return mass, hamiltonian, step


@njit(cache=True)
def _start_at_sphere(v, r, dr_over_r, z, inverse_c2, l, s, energy, boundary, wave, slopes):  # type: ignore[no-untyped-def]
    """Fill the last five points of q and g by Runge-Kutta steps, and the slopes that start the Adams scheme.

    ``boundary`` holds q and dq/dr·r at the sphere, shape (4, BLOCK); ``wave`` receives q and g, shape (5, 4, BLOCK),
    entry 0 being the sphere.
    """
    n = r.size
    sp, sm = s + 1.0, s - 1.0
    for e in range(BLOCK):
        energy_e = energy[0, e] + 1j * energy[1, e]
        q = np.empty(5, dtype=np.complex128)
        g = np.empty(5, dtype=np.complex128)
        dq = np.empty(5, dtype=np.complex128)
        dg = np.empty(5, dtype=np.complex128)
        mass, ham, step = _index_derivatives(v, r, dr_over_r, z, inverse_c2, l, energy_e, 0.0, n - 1)
        q[0] = boundary[0, e] + 1j * boundary[1, e]
        slope_q = boundary[2, e] + 1j * boundary[3, e]
        g[0] = (slope_q - sp * q[0]) * step / mass
        dq[0] = mass * g[0] + sp * step * q[0]
        dg[0] = ham * q[0] + sm * step * g[0]
        for k in range(1, 5):
            if k == 1:
                h, first = 1.0, 0
                mass, ham, step = _index_derivatives(v, r, dr_over_r, z, inverse_c2, l, energy_e, 0.5, n - 1)
            else:
                h, first = 2.0, k - 2
                mass, ham, step = _index_derivatives(v, r, dr_over_r, z, inverse_c2, l, energy_e, 0.0, n - k)
            q0, g0, k1q, k1g = q[first], g[first], dq[first], dg[first]
            k2q = mass * (g0 - 0.5 * h * k1g) + sp * step * (q0 - 0.5 * h * k1q)
            k2g = ham * (q0 - 0.5 * h * k1q) + sm * step * (g0 - 0.5 * h * k1g)
            k3q = mass * (g0 - 0.5 * h * k2g) + sp * step * (q0 - 0.5 * h * k2q)
            k3g = ham * (q0 - 0.5 * h * k2q) + sm * step * (g0 - 0.5 * h * k2g)
            mass, ham, step = _index_derivatives(v, r, dr_over_r, z, inverse_c2, l, energy_e, 0.0, n - 1 - k)
            k4q = mass * (g0 - h * k3g) + sp * step * (q0 - h * k3q)
            k4g = ham * (q0 - h * k3q) + sm * step * (g0 - h * k3g)
            q[k] = q0 - h / 6.0 * (k1q + 2.0 * (k2q + k3q) + k4q)
            g[k] = g0 - h / 6.0 * (k1g + 2.0 * (k2g + k3g) + k4g)
            dq[k] = mass * g[k] + sp * step * q[k]
            dg[k] = ham * q[k] + sm * step * g[k]
        for k in range(5):
            wave[k, 0, e], wave[k, 1, e], wave[k, 2, e], wave[k, 3, e] = q[k].real, q[k].imag, g[k].real, g[k].imag
            slopes[k, 0, e], slopes[k, 1, e], slopes[k, 2, e], slopes[k, 3, e] = (
                dq[k].real,
                dq[k].imag,
                dg[k].real,
                dg[k].imag,
            )


@njit(cache=True)
def integrate_irregular(  # type: ignore[no-untyped-def]
    v,
    r,
    dr_over_r,
    z,
    inverse_c2,
    l,
    s,
    energy,
    boundary,
    wronskian,
    weight,
    wave,
    density_weight,
    density,
    norm,
):
    """Integrate q and g inwards for one l and one block of energies, and sum what the density needs of them.

    The innermost ninth of the mesh uses the Wronskian p g − q f = ``wronskian`` instead of the equation for g, which is
    unstable there.

    :param boundary: q and r dq/dr at the sphere, real and imaginary parts, shape (4, BLOCK).
    :param wronskian: 1/(κ α), α the factor that normalises p, shape (2, BLOCK).
    :param weight: integration weights, shape (n,).
    :param wave: p and f of :func:`integrate_regular`, shape (n, 4, BLOCK).
    :param density_weight: complex weight w of each energy, shape (2, BLOCK).
    :param density: Σ_E Im[w (p q + f g/c²)] is added, shape (n,).
    :param norm: receives Σ weight (p q + f g/c²), shape (2, BLOCK).
    """
    n = r.size
    slopes = np.empty((5, 4, BLOCK))
    outer = np.empty((5, 4, BLOCK))
    y = np.empty((4, BLOCK))
    predicted = np.empty((4, BLOCK))
    slope = np.empty((4, BLOCK))
    coefficient = np.empty((4, BLOCK))
    acc = np.zeros((2, BLOCK))
    product = np.empty(BLOCK)
    ll = l * (l + 1.0)
    last_wronskian = n // 9 - 1
    _start_at_sphere(v, r, dr_over_r, z, inverse_c2, l, s, energy, boundary, outer, slopes)
    k0 = 4
    for j in range(4):
        for e in range(BLOCK):
            y[j, e] = outer[4, j, e]
    for i in range(n - 1, 0, -1):
        dr = dr_over_r[i]
        cq = dr * (s + 1.0)
        cg = dr * (s - 1.0)
        _coefficients(v[i] * r[i] - 2.0 * z, r[i], dr, ll, inverse_c2, energy, coefficient)
        if i > n - 6:
            for j in range(4):
                for e in range(BLOCK):
                    y[j, e] = outer[n - 1 - i, j, e]
        elif i > last_wronskian:
            k0 = _adams_step(y, slopes, k0, coefficient, cq, cg, -1.0, predicted, slope)
        else:
            k1 = k0 - 1 if k0 > 0 else 4
            k4 = k0 + 1 if k0 < 4 else 0
            for e in range(BLOCK):
                mr, mi = coefficient[0, e], coefficient[1, e]
                pr, pi, fr, fi = wave[i, 0, e], wave[i, 1, e], wave[i, 2, e], wave[i, 3, e]
                inverse_p2 = 1.0 / (pr * pr + pi * pi)
                qr = y[0, e] - 1.5 * slopes[k0, 0, e] + 0.5 * slopes[k1, 0, e]
                qi = y[1, e] - 1.5 * slopes[k0, 1, e] + 0.5 * slopes[k1, 1, e]
                ur = wronskian[0, e] + qr * fr - qi * fi
                ui = wronskian[1, e] + qr * fi + qi * fr
                gr = (ur * pr + ui * pi) * inverse_p2
                gi = (ui * pr - ur * pi) * inverse_p2
                qr = y[0, e] - 0.5 * (mr * gr - mi * gi + cq * qr) - 0.5 * slopes[k0, 0, e]
                qi = y[1, e] - 0.5 * (mr * gi + mi * gr + cq * qi) - 0.5 * slopes[k0, 1, e]
                ur = wronskian[0, e] + qr * fr - qi * fi
                ui = wronskian[1, e] + qr * fi + qi * fr
                gr = (ur * pr + ui * pi) * inverse_p2
                gi = (ui * pr - ur * pi) * inverse_p2
                slopes[k4, 0, e] = mr * gr - mi * gi + cq * qr
                slopes[k4, 1, e] = mr * gi + mi * gr + cq * qi
                y[0, e], y[1, e], y[2, e], y[3, e] = qr, qi, gr, gi
            k0 = k4
        wi = weight[i]
        for e in range(BLOCK):
            pr, pi, fr, fi = wave[i, 0, e], wave[i, 1, e], wave[i, 2, e], wave[i, 3, e]
            qr, qi, gr, gi = y[0, e], y[1, e], y[2, e], y[3, e]
            xr = pr * qr - pi * qi + inverse_c2 * (fr * gr - fi * gi)
            xi = pr * qi + pi * qr + inverse_c2 * (fr * gi + fi * gr)
            acc[0, e] += wi * xr
            acc[1, e] += wi * xi
            product[e] = density_weight[0, e] * xi + density_weight[1, e] * xr
        total = 0.0
        for e in range(BLOCK):
            total += product[e]
        density[i] += total
    for e in range(BLOCK):
        norm[0, e], norm[1, e] = acc[0, e], acc[1, e]
