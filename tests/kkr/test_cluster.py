from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.cluster import HostLattice, Impurity, ImpurityCluster, count_shells, read_scoef, write_scoef
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.kkrflex import read_atominfo, write_atominfo

DATA = Path(__file__).parents[1] / 'data'
A_CU = 3.61
HALF = A_CU / 2
FCC = HostLattice(
    cell=np.array([[0.0, HALF, HALF], [HALF, 0.0, HALF], [HALF, HALF, 0.0]]),
    positions=np.zeros((1, 3)),
    z=np.array([29.0]),
)
# two different sites, as in CsCl
CSCL = HostLattice(cell=np.eye(3) * 3.0, positions=np.array([[0.0, 0, 0], [1.5, 1.5, 1.5]]), z=np.array([55.0, 17.0]))
NEIGHBOUR = (0.5**0.5, 0.5**0.5, 0.0)


def test_a_cutoff_makes_the_very_file_of_aiida_kkr(tmp_path):
    """The scoef file that aiida-kkr wrote for the Cu host, from the impurity_info of the calculation."""
    info = {'Rcut': 2.6802882540876, 'ilayer_center': 0, 'Zimp': [25.0]}
    cluster = ImpurityCluster.from_impurity_info(info, FCC)
    path = tmp_path / 'scoef'
    write_scoef(cluster, path)
    assert path.read_bytes() == (DATA / 'kkr' / 'cu13_scoef').read_bytes()
    assert (cluster.natom, cluster.impurity_sites, cluster.z_impurity) == (13, (0,), (25,))
    np.testing.assert_array_equal(cluster.z, [25.0] + [29.0] * 12)


@pytest.mark.parametrize('name', ['kkr/cu13_scoef', 'mn_pair/calc0/scoef'])
def test_scoef_files_come_back_byte_for_byte(tmp_path, name):
    path = tmp_path / 'scoef'
    write_scoef(read_scoef(DATA / name), path)
    assert path.read_bytes() == (DATA / name).read_bytes()


def test_atominfo_of_the_impurity_is_that_of_a_real_calculation(tmp_path):
    cluster = read_scoef(DATA / 'kkr' / 'cu13_scoef')
    real = read_atominfo(DATA / 'kkr' / 'cu13_kkrflex_atominfo')
    np.testing.assert_allclose(cluster.positions, real.positions, atol=5.1e-17)
    path = tmp_path / 'kkrflex_atominfo'
    write_atominfo(cluster.atominfo(2, real.serial), path)
    assert path.read_bytes() == (DATA / 'kkr' / 'cu13_kkrflex_atominfo').read_bytes()

    pair = read_scoef(DATA / 'mn_pair' / 'calc0' / 'scoef').with_impurities([25, 25], [[0, 0, 0], NEIGHBOUR])
    serial = (DATA / 'mn_pair' / 'calc0' / 'kkrflex_atominfo').read_text().splitlines()[0]
    write_atominfo(pair.atominfo(2, serial), path)
    assert path.read_bytes() == (DATA / 'mn_pair' / 'calc0' / 'kkrflex_atominfo').read_bytes()


def test_shells_of_fcc_and_cscl():
    fcc = FCC.sites_within(1.01 * A_CU * 1.5**0.5)
    # in units of the nearest-neighbour distance, which aiida-kkr takes for the lattice constant
    shells = count_shells(fcc[:, 5])
    assert [count for _, count in shells] == [1, 12, 6, 24]
    np.testing.assert_allclose([distance for distance, _ in shells], np.sqrt([0, 1, 2, 3]), rtol=1e-12)
    around_cl = CSCL.sites_within(3.1, centre=1)
    assert [count for _, count in count_shells(around_cl[:, 5])] == [1, 8, 6]
    np.testing.assert_array_equal(around_cl[:, 4], [17.0] + [55.0] * 8 + [17.0] * 6)
    np.testing.assert_array_equal(around_cl[:, 3], [2.0] + [1.0] * 8 + [2.0] * 6)
    assert count_shells([]) == []


