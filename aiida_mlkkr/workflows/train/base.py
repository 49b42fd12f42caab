"""A training that is gone on with from its checkpoint until it is done."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ProcessHandlerReport, process_handler, while_

from aiida_mlkkr.calculations.train import TrainCalculation
from aiida_mlkkr.workflows.messages import name_of
from aiida_mlkkr.workflows.protocols import protocol_default

PROTOCOL: Final = 'train'

_CODES: Final = TrainCalculation.exit_codes


class TrainBaseWorkChain(BaseRestartWorkChain):
    """Run a ``TrainCalculation``, and again from its checkpoint when its time was over or it was interrupted.

    One that crashed is done once more; one that was refused, or that needs more memory, is not.
    """

    _process_class = TrainCalculation

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(
            TrainCalculation, namespace='train', namespace_options={'help': 'Passed on to each TrainCalculation.'}
        )
        spec.inputs['on_unhandled_failure'].default = lambda: orm.Str('restart_once')
        spec.inputs['max_iterations'].default = protocol_default(PROTOCOL, 'base', 'max_iterations')
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),  # type: ignore[arg-type]
            cls.results,
        )
        spec.expose_outputs(TrainCalculation)
        spec.exit_code(
            401,
            'ERROR_MAXIMUM_ITERATIONS_EXCEEDED',
            message='the training was not done in max_iterations calculations: raise it, or max_wallclock_seconds; the '
            'last calculation has a checkpoint to go on from (train.parent_folder)',
        )
        spec.exit_code(
            402,
            'ERROR_UNHANDLED_FAILURE',
            message='the training has crashed, more than once unless on_unhandled_failure says otherwise: see the last '
            'calculation and the files of its scheduler',
        )
        spec.exit_code(410, 'ERROR_TRAINING_FAILED', message='{process} failed: {reason}')
        spec.exit_code(
            411,
            'ERROR_OUT_OF_MEMORY',
            message='{process} needs more memory: raise metadata.options.max_memory_kb, or choose a smaller model',
        )

    def setup(self) -> None:
        """The first calculation's inputs are those given."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(TrainCalculation, 'train'))

    @process_handler(exit_codes=[_CODES.ERROR_OUT_OF_WALLTIME, _CODES.ERROR_INTERRUPTED])
    def handle_cut_off(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Go on from its checkpoint."""
        self.ctx.inputs.parent_folder = node.outputs.remote_folder
        self.report(f'{name_of(node)}: {node.exit_message}; going on from its checkpoint')
        return ProcessHandlerReport(do_break=True)

    @process_handler(
        exit_codes=[
            _CODES.ERROR_INPUT_REFUSED,
            _CODES.ERROR_ABORTED,
            _CODES.ERROR_WALLTIME_TOO_SHORT,
            _CODES.ERROR_SCHEDULER_OUT_OF_MEMORY,
        ]
    )
    def handle_hopeless(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Nothing that would change by itself."""
        if node.exit_status == _CODES.ERROR_SCHEDULER_OUT_OF_MEMORY.status:
            code = self.exit_codes.ERROR_OUT_OF_MEMORY.format(process=name_of(node))
        else:
            code = self.exit_codes.ERROR_TRAINING_FAILED.format(process=name_of(node), reason=node.exit_message)
        return ProcessHandlerReport(do_break=True, exit_code=code)
