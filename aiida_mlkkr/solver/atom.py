"""The self-consistent free atom: spherical, spin-restricted, scalar-relativistic, in the local-density approximation.

The equations, the speed of light and the exchange-correlation functional are those of the impurity solver (see
:mod:`aiida_mlkkr.solver.core` and :mod:`aiida_mlkkr.solver.xc`), so that an atomic potential is a proper first guess
for an atom in a crystal. The numerics is its own (:mod:`aiida_mlkkr.solver.atomic_shells`), on a mesh from the nucleus
to the vacuum, and gives total energies to 1e-6 Ha for all elements.

Units: Rydberg and Bohr.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.elements import L_LETTERS, block, shells, symbol
from aiida_mlkkr.solver.atomic_shells import bound_shells
from aiida_mlkkr.solver.xc import VWN, lsda

HEAVIEST: Final = 92

# Ground states that depart from the order of filling: electrons moved from the first shell to the second
_MOVED: Final[dict[int, tuple[tuple[int, int], tuple[int, int], int]]] = {
    24: ((4, 0), (3, 2), 1),
    29: ((4, 0), (3, 2), 1),
    41: ((5, 0), (4, 2), 1),
    42: ((5, 0), (4, 2), 1),
    44: ((5, 0), (4, 2), 1),
    45: ((5, 0), (4, 2), 1),
    46: ((5, 0), (4, 2), 2),
    47: ((5, 0), (4, 2), 1),
    57: ((4, 3), (5, 2), 1),
    58: ((4, 3), (5, 2), 1),
    64: ((4, 3), (5, 2), 1),
    78: ((6, 0), (5, 2), 1),
    79: ((6, 0), (5, 2), 1),
    89: ((5, 3), (6, 2), 1),
    90: ((5, 3), (6, 2), 2),
    91: ((5, 3), (6, 2), 1),
    92: ((5, 3), (6, 2), 1),
}
_DIVALENT_LANTHANIDES: Final = (63, 70)

_STEP = 0.0125
_INNERMOST = 1.0e-6  # times 1/Z
_OUTERMOST = 60.0

FloatArray = NDArray[np.float64]

#: Shells of an atom: (n, l, number of electrons) each.
Shells = tuple[tuple[int, int, float], ...]

#: Spin-restricted exchange and correlation: density (n,) in electrons/Bohr^3 -> energy per electron, potential in Ry.
Functional = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
Filling = Callable[[int], Shells]


class AtomError(ValueError):
    """An atom that does not exist here, or whose self-consistency failed."""


@dataclass(frozen=True)
class AtomState:
    """One shell: principal and orbital quantum number, number of electrons, energy in Ry."""

    n: int
    l: int
    occupation: float
    energy: float

    @property
    def is_open(self) -> bool:
        """Whether the shell has room for more electrons."""
        return self.occupation < 4 * self.l + 2


@dataclass(frozen=True)
class AtomSolution:
    """A self-consistent free atom.

    :ivar z: nuclear charge
    :ivar r: (n,) radii in Bohr, r_i = r_0 exp(a i)
    :ivar density: (n,) electrons/Bohr, 4 pi r^2 times the density
    :ivar v: (n,) Ry, Hartree and exchange-correlation potential, without -2Z/r
    :ivar states: the occupied shells, ordered by n, then l
    :ivar shell_densities: (shells, n) electrons/Bohr, 4 pi r^2 times the density of one electron in each shell
    :ivar kinetic: Ry; the total energy is the sum of ``kinetic``, ``hartree``, ``nuclear`` (electrons in the field of
        the nucleus) and ``exchange_correlation``
    """

    z: int
    r: FloatArray
    density: FloatArray
    v: FloatArray
    states: tuple[AtomState, ...]
    shell_densities: FloatArray
    kinetic: float
    hartree: float
    nuclear: float
    exchange_correlation: float

    @property
    def symbol(self) -> str:
        """Chemical symbol."""
        return symbol(self.z)

    @property
    def total_energy(self) -> float:
        """Total energy in Ry."""
        return self.kinetic + self.hartree + self.nuclear + self.exchange_correlation

    def potential_at(self, r: FloatArray) -> FloatArray:
        """Potential without -2Z/r at the radii r (m,) >= 0 (Bohr), in Ry."""
        return self._interpolate(self.v, r)

    def density_at(self, r: FloatArray) -> FloatArray:
        """Density in electrons/Bohr^3 at the radii r (m,) >= 0 (Bohr)."""
        return self._interpolate(self.density / (4.0 * np.pi * self.r**2), r)

    def shell_density_at(self, shell: int, r: FloatArray) -> FloatArray:
        """Density of one electron in the shell ``states[shell]``, electrons/Bohr^3, at the radii r (m,) >= 0 (Bohr)."""
        return self._interpolate(self.shell_densities[shell] / (4.0 * np.pi * self.r**2), r)

    def _interpolate(self, values: FloatArray, r: FloatArray) -> FloatArray:
        """Cubic interpolation in ln r; constant towards the nucleus and beyond the mesh."""
        step = math.log(self.r[-1] / self.r[0]) / (len(self.r) - 1)
        position = np.log(np.clip(r, self.r[0], self.r[-1]) / self.r[0]) / step
        i = np.clip(position.astype(np.int64), 1, len(self.r) - 3)
        t = position - i
        result: FloatArray = (
            -t * (t - 1.0) * (t - 2.0) / 6.0 * values[i - 1]
            + (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0 * values[i]
            - (t + 1.0) * t * (t - 2.0) / 2.0 * values[i + 1]
            + (t + 1.0) * t * (t - 1.0) / 6.0 * values[i + 2]
        )
        return result


def check_element(z: float) -> int:
    """The nuclear charge as an integer; :raises AtomError: it is not one of the elements 1 to 92."""
    if not (1 <= z <= HEAVIEST) or z != int(z):
        raise AtomError(
            f'There is no free atom with the nuclear charge {z:g}: '
            f'it must be a whole number from 1 (H) to {HEAVIEST} (U).'
        )
    return int(z)


def configuration(z: int) -> Shells:
    """Ground-state configuration of the neutral atom, ordered by n, then l.

    As in the NIST tables of Kotochigova et al., Phys. Rev. A 55, 191 (1997).

    :raises AtomError: z is not an element from 1 to 92
    """
    filled: dict[tuple[int, int], float] = {**shells(check_element(z))}
    if z in _MOVED:
        source, target, number = _MOVED[z]
        filled[source] -= number
        filled[target] = filled.get(target, 0) + number
    return _ordered(filled)


def metallic_configuration(z: int) -> Shells:
    """Configuration close to that of the atom in a metal, ordered by n, then l.

    A transition metal has about one s electron there, those of the groups 8 to 10 rather 0.6 (the d bands of Ni, for
    example, hold 9.4 electrons), and a lanthanide, Eu and Yb excepted, three electrons outside of 4f.

    :raises AtomError: z is not an element from 1 to 92
    """
    filled = {(n, angular): electrons for n, angular, electrons in configuration(z)}
    if block(z) == 'd':
        valence = _valence_electrons(filled, z)
        filled = _with_s_electrons(filled, z, 0.6 if 8 <= valence <= 10 else 1)
    elif 57 < z < 71 and z not in _DIVALENT_LANTHANIDES and (5, 2) not in filled:
        filled[4, 3] -= 1
        filled[5, 2] = 1
    return _ordered(filled)


def smooth_configuration(z: int) -> Shells:
    """The metallic configuration with 0.6 s electrons in every transition metal up to group 10.

    It has no step along a row of transition metals, so that what it leaves of a potential can be interpolated.

    :raises AtomError: z is not an element from 1 to 92
    """
    filled = {(n, angular): electrons for n, angular, electrons in metallic_configuration(z)}
    return _ordered(_with_s_electrons(filled, z, 0.6) if block(z) == 'd' else filled)


def _valence_electrons(filled: dict[tuple[int, int], float], z: int) -> float:
    s, d = _s_and_d(z)
    return filled.get(s, 0) + filled[d]


def _with_s_electrons(filled: dict[tuple[int, int], float], z: int, number: float) -> dict[tuple[int, int], float]:
    """The shells of a transition metal with that many s electrons, or more where the d shell is full."""
    s, d = _s_and_d(z)
    valence = _valence_electrons(filled, z)
    electrons = max(number, valence - 10)
    return {**filled, s: electrons, d: valence - electrons}


def _s_and_d(z: int) -> tuple[tuple[int, int], tuple[int, int]]:
    top = max(n for n, _ in shells(z))
    return (top, 0), (top - 1, 2)


def _ordered(filled: dict[tuple[int, int], float]) -> Shells:
    return tuple((n, angular, electrons) for (n, angular), electrons in sorted(filled.items()) if electrons)


def _running_integral(values: FloatArray) -> FloatArray:
    """Integral over the mesh index from the first point to each point (n,), by the six-point formula."""
    n = len(values)
    pieces = np.zeros(n)
    pieces[1:] = 0.5 * (values[1:] + values[:-1])
    pieces[3 : n - 2] = (
        11.0 * (values[: n - 5] + values[5:])
        - 93.0 * (values[1 : n - 4] + values[4 : n - 1])
        + 802.0 * (values[2 : n - 3] + values[3 : n - 2])
    ) / 1440.0
    return np.cumsum(pieces)


def _first_potential(z: int, r: FloatArray) -> FloatArray:
    """Thomas-Fermi screening in Tietz' form, J. Chem. Phys. 22, 2094 (1954), of at most Z - 1 charges."""
    x = r * z ** (1.0 / 3.0) / 0.88534
    screened = z / (1.0 + 0.53625 * x) ** 2
    result: FloatArray = 2.0 * (z - np.maximum(screened, 1.0)) / r
    return result


