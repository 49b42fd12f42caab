"""The sanity check of a result: is it a state that the electrons of a crystal can be in?

A self-consistency cycle can converge to any fixed point. If the potential drops so far that the d states fall below the
energy contour, they are not counted any more, and the error still goes to zero: Mn, Cr and Ni in Cu have converged to
18 electrons instead of 25, 23 and 28. The checks below rest on what must hold for every impurity, not on that case:

* screening: metallic or not, the electrons screen an impurity within its neighbours (Friedel), so a cluster that holds
  the neighbours is neutral, compared with the same sites of the host;
* no site gains or loses a large part of its valence electrons, and a host atom in the cluster stays near its charge;
* the d shell of a transition metal holds its electrons, and so does the s shell of an element right of it;
* moments obey Hund's limit, occupations Pauli's;
* core levels lie below the contour, in the order of their quantum numbers, none missing, none counted twice;
* the potential at a site's boundary lies somewhat below the Fermi energy, as the bottom of the conduction band does;
* nothing is NaN or infinite.

The largest values found in 60 clusters converged by JuKKR (48 impurities in Cu and Ag and a Mn pair in the
atomic-sphere approximation; ten impurities and a Mn pair in full potential), each at an intermediate criterion and at
the final one, are named with the limits. Units: Ry, electrons, Bohr magnetons.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import L_LETTERS, NOBLE_GASES, block, noble_gas_core, open_shell_electrons, shells, symbol
from aiida_mlkkr.kkr.history import ScfHistory
from aiida_mlkkr.kkr.potential import AtomicPotential, CoreState, ImpurityPotential

Floats = NDArray[np.float64]

CHARGE_PER_IMPURITY: Final = 0.5
"""Net charge (e) of a cluster, compared with the host, per impurity whose neighbours are in the cluster.

What is left at the cluster's boundary are Friedel oscillations, largest for impurities that do not fit into their cell:
0.09 for Sb in Cu, less in all other cases.
"""

CHARGE_PER_BARE_IMPURITY: Final = 2.0
"""The same without the neighbours: the screening charge lies outside of the cluster. 0.13 for Mn in a bare pair."""

NEIGHBOURS: Final = 4
"""Host sites per impurity in the cluster from which on it is screened inside: the first shell of the most open lattice
(diamond)."""

CHARGE_PER_SITE_OF_UNKNOWN_HOST: Final = 1.5
"""Net charge (e) per site where the host's own charges are unknown: those of a strongly ionic host are below it."""

LOST_ELECTRONS: Final = 3.0
"""Electrons that an atom may lose to its neighbours' cells. 1.24 for Zr in Cu, a large atom in a small cell."""

LOST_FRACTION: Final = 0.5
"""Part of its valence electrons that an atom with more than six of them may lose. 0.23 for Sb (five) in Cu."""

GAINED_ELECTRONS: Final = 2.0
"""Electrons that an atom may gain: no atom binds more than two. 0.28 for Ni in Ag."""

HOST_ATOM_CHANGE: Final = 1.0
"""Change of the charge (e) of a host atom beside an impurity. 0.11 for Cu beside Zr."""

S_SHELL_ELECTRONS: Final = 0.5
"""Electrons that the s states of an element of groups 13 to 18 hold at least, if they are valence states.

0.90 (Al in Cu, in full potential) or more in converged clusters; 0.15 to 0.21, the tails of the neighbours' states,
where the level lies below the contour: Se and Te in Cu as JuKKR has them in the archives; S, Se and I in Ag, I in Cu.
"""

D_SHELL_FRACTION: Final = 0.5
"""Part of the N - 2 electrons that the d states of a transition metal with N valence electrons hold at least.

From 0.97 (Cd in Cu) to 1.38 (Sc in Cu) in converged clusters; 0.02 in the false solution for Ni in Cu.
"""

MOMENT_EXCESS: Final = 1.0
"""Spin moment (Bohr magnetons) above Hund's limit: what polarised neighbours and a changed occupation can add.

0.05 for Zn in Ag after an initial field, else below; Mn in Ag comes to 4.23 of 5.
"""

OCCUPATION_EXCESS: Final = 0.1
"""Relative excess over Pauli's limit: a cell holds tails of its neighbours' states too. 0.01 for d states, Zn in Ag."""

NEGATIVE_OCCUPATION: Final = 0.05
"""Negative number of electrons (e) that a contour integral may give by its error; the smallest true one is 0.11."""

