"""The write-out of a host by mlkkr-kkrhost, from the database to the impurity."""

from __future__ import annotations

import numpy as np
import pytest
from this_machine import code_on

from aiida_mlkkr.kkr.kkrflex import read_green

QUICK = {
    'name': 'quick',
    'initial_field': [0.0, 0],
    'stages': [{'IMIX': 0, 'MIXFAC': 0.03, 'SCFSTEPS': 30, 'QBOUND': 5e-2}],
}
"""An atom of the host is converged from the start."""

SMALL = {'BZDIVIDE': [4, 4, 4], 'RCLUSTZ': 1.1, 'NPT2': 4, '<SET_KMESH_LARGE>': False}


@pytest.fixture(scope='module')
def written(copper):
    """By the workchain, with the parameters of JuKKR's write-out in the archive."""
    from aiida.engine import run_get_node

    from aiida_mlkkr.workflows.host_writeout import HostWriteoutWorkChain

    builder = HostWriteoutWorkChain.get_builder_from_protocol(
        copper.code, copper.host, copper.writeout.inputs.impurity_info, protocol='fast'
    )
    return run_get_node(builder).node


def green_of(retrieved):
    with retrieved.base.repository.as_path('kkrflex_green') as path:
        green = read_green(path)
        return green.energies.copy(), np.array(green.values)


def test_the_green_function_of_jukkr(copper, written):
    assert written.is_finished_ok, written.exit_message
    energies, values = green_of(written.outputs.retrieved)
    reference_energies, reference = green_of(copper.writeout.outputs.retrieved)
    np.testing.assert_allclose(energies, reference_energies, rtol=0, atol=1e-14)
    largest = np.abs(reference).max(axis=(2, 3), keepdims=True)
    assert np.abs((values - reference) / largest).max() < 1e-6


def test_the_parameters_that_are_read(copper, written):
    ours = written.outputs.output_parameters.get_dict()
    theirs = copper.writeout.outputs.output_parameters.get_dict()
    for key in ('nspin', 'number_of_atoms_in_unit_cell', 'use_newsosol', 'fermi_energy_units', 'alat_internal_unit'):
        assert ours[key] == theirs[key]
    assert ours['alat_internal'] == pytest.approx(theirs['alat_internal'], abs=1e-8)
    # JuKKR shifts it to neutrality after the write-out
    assert ours['fermi_energy'] == pytest.approx(theirs['fermi_energy'], abs=1e-5)
    assert ours['convergence_group']['charge_neutrality'] == pytest.approx(-2e-6, abs=1e-6)
    contour = ours['energy_contour_group']
    assert (contour['emin'], contour['number_of_energy_points']) == (-0.5, 30)
    assert ours['core_states_group']['number_of_core_states_per_atom'] == [5, 5]
    assert ours['mlkkr_group'] == {'number_of_sites_in_cluster': 13}
    assert ours['warnings_group']['number_of_warnings'] == 0


def test_jukkrs_own_files_give_the_same(copper, written):
    from pathlib import Path

    from aiida_mlkkr.kkr.writeout import read_summary
    from aiida_mlkkr.parsers.kkr import output_parameters

    with copper.writeout.outputs.retrieved.base.repository.as_path() as folder:
        theirs = output_parameters(read_summary(Path(folder)))
    ours = written.outputs.output_parameters.get_dict()
    assert theirs.keys() == ours.keys()
    assert theirs['code_info_group']['calculation_serial_number'].startswith('JuKKR_')
    assert ours['code_info_group']['calculation_serial_number'].startswith('mlkkr-kkrhost_')
    assert theirs['convergence_group'] == {'charge_neutrality': -2e-6, 'charge_neutrality_unit': 'electrons'}


