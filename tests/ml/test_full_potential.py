"""Full potentials through radial functions, datasets and the emulator, with potentials by JuKKR."""

from __future__ import annotations

import dataclasses

import full_potential as cu
import numpy as np
import pytest

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator, training_rows
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.radial import ChannelFunctions, volume_weights


@pytest.fixture(scope='module')
def dataset() -> ImpurityDataset:
    return cu.dataset('v', 'cr', 'mn')


@pytest.fixture(scope='module')
def emulator(dataset: ImpurityDataset) -> PotentialEmulator:
    return PotentialEmulator.fit(dataset.without(24.0), EmulatorSettings(model='jacobi_legendre'))


def rms(mesh, difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(difference**2 @ volume_weights(mesh))))


@pytest.mark.parametrize('channels', [slice(0, 1), slice(1, 25)])
def test_functions_are_orthonormal(dataset: ImpurityDataset, channels: slice) -> None:
    mesh = dataset.hosts[0].meshes[0]
    functions = ChannelFunctions(mesh, 16)
    coefficients = np.zeros((3, 25, 16))
    coefficients[:, channels] = np.random.default_rng(0).normal(size=coefficients[:, channels].shape)
    values = cu.components(mesh, functions.expand(coefficients))[:, channels]
    squares = cu.components(mesh, np.sqrt(volume_weights(mesh)))[channels] ** 2
    np.testing.assert_allclose(np.sum(values**2 * squares, axis=(1, 2)), np.sum(coefficients**2, axis=(1, 2)))


def test_coefficients_come_back(dataset: ImpurityDataset) -> None:
    functions = ChannelFunctions(dataset.hosts[0].meshes[0], 16)
    coefficients = np.random.default_rng(0).normal(size=(3, 25, 16))
    np.testing.assert_allclose(functions.coefficients(functions.expand(coefficients)), coefficients, atol=1e-10)


def test_a_spherical_function_is_cut_off_at_the_cell(dataset: ImpurityDataset) -> None:
    mesh = dataset.hosts[0].meshes[0]
    functions = ChannelFunctions(mesh, 16)
    cut_off = mesh.of_cell(1.0 + np.sqrt(mesh.r / mesh.rmax))
    coefficients = functions.coefficients(cut_off)
    assert np.abs(coefficients[1:]).max() < 1e-10
    np.testing.assert_allclose(functions.expand(coefficients), cut_off, atol=1e-9)


def test_most_of_the_other_components_is_cut_off(dataset: ImpurityDataset) -> None:
    # V and Cr: what the spherical part of Mn leaves near the boundary is small
    for record in dataset.impurities[:2]:
        mesh = record.host.meshes[0]
        difference = record.v[0].mean(axis=0) - record.reference[0]
        left = ChannelFunctions(mesh, 16).coefficients(difference)[1:]
        difference[: mesh.n] = 0.0
        assert np.linalg.norm(left) < 0.8 * rms(mesh, difference[None])


@pytest.mark.parametrize('element', ['v', 'cr', 'mn'])
def test_functions_hold_what_impurities_do(dataset: ImpurityDataset, element: str) -> None:
    record = cu.record(element)
    mesh = record.host.meshes[0]
    functions = ChannelFunctions(mesh, 16)
    for site, spherical, other in ((0, 2e-3, 3e-4), (1, 1e-4, 5e-5)):
        difference = record.v[site] - record.reference[site]
        rest = difference - functions.expand(functions.coefficients(difference))
        squares = cu.components(mesh, rest * np.sqrt(volume_weights(mesh)))
        errors = np.sqrt(np.mean(np.sum(squares**2, axis=2), axis=0))
        assert errors[0] < spherical
        assert errors[1:].max() < other


def test_free_atoms_cut_off_at_the_cell_have_the_right_shape(dataset: ImpurityDataset) -> None:
    # with components of the host alone the error of l = 4 is above 0.1 Ry
    for record in dataset.impurities:
        mesh = record.host.meshes[0]
        difference = record.v[0] - record.reference[0]
        difference[:, : mesh.n] = 0.0
        assert 1e-4 < rms(mesh, difference) < 4e-3


def test_arrays_and_back(dataset: ImpurityDataset) -> None:
    again = ImpurityDataset.from_arrays(*dataset.to_arrays())
    assert again.hosts[0].meshes == dataset.hosts[0].meshes
    assert not again.hosts[0].difference(dataset.hosts[0])
    for one, other in zip(dataset.impurities, again.impurities, strict=True):
        for v, its_v in zip(one.v, other.v, strict=True):
            np.testing.assert_array_equal(v, its_v)


def test_damaged_panels(dataset: ImpurityDataset) -> None:
    arrays, description = dataset.to_arrays()
    for name in ('host_panel', 'host_panel_r', 'host_shape'):
        with pytest.raises(DatasetError, match='do not fit together'):
            ImpurityDataset.from_arrays({**arrays, name: arrays[name][:-1]}, description)


def test_hosts_of_other_shapes_differ(dataset: ImpurityDataset) -> None:
    host = dataset.hosts[0]
    mesh = dataclasses.replace(host.meshes[0], theta=0.99 * host.meshes[0].theta)
    assert host.difference(dataclasses.replace(host, meshes=(mesh,))) == 'the shape functions differ'


def test_training_rows_have_all_channels(dataset: ImpurityDataset) -> None:
    sites, targets = training_rows(dataset, 12)
    assert len(sites) == len(dataset.impurities) * 2
    assert targets.average.shape == (len(sites), 25, 12)
    used = targets.average.any(axis=2)
    assert set(np.flatnonzero(used[sites.changed].any(axis=0))) == {0, 20, 24}
    assert used[~sites.changed][0].sum() == 12


def test_an_impurity_that_was_left_out(emulator: PotentialEmulator) -> None:
    record = cu.record('cr')
    prediction = emulator.predict(
        cu.KIND, record.host, record.positions, record.layer, record.z, record.reference, [3.0]
    )
    mesh = record.host.meshes[0]
    for site in (0, 1, 12):
        parts = [
            cu.components(mesh, (v - record.v[site]) * np.sqrt(volume_weights(mesh)))
            for v in (prediction.v[site], record.reference[site][None])
        ]
        left, start = (np.sqrt(np.mean(np.sum(part**2, axis=2), axis=0)) for part in parts)
        # l = 0, and all others together
        assert left[0] < 0.5 * start[0]
        assert np.linalg.norm(left[1:]) < 0.7 * np.linalg.norm(start[1:])
    own = cu.components(mesh, prediction.v[0])
    assert set(np.flatnonzero(own.any(axis=(0, 2)))) == {0, 20, 24}
    neighbour = cu.components(mesh, prediction.v[1])
    assert neighbour.any(axis=(0, 2)).sum() == 12


def test_a_model_of_full_potentials_is_for_them_alone(emulator: PotentialEmulator) -> None:
    record = cu.record('cr')
    spheres = dataclasses.replace(cu.KIND, full_potential=False)
    with pytest.raises(ModelError, match='full_potential is True in one and False in the other'):
        emulator.check(spheres, record.host, record.z, record.layer)


def test_model_and_back(emulator: PotentialEmulator) -> None:
    record = cu.record('cr')
    arguments = (cu.KIND, record.host, record.positions, record.layer, record.z, record.reference)
    again = PotentialEmulator.load(*emulator.export())
    one, other = (trained.predict(*arguments) for trained in (emulator, again))
    for v, its_v in zip(one.v, other.v, strict=True):
        np.testing.assert_array_equal(v, its_v)
