"""`aiida-mlkkr train`: a group becomes a model, and what is wrong is said before anything is trained."""

from __future__ import annotations

import pytest
from click.testing import CliRunner


@pytest.fixture(scope='module')
def groups(aiida_profile):
    """Workchains of the packaged archive, with and without others; an empty group; one of other calculations."""
    from aiida import orm

    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        workchains, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('V', 'Mn', 'Zn')))
    writeout = workchains[0].outputs.remote_data_gf.creator
    made = {'copper': [*workchains, writeout], 'nothing': [], 'hosts': [writeout]}
    for label, nodes in made.items():
        orm.Group(label).store().add_nodes(nodes)
    return {node.label: node for node in workchains}


@pytest.fixture
def train(aiida_profile, groups):
    """A function: run the command in the profile of the tests."""
    from aiida_mlkkr.cli.root import aiida_mlkkr

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(
            aiida_mlkkr, ['train', '-p', aiida_profile.name, *arguments], env={'COLUMNS': '100'}
        )
        assert result.exit_code == code, result.output
        return ' '.join(result.output.split())

    return run


def models():
    from aiida import orm

    from aiida_mlkkr.data.surrogate import SurrogateData

    return orm.QueryBuilder().append(SurrogateData).all(flat=True)


def test_a_group_becomes_a_model(train, groups, tmp_path):
    from aiida_mlkkr.data.surrogate import SurrogateData

    before = {node.pk for node in models()}
    settings = tmp_path / 'settings.yaml'
    settings.write_text('radial_functions: 10\n')
    file = tmp_path / 'model.safetensors'
    arguments = ('--group', 'copper', '--label', 'mine', '--settings', str(settings), '--output', str(file))
    output = train(*arguments, '--shard-size', '2')
    (model,) = (node for node in models() if node.pk not in before)
    assert model.label == 'mine'
    assert model.spec.elements == ['V', 'Mn', 'Zn']
    assert model.spec.details['settings']['radial_functions'] == 10
    assert sum(label.startswith('shard') for label in model.creator.inputs) == 2
    assert SurrogateData.from_file(file).spec == model.spec
    assert 'Finished impurities: 3 (' in output
    assert 'Nodes that are no impurity calculations: 1.' in output
    assert f'Model {model.pk} is trained on 3 impurities (V, Mn, Zn) in Cu' in output
    assert f'emulator=load_node({model.pk})' in output


def test_what_is_left_out_is_listed(train, groups):
    manganese = groups['imp Cu fcc Z=25 v2']
    output = train('--group', 'copper', '--exclude', f'Zn,{manganese.pk}')
    assert '2 impurity calculations are not used' in output
    assert f'{manganese.pk} imp Cu fcc Z=25 v2 excluded ({manganese.pk})' in output
    assert 'excluded (Zn)' in output
    assert 'Finished impurities: 1 (V).' in output


@pytest.mark.parametrize(
    ('arguments', 'code', 'words'),
    [
        (('--group', 'nobodys'), 2, 'nobodys'),
        (('--group', 'nothing'), 1, "nothing is in group 'nothing'"),
        (('--group', 'hosts'), 1, 'there is no finished impurity to train on'),
        (('--group', 'copper', '--exclude', 'V,Mn,Zn'), 1, 'there is no finished impurity to train on'),
        (('--group', 'copper', '--exclude', 'Co'), 1, 'there is no impurity Co to exclude'),
        (('--group', 'copper', '--output', 'nowhere/model.safetensors'), 2, 'there is no folder nowhere'),
        ((), 2, "Missing option '-G' / '--group'"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(train, arguments, code, words):
    before = len(models())
    assert words in train(*arguments, code=code)
    assert len(models()) == before


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('radial_functions: many\n', 'radial_functions: Input should be a valid integer'),
        ('radial_function: 10\n', 'radial_function: Extra inputs are not permitted'),
        ('- 1\n', 'holds no values by name'),
        ('a: [\n', 'is not a YAML or JSON file'),
    ],
)
def test_settings_that_are_not_valid(train, tmp_path, content, words):
    file = tmp_path / 'settings.yaml'
    file.write_text(content)
    assert words in train('--group', 'copper', '--settings', str(file), code=2)


def test_a_profile_that_does_not_exist(groups):
    from aiida_mlkkr.cli.root import aiida_mlkkr

    result = CliRunner().invoke(aiida_mlkkr, ['train', '-p', 'nobodys', '--group', 'copper'])
    assert result.exit_code == 2
    assert 'nobodys' in result.output


def test_spheres_are_for_full_potentials(train, groups):
    from model_clusters import row

    from aiida_mlkkr.data.surrogate import SurrogateData
    from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator

    spheres = SurrogateData(*PotentialEmulator.fit(row(), EmulatorSettings(model='standard_start')).export()).store()
    output = train('--group', 'copper', '--spheres', str(spheres.pk), code=1)
    assert 'an emulator of atomic spheres helps to learn full potentials, these are of spheres' in output
