"""`aiida-mlkkr benchmark emulator`: from a group or a file to tables and figures, and what is refused."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner
from model_clusters import row

from aiida_mlkkr.ml.files import write_dataset

FAST = ('--models', 'standard_start,nearest_in_host', '--splits', 'impurity')


@pytest.fixture(scope='module')
def copper(aiida_profile):
    """The label of a group with impurities of the packaged archive."""
    from aiida import orm

    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        workchains, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Al', 'Zn')))
    orm.Group('benchmark').store().add_nodes(workchains)
    return 'benchmark'


@pytest.fixture
def benchmark(aiida_profile):
    """A function: run the command in the profile of the tests."""
    from aiida_mlkkr.cli.root import aiida_mlkkr

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(
            aiida_mlkkr, ['benchmark', 'emulator', '-p', aiida_profile.name, *arguments], env={'COLUMNS': '100'}
        )
        assert result.exit_code == code, result.output
        return ' '.join(result.output.split())

    return run


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """A file with clusters that follow a simple law."""
    path = tmp_path_factory.mktemp('dataset') / 'dataset.safetensors'
    write_dataset(path, row(without=(21, 22, 28, 31, 32, 33)))
    return str(path)


def test_a_dataset_from_a_file(benchmark, dataset, tmp_path):
    output = benchmark('--dataset', dataset, *FAST, '-o', str(tmp_path / 'new'))
    assert '6 impurities in Cu (alat 6.820)' in output
    assert '| impurity | nearest_in_host | 6 | 0 |' in output
    files = {path.name for path in (tmp_path / 'new').iterdir()}
    assert {'errors.csv', 'learning_curves.csv', 'report.md', 'moments.png', 'calibration.png'} <= files
    assert 'iterations.csv' not in files


def test_impurities_of_a_group_are_iterated(benchmark, copper, tmp_path):
    arguments = ('--group', copper, *FAST, '--starts', 'free_atoms', '--scf-models', 'nearest_in_host')
    arguments += ('--schedules', 'tuned', '-o', str(tmp_path))
    output = benchmark(*arguments)
    assert '2 impurities in Cu' in output
    assert 'Iterations, medians of those that found the solution' in output
    rows = (tmp_path / 'iterations.csv').read_text().splitlines()
    assert len(rows) == 1 + 2 + 2
    benchmark(*arguments)
    assert (tmp_path / 'iterations.csv').read_text().splitlines() == rows


@pytest.mark.parametrize(
    ('arguments', 'code', 'words'),
    [
        ((), 2, 'give --group or --dataset'),
        (('--group', 'nobodys'), 2, 'nobodys'),
        (('--models', 'oracle'), 2, 'there is no oracle; there are'),
        (('--splits', 'impurity,moon'), 2, 'there is no moon'),
        (('--schedules', ','), 2, 'nothing is named'),
        (('--dataset', 'nowhere'), 2, 'nowhere'),
    ],
)
def test_mistakes_are_named(benchmark, dataset, arguments, code, words, tmp_path):
    needs_data = arguments and '--dataset' not in arguments and '--group' not in arguments
    given = ('-d', dataset, *arguments) if needs_data else arguments
    assert words in benchmark(*given, '-o', str(tmp_path / 'new'), code=code)
    assert not (tmp_path / 'new').exists()


@pytest.fixture
def no_torch(monkeypatch):
    """As without the extra nn."""
    for name in [name for name in sys.modules if name.startswith('aiida_mlkkr.ml.models.network')]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'torch', None)


def test_the_network_needs_torch(no_torch, benchmark, dataset, tmp_path):
    """Without it the benchmark is that of the other models."""
    from rich.console import Console

    from aiida_mlkkr.cli.benchmark import _models

    words = 'pip install "aiida-mlkkr[nn]"'
    console = Console(record=True, width=200)
    names = _models(console, None)
    assert 'kernel' in names
    assert 'network' not in names
    assert words in console.export_text()
    assert words in benchmark('-d', dataset, '--models', 'kernel,network', '-o', str(tmp_path / 'new'), code=2)


def test_full_potentials_need_a_code(tmp_path):
    """Their errors are measured all the same."""
    from full_potential import KIND, record, writeout
    from rich.console import Console

    from aiida_mlkkr.benchmark.cases import Case, Files
    from aiida_mlkkr.cli.benchmark import _plan, _possible

    console = Console(record=True, width=200)
    cases = [Case(KIND, record('v'), Files(tmp_path, writeout(), 0.0, None))]
    plan = _plan(console, 'kernel', 'impurity', None, None, None, None, True)
    assert plan.scf_models
    possible = _possible(console, plan, cases, None)
    assert '--kkrimp' in console.export_text()
    assert (possible.scf_models, possible.scf_fixed) == ((), ())
    assert (possible.models, possible.splits, possible.fixed) == (plan.models, plan.splits, plan.fixed)
    assert _possible(console, plan, [Case(KIND, record('v'))], None) is plan, 'nothing is iterated without files anyway'


def test_one_impurity_alone(benchmark, tmp_path):
    path = tmp_path / 'one'
    write_dataset(path, row(without=tuple(range(22, 34))))
    assert '1 finished impurities' in benchmark('--dataset', str(path), *FAST, '-o', str(tmp_path / 'new'), code=1)