@lru_cache(maxsize=2 * HEAVIEST)
def solve_atom(z: int, kind: int = VWN, filling: Filling = configuration) -> AtomSolution:
    """Self-consistent neutral atom, scalar-relativistic.

    Solutions are kept, so asking again costs nothing.

    :param z: nuclear charge, 1 to 92
    :param kind: exchange-correlation functional, a value of :data:`aiida_mlkkr.solver.xc.XC_KINDS`
    :param filling: electrons of the shells: those of the ground state, :func:`metallic_configuration` …
    :raises AtomError: z is not an element from 1 to 92, or the self-consistency does not converge
    """

    def functional(density: FloatArray) -> tuple[FloatArray, FloatArray]:
        exc, potential, _ = lsda(density, np.zeros_like(density), kind)
        return exc, potential

    return converge_atom(z, filling(z), functional, SPEED_OF_LIGHT)


def converge_atom(
    z: int,
    occupied: Shells,
    functional: Functional,
    speed_of_light: float,
    large_component_only: bool = False,
    max_iterations: int = 200,
) -> AtomSolution:
    """Self-consistent atom or ion for any configuration, functional and speed of light.

    Potentials are mixed by Anderson's method, J. ACM 12, 547 (1965).

    :param z: nuclear charge, 1 to 92
    :param speed_of_light: in Rydberg units (274.07); ``math.inf`` for a non-relativistic atom
    :param large_component_only: the density is that of the large components, normalised by themselves, as in the
        scalar-relativistic NIST tables; JuKKR and the impurity solver include the small ones
    :raises AtomError: z is not an element from 1 to 92, or the self-consistency does not converge
    """
    first = _INNERMOST / z
    points = math.ceil(math.log(_OUTERMOST / first) / _STEP) + 1
    r = first * np.exp(_STEP * np.arange(points))
    dr = _STEP * r
    ells = np.array([angular for _, angular, _ in occupied], dtype=np.int64)
    nodes = np.array([n - angular - 1 for n, angular, _ in occupied], dtype=np.int64)
    occupations = np.array([electrons for _, _, electrons in occupied], dtype=np.float64)
    energies = np.array([-max((z / n) ** 2 / (2.0 + n), 0.2) for n, _, _ in occupied])
    densities = np.empty((len(occupied), points))
    inverse_c2 = speed_of_light**-2
    small_weight = 0.0 if large_component_only else inverse_c2
    nuclear = -2.0 * z / r
    v = _first_potential(z, r)
    history: list[tuple[FloatArray, FloatArray]] = []
    weight = np.sqrt(dr)  # makes inner products of residuals r V integrals over r
    for _ in range(max_iterations):
        failed = bound_shells(
            v + nuclear, r, _STEP, float(z), ells, nodes, energies, inverse_c2, small_weight, densities
        )
        if failed >= 0:
            raise AtomError(f'The shell {_name(occupied[failed])} of the free atom {symbol(z)} was not found.')
        density = occupations @ densities
        inside = _running_integral(density * dr)
        outside = _running_integral(density * dr / r)
        hartree = 2.0 * (inside / r + outside[-1] - outside)
        exc, vxc = functional(density / (4.0 * np.pi * r**2))
        residual = hartree + vxc - v
        error = float(np.sqrt(np.dot(density * dr, residual**2) / z))
        if error < 1.0e-9:
            break
        history.append((v, residual))
        del history[:-8]
        v = _anderson(history, r * weight)
    else:
        raise AtomError(f'The free atom {symbol(z)} did not converge in {max_iterations} iterations.')
    if energies.max() >= 0.0:
        raise AtomError(f'The shell {_name(occupied[energies.argmax()])} of the free atom {symbol(z)} is not bound.')
    electrons = density * dr
    return AtomSolution(
        z=z,
        r=r,
        density=density,
        v=v,
        states=tuple(
            AtomState(n, angular, float(electrons), float(energy))
            for (n, angular, electrons), energy in zip(occupied, energies, strict=True)
        ),
        shell_densities=densities,
        kinetic=float(np.dot(occupations, energies) - np.dot(electrons, v + nuclear)),
        hartree=float(0.5 * np.dot(electrons, hartree)),
        nuclear=float(np.dot(electrons, nuclear)),
        exchange_correlation=float(np.dot(electrons, exc)),
    )


def _name(shell: tuple[int, int, float]) -> str:
    return f'{shell[0]}{L_LETTERS[shell[1]]}'


def _anderson(history: list[tuple[FloatArray, FloatArray]], weight: FloatArray) -> FloatArray:
    """Next input from the pairs (input, residual): the combination with the smallest residual, plus a part of it."""
    step = 0.4
    v, residual = history[-1]
    if len(history) == 1:
        return v + step * residual
    changes = np.array([(residual - old) * weight for _, old in history[:-1]])
    gram = changes @ changes.T
    gram[np.diag_indices_from(gram)] *= 1.0 + 1.0e-12
    coefficients = np.linalg.lstsq(gram, changes @ (residual * weight), rcond=1.0e-14)[0]
    v = v.copy()
    residual = residual.copy()
    last_v, last_residual = history[-1]
    for coefficient, (old_v, old_residual) in zip(coefficients, history[:-1], strict=True):
        v -= coefficient * (last_v - old_v)
        residual -= coefficient * (last_residual - old_residual)
    result: FloatArray = v + step * residual
    return result
