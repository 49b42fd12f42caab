"""Mean-field temperatures of pairs of dopants: known answers, symmetry, missing pairs, and errors carried through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spin_models import CUBIC, FCC

from aiida_mlkkr.exchange.origins import NORMAL_WIDTH, Origins
from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tables import copper_pairs
from aiida_mlkkr.exchange.views import closest
from aiida_mlkkr.spins.couplings import Couplings, bonds_of_table
from aiida_mlkkr.spins.dilute import Dopants
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.lattice import HostLattice
from aiida_mlkkr.spins.meanfield import dilute_mean_field_temperature
from aiida_mlkkr.spins.pair_temperatures import pair_temperatures
from aiida_mlkkr.spins.units import BOLTZMANN

BCC = HostLattice(1.5 * (np.ones((3, 3)) - 2 * np.eye(3)), ('Fe',), np.zeros((1, 3)))


def table(values: dict[tuple[str, str], float], vector: tuple[float, float, float]) -> ExchangeTable:
    """Nearest neighbours."""
    number = len(values)
    positions = np.zeros((2 * number, 3))
    positions[1::2] = vector
    return ExchangeTable(
        host='a host',
        elements=tuple(name for both in values for name in both),
        positions=positions,
        moments=np.ones(2 * number),
        pairs=np.arange(2 * number).reshape(-1, 2),
        tensors=np.array(list(values.values()))[:, None, None] * np.eye(3),
        method='a law',
        spread=np.zeros(number),
    )


@pytest.mark.parametrize(
    ('lattice', 'vector', 'neighbours'),
    [(CUBIC, (3.0, 0.0, 0.0), 6), (BCC, (1.5, 1.5, 1.5), 8), (FCC, (1.805, 1.805, 0.0), 12)],
    ids=['simple cubic', 'bcc', 'fcc'],
)
def test_lattices_with_known_answers(lattice: HostLattice, vector: tuple[float, float, float], neighbours: int) -> None:
    """k_B T_c = z J/3: 2J for the simple cubic lattice; concentrations scale it."""
    found = pair_temperatures(table({('Mn', 'Mn'): 1.5}, vector), lattice, (0.5, 0.5))
    assert BOLTZMANN * found.temperatures[0, 0] == pytest.approx(neighbours * 1.5 / 3)
    half = pair_temperatures(table({('Mn', 'Mn'): 1.5}, vector), lattice, (0.2, 0.3))
    assert half.temperatures[0, 0] == pytest.approx(0.5 * found.temperatures[0, 0])
    antiferro = pair_temperatures(table({('Mn', 'Mn'): -1.5}, vector), lattice, (0.5, 0.5))
    assert antiferro.temperatures[0, 0] == 0.0
    assert found.spread[0, 0] == 0.0


def test_two_dopants_by_hand() -> None:
    """λ_max of a 2 × 2 matrix; the order of concentrations belongs to rows and columns."""
    values = {('Cr', 'Cr'): 2.0, ('Cr', 'Mn'): -3.0, ('Mn', 'Mn'): 1.0}
    found = pair_temperatures(table(values, (3.0, 0.0, 0.0)), CUBIC, (0.1, 0.3))
    assert found.elements == ('Cr', 'Mn')
    for (a, b), (j_a, j_b) in {(0, 1): (2.0, 1.0), (1, 0): (1.0, 2.0)}.items():
        matrix = 6 * np.array([[0.1 * j_a, -3.0 * np.sqrt(0.03)], [-3.0 * np.sqrt(0.03), 0.3 * j_b]])
        assert 3 * BOLTZMANN * found.temperatures[a, b] == pytest.approx(np.linalg.eigvalsh(matrix)[-1])


def test_the_same_as_of_a_dilute_magnet() -> None:
    """In copper, five shells."""
    table = closest(copper_pairs(), 5)
    found = pair_temperatures(table, FCC, (0.03, 0.02), elements=('Mn', 'Cr', 'Fe'))
    couplings = Couplings.of_bonds(FCC, bonds_of_table(table, np.zeros(3)))
    shares = {'Mn': 0.03, 'Fe': 0.02}
    expected = dilute_mean_field_temperature(couplings, Dopants(shares, dict.fromkeys(shares, 1.0), [0]))
    assert expected > 1.0
    assert found.temperatures[0, 2] == pytest.approx(expected)


def test_a_pair_in_two_directions_counts_once() -> None:
    once = table({('Cr', 'Cr'): 2.0}, (3.0, 0.0, 0.0))
    twice = replace(
        once, elements=('Cr',) * 4, positions=np.array([[0.0, 0, 0], [3.0, 0, 0], [0, 0, 0], [0, -3.0, 0]]),
        moments=np.ones(4), pairs=np.array([[0, 1], [2, 3]]), tensors=np.array([1.9, 2.1])[:, None, None] * np.eye(3),
        spread=np.zeros(2),
    )  # fmt: skip
    one, two = (pair_temperatures(these, CUBIC, (0.1, 0.1)).temperatures for these in (once, twice))
    np.testing.assert_allclose(one, two)


def test_errors_of_predictions_are_carried_through() -> None:
    """Where T_c is linear in J, its spread is that of J; computed pairs have none."""
    exact = table({('Cr', 'Cr'): 20.0, ('Mn', 'Mn'): 10.0}, (3.0, 0.0, 0.0))
    mixed = replace(
        exact,
        origins=Origins.joined(
            [Origins.computed(['uuid']), Origins.of_model('model', np.array([NORMAL_WIDTH]), np.array([False]))]
        ),
    )
    found = pair_temperatures(mixed, CUBIC, (0.1, 0.1), samples=4000)
    assert found.spread[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert found.temperatures[1, 1] * BOLTZMANN == pytest.approx(0.2 * 2 * 10.0)
    assert found.spread[1, 1] * BOLTZMANN == pytest.approx(0.2 * 2 * 1.0, rel=0.05)
    assert found.mean[1, 1] == pytest.approx(found.temperatures[1, 1], abs=4 * found.spread[1, 1] / np.sqrt(4000))
    again = pair_temperatures(mixed, CUBIC, (0.1, 0.1), samples=4000)
    np.testing.assert_array_equal(found.spread, again.spread)


def test_missing_exchange_leaves_a_gap() -> None:
    found = pair_temperatures(table({('Cr', 'Cr'): 2.0, ('Mn', 'Mn'): 1.0}, (3.0, 0.0, 0.0)), CUBIC, (0.1, 0.1))
    np.testing.assert_array_equal(np.isnan(found.temperatures), [[False, True], [True, False]])
    zero = pair_temperatures(
        table({('Cr', 'Cr'): 2.0, ('Mn', 'Mn'): 1.0}, (3.0, 0.0, 0.0)), CUBIC, (0.1, 0.1), missing_is_zero=True
    )
    assert BOLTZMANN * zero.temperatures[0, 1] == pytest.approx(0.1 * 2 * 2.0), 'the stronger of the two alone'


def test_what_is_refused() -> None:
    one = table({('Cr', 'Cr'): 2.0}, (3.0, 0.0, 0.0))
    for shares in ((0.0, 0.1), (0.6, 0.5)):
        with pytest.raises(SpinModelError, match='two concentrations above 0'):
            pair_temperatures(one, CUBIC, shares)
    with pytest.raises(SpinModelError, match='no exchange of Mn in the data'):
        pair_temperatures(one, CUBIC, (0.1, 0.1), elements=('Mn',))
    with pytest.raises(SpinModelError, match='no site of the lattice'):
        pair_temperatures(one, FCC, (0.1, 0.1))
