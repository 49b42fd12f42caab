"""What a finished workchain of spin models has found, in words and figures: ``node.tools``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida.tools.workflows import WorkflowTools

from aiida_mlkkr.workflows.spin_dynamics import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_mlkkr.plot.magnets import Curve


class SpinDynamicsTools(WorkflowTools):
    """What ``mlkkr.spin_dynamics`` has found: lines, and figures by matplotlib."""

    @property
    def results(self) -> dict[str, Any]:
        """The results."""
        found: dict[str, Any] = self._node.outputs.results.get_dict()
        return found

    def transition(self) -> figures.Transition | None:
        """Temperature of the transition and its error in K; None if there is none."""
        found = self.results['transition']
        return None if found['temperature'] is None else (found['temperature'], found['error'])

    def summary(self) -> list[str]:
        """Lines: what was simulated, order and transition or why there is none, ground state, dynamics."""
        found = self.results
        shares = ', '.join(f'{share:.1%} {name}' for name, share in found['composition'].items())
        boxes = ', '.join(f'{count} with {size}' for size, count in found['configurations'].items())
        return [
            f'moments: {shares}; boxes: {boxes}',
            f'mean field: {found["mean_field_temperature"]:.1f} K; order: {found["order"]}',
            _transition_line(found['transition']),
            *(_ground_state_line(state) for state in found['ground_states']),
            *(
                f'not thermalised with {size} moments: {", ".join(f"{t:.4g}" for t in temperatures)} K'
                for size, temperatures in found['not_thermalised'].items()
            ),
            *(
                f'dynamics at {row["temperature"]:g} K: {row["energy_meV"]:.4f} meV per moment'
                for row in found['dynamics']
            ),
        ]

    def curves(self, quantity: str) -> list[Curve]:
        """A quantity of the boxes of each size over the temperature, such as ``magnetisation``."""
        return figures.curves_of(self._node.outputs.curves, quantity)

    def plot_magnetisation(self) -> Figure:
        """Magnetisation and susceptibility over the temperature."""
        return figures.magnetisation_figure(self._node.outputs, self.transition())

    def plot_cumulants(self) -> Figure:
        """Binder cumulants of the boxes: of the magnetisation in a magnet, else of the overlap of two copies."""
        return figures.cumulants_figure(self._node.outputs, self.transition())

    def plot_order(self) -> Figure:
        """Magnetisation and overlap of two copies over the temperature."""
        return figures.order_figure(self._node.outputs, self.transition())

    def plot_correlations(self) -> Figure:
        """Correlations of moments against their distance, of the largest boxes."""
        return figures.correlations_figure(self._node.outputs)

    def plot_ground_state(self) -> Figure:
        """The state of lowest energy that was found, as arrows."""
        return figures.ground_state_figure(self._node.outputs)


def _transition_line(transition: dict[str, Any]) -> str:
    if transition['temperature'] is None:
        return f'no transition: {transition["reason"]}'
    return f'transition: {transition["temperature"]:.2f} ± {transition["error"]:.2f} K, {transition["method"]}'


def _ground_state_line(state: dict[str, Any]) -> str:
    words = f'ground state of {state["model"]}: {state["energy_meV"]:.4f} meV per moment by {state["lower"]}'
    if 'found_by' in state:
        words += f', {state["found_by"]} minima by annealing'
    if 'energy_of_spirit_meV' in state:
        words += f', Spirit {state["energy_of_spirit_meV"]:.4f}'
    return f'{words}; magnetisation {state["magnetisation"]:.3f}'
