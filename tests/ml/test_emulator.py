from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_clusters import KIND, MESH, SITES, host, law, moment_of, record, row
from threadpoolctl import threadpool_info, threadpool_limits

from aiida_mlkkr.kkr.cluster import HostLattice
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.ml.dataset import Host, ImpurityDataset, ImpurityRecord
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator, Prediction
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.files import read_dataset
from aiida_mlkkr.ml.models.kernel import Kernel
from aiida_mlkkr.ml.monitor import Monitor
from aiida_mlkkr.ml.radial import volume_weights

SHIPPED = Path(__file__).parents[1] / 'data' / 'fill' / 'cu_ag_impurities.safetensors'


def predict(emulator: PotentialEmulator, asked: ImpurityRecord, **changes: Any) -> Prediction:
    arguments = {
        'kind': KIND,
        'host': asked.host,
        'positions': asked.positions,
        'layer': asked.layer,
        'z': asked.z,
        'reference': asked.reference,
    }
    return emulator.predict(**{**arguments, **changes})


def error(prediction: Prediction, truth: ImpurityRecord, site: int) -> float:
    squares = ((prediction.v[site] - truth.v[site]) ** 2).mean(axis=0)
    return float(np.sqrt(volume_weights(MESH) @ squares))


@pytest.fixture(scope='module')
def emulator() -> PotentialEmulator:
    return PotentialEmulator.fit(row())


@pytest.mark.parametrize('z', [22, 24, 26, 31])
def test_predicts_an_impurity_that_it_has_not_seen(z: int) -> None:
    truth = record({0: float(z)})
    prediction = predict(PotentialEmulator.fit(row(without=(z,))), truth)
    scale = float(np.sqrt(volume_weights(MESH) @ law(z)[0] ** 2))
    # the law is smooth but for the kink of the moment at Mn, next to which interpolation is off by some tenth of it
    assert error(prediction, truth, 0) < 0.1 * scale + 0.003
    assert error(prediction, truth, 5) < 0.003
    assert prediction.moments[0] == pytest.approx(moment_of(z), abs=0.5)


def test_knows_what_it_has_seen(emulator: PotentialEmulator) -> None:
    truth = record({0: 25.0})
    prediction = predict(emulator, truth)
    # not exactly: the kink of the moments at Mn looks like noise
    assert error(prediction, truth, 0) < 5e-3
    np.testing.assert_allclose(prediction.moments[1:], 0.0)


def test_the_host_in_the_host_is_left_alone(emulator: PotentialEmulator) -> None:
    prediction = predict(emulator, record({}))
    for v, reference in zip(prediction.v, record({}).reference, strict=True):
        np.testing.assert_array_equal(v, [reference, reference])
    np.testing.assert_array_equal(prediction.error, 0.0)


def test_sites_that_are_alike_are_predicted_alike(emulator: PotentialEmulator) -> None:
    prediction = predict(emulator, record({0: 24.0}))
    for site in range(2, len(SITES)):
        np.testing.assert_allclose(prediction.v[site], prediction.v[1], rtol=0.0, atol=1e-13)
    np.testing.assert_allclose(prediction.error[1:], prediction.error[1])


def test_a_flipped_moment_exchanges_the_spins(emulator: PotentialEmulator) -> None:
    up, down = (predict(emulator, record({0: 25.0}), moments=[sign * 3.5]) for sign in (1, -1))
    for one, other in zip(up.v, down.v, strict=True):
        np.testing.assert_allclose(one, other[::-1], rtol=0.0, atol=1e-13)
    assert up.moments[0] == -down.moments[0] > 3.0


def test_learns_the_same_from_flipped_moments() -> None:
    flipped = ImpurityDataset(KIND, tuple(record({0: one.z[0]}, signs={0: -1}) for one in row().impurities))
    asked = record({0: 24.0})
    one, other = (predict(PotentialEmulator.fit(dataset), asked) for dataset in (row(), flipped))
    np.testing.assert_allclose(one.v, other.v, atol=1e-7)


def test_no_moment_asked_for(emulator: PotentialEmulator) -> None:
    prediction = predict(emulator, record({0: 25.0}), moments=[0.0])
    for v in prediction.v:
        np.testing.assert_array_equal(v[0], v[1])
    assert prediction.moments[0] == 0.0


def test_nonmagnetic_impurities_start_without_a_moment(emulator: PotentialEmulator) -> None:
    prediction = predict(emulator, record({0: 30.0}))
    np.testing.assert_array_equal(prediction.v[0][0], prediction.v[0][1])


