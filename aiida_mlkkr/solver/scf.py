"""Self-consistency of an impurity cluster: one iteration, and the sequence of iterations."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from .config import KkrimpConfig
from .core import CoreSolution, solve_core
from .density import ValenceDensity, valence_density
from .dyson import onsite_blocks
from .electrostatics import add_intercell, coulomb_energy, intracell_potential
from .errors import ScfBreakdownError
from .exchange_correlation import exchange_correlation
from .mixing import PotentialError, Potentials, QuasiNewton, mix_simply, potential_error
from .problem import ImpurityProblem
from .quadrature import simpson_weights
from .scattering import cluster_t, solve_single_site

FloatArray = NDArray[np.float64]

SPIN_SIGNS = np.array([1.0, -1.0])
"""How a magnetic field shifts the potentials of the two spins; with one spin there is nothing to split."""

SPIN_NAMES = {1: ('both spins',), 2: ('spin down', 'spin up')}


@dataclass(frozen=True)
class SiteEnergies:
    """Contributions of one site to the total energy [Ry].

    :param core: ESPC, sum of core energies per spin and l, shape (nspin, 4).
    :param valence: ESPV, ∫(E − E_F) n_l(E) dE per spin and l, shape (nspin, lmax+1).
    :param coulomb: ECOU; ``exchange_correlation``: EXC; ``potential``: EPOT = −∫ρ V_in.
    """

    core: FloatArray
    valence: FloatArray
    coulomb: float
    exchange_correlation: float
    potential: float

    @property
    def single_particle(self) -> float:
        """Sum of core and valence energies."""
        return float(self.core.sum() + self.valence.sum())

    @property
    def total(self) -> float:
        """Contribution of the site to the total energy."""
        return self.single_particle + self.coulomb + self.exchange_correlation + self.potential


@dataclass(frozen=True)
class SiteResult:
    """What one iteration finds at one site.

    :param charge: electrons in the sphere, core included; ``moment`` up minus down [µB].
    :param core: core states per spin.
    :param valence_charges: valence electrons per l and spin, shape (lmax+1, nspin).
    :param dos: complex density of states, shape (nspin, lmax+1, nE).
    :param potential: new V without −2Z/r, shape (nspin, n) [Ry], not mixed.
    """

    charge: float
    moment: float
    core: tuple[CoreSolution, ...]
    valence_charges: FloatArray
    dos: NDArray[np.complex128]
    energies: SiteEnergies
    potential: FloatArray


@dataclass(frozen=True)
class Iteration:
    """One iteration: results per site, error of the input potential and the mixed potential for the next one."""

    number: int
    sites: tuple[SiteResult, ...]
    error: PotentialError
    mixed: Potentials

    @property
    def total_energy(self) -> float:
        """Total energy [Ry]."""
        return sum(site.energies.total for site in self.sites)


def iterate(problem: ImpurityProblem, config: KkrimpConfig) -> Iterator[Iteration]:
    """Yield iteration after iteration until the error is below QBOUND or SCFSTEPS is reached.

    :raises ScfBreakdownError: if the new potential is not finite, or the Dyson equation has no solution.
    :raises CoreStateError: if a core state cannot be found.
    """
    potentials = [np.stack([block.v for block in site]) for site in problem.potential.sites]
    core_states = [[block.core for block in site] for site in problem.potential.sites]
    accelerate = QuasiNewton(config.imix, config.mixfac, config.itdbry) if config.imix >= 3 else None
    for number in range(1, config.scfsteps + 1):
        field = config.hfield if number <= config.hfield_iterations else 0.0
        shifted = [v + field * SPIN_SIGNS[: problem.nspin, None] for v in potentials]
        if 'accumulate_hfield' in config.test_flags:
            potentials = shifted
        try:
            densities = valence_densities(problem, shifted)
        except np.linalg.LinAlgError as singular:
            raise ScfBreakdownError(f'iteration {number}: the Dyson equation has no solution') from singular
        cores = [
            tuple(
                solve_core(
                    v[spin],
                    mesh,
                    z,
                    core_states[site][spin],
                    problem.nspin,
                    relativistic=config.relativistic,
                    where=f'site {site + 1}, {SPIN_NAMES[problem.nspin][spin]}',
                )
                for spin in range(problem.nspin)
            )
            for site, (v, mesh, z) in enumerate(zip(potentials, problem.meshes, problem.z, strict=True))
        ]
        sites = new_sites(problem, config, potentials, densities, cores)
        new = [site.potential for site in sites]
        error = potential_error(new, potentials, problem.meshes)
        if not np.isfinite(error.largest):
            raise ScfBreakdownError(
                f'iteration {number}: the potential is not a number any more; the start potential or the mixing '
                'led the iterations astray. Reduce MIXFAC, use simple mixing for the first iterations '
                '(NSIMPLEMIXFIRST), or begin from another start potential'
            )
        mixed = mix_simply(new, potentials, config.mixfac, config.fcm)
        if accelerate is not None and number > config.nsimplemixfirst:
            mixed = accelerate(mixed, potentials, problem.meshes)
        yield Iteration(number, sites, error, mixed)
        if error.largest < config.qbound:
            return
        potentials = mixed
        core_states = [[core.states for core in site] for site in cores]


def valence_densities(problem: ImpurityProblem, potentials: Potentials) -> list[list[ValenceDensity]]:
    """Return the valence density of every site and spin, ``[site][spin]``."""
    contour = problem.contour
    weights = contour.weights / problem.nspin
    densities: list[list[ValenceDensity]] = [[] for _ in range(problem.natom)]
    for spin in range(problem.nspin):
        solutions = [
            solve_single_site(v[spin], mesh, z, int(lmax), contour, problem.nspin)
            for v, mesh, z, lmax in zip(potentials, problem.meshes, problem.z, problem.lmax, strict=True)
        ]
        blocks = onsite_blocks(problem.void_of(spin), cluster_t(solutions), problem.offsets)
        for site, solution in enumerate(solutions):
            densities[site].append(valence_density(solution, blocks[site], weights, contour.inverse_c2))
    return densities


def new_sites(
    problem: ImpurityProblem,
    config: KkrimpConfig,
    potentials: Potentials,
    densities: list[list[ValenceDensity]],
    cores: list[tuple[CoreSolution, ...]],
) -> tuple[SiteResult, ...]:
    """Return charges, energies and the new potential of every site."""
    rho = [_charge_and_spin(valence, core) for valence, core in zip(densities, cores, strict=True)]
    intracells = [intracell_potential(site[0], mesh) for site, mesh in zip(rho, problem.meshes, strict=True)]
    size = problem.host_coefficients.shape[1]
    moments = np.zeros((problem.natom, size))
    for site, intracell in enumerate(intracells):
        moments[site, : intracell.moments.size] = intracell.moments
    a_matrix, b_matrix = problem.coupling
    outside = problem.host_coefficients + np.einsum('ijkl,jl->ik', a_matrix, moments)
    outside += np.einsum('ijk,j->ik', b_matrix, problem.z)
    sites = []
    for site, (intracell, mesh) in enumerate(zip(intracells, problem.meshes, strict=True)):
        hartree = add_intercell(intracell, outside[site, : intracell.moments.size], mesh)
        v_xc, e_xc = exchange_correlation(rho[site], mesh, config.xc_kind)
        dos = np.stack([density.dos for density in densities[site]])
        weights = problem.contour.weights / problem.nspin
        above_fermi = problem.contour.energies - problem.contour.fermi_energy
        integrate = simpson_weights(mesh.n) * mesh.drdi
        energies = SiteEnergies(
            core=np.stack([core.energy_by_l for core in cores[site]]),
            valence=np.imag(dos @ (weights * above_fermi)),
            coulomb=coulomb_energy(rho[site][0], hartree, intracell.moments, problem.z[site], mesh),
            exchange_correlation=e_xc,
            potential=_potential_energy(rho[site], potentials[site], integrate),
        )
        sites.append(
            SiteResult(
                charge=sqrt(4 * pi) * float(rho[site][0, 0] @ integrate),
                moment=sqrt(4 * pi) * float(rho[site][1, 0] @ integrate) if problem.nspin == 2 else 0.0,
                core=cores[site],
                valence_charges=np.imag(dos @ weights).T,
                dos=dos,
                energies=energies,
                potential=hartree[0] / sqrt(4 * pi) + v_xc + problem.vbc,
            )
        )
    return tuple(sites)


def _charge_and_spin(valence: list[ValenceDensity], core: tuple[CoreSolution, ...]) -> FloatArray:
    """Charge and (with two spins) spin density times r², core included, shape (nspin, L, n)."""
    spins = np.stack([density.rho for density in valence])
    for spin, solution in enumerate(core):
        spins[spin, 0] += solution.density / sqrt(4 * pi)
    if len(core) == 1:
        return spins
    return np.stack([spins[0] + spins[1], spins[1] - spins[0]])


def _potential_energy(rho: FloatArray, potential: FloatArray, integrate: FloatArray) -> float:
    """EPOT = −∫ Σ_σ ρ_σ V_σ of the spherical input potential without −2Z/r [Ry]."""
    charge = 0.5 * (potential[0] + potential[-1])
    energy = rho[0, 0] * charge
    if len(rho) == 2:
        energy = energy + rho[1, 0] * 0.5 * (potential[1] - potential[0])
    return -sqrt(4 * pi) * float(energy @ integrate)
