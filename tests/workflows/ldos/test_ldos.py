"""Local densities of states of manganese in copper, from the database to the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from this_machine import code_on, computer_at

from aiida_mlkkr.kkr.constants import RYDBERG_EV
from aiida_mlkkr.kkr.ldos import LocalDensityOfStates

from .conftest import COARSE


@pytest.fixture(scope='module')
def finished(manganese):
    from aiida.engine import run_get_node

    return run_get_node(manganese.builder()).node


def test_the_charge_is_the_integral(finished, manganese):
    assert finished.is_finished_ok, finished.exit_message
    ldos = finished.outputs.ldos
    results = manganese.single.called_descendants
    parameters = [
        node.outputs.output_parameters.get_dict() for node in results if node.process_label == 'KkrimpCalculation'
    ]
    converged = min(parameters, key=lambda found: found['convergence_group']['rms'])
    valence = np.array(converged['charge_valence_states_per_atom'])
    found = LocalDensityOfStates(ldos.get_array('energies_on_axis'), ldos.get_array('ldos_on_axis')).electrons(0.0)
    charge = found.sum(axis=(1, 2))
    # continued linearly over 0.43 eV, an energy every 0.5 eV, 8³ points: found 6.743 of 6.631 electrons; the d band of
    # copper lies far below the Fermi energy
    assert charge[0] == pytest.approx(valence[0], abs=0.15)
    np.testing.assert_allclose(charge[1:], valence[1:], atol=0.1)
    # 3.30 instead of 3.77: the d level of spin down is but 0.9 eV above the Fermi energy
    moment = found[0, 1].sum() - found[0, 0].sum()
    assert moment == pytest.approx(3.766, abs=0.5)


def test_the_virtual_bound_states(finished):
    """Of manganese in copper: the d level of spin up below the Fermi energy, that of spin down above."""
    ldos = finished.outputs.ldos
    energies, (down, up) = ldos.get_array('energies'), ldos.get_array('ldos')[0, :, 2]
    assert ldos.base.attributes.get('spins') == ['down', 'up']
    assert -3.0 < energies[up.argmax()] < -1.0
    assert 0.0 < energies[down.argmax()] < 1.4
    # the host's d band lies below the Fermi energy for both spins
    neighbour = ldos.get_array('ldos')[1, :, 2]
    assert (energies[neighbour.argmax(axis=1)] < -1.0).all()


def test_what_comes_with_it(finished):
    ldos = finished.outputs.ldos
    attributes = ldos.base.attributes.all
    assert attributes['elements'] == ['Mn'] + 12 * ['Cu']
    assert attributes['impurity_sites'] == [0]
    assert attributes['broadening_eV'] == pytest.approx(np.pi * 0.6333659e-5 * 1600 * RYDBERG_EV)
    np.testing.assert_allclose(ldos.get_array('energies'), np.linspace(-10.0, 1.5, 24), atol=1e-8)
    assert ldos.get_array('ldos').shape == (13, 2, 3, 24)
    assert ldos.get_array('ldos_on_axis').shape == (13, 2, 3, 22)
    assert (ldos.get_array('ldos') > 0).all()
    assert ldos.creator.process_label == 'local_densities_of_states'


def test_another_impurity_takes_the_same_write_out(finished, manganese):
    """By itself, or given."""
    from aiida.engine.utils import instantiate_process
    from aiida.manage import get_manager

    chain = instantiate_process(get_manager().get_runner(), manganese.builder())
    chain.setup()
    assert chain.should_write_out_host()
    awaited = chain.run_host_writeout()
    assert awaited['writeout'].outputs.host_greenfunction.uuid == finished.outputs.host_greenfunction.uuid
    builder = manganese.builder(kkr=None, host_greenfunction=finished.outputs.host_greenfunction)
    assert 'host' not in builder._inputs(prune=True)


def test_a_write_out_that_fails(manganese, tmp_path):
    """Its own ends the chain with the reason; after that of another chain it looks once more."""
    from aiida.engine import run_get_node
    from aiida.engine.utils import instantiate_process
    from aiida.manage import get_manager

    program = tmp_path / 'mlkkr-kkrhost'
    program.write_text('#!/bin/sh\necho no memory left >&2; exit 1\n')
    program.chmod(0o755)
    elsewhere = {'contour': {**COARSE['contour'], 'points': 12}}  # of which no write-out is there
    kkr = code_on(computer_at(tmp_path), str(program), 'kkr.kkr')
    builder = manganese.builder(kkr=kkr, overrides=elsewhere)
    failed = run_get_node(builder).node
    assert failed.exit_status == 410
    assert 'no memory left' in failed.exit_message

    chain = instantiate_process(get_manager().get_runner(), builder)
    chain.setup()
    chain.ctx.writeout = next(node for node in failed.called if node.process_label == 'HostWriteoutWorkChain')
    chain.ctx.own_writeout = False
    assert chain.inspect_host_writeout() is None
    assert chain.should_write_out_host()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'top': -11.0}, 'bottom lies below top'),
        ({'points': 2}, '3 points or more'),
        ({'temperature': 0}, 'temperature .K. is positive'),
        ({'kmesh': [8, 8]}, 'three positive integers'),
        ({'height': 0.1}, 'the numbers of a contour are'),
    ],
)
def test_impossible_contours(manganese, change, message):
    with pytest.raises(ValueError, match=message):
        manganese.builder(overrides={'contour': {**COARSE['contour'], **change}})


def test_what_is_missing(manganese):
    with pytest.raises(ValueError, match='kkr is missing'):
        manganese.builder(kkr=None)
    scf = next(node for node in manganese.single.called_descendants if node.process_label == 'KkrimpCalculation')
    green = scf.inputs.host_Greenfunction_folder
    with pytest.raises(ValueError, match='its energies are those of a self-consistency'):
        manganese.builder(kkr=None, host_greenfunction=green)


def test_an_impurity_that_did_not_converge(manganese):
    from aiida_mlkkr.workflows.ldos.workchain import converged_impurity

    (calculation, *_) = (n for n in manganese.single.called_descendants if n.process_label == 'KkrimpCalculation')
    with pytest.raises(ValueError, match='has no converged potential'):
        converged_impurity(calculation)


def test_the_command_draws_it(finished, manganese, aiida_profile, tmp_path):
    from click.testing import CliRunner

    from aiida_mlkkr.cli.root import aiida_mlkkr

    def plot(*arguments: str):
        return CliRunner().invoke(aiida_mlkkr, ['plot', 'ldos', '-p', aiida_profile.name, *arguments])

    result = plot(str(finished.pk), '--on-axis', '-o', str(tmp_path / 'mn.png'))
    assert result.exit_code == 0, result.output
    assert '1 sites' in result.output
    assert (tmp_path / 'mn.png').stat().st_size > 10_000
    result = plot(str(finished.outputs.ldos.pk), '--all-sites', '-o', str(tmp_path / 'all.pdf'))
    assert '13 sites' in result.output
    result = plot(str(manganese.single.pk))
    assert result.exit_code == 1
    assert 'is no finished mlkkr.ldos' in result.output
