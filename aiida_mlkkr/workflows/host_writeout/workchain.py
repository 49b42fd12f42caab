"""The write-out of the Green function of a host between the sites of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessBuilder, ProcessHandlerReport, process_handler, while_
from aiida_kkr.calculations import KkrCalculation, KkrimpCalculation
from aiida_kkr.tools import update_params_wf

from aiida_mlkkr.kkr.outcome import Outcome
from aiida_mlkkr.kkr.writeout import GREEN
from aiida_mlkkr.workflows.host_writeout.validators import host_parameters, validate_inputs
from aiida_mlkkr.workflows.messages import name_of
from aiida_mlkkr.workflows.protocols import merged, protocol_default, protocol_inputs

PROTOCOL: Final = 'host_writeout'
PARSER: Final = 'mlkkr.kkr'


class HostWriteoutWorkChain(BaseRestartWorkChain):
    """Run a ``KkrCalculation`` that writes out the Green function of a converged host, and once more if it broke down.

    The parameters are those of the host's calculation, but for what ``overwrite`` changes. What the impurity step needs
    is checked by the parser ``mlkkr.kkr``, JuKKR's logs are not read.
    """

    _process_class = KkrCalculation

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(KkrCalculation, namespace='kkr', include=('code', 'retrieve_kkrflex', 'metadata'))
        spec.inputs['kkr']['metadata']['options']['parser_name'].default = PARSER
        spec.inputs['max_iterations'].default = protocol_default(PROTOCOL, 'max_iterations')
        spec.input('host', valid_type=orm.RemoteData, help='Remote folder of the converged calculation of the host.')
        spec.input(
            'impurity_info',
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            help='Sites of the cluster, as aiida-kkr has them: Rcut, ilayer_center and Zimp, or imp_cls.',
        )
        spec.input(
            'overwrite',
            valid_type=orm.Dict,
            required=False,
            serializer=orm.to_aiida_type,
            help='Parameters of KKRhost that differ from those of the host: contour, k mesh …',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),  # type: ignore[arg-type]
            cls.offer_green_function,
            cls.results,
        )
        spec.output(
            'host_greenfunction',
            valid_type=orm.RemoteData,
            help='Remote folder of the write-out: the host_greenfunction of an impurity.',
        )
        spec.expose_outputs(KkrCalculation, include=('output_parameters', 'retrieved'))
        spec.exit_code(
            210,
            'ERROR_INPUT_REFUSED',
            message='{process} refused its input: {reason}',
        )
        spec.exit_code(
            410,
            'ERROR_WRITEOUT_FAILED',
            message='{process} failed: {reason}. Look at its retrieved files, and at those in its remote folder',
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        host: orm.RemoteData,
        impurity_info: orm.Dict | Mapping[str, Any],
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol.

        :param code: KKRhost, by JuKKR or ``mlkkr-kkrhost``.
        :param host: remote folder of the converged calculation of the host.
        :param impurity_info: sites of the cluster.
        :param protocol: ``balanced``, ``precise`` or ``fast``: the k meshes.
        :param overrides: nested values that replace those of the protocol.
        :param options: options of the calculation: ``resources``, ``queue_name``, ``account`` …
        :raises ValueError: there is no such protocol.
        """
        inputs = protocol_inputs(PROTOCOL, protocol, overrides)
        metadata = merged({'options': {'withmpi': bool(code.with_mpi)}}, inputs['kkr']['metadata'])
        metadata['options'] |= options or {}  # resources as a whole: their keys depend on one another
        builder = cls.get_builder()
        builder.kkr = {'code': code, 'metadata': metadata}
        builder.host = host
        builder.impurity_info = impurity_info
        builder.max_iterations = orm.Int(inputs['max_iterations'])
        if inputs['overwrite']:
            builder.overwrite = orm.Dict(inputs['overwrite'])
        return builder

    def setup(self) -> None:
        """The inputs of the calculation: parameters of the host, those that are overwritten in place."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(KkrCalculation, 'kkr'))
        parameters = host_parameters(self.inputs.host)
        if 'overwrite' in self.inputs:
            parameters = update_params_wf(parameters, self.inputs.overwrite)
        self.ctx.inputs.parameters = parameters
        self.ctx.inputs.parent_folder = self.inputs.host
        self.ctx.inputs.impurity_info = self.inputs.impurity_info
        self.ctx.inputs.metadata.call_link_label = 'writeout'

    @process_handler(exit_codes=[ExitCode(int(Outcome.INPUT_REFUSED))])
    def handle_refused(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Nothing that would change by itself."""
        return self._give_up(self.exit_codes.ERROR_INPUT_REFUSED, node)

    @process_handler(
        exit_codes=[ExitCode(int(outcome)) for outcome in (Outcome.OUTPUT_MISSING, Outcome.OUTPUT_INCOMPLETE)]
    )
    def handle_incomplete(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Once more, which helps if the machine broke down."""
        if self.ctx.iteration < self.inputs.max_iterations.value:
            self.report(f'{name_of(node)}: {node.exit_message}; once more')
            return ProcessHandlerReport(do_break=True)
        return self._give_up(self.exit_codes.ERROR_WRITEOUT_FAILED, node)

    def offer_green_function(self) -> None:
        """Link the files that are not retrieved to where ``KkrimpCalculation`` looks for them on the same computer."""
        node = self.ctx.children[-1]
        if not node.is_finished_ok or self.inputs.kkr.retrieve_kkrflex.value:
            return
        with node.get_transport() as connection:
            workdir = node.computer.get_workdir().format(username=connection.whoami())
            place = PurePosixPath(workdir, KkrimpCalculation._DIRNAME_GF_UPLOAD, node.outputs.retrieved.uuid)
            connection.makedirs(str(place), ignore_existing=True)
            for name in GREEN:
                connection.symlink(str(PurePosixPath(node.get_remote_workdir(), name)), str(place / name))

    def get_outputs(self, node: orm.CalcJobNode) -> Mapping[str, orm.Node]:
        """The outputs of the calculation under the names that they have here."""
        return dict(super().get_outputs(node)) | {'host_greenfunction': node.outputs.remote_folder}

    def _give_up(self, exit_code: ExitCode, node: orm.CalcJobNode) -> ProcessHandlerReport:
        # else aiida-core answers the last calculation with the exit code of too many iterations
        self.ctx.is_finished = True
        reason = exit_code.format(process=name_of(node), reason=node.exit_message or '')
        return ProcessHandlerReport(do_break=True, exit_code=reason)
