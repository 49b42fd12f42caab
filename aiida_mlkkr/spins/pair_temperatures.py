"""Mean-field ordering temperatures of all pairs of dopants in a host, and what the errors of predicted exchange do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.table import ExchangeTable

from .couplings import TOLERANCE, Bond, Couplings, bond_images, bonds_of_table
from .errors import SpinModelError
from .lattice import HostLattice
from .meanfield import mean_field_temperature

FloatArray = NDArray[np.float64]

SAMPLES = 200
"""How often predicted exchange is drawn."""


@dataclass(frozen=True, eq=False)
class PairTemperatures:
    """Temperatures of magnets with two dopants, one of them on the diagonal.

    :param elements: the k dopants; the first of a pair is in the rows.
    :param temperatures: with J as it is, shape (k, k) [K]; NaN where exchange is missing.
    :param mean: over draws of predicted J within their errors, shape (k, k) [K]; ``spread`` their standard deviation.
    """

    elements: tuple[str, ...]
    temperatures: FloatArray
    mean: FloatArray
    spread: FloatArray


def pair_temperatures(
    table: ExchangeTable,
    lattice: HostLattice,
    concentrations: tuple[float, float],
    *,
    sublattice: Sequence[int] = (0,),
    elements: Sequence[str] | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    missing_is_zero: bool = False,
) -> PairTemperatures:
    """k_B T_c = ⅓ λ_max[√c_a Σ_R J_ab(R) √c_b] of every pair of dopants a and b.

    On the diagonal both are the same, with the sum of the concentrations. J of predicted pairs are drawn from normal
    distributions of their standard errors, independently of each other.

    :param table: exchange of pairs, each with its first site on a site of the lattice.
    :param concentrations: shares of the sites of the sublattice that the first and the second dopant have.
    :param sublattice: numbers of the sites of the cell.
    :param elements: the dopants in the order wanted; all of the table, by symbol, if None.
    :param seed: of the random numbers.
    :param tolerance: by how much values of pairs that the host makes equal may differ [meV]; their mean is taken.
    :param missing_is_zero: whether dopants without exchange at a distance where others have one are not coupled there.
    :raises SpinModelError: there is no exchange, a pair does not fit the lattice, values contradict each other, or the
        concentrations are no shares.
    """
    if min(concentrations) <= 0.0 or sum(concentrations) > 1.0 or samples < 1:
        raise SpinModelError(f'two concentrations above 0 with a sum of at most 1 are needed, not {concentrations}')
    bonds = bonds_of_table(table, np.zeros(3))
    couplings = Couplings.of_bonds(lattice, bonds, tolerance=tolerance)
    names = tuple(couplings.elements if elements is None else elements)
    if unknown := [name for name in names if name not in couplings.elements]:
        raise SpinModelError(f'there is no exchange of {", ".join(unknown)} in the data')
    weights = _weights(lattice, bonds, names, sublattice)
    drawn = _drawn(table, samples, seed)
    absent = _absent(couplings, names, sublattice) & (not missing_is_zero)
    found = np.full((3, len(names), len(names)), np.nan)
    for a in range(len(names)):
        for b in range(a, len(names)):
            for places in [(a, b), (b, a)] if not absent[a, b] else []:
                found[:, *places] = _temperatures(weights, drawn, places, concentrations, len(sublattice))
    return PairTemperatures(names, *found)


def _weights(
    lattice: HostLattice, bonds: Sequence[Bond], names: Sequence[str], sublattice: Sequence[int]
) -> FloatArray:
    """What J of each bond adds to Σ_R J_ab(R), shape (bonds, k, s, k, s): equal bonds share their images."""
    images = [{image for image, _ in bond_images(lattice, bond, symmetric=True)} for bond in bonds]
    shared = Counter(image for of_bond in images for image in of_bond)
    sites = list(sublattice)
    weights = np.zeros((len(bonds), len(names), len(sites), len(names), len(sites)))
    for number, of_bond in enumerate(images):
        for (start, end, *_), one, other in of_bond:
            if start in sites and end in sites and one in names and other in names:
                place = names.index(one), sites.index(start), names.index(other), sites.index(end)
                weights[number, *place] += 1.0 / shared[(start, end, *_), one, other]
    return weights


def _drawn(table: ExchangeTable, samples: int, seed: int) -> FloatArray:
    """J as it is and as drawn, shape (1 + samples, pairs) [meV]; only as it is where nothing is predicted."""
    j = table.terms().j
    if table.origins is None or not table.origins.predicted.any():
        return j[None]
    rng = np.random.default_rng(seed)
    draws = j + rng.normal(size=(samples, len(j))) * table.origins.standard_errors
    return np.concatenate([j[None], draws])


def _absent(couplings: Couplings, names: Sequence[str], sublattice: Sequence[int]) -> NDArray[np.bool_]:
    """Pairs of dopants that lack exchange, with each other or of one alone, where other elements have one."""
    missing = {frozenset((one, other)) for _, one, other in couplings.missing(names, sublattice)}
    return np.array(
        [[bool({frozenset((a,)), frozenset((b,)), frozenset((a, b))} & missing) for b in names] for a in names]
    )


def _temperatures(
    weights: FloatArray, drawn: FloatArray, places: tuple[int, int], shares: tuple[float, float], sites: int
) -> tuple[float, float, float]:
    """With J as it is, mean and standard deviation of the draws [K]."""
    chosen = list(places)
    blocks = weights[:, chosen][:, :, :, chosen].reshape(len(weights), 2 * sites, 2 * sites)
    sums = np.tensordot(drawn, blocks, axes=1)
    temperatures = np.array([mean_field_temperature(one, np.repeat(shares, sites)) for one in sums])
    draws = temperatures[1:] if len(temperatures) > 1 else temperatures
    return float(temperatures[0]), float(draws.mean()), float(draws.std())
