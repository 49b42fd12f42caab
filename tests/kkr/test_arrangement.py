"""Arrangements of impurities against shells counted by hand."""

from itertools import combinations, permutations

import numpy as np
import pytest

from aiida_mlkkr.kkr.arrangement import LatticeSite, Screening, joint_cluster, place_in, shell_sites
from aiida_mlkkr.kkr.cluster import HostLattice, ImpurityCluster
from aiida_mlkkr.kkr.impurity_info import sites_asked
from aiida_mlkkr.kkr.patterns import arranged, chain, dimer, random_filling, ring, trimer

A, C = 2.5, 2.5 * (8 / 3) ** 0.5
HALF_CUBE = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
HEXAGON = np.array([[1.0, 0.0, 0.0], [-0.5, 0.75**0.5, 0.0]])
FCC = HostLattice(3.61 * HALF_CUBE, np.zeros((1, 3)), np.array([29.0]))
BCC = HostLattice(2.87 * (0.5 - np.eye(3)), np.zeros((1, 3)), np.array([26.0]))


def hexagonal(a, c, fractions, z):
    cell = np.vstack([a * HEXAGON, [0.0, 0.0, c]])
    return HostLattice(cell, np.array(fractions) @ cell, np.array(z))


HCP = hexagonal(A, C, [[0, 0, 0], [1 / 3, 2 / 3, 0.5]], [27.0, 27.0])
HCP_FLAT = hexagonal(A, 1.6 * A, [[0, 0, 0], [1 / 3, 2 / 3, 0.5]], [27.0, 27.0])
GRAPHENE = HostLattice(
    hexagonal(A, 10, [[0, 0, 0]], [6.0]).cell, A * np.array([[0.0] * 3, [0, 3**-0.5, 0]]), np.ones(2)
)


def bismuth_telluride():
    """Rhombohedral cell: Te1 at the origin, Bi and Te2 above and below it on the threefold axis."""
    a, c = 4.386, 30.497
    vectors = np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3 @ np.vstack([a * HEXAGON, [0.0, 0.0, c]])
    heights = np.array([0.0, 0.4, -0.4, 0.2097, -0.2097]) * c
    positions = np.column_stack([np.zeros((5, 2)), heights])
    return HostLattice(vectors, positions, np.array([52.0, 83.0, 83.0, 52.0, 52.0]))


BI2TE3 = bismuth_telluride()


def counts(lattice, centre, shells):
    return [len(shell_sites(lattice, shell, centre)) for shell in range(1, shells + 1)]


@pytest.mark.parametrize(
    ('lattice', 'expected'),
    [
        (FCC, [12, 6, 24, 12, 24, 8]),
        (BCC, [8, 6, 12, 24, 8]),
        (HCP, [12, 6, 2, 18, 12, 6]),
        (HCP_FLAT, [6, 6, 6]),  # next in the planes above and below, then in the plane, then across
        (GRAPHENE, [3, 6, 3]),
    ],
)
def test_shells_by_hand(lattice, expected):
    for centre in range(len(lattice.z)):
        assert counts(lattice, centre, len(expected)) == expected


def test_shells_of_a_cell_with_five_atoms():
    # Te1 amid the quintuple layer: Bi above and below, its own plane, then Te2, two layers off
    assert counts(BI2TE3, 0, 3) == [6, 6, 6]
    assert {site.site for site in shell_sites(BI2TE3, 1, 0)} == {1, 2}
    assert {site.site for site in shell_sites(BI2TE3, 2, 0)} == {0}
    for bismuth in (1, 2):
        # three Te2 on one side, three Te1 on the other, Bi of its plane, Bi on the other side of Te1
        assert counts(BI2TE3, bismuth, 4) == [3, 3, 6, 3]
        kinds = [{site.site for site in shell_sites(BI2TE3, shell, bismuth)} for shell in (1, 2, 3, 4)]
        assert kinds[1:] == [{0}, {bismuth}, {3 - bismuth}]
        assert kinds[0] < {3, 4}
    # Te2: three Bi of its layer, three Te2 across the van der Waals gap, its own plane
    assert counts(BI2TE3, 3, 3) == [3, 3, 6]
    assert {site.site for site in shell_sites(BI2TE3, 2, 3)} == {4}


