"""From finished impurities to a model: the provenance is whole, and nothing is done twice."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest


@pytest.fixture(scope='module')
def usable(copper):
    from aiida_mlkkr.query import find_impurities

    return find_impurities(nodes=copper.values()).usable


@pytest.fixture
def fresh(usable):
    """The impurities once more, by nodes of which there are no datasets yet."""
    from past_database import files_of, folder_of

    return [replace(impurity, retrieved=folder_of(files_of(impurity.retrieved)).store()) for impurity in usable]


def test_every_potential_is_an_ancestor_of_the_model(usable):
    from aiida import orm

    from aiida_mlkkr.query import train_emulator

    model = train_emulator(usable, settings={'radial_functions': 12})
    assert model.is_stored
    assert model.spec.number == len(usable) == 6
    assert model.spec.elements == ['Al', 'V', 'Cr', 'Mn', 'Fe', 'Zn']
    assert model.spec.details['settings']['radial_functions'] == 12
    query = orm.QueryBuilder().append(orm.Data, filters={'id': model.pk}, tag='model')
    ancestors = set(query.append(orm.Data, with_descendants='model', project='uuid').all(flat=True))
    for impurity in usable:
        assert {impurity.potential.uuid, impurity.retrieved.uuid, impurity.host_writeout.uuid} <= ancestors


def test_datasets_are_made_once(fresh):
    from aiida_mlkkr.query import impurity_shards

    first = impurity_shards(fresh[:4], shard_size=2)
    assert [shard.spec.number for shard in first] == [2, 2]
    again = impurity_shards(fresh[:4], shard_size=50)
    assert {shard.pk for shard in again} == {shard.pk for shard in first}
    # more impurities: only those are gathered that are not there yet; fewer: no dataset with another one in it
    more = impurity_shards(fresh[:5], shard_size=2)
    assert {shard.pk for shard in first} < {shard.pk for shard in more}
    assert sum(shard.spec.number for shard in more) == 5
    (fewer,) = impurity_shards(fresh[:1])
    assert fewer.spec.details['sources'] == [fresh[0].uuid]


def test_what_is_in_a_dataset_is_not_read_again(copper, usable, monkeypatch):
    from aiida_mlkkr.query import find, find_impurities, impurity_shards

    impurity_shards(usable)
    monkeypatch.setattr(find, 'run_of', lambda *_: pytest.fail('the files are read again'))
    assert find_impurities(nodes=copper.values()).usable == usable


def test_a_dataset_of_other_nodes_or_another_version_is_not_taken(fresh, monkeypatch):
    from aiida import orm

    from aiida_mlkkr.query import impurity_shards, train

    (shard,) = impurity_shards(fresh[:1])
    potential = orm.SinglefileData(io.BytesIO(fresh[0].potential.get_content('rb')), filename='potential').store()
    (other,) = impurity_shards([replace(fresh[0], potential=potential)])
    monkeypatch.setattr(train, '__version__', '99.0')
    (newer,) = impurity_shards(fresh[:1])
    assert len({shard.pk, other.pk, newer.pk}) == 3


def test_what_a_dataset_leaves_out_is_told(past, manganese, usable):
    """A write-out that does not belong to the impurity: a host with another Fermi energy."""
    from aiida import orm
    from past_database import files_of, folder_of

    from aiida_mlkkr.query import find_impurities, impurity_shards, left_out

    (_, late), inputs = manganese
    files = files_of(inputs['host_Greenfunction_folder'].creator.outputs.retrieved)
    files['out_potential'] = files['out_potential'].replace(b'0.66276', b'0.67276')
    writeout = past.process(orm.CalcJobNode, 'KkrCalculation', {}, process_type='aiida.calculations:kkr.kkr')
    remote = past.output(
        writeout, orm.RemoteData(remote_path='/scratch/shifted', computer=writeout.computer), 'remote_folder'
    )
    past.output(writeout, folder_of(files), 'retrieved')
    calculation = past.kkrimp(late, {**inputs, 'host_Greenfunction_folder': remote})
    impurities = [*find_impurities(nodes=[calculation]).usable, *usable[:2]]
    reasons = left_out(impurity_shards(impurities), impurities)
    assert reasons.keys() == {calculation.outputs.retrieved.uuid}
    assert 'Fermi energy' in reasons[calculation.outputs.retrieved.uuid]


@pytest.mark.parametrize('shard_size', [1, 2])
def test_impurities_of_different_kinds_are_not_mixed(past, manganese, shard_size):
    """Whether they would come into one dataset or into two."""
    from aiida_mlkkr.query import QueryError, find_impurities, train_emulator

    (_, late), inputs = manganese
    relativistic = past.kkrimp(late, inputs)
    other = past.kkrimp({**late, 'config.cfg': late['config.cfg'] + b'KVREL= 0\n'}, inputs)
    impurities = [found for node in (relativistic, other) for found in find_impurities(nodes=[node]).usable]
    words = 'of different kinds cannot be mixed: relativity is .*-relativistic in one and .*-relativistic in the other'
    with pytest.raises(QueryError, match=words):
        train_emulator(impurities, shard_size=shard_size)


def test_mistakes_are_named(usable):
    from aiida_mlkkr.query import QueryError, train_emulator

    with pytest.raises(QueryError, match='no finished impurity'):
        train_emulator([])
    with pytest.raises(QueryError, match='radial_functions'):
        train_emulator(usable, settings={'radial_functions': 1000})
    with pytest.raises(QueryError, match='there is no group'):
        train_emulator('there is no group')
