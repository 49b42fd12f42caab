"""The self-consistency of impurities in a host, from the first start that leads to a solution."""

from __future__ import annotations

from io import StringIO
from math import inf
from typing import Any, Final

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, WorkChain, while_

from aiida_mlkkr.calculations.impurity_scf import impurity_scf_results
from aiida_mlkkr.kkr.potential import read_potential
from aiida_mlkkr.kkr.schedule import Schedule
from aiida_mlkkr.kkr.start_check import is_magnetic, sanity_fault, shape_fault
from aiida_mlkkr.workflows.imp_scf.ports import define_inputs, define_outputs
from aiida_mlkkr.workflows.imp_scf.protocol import ProtocolMixin
from aiida_mlkkr.workflows.imp_scf.settings import is_embedded, own_settings, spins
from aiida_mlkkr.workflows.imp_scf.starts import STARTS, Made
from aiida_mlkkr.workflows.imp_scf.writeout import (
    WantedWriteout,
    cluster_in_host,
    green_function,
    kkr_calculation,
    one_at_a_time,
)
from aiida_mlkkr.workflows.kkrimp.base import KkrimpBaseWorkChain
from aiida_mlkkr.workflows.messages import name_of, reason_of

ACCUMULATE: Final = 'accumulate_hfield'


class KkrImpScfWorkChain(ProtocolMixin, WorkChain):
    """Converge impurities in a host: write out the host's Green function if need be, then try start after start.

    A start is a potential, by an emulator, from a file, from free atoms or by the voronoi code, and one
    ``KkrimpBaseWorkChain`` for each stage of the mixing schedule. One that cannot be made, is not to be trusted or does
    not lead to a solution is dropped, with the reason in the results, and the next one is tried.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        define_inputs(spec)
        define_outputs(spec)
        spec.outline(
            cls.setup,
            while_(cls.should_write_out_host)(
                cls.run_host_writeout,
                cls.inspect_host_writeout,
            ),
            while_(cls.should_try_start)(
                cls.prepare_start,
                cls.make_start,
                while_(cls.should_run_stage)(
                    cls.run_stage,
                    cls.inspect_stage,
                ),
            ),
            cls.results,
        )

    def setup(self) -> None:
        """Which starts there are, in their order."""
        self.ctx.host_greenfunction = self.inputs.get('host_greenfunction')
        self.ctx.starts = [name for name in self.inputs.starts if STARTS[name].port in ('', *self.inputs)]
        self.ctx.dropped = []
        self.ctx.course = {}
        self.ctx.stages = []
        self.ctx.converged = False

    def should_write_out_host(self) -> bool:
        """Whether there is no host Green function yet."""
        return self.ctx.host_greenfunction is None

    def run_host_writeout(self) -> ToContext:
        """Find a write-out of the same host, cluster and contour, or submit one."""
        wanted = WantedWriteout.of_inputs(self.inputs)
        with one_at_a_time():
            found = wanted.find()
            writeout = found or self.submit(wanted.builder())
        self.ctx.own_writeout = found is None
        self.report(f'{"submitted" if found is None else "found"} the write-out {name_of(writeout)}')
        return ToContext(writeout=writeout)

    def inspect_host_writeout(self) -> ExitCode | None:
        """Take the host's Green function; if somebody else's write-out failed, look for another one."""
        writeout = self.ctx.writeout
        if writeout.is_finished_ok:
            self.ctx.host_greenfunction = green_function(writeout)
            try:
                cluster_in_host(self._host_calculation, self.inputs.impurity_info.get_dict())
            except ValueError as error:
                return self.exit_codes.ERROR_HOST_AND_CLUSTER_DO_NOT_MATCH.format(fault=error)
        elif self.ctx.own_writeout:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_HOST_WRITEOUT.format(
                process=name_of(writeout), reason=reason_of(writeout)
            )
        return None

    def should_try_start(self) -> bool:
        """Whether there is no solution yet, and a start left."""
        return not self.ctx.converged and bool(self.ctx.starts)

    def prepare_start(self) -> ToContext | None:
        """Submit the process that the next start needs, if there is one."""
        self.ctx.start = self.ctx.starts.pop(0)
        self.ctx.is_dropped = False
        self.ctx.start_process = None
        prepare = STARTS[self.ctx.start].prepare
        if prepare is None:
            return None
        try:
            builder = prepare(self.inputs, self._host_calculation)
        except ValueError as error:
            self._drop(str(error))
            return None
        return ToContext(start_process=self.submit(builder))

    def make_start(self) -> None:
        """Make the start potential and look at it; what keeps it from being used costs this start only."""
        if self.ctx.is_dropped:
            return
        try:
            made = STARTS[self.ctx.start].make(self.inputs, self._host_calculation, self.ctx.start_process)
            course = self._course(made)
        except ValueError as error:
            self._drop(str(error))
            return
        self.ctx.potential, self.ctx.course, self.ctx.stages = made.potential, course, []
        self.report(f'start {self.ctx.start}: {made.potential}, initial field {course["initial_field"]}')

    def should_run_stage(self) -> bool:
        """Whether this start is still in the race, and has a stage to go."""
        return not self.ctx.is_dropped and not self.ctx.converged

    def run_stage(self) -> ToContext:
        """Submit the next stage of the schedule."""
        stage = len(self.ctx.stages)
        inputs = AttributeDict(self.exposed_inputs(KkrimpBaseWorkChain, 'scf'))
        inputs.kkrimp.code = self.inputs.code
        inputs.kkrimp.impurity_info = self.inputs.impurity_info
        inputs.kkrimp.host_Greenfunction_folder = self.ctx.host_greenfunction
        inputs.kkrimp.parameters = orm.Dict(self._settings(stage))
        if stage:
            inputs.kkrimp.parent_calc_folder = self.ctx.stages[-1].outputs.last_remote_folder
        else:
            inputs.kkrimp.impurity_potential = self.ctx.potential
        inputs.metadata.call_link_label = f'{self.ctx.start}_stage_{stage + 1}'
        return ToContext(stage=self.submit(KkrimpBaseWorkChain, **inputs))

    def inspect_stage(self) -> None:
        """Drop the start if its stage failed."""
        stage = self.ctx.stage
        self.ctx.stages = [*self.ctx.stages, stage]
        if not stage.is_finished_ok:
            self._drop(f'stage {len(self.ctx.stages)}, {name_of(stage)}: {reason_of(stage)}', self._iterations)
        self.ctx.converged = stage.is_finished_ok and len(self.ctx.stages) == len(self._schedule.stages)

    def results(self) -> ExitCode | None:
        """Attach what was found; if there is no solution, say which starts failed and why."""
        self._attach_folders()
        outputs = impurity_scf_results(
            course=orm.Dict(
                {
                    **self.ctx.course,
                    'start': self.ctx.start if self.ctx.converged else None,
                    'starts_dropped': self.ctx.dropped,
                    'schedule': self._schedule.name,
                    'moments_asked': self._moments_asked,
                    'converged': self.ctx.converged,
                    'stages': [stage for stage, _ in self._calculations],
                }
            ),
            impurity_info=self.inputs.impurity_info,
            retrieved=self.outputs.get('retrieved'),
            metadata={'call_link_label': 'results'},
            **{f'calculation_{number:03d}': output for number, (_, output) in enumerate(self._calculations, start=1)},
        )
        self.out_many(outputs)
        self.out('host_greenfunction', self.ctx.host_greenfunction)
        if self.ctx.converged:
            return None
        reasons = '; '.join(f'{entry["start"]}: {entry["reason"]}' for entry in self.ctx.dropped)
        return self.exit_codes.ERROR_ALL_STARTS_FAILED.format(reasons=reasons)

    def _course(self, made: Made) -> dict[str, Any]:
        """How the self-consistency begins.

        :raises ValueError: the potential cannot be read, does not fit or is insane, or needs a field of both signs.
        """
        potential = read_potential(StringIO(made.potential.get_content('r')))
        cluster = cluster_in_host(self._host_calculation, self.inputs.impurity_info.get_dict())
        fault = shape_fault(potential, cluster.z, spins(self.inputs)) or sanity_fault(potential)
        if fault:
            raise ValueError(f'the potential cannot be used: {fault}')
        magnetic = is_magnetic(potential)
        state_known = magnetic or made.state_known or potential.nspin == 1
        return {
            'start_is_magnetic': magnetic,
            'initial_field': list(self._schedule.field(state_known, self._moments_asked)),
            'prediction': made.prediction.get_dict() if made.prediction is not None else None,
        }

    def _settings(self, stage: int) -> dict[str, Any]:
        """KKRimp's settings of a stage; with the embedded solver the initial field stays on, as in JuKKR."""
        settings = self._schedule.settings(stage, tuple(self.ctx.course['initial_field'])) | own_settings(self.inputs)
        if settings['HFIELD'][0] and is_embedded(self.inputs.code):
            settings['TESTFLAG'] = [*settings.get('TESTFLAG', []), ACCUMULATE]
        return settings

    def _attach_folders(self) -> None:
        """Those of the last calculation that left any."""
        for stage in reversed(self.ctx.stages):
            if 'retrieved' in stage.outputs:
                for name in ('last_remote_folder', 'retrieved'):
                    self.out(name, stage.outputs[name])
                return

    def _drop(self, reason: str, iterations: int = 0) -> None:
        self.ctx.is_dropped = True
        self.ctx.dropped = [*self.ctx.dropped, {'start': self.ctx.start, 'reason': reason, 'iterations': iterations}]
        self.report(f'start {self.ctx.start} is dropped: {reason}')

    @property
    def _calculations(self) -> list[tuple[int, orm.Dict]]:
        """Stage, from 1 on, and results of the calculations from this start, in the order of time."""
        return [
            (number, node.outputs.output_parameters)
            for number, stage in enumerate(self.ctx.stages, start=1)
            for node in sorted(stage.called, key=lambda node: node.ctime)
            if isinstance(node, orm.CalcJobNode) and 'output_parameters' in node.outputs
        ]

    @property
    def _iterations(self) -> int:
        results = [output.get_dict().get('mlkkr_group', {}) for _, output in self._calculations]
        return sum(group.get('iterations_complete', 0) for group in results)

    @property
    def _moments_asked(self) -> list[float] | None:
        return self.inputs.magnetic_moments.get_list() if 'magnetic_moments' in self.inputs else None

    @property
    def _schedule(self) -> Schedule:
        """The part that is for the start."""
        prediction = self.ctx.course.get('prediction')
        known = prediction and prediction['moments_known']
        error = max(prediction['rms_error_per_site_Ry']) if known else inf
        return Schedule.from_values(self.inputs.schedule.get_dict()).after(error)

    @property
    def _host_calculation(self) -> orm.CalcJobNode:
        return kkr_calculation(self.ctx.host_greenfunction)