def test_an_impurity_takes_it(copper, written, kkrimp_code):
    from aiida.engine import run_get_node

    from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

    builder = KkrImpScfWorkChain.get_builder_from_protocol(
        kkrimp_code,
        copper.writeout.inputs.impurity_info.get_dict() | {'Zimp': [29.0]},
        host_greenfunction=written.outputs.host_greenfunction,
        magnetic_moments=[0],
        overrides={'schedule': QUICK},
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.results['impurity_charges'][0] == pytest.approx(29.0, abs=1e-3)


def test_files_left_on_the_computer(copper):
    """KKRimp finds them there."""
    from aiida import orm
    from aiida.engine import run_get_node

    from aiida_mlkkr.workflows.host_writeout import HostWriteoutWorkChain
    from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

    builder = HostWriteoutWorkChain.get_builder_from_protocol(
        copper.code, copper.host, copper.writeout.inputs.impurity_info, protocol='fast', overrides={'overwrite': SMALL}
    )
    builder.kkr.retrieve_kkrflex = orm.Bool(False)
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    assert 'kkrflex_green' not in node.outputs.retrieved.base.repository.list_object_names()
    assert 'kkrflex_green' in node.outputs.host_greenfunction.listdir()
    assert node.outputs.output_parameters['energy_contour_group']['number_of_energy_points'] is None
    assert node.outputs.output_parameters['warnings_group']['number_of_warnings'] == 1
    builder = KkrImpScfWorkChain.get_builder_from_protocol(
        code_on(copper.code.computer, 'mlkkr-kkrimp', 'kkr.kkrimp'),
        29,
        host_greenfunction=node.outputs.host_greenfunction,
        overrides={'schedule': QUICK},
    )
    impurity = next(
        call for call in run_get_node(builder).node.called_descendants if 'host_Greenfunction_folder' in call.inputs
    )
    assert 'kkrflex_green' in impurity.outputs.remote_folder.listdir()
    # read, and recognised as too coarse
    assert 'from that of free electrons' in impurity.exit_message


def test_refused_input(copper):
    from aiida.engine import run_get_node

    from aiida_mlkkr.workflows.host_writeout import HostWriteoutWorkChain

    builder = HostWriteoutWorkChain.get_builder_from_protocol(
        copper.code, copper.host, copper.writeout.inputs.impurity_info, overrides={'overwrite': {'HFIELD': 0.1}}
    )
    node = run_get_node(builder).node
    assert node.exit_status == 210
    assert 'HFIELD= 0.1 is not supported by mlkkr-kkrhost' in node.exit_message
    assert len(node.called) == 2  # the parameters and one calculation


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'impurity_info': {'Zimp': 25.0}}, 'neither Rcut nor imp_cls'),
        ({'overwrite': {'BZDIVID': [3, 3, 3]}}, 'does not know BZDIVID'),
        ({'host': 'impurity'}, 'is not the remote folder of a KkrCalculation'),
        ({'code': 'kkrimp'}, 'a code for kkr.kkr is needed'),
    ],
)
def test_refused_before_it_is_submitted(copper, kkrimp_code, changed, message):
    from aiida import orm

    from aiida_mlkkr.workflows.host_writeout.validators import validate_inputs

    inputs = {
        'kkr': {'code': kkrimp_code if 'code' in changed else copper.code},
        'host': copper.host,
        'impurity_info': orm.Dict(changed.get('impurity_info', {'Rcut': 3.0, 'Zimp': 25.0})),
    }
    assert validate_inputs(inputs, None) is None or 'code' in changed or 'impurity_info' in changed
    if 'overwrite' in changed:
        inputs['overwrite'] = orm.Dict(changed['overwrite'])
    if 'host' in changed:
        inputs['host'] = orm.RemoteData(computer=copper.code.computer, remote_path='/tmp').store()
    assert message in validate_inputs(inputs, None)


def test_a_calculation_that_breaks_down_is_done_once_more(copper):
    """A stand-in that writes nothing."""
    from aiida import orm
    from aiida.engine import run_get_node

    from aiida_mlkkr.workflows.host_writeout import HostWriteoutWorkChain

    broken = orm.InstalledCode(
        label='broken',
        default_calc_job_plugin='kkr.kkr',
        computer=copper.code.computer,
        filepath_executable='/bin/false',
        with_mpi=False,
    )
    builder = HostWriteoutWorkChain.get_builder_from_protocol(
        broken.store(), copper.host, copper.writeout.inputs.impurity_info, protocol='fast'
    )
    node = run_get_node(builder).node
    assert node.exit_status == 410
    assert 'kkrflex_atominfo' in node.exit_message
    assert [called.exit_status for called in node.called if called.process_label == 'KkrCalculation'] == [310, 310]
