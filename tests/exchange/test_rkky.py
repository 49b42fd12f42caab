"""The tail of exchange in a metal is found again."""

import numpy as np
import pytest

from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.rkky import RkkyTail, fit_tail

R = 2.556 * np.sqrt([1, 2, 3, 4, 5, 6])
TAIL = RkkyTail(800.0, 1.36, -0.7, 0.0)


@pytest.mark.parametrize('k_fermi', [None, 1.36])
def test_a_tail_is_found_again(k_fermi):
    found = fit_tail(R, TAIL.j(R), k_fermi)
    assert found.k_fermi == pytest.approx(1.36, abs=1e-5)
    assert found.amplitude == pytest.approx(800.0, rel=1e-3)
    assert found.phase == pytest.approx(-0.7, abs=1e-3)
    assert found.residual < 0.05
    np.testing.assert_allclose(found.j(R), TAIL.j(R), atol=1e-3)


def test_what_is_left_is_said():
    wrong = fit_tail(R, TAIL.j(R), 1.0)
    left = TAIL.j(R) * R**3 - wrong.j(R) * R**3
    assert wrong.residual == pytest.approx(np.sqrt(np.mean(left**2)))
    assert wrong.residual > 100


@pytest.mark.parametrize(('number', 'k_fermi'), [(2, None), (1, 1.36)])
def test_too_few_distances(number, k_fermi):
    with pytest.raises(ExchangeError, match=f'{number} distances are too few'):
        fit_tail(R[:number], TAIL.j(R[:number]), k_fermi)
