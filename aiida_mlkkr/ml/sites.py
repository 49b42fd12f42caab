"""Sites of an impurity cluster, as a model of potentials sees them: which impurities contribute to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.ml.dataset import Host, ImpurityRecord
from aiida_mlkkr.ml.elements import AROUND, FEATURES, ON_SITE, element_features
from aiida_mlkkr.ml.gaussian_process import Contributions
from aiida_mlkkr.ml.radial import RadialFunctions

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAGNETIC: Final = 0.05
"""Moments below this (µB) have no sign."""

_SAME_DISTANCE: Final = 1e-4

_MANY_ATOMS: Final = 1_000_000
"""More than the cells of all hosts hold together: one number for a pair of atoms."""


@dataclass(frozen=True, eq=False)
class Site:
    """One site and what contributes to its potential.

    :param atom: number of the host's atom on the site, of :func:`atom_numbers`.
    :param own: features (0 or 1, d) of the impurity on the site itself, those of ``ON_SITE``.
    :param around: features (m, d' + 1) of the other impurities, those of ``AROUND`` and the distance in units of the
        lattice constant.
    :param around_atom: (m,) numbers of the host's atoms that these replace.
    :param own_sign: (0 or 1,) and ``around_sign`` (m,): sign of the moment of each, 0 for none.
    """

    atom: int
    own: FloatArray
    around: FloatArray
    around_atom: IntArray
    own_sign: FloatArray
    around_sign: FloatArray

    def is_like(self, other: Site) -> bool:
        """Whether the same impurities contribute from the same distances to the same atom of the host."""
        return (
            self.atom == other.atom
            and self.own.shape == other.own.shape
            and self.around.shape == other.around.shape
            and bool(np.allclose(self.own, other.own))
            and bool(np.allclose(self.around, other.around, rtol=0.0, atol=_SAME_DISTANCE))
            and bool(np.array_equal(self.around_atom, other.around_atom))
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


def atom_numbers(hosts: Sequence[Host]) -> list[IntArray]:
    """Numbers (nlayer,) of the atoms of each host's cell, counted through all hosts; those that are alike share one."""
    before = np.cumsum([0, *(len(host.z) for host in hosts)])
    return [number + host.first_alike for number, host in zip(before, hosts, strict=False)]


def sites_of_cluster(
    atoms: IntArray, positions: FloatArray, z: FloatArray, impurities: IntArray, signs: FloatArray
) -> tuple[Site, ...]:
    """All sites of a cluster.

    :param atoms: (natom,) numbers of the host's atoms on the sites, of :func:`atom_numbers`.
    :param positions: (natom, 3) in units of the lattice constant; ``z`` (natom,) nuclear charges.
    :param impurities: indices of the sites that are not the host's; ``signs`` those of their moments.
    """
    features = _features(z[impurities])
    sites = []
    for site, position in enumerate(positions):
        distances = np.linalg.norm(positions[impurities] - position, axis=1)
        described = np.column_stack([features[:, AROUND], distances])
        others = impurities != site
        around = impurities[others]
        order = np.lexsort((atoms[around], *described[others].T[:-1], np.round(distances[others], 4)))
        sites.append(
            Site(
                int(atoms[site]),
                features[~others][:, ON_SITE],
                described[others][order],
                atoms[around][order],
                signs[~others],
                signs[others][order],
            )
        )
    return tuple(sites)


def observations(record: ImpurityRecord, numbers: IntArray, radial_functions: int) -> list[Observation]:
    """The different sites of a finished cluster, and their potentials in radial functions.

    :param numbers: (nlayer,) of the atoms of its host.
    """
    moments = record.moments[record.impurities]
    signs = np.where(np.abs(moments) < MAGNETIC, 1.0, np.sign(moments))
    sites = sites_of_cluster(numbers[record.layer - 1], record.positions, record.z, record.impurities, signs)
    found: list[tuple[Site, list[int]]] = []
    for index, site in enumerate(sites):
        for representative, members in found:
            if representative.is_like(site):
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


def host_atoms(
    z: FloatArray, numbers: IntArray, observed: Iterable[Observation], radial_functions: int
) -> list[Observation]:
    """What is known without a calculation: an atom of the host in its place changes nothing, neither there nor around.

    :param z: (nlayer,) nuclear charges of the atoms of the host's cell; ``numbers`` (nlayer,) their numbers.
    :param observed: in clusters in this host: the atoms and distances of which that is to be said.
    """
    charges = dict(zip(numbers.tolist(), z.tolist(), strict=True))
    places = {
        (site.atom, atom, round(distance, 4))
        for site in (one.site for one in observed)
        for atom, distance in zip(site.around_atom.tolist(), site.around[:, -1].tolist(), strict=True)
    }
    no_sign, one_sign, no_atom = np.zeros(0), np.ones(1), np.zeros(0, dtype=np.int64)
    no_own, no_around = np.zeros((0, len(ON_SITE))), np.zeros((0, len(AROUND) + 1))
    features = {atom: _features(np.array([charge])) for atom, charge in charges.items()}
    sites = [Site(atom, features[atom][:, ON_SITE], no_around, no_atom, one_sign, no_sign) for atom in sorted(charges)]
    for atom, other, distance in sorted(places):
        around = np.column_stack([features[other][:, AROUND], [[distance]]])
        sites.append(Site(atom, no_own, around, np.array([other]), no_sign, one_sign))
    nothing = np.zeros(radial_functions)
    return [Observation(site, nothing, nothing, 0.0) for site in sites]


def own_contributions(sites: Sequence[Site], with_signs: bool) -> Contributions:
    """What the impurities on the sites themselves contribute; ``with_signs`` for what changes sign with a moment."""
    hosts = [np.full(len(site.own), site.atom) for site in sites]
    return _stack([site.own for site in sites], hosts, [site.own_sign for site in sites], with_signs)


def around_contributions(sites: Sequence[Site], with_signs: bool) -> Contributions:
    """What the other impurities of the cluster contribute."""
    hosts = [site.atom * _MANY_ATOMS + site.around_atom for site in sites]
    return _stack([site.around for site in sites], hosts, [site.around_sign for site in sites], with_signs)


def _features(z: FloatArray) -> FloatArray:
    """Features of elements, one row for each."""
    return np.array([element_features(int(charge)) for charge in z]).reshape(-1, len(FEATURES))


def _stack(
    features: list[FloatArray], hosts: list[IntArray], signs: list[FloatArray], with_signs: bool
) -> Contributions:
    counts = [len(rows) for rows in features]
    weights = np.concatenate(signs)
    return Contributions(
        np.concatenate(features),
        np.concatenate(hosts),
        np.repeat(np.arange(len(features)), counts),
        weights if with_signs else np.ones_like(weights),
        len(features),
    )