CORE_CHARGE_ERROR: Final = 0.05
"""Core electrons (e) that may be missing in a cell: a core state ends inside of it. 0.000 in all cases."""

CORE_CLEARANCE: Final = 0.05
"""Distance (Ry) of a core level from the contour's bottom, half the width of the bands of semicore states.

0.43 (4p of Y in Cu) or more in converged clusters; 0.007 in the run of Ga in Cu (3d) that did not converge. A level
whose l is larger than lmax, such as an open f shell as core, is not among the valence states and may lie inside.
"""

EDGE_BELOW_FERMI: Final = 5.0
"""Depth (Ry) below the Fermi energy of the potential at a site's boundary.

The bottom of the conduction band lies there; no valence band is 5 Ry wide. 0.4 to 1.1 in converged clusters, 25 to 32
in the false solution for Ni in Cu.
"""

EDGE_ABOVE_FERMI: Final = 2.0
"""Height (Ry) above the Fermi energy of the potential at a site's boundary: work function or band gap at most."""

SEMICORE_DEPTH: Final = (0.7, 0.25)
"""Lower bound a + b (n - 1) (Ry) of the depth of the outermost noble-gas p shell below the Fermi energy.

n is the number of electrons outside of the noble-gas core, f electrons left out. Found: 1.6 (Y, bound 1.2), 3.4 (Mn,
2.2), 4.7 (Cd, 3.45). Rb and Cs come next to the bound with 1.2 and 0.95.
"""

