"""Real harmonics, Gaunt coefficients and quadratures against closed forms."""

from math import pi, prod, sqrt

import numpy as np
import pytest
from scipy.special import eval_legendre, factorial, lpmv

from aiida_mlkkr.solver.angular import double_factorial, gaunt, l_of_lm, lm_size, product_quadrature, real_harmonics

# Everything here is a handful of operations on numbers of the order of one: some hundred times the rounding of 2e-16.
ROUNDING = 1e-13


def random_directions(count: int = 20) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(count, 3))


def test_index_of_l_and_m() -> None:
    assert [lm_size(l) for l in range(4)] == [1, 4, 9, 16]
    assert l_of_lm(2).tolist() == [0, 1, 1, 1, 2, 2, 2, 2, 2]


def test_explicit_harmonics() -> None:
    vectors = random_directions()
    x, y, z = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    f, g = sqrt(15 / (4 * pi)), sqrt(35 / (32 * pi))
    expected = [
        np.full_like(x, sqrt(1 / (4 * pi))),
        # l = 1: sin φ, no φ, cos φ; the signs are those without the Condon-Shortley phase
        sqrt(3 / (4 * pi)) * y, sqrt(3 / (4 * pi)) * z, sqrt(3 / (4 * pi)) * x,
        f * x * y, f * y * z, sqrt(5 / (16 * pi)) * (3 * z**2 - 1), f * x * z, f / 2 * (x**2 - y**2),
        # l = 3, m = -3 and m = 3
        g * (3 * x**2 - y**2) * y, g * x * (x**2 - 3 * y**2),
    ]  # fmt: skip
    harmonics = real_harmonics(vectors, 3)
    np.testing.assert_allclose(harmonics[:, [*range(10), 15]].T, expected, atol=ROUNDING)


def test_harmonics_of_high_l_against_associated_legendre_functions() -> None:
    lmax = 12
    vectors = random_directions()
    phi = np.arctan2(vectors[:, 1], vectors[:, 0])
    cos_theta = vectors[:, 2] / np.linalg.norm(vectors, axis=1)
    harmonics = real_harmonics(vectors, lmax)
    for l in range(lmax + 1):
        for m in range(-l, l + 1):
            k = abs(m)
            norm = sqrt((2 * l + 1) / (4 * pi) * factorial(l - k) / factorial(l + k))
            angle = 1.0 if m == 0 else sqrt(2) * (np.cos(k * phi) if m > 0 else np.sin(k * phi))
            # scipy's lpmv has the phase (-1)^m
            expected = (-1) ** k * norm * lpmv(k, l, cos_theta) * angle
            # ten times the rounding elsewhere: lpmv recurs over l as well
            np.testing.assert_allclose(harmonics[:, l * l + l + m], expected, atol=10 * ROUNDING)


def test_length_of_the_vector_does_not_matter_and_the_poles_are_regular() -> None:
    vectors = np.array([[0.0, 0.0, 2.0], [0.0, 0.0, -3.0], [1e-200, 0.0, 1.0]])
    harmonics = real_harmonics(vectors, 4)
    l = np.arange(5)
    m0 = l * l + l
    assert np.isfinite(harmonics).all()
    np.testing.assert_allclose(harmonics[0, m0], np.sqrt((2 * l + 1) / (4 * pi)), atol=ROUNDING)
    np.testing.assert_allclose(harmonics[1, m0], (-1.0) ** l * harmonics[0, m0], atol=ROUNDING)
    np.testing.assert_allclose(np.delete(harmonics[0], m0), 0.0, atol=ROUNDING)
    np.testing.assert_allclose(real_harmonics(vectors * 5.0, 4), harmonics, atol=ROUNDING)


def test_shape_follows_the_vectors() -> None:
    assert real_harmonics(np.ones((2, 5, 3)), 3).shape == (2, 5, 16)
    assert real_harmonics(np.ones(3), 2).shape == (9,)


def test_harmonics_are_orthonormal() -> None:
    lmax = 8
    directions, weights = product_quadrature(2 * lmax)
    harmonics = real_harmonics(directions, lmax)
    np.testing.assert_allclose((harmonics.T * weights) @ harmonics, np.eye(lm_size(lmax)), atol=ROUNDING)


