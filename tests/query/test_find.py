"""Finished impurities are found in databases of every age, each once, and what is not usable is named."""

from __future__ import annotations

import io

import pytest
from past_database import files_of, folder_of, packed

FALSE, STAGNATING, LOST = 'ni_in_cu_false_convergence', 'co_in_cu_stagnating', 'in_in_cu_core_state_lost'


def reasons(found):
    return {node.pk: reason for node, reason in found.dropped}


def processes(found):
    return [impurity.process.pk for impurity in found.usable]


@pytest.fixture
def find(copper):
    from aiida_mlkkr.query import find_impurities

    return find_impurities


def test_impurities_of_the_archive(copper, stages, find):
    from aiida import orm

    group = orm.Group('found in copper').store()
    group.add_nodes(list(copper.values()))
    found = find('found in copper')
    assert (found.dropped, found.others) == ([], 0)
    assert sorted(processes(found)) == sorted(node.pk for node in copper.values())
    times = [impurity.retrieved.ctime for impurity in found.usable]
    assert times == sorted(times)
    mn = next(impurity for impurity in found.usable if impurity.elements == ('Mn',))
    last = stages('Mn')[-1]
    assert mn.label == 'imp Cu fcc Z=25 v2'
    assert mn.uuid == mn.retrieved.uuid == last.outputs.retrieved.uuid
    assert mn.potential.uuid == copper['Mn'].outputs.converged_potential.uuid
    assert mn.impurity_info.uuid == copper['Mn'].inputs.impurity_info.uuid
    assert mn.host_writeout.uuid == copper['Mn'].outputs.remote_data_gf.creator.outputs.retrieved.uuid


def test_what_is_inside_of_a_workchain_is_not_counted_twice(copper, stages, find):
    mn = copper['Mn']
    found = find(nodes=[*mn.called_descendants, mn])
    assert processes(found) == [mn.pk]
    assert found.dropped == []
    # any part of it stands for the whole
    assert processes(find(nodes=stages('Mn')[:1])) == [mn.pk]
    assert processes(find(nodes=[node for node in mn.called if node.process_label == 'kkr_imp_sub_wc'])) == [mn.pk]


def test_other_nodes_are_counted_only(copper, find):
    writeout = copper['Mn'].outputs.remote_data_gf.creator
    found = find(nodes=[copper['Mn'], writeout, writeout.outputs.retrieved])
    assert (len(found.usable), found.dropped, found.others) == (1, [], 2)


def test_of_calculations_that_continue_one_another_the_last_one_counts(past, manganese, find):
    (early, late), inputs = manganese
    first = past.kkrimp(early, inputs)
    second = past.kkrimp(late, inputs, parent=first)
    found = find(nodes=[first, second])
    assert (processes(found), found.dropped) == ([second.pk], [])
    # the first stage alone is not converged
    assert reasons(find(nodes=[first])) == {first.pk: 'it is not converged, its error is 9.9e-03 Ry'}
    # a continuation that failed leaves the one before it, and neither is named twice
    lost = past.kkrimp({**late, 'out_potential': b''}, inputs, parent=second, exit_status=302)
    found = find(nodes=[first, second, lost])
    assert processes(found) == [second.pk]
    assert reasons(found) == {lost.pk: 'out_potential is empty'}
    broken = past.kkrimp({**early, 'out_potential': b''}, inputs, parent=first)
    assert reasons(find(nodes=[first, broken])) == {broken.pk: 'out_potential is empty'}


def test_the_same_potential_counts_once(past, manganese, find):
    """A calculation that AiiDA took from its cache."""
    (_, late), inputs = manganese
    one, other = past.kkrimp(late, inputs), past.kkrimp(late, inputs)
    found = find(nodes=[one, other])
    assert processes(found) == [other.pk]
    assert reasons(found) == {one.pk: f'the same potential as that of {other.pk}'}


def test_densities_of_states_and_exchange_tensors_do_not_hide_the_calculation_before_them(past, manganese, find):
    from aiida import orm

    (_, late), inputs = manganese
    scf = past.kkrimp(late, inputs)
    jij = past.kkrimp(late, {**inputs, 'parameters': orm.Dict({'CALCJIJMAT': 1})}, parent=scf)
    writeout = past.process(
        orm.CalcJobNode,
        'KkrCalculation',
        {'parameters': orm.Dict({'NPOL': 0})},
        process_type='aiida.calculations:kkr.kkr',
    )
    remote = orm.RemoteData(remote_path='/scratch/dos', computer=writeout.computer)
    past.output(writeout, remote, 'remote_folder')
    dos = past.kkrimp(late, {**inputs, 'host_Greenfunction_folder': remote}, parent=scf)
    found = find(nodes=[scf, jij, dos])
    assert processes(found) == [scf.pk]
    assert reasons(found) == {
        jij.pk: 'exchange tensors, no self-consistency',
        dos.pk: 'a density of states, no self-consistency',
    }


