"""Several impurities in a host: their self-consistency in a magnetic state, then the exchange between them."""

from __future__ import annotations

from typing import Any, Final

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, WorkChain, if_, while_

from aiida_mlkkr.calculations.cluster import cluster_results, joint_start_potential
from aiida_mlkkr.calculations.exchange import exchange_tensors
from aiida_mlkkr.kkr.jij_matrix import BIQUADRATIC
from aiida_mlkkr.kkr.scf_summary import signs_kept
from aiida_mlkkr.workflows.cluster.ports import define_inputs, define_outputs
from aiida_mlkkr.workflows.cluster.protocol import ProtocolMixin
from aiida_mlkkr.workflows.imp_scf.settings import is_embedded, own_settings
from aiida_mlkkr.workflows.imp_scf.workchain import KkrImpScfWorkChain
from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation
from aiida_mlkkr.workflows.kkrimp.base import KkrimpBaseWorkChain
from aiida_mlkkr.workflows.messages import name_of, reason_of

JOINT: Final = 'startpot'
"""The start of the self-consistency that the potential joined from single impurities is."""


class KkrClusterWorkChain(ProtocolMixin, WorkChain):
    """Converge impurities together in the magnetic state asked for, and compute the exchange of all pairs.

    One ``KkrImpScfWorkChain``, which shares the write-out of the host with all clusters of the same shape. A solution
    in another magnetic state is left, and the next start tried. Then one ``KkrimpBaseWorkChain`` with CALCJIJMAT=1.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        define_inputs(spec)
        define_outputs(spec)
        spec.outline(
            cls.setup,
            cls.join_singles,
            while_(cls.should_run_scf)(
                cls.run_scf,
                cls.inspect_scf,
            ),
            if_(cls.should_run_exchange)(
                cls.run_exchange,
                cls.inspect_exchange,
            ),
            cls.results,
        )

    def setup(self) -> None:
        """Nothing is known yet."""
        self.ctx.starts = self.inputs.scf.starts.get_list()
        self.ctx.attempts = []
        self.ctx.joint_start = None
        self.ctx.joint_fault = None
        self.ctx.failure = None
        self.ctx.found = None
        self.ctx.tensors = None

    def join_singles(self) -> None:
        """Make the start potential from the single impurities; if that cannot be, the other starts remain."""
        if not self.inputs.get('singles'):
            return
        arguments = {'moments': self.inputs.scf.magnetic_moments} if 'magnetic_moments' in self.inputs.scf else {}
        potential, node = joint_start_potential.run_get_node(
            impurity_info=self.inputs.scf.impurity_info,
            metadata={'call_link_label': 'joint_start'},
            **arguments,
            **self.inputs.singles,
        )
        if node.is_finished_ok:
            self.ctx.joint_start = potential
        else:
            self.ctx.joint_fault = node.exit_message
            self.report(node.exit_message)

    def should_run_scf(self) -> bool:
        """Whether there is no solution in the magnetic state asked for yet, and a start left."""
        return self.ctx.found is None and self.ctx.failure is None

    def run_scf(self) -> ToContext:
        """Submit the self-consistency with the starts that are left."""
        inputs = AttributeDict(self.exposed_inputs(KkrImpScfWorkChain, 'scf'))
        inputs.starts = orm.List(self.ctx.starts)
        if self.ctx.joint_start is not None and JOINT in self.ctx.starts:
            inputs.startpot = self.ctx.joint_start
        for port in ('emulator', 'voronoi'):
            if port not in self.ctx.starts:
                inputs.pop(port, None)
        inputs.metadata.call_link_label = f'scf_{len(self.ctx.attempts) + 1}'
        return ToContext(scf=self.submit(KkrImpScfWorkChain, **inputs))

    def inspect_scf(self) -> None:
        """Keep the solution if its moments point as asked; else leave its start, and those before it, out."""
        scf = self.ctx.scf
        if not scf.is_finished_ok:
            self._fail('ERROR_SUB_PROCESS_FAILED_SCF', process=name_of(scf), reason=reason_of(scf))
            return
        results = scf.outputs.results.get_dict()
        start, obtained = results['start'], results.get('magnetic_state', {}).get('obtained', [])
        kept = signs_kept(self._moments_asked if obtained else None, obtained)
        self.ctx.attempts = [*self.ctx.attempts, {'start': start, 'kept': kept['kept'], 'moments': obtained}]
        if kept['kept'] is not False:
            self.ctx.found = scf
            return
        self.report(f'from the start {start} the moments {kept["turned"]} turned: {obtained}')
        self.ctx.starts = self._starts_after(start)
        if not self.ctx.starts:
            tried = ', '.join(attempt['start'] for attempt in self.ctx.attempts)
            self._fail('ERROR_MAGNETIC_STATE_NOT_KEPT', starts=tried, asked=kept['asked'], obtained=obtained)

    def should_run_exchange(self) -> bool:
        """Whether there is a solution, and exchange is wanted."""
        return self.ctx.found is not None and bool(self.inputs.get('exchange'))

    def run_exchange(self) -> ToContext:
        """Submit the calculation of exchange tensors in the converged potential."""
        inputs = AttributeDict(self.exposed_inputs(KkrimpBaseWorkChain, 'exchange'))
        inputs.kkrimp.impurity_info = self.inputs.scf.impurity_info
        inputs.kkrimp.host_Greenfunction_folder = self.ctx.found.outputs.host_greenfunction
        inputs.kkrimp.impurity_potential = self.ctx.found.outputs.converged_potential
        flags = ('RUNFLAG', 'TESTFLAG')
        settings = {key: value for key, value in own_settings(self.inputs.scf).items() if key not in flags}
        inputs.kkrimp.parameters = orm.Dict({**settings, 'CALCJIJMAT': 1})
        if is_embedded(inputs.kkrimp.code):
            options = inputs.kkrimp.metadata.options
            options.additional_retrieve_list = [*(options.get('additional_retrieve_list') or []), BIQUADRATIC]
        inputs.metadata.call_link_label = 'exchange'
        return ToContext(exchange=self.submit(KkrimpBaseWorkChain, **inputs))

    def inspect_exchange(self) -> None:
        """Take the tensors of the pairs."""
        exchange = self.ctx.exchange
        if not exchange.is_finished_ok:
            self._fail(
                'ERROR_SUB_PROCESS_FAILED_EXCHANGE',
                process=name_of(exchange),
                status=exchange.exit_status,
                reason=reason_of(exchange),
            )
            return
        tensors, node = exchange_tensors.run_get_node(
            retrieved=exchange.outputs.retrieved,
            output_parameters=exchange.outputs.output_parameters,
            impurity_info=self.inputs.scf.impurity_info,
            host_writeout=kkr_calculation(self.ctx.found.outputs.host_greenfunction).outputs.retrieved,
            metadata={'call_link_label': 'exchange_tensors'},
        )
        if not node.is_finished_ok:
            self._fail('ERROR_EXCHANGE_TENSORS_INVALID', reason=node.exit_message)
            return
        self.ctx.tensors = tensors

    def results(self) -> ExitCode | None:
        """Attach what was found, also where a step failed."""
        scf = self.ctx.scf
        for name in scf.outputs:
            self.out('scf_results' if name == 'results' else name, scf.outputs[name])
        arguments = {}
        if self.ctx.tensors is not None:
            self.out('exchange', self.ctx.tensors)
            arguments['exchange'] = self.ctx.tensors
        if 'results' in scf.outputs:
            course = {'attempts': self.ctx.attempts, 'joint_start_fault': self.ctx.joint_fault}
            results = cluster_results(
                scf=scf.outputs.results,
                impurity_info=self.inputs.scf.impurity_info,
                course=orm.Dict(course),
                metadata={'call_link_label': 'results'},
                **arguments,
            )
            self.out('results', results)
        if self.ctx.failure is None:
            return None
        return self.exit_codes(self.ctx.failure['label']).format(**self.ctx.failure['values'])

    def _fail(self, label: str, **values: Any) -> None:
        """Remember how the workchain ends, once what was found is attached."""
        self.ctx.failure = {'label': label, 'values': values}

    @property
    def _moments_asked(self) -> list[float] | None:
        scf = self.inputs.scf
        return scf.magnetic_moments.get_list() if 'magnetic_moments' in scf else None

    def _starts_after(self, start: str) -> list[str]:
        """Those that are left, and whose input is given."""
        given = {JOINT: self.ctx.joint_start is not None, 'standard': True}
        left = self.ctx.starts[self.ctx.starts.index(start) + 1 :]
        return [name for name in left if given.get(name, name in self.inputs.scf)]
