"""The standard start potential: any impurity in any host, from free atoms and the host's potential.

On a site where the impurity's nuclear charge is not the host's,

    V(r) = V_host(r) + V_atom(Z; r) - V_atom(Z_host; r),

with the potentials of neutral free atoms (see :mod:`aiida_mlkkr.solver.atom`) in the configuration that they have in a metal.
What the crystal does to an atom is taken over from the host, what distinguishes the elements comes from the atoms; both
atoms are neutral and share the zero of energy at infinity, so nothing is left to align. All other sites keep the host's
potential. Where JuKKR is used, the voronoi code has this task; it starts from overlapping atoms without the host.

Units: Rydberg and Bohr.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import AtomicPotential, CoreState, ImpurityPotential

from .atom import AtomSolution, AtomState, check_element, solve_atom
from .core import CoreStateError, solve_core
from .errors import InconsistentInputError
from .xc import VWN, lsda

_SPIN_WORDS = {1: ('',), 2: ('SPIN DOWN', 'SPIN UP')}


def standard_start(
    z: Sequence[float] | NDArray[np.float64],
    host: ImpurityPotential,
    contour_bottom: float,
    moments: Sequence[float] | NDArray[np.float64] | None = None,
    nspin: int | None = None,
    kind: int = VWN,
) -> ImpurityPotential:
    """Start potential of a cluster of impurities and host atoms.

    The spins are equal unless ``moments`` is given, for sites that keep the host's element as they are in the host. Bound
    states below the bottom of the energy contour become core states, all others are left to the valence.

    :param z: (natom,) nuclear charges of the sites; 0 for a vacancy
    :param host: the host's potential in the atomic-sphere approximation, one block (and spin) per site, or one site if all sites
        of the host are alike; such as ``out_potential`` of the host calculation
    :param contour_bottom: lowest energy of the contour (Ry), such as the smallest real part of the energies of kkrflex_green
    :param moments: (natom,) spin moments (mu_B) to start with on the sites, 0 where there is none
    :param nspin: number of spins of the start potential; the host's if None
    :param kind: exchange-correlation functional, a value of :data:`aiida_mlkkr.solver.xc.XC_KINDS`
    :raises InconsistentInputError: the host does not fit the sites, is full potential, or the moments cannot be
    :raises AtomError: a nuclear charge is not one of the elements 1 to 92
    """
    nspin = host.nspin if nspin is None else nspin
    if nspin not in _SPIN_WORDS:
        raise InconsistentInputError(f'a potential has one or two spins, not {nspin}')
    if host.is_full_potential:
        raise InconsistentInputError(
            'the standard start potential needs a host in the atomic-sphere approximation (INS=0); this one is full potential'
        )
    if host.natom not in (1, len(z)):
        raise InconsistentInputError(
            f'the host potential has {host.natom} sites, the cluster {len(z)}: give one site of the host for each site of the cluster'
        )
    moments = np.zeros(len(z)) if moments is None else np.asarray(moments, dtype=np.float64)
    if moments.shape != (len(z),):
        raise InconsistentInputError(f'{moments.size} start moments for {len(z)} sites')
    if nspin == 1 and moments.any():
        raise InconsistentInputError('start moments need two spins (NSPIN=2)')
    sites = []
    for number, (charge, moment) in enumerate(zip(z, moments, strict=True), start=1):
        blocks = _with_spins(host.sites[0 if host.natom == 1 else number - 1], nspin)
        if charge != blocks[0].z:
            blocks = _replace_element(blocks, charge, contour_bottom, kind)
        if moment:
            try:
                blocks = _split_spins(blocks, moment, kind)
            except InconsistentInputError as error:
                raise InconsistentInputError(f'site {number}: {error}') from error
        sites.append(blocks)
    return ImpurityPotential(tuple(sites))


def start_core_states(v: NDArray[np.float64], mesh: RadialMesh, z: int, contour_bottom: float) -> tuple[CoreState, ...]:
    """The core states of an atom: those of its occupied shells that are bound below the contour, ordered by l.

    :param v: (n,) spherical potential without -2Z/r in Ry
    """
    atom = solve_atom(z, metallic=True)
    states: list[CoreState] = []
    for angular in sorted({shell.l for shell in atom.states}):
        of_this_l: tuple[CoreState, ...] = ()
        for shell in (shell for shell in atom.states if shell.l == angular):
            try:
                energies = solve_core(v, mesh, z, (*of_this_l, CoreState(angular, shell.energy)), nspin=1).energies
            except CoreStateError:
                break
            if energies[-1] >= contour_bottom:
                break
            of_this_l = tuple(CoreState(angular, energy) for energy in energies)
        states += of_this_l
    return tuple(states)


def _with_spins(blocks: tuple[AtomicPotential, ...], nspin: int) -> tuple[AtomicPotential, ...]:
    """The blocks of one host site for the wanted number of spins."""
    if len(blocks) == nspin:
        return blocks
    mean = _mean(blocks)
    return tuple(dataclasses.replace(blocks[0], title=_title(blocks[0].z, words), v=mean) for words in _SPIN_WORDS[nspin])


def _replace_element(
    blocks: tuple[AtomicPotential, ...], charge: float, contour_bottom: float, kind: int
) -> tuple[AtomicPotential, ...]:
    host = blocks[0]
    v = _mean(blocks) + _atomic(charge, host.mesh, kind) - _atomic(host.z, host.mesh, kind)
    core = start_core_states(v, host.mesh, int(charge), contour_bottom) if charge else ()
    return tuple(
        dataclasses.replace(host, title=_title(charge, words), z=float(charge), core=core, v=v)
        for words in _SPIN_WORDS[len(blocks)]
    )


def _split_spins(blocks: tuple[AtomicPotential, ...], moment: float, kind: int) -> tuple[AtomicPotential, ...]:
    """Add the exchange splitting of a spin moment (mu_B) in the atom's magnetic shell; a positive moment lowers spin up."""
    down, up = blocks
    if not down.z:
        raise InconsistentInputError('a vacancy cannot start with a spin moment')
    atom = solve_atom(check_element(down.z), kind, metallic=True)
    shell = _magnetic_shell(atom)
    capacity = 2 * atom.states[shell].l + 1
    if not abs(moment) <= capacity:
        raise InconsistentInputError(
            f'a start moment of {moment:g} mu_B is more than the {capacity} mu_B that a shell of {atom.symbol} can carry'
        )
    r = np.maximum(down.mesh.r, atom.r[0])
    density = atom.density_at(r)
    spin_density = moment * atom.shell_density_at(shell, r)
    _, v_down, v_up = lsda(density, spin_density, kind)
    half = 0.5 * (v_down - v_up)
    return dataclasses.replace(down, v=down.v + half), dataclasses.replace(up, v=up.v - half)


def _magnetic_shell(atom: AtomSolution) -> int:
    """Index of the shell that carries the moment: the open shell of highest l, or the outermost one of a closed-shell atom."""

    def rank(indexed: tuple[int, AtomState]) -> tuple[bool, int, int]:
        _, state = indexed
        is_open = state.occupation < 4 * state.l + 2
        return (is_open, state.l if is_open else 0, state.n)

    return max(enumerate(atom.states), key=rank)[0]


def _atomic(charge: float, mesh: RadialMesh, kind: int) -> NDArray[np.float64]:
    """Potential of the free atom on the mesh, without -2Z/r; nothing for a vacancy."""
    if charge == 0:
        return np.zeros(mesh.n)
    return solve_atom(check_element(charge), kind, metallic=True).potential_at(mesh.r)


def _mean(blocks: tuple[AtomicPotential, ...]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean([block.v for block in blocks], axis=0)
    return mean


def _title(charge: float, words: str) -> str:
    """First 28 characters of JuKKR's title line, padded: element, ``POTENTIAL``, spin."""
    return f'{symbol(charge):_<2}{int(charge):02d} POTENTIAL {words}'.ljust(28)