def test_sites_of_a_shell_are_where_they_should_be():
    for lattice, centre, shell in ((FCC, 0, 3), (HCP, 1, 4), (BI2TE3, 3, 2)):
        table = lattice.sites_within(8.0, centre)
        expected = {tuple(np.round(row[:4], 4) + 0.0) for row in table}
        start = lattice.positions[centre]
        for site in shell_sites(lattice, shell, centre):
            vector = (site.position(lattice) - start) / lattice.lattice_constant
            assert (*(np.round(vector, 4) + 0.0), site.site + 1.0) in expected


@pytest.mark.parametrize(
    ('lattice', 'shell', 'screening', 'natom'),
    [
        (FCC, 1, None, 2),
        (FCC, 1, Screening(shells=1), 20),  # 2 * 13, six in common
        (FCC, 2, Screening(shells=1), 22),  # four in common
        (FCC, 1, Screening(shells=2), 2 * 19 - 10),  # in common: both, four neighbours of both, two and two mixed
        (BCC, 1, Screening(shells=1), 16),  # no atom neighbours both
        (BCC, 2, Screening(shells=1), 2 + 16 - 4),  # the four of the common face
        (BCC, 1, Screening(shells=2), 22),
        (HCP, 2, Screening(shells=1), 22),
        (HCP, 1, Screening(radius=2.6), 20),
        (BI2TE3, 3, Screening(shells=2), 2 + 12 - 2),  # two Bi of a plane share one Te1 and one Te2
    ],
)
def test_screening_shells_are_joined(lattice, shell, screening, natom):
    centre = 1 if lattice is BI2TE3 else 0
    cluster = joint_cluster(lattice, dimer(lattice, shell, centre), [25, 24], screening)
    assert cluster.natom == natom
    assert sorted(cluster.z_impurity) == [24, 25]
    np.testing.assert_array_equal(cluster.z_table, lattice.z[cluster.layer - 1])
    cluster.check_on_lattice(lattice)
    again = ImpurityCluster.from_impurity_info(cluster.impurity_info(), lattice)
    np.testing.assert_array_equal(again.z, cluster.z)


@pytest.mark.parametrize('lattice', [FCC, HCP, BI2TE3])
def test_one_shape_is_one_write_out(lattice):
    """Elements, their order and the place in the crystal do not matter; the orientation does."""
    sites = [LatticeSite(0), shell_sites(lattice, 1)[0], shell_sites(lattice, 2)[0]]
    moved = [LatticeSite(site.site, tuple(np.add(site.cell, (2, -1, 3)))) for site in sites]
    shapes = []
    for places in (sites, moved):
        for order in permutations(range(3)):
            cluster = joint_cluster(lattice, [places[k] for k in order], [23 + k for k in order], Screening(shells=2))
            shapes.append(sites_asked(cluster.impurity_info()))
            assert cluster.z_impurity == tuple(23 + k for k in order)
            vectors = cluster.positions[list(cluster.impurity_sites)] * lattice.lattice_constant
            expected = np.array([places[k].position(lattice) for k in order])
            np.testing.assert_allclose(vectors - vectors[0], expected - expected[0], atol=1e-8)
    assert all(shape == shapes[0] for shape in shapes)
    other = joint_cluster(lattice, [sites[0], shell_sites(lattice, 1)[-1], sites[2]], [23, 24, 25], Screening(shells=2))
    assert sites_asked(other.impurity_info()) != shapes[0]