def workchain(past, calculations, inputs, **options):
    """A ``kkr_imp_wc`` with its ``kkr_imp_sub_wc``; ``calculations`` makes what that one calls."""
    from aiida import orm

    outer = past.process(orm.WorkChainNode, 'kkr_imp_wc', inputs, **options)
    inner = past.process(orm.WorkChainNode, 'kkr_imp_sub_wc', inputs, caller=outer, **options)
    calculations(inner)
    return outer, inner


def test_packed_files_of_aiida_kkr_1(past, manganese, find):
    """Only ``kkr_imp_sub_wc`` returns the potential, a file without creator; impurity_info is the write-out's."""
    from aiida import orm

    (early, late), inputs = manganese
    inputs = {name: node for name, node in inputs.items() if name != 'impurity_info'}

    def run(caller):
        first = past.kkrimp(packed(early), inputs, caller=caller)
        past.kkrimp(packed(late), inputs, parent=first, caller=caller)

    outer, inner = workchain(past, run, {})
    potential = orm.SinglefileData(io.BytesIO(late['out_potential']), filename='out_potential')
    past.output(inner, potential, 'host_imp_pot')
    found = find(nodes=[outer])
    assert found.dropped == []
    (impurity,) = found.usable
    assert impurity.process.pk == outer.pk
    assert impurity.potential.pk == potential.pk
    assert impurity.retrieved.base.repository.list_object_names() == ['_scheduler-stderr.txt', 'output_all.tar.gz']
    writeout = inputs['host_Greenfunction_folder'].creator
    assert impurity.impurity_info.pk == writeout.inputs.impurity_info.pk
    assert impurity.elements == ('Mn',)


def test_of_the_starts_of_a_workchain_the_one_counts_that_it_ended_with(past, manganese, archived_output, find):
    """``KkrImpScfWorkChain``: a false solution, then a good one whose file it returns, then one that was not needed."""
    from aiida import orm

    (early, late), inputs = manganese
    outer = past.process(orm.WorkChainNode, 'KkrImpScfWorkChain', {})

    def start(files):
        base = past.process(orm.WorkChainNode, 'KkrimpBaseWorkChain', {}, caller=outer)
        return past.kkrimp(files, inputs, caller=base)

    start(archived(archived_output, FALSE))
    good = start(late)
    start(early)
    function = past.process(orm.CalcFunctionNode, 'impurity_scf_results', {'retrieved': good.outputs.retrieved})
    potential = orm.SinglefileData(io.BytesIO(late['out_potential']), filename='potential')
    past.output(function, potential, 'converged_potential')
    past.output(outer, potential, 'converged_potential')
    found = find(nodes=[outer])
    assert (processes(found), found.dropped) == ([outer.pk], [])
    assert found.usable[0].retrieved.pk == good.outputs.retrieved.pk
    assert found.usable[0].potential.pk == potential.pk


def test_links_of_aiida_0(past, manganese, find):
    from aiida import orm

    (_, late), inputs = manganese
    old = {
        'GFhost_folder': inputs['host_Greenfunction_folder'],
        'parameters': inputs['parameters'],
        'impurity_info': orm.Dict({**inputs['impurity_info'].get_dict(), 'Zimp': 25}),  # one number was allowed
    }
    calculation = past.kkrimp(late, old, label='Legacy JobCalculation', exit_status=2)
    (impurity,) = find(nodes=[calculation]).usable
    assert impurity.elements == ('Mn',)
    assert impurity.label == 'Mn'


def test_workchains_that_call_impurity_workchains(past, manganese, find):
    """Such as ``combine_imps_wc``: each impurity workchain in it counts for itself."""
    from aiida import orm

    (early, late), inputs = manganese
    above = past.process(orm.WorkChainNode, 'combine_imps_wc', {})
    inner = past.process(orm.WorkChainNode, 'kkr_imp_sub_wc', {}, caller=above)
    first = past.kkrimp(early, inputs, caller=inner)
    past.kkrimp(late, inputs, parent=first, caller=inner)
    jij = past.kkrimp(late, {**inputs, 'parameters': orm.Dict({'CALCJIJMAT': 1})}, caller=above)
    found = find(nodes=[above])
    assert processes(found) == [inner.pk]
    assert reasons(found) == {jij.pk: 'exchange tensors, no self-consistency'}


