"""Simulations as calculations: real ones on this machine."""

from __future__ import annotations

import numpy as np
import pytest
from processes import calculation, run
from spin_models import free, simple_cubic

SCHEDULE = {'temperatures': [4.0, 8.0, 16.0], 'thermalisation': 50, 'measurement': 640, 'reflections': 1, 'seed': 2}


@pytest.fixture
def monte_carlo_code(program):
    return program('mlkkr-monte-carlo', 'mlkkr.monte_carlo')


@pytest.fixture(scope='module')
def models(aiida_profile):
    """Two configurations of four moments in a strong field, and a larger model."""
    from aiida_mlkkr.data.spin_model import SpinModelData

    free_moments = free({}, 4, moments=np.full(4, 3.0), field=np.array([0.0, 0.0, 5.0]))
    made = {'one': free_moments, 'two': free_moments, 'large': simple_cubic(6, share=0.5)}
    return {label: SpinModelData.from_spin_model(model).store() for label, model in made.items()}


@pytest.fixture
def builder(monte_carlo_code, models):
    """A function: a builder with settings that differ from the usual ones."""

    def build(*labels, schedule=None, **inputs):
        chosen = {label: models[label] for label in labels}
        usual = {'code': monte_carlo_code, 'models': chosen, 'schedule': {**SCHEDULE, **(schedule or {})}}
        return calculation('mlkkr.monte_carlo', **{**usual, **inputs})

    return build


def test_a_model_as_a_node(models, tmp_path):
    from aiida_mlkkr.data.spin_model import SpinModelData
    from aiida_mlkkr.spins.files import read_model

    node = models['large']
    assert node.base.attributes.get('composition') == {'Mn': 108}
    models['large'].to_file(tmp_path / 'model.npz')
    for back in (node.model, read_model(tmp_path / 'model.npz')):
        again = SpinModelData.from_spin_model(back)
        assert again.base.attributes.all == node.base.attributes.all
        for name in node.get_arraynames():
            np.testing.assert_array_equal(again.get_array(name), node.get_array(name))


def test_a_model_without_its_convention_is_refused(aiida_profile):
    from aiida.common.exceptions import ValidationError

    from aiida_mlkkr.data.spin_model import SpinModelData

    for value in (None, 'kkr'):
        node = SpinModelData.from_spin_model(free({(0, 1): np.eye(3)}, 2))
        if value is None:
            node.base.attributes.delete('convention')
        else:
            node.base.attributes.set('convention', value)
        with pytest.raises(ValidationError, match=f'convention is {value!r}, this version of aiida-mlkkr reads'):
            node.store()


def test_a_simulation_of_two_configurations(builder):
    from aiida_mlkkr.spins.units import BOHR_MAGNETON, BOLTZMANN

    node = run(builder('one', 'two'))
    assert node.is_finished_ok, node.exit_message
    observables, report = node.outputs.observables, node.outputs.report.get_dict()
    assert (report['thermalised'], report['models'], report['number']) == (True, 2, 4)
    temperatures = observables.get_array('temperatures')
    x = 3.0 * BOHR_MAGNETON * 5.0 / (BOLTZMANN * temperatures)
    np.testing.assert_allclose(observables.get_array('magnetisation_along_field'), 1 / np.tanh(x) - 1 / x, atol=0.03)
    assert observables.get_array('binder_error').shape == (3,)
    assert not [name for name in node.base.repository.list_object_names() if name.endswith('.npz')]


def test_a_simulation_interrupted(builder):
    """The same numbers when the time was over in between; another process may round sums otherwise."""
    schedule = {'measurement': 6400}
    short = builder('large', schedule=schedule)
    short.metadata.options.max_wallclock_seconds = 1
    first = run(short)
    assert first.exit_status == 400, first.exit_message
    assert 'give remote_folder as parent_folder' in first.exit_message
    rest = run(builder('large', schedule=schedule, parent_folder=first.outputs.remote_folder))
    whole = run(builder('large', schedule=schedule))
    for name in whole.outputs.observables.get_arraynames():
        one, other = (node.outputs.observables.get_array(name) for node in (rest, whole))
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12, err_msg=name)
    refused = run(builder('large', parent_folder=first.outputs.remote_folder))
    assert refused.exit_status == 220
    assert 'belongs to other models or to another schedule' in refused.exit_message


def test_bad_inputs_are_refused_when_the_builder_is_filled(builder):
    for labels, schedule, message in (
        (['one'], {'temperatures': [3.0, 2.0]}, 'temperatures must ascend'),
        (['one'], {'sweep': 3}, 'sweep: Extra inputs are not permitted'),
        (['one', 'large'], {}, 'simulate them apart'),
        ([], {}, 'a spin model is needed'),
    ):
        with pytest.raises(ValueError, match=message):
            builder(*labels, schedule=schedule)


def test_a_simulation_that_has_not_thermalised(builder):
    """A frozen ferromagnet: both copies keep the order and the disorder that they began with."""
    frozen = {'temperatures': [0.5], 'thermalisation': 0, 'measurement': 64, 'reflections': 0}
    node = run(builder('large', schedule=frozen))
    assert node.exit_status == 401
    assert 'at 0.5 K' in node.exit_message
    assert node.outputs.observables.get_array('thermalised').tolist() == [0]
