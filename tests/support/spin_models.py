"""Spin models whose answers are known."""

from __future__ import annotations

import numpy as np

from aiida_mlkkr.spins.couplings import Bond, Couplings
from aiida_mlkkr.spins.dilute import Dopants, dilute_model
from aiida_mlkkr.spins.lattice import HostLattice
from aiida_mlkkr.spins.model import SpinModel

CUBIC = HostLattice(3.0 * np.eye(3), ('Cu',), np.zeros((1, 3)))
FCC = HostLattice(1.805 * (np.ones((3, 3)) - np.eye(3)), ('Cu',), np.zeros((1, 3)))


def free(tensors: dict[tuple[int, int], np.ndarray], number: int, **others: object) -> SpinModel:
    """Moments in a large box with the pairs that are given."""
    pairs = np.array(list(tensors), dtype=int).reshape(-1, 2)
    arrays = {
        'elements': ('Mn',) * number,
        'moments': np.ones(number),
        'anisotropy': np.zeros((number, 3, 3)),
        **others,
    }
    return SpinModel(
        box=100.0 * np.eye(3),
        sublattices=np.zeros(number, dtype=int),
        positions=2.0 * np.arange(number)[:, None] * np.array([1.0, 0.0, 0.0]),
        pairs=pairs,
        images=np.zeros((len(pairs), 3), dtype=int),
        tensors=np.array(list(tensors.values())).reshape(-1, 3, 3),
        **arrays,
    )


def simple_cubic(size: int, exchange: float = 1.0, share: float = 1.0, seed: int = 0) -> SpinModel:
    """Nearest neighbours on the simple cubic lattice."""
    bond = Bond(('Mn', 'Mn'), np.zeros(3), np.array([3.0, 0.0, 0.0]), exchange * np.eye(3))
    couplings = Couplings.of_bonds(CUBIC, [bond])
    return dilute_model(CUBIC, couplings, Dopants({'Mn': share}, {'Mn': 4.0}, [0]), [size] * 3, seed=seed)
