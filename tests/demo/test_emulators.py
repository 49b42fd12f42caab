"""The demo's emulators have not seen the impurity that they predict; the provenance shows it."""

from __future__ import annotations

import pytest

from aiida_mlkkr.demo.archive import archived_workchains, import_workchains, packaged_archive
from aiida_mlkkr.demo.emulators import Shard, make_shards, train_without
from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.recipe import recipe_of


@pytest.mark.usefixtures('aiida_profile_clean')
def test_an_emulator_descends_from_all_impurities_but_one():
    from aiida import orm

    with packaged_archive() as path:
        available = [entry for entry in archived_workchains(path) if entry.symbol in ('V', 'Cr', 'Mn', 'Al')]
        nodes, _ = import_workchains(path, tuple(available))
    looks = []
    shards, left_out = make_shards(nodes, lambda: looks.append(1))
    assert sorted(shard.elements for shard in shards) == [('Al',), ('Cr',), ('Mn',), ('V',)]
    assert left_out == []
    assert len(looks) == 4
    count = orm.QueryBuilder().append(orm.Node).count()

    emulator = train_without(['Cr'], shards)
    assert emulator.model.spec.elements == ['Al', 'V', 'Mn']
    assert emulator.number == 3
    query = orm.QueryBuilder()
    query.append(orm.Data, filters={'id': emulator.model.pk}, tag='model')
    query.append(orm.FolderData, with_descendants='model', project='id')
    ancestors = set(query.all(flat=True))
    for entry, node in zip(available, nodes, strict=True):
        converged = recipe_of(entry.symbol, node).calculations[-1].outputs.retrieved
        assert (converged.pk in ancestors) is (entry.symbol != 'Cr')

    added = orm.QueryBuilder().append(orm.Node).count() - count
    assert added == 3  # the training, its model and its report
    again, _ = make_shards(nodes, lambda: None)
    assert [shard.dataset.pk for shard in again] == [shard.dataset.pk for shard in shards]
    assert train_without(['Cr'], again).model.pk == emulator.model.pk
    assert train_without(['V'], again).model.pk != emulator.model.pk


def test_one_impurity_alone_teaches_nothing_about_itself():
    with pytest.raises(DemoError, match='no impurity but Mn in the archive'):
        train_without(['Mn'], [Shard(('Mn',), None, 0.0)])
