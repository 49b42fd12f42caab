"""Data that nothing can be learnt from, and models of strangers: one clear message each, when they are taken in."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_clusters import KIND, MESH, host, record, row

from aiida_mlkkr.kkr.cluster import HostLattice
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.dataset import ImpurityDataset, ImpurityRecord, merge
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.files import read_model, write_model
from aiida_mlkkr.ml.models import model_names
from aiida_mlkkr.ml.spec import SurrogateSpec, describe

QUICK: dict[str, dict[str, Any]] = {'network': {'folds': 2, 'repeats': 2, 'epochs': 3, 'hidden': 4, 'gates': 2}}
"""Options with which the training takes a second."""


MODELS = model_names()


def settings(name: str) -> EmulatorSettings:
    return EmulatorSettings(model=name, radial_functions=4, options=QUICK.get(name, {}))


@cache
def trained(name: str) -> PotentialEmulator:
    return PotentialEmulator.fit(ImpurityDataset(KIND, row().impurities[2:6]), settings(name))


def predict(emulator: PotentialEmulator, asked: ImpurityRecord, sites: int = 13) -> Any:
    parts = (part[:sites] for part in (asked.positions, asked.layer, asked.z, asked.reference))
    return emulator.predict(KIND, asked.host, *parts)


@pytest.mark.parametrize('name', MODELS)
def test_a_dataset_of_one_element(name: str) -> None:
    """A model learns from it, and is not surer of another element than of this one."""
    one = ImpurityDataset(KIND, (record({0: 25.0}),))
    emulator = PotentialEmulator.load(*PotentialEmulator.fit(one, settings(name)).export())
    same, other = (predict(emulator, record({0: z})) for z in (25.0, 26.0))
    assert np.isfinite(same.v).all()
    assert 0.0 < same.error[0] <= other.error[0]


def changed(**parts: Any) -> ImpurityRecord:
    return dataclasses.replace(record({0: 25.0}), **parts)


def test_potentials_that_are_not_finite() -> None:
    v = [site.copy() for site in record({0: 25.0}).v]
    v[3][1, 7] = np.nan
    with pytest.raises(DatasetError, match='the potential of site 4 is not finite'):
        changed(v=tuple(v))
    for part in ({'moments': np.full(13, np.nan)}, {'error': np.inf}):
        with pytest.raises(DatasetError, match='impurity lost: a moment or the error of its potential is not finite'):
            PotentialEmulator.fit(ImpurityDataset(KIND, (*row().impurities, changed(source='lost', **part))))


def test_meshes_that_are_mixed() -> None:
    """The potential of another mesh than the host's; a host with another mesh than its potential; other components."""
    shorter = tuple(site[:, :-1] for site in record({0: 25.0}).v)
    with pytest.raises(DatasetError, match='the potential of site 1 has 348 points, its host 349'):
        changed(v=shorter)
    with pytest.raises(DatasetError, match='does not fit its mesh of 348 points'):
        dataclasses.replace(host(), meshes=(RadialMesh(MESH.a, MESH.b, 348),))
    other = ImpurityDataset(dataclasses.replace(KIND, full_potential=True), row().impurities)
    with pytest.raises(DatasetError, match='cannot be mixed: full_potential is False in one and True in the other'):
        merge([row(), other])


CELL = host().lattice.cell


@pytest.mark.parametrize(
    ('parts', 'message'),
    [
        ({'alat': 1e-3}, 'no crystal has lattice planes'),
        ({'alat': -6.8}, 'no crystal has lattice planes'),
        ({'lattice': HostLattice(CELL, np.array([[1e9, 0, 0]]), np.array([29.0]))}, 'or atoms so far away'),
        ({'v': (np.full(349, np.inf),)}, 'is not finite'),
        ({'v': ()}, 'a host of 1 atoms with 1 radial meshes and 0 potentials'),
    ],
)
def test_hosts_that_are_no_crystals(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        dataclasses.replace(host(), **parts)


def tampered(arrays: dict[str, Any], spec: SurrogateSpec, path: Path) -> PotentialEmulator:
    """What a reader makes of changed arrays with a spec and a checksum that fit them."""
    write_model(path, arrays, spec.model_copy(update={'arrays': describe(arrays)}))
    return PotentialEmulator.load(*read_model(path))


def cut(array: np.ndarray) -> np.ndarray:
    return array[:-1]


def longer(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, array[-1:]])


def flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, 1, 1)


def negative(array: np.ndarray) -> np.ndarray:
    return -1 - np.abs(array) if array.dtype != np.bool_ else ~array


def huge(array: np.ndarray) -> np.ndarray:
    return np.full_like(array, {'f': 1e300, 'i': 2**60, 'b': True}[array.dtype.kind])


def refused_arrays(name: str, prefix: str, change: Any, path: Path) -> set[str]:
    """Arrays that make the model be refused when they are changed; with the others a prediction does not break down."""
    arrays, spec = trained(name).export()
    refused = set()
    for array in (key for key, values in arrays.items() if key.startswith(prefix) and values.ndim and values.size):
        try:
            emulator = tampered({**arrays, array: change(arrays[array])}, spec, path)
        except ModelError:
            refused.add(array)
            continue
        with np.errstate(all='ignore'), suppress(*[ModelError] * (change is huge)):
            predict(emulator, record({0: 25.0}), sites=2)
    return refused


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('change', [cut, longer, flat, negative, huge])
def test_arrays_of_a_strangers_model(name: str, change: Any, tmp_path: Path) -> None:
    """With a checksum that is right: refused when loaded, or it predicts; only absurd numbers are found not before."""
    refused = refused_arrays(name, 'model_', change, tmp_path / 'model')
    assert refused or change is not cut


@pytest.mark.parametrize('change', [cut, longer, flat, negative, huge])
def test_hosts_of_a_strangers_model(change: Any, tmp_path: Path) -> None:
    refused = refused_arrays('standard_start', 'host_', change, tmp_path / 'model')
    if change in (cut, longer, flat):
        assert {'host_natom', 'host_mesh', 'host_points', 'host_potential', 'host_position', 'host_z'} <= refused
    if change is negative:
        assert {'host_alat', 'host_natom', 'host_mesh', 'host_points', 'host_z'} <= refused
    assert bool(refused_arrays('standard_start', 'seen', change, tmp_path / 'model')) == (change is not longer)


@pytest.mark.parametrize('name', MODELS)
def test_arrays_that_are_missing(name: str, tmp_path: Path) -> None:
    arrays, spec = trained(name).export()
    for array in (key for key, values in arrays.items() if values.size):
        with pytest.raises(ModelError, match='do not fit together'):
            tampered({key: value for key, value in arrays.items() if key != array}, spec, tmp_path / 'model')


def test_specs_of_strangers() -> None:
    arrays, spec = trained('kernel').export()
    details: dict[str, Any] = spec.details
    cases: dict[str, dict[str, Any]] = {
        "no model 'magic'; installed are": {'model': 'magic'},
        'a model standard_start with the settings of a model kernel': {'model': 'standard_start'},
        'the spec names Gd, its arrays other elements': {'elements': ['Gd']},
        'the spec names the hosts Ag, its arrays others': {'hosts': ['Ag']},
        'settings.colour: Extra': {
            'details': {**details, 'settings': {**details['settings'], 'options': {'colour': 1}}}
        },
        'settings: .*no model': {'details': {**details, 'settings': {**details['settings'], 'model': 'magic'}}},
        'report.average_own': {'details': {**details, 'report': {'average_own': 'good'}}},
        'calibration.own': {'details': {**details, 'calibration': {'own': -1.0}}},
        'do not fit together': {'details': {**details, 'model': {}}},
        'is not valid: nspin': {'kind': {**spec.kind, 'nspin': 'two'}},
    }
    for message, update in cases.items():
        with pytest.raises(ModelError, match=message):
            PotentialEmulator.load(arrays, spec.model_copy(update=update))
