"""The Jacobi-Legendre expansion against its definition, term by term."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.special import eval_jacobi, eval_legendre

from aiida_mlkkr.ml.jacobi import JacobiFunctions, JacobiLegendreExpansion, Term

FUNCTIONS = JacobiFunctions(number=4, cutoff=5.0, alpha=0.7, beta=1.4)
EXPANSION = JacobiLegendreExpansion((1, 6, 8), FUNCTIONS, lmax=3)
POSITIONS = np.random.default_rng(2).uniform(-2.0, 2.0, (6, 3))
Z = np.array([8, 6, 6, 6, 8, 1])
POINTS = np.random.default_rng(3).uniform(-3.0, 3.0, (7, 3))


def vanishing(n: int, r: float) -> float:
    """P̃_n as it is defined, with orders that are no integers."""
    x = np.cos(np.pi * min(r, 5.0) / 5.0)
    return float(eval_jacobi(n, 0.7, 1.4, x) - eval_jacobi(n, 0.7, 1.4, -1.0))


def doubly(n: int, r: float) -> float:
    """P̄_n as it is defined."""
    return vanishing(n, r) - vanishing(n, 0.0) / vanishing(1, 0.0) * vanishing(1, r)


def by_definition(term: Term, point: np.ndarray) -> float:
    """A term at a point, by going through all atoms or all pairs i < j of them."""
    vectors = point - POSITIONS
    r = np.linalg.norm(vectors, axis=1)
    if len(term.n) == 1:
        return sum(vanishing(term.n[0], r[i]) for i in range(len(Z)) if Z[i] == term.elements[0])
    total = 0.0
    for i, j in combinations(range(len(Z)), 2):
        legendre = eval_legendre(term.l, vectors[i] @ vectors[j] / (r[i] * r[j]))
        orders = {(i, j), (j, i)} if term.n[0] != term.n[1] or term.elements[0] != term.elements[1] else {(i, j)}
        for a, b in orders:
            if (Z[a], Z[b]) == term.elements:
                total += doubly(term.n[0], r[a]) * doubly(term.n[1], r[b]) * legendre
    return total


def test_functions_vanish_where_they_must():
    r = np.array([0.0, 2.0, 5.0, 7.0])
    assert np.allclose(FUNCTIONS.vanishing(r)[1], [vanishing(n, 2.0) for n in range(1, 5)])
    assert np.allclose(FUNCTIONS.doubly_vanishing(r)[1], [doubly(n, 2.0) for n in range(2, 5)])
    assert np.allclose(FUNCTIONS.vanishing(r)[2:], 0.0, atol=1e-14)
    assert np.allclose(FUNCTIONS.doubly_vanishing(r)[[0, 2, 3]], 0.0, atol=1e-13)
    assert (np.abs(FUNCTIONS.vanishing(r)[0]) > 0.1).all()


def test_number_of_terms():
    of_one_element, of_two = 3 * (3 * 4 // 2), 3 * 3 * 3
    assert len(EXPANSION.terms) == 3 * 4 + 4 * (of_one_element + of_two)
    assert len(set(EXPANSION.terms)) == len(EXPANSION.terms)


def test_every_term_is_its_definition():
    design = EXPANSION.design(POINTS, POSITIONS, Z)
    expected = [[by_definition(term, point) for term in EXPANSION.terms] for point in POINTS]
    assert np.allclose(design, expected, atol=1e-11)


def test_a_known_expansion_is_found_again():
    rng = np.random.default_rng(4)
    known = JacobiLegendreExpansion((6, 8), JacobiFunctions(3, 5.0), lmax=1)
    points = rng.uniform(-3.0, 3.0, (400, 3))
    design = known.design(points, POSITIONS[:5], Z[:5])
    coefficients = rng.normal(size=design.shape[1])
    found = np.linalg.lstsq(design, design @ coefficients, rcond=None)[0]
    assert np.allclose(found, coefficients, atol=1e-8)


def test_a_point_on_an_atom_has_no_direction_to_it():
    there = EXPANSION.design(POSITIONS[:1], POSITIONS, Z)
    near = EXPANSION.design(POSITIONS[:1] + 1e-7, POSITIONS, Z)
    assert there == pytest.approx(near, abs=1e-4)
