"""The standard start potential: any impurity in any host, from free atoms and the host's potential.

On a site where the impurity's nuclear charge is not the host's,

    V(r) = V_host(r) + V_atom(Z; r) - V_atom(Z_host; r),

with the potentials of neutral free atoms (see :mod:`aiida_mlkkr.solver.atom`) in the configuration that they have in a
metal. What the crystal does to an atom is taken over from the host, what distinguishes the elements comes from the
atoms; both atoms are neutral and share the zero of energy at infinity, so nothing is left to align. All other sites
keep the host's potential. With JuKKR this is the task of the voronoi code, whose start potentials know nothing of the
host.

Units: Rydberg and Bohr.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import L_LETTERS, symbol
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import AtomicPotential, CoreState, ImpurityPotential
from aiida_mlkkr.kkr.shapes import values_of, with_values

from .atom import (
    AtomSolution,
    AtomState,
    Filling,
    check_element,
    configuration,
    metallic_configuration,
    smooth_configuration,
    solve_atom,
)
from .core import CoreStateError, solve_core
from .errors import InconsistentInputError
from .xc import VWN, lsda

FloatArray = NDArray[np.float64]

# Self-consistency lifts shallow s and p shells (2s of N, 3p of K, 5p of Ba in Cu by 0.4 Ry): just below the contour
# they are on their way into it. Narrow d and f shells there stay, or are lost for the contour if they are not core.
_RISE_OF_SP_SHELLS = 0.05

_SPIN_WORDS = {1: ('',), 2: ('SPIN DOWN', 'SPIN UP')}


def standard_start(
    z: Sequence[float] | FloatArray,
    lmax: Sequence[int] | NDArray[np.int64],
    host: ImpurityPotential,
    contour_bottom: float,
    moments: Sequence[float] | FloatArray | None = None,
    nspin: int | None = None,
    kind: int = VWN,
) -> ImpurityPotential:
    """Start potential of a cluster of impurities and host atoms.

    Both spins are alike on an impurity, unless ``moments`` asks for a splitting; host atoms keep the host's. Bound
    states below the bottom of the energy contour become core states, all others are left to the valence.

    :param z: (natom,) nuclear charges of the sites; 0 for a vacancy
    :param lmax: (natom,) angular-momentum cutoffs of the sites
    :param host: the host's potential in the atomic-sphere approximation, such as ``out_potential`` of the host
        calculation: one site for each site of the cluster, or a single one if all sites of the host are alike
    :param contour_bottom: lowest energy of the contour (Ry): the smallest real part of the energies of kkrflex_green
    :param moments: (natom,) spin moments (mu_B) to start with on the sites, 0 where there is none
    :param nspin: number of spins of the start potential; the host's if None
    :param kind: exchange-correlation functional, a value of :data:`aiida_mlkkr.solver.xc.XC_KINDS`
    :raises InconsistentInputError: the host does not fit the sites or is full potential, or a site cannot have the
        moment or the shells of its element
    :raises AtomError: a nuclear charge is not one of the elements 1 to 92
    """
    nspin = host.nspin if nspin is None else nspin
    moments = np.zeros(len(z)) if moments is None else np.asarray(moments, dtype=np.float64)
    _check(host, len(z), len(lmax), moments, nspin)
    sites = []
    for number, (charge, cutoff, moment) in enumerate(zip(z, lmax, moments, strict=True), start=1):
        blocks = _with_spins(host.sites[0 if host.natom == 1 else number - 1], nspin)
        try:
            if charge != blocks[0].z:
                blocks = _replace_element(blocks, charge, int(cutoff), contour_bottom, kind)
            if moment:
                blocks = _split_spins(blocks, moment, kind)
        except InconsistentInputError as error:
            raise InconsistentInputError(f'start potential of site {number}: {error}') from error
        sites.append(blocks)
    return ImpurityPotential(tuple(sites))


def free_moment(z: int) -> float:
    """Spin moment (mu_B) of the free atom's open d or f shell by Hund's first rule: 4 for Fe, 7 for Gd, 0 for Al.

    A guess for the start: a moment that is too large falls to the right one within some iterations, one that is too
    small may not rise.

    :raises AtomError: z is not an element from 1 to 92
    """
    unpaired = [min(electrons, 4 * ell + 2 - electrons) for _, ell, electrons in configuration(z) if ell > 1]
    return float(max(unpaired, default=0.0))


def host_of_cluster(host: ImpurityPotential, layers: Sequence[int] | NDArray[np.int64]) -> ImpurityPotential:
    """The host's potential on every site of a cluster.

    :param host: potential of the host calculation, one block (and spin) for each atom of its cell
    :param layers: (natom,) which atom of the cell, counted from 1, a site of the cluster is (``ImpurityCluster.layer``)
    :raises InconsistentInputError: the cell has fewer atoms
    """
    if max(layers) > host.natom:
        raise InconsistentInputError(
            f'the cluster has sites of atom {max(layers)} of the cell, but the host potential has {host.natom} atoms'
        )
    return ImpurityPotential(tuple(host.sites[layer - 1] for layer in layers))


def reference_potential(
    z: Sequence[float] | FloatArray, host: ImpurityPotential, kind: int = VWN
) -> tuple[FloatArray, ...]:
    """Spin-averaged potential of a cluster that models learn the difference to: the host, and free atoms.

    The standard start potential but for the free atoms' configuration, which has no step along a row of transition
    metals (:func:`aiida_mlkkr.solver.atom.smooth_configuration`): a difference to it can be interpolated.

    In full potential the host keeps its components lm > 1, and the atoms are cut off at the boundary of the cell.

    :param z: (natom,) nuclear charges of the sites; 0 for a vacancy
    :param host: the host's potential on its true radial meshes, one site for each site of the cluster
    :return: potential (size,) of each site in Ry, without -2Z/r
    :raises AtomError: a nuclear charge is not one of the elements 1 to 92
    """
    potentials = []
    for charge, blocks in zip(z, host.sites, strict=True):
        v: FloatArray = np.mean([values_of(block, block.mesh) for block in blocks], axis=0)
        if charge != blocks[0].z:
            v = v + _exchange_of_atoms(charge, blocks[0].z, blocks[0].mesh, kind)
        potentials.append(v)
    return tuple(potentials)


def _exchange_of_atoms(charge: float, host: float, mesh: RadialMesh, kind: int) -> FloatArray:
    """Potential (size,) of a free atom in place of another; what is cut off is the whole potential, with -2Z/r."""
    change = _atomic(charge, mesh, kind, smooth_configuration) - _atomic(host, mesh, kind, smooth_configuration)
    nuclear = np.zeros(mesh.n)
    nuclear[1:] = 2.0 * (charge - host) / mesh.r[1:]
    values = mesh.of_cell(change - nuclear)
    values[: mesh.n] += nuclear
    return values


def cluster_potential(
    z: Sequence[float] | FloatArray,
    lmax: Sequence[int] | NDArray[np.int64],
    host: ImpurityPotential,
    contour_bottom: float,
    v: Sequence[FloatArray],
) -> ImpurityPotential:
    """A potential file's content from the radial potentials of a cluster's sites, with the core states that they bind.

    :param z: (natom,) nuclear charges of the sites; ``lmax`` (natom,) their angular-momentum cutoffs
    :param host: the host's potential on its true meshes, one site for each site of the cluster
    :param contour_bottom: lowest energy of the contour in Ry
    :param v: potential (nspin, size) of each site in Ry, spin down first, without -2Z/r
    :raises InconsistentInputError: an element has a shell that is neither core nor valence
    """
    sites = []
    for charge, cutoff, blocks, spins in zip(z, lmax, host.sites, v, strict=True):
        block = blocks[0]
        core = block.core
        if charge != block.z:
            mesh = block.mesh.muffin_tin
            mean = spins.mean(axis=0)[: mesh.n]
            core = start_core_states(mean, mesh, int(charge), int(cutoff), contour_bottom) if charge else ()
        sites.append(
            tuple(
                with_values(dataclasses.replace(block, title=_title(charge, words), z=float(charge), core=core), values)
                for words, values in zip(_SPIN_WORDS[len(spins)], spins, strict=True)
            )
        )
    return ImpurityPotential(tuple(sites))


def start_core_states(
    v: FloatArray, mesh: RadialMesh, z: int, lmax: int, contour_bottom: float
) -> tuple[CoreState, ...]:
    """The core states of an atom, ordered by l: its shells that are bound below the contour, or beyond the cutoff.

    A closed shell with l > lmax cannot be valence, so it is core wherever it is bound (4f of Lu and Hf with lmax 2).

    :param v: (n,) spherical potential without -2Z/r in Ry
    :raises InconsistentInputError: an open shell has l > lmax, or a closed one is not bound
    """
    atom = solve_atom(z, filling=metallic_configuration)
    states: list[CoreState] = []
    for ell in sorted({shell.l for shell in atom.states}):
        highest = 0.0 if ell > lmax else contour_bottom - (_RISE_OF_SP_SHELLS if ell < 2 else 0.0)
        bound: tuple[CoreState, ...] = ()
        for shell in (shell for shell in atom.states if shell.l == ell):
            try:
                found = solve_core(v, mesh, z, (*bound, CoreState(ell, shell.energy)), nspin=1).states
            except CoreStateError:
                found = (CoreState(ell, 0.0),)
            if found[-1].energy >= highest or (ell > lmax and shell.is_open):
                if ell > lmax:
                    raise InconsistentInputError(
                        f'the {shell.n}{L_LETTERS[ell]} shell of {atom.symbol} is neither a closed core shell nor '
                        f'within lmax={lmax}; use a host calculation with lmax={ell}'
                    )
                break
            bound = found
        states += bound
    return tuple(states)


def _check(host: ImpurityPotential, natom: int, ncutoffs: int, moments: FloatArray, nspin: int) -> None:
    if nspin not in _SPIN_WORDS:
        raise InconsistentInputError(f'a potential has one or two spins, not {nspin}')
    if host.is_full_potential:
        raise InconsistentInputError(
            'the standard start potential needs a host in the atomic-sphere approximation (INS=0), not full potential'
        )
    if host.natom not in (1, natom):
        raise InconsistentInputError(
            f'the host potential has {host.natom} sites and the cluster {natom}: give one host site for each of them'
        )
    if ncutoffs != natom or moments.shape != (natom,):
        raise InconsistentInputError(f'{ncutoffs} values of lmax and {moments.size} start moments for {natom} sites')
    if nspin == 1 and moments.any():
        raise InconsistentInputError('start moments need two spins (NSPIN=2)')


def _with_spins(blocks: tuple[AtomicPotential, ...], nspin: int) -> tuple[AtomicPotential, ...]:
    """The blocks of one host site for the wanted number of spins."""
    if len(blocks) == nspin:
        return blocks
    mean = _mean(blocks)
    return tuple(
        dataclasses.replace(blocks[0], title=_title(blocks[0].z, words), v=mean) for words in _SPIN_WORDS[nspin]
    )


def _replace_element(
    blocks: tuple[AtomicPotential, ...], charge: float, lmax: int, contour_bottom: float, kind: int
) -> tuple[AtomicPotential, ...]:
    host = blocks[0]
    v = _mean(blocks) + _atomic(charge, host.mesh, kind) - _atomic(host.z, host.mesh, kind)
    core = start_core_states(v, host.mesh, int(charge), lmax, contour_bottom) if charge else ()
    return tuple(
        dataclasses.replace(host, title=_title(charge, words), z=float(charge), core=core, v=v)
        for words in _SPIN_WORDS[len(blocks)]
    )


def _split_spins(blocks: tuple[AtomicPotential, ...], moment: float, kind: int) -> tuple[AtomicPotential, ...]:
    """Add the exchange splitting of a moment (mu_B) in the atom's magnetic shell; a positive moment lowers spin up."""
    down, up = blocks
    if not down.z:
        raise InconsistentInputError('a vacancy cannot start with a spin moment')
    atom = solve_atom(check_element(down.z), kind, filling=metallic_configuration)
    shell = _magnetic_shell(atom)
    capacity = 2 * atom.states[shell].l + 1
    if not abs(moment) <= capacity:
        raise InconsistentInputError(
            f'a start moment of {moment:g} mu_B is more than the {capacity} mu_B that a shell of {atom.symbol} carries'
        )
    r = np.maximum(down.mesh.r, atom.r[0])
    density = atom.density_at(r)
    spin_density = moment * atom.shell_density_at(shell, r)
    _, v_down, v_up = lsda(density, spin_density, kind)
    half = 0.5 * (v_down - v_up)
    return dataclasses.replace(down, v=down.v + half), dataclasses.replace(up, v=up.v - half)


