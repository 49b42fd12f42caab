"""What a benchmark leaves out and finds again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_clusters import KIND, record

from aiida_mlkkr.benchmark.cases import Case, Files, cases_of_dataset, comparable, first_of_hosts, upright
from aiida_mlkkr.ml.dataset import ImpurityDataset, PotentialKind
from aiida_mlkkr.ml.errors import DatasetError


def test_which_way_a_single_moment_points_does_not_matter():
    up, down = record({0: 25.0}), record({0: 25.0}, signs={0: -1})
    turned = upright(down)
    np.testing.assert_allclose(turned.v, up.v)
    np.testing.assert_allclose(turned.moments, up.moments)
    assert upright(up) is up


def test_the_state_of_a_pair_is_asked_for():
    pair = record({0: 25.0, 1: 26.0}, signs={1: -1})
    assert upright(pair) is pair
    case = Case(KIND, pair)
    assert case.moments_asked == pytest.approx([4.0, -3.3])
    assert case.elements == 'Mn-Fe'
    assert case.magnetic
    assert Case(KIND, record({0: 25.0})).moments_asked is None
    assert not Case(KIND, record({0: 30.0})).magnetic


def test_only_what_can_be_measured_together(cases):
    pure = Case(KIND, record({}))
    assert comparable([*cases, cases[0], pure]) == cases
    iterable = replace(cases[0], files=Files(Path(), None, 0.0, None))
    assert comparable([iterable, *cases])[0] is comparable([*cases, iterable])[0] is iterable
    other = PotentialKind(False, 2, 3, 'scalar-relativistic', 'LDA-VWN', 'jukkr')
    with pytest.raises(DatasetError, match='lmax is 2 in one and 3'):
        comparable([*cases, Case(other, record({0: 28.0}))])
    with pytest.raises(DatasetError, match='1 finished impurities'):
        comparable(cases[:1])


def test_a_few_of_every_host(cases):
    chosen = first_of_hosts(cases, 3)
    assert [case.elements for case in chosen] == 2 * ['Ti', 'Mn', 'Zn']


def test_unconverged_potentials_are_not_tested_on():
    import dataclasses

    converged, on_its_way = record({0: 25.0}), dataclasses.replace(record({0: 26.0}), error=1e-2)
    (case,) = cases_of_dataset(ImpurityDataset(KIND, (converged, on_its_way)))
    assert case.record is converged
