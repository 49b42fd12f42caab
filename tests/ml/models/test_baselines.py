"""Baselines: what they take over, and from whom."""

from __future__ import annotations

import numpy as np
import pytest
from model_clusters import KIND, host, moment_of, record, row

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator, training_rows
from aiida_mlkkr.ml.models.base import Options
from aiida_mlkkr.ml.models.baselines import NearestInHost, NearestInTable, StandardStart
from aiida_mlkkr.ml.monitor import Monitor

COPPER, SILVER = host(), host(47.0, alat=7.72)


def trained(kind, *records):
    sites, targets = training_rows(ImpurityDataset(KIND, records), 8)
    return kind.fit(sites, targets, Options(), 0, Monitor())


def asked(*records, among=()):
    """Rows of some records, with hosts numbered as in a larger set."""
    number = len(among)
    sites, targets = training_rows(ImpurityDataset(KIND, (*among, *records)), 8)
    _, before = training_rows(ImpurityDataset(KIND, among), 8) if number else (None, ())
    rows = np.arange(len(before), len(sites))
    return sites.subset(rows), targets.subset(rows)


def test_nothing_learnt_is_off_by_what_there_is_to_learn():
    sites, targets = training_rows(row(), 8)
    estimate = StandardStart.fit(sites, targets, Options(), 0, Monitor()).predict(sites)
    squares = np.sum(targets.average**2 + targets.splitting**2, axis=(1, 2))
    assert not estimate.average.any()
    assert not estimate.splitting.any()
    for part in (sites.changed, ~sites.changed):
        assert estimate.variance[part].mean() == pytest.approx(squares[part].mean())


@pytest.mark.parametrize('kind', [NearestInHost, NearestInTable])
def test_the_difference_of_the_nearest_impurity_is_taken_over(kind):
    known = (record({0: 24.0}), record({0: 31.0}))
    sites, targets = asked(record({0: 25.0}), among=known)
    estimate = trained(kind, *known).predict(sites)
    _, nearest = training_rows(ImpurityDataset(KIND, known[:1]), 8)
    np.testing.assert_allclose(estimate.average, nearest.average)
    np.testing.assert_allclose(estimate.splitting, nearest.splitting)
    np.testing.assert_allclose(estimate.moment, nearest.moment)
    assert not np.allclose(estimate.average, targets.average)


def test_which_host():
    known = (record({0: 24.0}, COPPER), record({0: 31.0}, COPPER), record({0: 26.0}, SILVER))
    sites, _ = asked(record({0: 26.0}, COPPER), among=known)
    own = sites.changed
    in_host, in_table = (trained(kind, *known).predict(sites) for kind in (NearestInHost, NearestInTable))
    assert in_host.moment[own] == pytest.approx(moment_of(24.0))
    assert in_table.moment[own] == pytest.approx(moment_of(26.0)), 'the same element in another host is nearer'
    sites, _ = asked(record({0: 24.0}, SILVER), among=known[:2])
    unknown_host = trained(NearestInHost, *known[:2]).predict(sites)
    assert not unknown_host.average.any()


def test_equally_near_elements_are_taken_from_the_same_host():
    known = (record({0: 25.0}, SILVER), record({0: 25.0}, COPPER))
    sites, targets = asked(record({0: 25.0}, COPPER, source='again'), among=known)
    estimate = trained(NearestInTable, *known).predict(sites)
    np.testing.assert_allclose(estimate.average, targets.average)


def test_what_a_row_counts_is_learnt():
    """In the law a row of the table is worth 18 elements: the element below is no good."""
    known = [record({0: float(z)}) for z in (22, 24, 26, 40, 42, 44)]
    model = trained(NearestInTable, *known)
    sites, _ = asked(record({0: 25.0}), among=tuple(known))
    assert model.predict(sites).moment[sites.changed] in (pytest.approx(moment_of(24)), pytest.approx(moment_of(26)))


def test_impurities_beside_one_another_add_up():
    known = (record({0: 25.0}), record({0: 30.0}))
    pair = record({0: 25.0, 1: 30.0}, signs={0: -1})
    sites, targets = asked(pair, among=known)
    estimate = trained(NearestInHost, *known).predict(sites)
    beside = ~sites.changed & (np.bincount(sites.owner[sites.neighbour_changed], minlength=len(sites)) == 2)
    shared = [site for site in np.flatnonzero(beside) if is_in_first_shell_of_both(sites, site)]
    assert shared
    np.testing.assert_allclose(estimate.average[shared], targets.average[shared], atol=1e-10)
    np.testing.assert_allclose(estimate.splitting[shared], targets.splitting[shared], atol=1e-10)


def is_in_first_shell_of_both(sites, site):
    rows = np.flatnonzero((sites.owner == site) & sites.neighbour_changed)
    return bool(np.ptp(sites.distance[rows]) < 1e-6)


def test_without_single_impurities_there_is_nothing_to_take_over():
    sites, targets = training_rows(ImpurityDataset(KIND, (record({0: 25.0, 1: 26.0}),)), 8)
    assert 'single impurity' in NearestInTable.refusal(sites, targets)


@pytest.mark.parametrize('name', ['standard_start', 'nearest_in_host', 'nearest_in_table'])
def test_as_emulators(name):
    emulator = PotentialEmulator.fit(row(without=(25,)), EmulatorSettings(model=name, radial_functions=8))
    again = PotentialEmulator.load(*emulator.export())
    manganese = record({0: 25.0})
    inputs = (KIND, COPPER, manganese.positions, manganese.layer, manganese.z, manganese.reference)
    prediction = emulator.predict(*inputs)
    np.testing.assert_array_equal(again.predict(*inputs).v, prediction.v)
    assert prediction.error[0] > 0.0
