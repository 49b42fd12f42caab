import numpy as np
import pytest

from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.ml.radial import RadialFunctions, volume_weights

CU = RadialMesh(a=0.025, b=4.4e-4, n=349)
LARGER = RadialMesh(a=0.025, b=5.0e-4, n=349)


def test_orthonormal_in_the_volume() -> None:
    functions = RadialFunctions(CU, 16)
    overlap = functions.values.T @ (volume_weights(CU)[:, None] * functions.values)
    np.testing.assert_allclose(overlap, np.eye(16), atol=1e-12)


def test_weights_average_over_the_sphere() -> None:
    # ∫ r² r² dr / ∫ r² dr = 3/5 R²; the trapezoidal rule on a mesh of 349 points
    assert volume_weights(CU) @ CU.r**2 == pytest.approx(0.6 * CU.rmax**2, rel=2e-3)


def test_polynomials_of_the_root_of_r_come_back() -> None:
    functions = RadialFunctions(CU, 6)
    f = 3.0 - 2.0 * np.sqrt(CU.r) + CU.r - 0.1 * CU.r**2.5
    np.testing.assert_allclose(functions.expand(functions.coefficients(f)), f, atol=1e-11)


def test_sum_of_squared_coefficients_is_the_mean_square() -> None:
    functions = RadialFunctions(CU, 5)
    f = np.sqrt(CU.r / CU.rmax) - 0.4
    assert np.sum(functions.coefficients(f) ** 2) == pytest.approx(volume_weights(CU) @ f**2, rel=1e-12)


def test_the_same_shape_in_another_sphere_has_the_same_coefficients() -> None:
    one, other = (RadialFunctions(mesh, 8).coefficients(np.cos(3 * mesh.r / mesh.rmax)) for mesh in (CU, LARGER))
    # the meshes resolve the integrals to some 1e-4
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_several_functions_at_once() -> None:
    functions = RadialFunctions(CU, 4)
    values = np.stack([CU.r, np.ones(CU.n)])
    assert functions.coefficients(values).shape == (2, 4)
    assert functions.expand(functions.coefficients(values)).shape == (2, CU.n)


@pytest.mark.parametrize('number', [0, 350])
def test_impossible_number_of_functions(number: int) -> None:
    with pytest.raises(ValueError, match=f'{number} radial functions on a mesh of 349 points'):
        RadialFunctions(CU, number)