def test_every_site_in_the_sphere_is_found_in_a_skew_cell():
    """A skew cell of the same lattice finds as many sites as the cubic one."""
    skew = HostLattice(
        np.array([[1.0, 0, 0], [5.0, 1.0, 0], [7.0, 9.0, 1.0]]), np.zeros((1, 3)), np.array([29.0]), alat=1.0
    )
    cubic = HostLattice(np.eye(3), np.zeros((1, 3)), np.array([29.0]))
    for radius in (1.1, 2.3, 3.7):
        found, expected = (np.array(count_shells(host.sites_within(radius)[:, 5])) for host in (skew, cubic))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_cylinder_and_film():
    disc = FCC.sites_within(3.7, height=0.1, axis=[0, 0, 1])
    assert np.abs(disc[:, 2]).max() == 0.0
    assert [count for _, count in count_shells(disc[:, 5])] == [1, 4, 4]
    along = FCC.sites_within(3.7, height=0.1, axis=[1, 0, 0])
    assert np.abs(along[:, 0]).max() == 0.0
    film = HostLattice(CSCL.cell, CSCL.positions, CSCL.z, periodic_z=False)
    assert [count for _, count in count_shells(film.sites_within(3.1, centre=1)[:, 5])] == [1, 4, 4]
    assert film.lattice_constant == 3.0


def test_pair_of_impurities_alone_is_the_real_cluster():
    pair = ImpurityCluster.from_lattice(FCC, [Impurity(25), Impurity(25, position=(0.70710678, 0.70710678, 0.0))])
    real = read_scoef(DATA / 'mn_pair' / 'gf' / 'scoef')
    np.testing.assert_allclose(pair.table(), real.table(), atol=1e-12)
    assert (pair.impurity_sites, pair.z_impurity) == ((0, 1), (25, 25))


@pytest.mark.parametrize(
    ('offset', 'natom', 'second'),
    [
        (NEIGHBOUR, 20, 12),  # nearest neighbours share four neighbours and are neighbours of each other: 2 * 13 - 6
        ((2**0.5, 0.0, 0.0), 22, 13),  # second neighbours share four
        ((2**0.5, 2**0.5, 0.0), 25, 13),  # fourth neighbours share the one in the middle
        ((4 * 0.5**0.5, 4 * 0.5**0.5, 0.0), 26, 13),
    ],
)
def test_shells_of_two_impurities_are_joined(offset, natom, second):
    cluster = ImpurityCluster.from_lattice(FCC, [Impurity(25), Impurity(24, position=offset)], cutoff=2.7)
    assert cluster.natom == natom
    assert cluster.impurity_sites == (0, second)
    assert cluster.z_impurity == (25, 24)
    assert sorted(cluster.z) == [24.0, 25.0] + [29.0] * (natom - 2)
    np.testing.assert_allclose(cluster.positions[second], offset, atol=1e-12)
    np.testing.assert_allclose(cluster.distance, np.linalg.norm(cluster.positions, axis=1), atol=1e-12)
    for site in cluster.impurity_sites:
        around = np.linalg.norm(cluster.positions - cluster.positions[site], axis=1)
        assert count_shells(around)[1] == (pytest.approx(1.0), 12)
    cluster.check_on_lattice(FCC)


def test_three_impurities_on_different_layers():
    impurities = [
        Impurity(25, layer=1),
        Impurity(24, layer=0, position=(0.5, 0.5, 0.5)),
        Impurity(0, 1, (0.0, 0.0, 1.0)),
    ]
    cluster = ImpurityCluster.from_lattice(CSCL, impurities, cutoff=2.7)
    # 9 around the first; the second is one of them and brings 7; the third is one of these and brings 4
    assert cluster.natom == 9 + 7 + 4
    assert cluster.z_impurity == (25, 24, 0)
    np.testing.assert_array_equal(cluster.layer[list(cluster.impurity_sites)], [2, 1, 2])
    cluster.check_on_lattice(CSCL)


def test_impurity_info_there_and_back():
    cluster = ImpurityCluster.from_lattice(FCC, [Impurity(25), Impurity(24, position=NEIGHBOUR)], cutoff=2.7)
    info = cluster.impurity_info()
    assert info['Zimp'] == [25.0, 24.0]
    again = ImpurityCluster.from_impurity_info(info, FCC)
    np.testing.assert_array_equal(again.table(), cluster.table())
    assert (again.impurity_sites, again.z_impurity) == (cluster.impurity_sites, cluster.z_impurity)


def test_zimp_may_be_a_single_number():
    info = {'Rcut': 2.7, 'Zimp': 25}
    assert ImpurityCluster.from_impurity_info(info, FCC).z_impurity == (25,)


TABLE = FCC.sites_within(2.7).tolist()


