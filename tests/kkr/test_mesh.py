import numpy as np
import pytest

from aiida_mlkkr.kkr.mesh import RadialMesh

CU = RadialMesh(0.025, 0.44418808e-3, 349)


def test_mesh_of_a_real_potential_ends_at_the_sphere_radius():
    # RWS in the file is rounded to 1e-5
    assert CU.rmax == pytest.approx(2.66598, abs=5e-6)
    assert CU.r[0] == 0.0
    assert CU.r.shape == CU.drdi.shape == (349,)


def test_drdi_is_the_derivative_of_r():
    index = np.arange(CU.n)
    step = 1e-3
    numeric = CU.b * (np.exp(CU.a * (index + step)) - np.exp(CU.a * (index - step))) / (2 * step)
    # error of the central difference: (a step)^2 / 6 = 1e-10
    np.testing.assert_allclose(CU.drdi, numeric, rtol=2e-10)


def test_integral_of_a_hydrogen_density_is_one():
    mesh = RadialMesh(0.025, 1e-4, 521)
    density = 4.0 * mesh.r**2 * np.exp(-2.0 * mesh.r) * mesh.drdi
    simpson = (density[0] + density[-1] + 4 * density[1:-1:2].sum() + 2 * density[2:-1:2].sum()) / 3
    # the tail beyond rmax = 44 Bohr is below 1e-30, the rest is Simpson's error
    assert simpson == pytest.approx(1.0, abs=1e-9)


def test_arrays_are_cached_and_cannot_be_changed():
    assert CU.r is CU.r
    with pytest.raises(ValueError, match='read-only'):
        CU.r[0] = 1.0


@pytest.mark.parametrize(('a', 'b', 'n'), [(0.0, 1.0, 10), (0.1, -1.0, 10), (float('nan'), 1.0, 10), (0.1, 1.0, 1)])
def test_impossible_meshes(a, b, n):
    with pytest.raises(ValueError, match='a radial mesh needs'):
        RadialMesh(a, b, n)
