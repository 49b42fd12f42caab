"""`aiida-mlkkr predict`, `show model`, `model export` and `model import`: the same model as a node and as a file."""

from __future__ import annotations

import hashlib
import io
import re

import numpy as np
import pytest
from commands import shown

from aiida_mlkkr.cli.show import periodic_table
from aiida_mlkkr.kkr.potential import read_potential


@pytest.fixture(scope='module')
def copper(aiida_profile):
    """Workchains of the packaged archive by element."""
    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        chosen = choose_impurities(archived_workchains(path), ('V', 'Cr', 'Mn', 'Fe', 'Zn'))
        workchains, _ = import_workchains(path, chosen)
    return {entry.symbol: node for entry, node in zip(chosen, workchains, strict=True)}


@pytest.fixture(scope='module')
def model(copper):
    """Trained on all but Mn, with fewer radial functions."""
    from aiida_mlkkr.query import find_impurities, train_emulator

    seen = find_impurities(nodes=[node for symbol, node in copper.items() if symbol != 'Mn']).usable
    node = train_emulator(seen, {'radial_functions': 10})
    node.label = 'mine'
    return node


@pytest.fixture(scope='module')
def writeout(copper):
    return copper['Mn'].outputs.remote_data_gf.creator


@pytest.fixture
def command(aiida_profile, model):
    """A function: the output of a command in the profile of the tests."""
    return shown


@pytest.fixture(scope='module')
def model_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp('models') / 'copper.safetensors'
    model.to_file(path)
    return path


def number_of_nodes() -> int:
    from aiida import orm

    return orm.QueryBuilder().append(orm.Node).count()


def test_a_potential_is_written_and_nothing_stored(command, model, writeout, copper, tmp_path):
    before = number_of_nodes()
    output = command('predict', model.pk, writeout.pk, '-e', 'Mn', '-o', tmp_path / 'start.pot')
    assert number_of_nodes() == before
    assert re.search(r'1 Mn \d+\.\d\d \+3\.\d\d 2-13 Cu \d\.\d\d', output)
    predicted = read_potential(tmp_path / 'start.pot')
    converged = read_potential(io.StringIO(copper['Mn'].outputs.converged_potential.get_content()))
    mesh = predicted.sites[0][0].mesh
    weight = mesh.r**2 * mesh.drdi / (mesh.r**2 @ mesh.drdi)
    error = np.sqrt(
        np.mean([weight @ (a.v - b.v) ** 2 for a, b in zip(predicted.sites[0], converged.sites[0], strict=True)])
    )
    assert error < 0.06


def test_a_prediction_in_the_provenance(command, model, writeout, copper):
    """The host by its remote folder, moments reversed; the potential descends from the model."""
    from aiida import orm

    folder = writeout.outputs.remote_folder
    output = command('predict', 'mine', folder.uuid, '-e', 'Mn', '-m', '-3.5', '--store')
    assert re.search(r'1 Mn \d+\.\d\d -3\.\d\d', output)
    potential = orm.load_node(int(re.search(r'start potential (\d+), prediction', output)[1]))
    assert potential.creator.process_label == 'emulated_start_potential'
    assert potential.creator.inputs.model.pk == model.pk
    assert potential.creator.inputs.host_writeout.pk == writeout.outputs.retrieved.pk
    info = potential.creator.inputs.impurity_info.get_dict()
    assert info['Zimp'] == [25.0]
    assert info['Rcut'] == writeout.inputs.impurity_info['Rcut']


def test_several_elements_and_one_out_of_reach(command, model_file, writeout, tmp_path):
    arguments = ('predict', model_file, writeout.outputs.retrieved.pk, '-e', 'Mn-Co,Gd', '-o', tmp_path / 'start.pot')
    output = command(*arguments, code=1)
    assert 'Gd: no prediction by this model: Gd in place of Cu is out of the range' in output
    assert {path.name for path in tmp_path.iterdir()} == {'start_Mn.pot', 'start_Fe.pot', 'start_Co.pot'}


def test_a_cluster_by_its_impurity_info(command, model, writeout, tmp_path):
    info = tmp_path / 'pair.yaml'
    info.write_text('Zimp: [25, 26]\nRimp_rel: [[0, 0, 0], [0.70710678, 0.70710678, 0]]\n')
    before = number_of_nodes()
    words = 'no start potential for these impurities in this host'
    assert words in command('predict', model.pk, writeout.pk, '-i', info, '-m', '3,3,3', code=1)
    output = command('predict', model.pk, writeout.pk, '-i', info, '-m', '3.5,-2.5')
    assert re.search(r'Mn \d+\.\d\d \+\d', output)
    assert re.search(r'Fe \d+\.\d\d -\d', output)
    assert number_of_nodes() == before


