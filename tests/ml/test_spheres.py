"""Emulators of full potentials on top of one of atomic spheres."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import full_potential as cu
import numpy as np
import pytest

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.dataset import Host, ImpurityDataset, ImpurityRecord
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.files import read_model, write_dataset, write_model
from aiida_mlkkr.ml.radial import volume_weights
from aiida_mlkkr.ml.train_main import run

SETTINGS = EmulatorSettings(model='jacobi_legendre')
SPHERES = dataclasses.replace(cu.KIND, full_potential=False)
BETWEEN_CORES = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]) / np.sqrt(2.0)


def crystal(**changes) -> Host:
    """Copper of atomic spheres, a little smaller and with other Bravais vectors than in full potential."""
    host = cu.writeout().host
    radius = host.alat * (3.0 / (16.0 * np.pi)) ** (1.0 / 3.0) * np.sqrt(2.0)
    a, n = 0.025, 349
    mesh = RadialMesh(a, radius / (np.exp(a * (n - 1)) - 1.0), n)
    lattice = dataclasses.replace(host.lattice, cell=BETWEEN_CORES)
    values = {'alat': 0.999 * host.alat, 'lattice': lattice, 'meshes': (mesh,), 'v': (np.zeros(n),), **changes}
    return dataclasses.replace(host, **values)


def sphere_record(element: str, host: Host) -> ImpurityRecord:
    """What an impurity does in full potential to the spherical part, as if it were the result in spheres."""
    record = cu.record(element)
    cell, sphere = record.host.meshes[0], host.meshes[0]
    nothing = tuple(np.zeros(sphere.n) for _ in record.z)
    inside = np.maximum(cell.inside, 1e-3)
    v = [
        np.array([np.interp(sphere.r, cell.r, (spin - reference)[: cell.n] / inside) for spin in full])
        for full, reference in zip(record.v, record.reference, strict=True)
    ]
    return dataclasses.replace(record, host=host, v=tuple(v), reference=nothing)


def spherical_error(emulator: PotentialEmulator, element: str) -> float:
    """Of the spin average on the impurity's site."""
    record = cu.record(element)
    predicted = emulator.predict(cu.KIND, record.host, record.positions, record.layer, record.z, record.reference)
    mesh = record.host.meshes[0]
    difference = (predicted.v[0] - record.v[0]).mean(axis=0)
    return float(np.sqrt(np.sum((difference**2 * volume_weights(mesh))[: mesh.n])))


@pytest.fixture(scope='module')
def spheres() -> PotentialEmulator:
    records = tuple(sphere_record(element, crystal()) for element in ('v', 'cr', 'mn'))
    return PotentialEmulator.fit(ImpurityDataset(SPHERES, records), SETTINGS)


@pytest.fixture(scope='module')
def emulator(spheres: PotentialEmulator) -> PotentialEmulator:
    return PotentialEmulator.fit(cu.dataset('v', 'mn'), SETTINGS, spheres=spheres)


def test_an_impurity_that_is_known_in_spheres_alone(emulator: PotentialEmulator) -> None:
    alone = PotentialEmulator.fit(cu.dataset('v', 'mn'), SETTINGS)
    assert spherical_error(emulator, 'cr') < 0.3 * spherical_error(alone, 'cr')


def test_what_the_spheres_do_not_know_counts_as_error(emulator: PotentialEmulator, spheres: PotentialEmulator) -> None:
    record = cu.record('cr')
    its = (record.positions, record.layer, record.z)
    nothing = [np.zeros(spheres.hosts[0].meshes[0].n)] * len(record.z)
    of_spheres = spheres.predict(SPHERES, spheres.hosts[0], *its, nothing)
    of_cells = emulator.predict(cu.KIND, record.host, *its, record.reference)
    assert (of_cells.error >= of_spheres.error).all()


def test_both_in_one_file(emulator: PotentialEmulator) -> None:
    record = cu.record('cr')
    arguments = (cu.KIND, record.host, record.positions, record.layer, record.z, record.reference)
    arrays, spec = emulator.export()
    again = PotentialEmulator.load(arrays, type(spec).read(spec.model_dump(mode='json')))
    one, other = (trained.predict(*arguments) for trained in (emulator, again))
    for v, its_v in zip(one.v, other.v, strict=True):
        np.testing.assert_array_equal(v, its_v)
    kept = {name: array for name, array in arrays.items() if name != 'spheres_seen'}
    described = {name: array for name, array in spec.arrays.items() if name != 'spheres_seen'}
    with pytest.raises(ModelError, match='do not fit'):
        PotentialEmulator.load(kept, spec.model_copy(update={'arrays': described}))


def test_a_training_as_a_program(emulator: PotentialEmulator, spheres: PotentialEmulator, tmp_path: Path) -> None:
    """It gives the model that is trained here."""
    write_dataset(tmp_path / 'cells.safetensors', cu.dataset('v', 'mn'))
    write_model(tmp_path / 'below.safetensors', *spheres.export())
    order = {
        'task': {'emulator': SETTINGS.model_dump(mode='json'), 'cross_validation': None},
        'datasets': ['cells.safetensors'],
        'spheres': 'below.safetensors',
    }
    (tmp_path / 'train.json').write_text(json.dumps(order))
    assert run(tmp_path) == 0
    (arrays, spec), (expected, its_spec) = read_model(tmp_path / 'model.safetensors'), emulator.export()
    assert spec.details == its_spec.details
    assert arrays.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(arrays[name], values)
    (tmp_path / 'below.safetensors').unlink()
    with pytest.raises(ModelError, match=r'below\.safetensors'):
        run(tmp_path)


def test_spheres_of_another_crystal(spheres: PotentialEmulator) -> None:
    larger = crystal(alat=1.02 * spheres.hosts[0].alat)
    records = tuple(sphere_record(element, larger) for element in ('v', 'cr', 'mn'))
    other = PotentialEmulator.fit(ImpurityDataset(SPHERES, records), SETTINGS)
    with pytest.raises(ModelError, match='has not seen the crystal of Cu'):
        PotentialEmulator.fit(cu.dataset('v', 'mn'), SETTINGS, spheres=other)


def test_what_is_below_is_of_spheres(spheres: PotentialEmulator, emulator: PotentialEmulator) -> None:
    with pytest.raises(ModelError, match='these are of spheres'):
        PotentialEmulator.fit(ImpurityDataset(SPHERES, (sphere_record('v', crystal()),)), SETTINGS, spheres=spheres)
    with pytest.raises(ModelError, match='full_potential is True in one and False in the other'):
        PotentialEmulator.fit(cu.dataset('v', 'mn'), SETTINGS, spheres=emulator)