def test_two_impurities_from_single_ones(emulator: PotentialEmulator) -> None:
    """The law is additive, and the cluster holds only distances from one neighbour to the others that were not seen."""
    truth = record({0: 25.0, 1: 24.0}, signs={1: -1})
    prediction = predict(emulator, truth, moments=[3.5, -3.0])
    for site in (0, 1):
        assert error(prediction, truth, site) < 4e-3
    assert prediction.moments[0] > 0 > prediction.moments[1]
    assert prediction.error[0] > predict(emulator, record({0: 25.0})).error[0]


def test_pairs_teach_what_neighbours_do() -> None:
    """With pairs in the training data those are predicted as well as single impurities."""
    pairs = tuple(record({0: float(a), 3: float(b)}) for a, b in ((23, 24), (25, 26), (22, 30), (31, 27)))
    emulator = PotentialEmulator.fit(ImpurityDataset(KIND, (*row().impurities, *pairs)))
    truth = record({0: 24.0, 3: 26.0})
    prediction = predict(emulator, truth)
    assert max(error(prediction, truth, site) for site in range(len(SITES))) < 2e-3


def test_errors_are_larger_further_away() -> None:
    emulator = PotentialEmulator.fit(row(without=(23, 24, 25)))
    errors = {z: predict(emulator, record({0: float(z)})).error[0] for z in (22, 24, 26)}
    assert errors[24] > 2 * errors[22]
    assert errors[24] > 2 * errors[26]


def test_two_hosts_help_each_other() -> None:
    silver = host(47.0, alat=7.7)
    both = ImpurityDataset(KIND, (*row(without=(24, 25, 26)).impurities, *row(silver).impurities))
    truth = record({0: 25.0})
    alone = error(predict(PotentialEmulator.fit(row(without=(24, 25, 26))), truth), truth, 0)
    assert error(predict(PotentialEmulator.fit(both), truth), truth, 0) < 0.5 * alone


CHAIN = HostLattice(
    np.diag([1.0, 1.0, 1.5]),
    np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.5], [0.0, 0.0, 1.0]]),
    np.array([29.0, 47.0, 29.0]),
    alat=1.0,
)
COMPOUND = Host(6.82, 0.6, CHAIN, (MESH,) * 3, (host().v[0], host().v[0] - 1.0, host().v[0]))
"""Cu, Ag and Cu again: two different atoms."""


def on_atom(layer: int, z: float) -> ImpurityRecord:
    """An impurity in the compound, by the law on the Cu atoms and by another one on the Ag atom."""
    replaced = COMPOUND.z[layer - 1]
    reference = COMPOUND.v[layer - 1] + 0.3 * (z - replaced) * np.exp(-2 * MESH.r)
    average, splitting = law(z, 29.0) if replaced == 29.0 else law(z, 47.0, shift=-0.4)
    v = (np.stack([reference + average + splitting, reference + average - splitting]),)
    layers, moments = np.array([layer]), np.array([moment_of(z)])
    charges = np.array([z])
    return ImpurityRecord(f'{z} {layer}', COMPOUND, SITES[:1], layers, charges, v, (reference,), moments, charges)


@pytest.fixture(scope='module')
def compound_emulator() -> PotentialEmulator:
    impurities = [on_atom(layer, float(z)) for layer in (1, 2) for z in (*range(21, 29), 47, 29)]
    return PotentialEmulator.fit(ImpurityDataset(KIND, tuple(impurities)))


@pytest.mark.parametrize(('layer', 'z'), [(1, 24.0), (2, 24.0), (1, 47.0), (2, 29.0)])
def test_atoms_of_the_cell_are_told_apart(compound_emulator: PotentialEmulator, layer: int, z: float) -> None:
    """The same element on the one and on the other, and each atom of the host in the place of the other."""
    truth = on_atom(layer, z)
    assert error(predict(compound_emulator, truth), truth, 0) < 0.02


def test_atoms_of_the_cell_that_are_alike(compound_emulator: PotentialEmulator) -> None:
    first, last = (predict(compound_emulator, on_atom(layer, 24.0)) for layer in (1, 3))
    np.testing.assert_array_equal(first.v, last.v)
    assert COMPOUND.first_alike.tolist() == [0, 1, 0]


