"""Several starting moments for one cluster of impurities: which solutions there are, and which is the lowest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ToContext, WorkChain

from aiida_mlkkr.calculations.magnetic_scan import magnetic_solutions
from aiida_mlkkr.kkr.magnetic_states import trial_states
from aiida_mlkkr.kkr.patterns import Wish
from aiida_mlkkr.solver.start import free_moment
from aiida_mlkkr.workflows.cluster.workchain import KkrClusterWorkChain
from aiida_mlkkr.workflows.imp_scf.settings import charges
from aiida_mlkkr.workflows.imp_scf.workchain import KkrImpScfWorkChain
from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation
from aiida_mlkkr.workflows.messages import name_of, reason_of
from aiida_mlkkr.workflows.protocols import merged


class MagneticScanWorkChain(WorkChain):
    """Run one ``KkrImpScfWorkChain`` for each state, all at once, and compare what they converge to.

    A state is a list of starting moments; a solution is taken as it comes, also where its moments are others.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.expose_inputs(
            KkrImpScfWorkChain,
            namespace='scf',
            exclude=('magnetic_moments', 'startpot'),
            namespace_options={'help': 'Of every self-consistency; they share a write-out of the host.'},
        )
        spec.input(
            'states',
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            help='By name, the spin moments of the impurities to start with, in Bohr magnetons.',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(cls.run_states, cls.results)
        spec.output(
            'results',
            valid_type=orm.Dict,
            help='States, distinct solutions with their moments and energies, the lowest: see the documentation.',
        )
        spec.output_namespace(
            'potentials',
            valid_type=orm.SinglefileData,
            dynamic=True,
            help='Converged potential of each distinct solution.',
        )
        spec.exit_code(
            430, 'ERROR_NO_STATE_CONVERGED', message='no state led to a solution: {reasons}. See the results of each.'
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        impurities: Wish | Sequence[Wish],
        states: Mapping[str, Sequence[float]] | None = None,
        overrides: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> ProcessBuilder:
        """A builder with the defaults of a protocol of ``mlkkr.cluster``; its inputs are checked.

        :param code: KKRimp, by JuKKR or the embedded solver.
        :param impurities: one or several, as :meth:`KkrClusterWorkChain.get_builder_from_protocol` takes them.
        :param states: starting moments by name; if None, the moments of the free atoms with all signs, a low and a
            vanishing moment (:func:`aiida_mlkkr.kkr.magnetic_states.trial_states`).
        :param overrides: nested values that replace those of the protocol.
        :param inputs: ``host``, ``kkr``, ``host_greenfunction``, ``emulator``, ``protocol`` and ``options`` as there.
        :raises ValueError: there is no such protocol or element, or the inputs do not fit together.
        """
        joint = KkrClusterWorkChain.get_builder_from_protocol(
            code, impurities, overrides=merged(overrides or {}, {'exchange': False}), **inputs
        )
        builder = cls.get_builder()
        scf = {name: value for name, value in joint._inputs(prune=True)['scf'].items() if name != 'magnetic_moments'}
        builder['scf'] = scf
        if states is None:
            high = [free_moment(round(z)) if z else 0.0 for z in charges(scf['impurity_info'])]
            states = trial_states(high)
        builder.states = orm.Dict({name: [float(moment) for moment in moments] for name, moments in states.items()})
        message = validate_inputs(builder._inputs(prune=True), None)
        if message:
            raise ValueError(message)
        return builder

    def run_states(self) -> ToContext:
        """Submit a self-consistency for each state."""
        running = {}
        for name, moments in self.inputs.states.get_dict().items():
            inputs = AttributeDict(self.exposed_inputs(KkrImpScfWorkChain, 'scf'))
            inputs.magnetic_moments = orm.List(moments)
            inputs.metadata.call_link_label = name
            running[name] = self.submit(KkrImpScfWorkChain, **inputs)
        return ToContext(**running)

    def results(self) -> ExitCode | None:
        """Compare the solutions."""
        asked = self.inputs.states.get_dict()
        runs = {name: self.ctx[name] for name in asked}
        failures = {name: f'{name_of(run)}: {reason_of(run)}' for name, run in runs.items() if not run.is_finished_ok}
        converged = {name: run for name, run in runs.items() if name not in failures}
        if not converged:
            return self.exit_codes.ERROR_NO_STATE_CONVERGED.format(reasons='; '.join(failures.values()))
        green = next(iter(converged.values())).outputs.host_greenfunction
        results = magnetic_solutions(
            course=orm.Dict({'asked': asked, 'failures': failures}),
            host_writeout=kkr_calculation(green).outputs.retrieved,
            metadata={'call_link_label': 'magnetic_solutions'},
            **{
                name: {
                    'results': run.outputs.results,
                    'potential': run.outputs.converged_potential,
                    'retrieved': run.outputs.retrieved,
                }
                for name, run in converged.items()
            },
        )
        self.out('results', results)
        for solution in results['solutions']:
            first = solution['states'][0]
            self.out(f'potentials.solution_{solution["solution"]}', converged[first].outputs.converged_potential)
        return None


def validate_inputs(inputs: Mapping[str, Any], _: object) -> str | None:
    """Message on states that are none, whose name cannot be that of a link, or that lack a moment."""
    if 'states' not in inputs or 'scf' not in inputs:
        return None
    states, number = inputs['states'].get_dict(), len(charges(inputs['scf']['impurity_info']))
    if not states:
        return 'states: give one at least, such as {"high": [5.0]} for one impurity'
    for name, moments in states.items():
        if not name.isidentifier() or '__' in name:
            return f'states: a name is made of letters, digits and single underscores, not {name}'
        if len(moments) != number:
            return f'states: {name} has {len(moments)} moments for {number} impurities'
    return None
