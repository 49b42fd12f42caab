"""The energy contour."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest

from aiida_mlkkr.kkr.constants import JUKKR_BOLTZMANN_RY
from aiida_mlkkr.solver.host.contour import ContourSettings, energy_contour, fermi_quadrature


@pytest.mark.parametrize('n', [1, 2, 5, 12])
def test_fermi_quadrature(n: int) -> None:
    # Sommerfeld: ∫₋₁^∞ xᵏ f(x) dx = −(−1)^(k+1)/(k+1) + [k = 1] π²/6 T² + [k = 3] (π²/2 · 0 + 7π⁴/60) T⁴ …, T = 1/30
    x, weights = fermi_quadrature(n)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights @ x == pytest.approx(-1 / 2 + pi**2 / 6 / 900, abs=1e-12)
    if n > 1:
        assert weights @ x**2 == pytest.approx(1 / 3, abs=1e-12)
        assert weights @ x**3 == pytest.approx(-1 / 4 + 7 * pi**4 / 60 / 30**4, abs=1e-12)


@pytest.mark.parametrize('level', [-0.2, 0.1, 0.49, 0.5, 0.51, 0.8])
def test_occupation_of_a_level(level: float) -> None:
    # the weights are −(2/π) dE, so that a level gives two electrons times its Fermi function
    settings = ContourSettings(bottom=-0.4, temperature=800.0, poles=5, points=(8, 24, 8))
    energies, weights = energy_contour(settings, 0.5)
    occupation = float(np.imag(weights @ (1 / (energies - level))))
    fermi = 1 / (1 + np.exp((level - 0.5) / (JUKKR_BOLTZMANN_RY * 800.0)))
    assert occupation == pytest.approx(2 * fermi, abs=1e-5)
    assert energies[-1] == pytest.approx(0.5 + 1j * pi * JUKKR_BOLTZMANN_RY * 800.0)