def test_addition_theorem() -> None:
    lmax = 8
    a, b = random_directions(10), random_directions(20)[10:]
    cosine = np.einsum('ij,ij->i', a, b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    products = real_harmonics(a, lmax) * real_harmonics(b, lmax)
    for l in range(lmax + 1):
        np.testing.assert_allclose(
            products[:, l * l : (l + 1) ** 2].sum(axis=1),
            (2 * l + 1) / (4 * pi) * eval_legendre(l, cosine),
            atol=ROUNDING,
        )


@pytest.mark.parametrize('degree', [0, 1, 4, 7, 12])
def test_quadrature_is_exact_for_polynomials(degree: int) -> None:
    directions, weights = product_quadrature(degree)
    assert (weights > 0).all()
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0, atol=ROUNDING)
    for a in range(degree + 1):
        for b in range(degree + 1 - a):
            for c in range(degree + 1 - a - b):
                powers = (a, b, c)
                odd = any(power % 2 for power in powers)
                # ∫ x^a y^b z^c dΩ = 4π (a−1)!! (b−1)!! (c−1)!! / (a+b+c+1)!! for even powers
                exact = (
                    0.0
                    if odd
                    else 4 * pi * prod(double_factorial(p - 1) for p in powers) / double_factorial(a + b + c + 1)
                )
                assert weights @ np.prod(directions**powers, axis=1) == pytest.approx(exact, abs=ROUNDING)


def test_gaunt_coefficients_expand_products_of_harmonics() -> None:
    directions = random_directions()
    left, right = real_harmonics(directions, 2), real_harmonics(directions, 3)
    expanded = np.einsum('abc,pc->pab', gaunt(2, 3), real_harmonics(directions, 5))
    np.testing.assert_allclose(expanded, left[:, :, None] * right[:, None, :], atol=ROUNDING)


def test_known_gaunt_coefficients() -> None:
    c = gaunt(2, 2)
    np.testing.assert_allclose(c[:, :, 0], np.eye(9) / sqrt(4 * pi), atol=ROUNDING)
    # ∫ Y10 Y10 Y20 and ∫ Y20³, from the explicit polynomials
    assert c[2, 2, 6] == pytest.approx(1 / sqrt(5 * pi), abs=ROUNDING)
    assert c[6, 6, 6] == pytest.approx(sqrt(5 / pi) / 7, abs=ROUNDING)
    np.testing.assert_allclose(c, c.swapaxes(0, 1), atol=ROUNDING)
    with pytest.raises(ValueError, match='read-only'):
        c[0, 0, 0] = 1.0


def test_selection_rules_of_gaunt_coefficients() -> None:
    l = l_of_lm(2)
    l_sum = l_of_lm(4)
    a, b, c = np.nonzero(gaunt(2, 2))
    assert ((l[a] + l[b] + l_sum[c]) % 2 == 0).all()
    assert (np.abs(l[a] - l[b]) <= l_sum[c]).all()


def test_sum_rules_of_gaunt_coefficients() -> None:
    c = gaunt(2, 2)
    l, l_sum = l_of_lm(2), l_of_lm(4)
    for k in range(3):
        # closed shells are spherical: Σ_m Y_lm² = (2l+1)/4π
        closed = np.einsum('aac->c', c[np.ix_(l == k, l == k)])
        np.testing.assert_allclose(closed, (2 * k + 1) / sqrt(4 * pi) * (np.arange(25) == 0), atol=ROUNDING)
    # Σ_mm'm'' C² = (2l+1)(2l'+1)(2l''+1)/4π times the square of the 3j symbol (l l' l''; 0 0 0)
    for (k, k_prime, k_sum), square in {
        (1, 1, 2): 2 / 15,
        (2, 2, 2): 2 / 35,
        (2, 2, 4): 2 / 35,
        (1, 2, 3): 3 / 35,
    }.items():
        total = (c[np.ix_(l == k, l == k_prime, l_sum == k_sum)] ** 2).sum()
        expected = (2 * k + 1) * (2 * k_prime + 1) * (2 * k_sum + 1) / (4 * pi) * square
        assert total == pytest.approx(expected, abs=ROUNDING)


def test_double_factorial() -> None:
    assert [double_factorial(n) for n in (-1, 0, 1, 2, 7, 8)] == [1, 1, 1, 2, 105, 384]
