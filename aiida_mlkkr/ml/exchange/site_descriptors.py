"""Descriptors of the two sites of pairs in their host: Coulomb matrices and SOAP.

References: M. Rupp et al., Phys. Rev. Lett. 108, 058301 (2012) (Coulomb matrix); A. P. Bartók, R. Kondor, G. Csányi,
Phys. Rev. B 87, 184115 (2013) (SOAP); J. P. Darby, J. R. Kermode, G. Csányi, npj Comput. Mater. 8, 166 (2022)
(compressed species); L. Himanen et al., Comput. Phys. Commun. 247, 106949 (2020) (dscribe).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Literal

import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP, CoulombMatrix
from numpy.typing import NDArray

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.exchange.structure import surroundings
from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.ml.soap import element_weights

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DescriptorName = Literal['coulomb_matrix', 'soap', 'compressed_soap']

CUTOFF: Final = 5.0
"""Distance from a site up to which atoms count [Å]; nearest impurities see each other."""

_SOAP: Final = {'r_cut': CUTOFF, 'n_max': 3, 'l_max': 2, 'sigma': 0.5}
_DIGITS: Final = 3
_REMEMBERED: Final = 20_000

Clusters = list[tuple[FloatArray, IntArray]]


def sites_of(pairs: Pairs) -> tuple[Clusters, IntArray]:
    """The different surroundings of sites (positions, nuclear charges), the site first, and each pair's two, (n, 2).

    The other impurity is in its place if it is within the cutoff.
    """
    known: dict[bytes, int] = {}
    clusters: Clusters = []
    numbers = np.zeros((len(pairs), 2), dtype=np.int64)
    places: dict[tuple[int, bytes], tuple[FloatArray, IntArray]] = {}
    for row, (layer, vector) in enumerate(zip(pairs.layers[:, 0].tolist(), pairs.vectors, strict=True)):
        geometry = (layer, vector.tobytes())
        if geometry not in places:
            places[geometry] = surroundings(pairs.host, layer, vector, pairs.z[row], CUTOFF)
        positions, z = places[geometry]
        for side in (0, 1):
            cluster = _around(side, positions, np.concatenate([pairs.z[row], z[2:]]))
            name = np.column_stack(cluster).tobytes()
            if name not in known:
                known[name] = len(clusters)
                clusters.append(cluster)
            numbers[row, side] = known[name]
    return clusters, numbers


@dataclass(frozen=True)
class Frame:
    """What fixes the length of descriptors: the elements that occur, and the atoms of the largest surroundings."""

    elements: frozenset[int]
    largest: int

    @classmethod
    def of(cls, clusters: Clusters) -> Frame:
        """That of some surroundings."""
        return cls(frozenset(int(a) for _, z in clusters for a in z), max((len(z) for _, z in clusters), default=0))

    def joined(self, other: Frame) -> Frame:
        """One that both fit in."""
        return Frame(self.elements | other.elements, max(self.largest, other.largest))


def describe(name: DescriptorName, clusters: Clusters, frame: Frame) -> FloatArray:
    """Descriptors (u, p) of surroundings."""
    return np.array([_descriptor(name, frame, np.column_stack(cluster).tobytes()) for cluster in clusters])


def _around(site: int, positions: FloatArray, z: IntArray) -> tuple[FloatArray, IntArray]:
    relative = positions - positions[site]
    distance = np.linalg.norm(relative, axis=1)
    order = np.argsort(distance, kind='stable')
    kept = order[distance[order] < CUTOFF]
    return np.round(relative[kept], _DIGITS) + 0.0, z[kept]


@lru_cache(maxsize=_REMEMBERED)
def _descriptor(name: DescriptorName, frame: Frame, cluster: bytes) -> FloatArray:
    table = np.frombuffer(cluster).reshape(-1, 4)
    atoms = Atoms([SYMBOLS[int(charge)] for charge in table[:, 3]], positions=table[:, :3])
    if name == 'coulomb_matrix':
        return np.asarray(_coulomb_matrix(frame.largest).create(atoms))
    spectra = [_normalised(one.create(atoms, centers=[[0.0, 0.0, 0.0]])[0]) for one in _spectra(name, frame)]
    return np.concatenate(spectra)


@cache
def _coulomb_matrix(largest: int) -> CoulombMatrix:
    return CoulombMatrix(n_atoms_max=largest, permutation='sorted_l2')


@cache
def _spectra(name: DescriptorName, frame: Frame) -> list[SOAP]:
    """One with a channel for each element; or one for each smooth function of the element that weights the atoms."""
    if name == 'soap':
        return [SOAP(species=[SYMBOLS[z] for z in sorted(frame.elements)], **_SOAP)]
    found = []
    for component in range(len(element_weights(0))):
        weights = {SYMBOLS[z]: float(element_weights(z)[component]) for z in range(1, len(SYMBOLS))}
        compression = {'mode': 'mu2', 'species_weighting': weights}
        found.append(SOAP(species=list(weights), compression=compression, **_SOAP))
    return found


def _normalised(spectrum: FloatArray) -> FloatArray:
    normalised: FloatArray = spectrum / max(float(np.linalg.norm(spectrum)), 1e-12)
    return normalised
