"""Datasets of finished impurities: what goes into them, and what stays out with which reason."""

from __future__ import annotations

import dataclasses
import io
import re

import numpy as np
import pytest

KKRIMP = 'aiida.calculations:kkr.kkrimp'


@pytest.fixture
def gather():
    """A function: the dataset of some impurities, and the process that made it."""
    from aiida_mlkkr.calculations.dataset import impurity_dataset

    return lambda **impurities: impurity_dataset.run_get_node(**impurities)


def test_everything_that_a_model_needs_is_in_it(copper, gather):
    from aiida_mlkkr.kkr.potential import read_potential

    node, process = gather(**copper)
    assert process.is_finished_ok
    assert node.spec.left_out == {}
    assert node.spec.hosts == ['Cu (alat 4.824)']
    assert node.spec.elements == ['Al', 'V', 'Cr', 'Mn', 'Fe', 'Ni', 'Zn']
    assert node.spec.number == len(copper) == 8
    assert node.spec.kind == {
        'full_potential': False,
        'nspin': 2,
        'lmax': 2,
        'relativity': 'scalar-relativistic',
        'xc': 'LDA-VWN',
        'constants': 'jukkr',
    }
    records = {record.source: record for record in node.dataset.impurities}
    manganese = records[copper['Mn']['retrieved'].uuid]
    assert manganese.moments.sum() == pytest.approx(3.76605, abs=1e-5)  # JuKKR's
    assert manganese.charges[0] == pytest.approx(24.631, abs=1e-3)
    stored = read_potential(io.StringIO(copper['Mn']['potential'].get_content()))
    for v, site in zip(manganese.v, stored.sites, strict=True):
        np.testing.assert_array_equal(v, [atom.v for atom in site])


def test_a_pair_has_two_moments(copper, pair, gather):
    node, _ = gather(Mn=copper['Mn'], pair=pair)
    assert node.spec.left_out == {}
    assert len(node.dataset.hosts) == 1
    (record,) = (record for record in node.dataset.impurities if len(record.z) == 2)
    np.testing.assert_allclose(record.moments, [3.017, 3.017], atol=1e-3)  # JuKKR's
    assert record.impurities.tolist() == [0, 1]


def test_a_green_function_left_on_the_computer_is_not_missed(copper, gather, folder):
    """The dataset needs the sites and the potential of the host only."""
    with_all, _ = gather(Fe=copper['Fe'])
    bare = folder(copper['Fe']['host_writeout'], without='kkrflex')
    without, _ = gather(Fe={**copper['Fe'], 'host_writeout': bare})
    assert without.spec == with_all.spec
    assert with_all.arrays.keys() == without.arrays.keys()
    for name, array in with_all.arrays.items():
        np.testing.assert_array_equal(without.arrays[name], array)


def test_the_potential_of_the_retrieved_folder_does(copper, gather):
    given, _ = gather(V=copper['V'])
    parts = {name: node for name, node in copper['V'].items() if name != 'potential'}
    found, _ = gather(V=parts)
    assert found.base.caching.compute_hash() == given.base.caching.compute_hash()


def test_what_cannot_be_used_is_left_out_with_the_reason(copper, gather, folder, archived_output):
    from aiida import orm

    manganese, host = copper['Mn'], copper['Mn']['host_writeout']

    def archived(name, impurity_info=manganese['impurity_info'], without='reference.json'):
        files = {key: content for key, content in archived_output(name).items() if key != without}
        return {'host_writeout': host, 'retrieved': folder(**files), 'impurity_info': impurity_info}

    workchain = manganese['retrieved'].creator.caller
    early = min((node for node in workchain.called if node.process_type == KKRIMP), key=lambda node: node.ctime)
    nickel, cobalt = orm.Dict({'Zimp': 28}), orm.Dict({'Zimp': 27})
    alone = orm.Dict({'Zimp': 25, 'imp_cls': [[0, 0, 0, 1, 25, 0]]})
    unsuitable = {
        'intermediate': (
            {**manganese, 'retrieved': early.outputs.retrieved},
            r'not converged, its error is \d\.\de-03',
        ),
        'stagnating': (archived('co_in_cu_stagnating', impurity_info=cobalt), 'not converged'),
        'false': (archived('ni_in_cu_false_convergence', impurity_info=nickel), r'\(Ni\) holds 18\.\d+ electrons'),
        'pair': (archived('mn_pair'), 'it has 2 sites, the cluster 13'),
        'no_log': ({**manganese, 'retrieved': folder()}, 'neither out_log.000.txt nor out_kkrimp was retrieved'),
        'no_potential': (archived('mn_in_cu', without='out_potential'), 'out_potential is missing'),
        'other_element': ({**manganese, 'impurity_info': nickel}, 'its site 1 is Mn, that of the cluster Ni'),
        'other_cluster': ({**manganese, 'impurity_info': alone}, 'imp_cls has 1 sites, which are not the 13'),
        'no_host': ({**manganese, 'host_writeout': folder(scoef='1\n')}, 'lacks out_potential, inputcard'),
        'bad_host': ({**manganese, 'host_writeout': folder(host, without='scoef', scoef='13\n 0 0 0')}, 'truncated'),
    }
    node, process = gather(Mn=manganese, **{name: parts for name, (parts, _) in unsuitable.items()})
    assert process.is_finished_ok
    assert node.spec.number == 1
    assert node.spec.left_out.keys() == unsuitable.keys()
    for name, (_, words) in unsuitable.items():
        assert re.search(words, node.spec.left_out[name]), node.spec.left_out[name]


