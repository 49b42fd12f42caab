"""The network's own: e3nn's directions are JuKKR's, a training can be stopped, torch's settings are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from model_clusters import KIND, moment_of, record, row
from rotations import rotation_matrices

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import training_rows
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.harmonics import components, real_harmonics
from aiida_mlkkr.ml.models.base import Arrays, Targets
from aiida_mlkkr.ml.models.network import Network, NetworkOptions
from aiida_mlkkr.ml.models.network.angular import crystal_tensors, harmonics, natural_tensors
from aiida_mlkkr.ml.models.network.training import unseen
from aiida_mlkkr.ml.monitor import Checkpoint, Monitor, TrainingInterrupted
from aiida_mlkkr.ml.sites import Sites

FUNCTIONS = 6
LMAX = 4
QUICK = NetworkOptions(hidden=8, folds=2, repeats=2, epochs=12, patience=12, device='cpu')


class Recorder(Monitor):
    """Keeps all that it is told, and stops after some epochs."""

    def __init__(self, stop_after: int = 0, checkpoint: Checkpoint | None = None) -> None:
        self.losses: list[dict[str, float]] = []
        self.checkpoint = checkpoint
        self._stop_after = stop_after

    def progress(self, stage: str, done: int, total: int, losses: dict[str, float]) -> None:
        self.losses.append(losses)

    def should_stop(self) -> bool:
        return len(self.losses) == self._stop_after

    def save(self, arrays: Arrays, state: dict[str, Any]) -> None:
        self.checkpoint = arrays, state

    def restore(self) -> Checkpoint | None:
        return self.checkpoint


@pytest.fixture(scope='module')
def rows() -> tuple[Sites, Targets]:
    return training_rows(row(without=(26,)), FUNCTIONS)


def weights(model: Network) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.to_arrays()[0].items()}


def test_harmonics_are_those_of_jukkr() -> None:
    vectors = np.random.default_rng(1).normal(size=(20, 3))
    expected = np.sqrt(4 * np.pi) * real_harmonics(vectors, LMAX)
    np.testing.assert_allclose(harmonics(vectors, LMAX), expected, atol=1e-12)


def test_tensors_rotate_as_their_l() -> None:
    random = np.random.default_rng(2)
    vectors, atoms = random.normal(size=(4, 3)), random.normal(size=(4, 3))
    rotation = -np.linalg.qr(random.normal(size=(3, 3)))[0]
    crystals = [harmonics(its, LMAX)[:, None] for its in (atoms, atoms @ rotation.T)]
    before, after = (
        natural_tensors(vectors, crystals[0], LMAX),
        natural_tensors(vectors @ rotation.T, crystals[1], LMAX),
    )
    for matrix, one, other in zip(rotation_matrices(rotation, LMAX)[1:], before, after, strict=True):
        np.testing.assert_allclose(other, one @ matrix.T, atol=1e-11)


def test_crystal_of_a_cubic_site(rows: tuple[Sites, Targets]) -> None:
    """Only l = 0 and l = 4, this as Y_40 + √(5/7) Y_44, and whatever impurities are in it."""
    single = rows[0].subset(np.array([0]))
    tensors = crystal_tensors(single, LMAX)[0, 0]
    assert np.abs(tensors[1:16]).max() < 1e-12 * tensors[0]
    of_4 = tensors[components(4)]
    np.testing.assert_allclose(of_4[8] / of_4[4], np.sqrt(5 / 7), rtol=1e-12)
    assert np.abs(np.delete(of_4, [4, 8])).max() < 1e-12 * tensors[0]


def test_groups_are_never_parted() -> None:
    group = np.repeat(np.arange(7), 3)
    left_out = unseen(group, folds=3, repeats=2, seed=0)
    assert left_out.shape == (6, 21)
    assert (left_out.sum(axis=0) == 2).all()
    assert all(len(set(rows[group == number])) == 1 for rows in left_out for number in range(7))
    assert not unseen(np.zeros(4), folds=3, repeats=2, seed=0).any()


def test_predicts_what_it_has_not_seen(rows: tuple[Sites, Targets]) -> None:
    """Fe between its neighbours in the row, far better than nothing; the error is about the expected one."""
    model = Network.fit(*rows, NetworkOptions(hidden=32, repeats=2, epochs=25, device='cpu'), 0, Monitor())
    sites, truth = training_rows(ImpurityDataset(KIND, (record({0: 26.0}),)), FUNCTIONS)
    found = model.predict(sites)
    squares = np.sum((found.average - truth.average) ** 2 + (found.splitting - truth.splitting) ** 2, axis=(1, 2))
    assert (squares < 0.15**2 * np.sum(truth.average**2 + truth.splitting**2, axis=(1, 2))).all()
    assert (squares < 9.0 * found.variance).all()
    assert found.moment[0] == pytest.approx(moment_of(26.0), abs=0.5)
    assert found.moment[1] == 0.0


def test_stopped_and_gone_on(rows: tuple[Sites, Targets]) -> None:
    """The same model, bit for bit, as without the interruption."""
    straight = Recorder()
    model = Network.fit(*rows, QUICK, 0, straight)
    first = Recorder(stop_after=5)
    with pytest.raises(TrainingInterrupted):
        Network.fit(*rows, QUICK, 0, first)
    second = Recorder(checkpoint=first.checkpoint)
    assert weights(Network.fit(*rows, QUICK, 0, second)) == weights(model)
    assert first.losses + second.losses == straight.losses
    assert len(straight.losses) == QUICK.epochs


def test_stopped_and_gone_on_in_many_steps(rows: tuple[Sites, Targets], monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are drawn anew in each epoch where the data are more than one step takes."""
    monkeypatch.setattr('aiida_mlkkr.ml.models.network.training._BATCH', 7)
    options = QUICK.model_copy(update={'epochs': 3})
    model = Network.fit(*rows, options, 0, Monitor())
    first = Recorder(stop_after=2)
    with pytest.raises(TrainingInterrupted):
        Network.fit(*rows, options, 0, first)
    assert weights(Network.fit(*rows, options, 0, Recorder(checkpoint=first.checkpoint))) == weights(model)