def test_export_and_load(emulator: PotentialEmulator) -> None:
    arrays, spec = emulator.export()
    spec.check(arrays)
    again = PotentialEmulator.load(arrays, type(spec).read(spec.model_dump(mode='json')))
    asked = record({0: 24.5 + 0.5, 2: 23.0})
    np.testing.assert_array_equal(predict(again, asked).v, predict(emulator, asked).v)
    np.testing.assert_array_equal(predict(again, asked).error, predict(emulator, asked).error)
    assert spec.elements == [symbol(z) for z in (*range(21, 29), *range(30, 34))]


def test_potentials_on_their_way_do_not_count_in_the_report() -> None:
    """Nor in the calibration: how far they are from the truth is no error of the model."""
    settings = EmulatorSettings(model='standard_start', radial_functions=4)
    single = row(without=(25,))
    far = dataclasses.replace(record({0: 25.0}), v=tuple(v + 1.0 for v in record({0: 25.0}).v), error=1.0)
    one, other = (
        PotentialEmulator.fit(ImpurityDataset(KIND, (*single.impurities, *more)), settings) for more in ((), (far,))
    )
    assert one.report['average_own']['number_of_sites'] == other.report['average_own']['number_of_sites']
    assert other.report['average_own']['left_out_rms_Ry'] == one.report['average_own']['left_out_rms_Ry'] < 0.5
    alone = PotentialEmulator.fit(ImpurityDataset(KIND, (far,)), settings)
    assert alone.report['average_own']['left_out_rms_Ry'] > 0.5


def test_sites_that_a_model_does_not_reach_do_not_spoil_its_calibration() -> None:
    """Opposite to the impurity, beyond the cutoff, it says nothing, and is sure of it."""
    single = ImpurityDataset(KIND, tuple(record({1: float(z)}) for z in (22, 24, 25, 26, 30)))
    settings = EmulatorSettings(model='jacobi_legendre', radial_functions=4, options={'cutoff': 5.5})
    prediction = predict(PotentialEmulator.fit(single, settings), record({1: 25.0}))
    beside = prediction.error[np.arange(len(SITES)) != 1]
    assert (beside == 0.0).any()
    assert 0.0 < beside.max() < 0.1