def test_another_host_and_another_kind(copper, gather, folder):
    """The host's own potential has to have the impurity's mesh and Fermi energy; the kind is the first one's."""
    manganese, host = copper['Mn'], copper['Mn']['host_writeout']
    text = host.base.repository.get_object_content('out_potential')
    inputcard = host.base.repository.get_object_content('inputcard')
    shifted = folder(host, without='out_potential', out_potential=text.replace('0.66276', '0.67276'))
    finer = folder(host, without='out_potential', out_potential=text.replace('0.25000000D-01', '0.25100000D-01'))
    larger = folder(host, without=('kkrflex', 'inputcard'), inputcard=inputcard.replace('LMAX= 2', 'LMAX= 3'))
    node, _ = gather(
        first=copper['Fe'],
        shifted={**manganese, 'host_writeout': shifted},
        finer={**manganese, 'host_writeout': finer},
        larger={**manganese, 'host_writeout': larger},
    )
    assert node.spec.number == 1
    assert 'its Fermi energy is 0.66276' in node.spec.left_out['shifted']
    assert 'the radial meshes of its site 1 and of the host differ' in node.spec.left_out['finer']
    assert (
        node.spec.left_out['larger'] == 'it is of another kind than the first one: lmax is 2 in one and 3 in the other'
    )


def test_a_magnetic_host_is_refused(copper, gather, folder):
    """The spin splitting of such a host is not learnt, and does not turn with the moment of the impurity."""
    from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential, write_potential

    host = copper['Mn']['host_writeout']
    ((down, up),) = read_potential(io.StringIO(host.base.repository.get_object_content('out_potential'))).sites
    text = io.StringIO()
    write_potential(ImpurityPotential(((down, dataclasses.replace(up, v=up.v - 0.01)),)), text)
    magnetic = folder(host, without='out_potential', out_potential=text.getvalue())
    node, _ = gather(Mn={**copper['Mn'], 'host_writeout': magnetic})
    assert node.spec.left_out == {'Mn': 'its host is magnetic; models learn impurities in hosts that are not'}


def test_a_shard_in_which_nothing_can_be_used_is_empty(copper, gather, folder):
    node, process = gather(lost={**copper['Mn'], 'host_writeout': folder()})
    assert process.is_finished_ok
    assert node.spec.number == 0
    assert node.dataset is None
    assert node.spec.left_out.keys() == {'lost'}


def test_an_incomplete_namespace_is_refused(copper, gather):
    parts = {**copper['Mn'], 'host_writeout': copper['Mn']['impurity_info']}
    del parts['retrieved']
    _, process = gather(Mn=parts)
    assert process.exit_status == 220
    assert 'the inputs of impurity Mn lack retrieved, host_writeout' in process.exit_message


def test_nodes_of_other_types_are_refused(copper, gather):
    _, process = gather(Mn=copper['Mn']['retrieved'])
    assert 'the inputs of impurity Mn lack retrieved, impurity_info, host_writeout,' in process.exit_message
    _, process = gather(Mn={**copper['Mn'], 'potential': copper['Mn']['impurity_info']})
    assert process.exit_status == 220
    assert 'the inputs of impurity Mn lack potential, or these are no such nodes' in process.exit_message


def test_it_is_taken_from_the_cache(copper, gather):
    from aiida.manage.caching import enable_caching

    node, process = gather(Cr=copper['Cr'], Zn=copper['Zn'])
    with enable_caching():
        again, cached = gather(Cr=copper['Cr'], Zn=copper['Zn'])
        _, other = gather(Cr=copper['Cr'])
    assert cached.base.caching.get_cache_source() == process.uuid
    assert not other.base.caching.is_created_from_cache
    assert again.base.caching.compute_hash() == node.base.caching.compute_hash()
