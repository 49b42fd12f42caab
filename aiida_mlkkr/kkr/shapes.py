"""Shape functions of atomic cells, and the radial meshes that they make up in full potential.

The shape function of a cell is 1 inside of it and 0 outside, Θ(r) = Σ_lm θ_lm(r) Y_lm with real spherical harmonics. It
is given beyond the muffin-tin radius, on panels between the radii where a face, an edge or a corner of the cell begins.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.fortran import parse_floats
from aiida_mlkkr.kkr.mesh import CellMesh, RadialMesh
from aiida_mlkkr.kkr.potential import AtomicPotential, ImpurityPotential

FloatArray = NDArray[np.float64]

_SAME_RADIUS: Final = 1e-6


@dataclass(frozen=True, eq=False)
class ShapeFunction:
    """Shape function of one cell.

    :param panels: numbers of points of the panels, outwards; their sum is m.
    :param r: (m,) radii in units of the lattice constant. Panels share their ends, which are there twice.
    :param step: (m,) derivative dr/di of the radius with respect to the number of the point, in lattice constants.
    :param theta: θ_lm (m,) by lm, from 1; those that are absent vanish.
    """

    panels: tuple[int, ...]
    r: FloatArray
    step: FloatArray
    theta: Mapping[int, FloatArray]

    def components(self, number: int) -> FloatArray:
        """θ_lm (number, m) of lm = 1 ... number."""
        nothing = np.zeros(len(self.r))
        return np.array([self.theta.get(lm, nothing) for lm in range(1, number + 1)])


def read_shapes(text: str, name: str = 'shapefun') -> tuple[ShapeFunction, ...]:
    """Read a file of shape functions, by the voronoi code or for KKRimp.

    :param name: of the file, for messages.
    :raises KkrFileError: if the text is truncated or is no such file.
    """
    first, _, rest = text.partition('\n')
    # KKRimp's file has one line of scaling factors, that of the other codes has all, four in a line; nobody reads them
    lines = itertools.dropwhile(lambda line: '.' in line.split('NPAN')[0], rest.splitlines())
    try:
        shapes = [_read_one(lines) for _ in range(int(first))]
    except (StopIteration, ValueError, IndexError, KeyError) as error:
        raise KkrFileError(f'{name} is truncated, or no file of shape functions') from error
    if not shapes or any(1 not in shape.theta for shape in shapes):
        raise KkrFileError(f'{name} has no shape function, or one without a spherical part')
    return tuple(shapes)


def with_shapes(
    potential: ImpurityPotential, shapes: Sequence[ShapeFunction], numbers: Sequence[int]
) -> ImpurityPotential:
    """A full potential on its true radial meshes.

    :param numbers: of the shape of each site, from 1.
    :raises KkrFileError: if potential and shapes do not belong together.
    """
    if len(numbers) != potential.natom or not 1 <= min(numbers) <= max(numbers) <= len(shapes):
        raise KkrFileError(f'shapes {list(numbers)} of {potential.natom} sites, but there are {len(shapes)}')
    return ImpurityPotential(
        tuple(
            tuple(dataclasses.replace(block, mesh=cell_mesh(block, shapes[number - 1])) for block in site)
            for site, number in zip(potential.sites, numbers, strict=True)
        )
    )


def cell_mesh(block: AtomicPotential, shape: ShapeFunction) -> CellMesh:
    """The true mesh of a block of a full potential, made as KKRimp makes it when it reads its input.

    :raises KkrFileError: if block and shape do not belong together.
    """
    rest, mesh = block.nonspherical, block.mesh
    if rest is None:
        raise KkrFileError('a potential of the atomic-sphere approximation has no shape functions')
    radius = block.alat * float(shape.r[0])
    inner = round(log(radius / mesh.b + 1.0) / mesh.a) + 1
    if abs(radius - block.rmtnew) > _SAME_RADIUS or inner + len(shape.r) != mesh.n:
        raise KkrFileError(
            f'the shape function begins at {radius:.6f} Bohr and has {len(shape.r)} points, the potential has a '
            f'muffin-tin radius of {block.rmtnew:.6f} Bohr and {mesh.n - inner} points beyond'
        )
    return CellMesh(
        a=mesh.a,
        b=radius / (exp(mesh.a * (inner - 1)) - 1.0),
        n=mesh.n,
        outer_r=block.alat * shape.r,
        outer_step=block.alat * shape.step,
        outer_panels=shape.panels,
        theta=shape.components(rest.lmpot),
        nonspherical=rest.npoints + 1,
    )


def values_of(block: AtomicPotential, mesh: RadialMesh) -> FloatArray:
    """A potential as one array (size,) on its true mesh: the spherical part, after it the components lm = 2 ...

    :raises KkrFileError: if they do not belong together.
    """
    rest = block.nonspherical
    lmpot, points = (1, 0) if rest is None else (rest.lmpot, rest.npoints + 1)
    if (block.mesh.n, lmpot, points) != (mesh.n, mesh.channels, mesh.outermost):
        raise KkrFileError(
            f'{lmpot} components of {points} among {block.mesh.n} points, on a mesh for {mesh.channels} of '
            f'{mesh.outermost} among {mesh.n}'
        )
    if rest is None:
        return block.v
    nothing = np.zeros(points)
    return np.concatenate([block.v, *(rest.components.get(lm, nothing) for lm in range(2, lmpot + 1))])


def with_values(block: AtomicPotential, values: FloatArray) -> AtomicPotential:
    """The block on its true mesh with another potential (size,), see :func:`values_of`."""
    mesh, rest = block.mesh, block.nonspherical
    if rest is not None:
        rows = values[mesh.n :].reshape(mesh.channels - 1, mesh.outermost)
        given = {lm: row for lm, row in enumerate(rows, start=2) if row.any()}
        rest = dataclasses.replace(rest, components=MappingProxyType(given))
    return dataclasses.replace(block, v=values[: mesh.n], nonspherical=rest)


def _read_one(lines: Iterator[str]) -> ShapeFunction:
    npanels, npoints = (int(word) for word in next(lines).split()[:2])
    panels: list[int] = []
    while len(panels) < npanels:
        panels += [int(word) for word in next(lines).split()]
    if not panels or min(panels) < 1 or sum(panels) != npoints:
        raise ValueError(f'{npoints} points in panels of {panels}')
    r, step = _numbers(lines, 2 * npoints).reshape(npoints, 2).T
    theta = {}
    for _ in range(int(next(lines).split()[0])):
        lm = int(next(lines).split()[0])
        theta[lm] = _numbers(lines, npoints)
    return ShapeFunction(tuple(panels), r, step, theta)


def _numbers(lines: Iterator[str], number: int) -> FloatArray:
    """The next numbers, four in a line of 20 columns each."""
    rows = [next(lines) for _ in range((number + 3) // 4)]
    values = parse_floats(' '.join(row[i : i + 20] for row in rows for i in range(0, 80, 20)))
    if values.size != number or not np.isfinite(values).all():
        raise ValueError(f'{values.size} numbers instead of {number}, or not all finite')
    return values