class Threads(Monitor):
    """Keeps how many threads the linear algebra has while a model is trained."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def progress(self, stage: str, done: int, total: int, losses: dict[str, float]) -> None:
        self.seen |= threads()


def threads() -> set[int]:
    return {library['num_threads'] for library in threadpool_info() if library['user_api'] == 'blas'}


def test_training_takes_one_thread_whatever_there_are() -> None:
    """With another number of them sums are rounded in another way, and the model has other bytes."""
    monitor = Threads()
    with threadpool_limits(limits=2, user_api='blas'):
        before = threads()
        PotentialEmulator.fit(row(), EmulatorSettings(radial_functions=4), monitor)
        assert threads() == before
    assert monitor.seen == {1}


def test_the_report_says_how_good_it_is(emulator: PotentialEmulator) -> None:
    report = emulator.report
    assert set(report) == {'average_own', 'average_around', 'splitting_own', 'splitting_around', 'outliers_Ry'}
    own = report['average_own']
    assert 0 < own['left_out_rms_Ry'] < 0.3 * own['rms_Ry']
    assert 0 < report['splitting_own']['left_out_moment_rms_muB'] < 1.0


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'kind': dataclasses.replace(KIND, lmax=3)}, 'lmax is 2 in one and 3 in the other. Train one'),
        ({'kind': dataclasses.replace(KIND, nspin=1)}, 'nspin is 2 in one and 1'),
        ({'kind': dataclasses.replace(KIND, full_potential=True)}, 'full_potential is False'),
        ({'kind': dataclasses.replace(KIND, relativity='spin-orbit')}, 'relativity is scalar-relativistic'),
        ({'kind': dataclasses.replace(KIND, constants='other')}, 'constants is jukkr'),
        ({'moments': [3.0, 1.0]}, '2 moments are asked for, but the cluster has 1 impurities'),
        ({'moments': [9.0]}, '9 µB is asked for on Mn, where the model expects [34]'),
    ],
)
def test_refused_requests(emulator: PotentialEmulator, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        predict(emulator, record({0: 25.0}), **changes)


def test_small_and_possible_moments_are_enlarged_at_the_start() -> None:
    v = (np.array([[1.0, 2.0], [0.8, 2.4]]), np.array([[1.0, 1.0], [0.8, 0.8]]), np.ones((2, 2)), np.ones((2, 2)))
    moments, possible = np.array([-0.5, 2.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 4.0])
    start = Prediction(v, np.zeros(4), moments, True, possible).start
    np.testing.assert_allclose(start[0], [[1.1, 1.8], [0.7, 2.6]])
    np.testing.assert_allclose(start[1:3], v[1:3])
    np.testing.assert_allclose(start[3], [[1.12, 1.12], [0.88, 0.88]])


def test_other_rows_and_hosts_do_not_tell_that_there_is_no_moment() -> None:
    """4d impurities in Cu have none; Cr in Cu has, and Mo in Ag. Ge has none anywhere."""
    shipped = read_dataset(SHIPPED)
    alone = [record for record in shipped.impurities if len(record.impurities) == 1]
    singles = {(int(record.host.z[0]), int(record.z[record.impurities[0]])): record for record in alone}
    learnt = tuple(singles[29, z] for z in (*range(30, 34), *range(39, 49)) if (29, z) in singles)
    emulator = PotentialEmulator.fit(ImpurityDataset(shipped.kind, learnt))
    # the free atoms have 4 and 5 µB in d shells of 4 and 5 electrons; of another host only that there may be one
    for z_host, z, possible in ((29, 24, 4.0), (29, 25, 5.0), (47, 42, 1.0), (29, 44, 0.0), (47, 32, 0.0)):
        prediction = predict(emulator, singles[z_host, z])
        assert prediction.moments[0] == 0.0
        assert prediction.possible.max() == possible
        assert not predict(emulator, singles[z_host, z], moments=[0.0]).possible.any()


def test_a_moment_where_none_is_expected(emulator: PotentialEmulator) -> None:
    with pytest.raises(ModelError, match=r'2 µB is asked for on Zn, where the model expects 0\.'):
        predict(emulator, record({0: 30.0}), moments=[2.0])


def test_a_prediction_has_the_zero_of_its_host(emulator: PotentialEmulator) -> None:
    """In a crystal that differs in the zero of its potential, and is another host therefore, with larger errors."""
    asked, moved = record({0: 25.0}), record({0: 25.0}, host(zero=0.01))
    one, other = predict(emulator, asked), predict(emulator, moved)
    assert one.host_seen
    assert not other.host_seen
    # what a model has learnt of one host alone does not go over to another
    np.testing.assert_allclose(other.v, np.array(one.v) + 0.01, atol=1e-9)
    assert (other.error[1:] >= Kernel.unseen_host * one.error[1:] - 1e-12).all()


@pytest.mark.parametrize('z', [64.0, 79.0, 0.0])
def test_elements_out_of_range(emulator: PotentialEmulator, z: float) -> None:
    with pytest.raises(
        ModelError, match=f'{symbol(z)} in place of Cu is out of the range of the model, which has seen Sc'
    ):
        predict(emulator, record({0: z}))


def test_no_element(emulator: PotentialEmulator) -> None:
    with pytest.raises(ModelError, match=r'Z=24\.5 is no element'):
        predict(emulator, record({0: 25.0}), z=np.array([24.5] + [29.0] * 12))


@pytest.mark.parametrize(
    ('dataset', 'message'),
    [
        (ImpurityDataset(KIND, ()), 'the dataset is empty'),
        (ImpurityDataset(KIND, (record({}),)), 'the dataset is empty'),
        (
            ImpurityDataset(dataclasses.replace(KIND, full_potential=True), row().impurities),
            r'the potentials have \[1\]',
        ),
    ],
)
def test_refused_training(dataset: ImpurityDataset, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        PotentialEmulator.fit(dataset)


def test_refused_models(emulator: PotentialEmulator) -> None:
    arrays, spec = emulator.export()
    with pytest.raises(ModelError, match='this is a model for exchange, one for impurity_potential is needed'):
        PotentialEmulator.load(arrays, spec.model_copy(update={'task': 'exchange'}))
    with pytest.raises(ModelError, match='the spec of the model is not valid: calibration'):
        PotentialEmulator.load(arrays, spec.model_copy(update={'details': {'settings': {}}}))


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match='radial_functions'):
        EmulatorSettings(radial_functions=2)
    with pytest.raises(ValueError, match=r"no model 'magic'; installed are .*kernel"):
        EmulatorSettings(model='magic')
    with pytest.raises(ValueError, match='breadth'):
        EmulatorSettings(options={'breadth': 3})
