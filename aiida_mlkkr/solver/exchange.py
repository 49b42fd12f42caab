"""Exchange interactions of a cluster with collinear moments, from its frozen potentials.

H = −½ Σ_(i≠j) J_ij e_i·e_j with unit vectors e_i along the axis of the spins *up* of each site; J > 0 is ferromagnetic.
Liechtenstein's formula (Liechtenstein, Katsnelson, Antropov, Gubanov, J. Magn. Magn. Mater. 67, 65 (1987)) reads then

    J_ij = +(1/2π) Im ∫^EF dE Σ_LL' δt_iL G↑_iL,jL' δt_jL' G↓_jL',iL ,  δt = t↑ − t↓ .

It is the second derivative of the grand potential when moments turn as a whole, which Lloyd's formula gives for any
directions (Lloyd, Proc. Phys. Soc. 90, 207 (1967)): Ω = (1/π) Im ∫^EF dE ln det(1 − G_void t), where t = t̄ + ½ δt σ·e.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dyson import VoidGreenFunction, log_determinant
from .errors import InconsistentInputError
from .problem import ImpurityProblem
from .scattering import cluster_t, solve_single_site

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

DOWN, UP = 0, 1
"""Order of the spins, JuKKR's."""


@dataclass(frozen=True)
class MagneticSites:
    """Scattering of some sites of a cluster, in the presence of the others. M is the number of their indices (site, L).

    :param energies: contour, shape (nE,) [Ry].
    :param steps: dE of ∫^EF dE → Σ dE, complex, shape (nE,) [Ry].
    :param delta_t: δt = t↑ − t↓, shape (nE, M).
    :param green: structural Green function G of the cluster, spin down first, shape (2, nE, M, M).
    :param offsets: first index of each site, and M at the end.
    """

    energies: ComplexArray
    steps: ComplexArray
    delta_t: ComplexArray
    green: ComplexArray
    offsets: NDArray[np.intp]

    @property
    def number(self) -> int:
        """Number of sites."""
        return len(self.offsets) - 1

    def orbitals(self, site: int) -> slice:
        """The indices of a site."""
        return slice(int(self.offsets[site]), int(self.offsets[site + 1]))

    def only(self, *chosen: int) -> 'MagneticSites':
        """Some of the sites, the others remain in the Green function."""
        ranges = [np.arange(self.offsets[site], self.offsets[site + 1]) for site in chosen]
        kept = np.concatenate(ranges)
        return MagneticSites(
            self.energies,
            self.steps,
            self.delta_t[:, kept],
            self.green[:, :, kept[:, None], kept],
            np.cumsum([0, *(len(r) for r in ranges)]),
        )


def magnetic_sites(problem: ImpurityProblem, sites: Sequence[int]) -> MagneticSites:
    """Return the scattering of the given sites at the potential of the problem.

    :param sites: numbers of sites in the cluster, from 0.
    :raises InconsistentInputError: if the potential has one spin only, or the cluster has no such sites.
    """
    if problem.nspin != 2:
        raise InconsistentInputError('exchange interactions need a potential with two spins (NSPIN= 2)')
    if not sites or len(set(sites)) < len(sites) or not 0 <= min(sites) <= max(sites) < problem.natom:
        raise InconsistentInputError(f'the cluster has the sites 0 to {problem.natom - 1}, not {list(sites)}')
    ranges = [np.arange(problem.offsets[site], problem.offsets[site + 1]) for site in sites]
    kept = np.concatenate(ranges)
    t = np.stack([_t_matrices(problem, spin) for spin in (DOWN, UP)])
    return MagneticSites(
        energies=problem.contour.energies,
        steps=-0.5 * np.pi * problem.contour.weights,
        delta_t=(t[UP] - t[DOWN])[:, kept],
        green=np.stack([_green_function(problem.void_of(spin), t[spin], kept) for spin in (DOWN, UP)]),
        offsets=np.cumsum([0, *(len(r) for r in ranges)]),
    )


