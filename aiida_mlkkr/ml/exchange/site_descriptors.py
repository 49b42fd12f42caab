"""Descriptors of the two sites of pairs in their host: Coulomb matrices and SOAP.

References: M. Rupp et al., Phys. Rev. Lett. 108, 058301 (2012) (Coulomb matrix); A. P. Bartók, R. Kondor, G. Csányi,
Phys. Rev. B 87, 184115 (2013) (SOAP); J. P. Darby, J. R. Kermode, G. Csányi, npj Comput. Mater. 8, 166 (2022)
(compressed species); L. Himanen et al., Comput. Phys. Commun. 247, 106949 (2020) (dscribe).
"""

from __future__ import annotations

from dataclasses import dataclass
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

Clusters = list[tuple[FloatArray, IntArray]]


def sites_of(pairs: Pairs) -> tuple[Clusters, IntArray]:
    """The different surroundings of sites (positions, nuclear charges), the site first, and each pair's two, (n, 2).

    The other impurity is in its place if it is within the cutoff.
    """
    known: dict[bytes, int] = {}
    clusters: Clusters = []
    numbers = np.zeros((len(pairs), 2), dtype=np.int64)
    cache: dict[bytes, list[tuple[FloatArray, IntArray]]] = {}
    for row in range(len(pairs)):
        key = b''.join(part[row].tobytes() for part in (pairs.z, pairs.layers, pairs.vectors))
        if key not in cache:
            cache[key] = _both_sites(pairs, row)
        for side, (positions, z) in enumerate(cache[key]):
            name = np.column_stack([np.round(positions, _DIGITS) + 0.0, z]).tobytes()
            if name not in known:
                known[name] = len(clusters)
                clusters.append((positions, z))
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
    match name:
        case 'coulomb_matrix':
            matrix = CoulombMatrix(n_atoms_max=frame.largest, permutation='sorted_l2')
            return np.array([matrix.create(_atoms(*cluster)) for cluster in clusters])
        case 'soap':
            species = [SYMBOLS[z] for z in sorted(frame.elements)]
            return _normalised(SOAP(species=species, **_SOAP), clusters)
        case 'compressed_soap':
            components = range(len(element_weights(0)))
            return np.hstack([_normalised(_compressed(component), clusters) for component in components])


def _both_sites(pairs: Pairs, row: int) -> list[tuple[FloatArray, IntArray]]:
    layer, vector, z = int(pairs.layers[row, 0]), pairs.vectors[row], pairs.z[row]
    positions, charges = surroundings(pairs.host, layer, vector, z, CUTOFF)
    sites = []
    for site in (0, 1):
        relative = positions - positions[site]
        distance = np.linalg.norm(relative, axis=1)
        order = np.argsort(distance, kind='stable')
        kept = order[distance[order] < CUTOFF]
        sites.append((relative[kept], charges[kept]))
    return sites


def _atoms(positions: FloatArray, z: IntArray) -> Atoms:
    return Atoms([SYMBOLS[charge] for charge in z], positions=positions)


def _compressed(component: int) -> SOAP:
    """For one density, each atom weighted by a smooth function of its element."""
    weights = {SYMBOLS[z]: float(element_weights(z)[component]) for z in range(1, len(SYMBOLS))}
    return SOAP(species=list(weights), compression={'mode': 'mu2', 'species_weighting': weights}, **_SOAP)


def _normalised(descriptor: SOAP, clusters: Clusters) -> FloatArray:
    spectra = np.array([descriptor.create(_atoms(*cluster), centers=[[0.0, 0.0, 0.0]])[0] for cluster in clusters])
    lengths = np.linalg.norm(spectra, axis=1, keepdims=True)
    normalised: FloatArray = spectra / np.maximum(lengths, 1e-12)
    return normalised
