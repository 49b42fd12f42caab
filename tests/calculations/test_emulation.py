"""From finished impurities to a predicted start potential: what it is worth, where it comes from, what is refused."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest

from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential

LEFT_OUT = 'Mn'


@pytest.fixture(scope='module')
def shards(copper):
    """Two datasets of all impurities but one."""
    from aiida_mlkkr.calculations.dataset import impurity_dataset

    seen = [symbol for symbol in copper if symbol != LEFT_OUT]
    return {
        'even': impurity_dataset(**{symbol: copper[symbol] for symbol in seen[::2]}),
        'odd': impurity_dataset(**{symbol: copper[symbol] for symbol in seen[1::2]}),
    }


@pytest.fixture(scope='module')
def trained(shards):
    from aiida_mlkkr.calculations.training import train_potential_emulator

    return train_potential_emulator(**shards)


@pytest.fixture
def predict(trained, copper):
    """A function: the outputs and the process of a prediction, for the left-out impurity unless said otherwise."""
    from aiida import orm

    from aiida_mlkkr.calculations.emulation import emulated_start_potential

    def run(moments=None, parameters=None, **changes):
        inputs = {'model': trained['model'], **copper[LEFT_OUT], **changes}
        inputs = {name: inputs[name] for name in ('model', 'host_writeout', 'impurity_info')}
        inputs |= {} if moments is None else {'moments': orm.List(moments)}
        inputs |= {} if parameters is None else {'parameters': orm.Dict(parameters)}
        return emulated_start_potential.run_get_node(**inputs)

    return run


def read(node) -> ImpurityPotential:
    return read_potential(io.StringIO(node.get_content()))


def error_per_site(one: ImpurityPotential, other: ImpurityPotential) -> np.ndarray:
    """Root mean square deviation over the volume and the spins of each site in Ry."""
    errors = []
    for site, site_other in zip(one.sites, other.sites, strict=True):
        weight = site[0].mesh.r ** 2 * site[0].mesh.drdi
        squares = [weight @ (a.v - b.v) ** 2 / weight.sum() for a, b in zip(site, site_other, strict=True)]
        errors.append(np.sqrt(np.mean(squares)))
    return np.array(errors)


def test_an_unseen_impurity_is_predicted_better_than_it_usually_starts(predict, copper):
    from aiida_mlkkr.calculations.start import standard_start_potential

    outputs, process = predict()
    assert process.is_finished_ok
    inputs = copper[LEFT_OUT]
    converged, predicted = read(inputs['potential']), read(outputs['potential'])
    standard = read(standard_start_potential(inputs['host_writeout'], inputs['impurity_info']))
    error, usual = error_per_site(predicted, converged), error_per_site(standard, converged)
    assert error[0] < 0.5 * usual[0]
    assert (error[1:] < 0.5 * usual[1:]).all()
    for site, true_site in zip(predicted.sites, converged.sites, strict=True):
        assert [state.l for state in site[0].core] == [state.l for state in true_site[0].core]
        assert site[0].mesh == true_site[0].mesh
    prediction = outputs['prediction'].get_dict()
    expected = np.array(prediction['rms_error_per_site_Ry'])
    assert ((error < 4 * expected) & (expected < 0.1)).all()
    assert prediction['spin_moment_per_site_muB'][0] == pytest.approx(3.476, abs=0.3)  # JuKKR's
    assert prediction['spin_moment_per_site_muB'][1:] == [0.0] * 12


def test_the_sign_of_a_moment_is_the_one_asked_for(predict):
    up, _ = predict()
    down, _ = predict([-3.5])
    none, _ = predict([0.0])
    assert down['prediction']['spin_moment_per_site_muB'][0] < -3
    for site_up, site_down, site_none in zip(
        *(read(made['potential']).sites for made in (up, down, none)), strict=True
    ):
        np.testing.assert_allclose(site_up[0].v, site_down[1].v, atol=1e-9)
        np.testing.assert_array_equal(site_none[0].v, site_none[1].v)


def test_every_training_potential_is_an_ancestor(predict, copper, trained):
    """Whoever has a predicted potential can find all that it was learnt from, and how that was calculated."""
    from aiida import orm

    potential = predict()[0]['potential']
    query = orm.QueryBuilder()
    query.append(orm.SinglefileData, tag='source', project='uuid')
    query.append(orm.SinglefileData, with_ancestors='source', filters={'uuid': potential.uuid})
    ancestors = set(query.all(flat=True))
    used = {copper[symbol]['potential'].uuid for symbol in copper if symbol != LEFT_OUT}
    assert used <= ancestors
    assert copper[LEFT_OUT]['potential'].uuid not in ancestors
    # the node holds as many as were found here, so none came in by another way
    assert trained['model'].spec.number == len(used) == 7


def test_a_green_function_left_on_the_computer_is_not_missed(predict, copper, folder):
    bare = folder(copper[LEFT_OUT]['host_writeout'], without='kkrflex')
    with_all, without = predict()[0], predict(host_writeout=bare)[0]
    assert without['potential'].get_content() == with_all['potential'].get_content()


def test_a_model_from_a_file_predicts_the_same(predict, trained, tmp_path):
    from aiida_mlkkr.data.surrogate import SurrogateData

    trained['model'].to_file(tmp_path / 'model.safetensors')
    model = SurrogateData.from_file(tmp_path / 'model.safetensors').store()
    assert predict(model=model)[0]['potential'].get_content() == predict()[0]['potential'].get_content()


@pytest.mark.parametrize(
    ('info', 'status', 'words'),
    [
        (
            {'Zimp': 64},
            212,
            'Gd in place of Cu is out of the range of the model, which has seen Al, V, Cr, Fe, Ni, Zn in place of Cu',
        ),
        ({'Zimp': 140}, 211, 'there is no element with Z = 140'),
        ({}, 211, 'impurity_info has no Zimp'),
        ({'Zimp': 25, 'Rimp_rel': [[0.2, 0.0, 0.0]]}, 211, 'is not on a site of the cluster'),
        ({'Zimp': 25, 'imp_cls': [[0, 0, 0, 1, 25, 0]]}, 211, 'host and cluster do not match: imp_cls has 1 sites'),
    ],
)
def test_impurities_that_are_refused(predict, info, status, words):
    from aiida import orm

    _, process = predict(impurity_info=orm.Dict(info))
    assert process.exit_status == status
    assert words in process.exit_message


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'NSPIN': 1}, 'nspin is 2 in one and 1 in the other'),
        ({'INS': 1}, 'full_potential is False in one and True in the other'),
        ({'KVREL': 0}, 'relativity is scalar-relativistic in one and non-relativistic in the other'),
        ({'SPINORBIT': 1}, 'relativity is scalar-relativistic in one and spin-orbit in the other'),
        ({'XC': 'LDA-vBH'}, 'xc is LDA-VWN in one and LDA-vBH in the other'),
    ],
)
def test_a_run_of_another_kind_is_refused(predict, parameters, words):
    _, process = predict(parameters=parameters)
    assert process.exit_status == 212
    assert 'the model is of another kind' in process.exit_message
    assert words in process.exit_message
    assert predict(parameters={'NSPIN': 2, 'INS': 0, 'KVREL': None, 'XC': 'LDA', 'QBOUND': 1e-6})[1].is_finished_ok


def test_an_antiparallel_pair_is_its_own_mirror_image(predict, pair):
    """Though the model has only seen single impurities: what impurities do adds up."""
    outputs, process = predict([3.5, -3.5], host_writeout=pair['host_writeout'], impurity_info=pair['impurity_info'])
    assert process.is_finished_ok
    first, second = read(outputs['potential']).sites
    np.testing.assert_allclose(first[0].v, second[1].v, atol=1e-9)
    np.testing.assert_allclose(first[1].v, second[0].v, atol=1e-9)
    # JuKKR has calculated the parallel one
    converged = read_potential(io.StringIO(pair['retrieved'].base.repository.get_object_content('out_potential')))
    parallel = predict(host_writeout=pair['host_writeout'], impurity_info=pair['impurity_info'])[0]
    right, wrong = (error_per_site(read(made['potential']), converged) for made in (parallel, outputs))
    assert (right < 0.07).all()
    assert wrong[1] > 2 * right[1]


def test_too_many_moments_are_refused(predict):
    _, process = predict([3.0, 3.0])
    assert process.exit_status == 211
    assert '2 start moments for 1 impurities' in process.exit_message


def test_hosts_that_are_refused(predict, copper, folder):
    host = copper[LEFT_OUT]['host_writeout']
    text = host.base.repository.get_object_content('out_potential')

    def changed(name, content):
        return folder(host, without=('kkrflex', name), **{name: content})

    card = host.base.repository.get_object_content('inputcard')
    kinds = {
        'lmax is 2 in one and 3 in the other': changed('inputcard', re.sub(r'LMAX *= *2', 'LMAX= 3', card)),
        'spin-orbit in the other': changed('inputcard', re.sub(r'RUNOPT\n', 'RUNOPT\nNEWSOSOL', card)),
    }
    for words, writeout in kinds.items():
        _, process = predict(host_writeout=writeout)
        assert process.exit_status == 212
        assert words in process.exit_message, process.exit_message
    for words, writeout in {
        'the retrieved folder of the host write-out lacks scoef, out_potential, inputcard': folder(),
        'EMIN= and 1 number expected': changed('inputcard', card.replace('EMIN', 'EXIT')),
        'in this host: out_potential: site 1, spin 1, line': changed('out_potential', text[:2000]),
    }.items():
        _, process = predict(host_writeout=writeout)
        assert process.exit_status == 210
        assert words in process.exit_message, process.exit_message


def test_other_hosts_are_known_to_be_new(predict, copper, folder):
    host = copper[LEFT_OUT]['host_writeout']
    text = host.base.repository.get_object_content('out_potential')
    for old, new in {'0.66276': '0.67276', '0.25000000D-01': '0.25100000D-01', '4.82381': '4.92381'}.items():
        assert old in text
        writeout = folder(host, without=('kkrflex', 'out_potential'), out_potential=text.replace(old, new))
        results, process = predict(host_writeout=writeout)
        assert process.is_finished_ok, process.exit_message
        assert results['prediction']['host_seen'] is False


def test_models_that_are_refused(predict, trained):
    from aiida_mlkkr.data.surrogate import SurrogateData

    arrays, spec = trained['model'].arrays, trained['model'].spec
    foreign = SurrogateData(arrays, spec.model_copy(update={'task': 'exchange'})).store()
    _, process = predict(model=foreign)
    assert process.exit_status == 212
    assert 'this is a model for exchange' in process.exit_message
    fewer = {name: array for name, array in arrays.items() if name != 'host_efermi'}
    described = {name: entry for name, entry in spec.arrays.items() if name in fewer}
    _, process = predict(model=SurrogateData(fewer, spec.model_copy(update={'arrays': described})).store())
    assert process.exit_status == 212
    assert "do not fit together: KeyError('host_efermi')" in process.exit_message


def test_training_reports_and_is_taken_from_the_cache(trained, shards):
    from aiida.manage.caching import enable_caching

    from aiida_mlkkr.calculations.training import train_potential_emulator

    report = trained['report'].get_dict()
    assert 0 < report['average_own']['left_out_rms_Ry'] < report['average_own']['rms_Ry']
    with enable_caching():
        outputs, process = train_potential_emulator.run_get_node(**shards)
    assert process.base.caching.is_created_from_cache
    again = train_potential_emulator(**shards)
    for one in (outputs, again):
        assert one['model'].base.caching.compute_hash() == trained['model'].base.caching.compute_hash()


def test_training_sets_that_are_refused(trained, shards):
    from aiida import orm

    from aiida_mlkkr.calculations.training import train_potential_emulator
    from aiida_mlkkr.data.dataset import ImpurityDatasetData

    dataset = shards['odd'].dataset
    larger = ImpurityDatasetData.from_dataset(replace(dataset, kind=replace(dataset.kind, lmax=3)), {})
    empty = ImpurityDatasetData.from_dataset(None, {'lost': 'no potential'})
    number = shards['odd'].spec.number
    cases = [
        ({'one': shards['even'], 'other': larger}, 222, 'of different kinds cannot be mixed: lmax is 2 in one and 3'),
        ({'one': empty}, 222, 'the dataset is empty: there is no finished impurity to learn from'),
        ({}, 222, 'the dataset is empty'),
        ({'one': orm.Dict({})}, 222, 'input one is no dataset of impurities'),
        (
            {'one': shards['odd'], 'settings': orm.Dict({'radial_functions': 0})},
            221,
            'radial_functions: Input should be',
        ),
        ({'one': shards['odd'], 'settings': orm.Dict({'colour': 1})}, 221, 'colour: Extra inputs are not permitted'),
        ({'one': shards['odd'], 'spheres': trained['model']}, 223, 'helps to learn full potentials'),
    ]
    for inputs, status, words in cases:
        _, process = train_potential_emulator.run_get_node(**inputs)
        assert process.exit_status == status
        assert words in process.exit_message, process.exit_message
    outputs, _ = train_potential_emulator.run_get_node(one=shards['odd'], same=shards['odd'], nothing=empty)
    assert outputs['model'].spec.number == number
