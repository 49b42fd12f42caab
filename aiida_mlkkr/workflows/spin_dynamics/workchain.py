"""From spin models to their ground state, magnetisation, transition and dynamics."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, WorkChain, if_, while_

from aiida_mlkkr.calculations.spin_dynamics import (
    deeper_schedule,
    first_schedule,
    lowest_state,
    refined_schedule,
    spin_results,
)
from aiida_mlkkr.spins.temperatures import TemperatureSettings
from aiida_mlkkr.workflows.messages import name_of, reason_of
from aiida_mlkkr.workflows.spin_dynamics.base import MonteCarloBaseWorkChain
from aiida_mlkkr.workflows.spin_dynamics.ports import define_inputs, define_outputs
from aiida_mlkkr.workflows.spin_dynamics.protocol import ProtocolMixin
from aiida_mlkkr.workflows.spin_dynamics.spirit import SpiritStepsMixin
from aiida_mlkkr.workflows.spin_dynamics.validators import number_of, smallest_models

_NOT_THERMALISED: Final = MonteCarloBaseWorkChain.exit_codes.ERROR_NOT_THERMALISED.status


class SpinDynamicsWorkChain(ProtocolMixin, SpiritStepsMixin, WorkChain):
    """Bring spin models of one composition to temperatures.

    Monte Carlo of the boxes of each size at temperatures from mean field, its coldest replicas cooled to the ground
    state; at lower ones where there is no order yet; again around the transition that this shows; the ground state by
    Spirit as well, and dynamics.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        define_inputs(spec)
        define_outputs(spec)
        spec.outline(
            cls.setup,
            cls.choose_temperatures,
            while_(cls.should_simulate)(
                cls.simulate,
                cls.inspect_simulations,
                cls.choose_further,
            ),
            if_(cls.should_run_spirit)(
                cls.run_spirit,
                cls.inspect_spirit,
            ),
            cls.find_ground_states,
            if_(cls.should_run_dynamics)(
                cls.run_dynamics,
                cls.inspect_dynamics,
            ),
            cls.results,
        )

    def setup(self) -> None:
        """Nothing is known yet."""
        self.ctx.sizes = sorted({number_of(node) for node in self.inputs.models.values()})
        self.ctx.smallest = list(smallest_models(self.inputs.models))
        self.ctx.run = 0
        self.ctx.refinements = 0
        self.ctx.observables = {}
        self.ctx.thermalised = False
        self.ctx.annealed = None
        self.ctx.spirit_configurations = {}
        self.ctx.ground_states = {}
        self.ctx.trajectories = {}
        self.ctx.failure = None

    def choose_temperatures(self) -> None:
        """A wide grid from mean field."""
        found = first_schedule(
            schedule=self.inputs.schedule,
            temperatures=self.inputs.temperatures,
            metadata={'call_link_label': 'first_schedule'},
            **self.inputs.models,
        )
        self.ctx.schedule, self.ctx.report = found['schedule'], found['report']
        self.ctx.first_schedule = self.ctx.schedule

    def should_simulate(self) -> bool:
        """Whether there are temperatures left to simulate at."""
        return self.ctx.schedule is not None and self.ctx.failure is None

    def simulate(self) -> ToContext:
        """Submit a simulation of the boxes of each size."""
        simulations = {}
        for size in self.ctx.sizes:
            inputs = AttributeDict(self.exposed_inputs(MonteCarloBaseWorkChain, 'base'))
            inputs.monte_carlo.code = self.inputs.code
            inputs.monte_carlo.models = {
                label: node for label, node in self.inputs.models.items() if number_of(node) == size
            }
            inputs.monte_carlo.schedule = self.ctx.schedule
            inputs.metadata.call_link_label = f'monte_carlo_{size}_{self.ctx.run}'
            simulations[f'monte_carlo_{size}'] = self.submit(MonteCarloBaseWorkChain, **inputs)
        return ToContext(**simulations)

    def inspect_simulations(self) -> None:
        """Keep what was measured, also where it has not thermalised at some temperatures."""
        for size in self.ctx.sizes:
            simulation = self.ctx[f'monte_carlo_{size}']
            if not simulation.is_finished_ok and simulation.exit_status != _NOT_THERMALISED:
                self._fail(
                    'ERROR_SUB_PROCESS_FAILED_MONTE_CARLO', process=name_of(simulation), reason=reason_of(simulation)
                )
                continue
            observables = simulation.outputs.observables
            self.ctx.observables = {**self.ctx.observables, f'simulated_{size}_{self.ctx.run}': observables}
            self.ctx.thermalised |= bool(observables.get_array('thermalised').any())
            if size == self.ctx.sizes[0] and 'ground_states' in simulation.outputs:
                self.ctx.annealed = simulation.outputs.ground_states

    def choose_further(self) -> None:
        """Lower temperatures where there is no order yet; then those around the transition, if one is to be seen."""
        self.ctx.schedule = None
        self.ctx.run += 1
        forbidden = all(network['order_forbidden'] for network in self.ctx.report['networks'].values())
        if self.ctx.failure is not None or forbidden or self.inputs.temperatures.get_dict().get('values'):
            return
        if self.ctx.run == 1:
            found = self._further(deeper_schedule, 'deeper_schedule')
            if found:
                self.ctx.schedule = found['schedule']
                return
        settings = TemperatureSettings.model_validate(self.inputs.temperatures.get_dict())
        if self.ctx.refinements < settings.refinements:
            label = f'refined_schedule_{self.ctx.refinements}'
            found = self._further(refined_schedule, label, refinement=orm.Int(self.ctx.refinements))
            self.ctx.schedule = found.get('schedule')
            self.ctx.refinements += 1

    def _further(self, function: Any, label: str, **more: orm.Data) -> dict[str, orm.Dict]:
        found: dict[str, orm.Dict] = function(
            schedule=self.ctx.first_schedule,
            temperatures=self.inputs.temperatures,
            metadata={'call_link_label': label},
            **more,
            **self.ctx.observables,
        )
        return found

    def find_ground_states(self) -> None:
        """Of every smallest model the lower one of those that annealing and Spirit have found."""
        for label in self.ctx.smallest:
            states = {'annealed': self.ctx.annealed, 'spirit': self.ctx.spirit_configurations.get(label)}
            known = {name: node for name, node in states.items() if node is not None}
            if known:
                state = lowest_state(
                    model=self.inputs.models[label],
                    label=orm.Str(label),
                    metadata={'call_link_label': f'ground_state_{label}'},
                    **known,
                )
                self.ctx.ground_states = {**self.ctx.ground_states, label: state}

    def results(self) -> ExitCode | None:
        """Attach what was found, also where a step failed."""
        if self.ctx.observables:
            found = spin_results(
                report=self.ctx.report,
                metadata={'call_link_label': 'results'},
                **{f'ground_state_{label}': state for label, state in self.ctx.ground_states.items()},
                **self.ctx.observables,
                **self.ctx.trajectories,
            )
            self.out_many(found)
        if self.ctx.ground_states:
            self.out('ground_states', self.ctx.ground_states)
        if self.ctx.trajectories:
            self.out('trajectories', self.ctx.trajectories)
        if self.ctx.failure is None and not self.ctx.thermalised:
            return self.exit_codes.ERROR_NOT_THERMALISED
        if self.ctx.failure is None:
            return None
        return self.exit_codes(self.ctx.failure['label']).format(**self.ctx.failure['values'])

    def _fail(self, label: str, **values: Any) -> None:
        """Remember how the workchain ends, once what was found is attached."""
        self.report(f'{label}: {values}')
        self.ctx.failure = {'label': label, 'values': values}
