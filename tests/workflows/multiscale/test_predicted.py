"""Exchange that is not sure: it is drawn within its error, and the transition says what that does to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

WIDTH = 40.0
"""Half of the 90 % interval of a made-up prediction (meV)."""


@pytest.fixture(scope='module')
def uncertain(aiida_profile):
    """Iron neighbours in copper as a model may have predicted them."""
    from aiida_mlkkr.data.exchange import ExchangeData
    from aiida_mlkkr.exchange.origins import Origins
    from aiida_mlkkr.exchange.tables import copper_pairs
    from aiida_mlkkr.exchange.views import chosen

    table = chosen(copper_pairs(), [('Fe', 'Fe')])
    nearest = table.distances < 3.0
    table = replace(
        table,
        pairs=table.pairs[nearest],
        tensors=table.tensors[nearest],
        spread=table.spread[nearest],
        biquadratic=None,
        origins=Origins.of_model('a model', np.array([WIDTH]), np.array([False])),
    )
    return ExchangeData.from_table(table).store()


@pytest.fixture(scope='module')
def chain(build, uncertain):
    """Without codes for impurities: exchange that is given has to do."""
    from aiida.engine import run_get_node

    overrides = {'samples': 2, 'dilution': {'sizes': [[4, 4, 4]], 'configurations': 1}}
    return run_get_node(build({'Fe40': {'Fe': 0.4}}, exchange=[uncertain], overrides=overrides)).node


def test_samples_are_drawn_from_the_seed(uncertain):
    """By how much they differ: tests/exchange/test_origins.py."""
    from aiida import orm

    from aiida_mlkkr.calculations.multiscale import sampled_exchange

    first, second = (
        [
            np.trace(node.table.tensors[0]) / 3
            for node in sampled_exchange(uncertain, orm.Int(seed), orm.Int(3)).values()
        ]
        for seed in (1, 2)
    )
    assert len({*first, *second}) == 6
    again = sampled_exchange(uncertain, orm.Int(1), orm.Int(1))['sample_0']
    assert np.trace(again.table.tensors[0]) / 3 == first[0]


def test_the_error_of_exchange_is_carried_through(chain):
    assert chain.is_finished_ok, chain.exit_message
    results = chain.outputs.results.get_dict()
    (entry,) = results['compositions']
    assert results['samples'] == 2
    fields = [child.outputs.report['mean_field_temperature'] for child in chain.called if _is_model(child)]
    own, *drawn = fields
    assert own == pytest.approx(entry['mean_field_temperature'])
    assert len(set(drawn)) == 2
    assert entry['mean_field_error'] == pytest.approx(np.std(drawn, ddof=1))
    assert len([child for child in chain.called if child.process_label == 'SpinDynamicsWorkChain']) == 3


def test_elements_without_a_single_are_neither_given_nor_left_out(chain):
    results = chain.outputs.results.get_dict()
    assert results['elements'] == {'Fe': {'origin': None, 'failure': None}}
    assert results['compositions'][0]['left_out'] == {}


def _is_model(node):
    return node.process_label == 'dilute_spin_models'
