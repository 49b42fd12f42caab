"""The search for the model that predicts impurity potentials best, and its training on all data."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, WorkChain, while_

from aiida_mlkkr.calculations.candidates import best_candidate
from aiida_mlkkr.calculations.train import validate_datasets
from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.workflows.messages import name_of, reason_of
from aiida_mlkkr.workflows.protocols import protocol_default
from aiida_mlkkr.workflows.train.base import PROTOCOL, TrainBaseWorkChain
from aiida_mlkkr.workflows.train.protocol import ProtocolMixin
from aiida_mlkkr.workflows.train.validators import validate_candidates, validate_cross_validation
from aiida_mlkkr.workflows.validators import validate_positive


class SurrogateTrainWorkChain(ProtocolMixin, WorkChain):
    """Cross-validate candidates in parallel, choose the best one, and train it on all data.

    A candidate that fails costs this candidate only, and the table of the candidates says why.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        spec.input('code', valid_type=orm.AbstractCode, help='aiida-mlkkr-train on the computer of your choice.')
        spec.input_namespace(
            'datasets',
            valid_type=ImpurityDatasetData,
            dynamic=True,
            validator=validate_datasets,
            help='Finished impurities to learn from; one that is in several datasets counts once.',
        )
        spec.input(
            'candidates',
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_candidates,
            help='Settings of the emulators to choose from, by label: model, radial_functions, seed, options.',
        )
        spec.input(
            'cross_validation',
            valid_type=orm.Dict,
            serializer=orm.to_aiida_type,
            validator=validate_cross_validation,
            default=protocol_default(PROTOCOL, 'cross_validation'),
            help='By what they are compared: folds, and group_by, what is left out as a whole: impurity, element, row '
            '(of the periodic table) or host.',
        )
        spec.input(
            'max_parallel',
            valid_type=orm.Int,
            serializer=orm.to_aiida_type,
            validator=validate_positive,
            default=protocol_default(PROTOCOL, 'max_parallel'),
            help='How many candidates are trained at the same time.',
        )
        spec.expose_inputs(
            TrainBaseWorkChain,
            namespace='base',
            exclude=tuple(f'train.{port}' for port in ('code', 'datasets', 'settings', 'parent_folder')),
            namespace_options={'help': 'Passed on to each TrainBaseWorkChain: restarts, train.metadata.options.'},
        )
        spec.outline(
            cls.setup,
            while_(cls.should_run_candidates)(
                cls.run_candidates,
                cls.inspect_candidates,
            ),
            cls.select_best,
            cls.run_final,
            cls.inspect_final,
            cls.results,
        )
        spec.output('model', valid_type=SurrogateData, help='The best candidate, trained on all data.')
        spec.output('report', valid_type=orm.Dict, help='Report of its training.')
        spec.output('candidates', valid_type=orm.Dict, required=False, help='The best one, and a table of all of them.')
        spec.exit_code(
            420,
            'ERROR_ALL_CANDIDATES_FAILED',
            message='no candidate could be trained: {reasons}. See the calculations, and give other candidates.',
        )
        spec.exit_code(
            421,
            'ERROR_SUB_PROCESS_FAILED_FINAL',
            message='the best candidate could not be trained on all data ({process}): {reason}',
        )

    def setup(self) -> None:
        """All candidates are waiting."""
        self.ctx.waiting = list(self.inputs.candidates.get_dict())
        self.ctx.reports = {}
        self.ctx.failures = {}

    def should_run_candidates(self) -> bool:
        """Whether there are candidates left."""
        return bool(self.ctx.waiting)

    def run_candidates(self) -> ToContext:
        """Cross-validate as many at the same time as are allowed."""
        number = self.inputs.max_parallel.value
        self.ctx.running, self.ctx.waiting = self.ctx.waiting[:number], self.ctx.waiting[number:]
        candidates, validation = self.inputs.candidates.get_dict(), self.inputs.cross_validation.get_dict()
        trainings = {}
        for label in self.ctx.running:
            settings = {'emulator': candidates[label], 'cross_validation': validation, 'final': False}
            trainings[label] = self._train(orm.Dict(settings), f'candidate_{label}')
        return ToContext(**{f'candidate_{label}': training for label, training in trainings.items()})

    def inspect_candidates(self) -> None:
        """Keep what was found; one that failed is out of the race."""
        for label in self.ctx.running:
            training = self.ctx[f'candidate_{label}']
            if training.is_finished_ok:
                self.ctx.reports[label] = training.outputs.report
            else:
                self.ctx.failures[label] = f'{name_of(training)}: {reason_of(training)}'
                self.report(f'candidate {label} failed: {self.ctx.failures[label]}')

    def select_best(self) -> ExitCode | None:
        """Compare the candidates."""
        if self.ctx.reports:
            found: Any
            found, node = best_candidate.run_get_node(
                candidates=self.inputs.candidates,
                failures=orm.Dict(self.ctx.failures),
                **{f'report_{label}': report for label, report in self.ctx.reports.items()},
                metadata={'call_link_label': 'best_candidate'},
            )
            if node.is_finished_ok:
                self.ctx.settings = found['settings']
                self.out('candidates', found['candidates'])
                self.report(f'the best candidate is {found["candidates"]["best"]}')
                return None
            self.ctx.failures = {**self.ctx.failures, 'comparison': node.exit_message}
        reasons = '; '.join(f'{label}: {why}' for label, why in self.ctx.failures.items())
        return self.exit_codes.ERROR_ALL_CANDIDATES_FAILED.format(reasons=reasons)

    def run_final(self) -> ToContext:
        """Train the best one on all data."""
        return ToContext(final=self._train(self.ctx.settings, 'final'))

    def inspect_final(self) -> ExitCode | None:
        """Whether there is a model."""
        final = self.ctx.final
        if final.is_finished_ok:
            return None
        return self.exit_codes.ERROR_SUB_PROCESS_FAILED_FINAL.format(process=name_of(final), reason=reason_of(final))

    def results(self) -> None:
        """Hand on the model and its report."""
        self.out('model', self.ctx.final.outputs.model)
        self.out('report', self.ctx.final.outputs.report)

    def _train(self, settings: orm.Dict, label: str) -> orm.ProcessNode:
        inputs = AttributeDict(self.exposed_inputs(TrainBaseWorkChain, 'base'))
        inputs.train.code = self.inputs.code
        inputs.train.datasets = self.inputs.datasets
        inputs.train.settings = settings
        inputs.metadata.call_link_label = label
        return self.submit(TrainBaseWorkChain, **inputs)
