"""`aiida-mlkkr fill-exchange`: a plan, real pairs in the two sites that JuKKR has written out, what is there stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import shown

ARCHIVE = Path(__file__).parents[1] / 'data' / 'cu_mn_pair.aiida'
GROUP = 'pairs'


@pytest.fixture(scope='module')
def host(aiida_profile):
    """Pk of the converged copper, of which JuKKR has written out two neighbouring sites; the singles in a group."""
    from aiida import orm
    from aiida.tools.archive import import_archive

    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    import_archive(ARCHIVE)
    with packaged_archive() as path:
        singles, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Mn', 'Zn')))
    orm.Group('singles').store().add_nodes(singles)
    query = orm.QueryBuilder().append(orm.Group, filters={'label': 'cu_fcc_asa_mn_pair'}, tag='group')
    query.append(orm.WorkChainNode, with_group='group', filters={'process_type': {'like': '%gf_writeout%'}})
    return str(query.one()[0].pk)


@pytest.fixture
def fill(aiida_profile, host):
    """A function: run the command on the two sites, one run at a time."""

    def run(*words: str, code: int = 0) -> str:
        return shown(
            'fill-exchange', '-p', aiida_profile.name, '-G', GROUP, '-j', '1', '--screening', '0', *words, code=code
        )

    return run


@pytest.fixture
def broken_code(aiida_localhost, tmp_path):
    """A code of the embedded solver's name that ends at once and leaves nothing."""
    from aiida import orm

    executable = tmp_path / 'mlkkr-kkrimp'
    executable.write_text('#!/bin/sh\n')
    executable.chmod(0o755)
    return orm.InstalledCode(
        label='broken', computer=aiida_localhost, filepath_executable=str(executable),
        default_calc_job_plugin='kkr.kkrimp', with_mpi=False,
    ).store()  # fmt: skip


def pairs():
    from aiida import orm

    group = orm.QueryBuilder().append(orm.Group, filters={'label': GROUP}).first(flat=True)
    return list(group.nodes) if group else []


def test_a_dry_run_shows_the_plan_and_does_nothing(fill, host):
    output = fill('-H', host, '-e', 'Cr,Mn,Cu', '--shells', '2', '--singles', 'singles', '--dry-run')
    assert 'Cu (alat 4.824), 2 sites, shell 1 0 3: Cr-Cr, Cr-Mn, Mn-Mn' in output
    assert 'shell 2 0 3: Cr-Cr' in output
    assert 'Pairs with Cr start from free atoms' in output
    assert not pairs()


def test_pairs_are_run_once_and_failures_named(fill, host, broken_code, tmp_path):
    from aiida_mlkkr.exchange.tables import read_csv

    arguments = ('-H', host, '-e', 'Mn', '--protocol', 'fast', '--singles', 'singles')
    output = fill(*arguments, '--kkrimp', str(broken_code.pk), code=1)
    assert 'Mn-Mn in Cu (alat 4.824), 2 sites, shell 1: failed, the self-consistency failed' in output
    assert 'no table: there are no tables to join' in output
    (failed,) = pairs()
    assert failed.label == 'Mn-Mn in Cu (alat 4.824), 2 sites, shell 1'

    output = fill(*arguments, '--output', str(tmp_path / 'pairs.csv'))
    assert 'iterations from the startpot start' in output
    assert "Group 'pairs': the exchange of 1 pairs, written to" in output
    table = read_csv(tmp_path / 'pairs.csv')
    assert table.elements == ('Mn', 'Mn')
    assert table.terms().j == pytest.approx([-96.2], abs=1.0)
    assert table.moments == pytest.approx([3.017, 3.017], abs=0.02)

    before = len(pairs())
    assert 'shell 1 1: Mn-Mn 0' in fill(*arguments)
    assert len(pairs()) == before


@pytest.mark.parametrize(
    ('arguments', 'code', 'words'),
    [
        (('-e', 'Xx'), 1, "there is no element 'Xx'"),
        (('-e', 'Mn', '--shells', '0'), 2, 'Invalid value'),
        (('-e', 'Mn', '--singles', 'nobodys'), 1, '--singles nobodys: there is no such group or node'),
        (('-e', 'Mn', '--output', 'nowhere/file'), 2, 'there is no folder nowhere'),
        ((), 2, "Missing option '-e' / '--elements'"),
    ],
)
def test_mistakes_are_named_and_nothing_is_run(fill, host, arguments, code, words):
    before = len(pairs())
    assert words in fill('-H', host, *arguments, code=code)
    assert len(pairs()) == before


def test_a_node_that_is_no_host(fill, host):
    from aiida import orm

    assert 'is not a remote folder' in fill(
        '-H', str(orm.load_group('singles').nodes[0].inputs.impurity_info.pk), '-e', 'Mn', code=1
    )
