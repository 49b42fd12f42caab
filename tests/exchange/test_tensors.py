"""Parts of the exchange tensor, by the energy of directions: signs and factors are those of the Hamiltonian."""

import numpy as np
import pytest

from aiida_mlkkr.exchange.tensors import anisotropic, compose, dm_vector, isotropic, pair_energy, rotated, swapped

RNG = np.random.default_rng(7)
TENSORS = RNG.normal(size=(5, 3, 3))  # no symmetry at all
E_I, E_J = RNG.normal(size=(2, 5, 3))


def rotation(seed: int, improper: bool) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * (np.sign(np.linalg.det(q)) * (-1 if improper else 1))


def test_parts_are_those_of_the_hamiltonian() -> None:
    # H = −½ Σ_(i≠j) [J e_i·e_j + D_ij·(e_i×e_j) + e_i·S e_j], both orders of the pair, each with its own tensor
    def half(tensors: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        j, d, s = isotropic(tensors), dm_vector(tensors), anisotropic(tensors)
        along = np.einsum('na,na->n', a, b) * j + np.einsum('na,na->n', d, np.cross(a, b))
        return -0.5 * (along + np.einsum('na,nab,nb->n', a, s, b))

    both = half(TENSORS, E_I, E_J) + half(swapped(TENSORS), E_J, E_I)
    np.testing.assert_allclose(both, pair_energy(TENSORS, E_I, E_J), rtol=1e-12)
    np.testing.assert_allclose(anisotropic(TENSORS), np.swapaxes(anisotropic(TENSORS), 1, 2))
    np.testing.assert_allclose(np.trace(anisotropic(TENSORS), axis1=1, axis2=2), 0.0, atol=1e-14)


def test_sign_and_factor_of_d() -> None:
    # D along z favours to turn from x (site i) to y (site j): x × y = z, by D itself and not by twice of it
    tensor = compose(np.array(0.0), np.array([0.0, 0.0, 2.0]), np.zeros((3, 3)))
    x, y = np.eye(3)[:2]
    assert pair_energy(tensor, x, y) == -2.0
    assert pair_energy(tensor, y, x) == 2.0
    assert tensor[0, 1] == 2.0
    assert tensor[1, 0] == -2.0


def test_compose_takes_the_parts_back() -> None:
    np.testing.assert_allclose(
        compose(isotropic(TENSORS), dm_vector(TENSORS), anisotropic(TENSORS)), TENSORS, rtol=1e-12, atol=1e-14
    )


def test_swapping_sites() -> None:
    other = swapped(TENSORS)
    np.testing.assert_array_equal(isotropic(other), isotropic(TENSORS))
    np.testing.assert_array_equal(dm_vector(other), -dm_vector(TENSORS))
    np.testing.assert_array_equal(anisotropic(other), anisotropic(TENSORS))
    np.testing.assert_allclose(pair_energy(other, E_J, E_I), pair_energy(TENSORS, E_I, E_J), rtol=1e-12)


@pytest.mark.parametrize('improper', [False, True])
def test_rotations(improper: bool) -> None:
    q = rotation(3, improper)
    turned = rotated(TENSORS, q)
    # moments are axial vectors: the sign of an improper rotation leaves them
    axial = q * np.linalg.det(q)
    np.testing.assert_allclose(
        pair_energy(turned, E_I @ axial.T, E_J @ axial.T), pair_energy(TENSORS, E_I, E_J), rtol=1e-10
    )
    np.testing.assert_allclose(isotropic(turned), isotropic(TENSORS), rtol=1e-12)
    np.testing.assert_allclose(dm_vector(turned), dm_vector(TENSORS) @ axial.T, rtol=1e-10)
    np.testing.assert_allclose(anisotropic(turned), q @ anisotropic(TENSORS) @ q.T, atol=1e-14)


def test_mirror_planes_forbid_components_of_d() -> None:
    # a mirror through both sites leaves only D across the plane (Moriya's second rule)
    mirror = np.diag([1.0, -1.0, 1.0])  # the xz plane
    symmetric = 0.5 * (TENSORS + rotated(TENSORS, mirror))
    d = dm_vector(symmetric)
    np.testing.assert_allclose(d[:, [0, 2]], 0.0, atol=1e-15)
    assert (np.abs(d[:, 1]) > 0.01).all()
    # inversion at the middle exchanges the sites: no D
    inverted = 0.5 * (TENSORS + swapped(rotated(TENSORS, -np.eye(3))))
    np.testing.assert_allclose(dm_vector(inverted), 0.0, atol=1e-15)
