"""Nodes of models and datasets: what they hold, what they refuse, what the database finds."""

from __future__ import annotations

import io

import numpy as np
import pytest

from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.spec import FORMAT_VERSION, DatasetSpec, SurrogateSpec, describe

ARRAYS = {'weights': np.random.default_rng(1).normal(size=(5, 4)), 'sites': np.array([1, 2, 7])}


@pytest.fixture(autouse=True)
def _profile(aiida_profile):
    pass


def spec_of(arrays=ARRAYS, **changes) -> SurrogateSpec:
    contents = {
        'task': 'impurity_potential',
        'model': 'gaussian_process',
        'kind': {'nspin': 2},
        'hosts': ['Cu'],
        'elements': ['V', 'Mn'],
        'number': 2,
        'seed': 0,
        'arrays': describe(arrays),
        'details': {'length': 0.25},
    }
    return SurrogateSpec(**{**contents, **changes})


def surrogate(arrays=ARRAYS, spec=None):
    from aiida_mlkkr.data.surrogate import SurrogateData

    return SurrogateData(arrays, spec or spec_of(arrays))


def test_what_is_stored_is_loaded():
    from aiida import orm

    node = surrogate()
    node.source = {'uri': 'https://example.org/model'}
    node = orm.load_node(node.store().uuid)
    assert node.spec == spec_of()
    assert node.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(node.arrays[name], array)
        assert node.arrays[name].dtype == array.dtype


def test_the_database_finds_models_by_their_spec():
    from aiida import orm

    from aiida_mlkkr.data.surrogate import SurrogateData

    unusual = surrogate(spec=spec_of(elements=['Os'], hosts=['Pt'])).store()
    fields = SurrogateData.fields
    for condition in (fields.elements.contains(['Os']), fields.hosts.contains(['Pt'])):
        query = orm.QueryBuilder().append(SurrogateData, filters=condition & (fields.task == 'impurity_potential'))
        assert query.all(flat=True) == [unusual]
    assert not orm.QueryBuilder().append(SurrogateData, filters=fields.task == 'to be or not').count()


def test_equal_models_have_equal_hashes():
    one, other = surrogate().store(), surrogate().store()
    assert one.base.caching.compute_hash() == other.base.caching.compute_hash()
    changed = surrogate({**ARRAYS, 'weights': ARRAYS['weights'] * (1 + 1e-15)}).store()
    assert changed.base.caching.compute_hash() != one.base.caching.compute_hash()


def test_what_is_not_stored():
    from aiida.common.exceptions import ValidationError

    with pytest.raises(ValueError, match='allow_pickle'):
        surrogate({'weights': np.array([{}])}, spec_of())
    with pytest.raises(ValidationError, match=r'array sites missing; more not in the spec'):
        surrogate({'weights': ARRAYS['weights'], 'more': np.zeros(2)}, spec_of()).store()
    with pytest.raises(ValidationError, match='array weights of the model holds a number that is not finite'):
        surrogate({**ARRAYS, 'weights': np.full((5, 4), np.nan)}).store()
    with pytest.raises(ValidationError, match=r'array sites of the model is int64 \(2,\), its spec says int64 \(3,\)'):
        surrogate({**ARRAYS, 'sites': np.array([1, 2])}, spec_of()).store()


def test_attributes_that_are_no_spec_are_not_stored():
    from aiida.common.exceptions import ValidationError

    foreign = surrogate()
    foreign.base.attributes.delete('task')
    with pytest.raises(ValidationError, match='task: Field required'):
        foreign.store()
    newer = surrogate()
    newer.base.attributes.set('format_version', FORMAT_VERSION + 1)
    with pytest.raises(ValidationError, match='made by a newer aiida-mlkkr'):
        newer.store()
    with pytest.raises(ModelError, match='made by a newer aiida-mlkkr'):
        _ = newer.spec


def test_a_pickle_put_into_the_repository_is_neither_stored_nor_executed(tmp_path):
    from aiida.common.exceptions import ValidationError

    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / 'exploded'), 'w')

    node = surrogate()
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()]), allow_pickle=True)
    node.base.repository.put_object_from_bytes(stream.getvalue(), 'weights.npy')
    with pytest.raises((ValidationError, ValueError)):
        node.store()
    assert not (tmp_path / 'exploded').exists()


def test_to_a_file_and_back(tmp_path):
    from aiida_mlkkr.data.surrogate import SurrogateData

    node = surrogate().store()
    node.to_file(tmp_path / 'model.safetensors')
    back = SurrogateData.from_file(str(tmp_path / 'model.safetensors')).store()
    assert back.spec == node.spec
    assert back.base.caching.compute_hash() == node.base.caching.compute_hash()
    (tmp_path / 'model.safetensors').write_bytes(b'hello')
    with pytest.raises(ModelError, match=r'model\.safetensors is damaged or foreign'):
        SurrogateData.from_file(tmp_path / 'model.safetensors')


def test_a_dataset_node_lists_what_was_left_out():
    from aiida import orm

    from aiida_mlkkr.data.dataset import ImpurityDatasetData

    spec = DatasetSpec(
        kind={'nspin': 2},
        hosts=['Cu'],
        elements=['V'],
        number=1,
        arrays=describe(ARRAYS),
        details={},
        left_out={'Se': 'its s states lie below the contour'},
    )
    node = orm.load_node(ImpurityDatasetData(ARRAYS, spec).store().uuid)
    assert node.spec == spec
    query = orm.QueryBuilder().append(ImpurityDatasetData, filters=ImpurityDatasetData.fields.left_out.has_key('Se'))
    assert query.all(flat=True) == [node]
