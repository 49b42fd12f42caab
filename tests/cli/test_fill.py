"""`aiida-mlkkr fill`: a plan, runs as processes, datasets; what is there is not run again, failures are named."""

from __future__ import annotations

import re

import pytest
from commands import shown

GROUP = 'filled'


@pytest.fixture(scope='module')
def hosts(aiida_profile):
    """The archive's impurities Mn and Zn in copper, in the group `copper fill`; an empty group."""
    from aiida import orm

    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        workchains, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Mn', 'Zn')))
    orm.Group('copper fill').store().add_nodes(workchains)
    orm.Group('no hosts').store()
    return workchains


@pytest.fixture
def fill(aiida_profile, hosts):
    """A function: run the command in the profile of the tests, one run at a time."""

    def run(*words: str, code: int = 0) -> str:
        return shown('fill', '-p', aiida_profile.name, '-G', GROUP, '--jobs', '1', *words, code=code)

    return run


@pytest.fixture
def broken_code(aiida_localhost):
    """A code for KKRimp that ends at once and leaves nothing."""
    from aiida import orm

    return orm.InstalledCode(
        label='broken', computer=aiida_localhost, filepath_executable='/bin/true', default_calc_job_plugin='kkr.kkrimp',
        with_mpi=False,
    ).store()  # fmt: skip


def filled():
    from aiida import orm

    group = orm.QueryBuilder().append(orm.Group, filters={'label': GROUP}).first(flat=True)
    return list(group.nodes) if group else []


def test_a_dry_run_shows_the_plan_and_does_nothing(fill):
    output = fill('-H', 'copper fill', '-e', 'Mn,Zn,Si', '--pairs', '1', '--dry-run')
    assert '13 sites' in output
    assert '2: Mn, Zn' in output
    assert '1: Si' in output
    assert '6: Mn-Mn, Mn-Zn, Mn-Si, Zn-Zn, Zn-Si, Si-Si' in output
    assert not filled()


def test_a_failure_is_named_and_what_is_missing_is_run(fill, hosts, broken_code, tmp_path):
    """The failed run is tried again; what there is by then is in the group and in a dataset, and is not run again."""
    from aiida import orm

    from aiida_mlkkr.data.dataset import ImpurityDatasetData
    from aiida_mlkkr.ml.files import read_dataset

    arguments = ('-H', 'copper fill', '-e', 'Zn,Si', '--protocol', 'fast')
    options = tmp_path / 'options.yaml'
    options.write_text('max_wallclock_seconds: 77\n')
    output = fill(*arguments, '--kkrimp', str(broken_code.pk), '--options', str(options), code=1)
    failed = next(node for node in filled() if not node.is_finished_ok)
    jobs = [node for node in failed.called_descendants if isinstance(node, orm.CalcJobNode)]
    assert {node.get_option('max_wallclock_seconds') for node in jobs} == {77}
    assert {node.get_option('environment_variables')['OMP_NUM_THREADS'] for node in jobs} == {'1'}
    assert 'Si in Cu (alat 4.824), 13 sites: failed, no start led to a converged potential: standard:' in output
    assert 'are not in the datasets' in output
    assert f"Group '{GROUP}': 1 impurities in 1 datasets" in output
    (zinc,) = (node for node in filled() if node.is_finished_ok)
    assert zinc.process_label == 'kkr_imp_wc'

    output = fill(*arguments, '--learn', '1')
    assert 'iterations from the standard start, 0.000 µB' in output
    (emulator,) = re.findall(r'the next ones start from emulator (\d+), trained on 2 impurities', output)
    assert orm.load_node(int(emulator)).spec.elements == ['Si', 'Zn']
    assert f"Group '{GROUP}': 2 impurities in" in output
    silicon = next(node for node in filled() if node.process_label == 'KkrImpScfWorkChain' and node.is_finished_ok)
    assert silicon.outputs.results['rms_charge'] < 1e-4
    shards = orm.QueryBuilder().append(ImpurityDatasetData, project='attributes.details.sources').all(flat=True)
    assert any(silicon.outputs.retrieved.uuid in sources for sources in shards)

    before, file = len(filled()), tmp_path / 'dataset.safetensors'
    assert f'They are in the file {file}, too.' in fill(*arguments, '--output', str(file))
    assert len(filled()) == before
    assert read_dataset(file).elements == ('Si', 'Zn')


@pytest.mark.parametrize(
    ('arguments', 'code', 'words'),
    [
        (('-H', 'nobodys'), 1, '--host nobodys: there is no such group or node'),
        (('-H', 'no hosts'), 1, "no write-out of a host's Green function in no hosts"),
        (('-H', 'copper fill', '-e', 'Mn,Xx'), 1, "there is no element 'Xx'"),
        (('-H', 'copper fill', '-e', 'Gd'), 1, 'Gd would need a host with a larger cutoff than lmax=2'),
        (('-H', 'copper fill', '-e', 'Mn', '--pairs', '5'), 1, 'no shell 5'),
        (('-H', 'copper fill', '-e', 'Mn', '--pairs', '0'), 2, 'Invalid value'),
        (('-H', 'copper fill', '-e', 'Mn', '--no-singles'), 2, '--no-singles leaves nothing to run without --pairs'),
        (('-H', 'copper fill', '-e', 'Mn', '--protocol', 'quick'), 2, "'quick' is not one of 'balanced'"),
        (('-H', 'copper fill', '-e', 'Mn', '--output', 'nowhere/file'), 2, 'there is no folder nowhere'),
        ((), 2, "Missing option '-H' / '--host'"),
    ],
)
def test_mistakes_are_named_and_nothing_is_run(fill, arguments, code, words):
    before = len(filled())
    assert words in fill(*arguments, code=code)
    assert len(filled()) == before