def archived(archived_output, name):
    files = archived_output(name)
    del files['reference.json']
    return files


def test_real_failures(past, manganese, archived_output, find):
    """Exit codes do not tell: the false solution ended with 0, the excepted parser left a good potential."""
    (_, late), inputs = manganese

    def call(files, **options):
        return lambda caller: past.kkrimp(files, inputs, caller=caller, **options)

    false, _ = workchain(past, call(archived(archived_output, FALSE)), {})
    stagnating, _ = workchain(past, call(archived(archived_output, STAGNATING)), {}, exit_status=130)
    lost, _ = workchain(past, call(archived(archived_output, LOST), exit_status=302), {}, state='excepted')
    excepted = past.kkrimp(late, inputs, state='excepted', exit_status=None)
    found = find(nodes=[false, stagnating, lost, excepted])
    assert processes(found) == [excepted.pk]
    found_reasons = reasons(found)
    assert found_reasons.keys() == {false.pk, stagnating.pk, lost.pk}
    assert found_reasons[false.pk].startswith('it is not physical: site 1 (Ni) holds 18.26 electrons, 9.74 fewer')
    assert found_reasons[stagnating.pk].startswith('it is not converged, its error is')
    assert 'a core state was not found' in found_reasons[lost.pk]


def test_what_a_database_lacks_is_named(past, manganese, find):
    from aiida import orm

    (_, late), inputs = manganese
    writeout = inputs['host_Greenfunction_folder'].creator
    nothing = past.process(orm.WorkChainNode, 'kkr_imp_wc', {}, exit_status=144)
    cleaned = past.kkrimp({}, inputs)
    unretrieved = past.kkrimp(None, inputs, state='killed', exit_status=None)
    running = past.kkrimp(None, inputs, state='waiting', exit_status=None)
    remote = orm.RemoteData(remote_path='/scratch/gf', computer=writeout.computer)
    no_writeout = past.kkrimp(late, {**inputs, 'host_Greenfunction_folder': remote})
    empty = past.process(orm.CalcJobNode, 'KkrCalculation', {}, process_type='aiida.calculations:kkr.kkr')
    gone = past.output(empty, orm.RemoteData(remote_path='/scratch/gone', computer=remote.computer), 'remote_folder')
    files = {name: content for name, content in files_of(writeout.outputs.retrieved).items() if name != 'scoef'}
    past.output(empty, folder_of(files), 'retrieved')
    no_host_file = past.kkrimp(late, {**inputs, 'host_Greenfunction_folder': gone})
    found = find(nodes=[nothing, cleaned, unretrieved, running, no_writeout, no_host_file])
    assert found.usable == []
    assert reasons(found) == {
        nothing.pk: 'finished with exit status 144: None, without any output of KKRimp',
        cleaned.pk: 'its files are gone from the database',
        unretrieved.pk: 'killed, without any output of KKRimp',
        running.pk: 'not finished: it is waiting',
        no_writeout.pk: 'the calculation that wrote the Green function of its host is not in the database',
        no_host_file.pk: f'scoef of the write-out of its host ({empty.pk}) is not in the database',
    }


@pytest.mark.parametrize('kind', ['element', 'lower', 'pk', 'uuid', 'beginning', 'potential'])
def test_exclude(copper, find, kind):
    mn = copper['Mn']
    item = {
        'element': 'Mn',
        'lower': 'mn',
        'pk': mn.pk,
        'uuid': mn.uuid,
        'beginning': mn.uuid[:8],
        'potential': str(mn.outputs.converged_potential.pk),
    }[kind]
    found = find(nodes=[mn, copper['Cr']], exclude=[item])
    assert processes(found) == [copper['Cr'].pk]
    (reason,) = reasons(found).values()
    assert reason.startswith('excluded (')


def test_what_is_excluded_does_not_come_back_by_its_first_stage(past, manganese, find):
    (_, late), inputs = manganese
    first = past.kkrimp(late, inputs)
    second = past.kkrimp(late, inputs, parent=first)
    found = find(nodes=[first, second], exclude=[second.pk])
    assert (found.usable, reasons(found)) == ([], {second.pk: f'excluded ({second.pk})'})


def test_mistakes_are_named(copper, find):
    from aiida_mlkkr.query import QueryError

    with pytest.raises(QueryError, match='no_such_group'):
        find('no_such_group')
    with pytest.raises(QueryError, match='there is no impurity 999999, Co to exclude'):
        find(nodes=[copper['Mn']], exclude=['Co', 999999])
    with pytest.raises(QueryError, match="cannot exclude 'Manganese'"):
        find(nodes=[copper['Mn']], exclude=['Manganese'])
    assert find(nodes=[]).usable == []
