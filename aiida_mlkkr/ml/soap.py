"""Environments of sites as smooth overlaps of atomic positions (SOAP), with the elements compressed.

The density around a site is written with Gaussians on its neighbours, and the power spectrum p_nn'l of its expansion
does not change under rotations (A. P. Bartók, R. Kondor and G. Csányi, Phys. Rev. B 87, 184115, 2013); dscribe computes
it. One density for each element would give blocks for each pair of elements. Here a neighbour of the nuclear charge Z
counts in a few densities with the weights u_a(Z), which are smooth in the periodic table (the alchemical compression of
M. J. Willatt, F. Musil and M. Ceriotti, Phys. Chem. Chem. Phys. 20, 29661, 2018): the blocks of pairs of elements,
contracted with u_a(Z) u_b(Z'), so that vectors are equally long for any number of elements.

Lengths are in units of the distance to the nearest atom of the crystal; the atom on the site itself does not count.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import combinations_with_replacement, pairwise
from typing import Final

import numpy as np
from ase import Atoms
from dscribe.descriptors import SOAP
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.ml.elements import FEATURES, element_features
from aiida_mlkkr.ml.sites import Sites

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CUTOFF: Final = 1.9
"""Distance up to which neighbours count: three shells of an fcc crystal."""

_WIDTH: Final = 0.3
_RADIAL: Final = 4
_LMAX: Final = 4
_SAME: Final = 6
_REMEMBERED: Final = 20_000
_TWICE: Final = np.tile(np.where(np.equal(*np.triu_indices(_RADIAL)), 1.0, np.sqrt(2.0)), _LMAX + 1)
"""dscribe gives n ≤ n' of each l: n < n' stands for two."""

_CENTRE: Final = {'period': (4.0, 2.0), 'group': (9.0, 9.0)}


@cache
def element_weights(z: int) -> NDArray[np.float64]:
    """Weights u (3,) of an element in the densities, of length 1, read-only; zeros for an empty sphere."""
    if z == 0:
        weights = np.zeros(1 + len(_CENTRE))
    else:
        features = dict(zip(FEATURES, element_features(z), strict=True))
        weights = np.array([1.0, *((features[name] - centre) / scale for name, (centre, scale) in _CENTRE.items())])
        weights /= np.linalg.norm(weights)
    weights.flags.writeable = False
    return weights


def nearest_distance(sites: Sites) -> FloatArray:
    """Distance (n,) in Bohr to the nearest neighbour of each site; infinite if there is none."""
    nearest = np.full(len(sites), np.inf)
    np.minimum.at(nearest, sites.owner, sites.distance)
    return nearest


def environments(sites: Sites, z: IntArray) -> tuple[FloatArray, IntArray]:
    """The different environments of sites, vectors of length 1, (u, p), and which of them each site has, (n,).

    Empty spheres count nothing; a site that has only such neighbours has the vector zero.

    :param z: (m,) nuclear charges of the neighbours, with the impurities in place or without.
    """
    scaled = sites.vector / nearest_distance(sites)[sites.owner, None]
    near = (np.linalg.norm(scaled, axis=1) < CUTOFF) & (z > 0)
    starts = np.searchsorted(sites.owner[near], np.arange(len(sites) + 1))
    atoms = np.column_stack([np.round(scaled[near], _SAME) + 0.0, z[near]])
    known: dict[bytes, int] = {}
    found: list[FloatArray] = []
    which = np.zeros(len(sites), dtype=np.int64)
    for site, (begin, end) in enumerate(pairwise(starts)):
        key = atoms[begin:end].tobytes()
        if key not in known:
            known[key] = len(found)
            found.append(_power_spectrum(key))
        which[site] = known[key]
    blocks = len(list(combinations_with_replacement(element_weights(0), 2)))
    return np.array(found).reshape(len(found), blocks * len(_TWICE)), which


@lru_cache(maxsize=_REMEMBERED)
def _power_spectrum(around: bytes) -> FloatArray:
    """Blocks of all pairs of densities, together of length 1, or 0 if there are no atoms.

    :param around: of the atoms around the origin, an array (k, 4): positions and nuclear charges.
    """
    table = np.frombuffer(around).reshape(-1, 4)
    atoms = Atoms([SYMBOLS[int(charge)] for charge in table[:, 3]], positions=table[:, :3])
    components = range(len(element_weights(0)))
    single = {a: _descriptor((a,)).create(atoms, centers=[[0.0, 0.0, 0.0]])[0] for a in components}
    blocks = []
    for a, b in combinations_with_replacement(components, 2):
        if a == b:
            blocks.append(single[a])
        else:
            # that of the sum of two densities has the blocks of both, and twice that of one with the other
            both = _descriptor((a, b)).create(atoms, centers=[[0.0, 0.0, 0.0]])[0]
            blocks.append((both - single[a] - single[b]) / np.sqrt(2.0))
    spectrum: FloatArray = np.concatenate([block * _TWICE for block in blocks])
    return spectrum / max(float(np.linalg.norm(spectrum)), 1e-12)


@cache
def _descriptor(components: tuple[int, ...]) -> SOAP:
    """The power spectrum of the sum of some of the densities."""
    weights = {SYMBOLS[z]: float(element_weights(z)[list(components)].sum()) for z in range(1, len(SYMBOLS))}
    return SOAP(
        species=list(weights),
        r_cut=CUTOFF,
        n_max=_RADIAL,
        l_max=_LMAX,
        sigma=_WIDTH,
        compression={'mode': 'mu2', 'species_weighting': weights},
    )
