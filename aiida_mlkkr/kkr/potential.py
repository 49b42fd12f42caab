"""JuKKR's potential files, in the atomic-sphere approximation and in full potential.

The file holds one block per site and spin, spin DOWN first. Its numbers are in Ry and Bohr; the potential excludes the
nuclear part -2Z/r and carries no factor sqrt(4 pi) in its spherical part.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NoReturn, TextIO

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.fortran import format_e, format_list_directed, format_p, format_p_block, parse_floats
from aiida_mlkkr.kkr.mesh import RadialMesh

SAME_RADIUS = 1e-6
"""Largest difference of two radii in Bohr that are the same."""

_MAX_POINTS = 100_000
_MAX_CORE_STATES = 20
PotentialStyle = Literal['kkrimp', 'kkrhost', 'voronoi']
"""Whose number formats: the codes differ in the digits of the radii, the Fermi energy and the potential zero."""

_SPIN_IN_TITLE = re.compile(r'SPIN\s+(DOWN|DN|UP)', re.IGNORECASE)


@dataclass(frozen=True)
class CoreState:
    """A core level: orbital angular momentum and energy in Ry."""

    l: int
    energy: float


@dataclass(frozen=True, eq=False)
class NonSphericalPotential:
    """Components lm > 1 of a full potential.

    ``components`` maps lm (2 ... lmpot) to V_lm (npoints + 1,) in Ry on the outermost ``npoints + 1`` mesh points;
    components that are absent vanish.
    """

    npoints: int
    lmpot: int
    components: Mapping[int, NDArray[np.float64]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for lm, values in self.components.items():
            if not 2 <= lm <= self.lmpot:
                raise ValueError(f'component lm = {lm} of a potential with components 1 to {self.lmpot}')
            if values.shape != (self.npoints + 1,):
                raise ValueError(f'component lm = {lm} has shape {values.shape}, expected ({self.npoints + 1},)')


@dataclass(frozen=True, eq=False)
class AtomicPotential:
    """Potential of one site and one spin: a block of a potential file.

    :param title: the whole title line; characters 1 to 28 name the atom and the spin.
    :param rmt: muffin-tin radius in Bohr (KKRimp only echoes it).
    :param alat: lattice constant in Bohr.
    :param rmtnew: adapted muffin-tin radius in Bohr.
    :param z: nuclear charge.
    :param rws: radius of the atomic sphere in Bohr, rounded to 1e-5; ``mesh.rmax`` is the one to compute with.
    :param efermi: Fermi energy in Ry.
    :param vbc: constant by which the potential is shifted, in Ry.
    :param v: spherical potential (n,) in Ry, without -2Z/r.
    :param nonspherical: components lm > 1; None in the atomic-sphere approximation.
    :param style: the code in whose number formats the block was written.
    """

    title: str
    rmt: float
    alat: float
    rmtnew: float
    z: float
    rws: float
    efermi: float
    vbc: float
    mesh: RadialMesh
    core: tuple[CoreState, ...]
    v: NDArray[np.float64]
    nonspherical: NonSphericalPotential | None = None
    style: PotentialStyle = 'kkrimp'

    def __post_init__(self) -> None:
        if self.v.shape != (self.mesh.n,):
            raise ValueError(f'potential of shape {self.v.shape} on a mesh of {self.mesh.n} points')

    def has_mesh_of(self, host: 'AtomicPotential') -> bool:
        """Whether it is given at the radii of a host's atom; beyond the muffin-tin radius these are the host's."""
        if self.mesh.n != host.mesh.n:
            return False
        inner = host.mesh.muffin_tin
        return np.allclose(self.mesh.r[: inner.n], inner.r, rtol=0.0, atol=SAME_RADIUS)


@dataclass(frozen=True, eq=False)
class ImpurityPotential:
    """Potentials of all sites of a cluster, ``sites[site][spin]``, spin 0 = DOWN, 1 = UP."""

    sites: tuple[tuple[AtomicPotential, ...], ...]

    def __post_init__(self) -> None:
        if not self.sites or any(len(site) != self.nspin for site in self.sites) or self.nspin not in (1, 2):
            raise ValueError('a potential needs at least one site, and one or two spins, equally many on each site')
        kinds = {atom.nonspherical is not None for site in self.sites for atom in site}
        if len(kinds) > 1:
            raise ValueError('some blocks are full potential and some are in the atomic-sphere approximation')

    @property
    def nspin(self) -> int:
        """Number of spins, 1 or 2."""
        return len(self.sites[0])

    @property
    def natom(self) -> int:
        """Number of sites."""
        return len(self.sites)

    @property
    def is_full_potential(self) -> bool:
        """Whether the potential has components lm > 1."""
        return self.sites[0][0].nonspherical is not None


def read_potential(path: Path | TextIO, nspin: int | None = None) -> ImpurityPotential:
    """Read a potential file of KKRimp, KKRhost or voronoi.

    :param nspin: number of spins; if None, the titles decide: ``SPIN DOWN`` followed by ``SPIN UP`` means two.
    :raises KkrFileError: if the file is truncated, holds something else than a potential or a number that is not
        finite, or its blocks do not make up whole sites. The message names file, site, spin and line.
    """
    if isinstance(path, Path):
        name = str(path)
        try:
            text = path.read_text(encoding='ascii')
        except UnicodeDecodeError as error:
            raise KkrFileError(f'{name}: not a potential file, it holds bytes that are not ASCII text') from error
    else:
        name = str(getattr(path, 'name', 'potential'))
        text = path.read()
    reader = _Reader(name, text, nspin)
    blocks = reader.blocks()
    spins = nspin if nspin is not None else _spins_of_titles(name, blocks)
    if spins not in (1, 2):
        raise ValueError(f'nspin is 1 or 2, not {spins}')
    if len(blocks) % spins:
        raise KkrFileError(
            f'{name}: {len(blocks)} blocks cannot be shared out over {spins} spins per site; '
            'a block is missing or NSPIN is wrong'
        )
    sites = tuple(tuple(blocks[i : i + spins]) for i in range(0, len(blocks), spins))
    for isite, site in enumerate(sites, start=1):
        if len({(atom.z, atom.mesh, atom.alat) for atom in site}) > 1:
            raise KkrFileError(
                f'{name}: site {isite}: the two spins differ in nuclear charge, mesh or lattice constant; '
                'a block is missing or NSPIN is wrong'
            )
    try:
        return ImpurityPotential(sites)
    except ValueError as error:
        raise KkrFileError(f'{name}: {error}') from error


def write_potential(potential: ImpurityPotential, path: Path | TextIO, style: PotentialStyle | None = 'kkrimp') -> None:
    """Write a potential file.

    :param style: the code whose number formats to use (every code reads all of them); None for those in which each
        block was read, which gives an unchanged file back byte for byte.
    :raises KkrFileError: if a number is not finite; nothing is written then.
    """
    name = str(path) if isinstance(path, Path) else str(getattr(path, 'name', 'potential'))
    text = io.StringIO()
    for isite, site in enumerate(potential.sites, start=1):
        for ispin, atom in enumerate(site, start=1):
            scalars = [atom.rmt, atom.alat, atom.rmtnew, atom.z, atom.rws, atom.efermi, atom.vbc]
            arrays = [atom.v, np.array(scalars + [state.energy for state in atom.core])]
            if atom.nonspherical is not None:
                arrays += list(atom.nonspherical.components.values())
            if not all(np.isfinite(array).all() for array in arrays):
                raise KkrFileError(f'{name}: site {isite}, spin {ispin}: a number to be written is not finite')
            text.write(_format_block(atom, style or atom.style))
    if isinstance(path, Path):
        path.write_text(text.getvalue(), encoding='ascii')
    else:
        path.write(text.getvalue())


def _format_block(atom: AtomicPotential, style: PotentialStyle) -> str:
    radii = (atom.rmt, atom.alat, atom.rmtnew)
    if style == 'kkrimp':
        radii_line = ''.join(format_list_directed(value) for value in radii)
    else:
        radii_line = ''.join(f'{value:20.15f}' for value in radii)
    width, decimals = (20, 15) if style == 'kkrhost' else (15, 10)
    zeros = f'{atom.efermi:{width}.{decimals}f}{atom.vbc:{width}.{decimals}f}'
    lines = [
        atom.title,
        radii_line,
        f'{atom.z:10.5f}',
        f'{atom.rws:10.5f}{zeros}',
        f'{atom.mesh.n:3d}',
        format_e(atom.mesh.a, 15, 8, 'D') + format_e(atom.mesh.b, 15, 8, 'D'),
        f'{len(atom.core):2d} 1',
        *(f'{state.l:5d}{format_p(state.energy, 20, 11)}' for state in atom.core),
    ]
    head = '\n'.join(lines) + '\n'
    rest = atom.nonspherical
    if rest is None:
        return head + format_p_block(atom.v, 12)
    parts = [head, f'{atom.mesh.n:5d}{rest.npoints:5d}{rest.lmpot:5d}{1:5d}\n', format_p_block(atom.v, 13)]
    for lm in sorted(rest.components):
        parts += [f'{lm:5d}\n', format_p_block(rest.components[lm], 13)]
    if len(rest.components) + 1 < rest.lmpot:
        parts.append(f'{1:5d}\n')
    return ''.join(parts)


def _spins_of_titles(name: str, blocks: list[AtomicPotential]) -> int:
    spins = [match[1].upper() if (match := _SPIN_IN_TITLE.search(atom.title[:40])) else '' for atom in blocks]
    if not any(spins):
        return 1
    if all(spin != 'UP' for spin in spins[::2]) and all(spin == 'UP' for spin in spins[1::2]) and len(spins) % 2 == 0:
        return 2
    raise KkrFileError(
        f'{name}: the titles do not alternate between SPIN DOWN and SPIN UP; '
        'a block is missing, or the number of spins has to be given'
    )


class _Reader:
    """Reads blocks line by line and knows where it is."""

    def __init__(self, name: str, text: str, nspin: int | None) -> None:
        self.name = name
        self.lines = text.splitlines()
        self.complete = text.endswith('\n')
        self.end = len(self.lines)
        while self.end and not self.lines[self.end - 1].strip():
            self.end -= 1
        self.position = 0
        self.iblock = 0
        self.nspin = nspin

    def blocks(self) -> list[AtomicPotential]:
        if self.end == 0:
            raise KkrFileError(f'{self.name}: the potential file is empty')
        result = []
        while self.position < self.end:
            result.append(self._block())
            self.iblock += 1
            if self.nspin is None:
                self.nspin = 2 if _SPIN_IN_TITLE.search(result[-1].title[:40]) else 1
        return result

    def fail(self, what: str, line: int | None = None) -> NoReturn:
        nspin = self.nspin or 1
        number = self.position if line is None else line
        raise KkrFileError(
            f'{self.name}: site {self.iblock // nspin + 1}, spin {self.iblock % nspin + 1}, line {number}: {what}'
        )

    def _line(self, what: str) -> str:
        if self.position >= self.end:
            self.fail(f'the file ends where {what} should be; it is truncated', self.end)
        self.position += 1
        return self.lines[self.position - 1]

    def _floats(self, what: str, minimum: int) -> list[float]:
        line = self._line(what)
        try:
            values = parse_floats(line)
        except ValueError:
            self.fail(f'{what} expected, found {line.strip()[:60]!r}')
        if values.size < minimum:
            self.fail(f'{what} expected, found {line.strip()[:60]!r}')
        if not np.isfinite(values).all():
            self.fail(f'{what}: a number that is not finite, {line.strip()[:60]!r}')
        return [float(value) for value in values]

    def _integers(self, what: str, minimum: int) -> list[int]:
        values = self._floats(what, minimum)
        if any(value != int(value) for value in values[:minimum]):
            self.fail(f'{what}: integers expected, found {self.lines[self.position - 1].strip()[:60]!r}')
        return [int(value) for value in values[:minimum]]

    def _array(self, count: int, what: str, fixed_width: bool) -> NDArray[np.float64]:
        first = self.position
        last = first + (count + 3) // 4
        if last > self.end:
            self.fail(f'the file ends within {what}; it is truncated', self.end)
        lines = self.lines[first:last]
        if fixed_width:
            # 20 characters hold a negative number without a blank before it
            lines = [' '.join(line[i : i + 20] for i in range(0, 80, 20)) for line in lines]
        try:
            values = parse_floats(' '.join(lines))
        except ValueError:
            values = np.empty(0)
        if values.size != count or not np.isfinite(values).all():
            self._blame(lines, count, what)
        if last == self.end and not self.complete and len(self.lines[last - 1].rstrip()) % 20:
            self.fail(f'the last number of {what} is cut short; the file is truncated', last)
        self.position = last
        return values

    def _blame(self, lines: list[str], count: int, what: str) -> NoReturn:
        for offset, line in enumerate(lines):
            number = self.position + offset + 1
            expected = min(4, count - 4 * offset)
            try:
                values = parse_floats(line)
            except ValueError:
                self.fail(f'{what}: {expected} numbers expected, found {line.strip()[:84]!r}', number)
            if values.size != expected:
                self.fail(f'{what}: {expected} numbers expected, found {line.strip()[:84]!r}', number)
            if not np.isfinite(values).all():
                self.fail(f'{what}: a number that is not finite, {line.strip()[:84]!r}', number)
        self.fail(f'{what}: {count} numbers expected', self.position + 1)

    def _block(self) -> AtomicPotential:
        title = self._line('a title')
        if title[5:14].upper() != 'POTENTIAL':
            self.fail(
                'a title line with POTENTIAL in columns 6 to 14 expected, '
                f'found {title.strip()[:60]!r}; this is not a potential file or its blocks are damaged'
            )
        rmt, alat, rmtnew = self._floats('muffin-tin radius, lattice constant, adapted muffin-tin radius', 3)[:3]
        if alat <= 0:
            self.fail(f'the lattice constant {alat} is not positive')
        in_columns = len(self.lines[self.position - 1].rstrip()) == 60
        z = self._floats('the nuclear charge', 1)[0]
        if not 0 <= z < 140:
            self.fail(f'the nuclear charge {z} is not one of an atom')
        rws, efermi, vbc = self._floats('radius of the atomic sphere, Fermi energy, potential zero', 3)[:3]
        wide = len(self.lines[self.position - 1].rstrip()) == 50
        npoints = self._integers('the number of radial points', 1)[0]
        if not 2 <= npoints <= _MAX_POINTS:
            self.fail(f'{npoints} radial points')
        a, b = self._floats('the mesh parameters A and B', 2)[:2]
        try:
            mesh = RadialMesh(a, b, npoints)
        except ValueError as error:
            self.fail(str(error))
        ncore, new_format = self._integers('number of core states and the format flag 1', 2)
        if not 0 <= ncore <= _MAX_CORE_STATES:
            self.fail(f'{ncore} core states; JuKKR has room for 0 to {_MAX_CORE_STATES}')
        if new_format != 1:
            self.fail(f'the format flag is {new_format}; only files with flag 1 (potential without mesh) are read')
        core = []
        for _ in range(ncore):
            l, energy = self._floats('a core state: l and energy', 2)[:2]
            if l not in (0.0, 1.0, 2.0, 3.0):
                self.fail(f'a core state with l = {l:g}')
            core.append(CoreState(int(l), energy))
        v, nonspherical = self._values(npoints)
        style: PotentialStyle = 'kkrimp' if not in_columns else 'kkrhost' if wide else 'voronoi'
        return AtomicPotential(title, rmt, alat, rmtnew, z, rws, efermi, vbc, mesh, tuple(core), v, nonspherical, style)

    def _values(self, npoints: int) -> tuple[NDArray[np.float64], NonSphericalPotential | None]:
        sizes = self.lines[self.position].split() if self.position < self.end else []
        if not (len(sizes) == 4 and all(size.isdigit() for size in sizes)):
            return self._array(npoints, 'the potential', fixed_width=False), None
        total, outer, lmpot, sparse = self._integers('sizes of the full potential', 4)
        if total != npoints or not 0 <= outer < npoints or lmpot < 1:
            self.fail(f'sizes of the full potential {total}, {outer}, {lmpot} do not fit a mesh of {npoints} points')
        if sparse != 1:
            self.fail(f'the flag for non-zero components is {sparse}; only files with flag 1 are read')
        v = self._array(npoints, 'the spherical potential', fixed_width=True)
        components: dict[int, NDArray[np.float64]] = {}
        while len(components) + 1 < lmpot:
            lm = self._integers('the index lm of a component', 1)[0]
            if lm == 1:
                break
            if not max(components, default=1) < lm <= lmpot:
                self.fail(f'component lm = {lm} is out of order or beyond lm = {lmpot}')
            components[lm] = self._array(outer + 1, f'component lm = {lm}', fixed_width=True)
        return v, NonSphericalPotential(outer, lmpot, MappingProxyType(components))
