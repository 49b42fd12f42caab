"""Builders of the impurity self-consistency, and what is refused before anything is submitted."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from aiida_mlkkr.workflows.protocols import protocol_inputs, read_protocols

from .conftest import Copper

HOWTO = Path(__file__).parents[3] / 'docs' / 'source' / 'howto' / 'impurity_scf.md'


@pytest.fixture
def potential(copper: Copper) -> Any:
    """A function: the start potential of an element, changed as a text."""
    from aiida import orm

    def make(element: str, change: Any = lambda text: text) -> orm.SinglefileData:
        return orm.SinglefileData(BytesIO(change(copper.start(element).get_content()).encode()), filename='potential')

    return make


@pytest.fixture
def without_green(copper: Copper) -> Any:
    """The write-out of the archive as it would be had the Green function been left on the computer."""
    from aiida import orm
    from aiida.common.links import LinkType

    node = orm.CalcJobNode(computer=copper.writeout.computer, process_type=copper.writeout.process_type)
    for label in ('impurity_info', 'parameters', 'parent_folder'):
        node.base.links.add_incoming(copper.writeout.inputs[label], LinkType.INPUT_CALC, label)
    node.store()
    retrieved = orm.FolderData()
    content = copper.writeout.outputs.retrieved.base.repository.get_object_content('scoef', 'rb')
    retrieved.base.repository.put_object_from_bytes(content, 'scoef')
    remote = orm.RemoteData(remote_path='/nowhere', computer=copper.writeout.computer)
    for label, output in {'retrieved': retrieved, 'remote_folder': remote}.items():
        output.base.links.add_incoming(node, LinkType.CREATE, label)
        output.store()
    return remote


def test_three_words_are_enough(copper):
    builder = copper.builder('Mn')
    assert builder.impurity_info.get_dict() == {**copper.writeout.inputs.impurity_info.get_dict(), 'Zimp': [25.0]}
    assert builder.host_greenfunction == copper.greenfunction
    stages = builder.schedule['stages']
    assert stages[0]['QBOUND'] > stages[-1]['QBOUND']
    assert stages[-1]['QBOUND'] == 1e-6
    assert builder.starts.get_list() == ['emulator', 'startpot', 'standard', 'voronoi']
    assert builder.scf.kkrimp.metadata.options.resources['num_machines'] == 1
    assert 'parameters' not in builder.scf.kkrimp


@pytest.mark.parametrize(('protocol', 'convergence'), [('fast', 1e-4), ('balanced', 1e-6), ('precise', 1e-8)])
def test_protocols(copper, protocol, convergence):
    assert copper.builder('Al', protocol=protocol).schedule['stages'][-1]['QBOUND'] == convergence


def test_overrides_and_options(copper):
    builder = copper.builder(
        30,
        overrides={
            'guess_moments': False,
            'scf': {'max_iterations': 3, 'kkrimp': {'parameters': {'RUNFLAG': ['ldos']}}},
        },
        options={'queue_name': 'batch', 'account': 'jara0001', 'resources': {'tot_num_mpiprocs': 4}},
    )
    assert builder.guess_moments.value is False
    assert builder.scf.max_iterations.value == 3
    assert builder.scf.kkrimp.parameters.get_dict() == {'RUNFLAG': ['ldos']}
    options = builder.scf.kkrimp.metadata.options
    assert (options.queue_name, options.account) == ('batch', 'jara0001')
    assert options.resources == {'tot_num_mpiprocs': 4}
    assert options.max_wallclock_seconds > 0


def test_the_how_to(copper):
    """Its first lines lead to a builder."""
    text = HOWTO.read_text(encoding='utf-8')
    block = text.partition('```python\n')[2].partition('```')[0]
    names: dict[str, Any] = {}
    for wording, here in {
        'mlkkr-kkrimp@localhost': copper.code.full_label,
        'WRITEOUT_PK': str(copper.writeout.pk),
        'node = submit(builder)': '',
    }.items():
        assert wording in block
        block = block.replace(wording, here)
    exec(block, names)
    assert names['builder'].host_greenfunction == copper.greenfunction
    assert names['builder'].impurity_info['Zimp'] == [25.0]


def test_every_protocol_says_what_it_is_for():
    protocols = read_protocols('imp_scf')
    assert list(protocols['protocols']) == ['balanced', 'precise', 'fast']
    assert all(entry['description'] for entry in protocols['protocols'].values())
    assert all(entry['description'] for entry in read_protocols('schedules').values())


def test_a_schedule_of_ones_own(copper):
    stage = {'IMIX': 0, 'MIXFAC': 0.1, 'SCFSTEPS': 9, 'QBOUND': 1e-3}
    schedule = {'name': 'mine', 'initial_field': [0.0, 0], 'stages': [stage]}
    assert copper.builder('Al', overrides={'schedule': schedule}).schedule.get_dict() == schedule


@pytest.mark.parametrize(
    ('impurity', 'inputs', 'words'),
    [
        ('Xx', {}, 'there is no element Xx'),
        (['Mn', 'Mn'], {}, '2 impurity charges (Zimp) for 1 impurity positions'),
        (200, {}, 'there is no element with Z = 200'),
        ({'Rcut': 3.0, 'Zimp': [25]}, {}, 'host and cluster do not match: Rcut is 3.0, that of the write-out is 2.68'),
        (
            {'Rcut': 2.6802882540876, 'ilayer_center': 1, 'Zimp': [25]},
            {},
            'ilayer_center is 1, that of the write-out is 0',
        ),
        ({'imp_cls': [[0, 0, 0, 1, 29, 0]], 'Zimp': [25]}, {}, 'imp_cls has 1 sites, which are not the 13 sites'),
        ('Mn', {'magnetic_moments': [3, -3]}, '2 moments for 1 impurities'),
        ('Mn', {'magnetic_moments': float('nan')}, 'one number for each impurity is needed'),
        ('Mn', {'magnetic_moments': [[0.0, 0.0, 3.0]]}, 'one number for each impurity is needed'),
        ('Mn', {'overrides': {'convergence': -1.0}}, 'a number of Ry above 0, not -1.0'),
        ('Mn', {'overrides': {'convergence': '1e-6'}}, "a number of Ry above 0, not '1e-6'"),
        ('Mn', {'overrides': {'starts': ['standard', 'vorono']}}, 'there is no start vorono'),
        ('Mn', {'overrides': {'starts': ['emulator']}}, 'none of the starts emulator is given'),
        ('Mn', {'overrides': {'schedule': 'wild'}}, 'there is no schedule wild; there are default'),
        ('Mn', {'overrides': {'schedule': {'name': 'x', 'stages': [], 'initial_field': [0, 0]}}}, 'at least one stage'),
        ('Mn', {'protocol': 'quick'}, 'there is no protocol quick'),
    ],
)
def test_refused(copper, impurity, inputs, words):
    with pytest.raises(ValueError) as error:
        copper.builder(impurity, **inputs)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ('kkrimp', 'words'),
    [
        ({'parameters': {'MIXFAC': 0.1}}, 'MIXFAC belong to the schedule'),
        ({'parameters': {'MIXFAK': 0.1}}, 'knows no setting MIXFAK'),
        ({'parameters': {'INS': 1}}, 'INS= 1 (full potential) is not supported'),
        ({'parameters': {'NCOLL': 1}}, 'NCOLL= 1 is not supported'),
        ({'parameters': {'CALCJIJMAT': 1}}, 'CALCJIJMAT= 1 is no self-consistency'),
        ({'settings_LDAU': {'iatom=0': {'L': 2}}}, 'does not cover LDA+U'),
        ({'rimpshift': {'shifts': []}}, 'does not cover displaced impurities'),
        ({'initial_noco_angles': {'theta': []}}, 'does not cover non-collinear moments'),
    ],
)
def test_settings_that_are_refused(copper, kkrimp, words):
    with pytest.raises(ValueError) as error:
        copper.builder('Mn', overrides={'scf': {'kkrimp': kkrimp}})
    assert words in str(error.value)


def test_moments_need_two_spins(copper):
    with pytest.raises(ValueError, match='NSPIN is 1'):
        copper.builder('Mn', magnetic_moments=[2], overrides={'scf': {'kkrimp': {'parameters': {'NSPIN': 1}}}})


def test_potentials_of_another_cluster_are_refused(copper, potential):
    one_spin = potential('Mn', lambda text: _blocks(text, 26, step=2).replace('SPIN DOWN', ''))
    refused = {
        'its site 1 is Al, that of the cluster Mn': potential('Al'),
        'it has 2 sites, the cluster 13': potential('Mn', lambda text: _blocks(text, 4)),
        'it has 1 spin, the calculation 2': one_spin,
    }
    for words, startpot in refused.items():
        with pytest.raises(ValueError, match='startpot does not fit the cluster') as error:
            copper.builder('Mn', startpot=startpot)
        assert words in str(error.value)


def test_hosts_that_are_none(copper):
    with pytest.raises(ValueError, match='give either host_greenfunction'):
        copper.builder({'Zimp': [25], 'Rcut': 2.7}, host_greenfunction=None)
    with pytest.raises(ValueError, match='is not a finished write-out'):
        copper.builder({'Zimp': [25], 'Rcut': 2.7}, host_greenfunction=copper.host)
    voronoi = copper.calculation('Mn', 'VoronoiCalculation').outputs.remote_folder
    with pytest.raises(ValueError, match='is not the remote folder of a KkrCalculation'):
        copper.builder({'Zimp': [25], 'Rcut': 2.7}, host_greenfunction=voronoi)
    with pytest.raises(ValueError, match=r'is not a remote folder: take outputs\.remote_folder'):
        copper.builder('Mn', host_greenfunction=copper.writeout)
    with pytest.raises(ValueError, match='kkr is missing'):
        copper.builder({'Zimp': [25], 'Rcut': 2.7}, host=copper.host)
    with pytest.raises(ValueError, match='impurity is an impurity_info'):
        copper.builder('Mn', host=copper.host, kkr=copper.kkr)


def test_a_green_function_on_another_computer_is_refused(copper, without_green):
    with pytest.raises(ValueError, match='was not retrieved, it is on localhost'):
        copper.builder('Mn', host_greenfunction=without_green)


def test_codes_for_something_else(copper):
    with pytest.raises(ValueError, match=r'voronoi: a code for kkr\.voro is needed'):
        copper.builder('Mn', voronoi=copper.kkr)


@pytest.mark.parametrize(('registered', 'option'), [(True, True), (False, False), (None, False)])
def test_mpi_is_used_where_the_code_asks_for_it(copper, registered, option):
    from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

    kkrimp, kkr = (_jukkr(copper, plugin, registered) for plugin in ('kkr.kkrimp', 'kkr.kkr'))
    cluster = {**copper.writeout.inputs.impurity_info.get_dict(), 'Zimp': [25.0]}
    build = KkrImpScfWorkChain.get_builder_from_protocol
    assert build(kkrimp, 'Mn', host_greenfunction=copper.greenfunction).scf.kkrimp.metadata.options.withmpi is option
    assert copper.builder(cluster, host=copper.host, kkr=kkr).host_options['withmpi'] is option


def test_mpi_against_the_code_is_refused(copper):
    with pytest.raises(ValueError, match=r'withmpi is True, but .* is registered with with_mpi False'):
        copper.builder('Mn', options={'withmpi': True})


@pytest.mark.parametrize(
    ('z', 'overrides', 'words'),
    [
        (64.0, {'starts': ['emulator']}, 'Gd in place of Cu is out of the range of the model'),
        (25.0, {'scf': {'kkrimp': {'parameters': {'NSPIN': 1}}}}, 'nspin is 2 in one and 1 in the other'),
    ],
)
def test_a_model_is_checked_before_the_host_is_written_out(copper, emulator, z, overrides, words):
    cluster = {**copper.writeout.inputs.impurity_info.get_dict(), 'Zimp': [z]}
    with pytest.raises(ValueError, match=words):
        copper.builder(cluster, host=copper.host, kkr=copper.kkr, emulator=emulator, overrides=overrides)


def test_a_builder_filled_by_hand_is_checked_when_it_is_submitted(copper):
    from aiida.engine import run

    builder = copper.builder('Mn')
    builder.magnetic_moments = [1.0, 2.0]
    with pytest.raises(ValueError, match='2 moments for 1 impurities'):
        run(builder)


def test_jukkr_may_do_what_the_embedded_solver_cannot(copper):
    from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

    shifts = {'shifts': [[0.0, 0.0, 0.0]] * 13}
    builder = KkrImpScfWorkChain.get_builder_from_protocol(
        copper.calculation('Mn', 'KkrimpCalculation').inputs.code,
        'Mn',
        host_greenfunction=copper.greenfunction,
        overrides={'scf': {'kkrimp': {'parameters': {'NCOLL': 1}, 'rimpshift': shifts}}},
    )
    assert builder.scf.kkrimp.rimpshift.get_dict() == shifts


def test_defaults_of_the_ports_are_those_of_the_protocol(copper):
    from aiida_mlkkr.workflows.imp_scf import KkrImpScfWorkChain

    ports, values = KkrImpScfWorkChain.spec().inputs, protocol_inputs('imp_scf')
    for name in ('starts', 'guess_moments', 'max_predicted_error', 'retrieve_kkrflex'):
        default = ports[name].default()
        assert (default.get_list() if name == 'starts' else default.value) == values[name]


def _blocks(text: str, number: int, step: int = 1) -> str:
    """Some of the blocks of a potential file."""
    lines = text.splitlines(keepends=True)
    starts = [index for index, line in enumerate(lines) if 'POTENTIAL' in line] + [len(lines)]
    return ''.join(''.join(lines[starts[block] : starts[block + 1]]) for block in range(0, number, step))


def _jukkr(copper: Copper, plugin: str, with_mpi: bool | None) -> Any:
    """A code of JuKKR that is never run."""
    from aiida import orm

    return orm.InstalledCode(
        computer=copper.code.computer,
        filepath_executable='/opt/jukkr',
        default_calc_job_plugin=plugin,
        with_mpi=with_mpi,
    ).store()
