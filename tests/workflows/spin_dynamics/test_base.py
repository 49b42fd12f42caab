"""Restarts of simulations: real ones that are interrupted or have not thermalised."""

from __future__ import annotations

import numpy as np
import pytest
from spin_models import simple_cubic


@pytest.fixture(scope='module')
def build(aiida_profile):
    """A function: a builder of simulations of a small magnet."""
    from aiida_mlkkr.data.spin_model import SpinModelData
    from aiida_mlkkr.demo.codes import monte_carlo_program
    from aiida_mlkkr.workflows.spin_dynamics import MonteCarloBaseWorkChain

    model = SpinModelData.from_spin_model(simple_cubic(6, share=0.5)).store()

    def builder(schedule, **inputs):
        filled = MonteCarloBaseWorkChain.get_builder()
        filled.monte_carlo.code = monte_carlo_program()
        filled.monte_carlo.models = {'model': model}
        filled.monte_carlo.schedule = {'seed': 2, 'reflections': 0, **schedule}
        for name, value in inputs.items():
            filled[name] = value
        return filled

    return builder


def run(builder):
    from aiida.engine import run_get_node

    return run_get_node(builder)[1]


INTERRUPTED_ONCE = """#!/bin/sh
if [ -e {marker} ]; then exec {program}; fi
touch {marker}
{program} &
until grep -q done progress.jsonl 2> /dev/null; do sleep 0.02; done
kill -TERM $!
wait $!
"""


def test_goes_on_from_its_checkpoint(build, tmp_path):
    """Both calculations together give what one gives that is not interrupted."""
    from aiida import orm

    from aiida_mlkkr.demo.codes import executable_of, local_computer

    script = tmp_path / 'interrupted.sh'
    program = executable_of('mlkkr-monte-carlo')
    script.write_text(INTERRUPTED_ONCE.format(marker=tmp_path / 'marker', program=program), encoding='ascii')
    script.chmod(0o755)
    schedule = {'temperatures': [8.0, 16.0], 'thermalisation': 50, 'measurement': 6400, 'cooling': 20}
    interrupted = build(schedule)
    interrupted.monte_carlo.code = orm.InstalledCode(
        label='interrupted', computer=local_computer(), filepath_executable=str(script)
    ).store()
    several = run(interrupted)
    assert several.is_finished_ok, several.exit_message
    assert [calculation.exit_status for calculation in several.called] == [410, 0]
    assert 'SIGTERM' in several.called[0].exit_message
    whole = run(build(schedule))
    for output in ('observables', 'ground_states'):
        for name in whole.outputs[output].get_arraynames():
            one, other = (node.outputs[output].get_array(name) for node in (several, whole))
            # another process may round sums otherwise, and minimise with that to the gradient's tolerance
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6, err_msg=name)


def test_not_thermalised_is_done_again_twice_as_long(build):
    frozen = {'temperatures': [0.5], 'thermalisation': 0, 'measurement': 64}
    node = run(build(frozen, lengthenings=1))
    assert node.exit_status == 420
    assert 'at 0.5 K. What was measured is among the outputs' in node.exit_message
    lengths = [calculation.inputs.schedule.get_dict()['measurement'] for calculation in node.called]
    assert lengths == [64, 128]
    assert node.outputs.observables.get_array('thermalised').tolist() == [0]