_RETRY: Final = (
    'Restart from a sane potential (the standard start, or the last sane one) with simple mixing of about 0.03, '
    'Anderson mixing only below an error of 1e-2, and an initial field of at most 0.02 Ry.'
)
_CORE_RETRY: Final = (
    'Check the start potential: its core states must be those shells of the element that lie below the energy contour.'
)
_S_RETRY: Final = (
    'Restart from a potential with the s level inside of the contour (the standard start has it for some elements), or '
    "put the bottom of the host's contour (EMIN) below the level."
)
_CONTOUR_RETRY: Final = (
    "Put the bottom of the host's energy contour (EMIN) into a gap, well above the core level or well below it: the "
    'level is then either a core state or a valence state.'
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a result: a short name for programs, what was found, and what to try."""

    name: str
    finding: str
    remedy: str

    @property
    def message(self) -> str:
        """Finding and remedy."""
        return f'{self.finding}. {self.remedy}'


@dataclass(frozen=True, eq=False)
class HostReference:
    """Nuclear charges and charges (core included) of the host's own atoms on the sites of the cluster, each (ntot,).

    :param kept: (ntot,) False where the impurity cluster has no atom; all True if None.
    """

    z: Floats
    charge: Floats
    kept: NDArray[np.bool_] | None = None

    @property
    def on_kept_sites(self) -> tuple[Floats, Floats]:
        """Nuclear charges and charges on the sites that the impurity cluster occupies."""
        return (self.z, self.charge) if self.kept is None else (self.z[self.kept], self.charge[self.kept])


@dataclass(frozen=True, eq=False)
class ClusterResult:
    """The final state of a cluster of n sites, as far as it is known; None where it is not.

    :param z: nuclear charges (n,).
    :param charge: electrons in each cell, core included (n,).
    :param core_charge: core electrons in each cell (n,).
    :param spin_moment: spin moments (n,).
    :param l_charge: valence electrons by site, spin and l (n, nspin, lmax + 1).
    :param core: core levels ``[site][spin]``.
    :param edge: potential at the boundary of each site, nuclear part included (n, nspin), in Ry.
    :param potential_finite: whether all numbers of the potential are finite.
    :param total_energy: in Ry.
    :param error: error of the potential, the larger one of charge and spin part.
    :param contour_bottom: lowest energy of the contour in Ry.
    :param efermi: Fermi energy in Ry.
    :param host: the host's atoms on the same sites.
    :raises ValueError: if the arrays do not belong to the same number of sites.
    """

    z: Floats
    charge: Floats
    core_charge: Floats | None = None
    spin_moment: Floats | None = None
    l_charge: Floats | None = None
    core: tuple[tuple[tuple[CoreState, ...], ...], ...] | None = None
    edge: Floats | None = None
    potential_finite: bool = True
    total_energy: float | None = None
    error: float | None = None
    contour_bottom: float | None = None
    efermi: float | None = None
    host: HostReference | None = None

    def __post_init__(self) -> None:
        n = len(self.z)
        per_site = (self.charge, self.core_charge, self.spin_moment, self.l_charge, self.core, self.edge)
        if any(values is not None and len(values) != n for values in per_site):
            raise ValueError(f'charges, moments, core states and potentials do not all belong to {n} sites')
        if self.host is not None and len(self.host.on_kept_sites[0]) != n:
            raise ValueError(f'the host reference does not belong to {n} sites')

    @classmethod
    def from_run(
        cls, history: ScfHistory, potential: ImpurityPotential | None = None, host: HostReference | None = None
    ) -> 'ClusterResult':
        """The state after the last complete iteration of a run.

        :param potential: the potential the run has written; without it neither core levels nor edges are known.
        :raises ValueError: if the run has no complete iteration, or if the potential or the host reference belong to
            another number of sites or other elements.
        """
        if not history.niter:
            raise ValueError('the run has no complete iteration')
        if not history.natom:
            raise ValueError('charges of the last iteration are missing')
        if potential is not None and potential.natom != history.natom:
            raise ValueError(f'{potential.natom} sites in the potential, {history.natom} in the log')
        z = history.nuclear_charge
        if potential is not None:
            in_potential = np.array([site[0].z for site in potential.sites])
            z = np.where(np.isnan(z), in_potential, z)
            if not np.allclose(z, in_potential, atol=1e-6):
                raise ValueError('nuclear charges of the potential and of the log differ')
        if not np.isfinite(z).all():
            raise ValueError('the nuclear charges are unknown')
        if np.isnan(history.charge[-1]).any() and not history.has_nan:
            raise ValueError('charges of the last iteration are missing')

        def known(values: Floats) -> Floats | None:
            return values[-1] if values.size and not np.isnan(values).all() else None

        energy = history.total_energy
        sites = () if potential is None else potential.sites
        return cls(
            z=z,
            charge=history.charge[-1],
            core_charge=known(history.core_charge),
            spin_moment=known(history.spin_moment),
            l_charge=known(history.l_charge),
            core=tuple(tuple(atom.core for atom in site) for site in sites) if sites else None,
            edge=np.array([[edge(atom) for atom in site] for site in sites]) if sites else None,
            potential_finite=all(np.isfinite(atom.v).all() for site in sites for atom in site),
            # it is printed last: a run that was killed may not have come to it
            total_energy=None if np.isnan(energy[-1]) and not history.has_nan else float(energy[-1]),
            error=float(history.error[-1]),
            contour_bottom=history.contour_bottom,
            efermi=sites[0][0].efermi if sites else None,
            host=host,
        )


def check_result(result: ClusterResult) -> tuple[Problem, ...]:
    """All that is wrong with a result, at most one problem of each name; empty if it is sane.

    A result that is not finite is not checked any further.
    """
    not_finite = _not_finite(result)
    if not_finite is not None:
        return (not_finite,)
    found = [check(result) for check in _CHECKS]
    return tuple(problem for problem in found if problem is not None)


def hund_limit(z: float) -> float:
    """Largest spin moment of an atom's open shells, all spins parallel that can be: 5 for Mn, 6 for Cr, 9 for Gd.

    The valence electrons share the s and d orbitals in a transition metal, the s and p orbitals in a main group; in a
    rare earth all of them but two or three are f electrons, and two of the others may be parallel to them.
    """
    number = round(z)
    electrons = open_shell_electrons(number)
    if block(number) == 'f':
        return max(min(f, 14 - f) for f in (electrons - 3, electrons - 2)) + 2.0
    capacity = 12 if block(number) == 'd' else 8
    return float(max(0, min(electrons, capacity - electrons)))


def edge(atom: AtomicPotential) -> float:
    """Potential with its nuclear part at the sphere's boundary, in full potential at the muffin-tin radius."""
    r = atom.mesh.r
    index = len(r) - 1
    if atom.nonspherical is not None:
        index = max(1, int(np.searchsorted(r, atom.rmtnew)) - 1)
    return float(atom.v[index] - 2.0 * atom.z / r[index])


def _site(index: int, z: float) -> str:
    return f'site {index + 1} ({symbol(z)})'


def _worst(name: str, findings: list[tuple[float, str]], remedy: str) -> Problem | None:
    """One problem out of findings on several sites, each with its severity: the worst one and the number of others."""
    if not findings:
        return None
    finding = max(findings, key=lambda item: item[0])[1]
    others = len(findings) - 1
    return Problem(
        name, finding + (f' ({others} more site{"s" if others > 1 else ""} alike)' if others else ''), remedy
    )


def _not_finite(result: ClusterResult) -> Problem | None:
    quantities: list[tuple[str, Floats | float | None]] = [
        ('charges', result.charge),
        ('core charges', result.core_charge),
        ('spin moments', result.spin_moment),
        ('valence charges by l', result.l_charge),
        ('total energy', result.total_energy),
        ('error of the potential', result.error),
        ('potential at the boundary of a site', result.edge),
    ]
    names = [name for name, values in quantities if values is not None and not np.isfinite(values).all()]
    levels = [state.energy for site in result.core or () for spin in site for state in spin]
    if not np.isfinite(levels).all():
        names.append('core levels')
    if not result.potential_finite:
        names.append('potential')
    return Problem('not_finite', f'NaN or infinite: {", ".join(names)}', _RETRY) if names else None


def _site_charges(result: ClusterResult) -> Problem | None:
    findings = []
    for index, (z, charge) in enumerate(zip(result.z, result.charge, strict=True)):
        excess = charge - z
        valence = open_shell_electrons(round(z))
        limit = max(LOST_ELECTRONS, LOST_FRACTION * valence)
        if excess > GAINED_ELECTRONS:
            text = (
                f'{_site(index, z)} holds {charge:.2f} electrons, {excess:.2f} more than its nuclear charge; no atom '
                f'binds more than {GAINED_ELECTRONS:g} (are states counted both as core and as valence states?)'
            )
            findings.append((excess, text))
        elif -excess > limit:
            text = (
                f'{_site(index, z)} holds {charge:.2f} electrons, {-excess:.2f} fewer than its nuclear charge; of '
                f'{valence} valence electrons it cannot lose more than {limit:g} (have valence states fallen below the '
                'bottom of the energy contour?)'
            )
            findings.append((-excess, text))
    return _worst('site_charge', findings, _RETRY)


def _host_atoms(result: ClusterResult) -> Problem | None:
    if result.host is None:
        return None
    findings = []
    host_z, host_charge = result.host.on_kept_sites
    for index, z in enumerate(result.z):
        change = float(result.charge[index] - host_charge[index])
        if abs(z - host_z[index]) < 1e-6 and abs(change) > HOST_ATOM_CHANGE:
            text = (
                f'the charge of {_site(index, z)}, an atom of the host, has changed by {change:+.2f} electrons; the '
                f'screening of an impurity changes it by less than {HOST_ATOM_CHANGE:g}'
            )
            findings.append((abs(change), text))
    return _worst('host_atom_charge', findings, _RETRY)


def _neutrality(result: ClusterResult) -> Problem | None:
    natom = len(result.z)
    excess = float(np.sum(result.charge - result.z))
    if result.host is None:
        limit = CHARGE_PER_SITE_OF_UNKNOWN_HOST * natom
        reference = 'its nuclei have charge'
    else:
        excess -= float(np.sum(result.host.charge - result.host.z))
        impurities = max(1, int(np.sum(np.abs(result.z - result.host.on_kept_sites[0]) > 1e-6)))
        screened = natom - impurities >= NEIGHBOURS * impurities
        limit = impurities * (CHARGE_PER_IMPURITY if screened else CHARGE_PER_BARE_IMPURITY)
        reference = 'it would have if it were as neutral as the host'
    if abs(excess) <= limit:
        return None
    return Problem(
        'cluster_charge',
        f'the cluster of {natom} sites holds {abs(excess):.2f} electrons {"more" if excess > 0 else "fewer"} than '
        f'{reference}; screening leaves {limit:g} at most',
        _RETRY,
    )


def _d_shells(result: ClusterResult) -> Problem | None:
    if result.l_charge is None or result.l_charge.shape[-1] < 3:
        return None
    findings = []
    for index, z in enumerate(result.z):
        number = round(z)
        electrons = open_shell_electrons(number)
        in_core = result.core_charge is not None and result.core_charge[index] > number - electrons + 9
        occupation = float(np.sum(result.l_charge[index, :, 2]))
        expected = electrons - 2
        if block(number) == 'd' and not in_core and occupation < D_SHELL_FRACTION * expected:
            text = (
                f'the d states of {_site(index, z)} hold {occupation:.2f} electrons instead of {expected} or more: '
                'the d shell is lost, below the bottom of the energy contour or above the Fermi energy'
            )
            findings.append((expected - occupation, text))
    return _worst('d_shell', findings, _RETRY)


def _s_shells(result: ClusterResult) -> Problem | None:
    if result.l_charge is None:
        return None
    findings = []
    for index, z in enumerate(result.z):
        number = round(z)
        below_shell = number - open_shell_electrons(number)
        in_core = result.core_charge is not None and result.core_charge[index] > below_shell + 1
        occupation = float(np.sum(result.l_charge[index, :, 0]))
        if block(number) == 'p' and not in_core and occupation < S_SHELL_ELECTRONS:
            text = (
                f'the s states of {_site(index, z)} hold {occupation:.2f} electrons instead of 1 to 2: their level is '
                'below the bottom of the energy contour and not counted, other electrons take its place'
            )
            findings.append((2 - occupation, text))
    return _worst('s_shell', findings, _S_RETRY)


def _moments(result: ClusterResult) -> Problem | None:
    if result.spin_moment is None:
        return None
    findings = []
    for index, (z, moment) in enumerate(zip(result.z, result.spin_moment, strict=True)):
        excess = abs(moment) - hund_limit(z)
        if excess > MOMENT_EXCESS:
            text = (
                f'the spin moment of {_site(index, z)} is {moment:.2f} Bohr magnetons; its open shells can have '
                f'{hund_limit(z):g}, and their surroundings add less than {MOMENT_EXCESS:g}'
            )
            findings.append((excess, text))
    return _worst('moment', findings, _RETRY)


def _occupations(result: ClusterResult) -> Problem | None:
    if result.l_charge is None:
        return None
    findings = []
    nspin = result.l_charge.shape[1]
    for index, z in enumerate(result.z):
        for angular in range(min(result.l_charge.shape[2], len(L_LETTERS))):
            # s and p states of two shells can lie inside of a deep contour
            capacity = (2 * angular + 1) * (2 if angular < 2 else 1) * (2 // nspin)
            for ispin in range(nspin):
                value = float(result.l_charge[index, ispin, angular])
                excess = max(-value - NEGATIVE_OCCUPATION, value - capacity * (1.0 + OCCUPATION_EXCESS))
                if excess > 0:
                    text = (
                        f'the {L_LETTERS[angular]} states of {_site(index, z)}, spin {ispin + 1} of {nspin}, hold '
                        f'{value:.2f} electrons; between 0 and {capacity} are possible'
                    )
                    findings.append((excess, text))
    return _worst('occupation', findings, _RETRY)


def _core_charges(result: ClusterResult) -> Problem | None:
    if result.core is None or result.core_charge is None:
        return None
    findings = []
    for index, (z, spins) in enumerate(zip(result.z, result.core, strict=True)):
        expected = sum(2 * state.l + 1 for spin in spins for state in spin) * 2 / len(spins)
        missing = expected - float(result.core_charge[index])
        if abs(missing) > CORE_CHARGE_ERROR:
            text = (
                f'{_site(index, z)} has core levels for {expected:g} electrons, but {result.core_charge[index]:.3f} '
                'core electrons in its cell: a core state is lost, or not bound to the atom'
            )
            findings.append((abs(missing), text))
    return _worst('core_charge', findings, _CORE_RETRY)


def _core_in_contour(result: ClusterResult) -> Problem | None:
    """Core levels below the contour; those of an l that the valence states leave out below the Fermi energy."""
    if result.core is None or result.contour_bottom is None:
        return None
    lmax = len(L_LETTERS) - 1 if result.l_charge is None else result.l_charge.shape[-1] - 1
    findings = []
    for index, (z, spins) in enumerate(zip(result.z, result.core, strict=True)):
        valence = max((state.energy for spin in spins for state in spin if state.l <= lmax), default=-np.inf)
        other = max((state.energy for spin in spins for state in spin if state.l > lmax), default=-np.inf)
        if valence > result.contour_bottom - CORE_CLEARANCE:
            text = (
                f'the highest core level of {_site(index, z)}, at {valence:.3f} Ry, is not clearly below the bottom of '
                f'the energy contour at {result.contour_bottom:.3f} Ry: its electrons are counted twice, or not at all'
            )
            findings.append((valence, text))
        elif result.efermi is not None and other > result.efermi:
            text = (
                f'a core level of {_site(index, z)}, at {other:.3f} Ry, is above the Fermi energy at '
                f'{result.efermi:.3f} Ry and occupied'
            )
            findings.append((other, text))
    return _worst('core_in_contour', findings, _CONTOUR_RETRY)


def _core_states(result: ClusterResult) -> Problem | None:
    """The core levels must be the lowest shells of the atom, without a hole and in the order of their energies."""
    if result.core is None:
        return None
    findings = []
    for index, (z, spins) in enumerate(zip(result.z, result.core, strict=True)):
        levels = [_by_l(states) for states in spins]
        counts = [{angular: len(energies) for angular, energies in by_l.items()} for by_l in levels]
        reason = 'the two spins have different core states'
        if all(count == counts[0] for count in counts):
            reason = core_fault(round(z), counts[0], result.contour_bottom, result.efermi)
        if not reason and not all(_ordered(by_l) for by_l in levels):
            reason = 'the core levels are not in the order of their quantum numbers, one is missing or was found twice'
        if reason:
            findings.append((0.0, f'{_site(index, z)}: {reason}'))
    return _worst('core_states', findings, _CORE_RETRY)


def _by_l(states: tuple[CoreState, ...]) -> dict[int, list[float]]:
    energies: dict[int, list[float]] = {}
    for state in states:
        energies.setdefault(state.l, []).append(state.energy)
    return energies


def _ordered(energies: dict[int, list[float]]) -> bool:
    """Whether the levels of one l rise with n, and those of one n with l."""
    rising = [pair for levels in energies.values() for pair in pairwise(levels)]
    # the second level of l and the first one of l + 1 have the same n
    for angular, levels in energies.items():
        rising += list(zip(levels[1:], energies.get(angular + 1, []), strict=False))
    return all(lower < upper for lower, upper in rising)


def core_fault(z: int, counts: Mapping[int, int], bottom: float | None, efermi: float | None) -> str:
    """What is wrong with the core states of an atom: a hole, or a shell that the atom does not fill.

    :param z: nuclear charge; ``counts``: number of core states of each l.
    :param bottom: lowest energy of the contour [Ry], where known; ``efermi`` the Fermi energy [Ry].
    :return: words; empty if nothing is wrong.
    """
    present = {(angular + 1 + k, angular) for angular, number in counts.items() for k in range(number)}
    for shell in sorted(present - set(shells(z))):
        return f'a {_name(shell)} core state, a shell that the atom does not fill'
    for n, angular in sorted(present):
        deeper = [(n, k) for k in range(angular)]
        if angular == 0:
            deeper += [(n - 1 - k, 2 + k) for k in range(2) if n - 1 - k > 2 + k]
        for shell in deeper:
            if shell not in present:
                return f'a {_name((n, angular))} core state without the deeper {_name(shell)} states'
    closed = noble_gas_core(z)
    inner = NOBLE_GASES[max(0, NOBLE_GASES.index(closed) - 1)]
    for shell in sorted(set(shells(inner)) - present):
        return f'the {_name(shell)} states are missing in the core'
    for shell in sorted(set(shells(closed)) - present):
        if bottom is not None and efermi is not None and efermi - bottom < _semicore_depth(z):
            return f'the {_name(shell)} states are missing in the core, and lie below the bottom of the energy contour'
    return ''


def _semicore_depth(z: int) -> float:
    """Lower bound of the depth of the noble-gas core's outermost shell below the Fermi energy, in Ry."""
    closed = noble_gas_core(z)
    f_electrons = 14 if closed >= 54 and z - closed > 16 else 0
    outside = 3 if block(z) == 'f' else z - closed - f_electrons
    return SEMICORE_DEPTH[0] + SEMICORE_DEPTH[1] * (outside - 1)


def _name(shell: tuple[int, int]) -> str:
    return f'{shell[0]}{L_LETTERS[shell[1]]}'


def _edges(result: ClusterResult) -> Problem | None:
    if result.edge is None or result.efermi is None:
        return None
    findings = []
    for index, (z, values) in enumerate(zip(result.z, result.edge - result.efermi, strict=True)):
        extreme = float(values[np.argmax(np.abs(values))])
        if not -EDGE_BELOW_FERMI <= extreme <= EDGE_ABOVE_FERMI:
            text = (
                f'the potential at the boundary of {_site(index, z)} is {abs(extreme):.1f} Ry '
                f'{"above" if extreme > 0 else "below"} the Fermi energy, so that its valence states lie outside of '
                'the energy contour'
            )
            findings.append((abs(extreme), text))
    return _worst('potential_edge', findings, _RETRY)


_CHECKS: Final[tuple[Callable[[ClusterResult], Problem | None], ...]] = (
    _site_charges,
    _host_atoms,
    _neutrality,
    _s_shells,
    _d_shells,
    _moments,
    _occupations,
    _core_charges,
    _core_in_contour,
    _core_states,
    _edges,
)