def lengths(lattice, sites):
    places = [site.position(lattice) for site in sites]
    return [float(np.linalg.norm(a - b)) for a, b in combinations(places, 2)]


def test_patterns():
    near = 3.61 / 2**0.5
    np.testing.assert_allclose(FCC.cell[0] + FCC.cell[1] + FCC.cell[2], 3.61)
    assert lengths(FCC, dimer(FCC, 1)) == pytest.approx([near])
    assert lengths(FCC, dimer(FCC, 4)) == pytest.approx([2 * near])
    assert lengths(FCC, trimer(FCC)) == pytest.approx([near] * 3)
    assert lengths(BCC, trimer(BCC, 3)) == pytest.approx([2.87 * 2**0.5] * 3)
    assert lengths(FCC, chain(FCC, 4)) == pytest.approx([near * k for k in (1, 2, 3, 1, 2, 1)])
    assert sorted(lengths(FCC, ring(FCC, 4))) == pytest.approx([near] * 4 + [3.61] * 2)
    six = [near] * 6 + [near * 3**0.5] * 6 + [near * 2] * 3
    assert sorted(lengths(FCC, ring(FCC, 6))) == pytest.approx(six)
    assert lengths(HCP, trimer(HCP)) == pytest.approx([A] * 3)
    assert sorted(lengths(GRAPHENE, ring(GRAPHENE, 6)))[:6] == pytest.approx([A / 3**0.5] * 6)
    assert sorted({site.site for site in ring(GRAPHENE, 6)}) == [0, 1]
    assert lengths(BI2TE3, chain(BI2TE3, 3, 3, centre=1)) == pytest.approx([4.386, 2 * 4.386, 4.386])


def test_random_filling():
    one, again = (random_filling(FCC, 5, 5.0, seed=7) for _ in range(2))
    assert one == again
    assert one != random_filling(FCC, 5, 5.0, seed=8)
    assert len(set(one)) == 5
    everything = random_filling(FCC, 19, 3.7, seed=0)  # the centre and two shells
    assert set(everything) == {LatticeSite(), *shell_sites(FCC, 1), *shell_sites(FCC, 2)}
    doped = random_filling(BI2TE3, 6, 9.0, seed=1, centre=1, only=[1, 2])
    assert {site.site for site in doped} <= {1, 2}
    assert all(np.linalg.norm(site.position(BI2TE3) - BI2TE3.positions[1]) <= 9.0 for site in doped)


def test_impurities_in_a_write_out_that_is_there():
    there = ImpurityCluster.from_table(FCC.sites_within(2.7))
    placed = place_in(there, FCC, [LatticeSite(cell=(5, 0, 0)), LatticeSite(cell=(6, 0, 0))], [25, 26])
    np.testing.assert_array_equal(placed.table(), there.table())
    assert placed.z_impurity == (25, 26)
    a, b = placed.positions[list(placed.impurity_sites)] * FCC.lattice_constant
    np.testing.assert_allclose(b - a, FCC.cell[0], atol=1e-9)
    assert 0 in placed.impurity_sites  # one of them at the centre, where it is screened best
    line = chain(FCC, 3)
    centred = place_in(there, FCC, line, [23, 24, 25])
    assert centred.impurity_sites[1] == 0
    with pytest.raises(ValueError, match='do not fit into the 13 sites'):
        place_in(there, FCC, chain(FCC, 4), [25] * 4)
    with pytest.raises(ValueError, match='do not fit'):
        place_in(ImpurityCluster.from_table(BI2TE3.sites_within(3.2, 1)), BI2TE3, [LatticeSite(2)], [25])


