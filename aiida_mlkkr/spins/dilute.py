"""Random supercells of a host with some of its sites occupied by magnetic atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .couplings import Couplings
from .errors import SpinModelError
from .lattice import HostLattice
from .model import SpinModel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dopants:
    """What occupies the sites of a sublattice.

    :param concentrations: share of the sites for each element.
    :param moments: of each element [µB]; their signs do not matter, as directions are those of the moments.
    :param sublattice: numbers of the sites of the cell.
    :param anisotropy: symmetric matrices K by element, shape (3, 3) [meV]; none where absent.
    :raises SpinModelError: the shares are no shares, or a moment is missing or zero.
    """

    concentrations: Mapping[str, float]
    moments: Mapping[str, float]
    sublattice: Sequence[int]
    anisotropy: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = list(self.concentrations.values())
        if not shares or min(shares) <= 0 or sum(shares) > 1 + 1e-12:
            raise SpinModelError(f'concentrations above 0 with a sum of at most 1 are needed, not {shares}')
        if not self.sublattice or len(set(self.sublattice)) < len(self.sublattice):
            raise SpinModelError('the sublattice has no site, or one twice')
        dead = [element for element in self.concentrations if not self.moments.get(element)]
        if dead:
            raise SpinModelError(f'{", ".join(dead)}: no moment, or a zero one; leave non-magnetic atoms out')


def dilute_model(
    lattice: HostLattice,
    couplings: Couplings,
    dopants: Dopants,
    repetitions: Sequence[int],
    *,
    seed: int,
    configuration: int = 0,
    field: FloatArray | None = None,
    missing_is_zero: bool = False,
) -> SpinModel:
    """Occupy sites at random, in numbers as near to the concentrations as can be.

    :param repetitions: of the cell along its vectors.
    :param configuration: the number of the arrangement among those of this seed.
    :param field: B, shape (3) [T].
    :param missing_is_zero: whether elements without exchange at a distance where others have one are not coupled.
    :raises SpinModelError: exchange is missing, the box is too small for its reach, or a concentration leaves no atom.
    """
    size = np.array(repetitions, dtype=np.int64)
    _refuse_missing(lattice, couplings, dopants, missing_is_zero)
    _refuse_small_box(couplings, size)
    rng = np.random.default_rng([seed, configuration])
    cells, sites, species = _occupied(dopants, size, rng)
    pairs, images, tensors = _pairs(lattice, couplings, tuple(dopants.concentrations), size, cells, sites, species)
    names = np.array(list(dopants.concentrations))[species]
    moments = {element: abs(moment) for element, moment in dopants.moments.items()}
    anisotropy = {element: dopants.anisotropy.get(element, np.zeros((3, 3))) for element in dopants.concentrations}
    return SpinModel(
        box=size[:, None] * lattice.cell,
        elements=tuple(names.tolist()),
        sublattices=sites,
        positions=lattice.positions[sites] + cells @ lattice.cell,
        moments=np.array([moments[name] for name in names]),
        pairs=pairs,
        images=images,
        tensors=tensors,
        anisotropy=np.array([anisotropy[name] for name in names]),
        field=np.zeros(3) if field is None else field,
        seed=seed,
        configuration=configuration,
    )


def _refuse_missing(lattice: HostLattice, couplings: Couplings, dopants: Dopants, allowed: bool) -> None:
    unknown = [element for element in dopants.concentrations if element not in couplings.elements]
    if unknown:
        raise SpinModelError(f'there is no exchange of {", ".join(unknown)} in the data')
    missing = couplings.missing(dopants.concentrations, dopants.sublattice)
    if missing and not allowed:
        row, one, other = missing[0]
        raise SpinModelError(
            f'there is no exchange of {one} and {other} at {couplings.distances(lattice)[row]:.3f} Å, where other '
            'elements have one; add it, or say that what is missing is zero'
        )


def _refuse_small_box(couplings: Couplings, size: IntArray) -> None:
    if size.shape != (3,) or size.min() < 1:
        raise SpinModelError('three positive numbers of repetitions are needed')
    wrapped = np.column_stack([couplings.ends, couplings.offsets % size])
    own = (couplings.ends[:, 0] == couplings.ends[:, 1]) & ~np.any(wrapped[:, 2:], axis=1)
    if own.any() or len(np.unique(wrapped, axis=0)) < len(wrapped):
        raise SpinModelError(
            f'a box of {" × ".join(map(str, size))} cells is too small for the reach of the exchange; at least '
            f'{" × ".join(map(str, 2 * np.abs(couplings.offsets).max(axis=0) + 1))} are needed'
        )


def _occupied(dopants: Dopants, size: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray, IntArray]:
    """Cells (n, 3), sites of the cell (n) and numbers of the elements (n), in the order of the lattice."""
    places = int(size.prod()) * len(dopants.sublattice)
    counts = [round(share * places) for share in dopants.concentrations.values()]
    for element, count in zip(dopants.concentrations, counts, strict=True):
        if not count:
            raise SpinModelError(f'no {element} atom in {places} sites at this concentration; take a larger box')
    species = np.full(places, -1)
    species[rng.permutation(places)[: sum(counts)]] = np.repeat(np.arange(len(counts)), counts)
    chosen = np.flatnonzero(species >= 0)
    cell, member = np.divmod(chosen, len(dopants.sublattice))
    cells = np.stack(np.unravel_index(cell, tuple(size)), axis=1)
    return cells, np.array(dopants.sublattice, dtype=np.int64)[member], species[chosen]


def _pairs(
    lattice: HostLattice,
    couplings: Couplings,
    elements: tuple[str, ...],
    size: IntArray,
    cells: IntArray,
    sites: IntArray,
    species: IntArray,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs (p, 2), images (p, 3) and tensors (p, 3, 3)."""
    numbers = np.array([couplings.elements.index(element) for element in elements])[species]
    occupants = np.full((len(lattice.elements), *size), -1)
    occupants[sites, *cells.T] = np.arange(len(sites))
    pairs, images, tensors = [], [], []
    for (one, other), offset, table, known in zip(
        couplings.ends, couplings.offsets, couplings.tensors, couplings.known, strict=True
    ):
        if (one, other, *offset) < (other, one, *(-offset)):  # the other direction is another row
            continue
        i = np.flatnonzero(sites == one)
        image, cell = np.divmod(cells[i] + offset, size)
        j = occupants[other, *cell.T]
        there = (j >= 0) & known[numbers[i], numbers[j]]
        i, j = i[there], j[there]
        pairs.append(np.stack([i, j], axis=1))
        images.append(image[there])
        tensors.append(table[numbers[i], numbers[j]])
    return np.concatenate(pairs), np.concatenate(images), np.concatenate(tensors)
