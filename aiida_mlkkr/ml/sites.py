"""Sites of an impurity cluster, as a model of potentials sees them: which impurities contribute to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.dataset import ImpurityRecord
from aiida_mlkkr.ml.elements import AROUND, FEATURES, ON_SITE, element_features
from aiida_mlkkr.ml.gaussian_process import Contributions
from aiida_mlkkr.ml.radial import RadialFunctions

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAGNETIC: Final = 0.05
"""Moments below this (µB) have no sign."""

_SAME_DISTANCE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Site:
    """One site and what contributes to its potential.

    :param host: number of the crystal.
    :param own: features (0 or 1, d) of the impurity on the site itself, those of ``ON_SITE``.
    :param around: features (m, d' + 1) of the other impurities, those of ``AROUND`` and the distance in units of the
        lattice constant.
    :param own_sign: (0 or 1,) and ``around_sign`` (m,): sign of the moment of each, 0 for none.
    """

    host: int
    own: FloatArray
    around: FloatArray
    own_sign: FloatArray
    around_sign: FloatArray

    def is_like(self, other: Site) -> bool:
        """Whether the same impurities contribute from the same distances."""
        return (
            self.own.shape == other.own.shape
            and self.around.shape == other.around.shape
            and bool(np.allclose(self.own, other.own))
            and bool(np.allclose(self.around, other.around, rtol=0.0, atol=_SAME_DISTANCE))
            and bool(np.array_equal(self.own_sign, other.own_sign))
            and bool(np.array_equal(self.around_sign, other.around_sign))
        )


@dataclass(frozen=True, eq=False)
class Observation:
    """A site with its converged potential, the mean of all sites that are like it.

    :param average: coefficients (K,) of the spin average without the reference, in Ry.
    :param splitting: coefficients (K,) of (V_down − V_up)/2 in Ry.
    :param moment: spin moment in µB.
    """

    site: Site
    average: FloatArray
    splitting: FloatArray
    moment: float


def sites_of_cluster(
    host: int, positions: FloatArray, z: FloatArray, impurities: IntArray, signs: FloatArray
) -> tuple[Site, ...]:
    """All sites of a cluster.

    :param positions: (natom, 3) in units of the lattice constant; ``z`` (natom,) nuclear charges.
    :param impurities: indices of the sites that are not the host's; ``signs`` those of their moments.
    """
    features = _features(z[impurities])
    sites = []
    for site, position in enumerate(positions):
        distances = np.linalg.norm(positions[impurities] - position, axis=1)
        described = np.column_stack([features[:, AROUND], distances])
        others = impurities != site
        order = np.lexsort((*described[others].T[:-1], np.round(distances[others], 4)))
        sites.append(
            Site(host, features[~others][:, ON_SITE], described[others][order], signs[~others], signs[others][order])
        )
    return tuple(sites)


def observations(record: ImpurityRecord, host: int, radial_functions: int) -> list[Observation]:
    """The different sites of a finished cluster, and their potentials in radial functions.

    :param host: number of the record's host.
    """
    moments = record.moments[record.impurities]
    signs = np.where(np.abs(moments) < MAGNETIC, 1.0, np.sign(moments))
    sites = sites_of_cluster(host, record.positions, record.z, record.impurities, signs)
    found: list[tuple[Site, list[int]]] = []
    for index, site in enumerate(sites):
        for representative, members in found:
            if representative.is_like(site) and record.layer[members[0]] == record.layer[index]:
                members.append(index)
                break
        else:
            found.append((site, [index]))
    result = []
    for site, members in found:
        functions = RadialFunctions(record.host.meshes[record.layer[members[0]] - 1], radial_functions)
        v = np.mean([record.v[member] for member in members], axis=0)
        result.append(
            Observation(
                site,
                functions.coefficients(v.mean(axis=0) - record.reference[members[0]]),
                functions.coefficients(0.5 * (v[0] - v[1])),
                float(np.mean(record.moments[members])),
            )
        )
    return result


def host_atoms(host: int, z: FloatArray, distances: Iterable[float], radial_functions: int) -> list[Observation]:
    """What is known without a calculation: an atom of the host changes nothing, neither on its site nor around it."""
    nothing = np.zeros(radial_functions)
    no_sign, one_sign = np.zeros(0), np.ones(1)
    no_own, no_around = np.zeros((0, len(ON_SITE))), np.zeros((0, len(AROUND) + 1))
    result = []
    for charge in sorted(set(z.tolist())):
        features = _features(np.array([charge]))
        result.append(
            Observation(Site(host, features[:, ON_SITE], no_around, one_sign, no_sign), nothing, nothing, 0.0)
        )
        for distance in distances:
            around = np.column_stack([features[:, AROUND], [[distance]]])
            result.append(Observation(Site(host, no_own, around, no_sign, one_sign), nothing, nothing, 0.0))
    return result


def own_contributions(sites: Sequence[Site], with_signs: bool) -> Contributions:
    """What the impurities on the sites themselves contribute; ``with_signs`` for what changes sign with a moment."""
    return _stack(sites, [site.own for site in sites], [site.own_sign for site in sites], with_signs)


def around_contributions(sites: Sequence[Site], with_signs: bool) -> Contributions:
    """What the other impurities of the cluster contribute."""
    return _stack(sites, [site.around for site in sites], [site.around_sign for site in sites], with_signs)


def _features(z: FloatArray) -> FloatArray:
    """Features of elements, one row for each."""
    return np.array([element_features(int(charge)) for charge in z]).reshape(-1, len(FEATURES))


def _stack(
    sites: Sequence[Site], features: list[FloatArray], signs: list[FloatArray], with_signs: bool
) -> Contributions:
    counts = [len(rows) for rows in features]
    weights = np.concatenate(signs)
    return Contributions(
        np.concatenate(features),
        np.repeat([site.host for site in sites], counts),
        np.repeat(np.arange(len(sites)), counts),
        weights if with_signs else np.ones_like(weights),
        len(sites),
    )
