"""Runs in this process: what cannot be run is named, and Ctrl-C waits for the run under way."""

from __future__ import annotations

import os
import signal
import threading

import pytest


@pytest.fixture
def builder(copper, aiida_localhost):
    """A function: inputs of a workchain whose code ends at once and leaves nothing."""
    from aiida import orm

    from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

    code = orm.InstalledCode(
        label='empty', computer=aiida_localhost, filepath_executable='/bin/true', default_calc_job_plugin='kkr.kkrimp',
        with_mpi=False,
    ).store()  # fmt: skip

    def build(planned):
        return KkrImpScfWorkChain.get_builder_from_protocol(
            code, planned.impurity_info, host_greenfunction=planned.host.greenfunction
        )

    return build


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
