"""The steps with Spirit: a minimum of the energy from a random start, and dynamics from the ground state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.engine import ToContext
from aiida.plugins import CalculationFactory

from aiida_mlkkr.calculations.spirit import (
    RETRIEVED,
    RUN_OPTIONS,
    DynamicsSettings,
    death_of,
    initial_state,
    spirit_inputs,
    spirit_results,
    spirit_trajectory,
)
from aiida_mlkkr.workflows.messages import name_of

if TYPE_CHECKING:
    from collections.abc import Callable


class SpiritStepsMixin:
    """Steps of :class:`SpinDynamicsWorkChain`."""

    if TYPE_CHECKING:
        inputs: Any
        ctx: Any
        submit: Callable[..., orm.ProcessNode]
        _fail: Callable[..., None]

    def should_run_spirit(self) -> bool:
        """Whether Spirit is given, and nothing has failed so far."""
        return bool(self.inputs.get('spirit')) and self.ctx.failure is None

    def run_spirit(self) -> ToContext:
        """Submit the minimisation of every smallest model from a random start."""
        minimisations = {}
        for label in self.ctx.smallest:
            inputs = self._spirit_inputs(label, self.inputs.spirit.parameters, f'spirit_inputs_{label}')
            minimisations[f'spirit_{label}'] = self._submit(inputs, orm.Dict(RUN_OPTIONS), f'spirit_{label}')
        return ToContext(**minimisations)

    def inspect_spirit(self) -> None:
        """Take the configurations, where Spirit came to its end and its energy is that of the model."""
        for label in self.ctx.smallest:
            process = self.ctx[f'spirit_{label}']
            if not self._came_to_its_end(process):
                continue
            found: Any
            found, node = spirit_results.run_get_node(
                model=self.inputs.models[label],
                magnetization=process.outputs.magnetization,
                energies=process.outputs.energies,
                metadata={'call_link_label': f'spirit_results_{label}'},
            )
            if node.is_finished_ok:
                known = self.ctx.spirit_configurations
                self.ctx.spirit_configurations = {**known, label: found['configuration']}
            else:
                self._fail('ERROR_SPIRIT_RESULTS_INVALID', process=name_of(process), reason=node.exit_message)

    def should_run_dynamics(self) -> bool:
        """Whether dynamics is asked for, and there is a ground state to begin with."""
        return self.should_run_spirit() and 'dynamics' in self.inputs.spirit and bool(self.ctx.ground_states)

    def run_dynamics(self) -> ToContext:
        """Submit a trajectory of the first of the smallest models for each temperature."""
        settings = DynamicsSettings.model_validate(self.inputs.spirit.dynamics.get_dict())
        first = self.ctx.smallest[0]
        begin: Any = initial_state(self.ctx.ground_states[first], metadata={'call_link_label': 'initial_state'})
        trajectories = {}
        for k, temperature in enumerate(settings.temperatures):
            parameters = orm.Dict(settings.parameters(temperature))
            inputs: dict[str, Any] = self._spirit_inputs(first, parameters, f'dynamics_inputs_{k}')
            inputs |= {'initial_state': begin, 'add_to_retrieved': orm.List(list(RETRIEVED))}
            trajectories[f'dynamics_{k}'] = self._submit(inputs, orm.Dict(settings.run_options()), f'dynamics_{k}')
        return ToContext(**trajectories)

    def inspect_dynamics(self) -> None:
        """Take the trajectories that are complete and end as the model says."""
        settings = DynamicsSettings.model_validate(self.inputs.spirit.dynamics.get_dict())
        for k, temperature in enumerate(settings.temperatures):
            process = self.ctx[f'dynamics_{k}']
            if not self._came_to_its_end(process):
                continue
            trajectory, node = spirit_trajectory.run_get_node(
                model=self.inputs.models[self.ctx.smallest[0]],
                retrieved=process.outputs.retrieved,
                dynamics=self.inputs.spirit.dynamics,
                temperature=orm.Float(temperature),
                metadata={'call_link_label': f'trajectory_{k}'},
            )
            if node.is_finished_ok:
                self.ctx.trajectories = {**self.ctx.trajectories, f'trajectory_{k}': trajectory}
            else:
                self._fail('ERROR_SPIRIT_RESULTS_INVALID', process=name_of(process), reason=node.exit_message)

    def _spirit_inputs(self, model: str, parameters: orm.Dict, link_label: str) -> dict[str, Any]:
        more = {'neglected': self.inputs.spirit.neglected} if 'neglected' in self.inputs.spirit else {}
        found: Any = spirit_inputs(
            model=self.inputs.models[model],
            parameters=parameters,
            metadata={'call_link_label': link_label},
            **more,
        )
        return dict(found)

    def _submit(self, inputs: dict[str, Any], run_options: orm.Dict, label: str) -> orm.ProcessNode:
        return self.submit(
            CalculationFactory('spirit'),
            code=self.inputs.spirit.code,
            run_options=run_options,
            metadata={'options': self.inputs.spirit.options.get_dict(), 'call_link_label': label},
            **inputs,
        )

    def _came_to_its_end(self, process: orm.CalcJobNode) -> bool:
        reason = death_of(process)
        if reason is not None:
            self._fail('ERROR_SUB_PROCESS_FAILED_SPIRIT', process=name_of(process), reason=reason)
        return reason is None
