"""Co-doped bismuth telluride from a table of dimers: V, Cr and Mn, and what a table of four shells hides.

Run it with ``python examples/codoped_bi2te3.py TABLE [--elements V,Cr,Mn] [--share 0.2]``, where TABLE is the CSV file
of dimers of R. Mozumder et al. (Phys. Rev. Mater. 8, 104201, 2024; Materials Cloud 2024.103). It needs no AiiDA.

Pairs that the table lacks are predicted. Then the dopants are put on Bi sites at random, for single elements and for
equal shares of two, and asked: do they make a network, how strongly are they coupled in the mean, and what is left of
their magnetisation when they cool, in a small and in a large box.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np

from aiida_mlkkr.exchange.cleaning import clean
from aiida_mlkkr.exchange.mapping import read_mapping
from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.exchange.reading import read_table
from aiida_mlkkr.kkr.elements import SYMBOLS, symbol
from aiida_mlkkr.ml.exchange.surrogate import ExchangeSurrogate
from aiida_mlkkr.spins.couplings import Bond, Couplings
from aiida_mlkkr.spins.dilute import Dopants, dilute_model
from aiida_mlkkr.spins.lattice import HostLattice
from aiida_mlkkr.spins.meanfield import dilute_mean_field_temperature
from aiida_mlkkr.spins.model import SpinModel
from aiida_mlkkr.spins.montecarlo import Simulation
from aiida_mlkkr.spins.network import network, order_forbidden
from aiida_mlkkr.spins.observables import Measurements, Observables
from aiida_mlkkr.spins.schedule import Schedule

MAPPING = 'bi2te3_dimers'
SIZES = (12, 24)
TEMPERATURES = (2.0, 3.0, 4.5, 7.0, 11.0, 18.0, 30.0, 50.0)
TOLERANCE = 5.0
"""By how much J of (A, B) and (B, A) may differ in the table [meV]; their mean is taken."""

LIMITS = """What this is not:
- The table has two shells within a layer of Bi and two across the van der Waals gap. The √3 shell of the layer and the
  nearest shells within a quintuple layer are missing: what is simulated are bilayers that know nothing of each other.
