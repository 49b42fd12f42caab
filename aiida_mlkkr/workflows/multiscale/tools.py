"""Tables and figures of a finished chain: ``node.tools``."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING, Any, Final

from aiida.tools.workflows import WorkflowTools

from aiida_mlkkr.exchange.views import j_of_shells, strongly_biquadratic
from aiida_mlkkr.plot.exchange import heat_map_figure
from aiida_mlkkr.workflows.spin_dynamics import figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure
    from pandas import DataFrame

    from aiida_mlkkr.exchange.table import ExchangeTable
    from aiida_mlkkr.plot.magnets import Curve

_MANY: Final = 0.05
"""Share of the moments; in the face-centred lattice reached with 3 % of the sites occupied."""


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
        """Lines: where pairs come from and what spin models leave out of their exchange, what each composition does or
        why that cannot be told, which elements were left out."""
        results = self.results
        numbers = results['pairs']['numbers'] or {}
        counted = ', '.join(f'{number} {origin}' for origin, number in numbers.items() if number)
        lines = [f'Exchange of pairs: {counted or "none"}.', *self._left_out_of_exchange()]
        for entry in results['compositions']:
            transition, name = entry['transition'], name_of_shares(entry['shares'])
            if transition['temperature'] is None:
                reason = entry['failure'] or transition['reason'] or 'the chain did not come so far'
                lines.append(f'{name}: no transition: {reason}.')
            else:
                words = f'{transition["temperature"]:.1f} ± {transition["total_error"]:.1f} K ({transition["method"]})'
                lines.append(f'{name}: {entry["order"]} below {words}.')
            lines += _where_pairs_are_not_enough(entry)
        failures = {name: entry['failure'] for name, entry in results['elements'].items() if entry['failure']}
        return lines + [f'{name} was left out: {reason}' for name, reason in failures.items()]

    def transition(self, label: str | None = None) -> figures.Transition | None:
        """Temperature of the transition and its error, with that of the exchange, in K; None if there is none."""
        return _transition(self.entry(label))

    def curves(self, quantity: str, label: str | None = None) -> list[Curve]:
        """A quantity of the boxes of each size over the temperature, such as ``magnetisation``."""
        return figures.curves_of(self._outputs(label).curves, quantity)

    def plot_exchange(self) -> Figure:
        """J of all pairs by elements, a panel for each shell."""
        return heat_map_figure({f'{distance:.2f} Å': pairs for distance, pairs in self.shells().items()})

    def plot_magnetisation(self, label: str | None = None) -> Figure:
        """Magnetisation and susceptibility over the temperature."""
        return figures.magnetisation_figure(self._outputs(label), self.transition(label))

    def plot_cumulants(self, label: str | None = None) -> Figure:
        """Binder cumulants of the boxes: of the magnetisation in a magnet, else of the overlap of two copies."""
        return figures.cumulants_figure(self._outputs(label), self.transition(label))

    def plot_order(self, label: str | None = None) -> Figure:
        """Magnetisation and overlap of two copies over the temperature."""
        return figures.order_figure(self._outputs(label), self.transition(label))

    def plot_correlations(self, label: str | None = None) -> Figure:
        """Correlations of moments against their distance, of the largest boxes."""
        return figures.correlations_figure(self._outputs(label))

    def plot_ground_state(self, label: str | None = None) -> Figure:
        """The state of lowest energy that was found, as arrows."""
        return figures.ground_state_figure(self._outputs(label))

    def plot_transitions(self) -> Figure:
        """Temperatures of transitions over the two dopants of each composition; a dash where there is none.

        :raises ValueError: two compositions have the same dopants.
        """
        entries = [entry for entry in self.results['compositions'] if len(entry['shares']) <= 2]
        return figures.transitions_figure([(list(entry['shares']), _transition(entry)) for entry in entries])

    def entry(self, label: str | None) -> dict[str, Any]:
        """The summary of a composition.

        :raises ValueError: there is none of this label, or none was simulated.
        """
        wanted = next(iter(self.labels), None) if label is None else label
        for entry in self.results['compositions']:
            if entry['label'] == wanted:
                found: dict[str, Any] = entry
                return found
        simulated = ', '.join(self.labels) or 'none'
        raise ValueError(f'there is no composition {label or "that was simulated"}; simulated: {simulated}')

    def _left_out_of_exchange(self) -> list[str]:
        """A line on the pairs for which the biquadratic exchange matters, if there are any."""
        strong = strongly_biquadratic(self.exchange).rows() if 'exchange' in self._node.outputs else []
        if not strong:
            return []
        pairs = [
            f'{row["element_i"]}-{row["element_j"]} at {row["distance_A"]:.2f} Å (B {row["B_meV"]:.1f}, '
            f'J {row["J_meV"]:.1f} meV)'
            for row in strong
        ]
        return [f'Spin models leave out the biquadratic exchange, which matters for {"; ".join(pairs)}.']

    def _outputs(self, label: str | None) -> Any:
        """Those of ``mlkkr.spin_dynamics``.

        :raises ValueError: the composition was not simulated.
        """
        wanted = self.entry(label)['label']
        if wanted not in self.labels:
            raise ValueError(f'{wanted} was not simulated; simulated: {", ".join(self.labels) or "none"}')
        return self._node.outputs.spin_dynamics[wanted]


def name_of_shares(shares: Mapping[str, float]) -> str:
    """A composition in words."""
    return ', '.join(f'{element} {100 * share:g} %' for element, share in shares.items())


def _where_pairs_are_not_enough(entry: dict[str, Any]) -> list[str]:
    """A line on the moments whose exchange is not that of pairs alone in the host, if there are many."""
    shares = [network['crowded_share'] for network in (entry['networks'] or {}).values()]
    if not shares or mean(shares) < _MANY:
        return []
    return [
        f'{name_of_shares(entry["shares"])}: {mean(shares):.0%} of the moments have two nearest neighbours or more; '
        'their exchange is not that of pairs alone in the host.'
    ]


def _transition(entry: dict[str, Any]) -> figures.Transition | None:
    found = entry['transition']
    return None if found['temperature'] is None else (found['temperature'], found['total_error'])


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
