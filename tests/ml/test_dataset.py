from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from model_clusters import KIND, MESH, SITES, host, record, row

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.dataset import ImpurityDataset, merge
from aiida_mlkkr.ml.errors import DatasetError


def test_arrays_and_back() -> None:
    silver = host(47.0, alat=7.7)
    dataset = ImpurityDataset(KIND, (*row().impurities, record({0: 25.0, 1: 24.0}, silver, {1: -1})))
    arrays, description = dataset.to_arrays()
    assert all(array.dtype.kind in 'fib' for array in arrays.values())
    again = ImpurityDataset.from_arrays(arrays, description)
    assert again.kind == dataset.kind
    assert len(again.hosts) == 2
    for one, other in zip(dataset.impurities, again.impurities, strict=True):
        assert one.source == other.source
        assert not one.host.difference(other.host)
        for name in ('positions', 'layer', 'z', 'moments', 'charges', 'v', 'reference'):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_empty_dataset_and_back() -> None:
    arrays, description = ImpurityDataset(KIND, ()).to_arrays()
    assert ImpurityDataset.from_arrays(arrays, description).impurities == ()


def test_elements_and_leaving_one_out() -> None:
    dataset = ImpurityDataset(KIND, (record({0: 25.0}), record({0: 25.0, 3: 23.0}), record({0: 13.0})))
    assert dataset.elements == ('Al', 'V', 'Mn')
    assert dataset.without(25.0).elements == ('Al',)
    assert dataset.without(29.0).elements == dataset.elements  # atoms of the host are no impurities


def test_a_group_is_the_same_wherever_a_cluster_lies_and_however_it_is_turned() -> None:
    """Pairs of one shell are one impurity: a model that has seen one of them has seen all."""
    near = [record({0: 25.0, site: 24.0}).group for site in (1, 5, 12)] + [record({3: 24.0, 0: 25.0}).group]
    assert len(set(near)) == 1
    opposite = next(site for site in range(2, 13) if np.allclose(SITES[site], -SITES[1]))
    others = [record({1: 25.0, opposite: 24.0}), record({0: 25.0, 1: 25.0}), record({0: 25.0})]
    others.append(record({0: 25.0, 1: 24.0}, host(47.0, alat=7.7)))
    assert len({*near, *(one.group for one in others)}) == 5
    assert record({0: 25.0}).group == record({4: 25.0}, signs={4: -1}).group


def test_merge_takes_each_cluster_once() -> None:
    one, other = row(without=(25,)), row(without=(24,))
    assert merge([one, other]).elements == row().elements
    assert len(merge([one, other]).impurities) == len(row().impurities)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'lmax': 3}, 'lmax is 2 in one and 3 in the other'),
        ({'full_potential': True}, 'full_potential is False in one and True in the other'),
        ({'relativity': 'spin-orbit'}, 'relativity is scalar-relativistic in one and spin-orbit in the other'),
        ({'xc': 'GGA'}, 'xc is LDA-VWN in one'),
        ({'constants': 'other'}, 'constants is jukkr in one'),
    ],
)
def test_merge_refuses_another_kind(change: dict[str, object], message: str) -> None:
    other = ImpurityDataset(dataclasses.replace(KIND, **change), row().impurities)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=message):
        merge([row(), other])


def test_merge_of_nothing() -> None:
    with pytest.raises(DatasetError, match='the dataset is empty'):
        merge([ImpurityDataset(KIND, ())])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'lattice': host(47.0).lattice}, 'atoms of the cell are Cu .* and Ag'),
        ({'lattice': dataclasses.replace(host().lattice, cell=np.eye(3))}, 'the Bravais vectors differ'),
        ({'alat': 6.83}, 'lattice constants are 6.82000000 and 6.83000000 Bohr'),
        ({'meshes': (RadialMesh(0.03, 4.4e-4, 349),)}, 'radial meshes are'),
        ({'efermi': 0.61}, 'Fermi energies are 0.600000 and 0.610000 Ry'),
        ({'v': (host().v[0] + 0.01,)}, 'the potentials differ by 0.01 Ry'),
    ],
)
def test_hosts_that_differ(change: dict[str, object], message: str) -> None:
    other = dataclasses.replace(host(), **change)  # type: ignore[arg-type]
    assert not host().difference(host())
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(host().difference(other))


def test_a_host_is_the_same_within_its_convergence() -> None:
    assert not host().difference(dataclasses.replace(host(), v=(host().v[0] + 2e-5,)))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'z': np.full(12, 29.0)}, '12 nuclear charges, but entries of'),
        ({'layer': np.full(13, 2)}, 'its host has no atom 2'),
        ({'v': (np.zeros((2, 100)),) * 13}, 'site 1 has 100 points, its host 349'),
        ({'v': (np.full((2, MESH.n), np.nan),) * 13}, 'site 1 is not finite'),
        ({'z': np.array([25.5] + [29.0] * 12)}, r'among \[25\.5, .* is that of no element'),
        ({'z': np.array([np.nan] + [29.0] * 12)}, 'is that of no element'),
        ({'z': np.array([250.0] + [29.0] * 12)}, 'is that of no element'),
        ({'positions': np.full((13, 3), np.nan)}, 'its sites are in the same place, or nowhere'),
        ({'positions': SITES[[0, 0, *range(2, 13)]]}, 'its sites are in the same place, or nowhere'),
    ],
)
def test_clusters_that_do_not_fit(change: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        dataclasses.replace(record({0: 25.0}), **change)  # type: ignore[arg-type]


def test_spins_have_to_fit_the_kind() -> None:
    with pytest.raises(DatasetError, match=r'has \{2\} spins, the dataset 1'):
        ImpurityDataset(dataclasses.replace(KIND, nspin=1), row().impurities)


def test_damaged_arrays() -> None:
    arrays, description = row().to_arrays()
    with pytest.raises(DatasetError, match='do not fit together'):
        ImpurityDataset.from_arrays({**arrays, 'host_mesh': arrays['host_mesh'][:0]}, description)
    with pytest.raises(DatasetError, match='do not fit together'):
        ImpurityDataset.from_arrays({name: array for name, array in arrays.items() if name != 'potential'}, description)


def test_arrays_of_other_impurities_than_are_named() -> None:
    """Nothing is left out in silence, and no impurity gets another's host."""
    arrays, description = row().to_arrays()
    fewer = {**description, 'sources': description['sources'][:-1]}
    with pytest.raises(DatasetError, match='names 11 impurities, and has 12'):
        ImpurityDataset.from_arrays(arrays, fewer)
    changes = {
        'has no host or no site': {'impurity_host': arrays['impurity_host'] - 1},
        'potentials of no impurity': {'potential': np.tile(arrays['potential'], 2)},
        'or a site no impurity': {'site_z': np.tile(arrays['site_z'], 2)},
    }
    for message, change in changes.items():
        with pytest.raises(DatasetError, match=message):
            ImpurityDataset.from_arrays({**arrays, **change}, description)