def _t_matrices(problem: ImpurityProblem, spin: int) -> ComplexArray:
    """Diagonal t matrices of all sites one after the other, shape (nE, N)."""
    blocks = [site[spin] for site in problem.potential.sites]
    return cluster_t(
        solve_single_site(block.v, block.mesh, block.z, int(lmax), problem.contour, problem.nspin)
        for block, lmax in zip(blocks, problem.lmax, strict=True)
    )


def _green_function(void: VoidGreenFunction, t: ComplexArray, kept: NDArray[np.intp]) -> ComplexArray:
    """G = (1 − G_void t)⁻¹ G_void between the kept indices, symmetric as G_void is; shape (nE, M, M)."""
    result = np.empty((len(t), kept.size, kept.size), dtype=np.complex128)
    for energy, t_energy in enumerate(t):
        g = void.at(energy)
        block = np.linalg.solve(np.eye(len(g)) - g * t_energy, g[:, kept])[kept]
        result[energy] = 0.5 * (block + block.T)
    return result


def exchange_by_orbital(sites: MagneticSites, i: int, j: int) -> ComplexArray:
    """Return what each energy and pair of orbitals adds to J_ij: J_ij = Im Σ, shape (nE, L_i, L_j) [Ry].

    :param i: number among the sites, from 0; ``j`` another one.
    """
    a, b = sites.orbitals(i), sites.orbitals(j)
    there, back = sites.green[UP][:, a, b], sites.green[DOWN][:, b, a].swapaxes(1, 2)
    scattering = sites.delta_t[:, a, None] * sites.delta_t[:, None, b]
    contributions: ComplexArray = (sites.steps / (2 * np.pi))[:, None, None] * scattering * there * back
    return contributions


def exchange_matrix(sites: MagneticSites) -> FloatArray:
    """Return J_ij of all pairs, shape (n, n), zero on the diagonal [Ry]."""
    j_matrix = np.zeros((sites.number, sites.number))
    for i in range(sites.number):
        for j in range(i):
            j_matrix[i, j] = j_matrix[j, i] = exchange_by_orbital(sites, i, j).sum().imag
    return j_matrix


def turning_energies(sites: MagneticSites, directions: FloatArray) -> FloatArray:
    """Return the grand potential of each configuration less that of the first, by Lloyd's formula, shape (n) [Ry].

    The potentials turn as they are, those of the other sites of the cluster stay. With the Green function G of the
    collinear cluster det(1 − G_void t) is, up to a factor, det(1 − G Δt) of the turned sites alone.

    :param directions: unit vectors, shape (n, sites, 3). From one configuration to the next the logarithm is continued,
        so that they must follow each other in small steps, of up to some 20 degrees.
    :raises ValueError: if the shape does not fit.
    """
    if directions.ndim != 3 or directions.shape[1:] != (sites.number, 3):
        raise ValueError(f'directions of shape {directions.shape} instead of (n, {sites.number}, 3)')
    logarithms = np.stack([_log_determinants(sites, vectors) for vectors in directions])
    continued = logarithms.real + 1j * np.unwrap(logarithms.imag, axis=0)
    energies: FloatArray = np.imag((continued - continued[0]) @ sites.steps) / np.pi
    return energies


def _log_determinants(sites: MagneticSites, vectors: FloatArray) -> ComplexArray:
    """Ln det(1 − G Δt) of each energy, on the principal branch; shape (nE,)."""
    e = np.repeat(vectors, np.diff(sites.offsets), axis=0)
    along, across = 0.5 * sites.delta_t * (e[:, 2] - 1), 0.5 * sites.delta_t * (e[:, 0] - 1j * e[:, 1])
    back = 0.5 * sites.delta_t * (e[:, 0] + 1j * e[:, 1])
    up, down = sites.green[UP], sites.green[DOWN]
    product = np.concatenate(
        [
            np.concatenate([up * along[:, None], up * across[:, None]], axis=2),
            np.concatenate([down * back[:, None], -down * along[:, None]], axis=2),
        ],
        axis=1,
    )
    return log_determinant(product)
