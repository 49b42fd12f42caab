"""Functions of the radius as a few coefficients: polynomials that are orthonormal in the volume of the atomic sphere.

The variable is the square root of the radius in units of the sphere's, so that the functions follow the shells near the
nucleus and mean the same in spheres of different size. The norm is the root mean square over the volume,

    ‖f‖² = ∫ f² r² dr / ∫ r² dr,

so that the root of the sum of squared coefficients is an error in Ry as KKRimp measures it.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from aiida_mlkkr.kkr.mesh import RadialMesh

FloatArray = NDArray[np.float64]


def volume_weights(mesh: RadialMesh) -> FloatArray:
    """Weights (n,) of the mesh points in an average over the volume, by the trapezoidal rule; their sum is 1."""
    weights: FloatArray = mesh.r**2 * mesh.drdi
    weights[-1] *= 0.5
    normalised: FloatArray = weights / weights.sum()
    return normalised


class RadialFunctions:
    """The first orthonormal polynomials on a radial mesh.

    :param mesh: the mesh, n points.
    :param number: how many functions.
    :raises ValueError: if there are more functions than points of the mesh.
    """

    def __init__(self, mesh: RadialMesh, number: int) -> None:
        if not 1 <= number <= mesh.n:
            raise ValueError(f'{number} radial functions on a mesh of {mesh.n} points')
        polynomials = legvander(2.0 * np.sqrt(mesh.r / mesh.rmax) - 1.0, number - 1)
        self._weights = volume_weights(mesh)
        _, triangle = np.linalg.qr(np.sqrt(self._weights)[:, None] * polynomials)
        # the sign of a function must not depend on the factorisation
        triangle *= np.sign(np.diag(triangle))[:, None]
        self.values: FloatArray = np.linalg.solve(triangle.T, polynomials.T).T
        """Values of the functions on the mesh, shape (n, number)."""

    def coefficients(self, values: FloatArray) -> FloatArray:
        """Coefficients (..., number) of functions given on the mesh (..., n), by projection."""
        projected: FloatArray = (values * self._weights) @ self.values
        return projected

    def expand(self, coefficients: FloatArray) -> FloatArray:
        """Functions on the mesh (..., n) from their coefficients (..., number)."""
        expanded: FloatArray = coefficients @ self.values.T
        return expanded
