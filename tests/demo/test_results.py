"""What counts as saved, and what as the same solution."""

from __future__ import annotations

from dataclasses import replace

import pytest
from demo_results import CHARGE, MOMENT, make_impurity, potential, result

from aiida_mlkkr.demo.results import median_saving, potential_deviation


def test_a_constant_shift_is_the_deviation():
    assert potential_deviation(potential(), potential(3e-4)) == pytest.approx(3e-4, rel=1e-12)
    with pytest.raises(ValueError, match='different radial meshes'):
        potential_deviation(potential(), potential(b=3e-4))


def test_savings_are_fractions_of_the_standard_starts_iterations():
    impurity = make_impurity('Mn', default=(80, 20), tuned=(16, 20))
    assert impurity.saving('default') == 0.75
    assert impurity.saving('tuned') == -0.25
    others = [make_impurity('Cr', default=(80, 60)), make_impurity('Fe', default=(80, 50))]
    assert median_saving([impurity, *others], 'default') == 0.375
    assert median_saving([], 'default') is None


@pytest.mark.parametrize('starts', [(80, result(20, converged=False)), (result(150, converged=False), 20)])
def test_not_converged_is_no_saving(starts: tuple):
    impurity = make_impurity('Mn', default=starts)
    assert impurity.saving('default') == 0.0
    assert not impurity.agrees


@pytest.mark.parametrize('moment', [MOMENT + 2e-3, -MOMENT])
def test_another_solution_is_no_saving(moment: float):
    impurity = make_impurity('Mn', default=(80, result(20, moment)))
    assert impurity.saving('default') == 0.0
    assert impurity.moment_spread == pytest.approx(abs(MOMENT - moment))
    assert not impurity.agrees


def test_a_run_without_result_has_no_saving():
    impurity = make_impurity('Mn', default=(80, 20))
    runs = {key: run for key, run in impurity.runs.items() if key != ('emulator', 'default')}
    impurity = replace(impurity, runs=runs)
    assert impurity.saving('default') is None
    assert impurity.saving('tuned') == 0.25
    assert median_saving([impurity], 'default') is None


@pytest.mark.parametrize(
    ('charge', 'shift', 'agrees'),
    [(CHARGE, 0.0, True), (CHARGE + 5e-5, 5e-5, True), (CHARGE + 3e-4, 0.0, False), (CHARGE, 2e-4, False)],
)
def test_agreement_needs_charges_and_potential(charge: float, shift: float, agrees: bool):
    impurity = make_impurity('Mn', default=(80, result(20, charge=charge, shift=shift)))
    assert impurity.agrees is agrees
