"""Core states against hydrogen-like ions, Dirac's formula and JuKKR."""

from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import CoreState
from aiida_mlkkr.solver.core import CoreStateError, solve_core
from aiida_mlkkr.solver.quadrature import simpson_weights

DATA = Path(__file__).parents[1] / 'data'


def hydrogen_like(z: float, step: float = 0.0125) -> tuple[RadialMesh, np.ndarray]:
    b = 1e-4 / z
    n = int(np.log(60.0 / z / b) / step) // 2 * 2 + 1
    mesh = RadialMesh(a=step, b=b, n=n)
    return mesh, np.zeros(n)


def test_hydrogen_like_ions() -> None:
    z = 20.0
    mesh, v = hydrogen_like(z)
    ns = (1, 2, 3, 2, 3, 3, 4)
    ls = (0, 0, 0, 1, 1, 2, 3)
    states = tuple(CoreState(l, -((z / n) ** 2) * 1.1) for n, l in zip(ns, ls, strict=True))
    solution = solve_core(v, mesh, z, states, nspin=1, relativistic=False)
    exact = [-((z / n) ** 2) for n in ns]
    # the integration is of fourth order in the mesh step of 0.0125
    np.testing.assert_allclose(solution.energies, exact, rtol=1e-6)
    assert solution.charge == pytest.approx(2 * (3 * 1 + 2 * 3 + 5 + 7), abs=1e-6)
    assert solution.energy_sum == pytest.approx(
        sum(2 * (2 * l + 1) * e for l, e in zip(ls, exact, strict=True)), rel=1e-6
    )


def test_mean_radii_of_hydrogen_like_states() -> None:
    z = 3.0
    mesh, v = hydrogen_like(z)
    for states, n, l in (((CoreState(0, -9.0),), 1, 0), ((CoreState(1, -2.0),), 2, 1), ((CoreState(2, -1.0),), 3, 2)):
        solution = solve_core(v, mesh, z, states, nspin=2, relativistic=False)
        mean = (solution.density * mesh.r) @ (simpson_weights(mesh.n) * mesh.drdi) / (2 * l + 1)
        assert mean == pytest.approx((3 * n * n - l * (l + 1)) / (2 * z), rel=1e-5)


def test_mesh_of_a_few_points() -> None:
    mesh = RadialMesh(a=0.3, b=1e-3, n=34)
    with pytest.raises(ValueError, match='at least 35 mesh points, not 34'):
        solve_core(np.zeros(mesh.n), mesh, 20.0, (CoreState(0, -400.0),), nspin=2)


@pytest.mark.parametrize('z', [30.0, 60.0, 92.0])
def test_s_states_follow_diracs_formula(z: float) -> None:
    # without spin-orbit coupling the scalar-relativistic equations for l = 0 are Dirac's
    mesh, _ = hydrogen_like(z)
    mesh = RadialMesh(a=mesh.a, b=mesh.b * 1e-3, n=mesh.n + 552)
    solution = solve_core(np.zeros(mesh.n), mesh, z, (CoreState(0, -z * z), CoreState(0, -z * z / 4)), nspin=2)
    alpha2 = (2.0 * z / SPEED_OF_LIGHT) ** 2
    gamma = np.sqrt(1.0 - alpha2)
    rest = SPEED_OF_LIGHT**2 / 2.0  # m c^2 in Ry
    exact = [rest * (1.0 / np.sqrt(1.0 + alpha2 / (n - 1.0 + gamma) ** 2) - 1.0) for n in (1, 2)]
    np.testing.assert_allclose(solution.energies, exact, rtol=2e-6)


@pytest.mark.parametrize(('atom', 'z'), [('mn', 25.0), ('au', 79.0)])
def test_density_and_energies_of_jukkr(atom: str, z: float) -> None:
    # one spin of a site of a 13-atom cluster in Cu, computed by KKRimp with the test flag writercore; Au has a 4f shell
    reference = np.load(DATA / 'jukkr_core.npz')
    a, b = reference[f'{atom}_mesh']
    v = reference[f'{atom}_v']
    states = tuple(
        CoreState(int(l), float(energy))
        for l, energy in zip(reference[f'{atom}_l'], reference[f'{atom}_start'], strict=True)
    )
    solution = solve_core(v, RadialMesh(a=a, b=b, n=len(v)), z, states, nspin=2)
    # round-off; the energies are printed with twelve digits
    assert np.abs(solution.density - reference[f'{atom}_density']).max() < 1e-12 * solution.density.max()
    np.testing.assert_allclose(solution.energies, reference[f'{atom}_energies'], rtol=6e-12)
    assert solution.charge == pytest.approx(sum(2 * state.l + 1 for state in states), abs=1e-12)


@pytest.mark.parametrize('cut', [0, 1])
def test_the_charge_is_right_for_even_and_odd_meshes(cut: int) -> None:
    # (JuKKR leaves the last interval of a mesh with an even number of points out of the norm)
    reference = np.load(DATA / 'jukkr_core.npz')
    a, b = reference['mn_mesh']
    v = reference['mn_v'][: len(reference['mn_v']) - cut]
    states = tuple(CoreState(int(l), float(e)) for l, e in zip(reference['mn_l'], reference['mn_start'], strict=True))
    assert solve_core(v, RadialMesh(a=a, b=b, n=len(v)), 25.0, states, nspin=2).charge == pytest.approx(9.0, abs=1e-8)


def test_start_energies_do_not_matter() -> None:
    reference = np.load(DATA / 'jukkr_core.npz')
    a, b = reference['au_mesh']
    v = reference['au_v']
    mesh = RadialMesh(a=a, b=b, n=len(v))
    ls = [int(l) for l in reference['au_l']]
    found = solve_core(v, mesh, 79.0, tuple(CoreState(l, 0.0) for l in ls), nspin=2).energies
    # the tolerance of the search is 1e-12 (Z^2 + 1) Ry
    np.testing.assert_allclose(found, reference['au_energies'], atol=2e-8)


def test_no_core_states() -> None:
    mesh, v = hydrogen_like(1.0)
    solution = solve_core(v, mesh, 1.0, (), nspin=2)
    assert solution.energies == ()
    assert solution.charge == 0.0
    assert solution.energy_sum == 0.0


def test_a_state_that_is_not_bound() -> None:
    mesh = RadialMesh(a=0.025, b=4e-4, n=349)
    with pytest.raises(CoreStateError, match=r'core state 3d of site 4, spin up \(l=2, Z=2\) is not bound'):
        solve_core(np.full(349, 5.0), mesh, 2.0, (CoreState(2, -0.5),), nspin=2, where='site 4, spin up')


@pytest.mark.parametrize('potential', [np.nan, np.inf])
def test_a_potential_that_is_not_finite(potential: float) -> None:
    mesh, v = hydrogen_like(2.0)
    with pytest.raises(CoreStateError, match=r'1s .*not a finite number'):
        solve_core(v + potential, mesh, 2.0, (CoreState(0, -1.0),), nspin=2)