def _magnetic_shell(atom: AtomSolution) -> int:
    """Index of the shell that carries the moment: the open one of highest l, or the outermost of closed shells."""

    def rank(indexed: tuple[int, AtomState]) -> tuple[bool, int, int]:
        _, state = indexed
        return state.is_open, state.l if state.is_open else 0, state.n

    return max(enumerate(atom.states), key=rank)[0]


def _atomic(charge: float, mesh: RadialMesh, kind: int, filling: Filling = metallic_configuration) -> FloatArray:
    """Potential of the free atom on the mesh, without -2Z/r; nothing for a vacancy.

    At the nucleus it diverges weakly, as the relativistic density does; there it is extrapolated like JuKKR's.
    """
    if charge == 0:
        return np.zeros(mesh.n)
    r = mesh.r
    v = solve_atom(check_element(charge), kind, filling).potential_at(r)
    v[0] = v[1] - r[1] * (v[2] - v[1]) / (r[2] - r[1])
    return v


def _mean(blocks: tuple[AtomicPotential, ...]) -> FloatArray:
    mean: FloatArray = np.mean([block.v for block in blocks], axis=0)
    return mean


def _title(charge: float, words: str) -> str:
    """First 28 characters of JuKKR's title line, padded: element, ``POTENTIAL``, spin."""
    return f'{symbol(charge):_<2}{int(charge):02d} POTENTIAL {words}'.ljust(28)
