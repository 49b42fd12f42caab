"""Exchange-correlation potential and energy of one sphere from the density's expansion in harmonics.

The local functional is evaluated on the directions of a quadrature with the full density of each radius, and its
spherical part is kept. How many directions a radius needs depends on how anisotropic the density is there: a term of
order k in the anisotropy has angular momenta up to 2 k lmax, so a rule of that degree leaves an error of order k + 1.
"""

from functools import lru_cache
from math import factorial, pi

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.mesh import RadialMesh

from .angular import product_quadrature, real_harmonics
from .quadrature import simpson_weights
from .xc import lsda

FloatArray = NDArray[np.float64]

TOLERANCE = 1e-10
"""Size of the first neglected term in the anisotropy; it changes the potential by some 1e-9 Ry."""

HIGHEST_ORDER = 8
"""Orders in the anisotropy that are integrated exactly at most, as in JuKKR's 434 directions for lmax 2."""

LOW_DENSITY = 1000.0
"""The potential is damped by 1 − exp(−1000 · 4πn), as in JuKKR, so that it vanishes smoothly with the density."""


@lru_cache(maxsize=16)
def _directions(order: int, lmax_pot: int) -> tuple[FloatArray, FloatArray]:
    """Harmonics on the directions that order k needs, shape (points, L), and weights with sum 1."""
    directions, weights = product_quadrature(order * lmax_pot)
    return np.ascontiguousarray(real_harmonics(directions, lmax_pot)), weights / (4 * pi)


def _order(rho: FloatArray, lmax_pot: int) -> NDArray[np.intp]:
    """Order in the anisotropy that each radius needs; 0 for a density without angular dependence."""
    anisotropy = np.abs(rho[..., 1:, :]).sum(axis=-2).max(axis=0) / np.maximum(np.abs(rho[0, 0]), 1e-30)
    limits = [TOLERANCE] + [(TOLERANCE * factorial(k + 1)) ** (1 / (k + 1)) for k in range(1, HIGHEST_ORDER)]
    order: NDArray[np.intp] = np.searchsorted(limits, anisotropy)
    return order


def exchange_correlation(rho: FloatArray, mesh: RadialMesh, kind: int) -> tuple[FloatArray, float]:
    """Return the spherical exchange-correlation potential and the exchange-correlation energy of a sphere.

    :param rho: density times r², charge and (with two spins) spin density up − down, shape (nspin, (2 lmax+1)², n).
    :param kind: functional, a value of :data:`aiida_mlkkr.solver.xc.XC_KINDS`.
    :return: potential, shape (nspin, n), spin down first [Ry]; energy [Ry].
    """
    nspin, size, n = rho.shape
    lmax_pot = round(size**0.5) - 1
    potential = np.zeros((nspin, n))
    energy_density = np.zeros(n)
    order = _order(rho[:, :, 1:], lmax_pot)
    for k in np.unique(order):
        radii = 1 + np.flatnonzero(order == k)
        harmonics, weights = _directions(int(k), lmax_pot)
        inverse_r2 = 1.0 / mesh.r[radii] ** 2
        density = (harmonics @ rho[0][:, radii]) * inverse_r2
        moment = (harmonics @ rho[1][:, radii]) * inverse_r2 if nspin == 2 else np.zeros_like(density)
        exc, v_down, v_up = lsda(density.ravel(), moment.ravel(), kind)
        damping = -np.expm1(-LOW_DENSITY * 4 * pi * np.abs(density))
        potential[0, radii] = weights @ (v_down.reshape(density.shape) * damping)
        if nspin == 2:
            potential[1, radii] = weights @ (v_up.reshape(density.shape) * damping)
        energy_density[radii] = 4 * pi * (weights @ (exc.reshape(density.shape) * density)) / inverse_r2
    slope = (potential[:, 2] - potential[:, 1]) / (mesh.r[2] - mesh.r[1])
    potential[:, 0] = potential[:, 1] - slope * mesh.r[1]
    return potential, float(energy_density @ (simpson_weights(n) * mesh.drdi))
