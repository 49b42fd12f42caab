"""Patterns of impurities: a pair, a chain, a ring, a random filling of a region; or each on a site of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.arrangement import (
    LatticeSite,
    check_site,
    shell_radius,
    shell_sites,
    site_at,
    sites_at_distance,
    sites_near,
)
from aiida_mlkkr.kkr.cluster import SAME_SITE, HostLattice
from aiida_mlkkr.kkr.elements import SYMBOLS

FloatArray = NDArray[np.float64]
Wish = Mapping[str, Any]


def arranged(lattice: HostLattice, wish: Wish | Sequence[Wish]) -> tuple[list[LatticeSite], list[int]]:
    """Sites and nuclear charges of impurities.

    :param wish: a pattern, with ``pattern`` (a key of :data:`PATTERNS`), ``elements`` (one for all, or one for each
        site) and the arguments of its function, of which ``number`` is the number of elements if it is left out; or for
        each impurity ``element`` (symbol or nuclear charge), ``site`` and ``cell`` as in
        :class:`~aiida_mlkkr.kkr.arrangement.LatticeSite`.
    :raises ValueError: if there is no such pattern or element, or an argument is unknown, missing or impossible.
    """
    if not isinstance(wish, Mapping):
        unknown = {key for one in wish for key in one} - {'element', 'site', 'cell'}
        if unknown or not all('element' in one for one in wish):
            raise ValueError(
                f'an impurity is an element, a site and a cell, not {sorted(unknown) or "without element"}'
            )
        sites = [LatticeSite(one.get('site', 0), tuple(one.get('cell', (0, 0, 0)))) for one in wish]
        return sites, [nuclear_charge(one['element']) for one in wish]
    arguments = {key: value for key, value in wish.items() if key not in ('pattern', 'elements')}
    charges = [nuclear_charge(element) for element in wish.get('elements', ())]
    if wish.get('pattern') not in PATTERNS or not charges:
        raise ValueError(f'a pattern is one of {", ".join(PATTERNS)}, with elements, not {dict(wish)}')
    make = PATTERNS[wish['pattern']]
    if wish['pattern'] in _COUNTED:
        arguments.setdefault('number', len(charges))
    _check_arguments(wish['pattern'], arguments)
    try:
        sites = make(lattice, **arguments)
    except TypeError as error:
        raise ValueError(f'{wish["pattern"]}: {error}') from error
    if len(charges) not in (1, len(sites)):
        raise ValueError(f'{len(charges)} elements for the {len(sites)} sites of a {wish["pattern"]}')
    return sites, charges if len(charges) == len(sites) else charges * len(sites)


def _check_arguments(pattern: str, arguments: Mapping[str, Any]) -> None:
    _, *known = signature(PATTERNS[pattern]).parameters.values()
    unknown = arguments.keys() - {argument.name for argument in known}
    if unknown:
        names = ', '.join(argument.name for argument in known)
        raise ValueError(f'the pattern {pattern} takes {names}, not {", ".join(sorted(unknown))}')
    missing = [argument.name for argument in known if argument.default is argument.empty]
    if missing := [name for name in missing if name not in arguments]:
        raise ValueError(f'the pattern {pattern} needs {" and ".join(missing)}')


def nuclear_charge(element: str | float) -> int:
    """Nuclear charge of a symbol, or of a charge.

    :raises ValueError: if there is no such element.
    """
    if isinstance(element, str):
        if element not in SYMBOLS:
            raise ValueError(f'there is no element {element}')
        return SYMBOLS.index(element)
    return int(element)


def dimer(lattice: HostLattice, shell: int = 1, centre: int = 0) -> list[LatticeSite]:
    """Two sites, the second one on a shell around the first.

    :raises ValueError: see :func:`shell_sites`.
    """
    return [LatticeSite(centre), shell_sites(lattice, shell, centre)[0]]


def chain(lattice: HostLattice, number: int, shell: int = 1, centre: int = 0) -> list[LatticeSite]:
    """Sites in a straight line, each on a shell around the one before.

    :raises ValueError: if the line leaves the lattice.
    """
    _check_number(number, 2, 'a chain')
    along = [site for site in shell_sites(lattice, shell, centre) if site.site == centre]
    if not along:
        raise ValueError(f'no lattice vector leads from site {centre} to shell {shell}: there is no straight chain')
    n, m, l = along[0].cell
    return [LatticeSite(centre, (k * n, k * m, k * l)) for k in range(number)]


def ring(lattice: HostLattice, number: int, shell: int = 1, centre: int = 0) -> list[LatticeSite]:
    """The corners of a regular polygon whose edges lead to a shell: a triangle, a square, a hexagon.

    :raises ValueError: if the lattice has none.
    """
    _check_number(number, 3, 'a ring')
    radius = shell_radius(lattice, centre, shell)
    start = LatticeSite(centre).position(lattice)
    for second in sites_at_distance(lattice, centre, radius):
        edge = second.position(lattice) - start
        for step in sites_at_distance(lattice, second.site, radius):
            turned = step.position(lattice) - lattice.positions[second.site]
            corners = _polygon(start, edge, turned, number)
            found = [None] if corners is None else [site_at(lattice, corner) for corner in corners]
            if None not in found:
                return [site for site in found if site is not None]
    raise ValueError(f'no regular polygon of {number} corners has edges to shell {shell} around site {centre}')


def trimer(lattice: HostLattice, shell: int = 1, centre: int = 0) -> list[LatticeSite]:
    """An equilateral triangle: three sites, each on a shell around the others.

    :raises ValueError: if the lattice has none.
    """
    return ring(lattice, 3, shell, centre)


def random_filling(
    lattice: HostLattice, number: int, radius: float, seed: int, centre: int = 0, only: Sequence[int] | None = None
) -> list[LatticeSite]:
    """Sites drawn at random from those within a sphere.

    :param radius: in the unit of the lattice.
    :param centre: atom of the unit cell in the middle of the sphere.
    :param only: atoms of the unit cell that may be replaced; all if None.
    :raises ValueError: if there are not as many sites.
    """
    _check_number(number, 1, 'a random filling')
    check_site(lattice, LatticeSite(centre), 'the centre')
    region = [LatticeSite(centre), *sites_near(lattice, centre, radius)]
    region = sorted(site for site in region if only is None or site.site in only)
    if number > len(region):
        raise ValueError(f'{number} impurities do not fit on the {len(region)} sites within {radius:g}')
    chosen = np.random.default_rng(seed).choice(len(region), number, replace=False)
    return [region[index] for index in sorted(chosen)]


def _check_number(number: int, least: int, name: str) -> None:
    if number < least:
        raise ValueError(f'{name} has at least {least} impurities, not {number}')


def _polygon(start: FloatArray, edge: FloatArray, turned: FloatArray, number: int) -> list[FloatArray] | None:
    """Corners of the regular polygon with these first two edges; None if they are not its edges."""
    angle, length = 2 * np.pi / number, float(np.linalg.norm(edge))
    if abs(edge @ turned - length**2 * np.cos(angle)) > SAME_SITE * length**2:
        return None
    sideways = (turned - np.cos(angle) * edge) / np.sin(angle)
    corners = [start]
    for step in range(number - 1):
        corners.append(corners[-1] + np.cos(step * angle) * edge + np.sin(step * angle) * sideways)
    return corners


PATTERNS: Final[dict[str, Callable[..., list[LatticeSite]]]] = {
    'dimer': dimer,
    'trimer': trimer,
    'chain': chain,
    'ring': ring,
    'random': random_filling,
}
_COUNTED: Final = ('chain', 'ring', 'random')
