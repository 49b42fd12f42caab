"""A KKRimp calculation that is done again, with the cure that fits, when something went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessHandlerReport, process_handler, while_
from aiida_kkr.calculations import KkrimpCalculation

from aiida_mlkkr.kkr.outcome import Outcome
from aiida_mlkkr.workflows.kkrimp.endings import (
    ENDINGS,
    NODE_FAILURE,
    NOTHING_RETRIEVED,
    OUT_OF_MEMORY,
    OUT_OF_WALLTIME,
)
from aiida_mlkkr.workflows.kkrimp.findings import last_words
from aiida_mlkkr.workflows.kkrimp.inputs import PROTOCOL, default_cures, validate_cures, validate_inputs
from aiida_mlkkr.workflows.kkrimp.moves import PARSER, RestartMoves, findings
from aiida_mlkkr.workflows.messages import name_of
from aiida_mlkkr.workflows.protocols import merged, protocol_default, protocol_inputs


def _on(*statuses: int) -> list[ExitCode]:
    return [ExitCode(int(status)) for status in statuses]


class KkrimpBaseWorkChain(RestartMoves):
    """Run a ``KkrimpCalculation``, and again when it failed: from where and with which mixing, its failure says.

    The calculation is parsed by ``mlkkr.kkrimp``, whose exit status names how it ended. When nothing helps the chain
    ends with that status, a message on what is left to try, and the outputs of the last calculation whose potential is
    sane, if there is one.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(
            KkrimpCalculation, namespace='kkrimp', namespace_options={'help': 'Passed on to each KkrimpCalculation.'}
        )
        spec.inputs['kkrimp']['metadata']['options']['parser_name'].default = PARSER
        spec.inputs['max_iterations'].default = protocol_default(PROTOCOL, 'max_iterations')
        spec.input(
            'cures',
            valid_type=orm.Dict,
            default=lambda: orm.Dict(default_cures()),
            serializer=orm.to_aiida_type,
            validator=validate_cures,
            help='By how much the mixing is changed, and how often: see protocols/kkrimp_base.yaml, which has the '
            'values of what is not given.',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),  # type: ignore[arg-type]
            cls.results,
        )
        spec.expose_outputs(KkrimpCalculation, exclude=('remote_folder',))
        spec.output(
            'last_remote_folder',
            valid_type=orm.RemoteData,
            help='Remote folder of the same calculation, the parent_calc_folder of one that goes on. It is not called '
            'remote_folder because aiida-kkr finds a calculation by the only link of that name.',
        )
        spec.exit_code(301, 'ERROR_SUB_PROCESS_EXCEPTED', message='{found}')
        spec.exit_code(302, 'ERROR_SUB_PROCESS_KILLED', message='{found}')
        spec.exit_code(401, 'ERROR_MAXIMUM_ITERATIONS_EXCEEDED', message='{found}')
        for ending in ENDINGS.values():
            spec.exit_code(ending.status, ending.label, message=f'{{found}} {ending.advice}'.strip())

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        host_greenfunction: orm.RemoteData,
        impurity_info: orm.Dict,
        startpot: orm.SinglefileData,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol.

        :param code: KKRimp, by JuKKR or the embedded solver.
        :param host_greenfunction: remote folder of the write-out of the host's Green function.
        :param impurity_info: that of the write-out with the ``Zimp`` of the impurities.
        :param startpot: start potential of the cluster.
        :param protocol: ``balanced``, ``precise`` or ``fast``.
        :param overrides: nested values that replace those of the protocol.
        :param options: options of the calculations: ``resources``, ``queue_name``, ``account`` …
        :raises ValueError: there is no such protocol.
        """
        inputs = protocol_inputs(PROTOCOL, protocol, overrides)
        mpi = {'metadata': {'options': {'withmpi': bool(code.with_mpi)}}}
        kkrimp = merged(merged(mpi, inputs['kkrimp']), {'metadata': {'options': options or {}}})
        builder = cls.get_builder()
        builder.max_iterations = orm.Int(inputs['max_iterations'])
        builder.clean_workdir = orm.Bool(inputs['clean_workdir'])
        builder.cures = orm.Dict(inputs['cures'])
        builder.kkrimp = {
            'code': code,
            'host_Greenfunction_folder': host_greenfunction,
            'impurity_info': impurity_info,
            'impurity_potential': startpot,
            'parameters': orm.Dict(kkrimp['parameters']),
            'metadata': kkrimp['metadata'],
        }
        return builder

    def inspect_process(self) -> ExitCode | None:
        """Let the handlers look at the calculation; when the chain ends with it, attach what is sane."""
        node = self.ctx.children[-1]
        exit_code = self._inspect_broken(node) if node.is_excepted or node.is_killed else super().inspect_process()
        if exit_code is None or exit_code.status == 0:
            return exit_code
        if exit_code == self.exit_codes.ERROR_MAXIMUM_ITERATIONS_EXCEEDED:
            # aiida-core counts before it looks at what the handler says
            exit_code = self._given_up or self._too_many(node)
        if self.ctx.sane is not None:
            self._attach_outputs(self.ctx.sane)
        return exit_code

    def get_outputs(self, node: orm.CalcJobNode) -> Mapping[str, orm.Node]:
        """The outputs of a calculation under the names that they have here."""
        outputs = dict(super().get_outputs(node))
        if 'remote_folder' in node.outputs:
            outputs['last_remote_folder'] = node.outputs.remote_folder
        return outputs

    @process_handler(exit_codes=_on(Outcome.NOT_CONVERGED))
    def handle_not_converged(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """On the way: go on."""
        return self._go_on(node)

    @process_handler(exit_codes=_on(Outcome.STAGNATING))
    def handle_stagnating(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """No progress: another mixing from there."""
        return self._change_mixing(node)

    @process_handler(exit_codes=_on(Outcome.DIVERGING, Outcome.NOT_FINITE, Outcome.CORE_STATE_LOST))
    def handle_diverging(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Led astray: back to a sane potential, with calmer mixing."""
        return self._calm_down(node)

    @process_handler(exit_codes=_on(Outcome.FALSE_CONVERGENCE))
    def handle_false_convergence(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """A false solution: back to the very start, with calmer mixing."""
        if not self._may_try('false_convergence', self._cures.false_convergence):
            return self._give_up(node)
        self.ctx.refuge = None
        return self._go_back()

    @process_handler(exit_codes=_on(OUT_OF_WALLTIME, NODE_FAILURE, Outcome.INTERRUPTED))
    def handle_cut_off(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Out of walltime, or interrupted: go on from the last whole potential."""
        found = findings(node)
        if found.led_astray:
            return self._calm_down(node)
        if found.leads_on and self._iterates(node):
            return self._go_on(node)
        if node.exit_status == OUT_OF_WALLTIME:
            return self._give_up(node)
        return self._repeat(node)

    @process_handler(exit_codes=_on(Outcome.OUTPUT_INCOMPLETE))
    def handle_incomplete(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Results that cannot be read: again, from its potential if that can be read."""
        if not (findings(node).leads_on and self._iterates(node)):
            return self._repeat(node)
        if not self._may_try('incomplete', self._cures.repeats):
            return self._give_up(node)
        return self._go_on(node)

    @process_handler(
        exit_codes=_on(
            NOTHING_RETRIEVED,
            Outcome.NO_RETRIEVED_FOLDER,
            Outcome.OUTPUT_MISSING,
            Outcome.OUTPUT_EMPTY,
            Outcome.CRASHED,
        )
    )
    def handle_crashed(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """The machine may have been at fault: the same again."""
        return self._repeat(node)

    @process_handler(exit_codes=_on(OUT_OF_MEMORY, Outcome.INPUT_REFUSED, Outcome.JIJ_CRASHED, Outcome.PARSER_FAILED))
    def handle_hopeless(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Nothing that would change by itself."""
        return self._give_up(node)

    def _inspect_broken(self, node: orm.CalcJobNode) -> ExitCode | None:
        """A calculation that excepted is done once more; one that was killed is not."""
        if node.is_killed:
            return self.exit_codes.ERROR_SUB_PROCESS_KILLED.format(found=f'{name_of(node)} was killed.')
        words = last_words(node.exception or 'without a reason')
        self.report(f'{name_of(node)} excepted: {words}')
        if not self._may_try('excepted', self._cures.repeats):
            found = f'{name_of(node)} excepted: {words} (see verdi process report {node.pk})'
            return self.exit_codes.ERROR_SUB_PROCESS_EXCEPTED.format(found=found)
        if self.ctx.iteration >= self.inputs.max_iterations.value:
            return self.exit_codes.ERROR_MAXIMUM_ITERATIONS_EXCEEDED
        self.ctx.inputs.metadata.disable_cache = True
        return None

    def _too_many(self, node: orm.CalcJobNode) -> ExitCode:
        found = (
            f'{self.ctx.iteration} calculations (max_iterations) were not enough; the last one: '
            f'{self._said(node)} Go on from last_remote_folder, if it is there, with a larger max_iterations or '
            'SCFSTEPS.'
        )
        return self.exit_codes.ERROR_MAXIMUM_ITERATIONS_EXCEEDED.format(found=found)