def test_ends_when_left_out_groups_gain_nothing(rows: tuple[Sites, Targets]) -> None:
    """After as many epochs as it is patient, with the weights of the best one."""
    hasty = NetworkOptions(hidden=8, folds=2, repeats=2, epochs=200, patience=2, learning_rate=0.3, device='cpu')
    monitor = Recorder()
    Network.fit(*rows, hasty, 0, monitor)
    losses = [entry['left_out'] for entry in monitor.losses]
    assert len(losses) == int(np.argmin(losses)) + 1 + hasty.patience < hasty.epochs


def test_neither_needs_nor_leaves_settings_of_torch(rows: tuple[Sites, Targets]) -> None:
    options = QUICK.model_copy(update={'epochs': 2})
    expected = weights(Network.fit(*rows, options, 0, Monitor()))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(17)
    state = torch.random.get_rng_state()
    try:
        assert weights(Network.fit(*rows, options, 0, Monitor())) == expected
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()
    assert weights(Network.fit(*rows, options, 1, Monitor())) != expected


def test_left_out_has_not_been_seen(rows: tuple[Sites, Targets]) -> None:
    """Potentials of a group do not matter for what it is predicted to be by the members that left it out."""
    sites, targets = rows
    options = QUICK.model_copy(update={'epochs': 1})
    mine = targets.group == targets.group[0]
    other = Targets(
        np.where(mine[:, None, None], -targets.average, targets.average),
        targets.splitting, targets.moment, targets.error, targets.group,
    )  # fmt: skip
    one, two = (
        Network.fit(sites, its, options, 0, Monitor()).left_out(sites, its, options, 0) for its in (targets, other)
    )
    np.testing.assert_array_equal(one.average[mine], two.average[mine])
    assert np.abs(one.average[~mine] - two.average[~mine]).max() > 1e-6


def test_one_impurity_alone(rows: tuple[Sites, Targets]) -> None:
    """There is nobody to judge by: it is left out with all of its size as the error."""
    few = np.flatnonzero(rows[1].group == rows[1].group[0])
    sites, targets = rows[0].subset(few), rows[1].subset(few)
    model = Network.fit(sites, targets, QUICK, 0, Monitor())
    estimate = model.left_out(sites, targets, QUICK, 0)
    assert not estimate.average.any()
    assert np.isfinite(model.predict(sites).variance).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_no_gpu(rows: tuple[Sites, Targets]) -> None:
    with pytest.raises(ModelError, match='set device to auto'):
        Network.fit(*rows, NetworkOptions(device='cuda'), 0, Monitor())


def test_weights_of_another_shape(rows: tuple[Sites, Targets]) -> None:
    arrays, details = Network.fit(*rows, QUICK.model_copy(update={'epochs': 1}), 0, Monitor()).to_arrays()
    name = 'weight_layers_0'
    with pytest.raises(ModelError, match='weights'):
        Network.from_arrays({**arrays, name: arrays[name][:, :-1]}, details)
