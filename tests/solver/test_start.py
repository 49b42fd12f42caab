"""The standard start potential against self-consistent impurities of JuKKR, and its limits."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential, write_potential
from aiida_mlkkr.solver.atom import AtomError
from aiida_mlkkr.solver.core import solve_core
from aiida_mlkkr.solver.errors import InconsistentInputError
from aiida_mlkkr.solver.quadrature import simpson_weights
from aiida_mlkkr.solver.start import cluster_potential, free_moment, reference_potential, standard_start

DATA = Path(__file__).parents[1] / 'data'
CONTOUR_BOTTOM = -0.5
CU = 29


def potential(name: str) -> ImpurityPotential:
    with gzip.open(DATA / name, 'rt', encoding='ascii') as file:
        return read_potential(io.StringIO(file.read()))


@pytest.fixture(scope='module')
def copper() -> ImpurityPotential:
    return potential('mn_pair/gf/out_potential.gz')


def start(host: ImpurityPotential, z: float, moment: float = 0.0, lmax: int = 2) -> ImpurityPotential:
    return standard_start([z], [lmax], host, CONTOUR_BOTTOM, moments=[moment])


def rms(difference: NDArray[np.float64], mesh: RadialMesh) -> float:
    weight = mesh.r**2
    integrate = simpson_weights(mesh.n) * mesh.drdi
    return float(np.sqrt(difference**2 * weight @ integrate / (weight @ integrate)))


def test_manganese_in_copper_is_nearer_than_the_start_of_voronoi(copper: ImpurityPotential) -> None:
    converged = potential('mn_pair/calc1/out/out_potential.gz').sites[0]
    voronoi = potential('kkr/mn_cu_asa_start_2sites.gz').sites[0]
    ours = start(copper, 25, moment=3.0).sites[0]
    assert ours[0].mesh == converged[0].mesh
    errors = np.array([rms(our.v - block.v, our.mesh) for our, block in zip(ours, converged, strict=True)])
    voronoi_errors = np.array([rms(its.v - block.v, its.mesh) for its, block in zip(voronoi, converged, strict=True)])
    # what was measured, rounded up: the start knows nothing of the charge that flows, nor of the other Mn of the pair
    assert errors.max() < 0.07
    assert (voronoi_errors > 2.5 * errors).all()
    # the exchange splitting is that of the moment, spin up being the majority
    splitting = rms(ours[0].v - ours[1].v, ours[0].mesh)
    assert splitting == pytest.approx(rms(converged[0].v - converged[1].v, ours[0].mesh), rel=0.3)
    assert (ours[0].v - ours[1].v)[150:].min() > 0.0
    assert [state.l for state in ours[0].core] == [state.l for state in converged[0].core]
    found = [state.energy for state in ours[0].core]
    # 0.7 Ry: the spins of a core state differ by 0.3 Ry, and the converged charge is not yet known
    np.testing.assert_allclose(found, [state.energy for state in converged[0].core], atol=0.7)


def test_the_host_stays_what_it_is(copper: ImpurityPotential) -> None:
    same = standard_start([CU, CU], [2, 2], copper, CONTOUR_BOTTOM)
    assert all(site == copper.sites[0] for site in same.sites)


def test_two_steps_back_to_the_host(copper: ImpurityPotential) -> None:
    there = start(copper, 46)
    back = start(there, CU)
    np.testing.assert_allclose(back.sites[0][0].v, copper.sites[0][0].v, atol=1e-9 * there.sites[0][0].v.max())
    np.testing.assert_allclose(
        [state.energy for state in back.sites[0][0].core],
        [state.energy for state in copper.sites[0][0].core],
        atol=1e-5,  # those of the file belong to the iteration before
    )


@pytest.mark.parametrize('z', [1, 3, 6, 11, 22, 26, 34, 42, 49, 56, 73, 79, 82, 90])
def test_core_states_of_many_elements(copper: ImpurityPotential, z: int) -> None:
    block = start(copper, z).sites[0][0]
    assert block.z == z
    assert [state.l for state in block.core] == sorted(state.l for state in block.core)
    solution = solve_core(block.v, block.mesh, z, block.core, nspin=1)
    np.testing.assert_allclose(solution.energies, [state.energy for state in block.core], atol=1e-12 * (z * z + 1))
    assert all(energy < CONTOUR_BOTTOM for energy in solution.energies)
    # what is left to the valence: at most the shells outside of a noble-gas core
    assert 0 <= z - solution.charge <= 12.0 + 1e-9


@pytest.mark.parametrize(
    ('z', 'electrons'),
    # noble-gas cores without what rises into the contour (2s of N, 3p of K), and d and f shells that are below it
    [
        (1, 0),
        (3, 2),
        (7, 2),
        (13, 10),
        (19, 12),
        (25, 18),
        (30, 18),
        (32, 28),
        (42, 36),
        (50, 46),
        (74, 68),
        (79, 68),
        (83, 78),
    ],
)
def test_which_states_are_core(copper: ImpurityPotential, z: int, electrons: int) -> None:
    core = start(copper, z).sites[0][0].core
    assert sum(2 * (2 * state.l + 1) for state in core) == electrons


def test_the_contour_decides_between_core_and_valence(copper: ImpurityPotential) -> None:
    gallium = {
        bottom: [state.l for state in standard_start([31], [2], copper, bottom).sites[0][0].core]
        for bottom in (-0.5, -1.0)
    }
    assert gallium == {-0.5: [0, 0, 0, 1, 1, 2], -1.0: [0, 0, 0, 1, 1]}


def test_one_spin(copper: ImpurityPotential) -> None:
    single = standard_start([30, CU], [2, 2], copper, CONTOUR_BOTTOM, nspin=1)
    assert single.nspin == 1
    np.testing.assert_array_equal(single.sites[0][0].v, start(copper, 30).sites[0][0].v)
    double = standard_start([30, CU], [2, 2], ImpurityPotential((single.sites[1],)), CONTOUR_BOTTOM, nspin=2)
    np.testing.assert_array_equal(double.sites[0][1].v, single.sites[0][0].v)


@pytest.mark.parametrize('nspin', [1, 2])
def test_written_and_read_again(copper: ImpurityPotential, nspin: int) -> None:
    written = standard_start([25, CU, 8, 0], [2] * 4, copper, CONTOUR_BOTTOM, nspin=nspin)
    file = io.StringIO()
    write_potential(written, file)
    file.seek(0)
    again = read_potential(file)
    assert again.nspin == nspin
    assert [site[0].title[:14] for site in again.sites] == [
        'Mn25 POTENTIAL',
        'Cu29 POTENTIAL',
        'O_08 POTENTIAL',
        'Vc00 POTENTIAL',
    ]
    for site, original in zip(again.sites, written.sites, strict=True):
        np.testing.assert_allclose(site[0].v, original[0].v, atol=1e-10)
        assert len(site[0].core) == len(original[0].core)


def test_vacancy(copper: ImpurityPotential) -> None:
    block = start(copper, 0).sites[0][0]
    assert block.core == ()
    # without the nucleus the potential is a shallow bump: nothing is left of the host's atom
    assert np.abs(block.v).max() < 3.0
    with pytest.raises(InconsistentInputError, match='site 1: a vacancy cannot'):
        start(copper, 0, moment=1.0)


def test_moments_split_the_spins_symmetrically(copper: ImpurityPotential) -> None:
    down, up = start(copper, 26, moment=2.0).sites[0]
    mean = start(copper, 26).sites[0][0].v
    np.testing.assert_allclose(0.5 * (down.v + up.v), mean, rtol=1e-12)
    flipped = start(copper, 26, moment=-2.0).sites[0]
    np.testing.assert_allclose(flipped[0].v, up.v, rtol=1e-10)
    larger = start(copper, 26, moment=4.0).sites[0]
    assert rms(larger[0].v - larger[1].v, down.mesh) > 1.8 * rms(down.v - up.v, down.mesh)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'z': [25, 29, 29], 'lmax': [2, 2]}, '2 values of lmax'),
        ({'z': [25], 'moments': [1.0, 0.0]}, '2 start moments for 1 sites'),
        ({'z': [25], 'moments': [7.0]}, r'site 1: a start moment of 7 mu_B is more than the 5 mu_B'),
        ({'z': [25], 'moments': [1.0], 'nspin': 1}, 'need two spins'),
        ({'z': [25], 'nspin': 3}, 'one or two spins, not 3'),
        ({'z': [64]}, 'the 4f shell of Gd .* lmax=3'),
    ],
)
def test_what_does_not_fit(copper: ImpurityPotential, change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {'lmax': [2] * len(change['z']), **change}  # type: ignore[arg-type]
    with pytest.raises(InconsistentInputError, match=message):
        standard_start(host=copper, contour_bottom=CONTOUR_BOTTOM, **arguments)  # type: ignore[arg-type]


def test_hosts_that_do_not_fit(copper: ImpurityPotential) -> None:
    with pytest.raises(InconsistentInputError, match='2 sites and the cluster 3'):
        standard_start([25, CU, CU], [2] * 3, ImpurityPotential(copper.sites * 2), CONTOUR_BOTTOM)
    with pytest.raises(InconsistentInputError, match='not full potential'):
        start(potential('kkr/cu_fp_host_out_potential.gz'), 25)


@pytest.mark.parametrize('z', [93, -1, 25.5])
def test_no_such_element(copper: ImpurityPotential, z: float) -> None:
    with pytest.raises(AtomError, match='whole number from 1'):
        start(copper, z)


def test_what_is_left_of_the_reference_is_smooth_along_the_transition_metals(copper: ImpurityPotential) -> None:
    """Third differences along a row vanish for what is quadratic; those of the standard start jump at its two steps."""
    mesh = copper.sites[0][0].mesh
    reference = np.array([reference_potential([z], copper)[0] for z in range(22, 29)])
    standard = np.array([start(copper, z).sites[0][0].v for z in range(22, 29)])
    smooth, stepped = (
        np.array([rms(row, mesh) for row in np.diff(values, 3, axis=0)]) for values in (reference, standard)
    )
    assert smooth.max() < 0.2 * stepped.max()


def test_the_reference_of_a_host_atom_is_the_host(copper: ImpurityPotential) -> None:
    (v,) = reference_potential([CU], copper)
    np.testing.assert_array_equal(v, 0.5 * (copper.sites[0][0].v + copper.sites[0][-1].v))


def test_a_start_from_its_own_radial_potentials(copper: ImpurityPotential) -> None:
    whole = start(copper, 25, moment=3.0)
    v = [np.array([block.v for block in site]) for site in whole.sites]
    same = cluster_potential([25], [2], copper, CONTOUR_BOTTOM, v)
    for block, expected in zip(same.sites[0], whole.sites[0], strict=True):
        assert block.title[:28] == expected.title[:28]
        assert (block.z, block.mesh) == (25, expected.mesh)
        np.testing.assert_array_equal(block.v, expected.v)
        assert [state.l for state in block.core] == [state.l for state in expected.core]
        # the splitting moves levels of the mean potential to second order only
        np.testing.assert_allclose(
            [state.energy for state in block.core], [state.energy for state in expected.core], atol=0.02
        )


def test_host_atoms_of_a_cluster_keep_their_core(copper: ImpurityPotential) -> None:
    v = [np.array([block.v for block in copper.sites[0]])]
    assert cluster_potential([CU], [2], copper, CONTOUR_BOTTOM, v).sites[0][0].core == copper.sites[0][0].core


def test_moments_of_free_atoms():
    """Hund's first rule for the open d or f shell of the ground state; s and p shells do not count."""
    expected = {1: 0, 13: 0, 22: 2, 24: 5, 25: 5, 26: 4, 28: 2, 29: 0, 42: 5, 46: 0, 64: 7, 92: 3}
    assert {z: free_moment(z) for z in expected} == expected
