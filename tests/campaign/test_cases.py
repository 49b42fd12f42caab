"""Impurities of a database as cases: a self-consistency in this process is that of the workchain."""

from __future__ import annotations

from dataclasses import replace

import pytest


@pytest.fixture(scope='module')
def zinc(aiida_profile, tmp_path_factory):
    """Zn in Cu of the packaged archive, with its files."""
    from aiida_mlkkr.campaign.cases import CaseFolders
    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive
    from aiida_mlkkr.query import find_impurities

    with packaged_archive() as path:
        workchains, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Zn',)))
    (case,), dropped = CaseFolders(tmp_path_factory.mktemp('cases')).cases(find_impurities(nodes=workchains).usable)
    assert not dropped
    return case


def test_the_start_of_the_archive(zinc):
    assert zinc.elements == 'Zn'
    start = zinc.files.voronoi
    assert start.potential.sites[0][0].z == 30.0
    assert start.potential.natom == len(zinc.record.z) == 13
    assert not start.state_known, 'the archived run has an initial field'


def test_in_this_process_as_in_the_workchain(zinc, kkrimp_code):
    from aiida_mlkkr.benchmark.iterations import Origin, measure
    from aiida_mlkkr.benchmark.scf import InProcess
    from aiida_mlkkr.benchmark.starts import fixed_start
    from aiida_mlkkr.campaign.cases import WithCode
    from aiida_mlkkr.kkr.cures import Cures
    from aiida_mlkkr.kkr.schedule import Schedule, schedule_values
    from aiida_mlkkr.workflows.protocols import protocol_inputs, read_protocols

    schedule = Schedule.from_values(schedule_values(read_protocols('schedules'), 'tuned', 1e-6))
    near = replace(fixed_start('free_atoms', zinc, zinc.files), expected=0.01)
    here = InProcess(Cures.from_values(protocol_inputs('kkrimp_base')['cures'], {}))
    rows = [
        measure(zinc, zinc.files, Origin('free_atoms'), near, schedule, run) for run in (here, WithCode(kkrimp_code))
    ]
    assert rows[0].iterations == rows[1].iterations < 15, 'larger steps than in the schedule from afar'
    for row in rows:
        assert row.problem == ''
        assert row.charge_error < 1e-5
        assert row.energy_error < 1e-4


def test_a_code_that_cannot_do_it(zinc, train_code):
    from aiida_mlkkr.benchmark.starts import fixed_start
    from aiida_mlkkr.campaign.cases import WithCode
    from aiida_mlkkr.kkr.schedule import Schedule, schedule_values
    from aiida_mlkkr.query import QueryError
    from aiida_mlkkr.workflows.protocols import read_protocols

    schedule = Schedule.from_values(schedule_values(read_protocols('schedules'), 'tuned', 1e-6))
    with pytest.raises(QueryError, match=r'Zn: .*code: a code for kkr\.kkrimp is needed'):
        WithCode(train_code)(zinc, fixed_start('free_atoms', zinc, zinc.files), schedule)


def test_files_that_were_not_retrieved(zinc, tmp_path):
    from aiida import orm

    from aiida_mlkkr.campaign.cases import CaseFolders
    from aiida_mlkkr.query import QueryError, find_impurities

    retrieved = orm.load_node(zinc.record.source)
    (impurity,) = find_impurities(nodes=[retrieved.creator]).usable
    object.__setattr__(impurity, 'host_writeout', retrieved)
    with pytest.raises(QueryError, match='kkrflex_green'):
        CaseFolders(tmp_path).case(impurity)
