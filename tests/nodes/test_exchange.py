"""The node of exchange tensors: what it gives back, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_mlkkr.exchange.origins import Origins
from aiida_mlkkr.exchange.table import ExchangeTable


@pytest.fixture(autouse=True)
def _profile(aiida_profile):
    pass


@pytest.fixture
def table() -> ExchangeTable:
    raw = np.random.default_rng(3).normal(size=(3, 3, 3, 3))
    return ExchangeTable.of_cluster(
        'Cu',
        ['Mn', 'Fe', 'Cr'],
        np.array([[0.0, 0.0, 0.0], [2.55, 0.0, 0.0], [0.9, 2.2, 0.7]]),
        np.array([3.9, 2.6, -3.5]),
        raw + np.transpose(raw, (1, 0, 3, 2)),
        'synthetic',
    )


PREDICTED = Origins.of_model('a model', np.array([1.0, 2.0, 3.0]), np.array([False, True, False]), np.full(3, 0.5))


@pytest.mark.parametrize(
    ('biquadratic', 'origins'),
    [(None, None), (np.array([0.1, 0.2, 0.3]), Origins.computed(['', 'here', 'there'])), (None, PREDICTED)],
)
def test_what_is_stored_is_loaded(table, biquadratic, origins, tmp_path):
    from aiida import orm

    from aiida_mlkkr.data.exchange import ExchangeData

    table = replace(table, biquadratic=biquadratic, origins=origins)
    node = orm.load_node(ExchangeData.from_table(table).store().uuid)
    assert isinstance(node, ExchangeData)
    assert node.table.rows() == table.rows()
    node.to_csv(tmp_path / 'a.csv')
    table.write_csv(tmp_path / 'b.csv')
    assert (tmp_path / 'a.csv').read_text() == (tmp_path / 'b.csv').read_text()
    node.to_spirit(tmp_path / 'pairs.txt', neglected=10.0)
    assert len((tmp_path / 'pairs.txt').read_text().splitlines()) == 4
    assert node.to_dataframe().attrs['convention'].startswith('aiida-mlkkr: H = −½')


def test_the_database_finds_it_by_its_elements(table):
    from aiida import orm

    from aiida_mlkkr.data.exchange import ExchangeData

    unusual = ExchangeData.from_table(replace(table, elements=('Os', 'Fe', 'Cr'))).store()
    usual = ExchangeData.from_table(table).store()
    found = (
        orm.QueryBuilder().append(ExchangeData, filters=ExchangeData.fields.elements.contains(['Os'])).all(flat=True)
    )
    assert unusual in found  # others may have made such a one, too
    assert usual not in found


def test_what_is_not_stored(table):
    from aiida.common.exceptions import ValidationError

    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.errors import ExchangeError

    with pytest.raises(ValidationError, match='format_version is None'):
        ExchangeData({'tensors': np.zeros((1, 3, 3))}).store()
    node = ExchangeData.from_table(table)
    node.base.attributes.set('convention', 'half')
    with pytest.raises(ExchangeError, match="convention is 'half', this version of aiida-mlkkr reads 'aiida-mlkkr'"):
        _ = node.table
    node = ExchangeData.from_table(table)
    node.set_array('pairs', np.array([[0, 1], [1, 0], [0, 2]]))
    with pytest.raises(ValidationError, match='a pair occurs twice'):
        node.store()
    node = ExchangeData.from_table(table)
    node.delete_array('spread')
    with pytest.raises(ValidationError, match='no array spread'):
        node.store()
