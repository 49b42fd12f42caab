"""Single-site scattering: t matrix, normalised radial solutions and what the density needs of the irregular ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from aiida_mlkkr.kkr.mesh import RadialMesh

from .angular import l_of_lm
from .bessel import spherical_bessel, spherical_hankel
from .quadrature import simpson_weights
from .radial import BLOCK, integrate_irregular, integrate_regular, power_of_r

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class Contour:
    """The complex energy contour of a calculation.

    :param energies: z_k, shape (nE,) [Ry].
    :param weights: w_k of ∫dE f(E) → −(π/2) Σ w_k f(z_k), as JuKKR stores them, with the factor 2 of
        the spins; shape (nE,).
    :param inverse_c2: 1/c² in Rydberg units; 0 for the non-relativistic equations.
    """

    energies: ComplexArray
    weights: ComplexArray
    inverse_c2: float

    @cached_property
    def kappa(self) -> ComplexArray:
        """κ = √(E + E²/c²) on the principal branch, shape (nE,)."""
        return np.sqrt(self.energies * (1 + self.energies * self.inverse_c2))

    @cached_property
    def blocks(self) -> FloatArray:
        """The energies padded with the last one to whole blocks, real and imaginary parts; shape (nB, 2, BLOCK)."""
        padded = np.concatenate([self.energies, np.full(-self.energies.size % BLOCK, self.energies[-1])])
        parts = np.stack([padded.real, padded.imag]).reshape(2, -1, BLOCK)
        return np.ascontiguousarray(parts.swapaxes(0, 1))

    @property
    def fermi_energy(self) -> float:
        """Re of the last energy [Ry]: JuKKR's contour ends there."""
        return float(self.energies[-1].real)


@dataclass(frozen=True)
class SingleSite:
    """Solution of one spherical potential on the contour.

    :param t: diagonal t matrix, shape (lmax+1, nE) [1/κ].
    :param alpha: factor that normalises ``waves`` to P(R) = R (j_l − iκ t h_l), shape (lmax+1, nE).
    :param waves: p and f without r^s, not normalised; shape (lmax+1, nB, n, 4, BLOCK).
    :param powers: r^{s_l}, shape (lmax+1, n).
    :param irregular_density: Im Σ_E w κ (2l+1) (P Q + F G), summed over l; shape (n,).
    :param norm_regular: ∫(P² + F²) dr, shape (lmax+1, nE).
    :param norm_irregular: κ (2l+1) ∫(P Q + F G) dr, shape (lmax+1, nE).
    """

    t: ComplexArray
    alpha: ComplexArray
    waves: FloatArray
    powers: FloatArray
    irregular_density: FloatArray
    norm_regular: ComplexArray
    norm_irregular: ComplexArray

    @property
    def t_lm(self) -> ComplexArray:
        """Diagonal t matrix of every (l, m), shape ((lmax+1)², nE)."""
        return self.t[l_of_lm(len(self.t) - 1)]


def cluster_t(sites: Iterable[SingleSite]) -> ComplexArray:
    """Return the diagonal t matrices of sites one after the other, shape (nE, N)."""
    return np.ascontiguousarray(np.concatenate([site.t_lm for site in sites]).T)


