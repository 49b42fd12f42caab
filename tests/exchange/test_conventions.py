"""Conventions: the energy of a pair, written out from each Hamiltonian by hand, is the same in all."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from aiida_mlkkr.exchange.conventions import CONVENTIONS, OURS, RYDBERG_MEV, PairTerms, convention, convert
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.tensors import anisotropic, compose, dm_vector, isotropic, pair_energy

RNG = np.random.default_rng(11)
TENSORS = RNG.normal(size=(4, 3, 3))
SIGNS = np.array([1.0, -1.0, -1.0, 1.0])
TERMS = PairTerms(OURS, isotropic(TENSORS), dm_vector(TENSORS), anisotropic(TENSORS), signs=SIGNS)
WITHOUT_S = replace(TERMS, s=None)
E_I, E_J = RNG.normal(size=(2, 4, 3))


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum('na,na->n', a, b)


def both_orders(energy: Callable[..., np.ndarray], t: PairTerms, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Σ_(i≠j): j to i has −D."""
    return energy(t.j, t.d, t.s, a, b) + energy(t.j, -t.d, t.s, b, a)


# Energies of the pairs, written anew from what the programs and papers say, for e_i along the moments.
HAMILTONIANS = {
    'pairs-once': lambda t, a, b: -(t.j * dot(a, b) + dot(t.d, np.cross(a, b))),
    'half-sum': lambda t, a, b: both_orders(
        lambda j, d, s, x, y: -0.5 * j * dot(x, y) - 0.5 * dot(d, np.cross(x, y)), t, a, b
    ),
    'positive-half-sum': lambda t, a, b: both_orders(
        lambda j, d, s, x, y: 0.5 * j * dot(x, y) + dot(d, np.cross(x, y)), t, a, b
    ),
    'aiida-kkr-kkrhost': lambda t, a, b: both_orders(
        lambda j, d, s, x, y: -j * dot(x, y) - dot(d, np.cross(x, y)), t, a, b
    ),
    'spirit': lambda t, a, b: -t.j * dot(a, b) - dot(t.d, np.cross(a, b)),
    'spirit-both-directions': lambda t, a, b: both_orders(
        lambda j, d, s, x, y: -j * dot(x, y) - dot(d, np.cross(x, y)), t, a, b
    ),
    'tb2j': lambda t, a, b: both_orders(
        lambda j, d, s, x, y: -j * dot(x, y) - dot(d, np.cross(x, y)) - np.einsum('na,nab,nb->n', x, s, y), t, a, b
    ),
    'tensor-dm-reversed': lambda t, a, b: (
        -np.einsum(
            'na,nab,nb->n',
            a,
            t.j[:, None, None] * np.eye(3) + np.array([[[0, -z, y], [z, 0, -x], [-y, x, 0]] for x, y, z in t.d]) + t.s,
            b,
        )
    ),
}


@pytest.mark.parametrize('name', HAMILTONIANS)
def test_energy_stays(name: str) -> None:
    terms = TERMS if CONVENTIONS[name].s is not None else WITHOUT_S
    s = anisotropic(TENSORS) if terms.s is not None else np.zeros((4, 3, 3))
    expected = pair_energy(compose(TERMS.j, TERMS.d, s), E_I, E_J)
    found = HAMILTONIANS[name](convert(terms, CONVENTIONS[name]), E_I, E_J)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize('name', CONVENTIONS)
def test_there_and_back(name: str) -> None:
    terms = TERMS if CONVENTIONS[name].s is not None else WITHOUT_S
    there = convert(terms, CONVENTIONS[name])
    back = convert(there, OURS)
    assert there.convention is CONVENTIONS[name]
    np.testing.assert_allclose(back.j, TERMS.j, rtol=1e-12)
    np.testing.assert_allclose(back.d, TERMS.d, rtol=1e-12)


def test_factors_that_are_met() -> None:
    """J and D of one pair, 1 and 1 in ours, as others write them."""
    one = PairTerms(OURS, np.array([1.0]), np.array([[0.0, 0.0, 1.0]]), signs=np.array([1.0]))
    factors = {name: convert(one, other) for name, other in CONVENTIONS.items()}
    found = {name: (terms.j[0], terms.d[0, 2]) for name, terms in factors.items()}
    assert found == {
        'aiida-mlkkr': (1.0, 1.0),
        'pairs-once': (1.0, 1.0),
        'half-sum': (1.0, 1.0),
        'tensor-dm-reversed': (1.0, -1.0),
        'positive-half-sum': (-1.0, -0.5),
        'jukkr-out_Jijmatrix': (pytest.approx(-1 / 13605.693), pytest.approx(-1 / 13605.693)),
        'aiida-kkr-parse_Jij': (1.0, 2.0),
        'aiida-kkr-kkrhost': (0.5, 0.5),
        'spirit': (1.0, 1.0),
        'spirit-both-directions': (0.5, 0.5),
        'tb2j': (0.5, 0.5),
    }


def test_biquadratic() -> None:
    terms = replace(WITHOUT_S, b=np.ones(4))
    found = convert(terms, CONVENTIONS['positive-half-sum'])
    np.testing.assert_array_equal(found.b, -1.0)
    # (e_i·e_j)² does not know the signs of the moments
    assert convert(replace(terms, b=np.zeros(4)), CONVENTIONS['jukkr-out_Jijmatrix']).b is None


def test_spin_axes_and_moments() -> None:
    raw = convert(TERMS, CONVENTIONS['jukkr-out_Jijmatrix'])
    np.testing.assert_allclose(raw.j * RYDBERG_MEV, -SIGNS * TERMS.j, rtol=1e-12)
    assert raw.s is not None
    # e_i·𝒥 e_j of the axes, which are opposite to negative moments
    energies = np.einsum('na,nab,nb->n', E_I * SIGNS[:, None], compose(raw.j, raw.d, raw.s), E_J)
    np.testing.assert_allclose(energies * RYDBERG_MEV, pair_energy(TENSORS, E_I, E_J), rtol=1e-12)
    with pytest.raises(ExchangeError, match='give the signs'):
        convert(replace(TERMS, signs=None), CONVENTIONS['jukkr-out_Jijmatrix'])


def test_terms_without_a_place() -> None:
    with pytest.raises(ExchangeError, match='spirit has no place for S'):
        convert(TERMS, CONVENTIONS['spirit'])
    assert convert(replace(TERMS, s=np.zeros((4, 3, 3))), CONVENTIONS['spirit']).s is None
    with pytest.raises(ExchangeError, match="no convention 'KKR'; there are aiida-mlkkr, "):
        convention('KKR')
    assert convention('tb2j') is CONVENTIONS['tb2j']
