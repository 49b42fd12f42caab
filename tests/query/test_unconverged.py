"""Potentials on their way to self-consistency: learnt from if asked for, with an uncertainty, and never by mistake."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from aiida_mlkkr.ml.radial import volume_weights

LIMIT = 0.02


@pytest.fixture(scope='module')
def searched(copper):
    """All that there is up to an error of 0.02 Ry: the stages of simple mixing end at 0.01 Ry."""
    from aiida_mlkkr.query import find_impurities

    return find_impurities(nodes=copper.values(), largest_error=LIMIT)


@pytest.fixture(scope='module')
def dataset(searched):
    from aiida_mlkkr.query import impurity_shards

    (shard,) = impurity_shards(searched.usable, largest_error=LIMIT)
    return shard.dataset


def test_both_stages_of_every_impurity_are_found(copper, searched):
    assert Counter(impurity.elements for impurity in searched.usable) == {(element,): 2 for element in copper}


def test_errors_tell_how_far_a_potential_is_from_the_converged_one(dataset):
    """Nine of ten are closer than twice the error that the record has (see DISTANCE_PER_ERROR)."""
    groups = {}
    for record in dataset.impurities:
        groups.setdefault(record.group, []).append(record)
    for records in groups.values():
        converged, early = sorted(records, key=lambda record: record.error)
        assert converged.error == 0.0
        assert 0.01 < early.error < 2 * LIMIT
        (site,) = early.impurities
        weights = volume_weights(early.host.meshes[0])
        distance = np.sqrt(((early.v[site] - converged.v[site]) ** 2 @ weights).mean())
        assert 0.2 * early.error < distance < 2 * early.error


def test_they_are_not_taken_where_they_are_not_asked_for(copper, dataset):
    """Though they are in a dataset already."""
    from aiida_mlkkr.query import find_impurities, impurity_shards

    usable = find_impurities(nodes=copper.values()).usable
    assert len(usable) == len(copper)
    shards = impurity_shards(usable)
    assert all(record.error == 0.0 for shard in shards for record in shard.dataset.impurities)
    assert len(dataset.impurities) == 2 * len(usable)


def test_datasets_are_made_once_for_each_limit(searched, dataset):
    from aiida_mlkkr.query import impurity_shards, left_out

    first, again = (impurity_shards(searched.usable, largest_error=LIMIT) for _ in range(2))
    assert [shard.pk for shard in first] == [shard.pk for shard in again]
    (other,) = impurity_shards(searched.usable, largest_error=2 * LIMIT)
    assert other.pk not in {shard.pk for shard in first}
    strict = impurity_shards(searched.usable)
    reasons = left_out(strict, searched.usable)
    assert sum(shard.spec.number for shard in strict) == len(reasons) == len(dataset.impurities) / 2
    assert all('not converged' in reason for reason in reasons.values())