@pytest.mark.parametrize(
    ('arguments', 'code', 'words'),
    [
        (('mine', 'HOST'), 2, 'Either --elements or --impurity-info'),
        (('mine', 'HOST', '-e', 'Xx'), 2, 'Xx'),
        (('mine', 'HOST', '-e', 'Mn', '-m', 'up'), 2, "'up' is no list of numbers"),
        (('mine', '999999', '-e', 'Mn'), 2, '999999'),
        (('mine', 'MODEL', '-e', 'Mn'), 2, "one write-out of a host's Green function is needed, found: none"),
        (('HOST', 'HOST', '-e', 'Mn'), 1, 'is no model (SurrogateData)'),
        (('nobodys', 'HOST', '-e', 'Mn'), 1, 'model nobodys: '),
        (('mine', 'HOST', '-i', 'nobodys'), 2, 'nobodys'),
        (('mine', 'HOST', '-i', 'MODEL'), 2, 'is no impurity_info (Dict)'),
        (('mine', 'HOST', '-e', 'Mn', '-o', 'nowhere/start'), 2, 'there is no folder nowhere'),
    ],
)
def test_mistakes_are_named(command, model, writeout, arguments, code, words):
    nodes = {'HOST': writeout.pk, 'MODEL': model.pk}
    before = number_of_nodes()
    assert words in command('predict', *(nodes.get(part, part) for part in arguments), code=code)
    assert number_of_nodes() == before


def test_show_a_node_and_its_file(command, model, model_file):
    for what, where in (('mine', f'node {model.pk} mine'), (model_file, 'a file, checksum right')):
        output = command('show', 'model', what)
        assert where in output
        assert 'kernel, 10 radial functions, seed 0, default options' in output
        assert '4 impurities (V, Cr, Fe, Zn)' in output
        assert '· · · · V Cr · Fe · · · Zn · ·' in output
        assert 'Cu (alat 4.824)' in output
        assert 'relativity scalar-relativistic' in output
        assert 'they fit the spec and each other' in output
        assert 'splitting with an impurity 4' in output
        assert 'Moments of impurities left out' in output


def test_the_periodic_table():
    (row,) = periodic_table(['Mn'])
    assert row.split() == ['·'] * 6 + ['Mn'] + ['·'] * 11
    first, second = periodic_table(['H', 'B'])
    assert first == 'H' + ' ' * 50 + '·'
    assert second == '·  ·' + ' ' * 32 + 'B  ·  ·  ·  ·  ·'
    *_, lanthanides = periodic_table(['Au', 'Gd'])
    assert lanthanides.split()[7] == 'Gd'
    assert list(periodic_table([])) == []


def test_export_and_import(command, model, tmp_path):
    from aiida import orm

    path = tmp_path / 'passed_on.safetensors'
    digest = re.search(r'SHA-256 (\w+)', command('model', 'export', 'mine', path))[1]
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert 'is there already; --force replaces it' in command('model', 'export', 'mine', path, code=2)
    output = command('model', 'import', path, '-l', 'theirs')
    node = orm.load_node(int(re.search(r'Model (\d+) \(kernel, 4 impurities\)', output)[1]))
    assert node.is_stored
    assert node.label == 'theirs'
    assert node.spec == model.spec
    assert node.base.extras.get('file_name') == 'passed_on.safetensors'
    assert node.base.extras.get('file_sha256') == digest
    assert f'SHA-256 {digest}' in node.description
    before = number_of_nodes()
    assert f'Model {node.pk} ' in command('model', 'import', path)
    assert number_of_nodes() == before


def test_files_that_are_not_imported(command, model, tmp_path):
    """A cut one, one that is none, and one whose method nobody has."""
    from aiida_mlkkr.ml.files import write_model

    path, before = tmp_path / 'model.safetensors', number_of_nodes()
    model.to_file(path)
    content = path.read_bytes()
    spec = model.spec.model_copy(update={'model': 'magic'})
    write_model(tmp_path / 'magic.safetensors', model.arrays, spec)
    (tmp_path / 'cut').write_bytes(content[: len(content) // 2])
    (tmp_path / 'pickle').write_bytes(b'\x80\x04.')
    for name, words in {
        'cut': 'is damaged or foreign',
        'pickle': 'a Python pickle',
        'magic.safetensors': "no model 'magic'",
    }.items():
        assert words in command('model', 'import', tmp_path / name, code=1)
        assert words in command('show', 'model', tmp_path / name, code=1)
    assert number_of_nodes() == before
