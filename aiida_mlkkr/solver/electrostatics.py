"""Coulomb potential of the cluster: inside each sphere, and from the other sites and the host.

Densities are ρ_L r²; potentials V_L belong to V(r) = Σ_L V_L Y_L without the nucleus' own −2Z/r; Rydberg
units (e² = 2).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.mesh import RadialMesh

from .angular import double_factorial, gaunt, l_of_lm, lm_size, real_harmonics
from .quadrature import integrate_inwards, integrate_outwards, simpson_weights

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Intracell:
    """Potential and moments of the electrons of one sphere.

    :param potential: V_L(r), shape ((2 lmax+1)², n) [Ry].
    :param moments: ∫ r^l ρ_L r² dr, shape ((2 lmax+1)²,) [Bohr^l]; entry 0 is the number of electrons over √4π.
    """

    potential: FloatArray
    moments: FloatArray


@lru_cache(maxsize=64)
def _powers(mesh: RadialMesh, lmax_pot: int) -> FloatArray:
    """r^l for every L, shape ((lmax_pot+1)², n)."""
    powers = mesh.r ** l_of_lm(lmax_pot)[:, None]
    powers.setflags(write=False)
    return powers


def intracell_potential(rho: FloatArray, mesh: RadialMesh) -> Intracell:
    """Solve Poisson's equation inside one sphere.

    V_L(r) = 8π/(2l+1) [r^{−l−1} ∫₀^r r'^l ρ_L r'² dr' + r^l ∫_r^R r'^{−l−1} ρ_L r'² dr'].

    :param rho: total electron density ρ_L r², shape ((2 lmax+1)², n).
    """
    lmax_pot = int(sqrt(rho.shape[0])) - 1
    powers = _powers(mesh, lmax_pot)
    r = mesh.r[1:]
    inner = np.zeros_like(rho)
    outer = np.zeros_like(rho)
    inner[:, 1:] = rho[:, 1:] * powers[:, 1:] * mesh.drdi[1:]
    outer[:, 1:] = rho[:, 1:] / powers[:, 1:] * (mesh.drdi[1:] / r)
    inside, outside = integrate_outwards(inner), integrate_inwards(outer)
    factor = 8 * pi / (2 * l_of_lm(lmax_pot) + 1)[:, None]
    potential = np.zeros_like(rho)
    potential[:, 1:] = factor * (inside[:, 1:] / (powers[:, 1:] * r) + outside[:, 1:] * powers[:, 1:])
    potential[0, 0] = factor[0, 0] * outside[0, 0]
    return Intracell(potential, inside[:, -1])


def madelung_matrices(positions: FloatArray, alat: float, lmax_pot: int) -> tuple[FloatArray, FloatArray]:
    """Return what a multipole and a nucleus at one site do at another.

    The potential at site i is Σ_L (−r)^l a_L(i) Y_L with a(i) = Σ_{j≠i} [A(i,j) moments(j) + B(i,j) Z(j)].

    :param positions: shape (n, 3) [alat].
    :return: A, shape (n, n, L, L), and B, shape (n, n, L); zero for i = j.
    """
    n, size = len(positions), lm_size(lmax_pot)
    a_matrix, b_matrix = np.zeros((n, n, size, size)), np.zeros((n, n, size))
    pairs = np.nonzero(~np.eye(n, dtype=bool))
    if not pairs[0].size:
        return a_matrix, b_matrix
    vectors = (positions[pairs[0]] - positions[pairs[1]]) * alat
    distances = np.linalg.norm(vectors, axis=1)[:, None]
    l_index = l_of_lm(2 * lmax_pot)
    multipoles = real_harmonics(vectors, 2 * lmax_pot) / distances ** (l_index + 1)
    a_matrix[pairs] = multipole_interaction(multipoles, lmax_pot)
    b_matrix[pairs] = -8 * pi / (2 * l_index[:size] + 1) * multipoles[:, :size]
    return a_matrix, b_matrix


def multipole_interaction(multipoles: FloatArray, lmax_pot: int) -> FloatArray:
    """Return A_LL', what the moments ∫ r^l' ρ_L' of one site add to the coefficients a_L of (−r)^l Y_L at another.

    A_LL' = 32π² (2l+2l'−1)!! / [(2l+1)!! (2l'+1)!!] Σ_m'' C_LL'L'' Y_L''(R̂)/R^(l''+1), l'' = l + l'.

    :param multipoles: Y_L(R̂)/R^(l+1) of the vector R from the one to the other, or sums of it, shape
        (..., (2 lmax_pot+1)²).
    :return: shape (..., (lmax_pot+1)², (lmax_pot+1)²) [Ry].
    """
    interaction: FloatArray = np.tensordot(multipoles, _multipole_factors(lmax_pot), axes=(-1, 2))
    return interaction


@lru_cache(maxsize=4)
def _multipole_factors(lmax_pot: int) -> FloatArray:
    """What stands before Y_L''(R̂)/R^(l''+1) in A_LL', shape (L, L', L'')."""
    l_index = l_of_lm(lmax_pot)
    odd = np.array([double_factorial(2 * l - 1) for l in range(2 * lmax_pot + 2)], dtype=np.float64)
    l_sum = l_index[:, None] + l_index
    factor = 32 * pi**2 * odd[l_sum] / (odd[l_index + 1][:, None] * odd[l_index + 1])
    stretched = gaunt(lmax_pot, lmax_pot) * (l_of_lm(2 * lmax_pot) == l_sum[:, :, None])
    factors: FloatArray = factor[:, :, None] * stretched
    return factors


def add_intercell(intracell: Intracell, coefficients: FloatArray, mesh: RadialMesh) -> FloatArray:
    """Return V_L of the sphere with the potential Σ_L (−r)^l a_L Y_L of everything outside added, shape (L, n)."""
    lmax_pot = int(sqrt(coefficients.size)) - 1
    sign = (-1.0) ** l_of_lm(lmax_pot)
    return intracell.potential + (sign * coefficients)[:, None] * _powers(mesh, lmax_pot)


def coulomb_energy(rho: FloatArray, potential: FloatArray, moments: FloatArray, z: float, mesh: RadialMesh) -> float:
    """Return the Coulomb energy of one sphere [Ry]: ½ ∫ρ V − ½ Z V_Madelung.

    V_Madelung is the potential at the nucleus without the sphere's own electrons, taken from V at the sphere.

    :param rho: total density ρ_L r², shape (L, n); ``potential`` V_L including the outside, likewise.
    """
    weights = simpson_weights(mesh.n) * mesh.drdi
    electrons = 0.5 * float(np.einsum('ln,ln,n', rho, potential, weights))
    madelung = potential[0, -1] / sqrt(4 * pi) - 2 * sqrt(4 * pi) * moments[0] / mesh.rmax
    return electrons - 0.5 * z * float(madelung)
