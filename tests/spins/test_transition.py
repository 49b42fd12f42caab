"""Orders and transitions of curves whose transition is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spin_models import free, simple_cubic

from aiida_mlkkr.spins.meanfield import (
    glass_mean_field_temperature,
    model_mean_field_temperature,
    soft_mode_temperature,
)
from aiida_mlkkr.spins.temperatures import TemperatureSettings
from aiida_mlkkr.spins.transition import OF_TRANSITIONS, BoxCurves, Cumulant, crossing, find_transition, turning_point
from aiida_mlkkr.spins.units import BOLTZMANN

TC = 20.0


def scaling(number: int, temperatures: np.ndarray, **changes: np.ndarray) -> BoxCurves:
    """A box that follows finite-size scaling, U = f((T − T_c) L^(1/ν)), with some noise."""
    x = (temperatures - TC) / TC * number ** (1 / 3 / 0.71)
    cumulant = 1 / (1 + np.exp(2 * x - 1.3)) + 1e-4 * np.sin(97 * temperatures + number)
    order = np.sqrt(np.maximum(cumulant, 0.0))
    values = {
        'binder': cumulant,
        'spin_glass_binder': cumulant,
        'overlap': order**2,
        'magnetisation': order,
        'magnetisation_of_groups': order[:, None],
        'susceptibility': np.exp(-((x - 0.5) ** 2)),
    } | changes
    errors = {name: np.full_like(array, 1e-3) for name, array in values.items()}
    deviations = {name: np.diag(errors[name]) for name in OF_TRANSITIONS}
    return BoxCurves(number, temperatures, np.ones(len(temperatures), dtype=bool), values, errors, deviations)


WIDE, NARROW = np.geomspace(1.0, 40.0, 16), np.linspace(17.0, 23.0, 9)


def test_crossing_of_two_sizes_in_wide_and_narrow_grids() -> None:
    temperatures = np.unique(np.concatenate([WIDE, NARROW]))
    found = find_transition([scaling(512, temperatures), scaling(64, temperatures), scaling(216, temperatures)])
    assert (found.order, found.method) == ('ferromagnetic', 'crossing of Binder cumulants')
    assert [crossing[:2] for crossing in found.crossings] == [(64, 216), (64, 512), (216, 512)]
    assert found.temperature is not None
    assert found.error is not None
    assert found.temperature == pytest.approx(TC, abs=4 * found.error)
    assert 0.001 < found.error < 0.2


def test_error_of_a_crossing_of_values_that_are_wrong_together() -> None:
    """Of straight lines in log U/(1 − U), one shifted as a whole: shift over difference of the slopes."""
    temperatures = np.linspace(19.0, 21.0, 9)
    small, large = (1 / (1 + np.exp(slope * (temperatures - TC))) for slope in (1.0, 2.0))
    shift = 0.02 * large * (1 - large)
    together = crossing(Cumulant(temperatures, small, np.zeros((1, 9))), Cumulant(temperatures, large, shift[None]))
    apart = crossing(Cumulant(temperatures, small, np.zeros((9, 9))), Cumulant(temperatures, large, np.diag(shift)))
    assert together == pytest.approx((TC, 0.02), rel=0.1)
    assert apart is not None
    assert apart[1] < 0.016


def test_one_box_has_a_maximum() -> None:
    found = find_transition([scaling(64, np.linspace(10.0, 40.0, 31))])
    assert (found.order, found.method) == ('ferromagnetic', 'maximum of the susceptibility of one box, no crossing')
    assert found.reason == 'there is one size of boxes'
    scale = TC / 64 ** (1 / 3 / 0.71)
    assert found.temperature == pytest.approx(TC + 0.5 * scale, abs=0.3)
    assert found.error == pytest.approx(np.log(3) / 2 * scale, rel=0.1)  # the cumulant falls from ¾ to ¼ within it


def test_orders() -> None:
    nothing = np.full(len(WIDE), 0.05)
    glass = scaling(64, WIDE, magnetisation=nothing, magnetisation_of_groups=nothing[:, None])
    found = find_transition([glass])
    assert (found.order, found.method) == ('frozen', 'half the height of the overlap cumulant of one box, no crossing')
    ferri = scaling(64, WIDE, magnetisation=0.6 * np.ones(len(WIDE)))
    assert find_transition([ferri]).order == 'ferrimagnetic'
    paramagnet = find_transition([scaling(64, np.linspace(50.0, 90.0, 5))])
    assert (paramagnet.order, paramagnet.temperature) == ('none', None)
    assert 'not ordered at the lowest temperature' in str(paramagnet.reason)
    forbidden = find_transition([scaling(64, WIDE)], 'the network does not percolate')
    assert (forbidden.order, forbidden.temperature, forbidden.reason) == (
        'none',
        None,
        'the network does not percolate',
    )


def test_what_has_not_thermalised_does_not_count() -> None:
    box = scaling(64, WIDE)
    cold = replace(box, thermalised=WIDE > 30.0)
    assert find_transition([cold]).order == 'unknown'
    assert turning_point(cold) is None
    assert len(replace(box, thermalised=WIDE > 5.0).cumulant('binder').values) == sum(WIDE > 5.0)


def test_no_crossing_is_told() -> None:
    same = [scaling(64, WIDE), scaling(216, WIDE, binder=scaling(64, WIDE).values['binder'] - 0.05)]
    found = find_transition(same)
    assert (found.crossings, found.reason) == ((), 'the cumulants of the two largest boxes do not cross for sure')
    assert 'of one box, no crossing' in str(found.method)
    assert found.error is not None
    assert found.error > 0.05 * TC
    few = Cumulant(np.array([1.0, 2.0]), np.array([1.0, 0.0]), np.eye(2))
    assert crossing(few, few) is None


def test_temperatures_that_are_chosen() -> None:
    settings = TemperatureSettings(number=5, lowest=0.1, highest=1.6, refined_number=5, refined_width=0.2)
    np.testing.assert_allclose(settings.wide(10.0), [1.0, 2.0, 4.0, 8.0, 16.0])
    np.testing.assert_allclose(settings.narrow(20.0, 0), [16.0, 18.0, 20.0, 22.0, 24.0])
    np.testing.assert_allclose(settings.narrow(20.0, 1), [18.0, 19.0, 20.0, 21.0, 22.0])
    np.testing.assert_allclose(settings.deeper(10.0)[::4], [1.0, 40.0])
    assert TemperatureSettings(values=(1.0, 3.0)).wide(10.0) == [1.0, 3.0]


def test_mean_field_of_models() -> None:
    cubic = simple_cubic(4, exchange=1.5)
    assert BOLTZMANN * model_mean_field_temperature(cubic) == pytest.approx(2 * 1.5)
    assert BOLTZMANN * soft_mode_temperature(cubic) == pytest.approx(2 * 1.5, rel=1e-3)
    assert BOLTZMANN * glass_mean_field_temperature(cubic) == pytest.approx(np.sqrt(6) * 1.5 / 3)
    against = simple_cubic(4, exchange=-1.5)
    assert model_mean_field_temperature(against) == 0.0
    assert BOLTZMANN * soft_mode_temperature(against) == pytest.approx(2 * 1.5, rel=1e-3)
    assert soft_mode_temperature(free({}, 2)) == 0.0
