"""Real spherical harmonics against what is known of them."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import pytest
from rotations import rotation_matrices
from scipy.special import eval_legendre
from scipy.stats import ortho_group

from aiida_mlkkr.ml.harmonics import channel_matrices, components, real_harmonics, sphere_quadrature

LMAX = 8
DIRECTIONS = np.random.default_rng(1).normal(size=(20, 3))


def test_known_values_in_the_order_of_jukkr():
    x, y, z = (DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1)[:, None]).T
    known = [
        np.full(20, sqrt(1 / (4 * pi))),
        *(sqrt(3 / (4 * pi)) * p for p in (y, z, x)),
        *(sqrt(15 / (4 * pi)) * p for p in (x * y, y * z)),
        sqrt(5 / (16 * pi)) * (3 * z**2 - 1),
        *(sqrt(15 / (4 * pi)) * p for p in (x * z, (x**2 - y**2) / 2)),
        sqrt(35 / (32 * pi)) * (3 * x**2 * y - y**3),
    ]
    assert np.allclose(real_harmonics(DIRECTIONS, 3)[:, :10], np.transpose(known), atol=1e-14)


def test_poles_are_no_special_directions():
    values = real_harmonics(np.array([[0.0, 0.0, 3.0], [0.0, 0.0, -0.1]]), LMAX)
    expected = np.zeros((2, (LMAX + 1) ** 2))
    for l in range(LMAX + 1):
        expected[:, l * l + l] = sqrt((2 * l + 1) / (4 * pi)) * np.array([1.0, (-1.0) ** l])
    assert np.allclose(values, expected, atol=1e-14)


def test_they_are_orthonormal():
    directions, weights = sphere_quadrature(2 * LMAX)
    values = real_harmonics(directions, LMAX)
    assert weights.sum() == pytest.approx(4 * pi)
    assert np.allclose(values.T @ (weights[:, None] * values), np.eye((LMAX + 1) ** 2), atol=1e-13)


def test_addition_theorem():
    values = real_harmonics(DIRECTIONS, LMAX)
    unit = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1)[:, None]
    for l in range(LMAX + 1):
        part = values[:, components(l)]
        assert np.allclose(4 * pi / (2 * l + 1) * part @ part.T, eval_legendre(l, unit @ unit.T), atol=1e-12)


def test_rotations_and_reflections():
    one, other = ortho_group.rvs(3, size=2, random_state=3)
    reflection = np.diag([1.0, 1.0, -1.0])
    for rotation in (one, other, one @ reflection, -np.eye(3)):
        turned = real_harmonics(DIRECTIONS @ rotation.T, LMAX)
        before = real_harmonics(DIRECTIONS, LMAX)
        for l, matrix in enumerate(rotation_matrices(rotation, LMAX)):
            assert np.allclose(turned[:, components(l)], before[:, components(l)] @ matrix.T, atol=1e-13)
            assert np.allclose(matrix @ matrix.T, np.eye(2 * l + 1), atol=1e-13)
    products = zip(*(rotation_matrices(r, LMAX) for r in (one @ other, one, other)), strict=True)
    for of_product, first, second in products:
        assert np.allclose(of_product, first @ second, atol=1e-13)


def test_functions_turn_with_their_channels():
    rotation = ortho_group.rvs(3, random_state=5)
    coefficients = np.random.default_rng(6).normal(size=25)
    turned = channel_matrices(rotation[None], 25)[0] @ coefficients
    before = real_harmonics(DIRECTIONS, 4) @ coefficients
    assert np.allclose(real_harmonics(DIRECTIONS @ rotation.T, 4) @ turned, before, atol=1e-12)


def test_what_is_not_a_direction_is_refused():
    with pytest.raises(ValueError, match='no direction'):
        real_harmonics(np.zeros((1, 3)), 2)
