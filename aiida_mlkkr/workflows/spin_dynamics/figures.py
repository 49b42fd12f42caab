"""Figures from the outputs of ``mlkkr.spin_dynamics``: those of a workchain, or of one composition of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from aiida import orm
from matplotlib.figure import Figure

from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.plot import magnets

Transition = tuple[float, float]
"""Temperature and its error [K]."""

_SHOWN_TEMPERATURES: Final = 8


def curves_of(curves: orm.ArrayData, quantity: str) -> list[magnets.Curve]:
    """A quantity of the boxes of each size over the temperature, such as ``magnetisation``."""
    names = ('temperatures', quantity, f'{quantity}_error')
    return [
        magnets.Curve(f'{size} moments', *(curves.get_array(f'{name}_{size}') for name in names))
        for size in curves.base.attributes.get('sizes')
    ]


def magnetisation_figure(outputs: Any, transition: Transition | None) -> Figure:
    """Magnetisation and susceptibility over the temperature."""
    both = (curves_of(outputs.curves, name) for name in ('magnetisation', 'susceptibility'))
    return magnets.magnetisation_figure(*both, transition)


def cumulants_figure(outputs: Any, transition: Transition | None) -> Figure:
    """Binder cumulants of the boxes: of the magnetisation in a magnet, else of the overlap of two copies."""
    quantity = 'spin_glass_binder' if outputs.results['order'] == 'frozen' else 'binder'
    return magnets.binder_figure(curves_of(outputs.curves, quantity), transition)


def order_figure(outputs: Any, transition: Transition | None) -> Figure:
    """Magnetisation and overlap of two copies over the temperature."""
    quantities = [('M / M(0)', 'magnetisation'), ('overlap', 'overlap')]
    return magnets.curves_figure([(title, curves_of(outputs.curves, name)) for title, name in quantities], transition)


def correlations_figure(outputs: Any) -> Figure:
    """Those of the largest boxes, at some of the temperatures.

    :raises ValueError: they were not measured.
    """
    size = outputs.curves.base.attributes.get('sizes')[-1]
    if f'distances_{size}' not in outputs.curves.get_arraynames():
        raise ValueError('there are no correlations: the schedule has no correlation_reach')
    names = ('distances', 'temperatures', 'correlations', 'correlations_error')
    distances, temperatures, values, errors = (outputs.curves.get_array(f'{name}_{size}') for name in names)
    measured = np.flatnonzero(np.isfinite(values).all(axis=1))
    shown = measured[np.unique(np.linspace(0, len(measured) - 1, _SHOWN_TEMPERATURES).astype(int))]
    return magnets.correlations_figure(distances, temperatures[shown], values[shown], errors[shown])


def ground_state_figure(outputs: Any) -> Figure:
    """The state of lowest energy of the first of the smallest models, as arrows.

    :raises ValueError: none was looked for.
    """
    if 'ground_states' not in outputs:
        raise ValueError('there is no ground state: the schedule has no cooling')
    state = next(iter(outputs.ground_states.values()))
    arrays = {name: state.get_array(name) for name in ('positions', 'directions', 'box')}
    return magnets.configuration_figure(elements=state.base.attributes.get('elements'), **arrays)


def transitions_figure(found: Sequence[tuple[Sequence[str], Transition | None]]) -> Figure:
    """Transitions of magnets with one or two elements as a matrix, with a dash where there is none.

    :param found: elements and transition of each magnet.
    :raises ValueError: one has three elements or more, or two are of the same elements.
    """
    rows = {frozenset(elements): transition for elements, transition in found}
    if len(rows) < len(found) or any(len(elements) > 2 for elements in rows):
        names = ', '.join('-'.join(elements) for elements, _ in found)
        raise ValueError(f'magnets of one or two elements, each pair once, are needed, not {names}')
    elements = sorted(frozenset().union(*rows), key=SYMBOLS.index)
    values, errors = np.full((2, len(elements), len(elements)), np.nan)
    for own, transition in rows.items():
        places = [elements.index(name) for name in own]
        for i, j in ((places[0], places[-1]), (places[-1], places[0])):
            values[i, j], errors[i, j] = transition or (np.nan, np.nan)
    return magnets.transition_matrix_figure(elements, values, errors)
