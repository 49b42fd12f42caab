"""A simulation that is gone on with from its checkpoint, and made longer where it has not thermalised."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ProcessHandlerReport, process_handler, while_

from aiida_mlkkr.calculations.monte_carlo import MonteCarloCalculation
from aiida_mlkkr.workflows.messages import name_of, reason_of
from aiida_mlkkr.workflows.protocols import protocol_default

PROTOCOL: Final = 'spin_dynamics'

_CODES: Final = MonteCarloCalculation.exit_codes


class MonteCarloBaseWorkChain(BaseRestartWorkChain):
    """Run a ``MonteCarloCalculation``, and again from its checkpoint when its time was over or it was interrupted.

    One that has not thermalised is done again, twice as long, ``lengthenings`` times; what then still has not is
    handed on with exit code 420. One that crashed is done once more.
    """

    _process_class = MonteCarloCalculation

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(
            MonteCarloCalculation,
            namespace='monte_carlo',
            namespace_options={'help': 'Passed on to each MonteCarloCalculation.'},
        )
        spec.input(
            'lengthenings',
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            default=protocol_default(PROTOCOL, 'base', 'lengthenings'),
            help='How often a simulation that has not thermalised is done again, twice as long.',
        )
        spec.inputs['on_unhandled_failure'].default = lambda: orm.Str('restart_once')
        spec.inputs['max_iterations'].default = protocol_default(PROTOCOL, 'base', 'max_iterations')
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        spec.expose_outputs(MonteCarloCalculation)
        spec.exit_code(
            401,
            'ERROR_MAXIMUM_ITERATIONS_EXCEEDED',
            message='the simulation was not done in max_iterations calculations: raise it, or max_wallclock_seconds; '
            'the last calculation has a checkpoint to go on from (monte_carlo.parent_folder)',
        )
        spec.exit_code(
            402,
            'ERROR_UNHANDLED_FAILURE',
            message='the simulation has crashed, more than once unless on_unhandled_failure says otherwise: see the '
            'last calculation and the files of its scheduler',
        )
        spec.exit_code(410, 'ERROR_MONTE_CARLO_FAILED', message='{process} failed: {reason}')
        spec.exit_code(
            411,
            'ERROR_OUT_OF_MEMORY',
            message='{process} needs more memory: raise metadata.options.max_memory_kb, or take smaller models or '
            'fewer temperatures',
        )
        spec.exit_code(
            420,
            'ERROR_NOT_THERMALISED',
            message='{reason}. What was measured is among the outputs; raise lengthenings to try longer.',
        )

    def setup(self) -> None:
        """The first calculation's inputs are those given."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(MonteCarloCalculation, 'monte_carlo'))
        self.ctx.lengthenings = 0

    @process_handler(exit_codes=[_CODES.ERROR_OUT_OF_WALLTIME, _CODES.ERROR_INTERRUPTED])
    def handle_cut_off(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Go on from its checkpoint."""
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.report(f'{name_of(node)}: {node.exit_message}; going on from its checkpoint')
        return ProcessHandlerReport(do_break=True)

    @process_handler(exit_codes=[_CODES.ERROR_NOT_THERMALISED])
    def handle_not_thermalised(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Do it again, twice as long, if that was not done often enough."""
        reason = reason_of(node).partition(': raise')[0]
        if self.ctx.lengthenings >= self.inputs.lengthenings.value:
            self.out_many(self.exposed_outputs(node, MonteCarloCalculation))
            code = self.exit_codes.ERROR_NOT_THERMALISED.format(reason=reason)
            return ProcessHandlerReport(do_break=True, exit_code=code)
        self.ctx.lengthenings += 1
        schedule = node.outputs.report.get_dict()['schedule']
        longer = {name: 2 * schedule[name] for name in ('thermalisation', 'measurement')}
        self.ctx.inputs.schedule = orm.Dict({**schedule, **longer})
        self.ctx.inputs.pop('parent_folder', None)
        self.report(f'{name_of(node)}: {reason}; again, twice as long')
        return ProcessHandlerReport(do_break=True)

    @process_handler(
        exit_codes=[_CODES.ERROR_INPUT_REFUSED, _CODES.ERROR_ABORTED, _CODES.ERROR_SCHEDULER_OUT_OF_MEMORY],
    )
    def handle_hopeless(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Nothing that would change by itself."""
        if node.exit_status == _CODES.ERROR_SCHEDULER_OUT_OF_MEMORY.status:
            code = self.exit_codes.ERROR_OUT_OF_MEMORY.format(process=name_of(node))
        else:
            code = self.exit_codes.ERROR_MONTE_CARLO_FAILED.format(process=name_of(node), reason=node.exit_message)
        return ProcessHandlerReport(do_break=True, exit_code=code)
