"""The radial meshes of the KKR codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_SAME_LENGTH = 1e-6
_ARRAYS = ('outer_r', 'outer_step', 'theta')


@dataclass(frozen=True)
class RadialMesh:
    """Radial mesh r_i = b (exp(a (i - 1)) - 1), i = 1 ... n, in Bohr.

    In the atomic-sphere approximation the last point is the radius of the sphere. In full potential the formula holds
    up to the muffin-tin radius only; the points beyond belong to the shape functions, see :class:`CellMesh`.

    :raises ValueError: if a or b is not positive or there are fewer than two points.
    """

    a: float
    b: float
    n: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.a) and np.isfinite(self.b) and self.a > 0 and self.b > 0 and self.n >= 2):
            raise ValueError(f'a radial mesh needs a > 0, b > 0 and at least 2 points, not {self}')

    @cached_property
    def r(self) -> FloatArray:
        """Radii (n,) in Bohr, r[0] = 0; read-only."""
        r: FloatArray = self.b * (np.exp(self.a * np.arange(self.n)) - 1.0)
        r.flags.writeable = False
        return r

    @cached_property
    def drdi(self) -> FloatArray:
        """Derivative dr/di (n,) with respect to the point index, in Bohr; read-only."""
        drdi: FloatArray = self.a * self.b * np.exp(self.a * np.arange(self.n))
        drdi.flags.writeable = False
        return drdi

    @cached_property
    def inside(self) -> FloatArray:
        """Fraction (n,) of the sphere of each radius that is inside of the atom's cell; read-only."""
        inside = np.ones(self.n)
        inside.flags.writeable = False
        return inside

    @property
    def muffin_tin(self) -> RadialMesh:
        """The part where the formula holds: all of an atomic sphere."""
        return self

    @property
    def panels(self) -> tuple[int, ...]:
        """Numbers of points of the panels, outwards; between them the step jumps."""
        return (self.n,)

    @property
    def channels(self) -> int:
        """Number of components lm of a potential."""
        return 1

    @property
    def outermost(self) -> int:
        """Number of outermost points on which components lm > 1 of a potential are given."""
        return 0

    @property
    def size(self) -> int:
        """Number of values of a potential: the spherical part (n,), after it the components lm = 2 ... one by one."""
        return self.n + (self.channels - 1) * self.outermost

    @property
    def rmax(self) -> float:
        """Radius of the last point in Bohr."""
        return float(self.r[-1])

    def of_cell(self, spherical: FloatArray) -> FloatArray:
        """A spherical function (n,) cut off at the boundary of the cell, (size,): itself in a sphere."""
        return spherical

    def difference(self, other: RadialMesh) -> str:
        """What tells two meshes apart, with both values; empty if they are the same."""
        mine, its = (mesh.channels for mesh in (self, other))
        if mine != its:
            return f'the radial meshes are those of {mine} and {its} components lm'
        same = self.n == other.n and abs(self.rmax - other.rmax) <= _SAME_LENGTH
        if not same or abs(self.a - other.a) > _SAME_LENGTH or self.outermost != other.outermost:
            return f'the radial meshes are {self} and {other}'
        if self.panels != other.panels or not (
            np.allclose(self.r, other.r, rtol=0.0, atol=_SAME_LENGTH)
            and np.allclose(self.inside, other.inside, rtol=0.0, atol=_SAME_LENGTH)
        ):
            return 'the shape functions differ'
        return ''


@dataclass(frozen=True, eq=False, repr=False)
class CellMesh(RadialMesh):
    """Radial mesh of an atomic cell in full potential.

    The formula holds up to the muffin-tin radius; beyond there are the panels of the cell's shape function
    Θ(r) = Σ_lm θ_lm(r) Y_lm, 1 inside of the cell and 0 outside. Panels share their ends: such radii are there twice.

    Potentials in files are those of the cell alone, Θ V: they vanish outside of it, the nuclear part -2Z/r included.

    :param outer_r: (m,) radii of the last m points in Bohr; the first is the muffin-tin radius once more.
    :param outer_step: (m,) their dr/di in Bohr.
    :param outer_panels: numbers of points of the panels of the shape function; their sum is m.
    :param theta: θ_lm (channels, m) of the components that a potential has.
    :param nonspherical: number of outermost points on which components lm > 1 are given.
    :raises ValueError: if the parts do not fit together.
    """

    outer_r: FloatArray
    outer_step: FloatArray
    outer_panels: tuple[int, ...]
    theta: FloatArray
    nonspherical: int

    def __post_init__(self) -> None:
        super().__post_init__()
        m = len(self.outer_r)
        if self.outer_step.shape != (m,) or sum(self.outer_panels) != m or self.theta.shape[1:] != (m,):
            raise ValueError(f'{m} radii beyond the muffin-tin radius in panels of {self.outer_panels}')
        if not (len(self.theta) and 1 <= m <= self.nonspherical <= self.n - 1):
            raise ValueError(f'{m} points of a cell, {self.nonspherical} of components lm > 1, in a mesh of {self.n}')

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CellMesh):
            return NotImplemented
        return hash(self) == hash(other) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in _ARRAYS
        )

    def __hash__(self) -> int:
        return hash((self.a, self.b, self.n, self.outer_panels, self.nonspherical))

    def __repr__(self) -> str:
        return f'CellMesh(a={self.a}, b={self.b}, n={self.n}, outer_panels={self.outer_panels})'

    @property
    def muffin_tin(self) -> RadialMesh:
        """The part where the formula holds: up to the muffin-tin radius."""
        return RadialMesh(self.a, self.b, self.n - len(self.outer_r))

    @cached_property
    def r(self) -> FloatArray:
        """Radii (n,) in Bohr, r[0] = 0; read-only."""
        return _read_only(self.muffin_tin.r, self.outer_r)

    @cached_property
    def drdi(self) -> FloatArray:
        """Derivative dr/di (n,) with respect to the point index, in Bohr; read-only."""
        return _read_only(self.muffin_tin.drdi, self.outer_step)

    @cached_property
    def inside(self) -> FloatArray:
        """Fraction (n,) of the sphere of each radius that is inside of the atom's cell; read-only."""
        return _read_only(self.muffin_tin.inside, self.theta[0] / sqrt(4 * pi))

    @property
    def panels(self) -> tuple[int, ...]:
        """Numbers of points of the panels, outwards; between them the step jumps."""
        return (self.muffin_tin.n, *self.outer_panels)

    @property
    def channels(self) -> int:
        """Number of components lm of a potential."""
        return len(self.theta)

    @property
    def outermost(self) -> int:
        """Number of outermost points on which components lm > 1 of a potential are given."""
        return self.nonspherical

    def of_cell(self, spherical: FloatArray) -> FloatArray:
        """A spherical function (n,) cut off at the boundary of the cell, (size,): Θ has all components."""
        higher = np.zeros((self.channels - 1, self.outermost))
        higher[:, -len(self.outer_r) :] = self.theta[1:] * spherical[-len(self.outer_r) :]
        cut: FloatArray = np.concatenate([self.inside * spherical, higher.ravel()])
        return cut


def _read_only(inner: FloatArray, outer: FloatArray) -> FloatArray:
    joined: FloatArray = np.concatenate([inner, outer])
    joined.flags.writeable = False
    return joined
