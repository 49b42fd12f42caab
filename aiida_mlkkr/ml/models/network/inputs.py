"""What the network sees of a table of sites: the contributions of which the potential of each site is the sum.

Each impurity contributes to its own site and to those around it. A contribution is a difference: of the impurity to the
atom of the host in its place, so that such an atom contributes nothing. All features are even in the moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.elements import FEATURES, element_features
from aiida_mlkkr.ml.models.network.angular import crystal_tensors, natural_tensors
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_ELEMENT_SCALE: Final = np.array([2.0, 6.0, 2.5, 3.5, 5.0])
"""Changes of :data:`FEATURES` that an element is told apart by."""

_RADIUS: Final = (2.8, 1.0)
_DISTANCE: Final = (5.2, 3.0)
_REACH: Final = 5.2
"""Distance in Bohr of nearest neighbours in a metal, from which on a perturbation decays with its third power."""

_PAIR_SHARE: Final = 0.5
"""Weight of what two impurities do beyond the sum of both, before data tell."""

WIDTH: Final = 4 * len(FEATURES) + 4
"""Number of features of a contribution."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """m contributions to n sites.

    :param changed: (n,) whether there is an impurity on the site.
    :param site: (m,) the site contributed to; ``own`` (m,) whether the impurity is on it.
    :param sign: (m,) of the impurity's moment; ``strength`` (m,) how far its influence has decayed.
    :param features: (u, d) different inputs; ``impurity`` and ``host`` (m,) their rows for the impurity and the atom
        of the host in its place.
    :param tensors: for each l ≥ 1 (m, P_l, 2l + 1), all that rotates as l and is made of the direction and the crystal.
    """

    changed: NDArray[np.bool_]
    site: IntArray
    own: NDArray[np.bool_]
    sign: FloatArray
    strength: FloatArray
    features: FloatArray
    impurity: IntArray
    host: IntArray
    tensors: list[FloatArray]

    @property
    def number(self) -> int:
        """How many sites."""
        return len(self.changed)

    @property
    def summed_strength(self) -> FloatArray:
        """(n,) squares of the strengths of all contributions to each site, summed."""
        total = np.zeros(self.number)
        np.add.at(total, self.site, self.strength**2)
        return total

    def subset(self, chosen: IntArray) -> Contributions:
        """The contributions to some of the sites, each of them once."""
        place = np.full(self.number, -1)
        place[chosen] = np.arange(len(chosen))
        kept = place[self.site] >= 0
        used, which = np.unique(np.concatenate([self.impurity[kept], self.host[kept]]), return_inverse=True)
        impurity, host = np.split(which, 2)
        return Contributions(
            changed=self.changed[chosen],
            site=place[self.site[kept]],
            own=self.own[kept],
            sign=self.sign[kept],
            strength=self.strength[kept],
            features=self.features[used],
            impurity=impurity,
            host=host,
            tensors=[of_l[kept] for of_l in self.tensors],
        )


def contributions(sites: Sites, lmax: int) -> Contributions:
    """All contributions to sites, for channels up to lmax."""
    on_site, near = np.flatnonzero(sites.changed), np.flatnonzero(sites.neighbour_changed)
    site = np.concatenate([on_site, sites.owner[near]])
    own = np.arange(len(site)) < len(on_site)
    distance = np.concatenate([np.zeros(len(on_site)), sites.distance[near]])
    sign = np.concatenate([sites.sign[on_site], sites.neighbour_sign[near]])
    replaced = np.concatenate([sites.z_host[on_site], sites.neighbour_z_host[near]])
    surroundings = np.column_stack(
        [
            _elements(sites.z_host[site]),
            np.where(own[:, None], 0.0, _elements(replaced)),
            np.where(own[:, None], 0.0, _PAIR_SHARE * (_elements(sites.z[site]) - _elements(sites.z_host[site]))),
            (sites.radius[site] - _RADIUS[0]) / _RADIUS[1],
            np.where(own, 0.0, (distance - _DISTANCE[0]) / _DISTANCE[1]),
            np.where(own, 0.0, _PAIR_SHARE * sites.sign[site] * sign),
            own,
        ]
    )
    charges = np.concatenate([sites.z[on_site], sites.neighbour_z[near]])
    inputs = np.concatenate([np.column_stack([_elements(z), surroundings]) for z in (charges, replaced)])
    features, which = np.unique(inputs.round(9), axis=0, return_inverse=True)
    vectors = np.concatenate([np.zeros((len(on_site), 3)), sites.vector[near]])
    return Contributions(
        changed=sites.changed,
        site=site,
        own=own,
        sign=sign,
        strength=np.minimum((_REACH / np.maximum(distance, 1e-9)) ** 3, 1.0),
        features=features,
        impurity=which[: len(site)],
        host=which[len(site) :],
        tensors=natural_tensors(vectors, crystal_tensors(sites, lmax)[site], lmax) if lmax else [],
    )


def _elements(z: IntArray) -> FloatArray:
    """Features of elements, one row for each."""
    unique, which = np.unique(z, return_inverse=True)
    table = np.array([element_features(int(charge)) for charge in unique]).reshape(-1, len(FEATURES))
    scaled: FloatArray = (table / _ELEMENT_SCALE)[which]
    return scaled
