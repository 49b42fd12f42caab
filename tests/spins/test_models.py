"""Spin models: what a supercell holds, against a search over all pairs, and what is refused."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from spin_models import CUBIC, FCC, free, simple_cubic

from aiida_mlkkr.exchange.table import ExchangeTable
from aiida_mlkkr.exchange.tensors import compose, dm_vector
from aiida_mlkkr.spins import kernels
from aiida_mlkkr.spins.couplings import Bond, Couplings, bonds_of_table
from aiida_mlkkr.spins.dilute import Dopants, dilute_model
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.lattice import HostLattice
from aiida_mlkkr.spins.model import SpinModel

NEAREST = 1.805 * np.array([1.0, 1.0, 0.0])
HEXAGONAL = HostLattice(
    np.array([[4.0, 0.0, 0.0], [-2.0, 2 * np.sqrt(3), 0.0], [0.0, 0.0, 6.0]]),
    ('Bi', 'Te', 'Bi'),
    np.array([[0.0, 0.0, 0.0], [2.0, 2 / np.sqrt(3), 1.5], [0.0, 4 / np.sqrt(3), 3.0]]),
)


def axial(direction: np.ndarray, j: float, along: float) -> np.ndarray:
    """J and an S that distinguishes the line through both atoms: what the symmetry of a pair in a cubic host allows."""
    unit = direction / np.linalg.norm(direction)
    return compose(np.array(j), np.zeros(3), along * (3 * np.outer(unit, unit) - np.eye(3)))


def directions_of(model: SpinModel, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed).normal(size=(len(model), 3))
    return random / np.linalg.norm(random, axis=1, keepdims=True)


@pytest.fixture(scope='module')
def mixed() -> tuple[SpinModel, dict[tuple[str, str], float]]:
    """Mn and Cr in fcc, nearest neighbours with an S."""
    values = {('Mn', 'Mn'): -10.0, ('Cr', 'Mn'): 4.0, ('Cr', 'Cr'): 7.0}
    bonds = [Bond(pair, np.zeros(3), NEAREST, axial(NEAREST, j, 0.1 * j)) for pair, j in values.items()]
    dopants = Dopants({'Mn': 0.2, 'Cr': 0.1}, {'Mn': 4.0, 'Cr': -3.5}, [0], {'Mn': np.diag([0.0, 0.0, 0.3])})
    model = dilute_model(
        FCC, Couplings.of_bonds(FCC, bonds), dopants, (5, 6, 7), seed=3, field=np.array([0.0, 1.0, 5.0])
    )
    return model, values


def test_supercell_against_a_search_over_all_pairs(mixed: tuple[SpinModel, dict[tuple[str, str], float]]) -> None:
    model, values = mixed
    assert [model.elements.count(element) for element in ('Mn', 'Cr')] == [42, 21]
    assert set(model.moments) == {4.0, 3.5}
    e = directions_of(model)
    energy, pairs = 0.0, 0
    for i in range(len(model)):
        energy -= e[i] @ model.anisotropy[i] @ e[i] + model.zeeman[i] @ e[i]
        for j in range(i):
            difference = model.positions[j] - model.positions[i]
            for image in np.ndindex(3, 3, 3):
                vector = difference + (np.array(image) - 1) @ model.box
                if abs(np.linalg.norm(vector) - np.linalg.norm(NEAREST)) < 1e-6:
                    one, other = sorted([model.elements[i], model.elements[j]])
                    pair = values.get((one, other), values.get((other, one)))
                    energy -= e[i] @ axial(vector, pair, 0.1 * pair) @ e[j]
                    pairs += 1
    assert len(model.pairs) == pairs
    np.testing.assert_allclose(np.linalg.norm(model.vectors, axis=1), np.linalg.norm(NEAREST))
    assert model.energy(e) == pytest.approx(energy, rel=1e-12)
    graph = model.graph
    swept = kernels.energy(e, graph.starts, graph.neighbours, graph.tensors, model.zeeman, model.anisotropy)
    assert swept == pytest.approx(energy, rel=1e-12)


def test_random_numbers_come_from_the_seed(mixed: tuple[SpinModel, dict[tuple[str, str], float]]) -> None:
    same, other, another = (simple_cubic(6, share=0.3, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(same.positions, other.positions)
    assert not np.array_equal(same.positions, another.positions)


def test_dm_vectors_turn_with_their_bonds() -> None:
    """A mirror through the bond leaves D normal to it (T. Moriya, Phys. Rev. 120, 91, 1960), the axis turns it."""
    lower, _, upper = HEXAGONAL.positions
    tensor = compose(np.array(1.0), np.array([0.3, 0.1, 0.0]), np.zeros((3, 3)))
    couplings = Couplings.of_bonds(HEXAGONAL, [Bond(('V', 'Cr'), lower, upper - lower, tensor)])
    v, cr = couplings.elements.index('V'), couplings.elements.index('Cr')
    up = (couplings.ends[:, 0] == 0) & couplings.known[:, v, cr]
    vectors = upper + couplings.offsets[up] @ HEXAGONAL.cell - lower
    found = dm_vector(couplings.tensors[up, v, cr])
    expected = 0.3 * np.cross(vectors, [0.0, 0.0, 1.0]) / np.linalg.norm(vectors[:, :2], axis=1, keepdims=True)
    assert len(found) == 3  # neighbours above an atom of the lower layer
    np.testing.assert_allclose(found, expected, atol=1e-12)
    down = couplings.tensors[:, cr, v].sum(axis=0)
    np.testing.assert_allclose(down, couplings.tensors[:, v, cr].sum(axis=0).T)
    with pytest.raises(SpinModelError, match=r'V and Cr at .* differ by .* where the host makes them equal'):
        Couplings.of_bonds(HEXAGONAL, [Bond(('V', 'Cr'), lower, upper - lower, 10 * tensor)])


@pytest.mark.parametrize(('lattice', 'order'), [(CUBIC, 48), (FCC, 48), (HEXAGONAL, 12)])
def test_operations_of_a_lattice(lattice: HostLattice, order: int) -> None:
    rotations, translations = lattice.operations
    assert len(rotations) == order
    np.testing.assert_allclose(
        rotations @ np.swapaxes(rotations, 1, 2), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-12
    )
    for rotation, translation in zip(rotations, translations, strict=True):
        lattice.sites(lattice.positions @ rotation.T + translation)


def test_ten_thousand_moments_are_made_quickly() -> None:
    shells = [NEAREST, 1.805 * np.array([2.0, 0.0, 0.0]), 1.805 * np.array([2.0, 1.0, 1.0])]
    bonds = [Bond(('Mn', 'Mn'), np.zeros(3), vector, (k + 1.0) * np.eye(3)) for k, vector in enumerate(shells)]
    begin = time.process_time()
    model = dilute_model(
        FCC, Couplings.of_bonds(FCC, bonds), Dopants({'Mn': 0.48}, {'Mn': 4.0}, [0]), (28, 28, 28), seed=1
    )
    assert model.graph.coordination.mean() == pytest.approx(0.48 * 42, rel=0.02)
    assert (len(model) > 10_000, len(model.pairs) > 100_000) == (True, True)
    assert time.process_time() - begin < 5


def test_table_of_a_dimer() -> None:
    """A table's pair with its own origin gives what the bond gives; the moments' signs are in its tensors."""
    raw = np.zeros((2, 2, 3, 3))
    raw[0, 1] = raw[1, 0] = 3.0 * np.eye(3)
    table = ExchangeTable.of_cluster(
        'Cu', ['Mn', 'Cr'], np.array([0 * NEAREST, NEAREST]) + np.eye(3)[0], np.array([4.0, -3.0]), raw, 'synthetic'
    )
    (bond,) = bonds_of_table(table, np.array([-1.0, 0.0, 0.0]))
    couplings = Couplings.of_bonds(FCC, [bond])
    assert len(couplings.ends) == 12
    np.testing.assert_allclose(couplings.tensors[:, 0, 1], np.broadcast_to(-3.0 * np.eye(3), (12, 3, 3)), atol=1e-12)


def bond(j: float, elements: tuple[str, str] = ('Mn', 'Mn'), vector: np.ndarray = NEAREST) -> Bond:
    return Bond(elements, np.zeros(3), vector, j * np.eye(3))


def test_conflicting_bonds() -> None:
    other = 1.805 * np.array([0.0, -1.0, 1.0])
    close = Couplings.of_bonds(FCC, [bond(1.0), bond(1.2, vector=other)])
    np.testing.assert_allclose(close.tensors[:, 0, 0, 0, 0], 1.1)
    with pytest.raises(SpinModelError, match=r'Mn and Mn at 2\.553 Å differ by 3 meV'):
        Couplings.of_bonds(FCC, [bond(1.0), bond(4.0, vector=other)])
    alone = Couplings.of_bonds(FCC, [bond(1.0), bond(4.0, vector=other)], symmetric=False)
    assert len(alone.ends) == 4


def test_what_is_refused() -> None:
    couplings = Couplings.of_bonds(FCC, [bond(1.0), bond(2.0, ('Mn', 'Cr')), bond(1.0, ('Fe', 'Fe'))])
    manganese = Dopants({'Mn': 0.1}, {'Mn': 4.0}, [0])
    both = Dopants({'Mn': 0.1, 'Cr': 0.1}, {'Mn': 4.0, 'Cr': 3.0}, [0])
    for message, call in {
        'no site of the lattice': lambda: Couplings.of_bonds(FCC, [bond(1.0, vector=np.array([1.0, 0, 0]))]),
        'no exchange between any': lambda: Couplings.of_bonds(FCC, []),
        r'2 × 9 × 9 cells is too small.* 3 × 3 × 3 are needed': lambda: dilute_model(
            FCC, couplings, manganese, (2, 9, 9), seed=1
        ),
        'no exchange of Cr and Cr at 2.553 Å': lambda: dilute_model(FCC, couplings, both, (4, 4, 4), seed=1),
        'no exchange of V in the data': lambda: dilute_model(
            FCC, couplings, Dopants({'V': 0.1}, {'V': 1.0}, [0]), (4, 4, 4), seed=1
        ),
        'no Mn atom in 27 sites': lambda: dilute_model(
            FCC, couplings, replace(manganese, concentrations={'Mn': 0.01}), (3, 3, 3), seed=1
        ),
        'Mn: no moment, or a zero one': lambda: Dopants({'Mn': 0.1}, {'Mn': 0.0}, [0]),
        'sum of at most 1': lambda: Dopants({'Mn': 0.6, 'Cr': 0.6}, {'Mn': 4.0, 'Cr': 3.0}, [0]),
        'no site, or one twice': lambda: Dopants({'Mn': 0.6}, {'Mn': 4.0}, [0, 0]),
        'a moment is zero': lambda: free({}, 2, moments=np.array([1.0, 0.0])),
        'not in the box': lambda: free({(0, 2): np.eye(3)}, 2),
        'its own image': lambda: free({(1, 1): np.eye(3)}, 2),
        'occurs twice': lambda: free({(0, 1): np.eye(3), (1, 0): np.eye(3)}, 2),
        'not symmetric': lambda: free({}, 1, anisotropy=np.arange(9.0).reshape(1, 3, 3)),
        'finite numbers expected': lambda: free({(0, 1): np.full((3, 3), np.nan)}, 2),
    }.items():
        with pytest.raises(SpinModelError, match=message):
            call()
    partly = dilute_model(FCC, couplings, both, (6, 6, 6), seed=1, missing_is_zero=True)
    names = np.array(partly.elements)[partly.pairs]
    assert len(names)
    assert not np.any(np.all(names == 'Cr', axis=1))
