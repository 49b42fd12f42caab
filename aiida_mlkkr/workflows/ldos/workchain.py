"""The local densities of states of impurities with a converged potential."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any, Final

from aiida import orm
from aiida.common import AttributeDict
from aiida.common.exceptions import NotExistent
from aiida.engine import ExitCode, ProcessBuilder, ToContext, WorkChain, while_
from aiida_kkr.calculations import KkrimpCalculation

from aiida_mlkkr.calculations.ldos import local_densities_of_states
from aiida_mlkkr.kkr.constants import RYDBERG_EV
from aiida_mlkkr.kkr.potential import read_potential
from aiida_mlkkr.workflows.imp_scf.writeout import WantedWriteout, green_function, kkr_calculation, one_at_a_time
from aiida_mlkkr.workflows.kkrimp.base import KkrimpBaseWorkChain
from aiida_mlkkr.workflows.kkrimp.inputs import restart_inputs
from aiida_mlkkr.workflows.ldos.validators import validate_contour, validate_inputs
from aiida_mlkkr.workflows.messages import name_of, reason_of
from aiida_mlkkr.workflows.protocols import protocol_default, protocol_inputs

PROTOCOL: Final = 'ldos'
ONE_STEP: Final = {'RUNFLAG': ['ldos'], 'SCFSTEPS': 1, 'IMIX': 0, 'MIXFAC': 0.0}
"""Settings of KKRimp; the potential is not changed, as the energies along the axis give no density."""

_OWN_PORTS: Final = ('code', 'impurity_info', 'host_Greenfunction_folder', 'impurity_potential', 'parent_calc_folder')


class LdosWorkChain(WorkChain):
    """Write out the host's Green function along the real axis, and let KKRimp compute the local densities of states.

    n_l(E) = −(1/π) Im ∫ G_ll(r, r; E + iη) dr in each sphere. The write-out is shared with other impurities on the same
    sites.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(
            KkrimpBaseWorkChain,
            namespace='kkrimp',
            exclude=tuple(f'kkrimp.{port}' for port in _OWN_PORTS),
            namespace_options={'help': 'Passed on to the KkrimpBaseWorkChain: options, raw parameters.'},
        )
        spec.input('code', valid_type=orm.AbstractCode, help='KKRimp, by JuKKR or the embedded solver mlkkr-kkrimp.')
        spec.input('impurity_info', valid_type=orm.Dict, help='Sites of the cluster and charges of the impurities.')
        spec.input('potential', valid_type=orm.SinglefileData, help='Converged potential of the cluster.')
        spec.input('host', valid_type=orm.RemoteData, required=False, help='Remote folder of the converged host.')
        spec.input('kkr', valid_type=orm.AbstractCode, required=False, help='KKRhost, which writes it out.')
        spec.input(
            'host_greenfunction',
            valid_type=orm.RemoteData,
            required=False,
            help='Instead: remote folder of a write-out along the real axis (NPOL= 0), such as another impurity has.',
        )
        spec.input(
            'contour',
            valid_type=orm.Dict,
            default=protocol_default(PROTOCOL, 'contour'),
            serializer=orm.to_aiida_type,
            validator=validate_contour,
            help='Energies of the write-out: bottom and top (eV, from the Fermi energy), points, temperature (K), and '
            'kmesh; see protocols/ldos.yaml.',
        )
        spec.input(
            'host_options',
            valid_type=orm.Dict,
            default=lambda: orm.Dict({'resources': {'num_machines': 1}, 'withmpi': False}),
            serializer=orm.to_aiida_type,
            help='Options of the calculation with kkr.',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.setup,
            while_(cls.should_write_out_host)(
                cls.run_host_writeout,
                cls.inspect_host_writeout,
            ),
            cls.run_impurity,
            cls.results,
        )
        spec.output(
            'ldos',
            valid_type=orm.ArrayData,
            help='Densities of states of all sites, in states/eV: see calculations/ldos.py.',
        )
        spec.output('host_greenfunction', valid_type=orm.RemoteData, help='The write-out that was used.')
        spec.exit_code(
            310, 'ERROR_DENSITIES_OF_STATES_INVALID', message='{reason}. See the files of the KKRimp calculation.'
        )
        spec.exit_code(
            410,
            'ERROR_SUB_PROCESS_FAILED_HOST_WRITEOUT',
            message="writing out the host's Green function failed ({process}): {reason}. See its calculations.",
        )
        spec.exit_code(420, 'ERROR_SUB_PROCESS_FAILED_KKRIMP', message='KKRimp failed ({process}): {reason}')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        impurity: orm.ProcessNode,
        *,
        kkr: orm.AbstractCode | None = None,
        host_greenfunction: orm.RemoteData | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol; its inputs are checked.

        :param code: KKRimp, by JuKKR or the embedded solver.
        :param impurity: a finished self-consistency: ``KkrImpScfWorkChain``, ``KkrClusterWorkChain`` or ``kkr_imp_wc``.
        :param kkr: KKRhost, by JuKKR or ``mlkkr-kkrhost``.
        :param host_greenfunction: instead, a write-out along the real axis of the same sites.
        :param protocol: ``balanced``, ``precise`` or ``fast``.
        :param overrides: nested values that replace those of the protocol.
        :param options: options of the KKRimp calculation: ``resources``, ``queue_name``, ``account`` …
        :raises ValueError: there is no such protocol, the impurity did not converge, or the inputs do not fit together.
        """
        values = protocol_inputs(PROTOCOL, protocol, overrides)
        potential, info, host = converged_impurity(impurity)
        builder = cls.get_builder()
        builder.kkrimp = restart_inputs(code, options)
        builder.code = code
        builder.impurity_info = info
        builder.potential = potential
        builder.contour = orm.Dict(values['contour'])
        if host_greenfunction is not None:
            builder.host_greenfunction = host_greenfunction
        else:
            builder.host = host
            if kkr is not None:
                builder.kkr = kkr
                builder.host_options = orm.Dict({'resources': {'num_machines': 1}, 'withmpi': bool(kkr.with_mpi)})
        message = validate_inputs(builder._inputs(prune=True), None)
        if message:
            raise ValueError(message)
        return builder

    def setup(self) -> None:
        """The Green function that is given."""
        self.ctx.host_greenfunction = self.inputs.get('host_greenfunction')

    def should_write_out_host(self) -> bool:
        """Whether there is no host Green function yet."""
        return self.ctx.host_greenfunction is None

    def run_host_writeout(self) -> ToContext:
        """Find a write-out of the same host, sites and energies, or submit one."""
        wanted = WantedWriteout(
            kkr=self.inputs.kkr,
            host=self.inputs.host,
            impurity_info=self.inputs.impurity_info,
            options=self.inputs.host_options,
            contour=orm.Dict(self._host_parameters),
            retrieve=True,
            computer=self.inputs.code.computer,
        )
        with one_at_a_time():
            found = wanted.find()
            writeout = found or self.submit(wanted.builder())
        self.ctx.own_writeout = found is None
        return ToContext(writeout=writeout)

    def inspect_host_writeout(self) -> ExitCode | None:
        """Take the host's Green function; if somebody else's write-out failed, look for another one."""
        writeout = self.ctx.writeout
        if writeout.is_finished_ok:
            self.ctx.host_greenfunction = green_function(writeout)
        elif self.ctx.own_writeout:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_HOST_WRITEOUT.format(
                process=name_of(writeout), reason=reason_of(writeout)
            )
        return None

    def run_impurity(self) -> ToContext:
        """Submit the one step in the converged potential."""
        inputs = AttributeDict(self.exposed_inputs(KkrimpBaseWorkChain, 'kkrimp'))
        given = inputs.kkrimp.parameters.get_dict() if 'parameters' in inputs.kkrimp else {}
        inputs.kkrimp.parameters = orm.Dict({**given, **ONE_STEP})
        inputs.kkrimp.code = self.inputs.code
        inputs.kkrimp.impurity_info = self.inputs.impurity_info
        inputs.kkrimp.impurity_potential = self.inputs.potential
        inputs.kkrimp.host_Greenfunction_folder = self.ctx.host_greenfunction
        inputs.metadata.call_link_label = 'kkrimp'
        return ToContext(kkrimp=self.submit(KkrimpBaseWorkChain, **inputs))

    def results(self) -> ExitCode | None:
        """Read the densities of states."""
        self.out('host_greenfunction', self.ctx.host_greenfunction)
        kkrimp = self.ctx.kkrimp
        if not kkrimp.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_KKRIMP.format(
                process=name_of(kkrimp), reason=reason_of(kkrimp)
            )
        found, node = local_densities_of_states.run_get_node(
            retrieved=kkrimp.outputs.retrieved,
            output_parameters=kkrimp.outputs.output_parameters,
            impurity_info=self.inputs.impurity_info,
            potential=self.inputs.potential,
            metadata={'call_link_label': 'ldos'},
        )
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_DENSITIES_OF_STATES_INVALID.format(reason=node.exit_message)
        self.out('ldos', found)
        return None

    @property
    def _host_parameters(self) -> dict[str, Any]:
        """Parameters of KKRhost that differ from those of the host."""
        contour = self.inputs.contour.get_dict()
        fermi = read_potential(StringIO(self.inputs.potential.get_content('r'))).sites[0][0].efermi
        return {
            'NPOL': 0,
            'NPT1': 0,
            'NPT2': contour['points'],
            'NPT3': 0,
            'EMIN': round(fermi + contour['bottom'] / RYDBERG_EV, 10),  # AiiDA stores 14 digits
            'EMAX': round(fermi + contour['top'] / RYDBERG_EV, 10),
            'TEMPR': contour['temperature'],
            'BZDIVIDE': contour['kmesh'],
        }


def converged_impurity(process: orm.ProcessNode) -> tuple[orm.SinglefileData, orm.Dict, orm.RemoteData]:
    """Potential and ``impurity_info`` of a finished self-consistency, and the remote folder of its host.

    :raises ValueError: it has not converged, or what it was made of is not in the database.
    """
    name = name_of(process)
    if 'converged_potential' not in process.outputs:
        raise ValueError(f'{name} has no converged potential')
    runs = [
        node
        for node in process.called_descendants
        if isinstance(node, orm.CalcJobNode) and node.process_class is KkrimpCalculation
    ]
    if not runs:
        raise ValueError(f'{name} has called no KKRimp calculation')
    inputs = max(runs, key=lambda node: node.ctime).inputs
    try:
        host = kkr_calculation(inputs.host_Greenfunction_folder).inputs.parent_folder
    except NotExistent as error:
        raise ValueError(f'the host of {name} is not in the database') from error
    return process.outputs.converged_potential, inputs.impurity_info, host
