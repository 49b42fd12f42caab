"""Starts that an emulator predicts: for an element that it has not seen, and when they are not used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import MN_MOMENT, Copper

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode


@pytest.fixture(scope='module')
def manganese(copper: Copper, emulator) -> WorkChainNode:
    return copper.run('Mn', emulator=emulator, overrides={'max_predicted_error': 1.0})


def test_manganese_from_the_emulator(manganese):
    assert manganese.is_finished_ok, manganese.exit_message
    results = manganese.outputs.results.get_dict()
    assert results['start'] == 'emulator'
    assert results['starts_dropped'] == []
    assert results['total_spin_moment'] == pytest.approx(MN_MOMENT, abs=1e-3)
    # 78 with JuKKR from the start of the voronoi code
    assert results['iterations'] < 35
    assert results['initial_field'] == [0.0, 0]
    assert max(results['prediction']['rms_error_per_site_Ry']) > 0


def test_the_model_is_an_ancestor_of_the_result(manganese, emulator):
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.Data, filters={'id': emulator.pk}, tag='model')
    query.append(orm.Data, filters={'id': manganese.outputs.converged_potential.pk}, with_ancestors='model')
    assert query.first() is not None


def test_an_uncertain_prediction_is_not_used(copper, emulator):
    node = copper.run(
        'Mn',
        emulator=emulator,
        magnetic_moments=[4.0],
        overrides={'max_predicted_error': 1e-6, 'convergence': 1e-2},
    )
    assert node.is_finished_ok, node.exit_message
    results = node.outputs.results.get_dict()
    assert results['start'] == 'standard'
    (dropped,) = results['starts_dropped']
    assert dropped['start'] == 'emulator'
    assert 'the emulator is uncertain' in dropped['reason']
    assert 'emulated_start_potential' in {child.process_label for child in node.called}


@pytest.mark.parametrize(
    ('element', 'parameters', 'words'),
    [
        ('Gd', {}, 'Gd is out of the range of the model'),
        ('Mn', {'KVREL': 0}, 'the model is of another kind than the potential asked for'),
        ('Mn', {'XC': 'LDA-vBH'}, 'the model is of another kind than the potential asked for'),
    ],
)
def test_models_that_do_not_fit_are_refused(copper, emulator, element, parameters, words):
    with pytest.raises(ValueError, match=f'emulator: {words}'):
        copper.builder(element, emulator=emulator, overrides={'scf': {'kkrimp': {'parameters': parameters}}})


def test_a_moment_that_the_emulator_does_not_expect_costs_its_start_only(copper, emulator):
    """What is asked for is not refused: the standard start can begin with any moment."""
    builder = copper.builder('Mn', emulator=emulator, magnetic_moments=[1.0])
    assert builder.magnetic_moments.get_list() == [1.0]
