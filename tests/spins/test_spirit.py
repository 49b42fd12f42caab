"""Spin models in Spirit's files: the energies of the library, in a process of its own, which it may end."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from spin_models import FCC, free

from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.tensors import compose
from aiida_mlkkr.spins.couplings import Bond, Couplings
from aiida_mlkkr.spins.dilute import Dopants, dilute_model
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.model import SpinModel
from aiida_mlkkr.spins.spirit import pair_rows, write_spirit

ENERGIES = """
import sys
import numpy as np
from spirit import state, system
with state.State('input.cfg', quiet=True) as p_state:
    spins = system.get_spin_directions(p_state)
    for directions in np.load('directions.npy'):
        spins[:] = directions
        system.update_data(p_state)
        print(repr(system.get_energy(p_state)))
"""


@pytest.fixture(scope='module')
def model() -> SpinModel:
    """Three elements with J and D without symmetry, uniaxial anisotropies, a field."""
    rng = np.random.default_rng(8)
    nearest, second = 1.805 * np.array([1.0, 1.0, 0.0]), 1.805 * np.array([2.0, 0.0, 0.0])
    bonds = [
        Bond(pair, np.zeros(3), vector, compose(np.array(rng.normal()), 0.3 * rng.normal(size=3), np.zeros((3, 3))))
        for pair in (('Mn', 'Mn'), ('Mn', 'Cr'), ('Cr', 'Cr'))
        for vector in (nearest, second)
    ]
    axis = np.array([1.0, 2.0, -2.0]) / 3
    dopants = Dopants(
        {'Mn': 0.2, 'Cr': 0.15},
        {'Mn': 4.0, 'Cr': 3.3},
        [0],
        {'Mn': -0.4 * np.outer(axis, axis), 'Cr': np.diag([0, 0, 0.1])},
    )
    couplings = Couplings.of_bonds(FCC, bonds, symmetric=False)
    return dilute_model(
        FCC, couplings, dopants, (6, 6, 6), seed=1, field=np.array([1.0, -2.0, 3.0]), missing_is_zero=True
    )


def test_energies_of_the_library(model: SpinModel, tmp_path: Path) -> None:
    """To 1e-8 meV for each moment, and what the library loses: it returns the energy in single precision."""
    pytest.importorskip('spirit')
    write_spirit(model, tmp_path)
    directions = np.random.default_rng(1).normal(size=(3, len(model), 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    np.save(tmp_path / 'directions.npy', directions)
    run = subprocess.run([sys.executable, '-c', ENERGIES], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = np.array(run.stdout.split()[-3:], dtype=float)
    energies = np.array([model.energy(e) for e in directions])
    lost = np.spacing(np.abs(energies).astype(np.float32))
    assert np.all(np.abs(found - energies) < 1e-8 * len(model) + lost)


def test_what_spirit_has_no_place_for_is_refused(model: SpinModel, tmp_path: Path) -> None:
    s = np.diag([0.2, 0.1, -0.3])
    anisotropic = free({(0, 1): compose(np.array(1.0), np.zeros(3), s)}, 2)
    for refuse in (lambda: write_spirit(anisotropic, tmp_path), lambda: pair_rows(anisotropic)):
        with pytest.raises(ExchangeError, match=r'no place for S, B, which is up to 0\.3 meV'):
            refuse()
    biaxial = replace(free({}, 2), anisotropy=np.tile(np.diag([0.1, 0.2, 0.0]), (2, 1, 1)))
    with pytest.raises(SpinModelError, match='one axis of anisotropy; that of moment 0'):
        write_spirit(biaxial, tmp_path)