- Of the tensors J alone is used: no Dzyaloshinskii-Moriya interaction, and no anisotropy, which the table lacks.
- Isotropic moments in a plane do not order at any temperature (Mermin and Wagner). There is NO T_c of such a model. The
  mean-field temperature is a scale of energy; a magnetisation that is left at low temperature belongs to the box."""


def known_pairs(path: Path, charges: Sequence[int], mapping: str | Path) -> tuple[Pairs, Pairs]:
    """All pairs of a table that can be used, and those of some elements."""
    cleaned = clean(read_table(path, read_mapping(mapping)))
    print(cleaned.lines()[0])
    return cleaned.pairs, cleaned.pairs.subset(np.isin(cleaned.pairs.z, charges).all(axis=1))


def with_predictions(everything: Pairs, known: Pairs, charges: Sequence[int]) -> tuple[Pairs, np.ndarray]:
    """The pairs of some elements, the missing ones predicted; with half the widths of their 90 % intervals in meV."""
    asked = _missing(everything, known, charges)
    if not len(asked):
        return known, np.zeros(len(known))
    prediction = ExchangeSurrogate.fit('gaussian_process', everything).predict(asked)
    for number, name in enumerate(asked.element_pairs):
        where = f'{name} {asked.geometries[number]}'
        print(f'predicted: {where}: J = {prediction.j[number]:.2f} ± {prediction.half_width[number]:.2f} meV (90 %)')
    arrays = {name: np.concatenate([getattr(known, name), getattr(asked, name)]) for name in ('z', 'vectors', 'layers')}
    filled = Pairs(
        **arrays,
        moments=np.concatenate([known.moments, asked.moments]),
        j=np.concatenate([known.j, prediction.j]),
        d=np.concatenate([known.d, asked.d]),
        host=known.host,
    )
    return filled, np.concatenate([np.zeros(len(known)), prediction.half_width])


def _missing(everything: Pairs, known: Pairs, charges: Sequence[int]) -> Pairs:
    """Pairs of elements in the geometries of the table that it does not have, with the mean moments of the elements."""
    there = {(*sorted(z), place) for z, place in zip(known.z.tolist(), known.geometries, strict=True)}
    moment = {z: float(np.abs(everything.moments[everything.z == z]).mean()) for z in charges}
    _, first = np.unique(everything.geometries, return_index=True)
    rows, pairs = [], []
    for row in first.tolist():
        for pair in combinations_with_replacement(sorted(charges), 2):
            if (*pair, everything.geometries[row]) not in there:
                rows.append(row)
                pairs.append(pair)
    like = everything.subset(np.array(rows, dtype=np.int64))
    z = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    moments = np.array([[moment[a], moment[b]] for a, b in pairs]).reshape(-1, 2)
    return Pairs(z, like.vectors, like.layers, moments, np.zeros(len(z)), np.zeros((len(z), 3)), everything.host)


def lattice_and_couplings(pairs: Pairs) -> tuple[HostLattice, Couplings, list[int]]:
    """The crystal of the mapping, J between its sites, and the atoms of the cell that the layers of the table are."""
    host = pairs.host
    assert host is not None
    lattice = HostLattice(host.cell, tuple(symbol(int(z)) for z in host.z), host.positions)
    site = dict(zip(host.layers.tolist(), host.sites.tolist(), strict=True))
    bonds = [
        Bond((symbol(a), symbol(b)), host.positions[site[layer]], vector, j * np.eye(3))
        for (a, b), (layer, _), vector, j in zip(
            pairs.z.tolist(), pairs.layers.tolist(), pairs.vectors, pairs.j.tolist(), strict=True
        )
    ]
    return lattice, Couplings.of_bonds(lattice, bonds, tolerance=TOLERANCE), sorted(site.values())


def simulated(model: SpinModel, temperatures: Sequence[float], rounds: int) -> Observables:
    """What the moments do at some temperatures."""
    schedule = Schedule(temperatures=tuple(temperatures), thermalisation=rounds, measurement=rounds, seed=0)
    simulation = Simulation(model, schedule)
    simulation.run()
    return Measurements.of_simulation(simulation).observables()


def compositions(elements: Sequence[str], share: float) -> list[dict[str, float]]:
    """Each element alone, and every two with half of the share each."""
    return [
        {one: share} if one == other else {one: share / 2, other: share / 2}
        for one, other in combinations_with_replacement(elements, 2)
    ]


def main(
    table: Path,
    elements: Sequence[str] = ('V', 'Cr', 'Mn'),
    share: float = 0.2,
    mapping: str | Path = MAPPING,
    sizes: Sequence[int] = SIZES,
    rounds: int = 1000,
) -> list[dict[str, object]]:
    """Print what can be said, and return it."""
    charges = [SYMBOLS.index(element) for element in elements]
    everything, known = known_pairs(table, charges, mapping)
    pairs, widths = with_predictions(everything, known, charges)
    lattice, couplings, sublattice = lattice_and_couplings(pairs)
    moments = {
        name: float(np.abs(pairs.moments[pairs.z == z]).mean()) for name, z in zip(elements, charges, strict=True)
    }
    found = []
    for shares in compositions(elements, share):
        dopants = Dopants(shares, moments, sublattice)
        models = [dilute_model(lattice, couplings, dopants, (size, size, 1), seed=0) for size in sizes]
        row: dict[str, object] = {
            'composition': ' '.join(f'{name} {100 * its:g} %' for name, its in shares.items()),
            'predicted': _is_predicted(pairs, widths, shares),
            'mean_field_temperature': dilute_mean_field_temperature(couplings, dopants),
            'network': network(models[-1]).statistics(),
            'order_forbidden': order_forbidden(models[-1]),
            'magnetisation': [simulated(model, TEMPERATURES, rounds).values['magnetisation'] for model in models],
        }
        _print(row, sizes)
        found.append(row)
    print(LIMITS)
    return found


def _is_predicted(pairs: Pairs, widths: np.ndarray, shares: dict[str, float]) -> bool:
    own = np.isin(pairs.z, [SYMBOLS.index(element) for element in shares]).all(axis=1)
    return bool(widths[own].any())


def _print(row: dict[str, object], sizes: Sequence[int]) -> None:
    statistics = row['network']
    assert isinstance(statistics, dict)
    print(f'\n{row["composition"]}{" (with predicted pairs)" if row["predicted"] else ""}')
    print(
        f'  mean-field scale {row["mean_field_temperature"]:.0f} K; {statistics["mean_coordination"]:.1f} neighbours, ',
        end='',
    )
    print(f'{100 * statistics["largest_cluster_share"]:.0f} % of the moments in the largest cluster')
    print(f'  no T_c: {row["order_forbidden"]}')
    print('  T (K)       ' + ''.join(f'{temperature:7.1f}' for temperature in TEMPERATURES))
    for size, values in zip(sizes, row['magnetisation'], strict=True):  # type: ignore[call-overload]
        print(f'  |M|, {size:3d}² cells' + ''.join(f'{value:7.3f}' for value in values))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('table', type=Path)
    parser.add_argument('--elements', default='V,Cr,Mn')
    parser.add_argument('--share', type=float, default=0.2)
    arguments = parser.parse_args()
    main(arguments.table, arguments.elements.split(','), arguments.share)
