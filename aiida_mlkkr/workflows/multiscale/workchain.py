"""From the Green function of a host to the ordering of magnets diluted in it."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, WorkChain, if_, while_

from aiida_mlkkr.calculations.multiscale import impurity_moments, multiscale_results, sampled_exchange
from aiida_mlkkr.calculations.spin_models import dilute_spin_models
from aiida_mlkkr.exchange.cleaning import OWN_MOMENT
from aiida_mlkkr.query import find_impurities
from aiida_mlkkr.workflows.exchange.workchain import ExchangeWorkChain
from aiida_mlkkr.workflows.imp_scf.workchain import KkrImpScfWorkChain
from aiida_mlkkr.workflows.messages import name_of, reason_of
from aiida_mlkkr.workflows.multiscale.ports import define_inputs, define_outputs
from aiida_mlkkr.workflows.multiscale.protocol import ProtocolMixin
from aiida_mlkkr.workflows.multiscale.singles import finished_singles
from aiida_mlkkr.workflows.multiscale.wishes import dilution_settings, elements_of, single_info, wanted_pairs
from aiida_mlkkr.workflows.spin_dynamics.workchain import SpinDynamicsWorkChain


class MultiscaleWorkChain(ProtocolMixin, WorkChain):
    """Single impurities, their pairs, the exchange between them, dilute spin models, and what these do when they cool.

    Every part may fail without the rest: an impurity that does not converge leaves out the compositions that it is in,
    one without a moment is left out of the spin models, and the results say so.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        define_inputs(spec)
        define_outputs(spec)
        spec.outline(
            cls.setup,
            cls.find_singles,
            while_(cls.should_run_singles)(
                cls.run_singles,
                cls.inspect_singles,
            ),
            cls.compare_moments,
            if_(cls.should_go_on)(
                cls.run_exchange,
                cls.inspect_exchange,
            ),
            if_(cls.should_go_on)(
                cls.sample_exchange,
                cls.make_models,
            ),
            while_(cls.should_run_dynamics)(
                cls.run_dynamics,
                cls.inspect_dynamics,
            ),
            cls.results,
        )

    def setup(self) -> None:
        """Nothing is known yet."""
        compositions = self.inputs.compositions.get_dict()
        self.ctx.singles = {name: dict(parts) for name, parts in self.inputs.get('singles', {}).items()}
        self.ctx.elements = {name: {'origin': None, 'failure': None} for name in elements_of(compositions)}
        self.ctx.compositions = {
            label: {'shares': shares, 'left_out': {}, 'failure': None} for label, shares in compositions.items()
        }
        self.ctx.waiting = []
        self.ctx.potentials = {}
        self.ctx.moments = None
        self.ctx.exchange = None
        self.ctx.samples = {}
        self.ctx.models = {}
        self.ctx.reports = {}
        self.ctx.simulated = {}
        self.ctx.failure = None

    def find_singles(self) -> None:
        """Which single impurities are given, which has the database, and which are to be calculated."""
        wanted = [name for name in self.ctx.elements if name not in self.ctx.singles]
        for name in set(self.ctx.elements) - set(wanted):
            self.ctx.elements[name]['origin'] = 'given'
        if 'single' not in self.inputs:
            return
        if self.inputs.search.value:
            found = finished_singles(self.inputs.host, wanted, self._centre, self.inputs.single.code)
            for name, impurity in found.items():
                self.ctx.singles[name] = impurity.inputs
                self.ctx.elements[name] |= {'origin': 'found', 'process': impurity.process.uuid}
        self.ctx.waiting = [name for name in wanted if name not in self.ctx.singles]

    def should_run_singles(self) -> bool:
        """Whether there are single impurities to be calculated."""
        return bool(self.ctx.waiting)

    def run_singles(self) -> ToContext:
        """Submit the self-consistency of as many single impurities as are allowed at a time."""
        number, screening = self.inputs.max_parallel.value, self.inputs.exchange.screening.get_dict()
        self.ctx.running, self.ctx.waiting = self.ctx.waiting[:number], self.ctx.waiting[number:]
        submitted = {}
        for name in self.ctx.running:
            inputs = AttributeDict(self.exposed_inputs(KkrImpScfWorkChain, 'single'))
            inputs.host = self.inputs.host
            inputs.impurity_info = orm.Dict(single_info(self.inputs.host, name, self._centre, screening))
            inputs.metadata.call_link_label = f'single_{name}'
            submitted[f'single_{name}'] = self.submit(KkrImpScfWorkChain, **inputs)
        return ToContext(**submitted)

    def inspect_singles(self) -> None:
        """Keep those that converged; one that did not is left behind with the reason."""
        for name in self.ctx.running:
            node = self.ctx[f'single_{name}']
            found = find_impurities(nodes=[node]).usable if node.is_finished_ok else []
            self.ctx.elements[name] |= {'origin': 'calculated', 'process': node.uuid}
            if found:
                self.ctx.singles[name] = found[0].inputs
                self.ctx.potentials[name] = node.outputs.converged_potential
            else:
                self.ctx.elements[name]['failure'] = f'{name_of(node)}: {reason_of(node)}'
                self.report(f'{name} is left out: {self.ctx.elements[name]["failure"]}')

    def compare_moments(self) -> None:
        """Leave out elements without a moment, and compositions with an element that could not be calculated."""
        if self.ctx.singles:
            used = {name: parts for name, parts in self.ctx.singles.items() if name in self.ctx.elements}
            self.ctx.moments = impurity_moments(**used, metadata={'call_link_label': 'moments'})
        failed = {name: entry['failure'] for name, entry in self.ctx.elements.items() if entry['failure']}
        for entry in self.ctx.compositions.values():
            shares = entry['shares']
            entry['left_out'] = {name: self._why_left_out(name) for name in shares if not self._is_magnetic(name)}
            lost = [name for name in shares if name in failed]
            if lost:
                entry['failure'] = f'there is no {", ".join(lost)}: {failed[lost[0]]}'
            elif len(entry['left_out']) == len(shares):
                entry['failure'] = 'none of its elements has a moment'
        if not self._open:
            self._fail('ERROR_NO_MAGNETIC_IMPURITY', reasons=self._reasons)

    def should_go_on(self) -> bool:
        """Whether nothing has failed that all compositions need."""
        return self.ctx.failure is None

    def run_exchange(self) -> ToContext:
        """Submit the exchange of all pairs that occur together."""
        inputs = AttributeDict(self.exposed_inputs(ExchangeWorkChain, 'exchange'))
        together = [self._magnetic_shares(label) for label in self._open]
        inputs.host = self.inputs.host
        pairs = wanted_pairs(self.inputs.host, together, self.inputs.shells.get_list(), self._centre)
        inputs.pairs = orm.List(pairs)
        magnetic = {name for shares in together for name in shares}
        singles = {name: parts for name, parts in self.ctx.singles.items() if name in magnetic}
        if singles:
            inputs.singles = singles
        inputs.metadata.call_link_label = 'exchange'
        return ToContext(exchange=self.submit(ExchangeWorkChain, **inputs))

    def inspect_exchange(self) -> None:
        """Without any exchange there is nothing to go on with."""
        node = self.ctx.exchange
        if 'exchange' not in node.outputs:
            self._fail('ERROR_SUB_PROCESS_FAILED_EXCHANGE', process=name_of(node), reason=reason_of(node))

    def sample_exchange(self) -> None:
        """Draw exchange within its errors, where some of it is predicted."""
        table, number = self.ctx.exchange.outputs.exchange, self.inputs.samples
        origins = table.table.origins
        if origins is None or not origins.uncertainty.any() or not number.value:
            return
        self.ctx.samples = sampled_exchange(
            exchange=table,
            seed=orm.Int(self.inputs.dilution['seed']),
            number=number,
            metadata={'call_link_label': 'samples'},
        )

    def make_models(self) -> None:
        """Dilute spin models of every composition, with the exchange and with what was drawn of it."""
        for label in self._open:
            self._make_models(label, self.ctx.exchange.outputs.exchange)
            for name, exchange in self.ctx.samples.items() if label in self.ctx.models else ():
                self._make_models(f'{label}_{name}', exchange, label)
        self.ctx.waiting = list(self.ctx.models)
        if not self.ctx.models:
            self._fail('ERROR_NO_SPIN_MODEL', reasons=self._reasons)

    def should_run_dynamics(self) -> bool:
        """Whether there are spin models to be simulated."""
        return bool(self.ctx.waiting)

    def run_dynamics(self) -> ToContext:
        """Submit as many simulations as are allowed at a time."""
        number = self.inputs.max_parallel.value
        self.ctx.running, self.ctx.waiting = self.ctx.waiting[:number], self.ctx.waiting[number:]
        submitted = {}
        for label in self.ctx.running:
            inputs = AttributeDict(self.exposed_inputs(SpinDynamicsWorkChain, 'spin_dynamics'))
            inputs.models = self.ctx.models[label]
            inputs.metadata.call_link_label = f'spin_dynamics_{label}'
            submitted[f'dynamics_{label}'] = self.submit(SpinDynamicsWorkChain, **inputs)
        return ToContext(**submitted)

    def inspect_dynamics(self) -> None:
        """Keep the results, also those of a simulation that was not whole."""
        for label in self.ctx.running:
            node = self.ctx[f'dynamics_{label}']
            if 'results' in node.outputs:
                self.ctx.simulated[label] = node
            if not node.is_finished_ok:
                self._give_up(label, f'{name_of(node)}: {reason_of(node)}')
        if not self.ctx.waiting and not any(label in self.ctx.simulated for label in self.ctx.compositions):
            self._fail('ERROR_NO_SPIN_DYNAMICS', reasons=self._reasons)

    def results(self) -> ExitCode | None:
        """Attach what was found, also where a step failed, and sum it up."""
        arguments: dict[str, Any] = {} if self.ctx.moments is None else {'moments': self.ctx.moments}
        exchange = self.ctx.exchange
        if exchange is not None and 'exchange' in exchange.outputs:
            self.out('exchange', exchange.outputs.exchange)
            self.out('exchange_results', exchange.outputs.results)
            arguments['exchange'] = exchange.outputs.results
        for name, potential in self.ctx.potentials.items():
            self.out(f'potentials.{name}', potential)
        for label, models in self.ctx.models.items():
            if label in self.ctx.compositions:
                self.out_many({f'spin_models.{label}.{name}': model for name, model in models.items()})
        for label, node in self.ctx.simulated.items():
            if label in self.ctx.compositions:
                own = {name: node.outputs[name] for name in ('results', 'curves') if name in node.outputs}
                states = node.outputs.ground_states if 'ground_states' in node.outputs else {}
                own |= {f'ground_states.{name}': state for name, state in states.items()}
                self.out_many({f'spin_dynamics.{label}.{name}': value for name, value in own.items()})
        course = {name: self.ctx[name] for name in ('elements', 'compositions')}
        results = multiscale_results(
            course=orm.Dict({**course, 'samples': len(self.ctx.samples)}),
            metadata={'call_link_label': 'results'},
            **arguments,
            **self._runs,
        )
        self.out('results', results)
        if self.ctx.failure is None:
            return None
        return self.exit_codes(self.ctx.failure['label']).format(**self.ctx.failure['values'])

    def _make_models(self, label: str, exchange: orm.Data, composition: str | None = None) -> None:
        """The boxes of all sizes; if they cannot be made, the composition goes no further."""
        shares, moments = self._magnetic_shares(composition or label), self._sizes_of_moments
        models: dict[str, orm.Data] = {}
        reports: dict[str, orm.Data] = {}
        for number, size in enumerate(self.inputs.dilution['sizes']):
            settings = dilution_settings(self.inputs.dilution.get_dict(), shares, moments, size)
            found, node = dilute_spin_models.run_get_node(
                structure=self.inputs.structure,
                settings=orm.Dict(settings),
                exchange=exchange,
                metadata={'call_link_label': f'models_{label}_{number}'},
            )
            if found is None or not node.is_finished_ok:
                self._give_up(label, reason_of(node))
                return
            reports[f'size_{number}'] = found.pop('report')
            models |= {f'size_{number}_{name}': model for name, model in found.items()}
        self.ctx.models[label], self.ctx.reports[label] = models, reports

    def _give_up(self, label: str, reason: str) -> None:
        self.report(f'{label}: {reason}')
        if label in self.ctx.compositions:
            self.ctx.compositions[label]['failure'] = reason

    def _fail(self, label: str, **values: Any) -> None:
        """Remember how the workchain ends, once what was found is attached."""
        self.ctx.waiting = []
        self.ctx.failure = {'label': label, 'values': values}

    def _is_magnetic(self, element: str) -> bool:
        """Whether its moment is not known to be too small; elements without a single are predicted."""
        moments = {} if self.ctx.moments is None else self.ctx.moments.get_dict()
        return abs(moments.get(element, {}).get('moment', 1.0)) >= OWN_MOMENT

    def _why_left_out(self, element: str) -> str:
        return f'its moment, {self.ctx.moments[element]["moment"]:.3f} µB, is below {OWN_MOMENT} µB'

    def _magnetic_shares(self, label: str) -> dict[str, float]:
        entry = self.ctx.compositions[label]
        return {name: share for name, share in entry['shares'].items() if name not in entry['left_out']}

    @property
    def _centre(self) -> int:
        """The atom of the cell whose pairs are looked at."""
        return int(self.inputs.dilution.get('sublattice', [0])[0])

    @property
    def _open(self) -> list[str]:
        """Compositions that have not failed."""
        return [label for label, entry in self.ctx.compositions.items() if entry['failure'] is None]

    @property
    def _reasons(self) -> str:
        return '; '.join(f'{label}: {entry["failure"]}' for label, entry in self.ctx.compositions.items())

    @property
    def _sizes_of_moments(self) -> dict[str, float]:
        moments = {} if self.ctx.moments is None else self.ctx.moments.get_dict()
        return {name: abs(entry['moment']) for name, entry in moments.items()}

    @property
    def _runs(self) -> dict[str, Any]:
        """What the summary is made from, by composition and sample."""
        runs: dict[str, Any] = {label: {'models': reports} for label, reports in self.ctx.reports.items()}
        for label, node in self.ctx.simulated.items():
            runs[label]['dynamics'] = node.outputs.results
        return runs
