"""Runs in this process and by the daemon: what cannot be run is named, and Ctrl-C waits for the runs under way."""

from __future__ import annotations

import os
import signal
import threading

import pytest


def builder_of_runs_that_fail(computer):
    """A function: inputs of a workchain whose code ends at once and leaves nothing."""
    from aiida import orm

    from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

    code = orm.InstalledCode(
        label='empty', computer=computer, filepath_executable='/bin/true', default_calc_job_plugin='kkr.kkrimp',
        with_mpi=False,
    ).store()  # fmt: skip

    def build(planned):
        return KkrImpScfWorkChain.get_builder_from_protocol(
            code, planned.impurity_info, host_greenfunction=planned.host.greenfunction
        )

    return build


@pytest.fixture
def builder(copper, aiida_localhost):
    return builder_of_runs_that_fail(aiida_localhost)


def test_ctrl_c_waits_and_ends_the_rest(copper, builder):
    from aiida_mlkkr.campaign.plan import wanted
    from aiida_mlkkr.campaign.runs import run_here
    from aiida_mlkkr.demo.interruption import Interruption

    def build(planned):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        return builder(planned)

    with Interruption() as interruption:
        outcomes = list(run_here(wanted(copper, [13, 14, 15]), build, lambda: not interruption.requested))
    (outcome,) = outcomes
    assert outcome.node.is_finished
    assert 'no start led to a converged potential' in outcome.problem


def test_inputs_that_are_refused_keep_the_others_running(copper, builder):
    from aiida_mlkkr.campaign.plan import wanted
    from aiida_mlkkr.campaign.runs import run_here

    def build(planned):
        if planned.charges == (13,):
            raise ValueError('not this one')
        return builder(planned)

    refused, failed = run_here(wanted(copper, [13, 14]), build, lambda: True)
    assert (refused.node, refused.problem, refused.iterations) == (None, 'refused: not this one', 0)
    assert failed.node.is_finished
    assert failed.problem


def test_several_at_a_time_by_the_daemon(submit_to_daemon, aiida_localhost):
    """In a profile of its own; after a no there is no further one, and those under way come to their end."""
    from aiida_mlkkr.campaign.hosts import host_clusters
    from aiida_mlkkr.campaign.plan import wanted
    from aiida_mlkkr.campaign.runs import run_in_daemon
    from aiida_mlkkr.demo.archive import archived_workchains, choose_impurities, import_workchains, packaged_archive

    with packaged_archive() as path:
        workchains, _ = import_workchains(path, choose_impurities(archived_workchains(path), ('Zn',)))
    (cluster,) = host_clusters(workchains)
    answers = iter([True, True, False])
    build = builder_of_runs_that_fail(aiida_localhost)
    outcomes = list(run_in_daemon(wanted(cluster, [13, 14, 15]), build, lambda: next(answers), jobs=2))
    assert {outcome.planned.charges for outcome in outcomes} == {(13,), (14,)}
    assert all('no start led to a converged potential' in outcome.problem for outcome in outcomes)
    nodes = [outcome.node for outcome in outcomes]
    assert max(node.ctime for node in nodes) < min(node.mtime for node in nodes), 'at the same time'
