"""What impurities contribute to the potentials of sites, as observations of a Gaussian process.

The components of the channels l of a site are seen along a few directions in their 2l + 1 dimensions: those in which
the tensors of its geometry do not vanish. For l = 0 there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.contributions import Contributions
from aiida_mlkkr.ml.elements import AROUND, FEATURES, ON_SITE, element_features, gapless_group
from aiida_mlkkr.ml.harmonics import components
from aiida_mlkkr.ml.sites import Sites
from aiida_mlkkr.ml.soap import environments
from aiida_mlkkr.ml.tensors import crystal_tensors, impurity_tensors

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Part = Literal['own', 'around']

_UNUSED: Final = 1e6

PRIOR_LENGTHS: Final = {
    'own': ([2.5] * len(ON_SITE) + [_UNUSED, _UNUSED, 8.0], [1.2, _UNUSED, 2.5, 2.5, 2.5, 8.0, 8.0]),
    'around': ([2.5] * len(AROUND) + [8.0, 0.75],),
}
"""Of the features: those of the element, the radius of the sphere in Bohr, the distance in units of the radius.

An element on the site is described in two ways, each with processes of its own: by its place in the periodic table
(period, group, sp and f electrons), so that Al is like Ga and not like Mg, and with the group without gap and the d
electrons (columns 4 and 5), so that an sp element is like the one before it.
"""

_D: Final = FEATURES.index('d electrons')
_VANISHES: Final = 1e-6


@dataclass(frozen=True, eq=False)
class SiteContributions:
    """n observations of sites in a table.

    :param contributions: to the observations.
    :param site: (n,) row of the table that an observation is of; ``direction`` (n, 2l + 1) among the channels of l.
    :param l: angular momentum.
    :param of_host: the same contributions of the atoms of the host in place of the impurities, the sums of which are
        known to be zero; None where they are a part of the contributions already, see :func:`contributions_of`.
    """

    contributions: Contributions
    site: IntArray
    direction: FloatArray
    l: int
    of_host: Contributions | None

    def seen(self, channels: FloatArray) -> FloatArray:
        """Observations (n, K) of coefficients (sites, C, K)."""
        observed: FloatArray = np.einsum('im,imk->ik', self.direction, channels[self.site, components(self.l)])
        return observed

    def add_to(self, channels: FloatArray, observed: FloatArray) -> None:
        """Add what is observed, (n, K), to coefficients (sites, C, K)."""
        np.add.at(channels[:, components(self.l)], self.site, self.direction[:, :, None] * observed[:, None, :])


def contributions_of(part: Part, sites: Sites, l: int, signed: bool) -> SiteContributions:
    """What impurities contribute to the channels of one l.

    What does not change sign around an impurity is f(impurity) − f(atom of the host). So much of what a neighbour does
    is common to hosts that one which has not been seen is half known by it. On the site itself that holds for elements
    close to the host's only; that these do nothing is an observation there.

    :param part: what those on the sites contribute, or those around them.
    :param signed: of what changes sign with the moment of its impurity.
    """
    near = np.flatnonzero(sites.changed if part == 'own' else sites.neighbour_changed)
    owner = near if part == 'own' else sites.owner[near]
    if l == 0:
        tensors = np.ones((len(near), 1, 1))
    else:
        tensors = crystal_tensors(sites, l)[near] if part == 'own' else impurity_tensors(sites, near, l)
    features, host_features = (_features(part, sites, near, owner, host) for host in (False, True))
    is_difference = part == 'around' and not signed
    if is_difference:
        features = _alternating(features, host_features)
        tensors, owner = _alternating(tensors, -tensors), np.repeat(owner, 2)
    if signed:
        tensors = tensors * (sites.sign if part == 'own' else sites.neighbour_sign)[near, None, None]
    vectors, environment = environments(sites, sites.neighbour_z_host)
    return _along_directions(
        tensors, owner, features, None if is_difference else host_features, vectors, environment[owner], l
    )


def representatives(part: Part, sites: Sites) -> IntArray:
    """Rows of sites that differ, if atoms of the host stand in place of all impurities."""
    if part == 'own':
        rows = np.flatnonzero(sites.changed)
        return rows[np.unique(sites.atom[rows], return_index=True)[1]]
    known: dict[tuple[int, ...], int] = {}
    near = np.flatnonzero(sites.neighbour_changed)
    distance = np.round(1e3 * sites.distance[near]).astype(np.int64)
    for site, its in zip(*_runs(sites.owner[near]), strict=True):
        places = sorted(zip(sites.neighbour_atom[near][its].tolist(), distance[its].tolist(), strict=True))
        known.setdefault((int(sites.atom[site]), *(x for place in places for x in place)), int(site))
    return np.array(list(known.values()), dtype=np.int64)


def _along_directions(
    tensors: FloatArray,
    owner: IntArray,
    features: FloatArray,
    host_features: FloatArray | None,
    vectors: FloatArray,
    environment: IntArray,
    l: int,
) -> SiteContributions:
    """Contributions (c, t, 2l + 1) of impurities to sites, along the directions in which those of a site do not vanish.

    :param owner: (c,) the sites, ascending; ``features`` (c, d) of the impurities, ``host_features`` of the atoms of
        the host in their places.
    """
    scale = np.sqrt(2 * l + 1)
    sites, directions, weights = [], [], []
    for site, its in zip(*_runs(owner), strict=True):
        block = tensors[its].reshape(-1, 2 * l + 1) * (scale if l else 1.0)
        _, sizes, across = np.linalg.svd(block, full_matrices=False)
        for direction in across[sizes > _VANISHES * max(1.0, sizes.max())]:
            sites.append(site)
            directions.append(direction)
            weights.append((its, (block @ direction).reshape(len(its), -1)))
    number, kinds = len(sites), tensors.shape[1]
    counts = [len(its) for its, _ in weights]
    single = np.concatenate([its for its, _ in weights] or [np.empty(0, dtype=np.int64)])
    contributions = Contributions(
        np.repeat(features[single], kinds, axis=0),
        np.repeat(environment[single], kinds),
        vectors,
        np.tile(np.arange(kinds), len(single)),
        np.repeat(np.repeat(np.arange(number), counts), kinds),
        np.concatenate([weight.ravel() for _, weight in weights] or [np.empty(0)]),
        number,
    )
    of_host = None
    if host_features is not None:
        of_host = replace(contributions, features=np.repeat(host_features[single], kinds, axis=0))
    return SiteContributions(
        contributions, np.array(sites, dtype=np.int64), np.array(directions).reshape(number, 2 * l + 1), l, of_host
    )


def _runs(owner: IntArray) -> tuple[IntArray, list[IntArray]]:
    """The different numbers in ascending ones, and where each stands."""
    numbers, starts = np.unique(owner, return_index=True)
    return numbers, np.split(np.arange(len(owner)), starts[1:]) if len(numbers) else []


def _alternating(one: FloatArray, other: FloatArray) -> FloatArray:
    """Rows of two arrays in turn."""
    return np.stack([one, other], axis=1).reshape(2 * len(one), *one.shape[1:])


def _features(part: Part, sites: Sites, near: IntArray, owner: IntArray, host: bool) -> FloatArray:
    """Features (j, d) of impurities, or of the atoms of the host that belong in their places."""
    radius = sites.radius[owner]
    if part == 'own':
        z = (sites.z_host if host else sites.z)[near]
        of_elements = _of_elements(z)
        groups = np.array([gapless_group(charge) for charge in z.tolist()])
        return np.column_stack([of_elements[:, ON_SITE], groups, of_elements[:, _D], radius])
    z = (sites.neighbour_z_host if host else sites.neighbour_z)[near]
    return np.column_stack([_of_elements(z)[:, AROUND], radius, sites.distance[near] / radius])


def _of_elements(z: IntArray) -> FloatArray:
    """Features of elements, one row for each."""
    unique, inverse = np.unique(z, return_inverse=True)
    return np.array([element_features(int(charge)) for charge in unique]).reshape(-1, len(FEATURES))[inverse]