@njit(cache=True)
def _solve(v, r, drdi, z, inverse_c2, exponents, blocks, kappa, weights, simpson, waves):  # type: ignore[no-untyped-def]
    n_l, n_blocks, n = waves.shape[0], waves.shape[1], r.size
    radius = r[n - 1]
    dr_over_r = np.zeros(n)
    dr_over_r[1:] = drdi[1:] / r[1:]
    weight = simpson * drdi
    t = np.empty((n_l, n_blocks * BLOCK), dtype=np.complex128)
    alpha = np.empty_like(t)
    norm_regular = np.empty_like(t)
    norm_irregular = np.empty_like(t)
    density = np.zeros(n)
    log_derivative = np.empty((2, BLOCK))
    norm = np.empty((2, BLOCK))
    boundary = np.empty((4, BLOCK))
    wronskian = np.empty((2, BLOCK))
    density_weight = np.empty((2, BLOCK))
    bessel = np.empty((n_blocks * BLOCK, n_l + 1), dtype=np.complex128)
    hankel = np.empty_like(bessel)
    for e in range(n_blocks * BLOCK):
        bessel[e] = spherical_bessel(kappa[e] * radius, n_l)
        hankel[e] = spherical_hankel(kappa[e] * radius, n_l)
    for l in range(n_l):
        s = exponents[l]
        for block in range(n_blocks):
            wave = waves[l, block]
            integrate_regular(
                v, r, dr_over_r, z, inverse_c2, l, s, blocks[block], weight * r ** (2 * s), wave, log_derivative, norm
            )
            for e in range(BLOCK):
                k = block * BLOCK + e
                d = log_derivative[0, e] + 1j * log_derivative[1, e]
                j, h = bessel[k, l], hankel[k, l]
                numerator = d * j - l / radius * j + kappa[k] * bessel[k, l + 1]
                denominator = l / radius * h - kappa[k] * hankel[k, l + 1] - h * d
                t[l, k] = 1j / kappa[k] * numerator / denominator
                p = wave[n - 1, 0, e] + 1j * wave[n - 1, 1, e]
                a = radius * (j - 1j * kappa[k] * t[l, k] * h) / (p * radius**s)
                alpha[l, k] = a
                norm_regular[l, k] = a * a * (norm[0, e] + 1j * norm[1, e])
                q = -1j * radius * h * radius**s
                slope = -1j * radius * ((l + 1) * h - radius * kappa[k] * hankel[k, l + 1]) * radius**s + s * q
                boundary[0, e], boundary[1, e], boundary[2, e], boundary[3, e] = q.real, q.imag, slope.real, slope.imag
                u = 1.0 / (kappa[k] * a)
                wronskian[0, e], wronskian[1, e] = u.real, u.imag
                w = weights[k] * kappa[k] * (2 * l + 1) * a
                density_weight[0, e], density_weight[1, e] = w.real, w.imag
            integrate_irregular(
                v, r, dr_over_r, z, inverse_c2, l, s, blocks[block], boundary, wronskian, weight, wave,
                density_weight, density, norm,
            )  # fmt: skip
            for e in range(BLOCK):
                k = block * BLOCK + e
                norm_irregular[l, k] = alpha[l, k] * kappa[k] * (2 * l + 1) * (norm[0, e] + 1j * norm[1, e])
    return t, alpha, density, norm_regular, norm_irregular


def solve_single_site(v: FloatArray, mesh: RadialMesh, z: float, lmax: int, contour: Contour, nspin: int) -> SingleSite:
    """Solve the radial equations of one spherical potential for all l and energies.

    :param v: V without −2Z/r, shape (n,) [Ry].
    :param z: nuclear charge.
    :param nspin: number of spins of the calculation; the weights of the density are the contour's divided by it.
    """
    n_energies = contour.energies.size
    blocks = contour.blocks
    padding = blocks.shape[0] * BLOCK - n_energies
    kappa = np.concatenate([contour.kappa, np.full(padding, contour.kappa[-1])])
    weights = np.concatenate([contour.weights / nspin, np.zeros(padding)])
    exponents = np.array([power_of_r(l, z, contour.inverse_c2) for l in range(lmax + 1)])
    waves = np.empty((lmax + 1, blocks.shape[0], mesh.n, 4, BLOCK))
    t, alpha, density, norm_regular, norm_irregular = _solve(
        v,
        mesh.r,
        mesh.drdi,
        z,
        contour.inverse_c2,
        exponents,
        blocks,
        kappa,
        weights,
        simpson_weights(mesh.n),
        waves,
    )
    return SingleSite(
        t=t[:, :n_energies],
        alpha=alpha[:, :n_energies],
        waves=waves,
        powers=mesh.r ** exponents[:, None],
        irregular_density=density,
        norm_regular=norm_regular[:, :n_energies],
        norm_irregular=norm_irregular[:, :n_energies],
    )
