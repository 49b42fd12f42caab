"""Pairs of several sources in one table: what each keeps, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exchange_tables import HOST, A, dimer_table

from aiida_mlkkr.exchange.origins import Origins


def plan_row(name, label='', **others):
    """A pair of the plan; it is as it stands in its table unless others say so."""
    here = {'origin': 'computed', 'label': label, 'row': 0, 'rotation': np.eye(3).tolist(), 'reversed': False}
    places = {'positions': [[0.0, 0.0, 0.0], [A, 0.0, 0.0]], 'distance_A': A, 'shell': 1, 'centre': 0}
    return {'name': name, 'elements': name.split('-'), 'reason': '', **places, **here, **others}


@pytest.fixture(scope='module')
def sources(aiida_profile):
    """A computed pair with B, and a predicted one."""
    from aiida_mlkkr.data.exchange import ExchangeData

    computed = replace(dimer_table([(25, 26)], [(A, 0.0, 0.0)]), biquadratic=np.array([0.5]), spread=np.array([0.1]))
    guess = Origins.of_model('model-uuid', np.array([1.5]), np.array([False]))
    predicted = dimer_table([(25, 25)], [(A, 0.0, 0.0)], origins=guess)
    return {
        'one': ExchangeData.from_table(computed).store(),
        'guess': ExchangeData.from_table(predicted).store(),
        'foreign': ExchangeData.from_table(dimer_table([(25, 25)], host='another')).store(),
    }


def collect(pairs, **exchange):
    from aiida import orm

    from aiida_mlkkr.calculations.exchange_collection import collected_exchange

    return collected_exchange.run_get_node(plan=orm.Dict({'host': HOST, 'pairs': pairs}), **exchange)


def test_each_value_says_where_it_comes_from(sources):
    one, guess = sources['one'], sources['guess']
    pairs = [
        plan_row('Fe-Mn', 'one', reversed=True),
        plan_row('Mn-Mn', 'guess', origin='predicted'),
        plan_row('Mn-Cr', origin='missing', reason='it failed'),
    ]
    outputs, node = collect(pairs, one=one, guess=guess)
    assert node.is_finished_ok, node.exit_message
    table = outputs['exchange'].table
    assert table.elements == ('Fe', 'Mn', 'Mn', 'Mn')
    assert table.moments.tolist() == [3.4, 4.4, 4.4, 4.4]
    assert table.origins.sources == (one.uuid, 'model-uuid')
    assert table.origins.uncertainty.tolist() == [0.0, 1.5]
    assert table.spread.tolist() == [0.1, 0.0]
    assert table.biquadratic is None, 'it is not known of all'
    np.testing.assert_allclose(table.terms().j, [one.table.terms().j[0], guess.table.terms().j[0]])
    results = outputs['results'].get_dict()
    assert results['numbers'] == {'computed': 1, 'predicted': 1, 'missing': 1}
    assert results['missing'] == ['Mn-Cr']
    assert results['pairs'][2]['reason'] == 'it failed'
    assert 'J_meV' not in results['pairs'][2]


def test_b_is_kept_where_all_have_it(sources):
    outputs, _ = collect([plan_row('Mn-Fe', 'one')], one=sources['one'])
    assert outputs['exchange'].table.biquadratic.tolist() == [0.5]


def test_nothing_but_missing_pairs(sources):
    outputs, node = collect([plan_row('Mn-Cr', origin='missing', reason='it failed')])
    assert node.is_finished_ok
    assert set(outputs) == {'results'}


def test_tables_that_do_not_fit_are_refused(sources):
    _, node = collect([plan_row('Mn-Mn', 'foreign')], foreign=sources['foreign'])
    assert node.exit_status == 221
    assert 'the pairs are in model crystal, but there is exchange of another' in node.exit_message
    _, node = collect([plan_row('Mn-Fe', 'one', row=7)], one=sources['one'])
    assert node.exit_status == 221