@pytest.mark.parametrize(
    ('info', 'message'),
    [
        ({'Rcut': 2.7}, 'no Zimp'),
        ({'Zimp': [25]}, 'neither imp_cls nor Rcut'),
        ({'Zimp': [25], 'Rcut': -1.0}, 'the cutoff radius has to be positive'),
        ({'Zimp': [25], 'Rcut': 2.7, 'ilayer_center': 1}, 'no site 1'),
        ({'Zimp': [25, 24], 'Rcut': 2.7}, r'2 impurity charges \(Zimp\) for 1 impurity positions'),
        ({'Zimp': [25], 'imp_cls': TABLE, 'Rimp_rel': [[0, 0, 0], NEIGHBOUR]}, '1 impurity charges'),
        (
            {'Zimp': [25, 24], 'imp_cls': TABLE, 'Rimp_rel': [[0, 0, 0], [0, 0, 0]]},
            'two impurities are on the same site',
        ),
        ({'Zimp': [25], 'imp_cls': TABLE, 'Rimp_rel': [[0.1, 0, 0]]}, 'is not on a site of the cluster'),
        ({'Zimp': [119], 'imp_cls': TABLE}, 'there is no element with Z = 119'),
        ({'Zimp': [-1], 'imp_cls': TABLE}, 'there is no element with Z = -1'),
        ({'Zimp': [25.5], 'imp_cls': TABLE}, r'there is no element with Z = 25\.5'),
        ({'Zimp': [float('nan')], 'imp_cls': TABLE}, 'there is no element'),
        ({'Zimp': [25], 'imp_cls': [*TABLE, TABLE[3]]}, 'sites 4 and 14 of the cluster coincide'),
        (
            {'Zimp': [25], 'imp_cls': [*TABLE, [0.3, 0, 0, 1, 29, 0.3]]},
            'site 14 of the cluster .* is not a site of the host',
        ),
        ({'Zimp': [25], 'imp_cls': [*TABLE, [2**0.5, 0, 0, 2, 29, 2**0.5]]}, 'no layer 2'),
        ({'Zimp': [25], 'imp_cls': TABLE[1:], 'Rimp_rel': [TABLE[1][:3]]}, 'no site of the cluster is at the origin'),
        ({'Zimp': [25], 'imp_cls': [row[:5] for row in TABLE]}, 'its shape is'),
        ({'Zimp': [25], 'imp_cls': [[float('nan')] * 6]}, 'not finite'),
        ({'Zimp': [25], 'imp_cls': [[0, 0, 0, 1.5, 29, 0]]}, 'layers of imp_cls are integers'),
    ],
)
def test_impossible_impurity_infos(info, message):
    with pytest.raises(ValueError, match=message):
        ImpurityCluster.from_impurity_info(info, FCC)


def test_a_cutoff_needs_a_lattice():
    with pytest.raises(ValueError, match='the host lattice is needed'):
        ImpurityCluster.from_impurity_info({'Rcut': 2.7, 'Zimp': 25})


@pytest.mark.parametrize(
    ('impurities', 'message'),
    [
        ([], 'at least one impurity'),
        ([Impurity(25), Impurity(25, position=(0.5, 0.0, 0.0))], 'impurity 2 at .* is not a site of the host'),
        ([Impurity(25), Impurity(24)], 'on the same site'),
        ([Impurity(25, layer=1)], 'no layer 2'),
        ([Impurity(130)], 'there is no element with Z = 130'),
    ],
)
def test_impossible_impurities(impurities, message):
    with pytest.raises(ValueError, match=message):
        ImpurityCluster.from_lattice(FCC, impurities, cutoff=2.7)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', 'the first line'),
        ('RUNFLAG=\n', 'the first line'),
        ('  2\n 0.0 0.0 0.0 1 29.0 0.0\n', '1 sites, but the first line says 2'),
        ('  1\n 0.0 0.0 0.0 1 29.0\n', 'line 2: x, y, z, layer'),
        ('  1\n 0.0 0.0 0.0 1 Cu 0.0\n', 'line 2: x, y, z, layer'),
        ('  1\n 0.0 0.0 0.0 1 NaN 0.0\n', 'not finite'),
        ('  0\n', 'imp_cls needs rows'),
        ('\u00fc', 'not ASCII'),
    ],
)
def test_damaged_scoef_files(tmp_path, content, message):
    path = tmp_path / 'scoef'
    path.write_text(content, encoding='utf-8')
    with pytest.raises(KkrFileError, match=f'{path}: .*{message}'):
        read_scoef(path)


def test_impossible_lattices():
    with pytest.raises(ValueError, match='linearly dependent'):
        HostLattice(np.ones((3, 3)), np.zeros((1, 3)), np.array([29.0]))
    with pytest.raises(ValueError, match='a lattice of cell'):
        HostLattice(np.eye(3), np.zeros((2, 3)), np.array([29.0]))