FILM = HostLattice(FCC.cell, FCC.positions, FCC.z, periodic_z=False)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: joint_cluster(FCC, [LatticeSite(), LatticeSite()], [25, 24]), 'impurities 1 and 2 are on the same'),
        (lambda: joint_cluster(FCC, [LatticeSite(1)], [25]), 'has sites 0 to 0, no site 1'),
        (lambda: joint_cluster(BI2TE3, [LatticeSite(-1)], [25]), 'has sites 0 to 4, no site -1'),
        (lambda: joint_cluster(FCC, [LatticeSite(0, (0.5, 0, 0))], [25]), 'three integers'),
        (lambda: joint_cluster(FILM, [LatticeSite(0, (0, 0, 1))], [25]), 'a film has no lattice vector'),
        (lambda: joint_cluster(FCC, [LatticeSite()], [25, 26]), '2 elements for 1 sites'),
        (lambda: joint_cluster(FCC, [LatticeSite()], [125]), 'no element with Z = 125'),
        (lambda: joint_cluster(FCC, [], []), 'at least one impurity'),
        (lambda: Screening(shells=-1), 'a number of shells, or a radius above 0'),
        (lambda: Screening(radius=0.0), 'a number of shells, or a radius above 0'),
        (lambda: dimer(FCC, 0), 'no shell 0'),
        (lambda: dimer(FCC, 1, centre=4), 'no site 4'),
        (lambda: chain(FCC, 1), 'at least 2 impurities'),
        (lambda: chain(GRAPHENE, 3), 'there is no straight chain'),
        (lambda: trimer(BCC), 'no regular polygon of 3 corners'),
        (lambda: ring(FCC, 5), 'no regular polygon of 5 corners'),
        (lambda: random_filling(FCC, 14, 2.7, seed=0), 'do not fit on the 13 sites'),
        (lambda: random_filling(BI2TE3, 1, 3.3, seed=0, centre=1, only=[2]), 'do not fit on the 0 sites'),
    ],
)
def test_impossible_arrangements(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wishes():
    pair = {'pattern': 'dimer', 'shell': 2, 'elements': ['Mn', 'Fe']}
    assert arranged(FCC, pair) == (dimer(FCC, 2), [25, 26])
    assert arranged(FCC, {'pattern': 'chain', 'number': 3, 'elements': ['Cr']}) == (chain(FCC, 3), [24] * 3)
    assert arranged(FCC, {'pattern': 'ring', 'elements': ['Cr', 'Mn', 'Fe', 25]})[1] == [24, 25, 26, 25]
    filling = {'pattern': 'random', 'radius': 9.0, 'seed': 3, 'elements': ['Mn', 'Cr'], 'centre': 1, 'only': [1, 2]}
    assert arranged(BI2TE3, filling)[0] == random_filling(BI2TE3, 2, 9.0, 3, 1, [1, 2])
    each = [{'element': 'Mn'}, {'element': 26, 'site': 0, 'cell': [1, 0, 0]}]
    assert arranged(FCC, each) == ([LatticeSite(), LatticeSite(0, (1, 0, 0))], [25, 26])


@pytest.mark.parametrize(
    ('wish', 'message'),
    [
        ({'pattern': 'star', 'elements': ['Mn']}, 'one of dimer, trimer, chain, ring, random'),
        ({'pattern': 'dimer'}, 'with elements'),
        ({'pattern': 'dimer', 'elements': ['Mn', 'Xx']}, 'there is no element Xx'),
        ({'pattern': 'dimer', 'elements': ['Mn'] * 3}, '3 elements for the 2 sites'),
        ({'pattern': 'dimer', 'elements': ['Mn'], 'radius': 3.0}, 'the pattern dimer takes shell, centre, not radius'),
        ({'pattern': 'random', 'elements': ['Mn']}, 'the pattern random needs radius and seed'),
        ({'pattern': 'dimer', 'elements': ['Mn'], 'shell': 'first'}, 'dimer: '),
        ([{'element': 'Mn', 'layer': 2}], r"not \['layer'\]"),
        ([{'site': 0}], 'without element'),
    ],
)
def test_impossible_wishes(wish, message):
    with pytest.raises(ValueError, match=message):
        arranged(FCC, wish)
