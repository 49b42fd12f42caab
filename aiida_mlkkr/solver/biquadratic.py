"""Higher order in a pair: what its frozen-potential energy has beyond e_i·e_j.

    E_ij(θ) = const − J cos θ − B cos²θ − … ,

in the Hamiltonian H = −½ Σ_(i≠j) [J_ij e_i·e_j + B_ij (e_i·e_j)²]: B > 0 favours collinear moments, parallel or not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss, legval
from numpy.typing import NDArray

from .exchange import MagneticSites, turning_energies

FloatArray = NDArray[np.float64]

ANGLES = 12
"""Angles between 0 and π: the energy's Legendre series ends long before."""


@dataclass(frozen=True)
class PairEnergy:
    """The energy of a pair against the angle between its spin axes, projected on Legendre polynomials of cos θ.

    The projection is the fit that counts all directions of one moment alike.

    :param bilinear: J of the fit [Ry]; at small angles the energy's curvature is J + 2 B + …
    :param biquadratic: B [Ry].
    :param rest: root mean square over the sphere of what J and B leave [Ry].
    :param reversal: E(π) − E(0), the 2 J of a pair without higher orders [Ry].
    """

    bilinear: float
    biquadratic: float
    rest: float
    reversal: float


def pair_energies(sites: MagneticSites, i: int, j: int, angles: FloatArray) -> FloatArray:
    """Return E_ij(θ) − E_ij(0), by Lloyd's formula, shape (n) [Ry].

    One moment turns, the other, and both: 2 [E_ij(θ) − E_ij(0)] = Ω(θ, 0) + Ω(0, θ) − Ω(θ, θ) − Ω(0, 0), in which the
    pairs with other sites cancel.

    :param angles: θ, the first one 0, growing in steps of up to some 20 degrees.
    """
    pair, straight = sites.only(i, j), np.zeros_like(angles)
    turned = [
        turning_energies(pair, np.stack([np.sin(both), np.zeros_like(both), np.cos(both)], axis=2))
        for both in (np.stack(two, axis=1) for two in ((angles, straight), (straight, angles), (angles, angles)))
    ]
    difference: FloatArray = 0.5 * (turned[0] + turned[1] - turned[2])
    return difference


def pair_energy(sites: MagneticSites, i: int, j: int) -> PairEnergy:
    """Return the bilinear and biquadratic exchange of a pair from rotations by all angles.

    :param i: number among the sites, from 0; ``j`` another one.
    """
    cosines, weights = leggauss(ANGLES)
    energies = pair_energies(sites, i, j, np.concatenate([[0.0], np.arccos(cosines)[::-1], [np.pi]]))
    inner = energies[1:-1][::-1]
    coefficients = np.array(
        [(l + 0.5) * (weights * inner) @ legval(cosines, np.eye(l + 1)[l]) for l in range(3)]
    )  # E = Σ a_l P_l(cos θ)
    left = inner - legval(cosines, coefficients)
    return PairEnergy(
        bilinear=-float(coefficients[1]),
        biquadratic=-1.5 * float(coefficients[2]),
        rest=float(np.sqrt(0.5 * weights @ left**2)),
        reversal=float(energies[-1]),
    )
