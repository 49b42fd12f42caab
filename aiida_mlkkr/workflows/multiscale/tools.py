"""Tables and figures of a finished chain: ``node.tools``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from aiida.tools.workflows import WorkflowTools

from aiida_mlkkr.exchange.views import j_of_shells
from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.plot.exchange import heat_map_figure
from aiida_mlkkr.plot.magnets import (
    Curve,
    binder_figure,
    configuration_figure,
    curves_figure,
    magnetisation_figure,
    transition_matrix_figure,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure
    from pandas import DataFrame

    from aiida_mlkkr.exchange.table import ExchangeTable

Transition = tuple[float, float]


class MultiscaleTools(WorkflowTools):
    """What ``mlkkr.multiscale`` has found: tables as pandas DataFrames, figures by matplotlib.

    A composition is named by its label; without one the first is meant that was simulated.
    """

    @property
    def results(self) -> dict[str, Any]:
        """The summary."""
        found: dict[str, Any] = self._node.outputs.results.get_dict()
        return found

    @property
    def labels(self) -> list[str]:
        """Compositions that were simulated."""
        return [entry['label'] for entry in self.results['compositions'] if entry['order'] is not None]

    def elements(self) -> DataFrame:
        """A row for each element: moment (µB) and charge of the single impurity, where it comes from, why it failed."""
        from pandas import DataFrame

        return DataFrame.from_dict(self.results['elements'], orient='index').rename_axis('element').reset_index()

    @property
    def exchange(self) -> ExchangeTable:
        """Exchange of all pairs."""
        table: ExchangeTable = self._node.outputs.exchange.table
        return table

    def pairs(self) -> DataFrame:
        """A row for each pair: J and its origin, distance, moments."""
        return self.exchange.to_dataframe()

    def shells(self) -> dict[float, dict[tuple[str, str], float]]:
        """J (meV) by elements, by distance (Å); empty where there is no exchange."""
        return j_of_shells(self.exchange) if 'exchange' in self._node.outputs else {}

    def compositions(self) -> DataFrame:
        """A row for each composition: order, temperatures (K) and their errors, or why there are none."""
        from pandas import DataFrame

        return DataFrame([_row(entry) for entry in self.results['compositions']])

    def summary(self) -> list[str]:
        """Lines: where pairs come from, what each composition does or why that cannot be told, what was left out."""
        results = self.results
        numbers = results['pairs']['numbers'] or {}
        counted = ', '.join(f'{number} {origin}' for origin, number in numbers.items() if number)
        lines = [f'Exchange of pairs: {counted or "none"}.']
        for entry in results['compositions']:
            transition, name = entry['transition'], name_of_shares(entry['shares'])
            if transition['temperature'] is None:
                reason = entry['failure'] or transition['reason'] or 'the chain did not come so far'
                lines.append(f'{name}: no transition: {reason}.')
            else:
                words = f'{transition["temperature"]:.1f} ± {transition["total_error"]:.1f} K ({transition["method"]})'
                lines.append(f'{name}: {entry["order"]} below {words}.')
        failures = {name: entry['failure'] for name, entry in results['elements'].items() if entry['failure']}
        return lines + [f'{name} was left out: {reason}' for name, reason in failures.items()]

    def transition(self, label: str | None = None) -> Transition | None:
        """Temperature of the transition and its error, with that of the exchange, in K; None if there is none."""
        found = self.entry(label)['transition']
        return None if found['temperature'] is None else (found['temperature'], found['total_error'])

    def curves(self, quantity: str, label: str | None = None) -> list[Curve]:
        """A quantity of the boxes of each size over the temperature, such as ``magnetisation``."""
        node = self._node.outputs.spin_dynamics[label or self.labels[0]].curves
        return [
            Curve(
                f'{number} moments',
                node.get_array(f'temperatures_{number}'),
                node.get_array(f'{quantity}_{number}'),
                node.get_array(f'{quantity}_error_{number}'),
            )
            for number in node.base.attributes.get('sizes')
        ]

    def plot_exchange(self) -> Figure:
        """J of all pairs by elements, a panel for each shell."""
        return heat_map_figure({f'{distance:.2f} Å': pairs for distance, pairs in self.shells().items()})

    def plot_magnetisation(self, label: str | None = None) -> Figure:
        """Magnetisation and susceptibility over the temperature."""
        curves = (self.curves(name, label) for name in ('magnetisation', 'susceptibility'))
        return magnetisation_figure(*curves, self.transition(label))

    def plot_cumulants(self, label: str | None = None) -> Figure:
        """Binder cumulants of the boxes: of the magnetisation in a magnet, else of the overlap of two copies."""
        frozen = self.entry(label)['order'] == 'frozen'
        return binder_figure(self.curves('spin_glass_binder' if frozen else 'binder', label), self.transition(label))

    def plot_order(self, label: str | None = None) -> Figure:
        """Magnetisation and overlap of two copies over the temperature."""
        quantities = [('M / M(0)', self.curves('magnetisation', label)), ('overlap', self.curves('overlap', label))]
        return curves_figure(quantities, self.transition(label))

    def plot_ground_state(self, label: str | None = None) -> Figure:
        """The state of lowest energy that was found, as arrows."""
        node = self._node.outputs.spin_dynamics[label or self.labels[0]].ground_state
        arrays = {name: node.get_array(name) for name in ('positions', 'directions', 'box')}
        return configuration_figure(elements=node.base.attributes.get('elements'), **arrays)

    def plot_transitions(self) -> Figure:
        """Temperatures of transitions over the two dopants of each composition; grey where there is none."""
        entries = [entry for entry in self.results['compositions'] if len(entry['shares']) <= 2]
        elements = sorted({name for entry in entries for name in entry['shares']}, key=SYMBOLS.index)
        values, errors = np.full((2, len(elements), len(elements)), np.nan)
        for entry in entries:
            found = entry['transition']
            if found['temperature'] is None:
                continue
            places = [elements.index(name) for name in entry['shares']]
            for i, j in ((places[0], places[-1]), (places[-1], places[0])):
                values[i, j], errors[i, j] = found['temperature'], found['total_error']
        return transition_matrix_figure(elements, values, errors)

    def entry(self, label: str | None) -> dict[str, Any]:
        """The summary of a composition.

        :raises ValueError: there is none.
        """
        wanted = label or self.labels[0]
        found: dict[str, Any] | None = next(
            (entry for entry in self.results['compositions'] if entry['label'] == wanted), None
        )
        if found is None:
            raise ValueError(f'there is no composition {wanted}; there are {", ".join(self.labels)}')
        return found


def name_of_shares(shares: Mapping[str, float]) -> str:
    """A composition in words."""
    return ', '.join(f'{element} {100 * share:g} %' for element, share in shares.items())


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    transition = entry['transition']
    return {
        'composition': entry['label'],
        'order': entry['order'],
        'transition_K': transition['temperature'],
        'error_K': transition.get('total_error'),
        'exchange_error_K': transition.get('exchange_error'),
        'method': transition['method'],
        'mean_field_K': entry['mean_field_temperature'],
        'glass_mean_field_K': entry['glass_mean_field_temperature'],
        'left_out': '; '.join(f'{name}: {why}' for name, why in entry['left_out'].items()),
        'reason': entry['failure'] or transition['reason'],
    }
