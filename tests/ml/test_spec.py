"""Specs of models and datasets: what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.spec import FORMAT_VERSION, DatasetSpec, SurrogateSpec, describe

ARRAYS = {'weights': np.arange(6.0).reshape(2, 3), 'sites': np.array([1, 2])}


def plain_spec(**changes):
    """A model's spec as JSON gives it."""
    spec = SurrogateSpec(
        task='impurity_potential',
        model='gaussian_process',
        kind={'nspin': 2, 'full_potential': False},
        hosts=['Cu'],
        elements=['V', 'Mn'],
        number=2,
        seed=0,
        arrays=describe(ARRAYS),
        details={'length': 0.1, 'names': ['group', 'period']},
    )
    return {**json.loads(spec.model_dump_json()), **changes}


def test_a_spec_survives_json_and_fits_its_arrays():
    plain = plain_spec()
    spec = SurrogateSpec.read(plain)
    spec.check(ARRAYS)
    assert spec.model_dump(mode='json') == plain
    assert plain['kind'] == {'nspin': 2, 'full_potential': False}
    assert plain['arrays']['weights'] == {'dtype': 'float64', 'shape': [2, 3]}


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'format_version': FORMAT_VERSION + 1}, 'made by a newer aiida-mlkkr.*update the package'),
        ({'format_version': 'one'}, "no known format version: 'one'"),
        ({'format_version': None}, 'no known format version: None'),
        ({'colour': 'red'}, 'colour: Extra inputs are not permitted'),
        ({'task': ''}, 'task: String should have at least 1 character'),
        ({'seed': -1}, 'seed: .*greater than or equal to 0'),
        ({'details': {'x': [float('nan')]}}, r'details\.x.*finite number'),
        ({'kind': {'radius': float('inf')}}, r'kind\.radius.*finite number'),
        (
            {'arrays': {'weights': {'dtype': 'object', 'shape': [1]}}},
            r"arrays\.weights\.dtype: Input should be 'float64'",
        ),
        ({'arrays': {'../weights': {'dtype': 'float64', 'shape': [1]}}}, 'String should match pattern'),
    ],
)
def test_what_is_no_spec(changes, words):
    with pytest.raises(ModelError, match=words):
        SurrogateSpec.read(plain_spec(**changes))


@pytest.mark.parametrize('content', [None, [], {}, {'format_version': FORMAT_VERSION}])
def test_something_else_is_no_spec(content):
    with pytest.raises(ModelError, match='the spec of the model'):
        SurrogateSpec.read(content)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'more': np.zeros(1)}, 'array more not in the spec'),
        (
            {'weights': np.zeros((3, 2))},
            r'array weights of the model is float64 \(3, 2\), its spec says float64 \(2, 3\)',
        ),
        ({'weights': np.zeros((2, 3), dtype=np.float32)}, r'is float32 \(2, 3\), its spec says float64'),
        ({'weights': np.full((2, 3), None)}, 'is object'),
        ({'weights': np.array([[1, 2, 3], [4, 5, np.nan]])}, 'array weights of the model holds a number that is not'),
    ],
)
def test_arrays_that_do_not_fit(changes, words):
    with pytest.raises(ModelError, match=words):
        SurrogateSpec.read(plain_spec()).check({**ARRAYS, **changes})


def test_missing_array():
    with pytest.raises(ModelError, match=r'do not fit: array sites missing$'):
        SurrogateSpec.read(plain_spec()).check({'weights': ARRAYS['weights']})


def test_a_dataset_has_errors_of_its_own():
    spec = DatasetSpec(kind={}, hosts=[], elements=[], number=0, arrays={}, details={}, left_out={'Se': 'not sane'})
    assert DatasetSpec.read(spec.model_dump(mode='json')) == spec
    with pytest.raises(DatasetError, match='the dataset and its spec do not fit: array more not in the spec'):
        spec.check({'more': np.zeros(1)})
    with pytest.raises(DatasetError, match='the dataset was made by a newer'):
        DatasetSpec.read({'format_version': FORMAT_VERSION + 1})
