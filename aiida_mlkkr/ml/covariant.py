"""The terms of the Jacobi-Legendre model of sites, for one angular momentum, as features or as their covariances.

With a table φ of element functions, P̃_n(r) of distances, and the sign s of an odd quantity (1 for an even one), the
rows (i, m) of one l have three blocks of features:

- own:         s_i [φ(Z_i) − φ(Z_i°)]                                                             (l = 0 only)
- embedding:   s_i [φ(Z_i) − φ(Z_i°)] ⊗ Σ_j P̃_n(r_ij) φ(Z_j°) Y_lm(r̂_ij) 4π/(2l+1)
- neighbours:  φ(Z_i) ⊗ Σ_j P̃_n(r_ij) s_j [φ(Z_j) − φ(Z_j°)] Y_lm(r̂_ij) 4π/(2l+1)

where ° is the atom of the host that belongs on the site. For an even quantity the last two add up to the two-body term
of the cluster minus that of the same sites with the host's atoms everywhere. Without impurities all are zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from aiida_mlkkr.ml.element_kernel import ELEMENTS, ElementKernel
from aiida_mlkkr.ml.harmonics import components, real_harmonics
from aiida_mlkkr.ml.jacobi import JacobiFunctions
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]

BLOCKS = ('own', 'embedding', 'neighbours')


@dataclass(frozen=True, eq=False)
class ElementTables:
    """Functions of the elements, and their covariances, which the functions of some elements do not exhaust.

    :param own_kernel: (Z, Z) covariances of elements on a site; ``around_kernel`` of those around it.
    :param own: (Z, q) functions of the impurity on a site; ``centre`` of any atom on it.
    :param around: (Z, q) of impurities around it; ``host`` of the host's atoms around it.
    """

    own_kernel: FloatArray
    around_kernel: FloatArray
    own: FloatArray
    centre: FloatArray
    around: FloatArray
    host: FloatArray


@dataclass(frozen=True, eq=False)
class Terms:
    """How much of each element is in the features of r rows: they are linear in the functions of elements.

    :param own: (r, Z) the impurity minus the host's atom.
    :param centre: (r, Z) the atom on the site.
    :param host: (r, N, Z) the host's atoms around it.
    :param change: (r, N, Z) the impurities around it minus the host's atoms that they replace.
    :param scalar: whether l is 0.
    """

    own: FloatArray
    centre: FloatArray
    host: FloatArray
    change: FloatArray
    scalar: bool

    def features(self, tables: ElementTables) -> list[FloatArray]:
        """Features (r, p) of the rows in each block."""
        difference, centre = self.own @ tables.own, self.centre @ tables.centre
        host, change = self.host @ tables.host, self.change @ tables.around
        rows = len(difference)
        return [
            difference if self.scalar else np.zeros((rows, 0)),
            (difference[:, :, None, None] * host[:, None]).reshape(rows, -1),
            (centre[:, :, None, None] * change[:, None]).reshape(rows, -1),
        ]

    def variances(self, tables: ElementTables) -> FloatArray:
        """Squared lengths (3, r) of the features in each block if the functions told all elements apart."""
        own, centre = (_diagonal(part, tables.own_kernel) for part in (self.own, self.centre))
        host, change = (_diagonal(part, tables.around_kernel) for part in (self.host, self.change))
        return np.stack([own if self.scalar else np.zeros_like(own), own * host, centre * change])

    def covariances(self, own: ElementKernel, around: ElementKernel) -> list[FloatArray]:
        """Products (r, r) of the features of rows in each block, with all functions of the kernels."""
        return self._products(self._of_own(own.matrix), self._of_around(around.matrix))

    def gradients(self, own: ElementKernel, around: ElementKernel) -> list[list[FloatArray]]:
        """Derivatives of :meth:`covariances` by the logarithm of each length of both kernels."""
        of_own, of_around = self._of_own(own.matrix), self._of_around(around.matrix)
        by_own = [self._products(self._of_own(change), of_around) for change in own.gradients]
        by_around = [self._products(of_own, self._of_around(change)) for change in around.gradients]
        for blocks in by_around:
            blocks[0] = np.zeros_like(blocks[0])
        return by_own + by_around

    def _of_own(self, kernel: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _quadratic(self.own, kernel), _quadratic(self.centre, kernel)

    def _of_around(self, kernel: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _quadratic(self.host, kernel), _quadratic(self.change, kernel)

    def _products(self, own: tuple[FloatArray, FloatArray], around: tuple[FloatArray, FloatArray]) -> list[FloatArray]:
        (difference, centre), (host, change) = own, around
        return [difference if self.scalar else np.zeros_like(difference), difference * host, centre * change]


def terms_of(sites: Sites, functions: JacobiFunctions, l: int, odd: bool) -> Terms:
    """The terms of rows (site, m), m fastest.

    :param odd: whether for a quantity that changes its sign with the moments.
    """
    sign = sites.sign if odd else np.ones(len(sites))
    neighbour_sign = sites.neighbour_sign if odd else np.ones(len(sites.owner))
    unit = np.eye(ELEMENTS)
    own = sign[:, None] * (unit[sites.z] - unit[sites.z_host])
    radial = functions.vanishing(sites.distance) / np.arange(1, functions.number + 1)
    angular = 4 * pi / (2 * l + 1) * real_harmonics(sites.vector, l)[:, components(l)]
    values = (angular[:, :, None] * radial[:, None, :]).reshape(len(sites.owner), -1)
    host = _by_element(sites, sites.neighbour_z_host, values)
    near = np.flatnonzero(sites.neighbour_changed)
    signed = neighbour_sign[near, None] * values[near]
    change = _by_element(sites, sites.neighbour_z, signed, near)
    change -= _by_element(sites, sites.neighbour_z_host, signed, near)
    shape = (len(sites) * (2 * l + 1), functions.number, ELEMENTS)
    return Terms(
        own=np.repeat(own, 2 * l + 1, axis=0),
        centre=np.repeat(unit[sites.z], 2 * l + 1, axis=0),
        host=host.reshape(shape),
        change=change.reshape(shape),
        scalar=l == 0,
    )


def _by_element(
    sites: Sites, z: NDArray[np.int64], values: FloatArray, chosen: NDArray[np.int64] | None = None
) -> FloatArray:
    """Sums (n, v, Z) over the neighbours of a site and element of values (m, v), of all neighbours or some."""
    rows = np.arange(len(z)) if chosen is None else chosen
    place = (sites.owner[rows] * ELEMENTS + z[rows], np.arange(len(rows)))
    summation = csr_array((np.ones(len(rows)), place), shape=(len(sites) * ELEMENTS, len(rows)))
    sums: FloatArray = np.asarray(summation @ values).reshape(len(sites), ELEMENTS, -1)
    return sums.swapaxes(1, 2)


def _quadratic(values: FloatArray, kernel: FloatArray) -> FloatArray:
    there, part = _of_those_there(values, kernel)
    product: FloatArray = (there @ part).reshape(len(there), -1) @ there.reshape(len(there), -1).T
    return product


def _diagonal(values: FloatArray, kernel: FloatArray) -> FloatArray:
    there, part = _of_those_there(values, kernel)
    product: FloatArray = np.sum((there @ part) * there, axis=tuple(range(1, there.ndim)))
    return product


def _of_those_there(values: FloatArray, kernel: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values (..., e) and kernel (e, e) of the elements that there are: a few of the whole table."""
    elements = np.flatnonzero(values.reshape(-1, ELEMENTS).any(axis=0))
    return values[..., elements], kernel[np.ix_(elements, elements)]
