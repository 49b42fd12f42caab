"""Functions of the radius as a few coefficients: polynomials that are orthonormal in the volume of the atom.

In an atomic sphere the variable is the square root of the radius in units of the sphere's, so that the functions follow
the shells near the nucleus and mean the same in spheres of different size. The norm is the root mean square over the
volume,

    ‖f‖² = ∫ f² r² dr / ∫ r² dr,

so that the root of the sum of squared coefficients is an error in Ry as KKRimp measures it.

In full potential a function has components lm. The spherical one is the function's mean over directions, as in JuKKR's
files, the others are those of real spherical harmonics: ‖f‖² = Σ_lm ∫ f_lm² r² dr / volume, with 1/4π for lm > 1. All
are cut off at the boundary of the cell: they have a kink where its first face begins, and vanish at the outermost
corner. So they are polynomials times the fraction θ of the sphere that is inside of the cell, and some more times
θ(1 − θ). Components l > 0 are given on the outermost points only, where they behave like r^l.

A spherical function that is cut off at the boundary of a cell has the components of the cell's shape function, too:
most of l = 4 of what an impurity does to its cubic site. They come with the coefficients of the spherical part, and
those of the other channels are what is left. So each channel has the norm above, but not the sum of all of them.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt, pi

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from aiida_mlkkr.kkr.mesh import RadialMesh

FloatArray = NDArray[np.float64]

_CORNER = 1e-9
"""Fraction of a sphere inside of the cell below which nothing is left of a function."""


def volume_weights(mesh: RadialMesh) -> FloatArray:
    """Weights (size,) of squared values in a function's mean square over the volume, by the trapezoidal rule.

    Their sum is 1 in an atomic sphere. In full potential the volume is that of the cell.
    """
    weights = point_weights(mesh)
    outer = np.tile(weights[mesh.n - mesh.outermost :] / (4 * pi), mesh.channels - 1)
    joined: FloatArray = np.concatenate([weights, outer])
    return joined


def point_weights(mesh: RadialMesh) -> FloatArray:
    """Those (n,) of the spherical part."""
    weights: FloatArray = mesh.r**2 * mesh.drdi
    ends = np.cumsum(mesh.panels)
    weights[ends - 1] *= 0.5
    weights[ends[:-1]] *= 0.5
    normalised: FloatArray = weights / (weights @ mesh.inside)
    return normalised


class RadialFunctions:
    """The first orthonormal polynomials on a radial mesh, for the spherical part of a function.

    :param mesh: the mesh, n points.
    :param number: how many functions.
    :raises ValueError: if there are more functions than points of the mesh.
    """

    def __init__(self, mesh: RadialMesh, number: int) -> None:
        if not 1 <= number <= mesh.n:
            raise ValueError(f'{number} radial functions on a mesh of {mesh.n} points')
        self._weights = point_weights(mesh)
        functions = _within_cell(2.0 * np.sqrt(mesh.r / mesh.rmax) - 1.0, mesh.inside, number)
        self.values: FloatArray = _orthonormal(functions, self._weights)
        """Values of the functions on the mesh, shape (n, number)."""

    def coefficients(self, values: FloatArray) -> FloatArray:
        """Coefficients (..., number) of functions given on the mesh (..., n), by projection."""
        projected: FloatArray = (values * self._weights) @ self.values
        return projected

    def expand(self, coefficients: FloatArray) -> FloatArray:
        """Functions on the mesh (..., n) from their coefficients (..., number)."""
        expanded: FloatArray = coefficients @ self.values.T
        return expanded


class ChannelFunctions:
    """Functions of all components lm on a radial mesh: C channels, one in the atomic-sphere approximation.

    Those of the spherical channel have all components that they get where the cell cuts them off.

    :param mesh: the mesh of ``size`` values.
    :param number: how many functions of each channel.
    :raises ValueError: if there are more functions than points of the mesh.
    """

    def __init__(self, mesh: RadialMesh, number: int) -> None:
        self._mesh = mesh
        self._spherical = RadialFunctions(mesh, number)
        self._cut_off = _components_of_cell(mesh, self._spherical.values)
        outside = slice(mesh.n - mesh.outermost, mesh.n)
        x, inside = mesh.r[outside] / mesh.rmax, mesh.inside[outside]
        self._weights = point_weights(mesh)[outside] / (4 * pi)
        polynomials = _within_cell(2.0 * x**2 - 1.0, inside, number)
        by_l = [_orthonormal(x[:, None] ** l * polynomials, self._weights) for l in range(1, isqrt(mesh.channels))]
        self._higher = [by_l[isqrt(channel) - 1] for channel in range(1, mesh.channels)]

    def coefficients(self, values: FloatArray) -> FloatArray:
        """Coefficients (..., C, number) of functions (..., size) by projection, in Ry if these are."""
        spherical, higher = self._parts(values)
        channels = [self._spherical.coefficients(spherical)]
        higher = higher - np.tensordot(channels[0], self._cut_off, 1)
        channels += [(higher[..., i, :] * self._weights) @ functions for i, functions in enumerate(self._higher)]
        return np.stack(channels, axis=-2)

    def expand(self, coefficients: FloatArray) -> FloatArray:
        """Functions (..., size) from their coefficients (..., C, number)."""
        spherical = coefficients[..., 0, :]
        cut_off = np.tensordot(spherical, self._cut_off, 1)
        parts = [self._spherical.expand(spherical)]
        parts += [
            cut_off[..., i - 1, :] + coefficients[..., i, :] @ functions.T
            for i, functions in enumerate(self._higher, start=1)
        ]
        expanded: FloatArray = np.concatenate(parts, axis=-1)
        return expanded

    def _parts(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The spherical part (..., n) and the other components (..., C − 1, points) of functions."""
        n = self._mesh.n
        return values[..., :n], values[..., n:].reshape(*values.shape[:-1], len(self._higher), self._mesh.outermost)


@lru_cache(maxsize=32)
def channel_functions(mesh: RadialMesh, number: int) -> ChannelFunctions:
    """The functions of a mesh, made once."""
    return ChannelFunctions(mesh, number)


def _components_of_cell(mesh: RadialMesh, functions: FloatArray) -> FloatArray:
    """Components lm > 1 (number, C − 1, points) of spherical functions (n, number) that the cell has cut off."""
    inside = mesh.inside[:, None]
    whole = np.divide(functions, inside, out=np.zeros_like(functions), where=inside > _CORNER)
    cut_off = np.array([mesh.of_cell(function)[mesh.n :] for function in whole.T])
    return cut_off.reshape(len(cut_off), mesh.channels - 1, mesh.outermost)


def _within_cell(x: FloatArray, inside: FloatArray, number: int) -> FloatArray:
    """Polynomials (n, number) in x, in a cell cut off at its boundary."""
    if (inside == 1.0).all():
        return np.asarray(legvander(x, number - 1), dtype=np.float64)
    beyond = number // 4
    inner, outer = legvander(x, number - beyond - 1), legvander(x, max(beyond - 1, 0))[:, :beyond]
    values: FloatArray = np.hstack([inner * inside[:, None], outer * (inside * (1.0 - inside))[:, None]])
    return values


def _orthonormal(functions: FloatArray, weights: FloatArray) -> FloatArray:
    """The functions (n, K) made orthonormal one by one with weights (n,)."""
    _, triangle = np.linalg.qr(np.sqrt(weights)[:, None] * functions)
    # the sign of a function must not depend on the factorisation
    triangle *= np.sign(np.diag(triangle))[:, None]
    values: FloatArray = np.linalg.solve(triangle.T, functions.T).T
    return values
