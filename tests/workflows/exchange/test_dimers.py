"""Pairs on the shells of a host: shapes, wishes, and what a group has already."""

from __future__ import annotations

import numpy as np
import pytest

ALONE = {'shells': 0, 'radius': None}
SCREENED = {'shells': 1, 'radius': None}


@pytest.fixture(scope='module')
def host(copper):
    from aiida_mlkkr.workflows.exchange.dimers import converged_host

    return converged_host(copper.writeout)


def test_the_host_is_found_from_what_belongs_to_it(copper, host, workchains):
    from aiida_mlkkr.workflows.exchange.dimers import converged_host

    assert host.uuid == copper.writeout.inputs.parent_folder.uuid
    for node in (host, host.creator, copper.greenfunction):
        assert converged_host(node).uuid == host.uuid
    with pytest.raises(ValueError, match='not a remote folder'):
        converged_host(workchains['Mn'].inputs.impurity_info)


def test_shells_of_fcc(host):
    """Distances in nearest neighbours, and sites of the pair with its nearest neighbours, counted by hand."""
    from aiida_mlkkr.workflows.exchange.dimers import dimer_shape

    shapes = [dimer_shape(host, shell, SCREENED) for shell in range(1, 7)]
    vectors = [np.subtract(*shape.cluster.positions[list(shape.cluster.impurity_sites)]) for shape in shapes]
    assert [vector @ vector for vector in vectors] == pytest.approx([1, 2, 3, 4, 5, 6])
    assert [shape.cluster.natom for shape in shapes] == [20, 22, 24, 25, 26, 26]
    assert shapes[1].name == 'Cu (alat 4.824), 22 sites, shell 2'
    assert dimer_shape(host, 6, ALONE).cluster.natom == 2


def test_each_pair_of_elements_once(host):
    from aiida_mlkkr.workflows.exchange.dimers import dimer_shape, wanted_dimers

    pairs = wanted_dimers(dimer_shape(host, 1, ALONE), [24, 25, 29])
    assert [pair.charges for pair in pairs] == [(24, 24), (24, 25), (25, 25)], 'copper in copper is no impurity'
    assert pairs[1].name == 'Cr-Mn in Cu (alat 4.824), 2 sites, shell 1'
    assert pairs[1].info['Zimp'] == [24.0, 25.0]


def test_pairs_are_told_apart(host):
    """By elements, shell and screening; the same plan made anew is the same."""
    from aiida_mlkkr.workflows.exchange.dimers import dimer_shape, wanted_dimers

    keys = [
        pair.key
        for shell in (1, 2)
        for screening in (ALONE, SCREENED)
        for pair in wanted_dimers(dimer_shape(host, shell, screening), [24, 25])
    ]
    assert len(set(keys)) == len(keys) == 12
    assert wanted_dimers(dimer_shape(host, 1, ALONE), [24])[0].key == keys[0]


def test_single_impurities_by_element(workchains):
    from aiida_mlkkr.workflows.exchange.dimers import single_impurities

    found = single_impurities(workchains.values())
    assert {z: impurity.process.uuid for z, impurity in found.items()} == {
        25: workchains['Mn'].uuid,
        30: workchains['Zn'].uuid,
    }


def test_elements_without_a_single_start_from_free_atoms(host, workchains, aiida_localhost):
    from aiida import orm

    from aiida_mlkkr.campaign.exchange import ExchangeFilling
    from aiida_mlkkr.workflows.exchange.dimers import dimer_shape, single_impurities, wanted_dimers

    def code(program: str, plugin: str) -> orm.InstalledCode:
        return orm.InstalledCode(
            label=f'{program}-of-dimers', computer=aiida_localhost, filepath_executable=f'/bin/{program}',
            default_calc_job_plugin=plugin, with_mpi=False,
        ).store()  # fmt: skip

    filling = ExchangeFilling(
        code('mlkkr-kkrimp', 'kkr.kkrimp'),
        code('mlkkr-kkrhost', 'kkr.kkr'),
        orm.Group('pairs-of-dimers').store(),
        ALONE,
        singles=single_impurities(workchains.values()),
    )
    pairs = wanted_dimers(dimer_shape(host, 1, ALONE), [24, 25])
    builders = {pair.charges: filling._build(pair) for pair in pairs}
    assert 'singles' not in builders[24, 25]._inputs(prune=True)
    assert set(builders[25, 25].singles) == {'Z25'}
    stages = {charges: len(builder.scf['schedule']['stages']) for charges, builder in builders.items()}
    assert stages == {(24, 24): 2, (24, 25): 2, (25, 25): 1}
    assert all('magnetic_moments' not in builder.scf for builder in builders.values())
