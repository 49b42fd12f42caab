"""The moves of a chain of KKRimp calculations: on from a potential, back to an earlier one, again, or giving up.

Which failure asks for which move is the matter of the handlers in :mod:`aiida_mlkkr.workflows.kkrimp.base`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessHandlerReport
from aiida_kkr.calculations import KkrimpCalculation

from aiida_mlkkr.kkr.cures import (
    DEFAULT_MIXFAC,
    Cures,
    Settings,
    changes_potential,
    mixing_words,
    remaining_field,
    remaining_simple_steps,
    uses_history,
)
from aiida_mlkkr.kkr.history import is_beyond_simple_mixing, is_diverging, is_stagnating
from aiida_mlkkr.kkr.outcome import Outcome
from aiida_mlkkr.workflows.kkrimp.endings import ENDINGS
from aiida_mlkkr.workflows.kkrimp.findings import Findings
from aiida_mlkkr.workflows.kkrimp.inputs import START_PORTS, default_cures, settings_in_force
from aiida_mlkkr.workflows.messages import name_of

PARSER: Final = 'mlkkr.kkrimp'

_TELLING: Final = (Outcome.STAGNATING, Outcome.DIVERGING, Outcome.NOT_FINITE, Outcome.CORE_STATE_LOST)
"""Exit statuses that name a failure of the mixing."""


def findings(node: orm.CalcJobNode) -> Findings:
    """What a calculation left behind."""
    results = node.outputs.output_parameters.get_dict() if 'output_parameters' in node.outputs else {}
    return Findings.from_results(results)


class RestartMoves(BaseRestartWorkChain):
    """Where the next calculation starts, and with which mixing."""

    _process_class = KkrimpCalculation
    _given_up: ExitCode | None = None

    def setup(self) -> None:
        """The first calculation's inputs are those given."""
        super().setup()
        inputs = AttributeDict(self.exposed_inputs(KkrimpCalculation, 'kkrimp'))
        inputs.metadata.options.parser_name = PARSER
        self.ctx.inputs = inputs
        self.ctx.start = {port: inputs[port] for port in START_PORTS if port in inputs}
        self.ctx.settings = settings_in_force(inputs)
        self.ctx.sane = None  # the last calculation that left a sane potential
        self.ctx.refuge = None  # the same, until going back to it has not helped
        self.ctx.errors = []  # of all iterations since the mixing was changed
        self.ctx.tried = {}

    def _go_on(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """On from its potential, unless the errors since the last change of the mixing say otherwise."""
        self.ctx.errors = [*self.ctx.errors, *findings(node).errors]
        if is_diverging(np.array(self.ctx.errors)):
            return self._calm_down(node)
        simple = not uses_history(self.ctx.settings) and is_beyond_simple_mixing(
            np.array(self.ctx.errors), self.ctx.settings.get('MIXFAC', DEFAULT_MIXFAC)
        )
        if simple or is_stagnating(np.array(self.ctx.errors)):
            return self._change_mixing(node)
        self._keep(node)
        return self._start_from(node)

    def _change_mixing(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """On from its potential with another mixing; back if it is not physical."""
        if findings(node).unphysical:
            return self._calm_down(node)
        self._keep(node)
        if not self._may_try('stagnating', self._cures.stagnating):
            return self._give_up(node, Outcome.STAGNATING)
        self._mix(self._cures.other_mixing)
        return self._start_from(node)

    def _calm_down(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """Back to a sane potential with calmer mixing, unless it was not the mixing."""
        given = all(port in node.inputs and node.inputs[port] == start for port, start in self.ctx.start.items())
        mixed = self._iterates(node) and not (given and findings(node).iterations == 0)
        if not mixed or not self._may_try('diverging', self._cures.diverging):
            return self._give_up(node, Outcome.DIVERGING)
        return self._go_back()

    def _go_back(self) -> ProcessHandlerReport:
        """With calmer mixing to the last sane potential; to the start if there is none, or if that was tried before."""
        self._mix(self._cures.calmer)
        refuge, self.ctx.refuge = self.ctx.refuge, None
        return self._restart(self.ctx.start, self.ctx.settings) if refuge is None else self._start_from(refuge)

    def _mix(self, change: Callable[[Settings], dict[str, Any]]) -> None:
        self.ctx.settings = change(self.ctx.settings)
        self.ctx.errors = []

    def _start_from(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        before = {**self.ctx.settings, **node.inputs.parameters.get_dict()}
        settings = {
            **self.ctx.settings,
            **remaining_field(before, findings(node).iterations),
            **remaining_simple_steps(self.ctx.settings, len(self.ctx.errors)),
        }
        return self._restart({'parent_calc_folder': node.outputs.remote_folder}, settings)

    def _restart(self, start: Mapping[str, orm.Data], settings: Mapping[str, Any]) -> ProcessHandlerReport:
        for port in START_PORTS:
            self.ctx.inputs.pop(port, None)
        # a plain dictionary, which becomes a node with the calculation: a checkpoint holds stored nodes only
        self.ctx.inputs.update(start, parameters=dict(settings))
        (node,) = start.values()
        self.report(f'the next calculation starts from {node} with {mixing_words(settings)}')
        return ProcessHandlerReport(do_break=True)

    def _repeat(self, node: orm.CalcJobNode) -> ProcessHandlerReport:
        """The same calculation once more."""
        if not self._may_try('repeats', self._cures.repeats):
            return self._give_up(node)
        self.ctx.inputs.metadata.disable_cache = True
        return ProcessHandlerReport(do_break=True)

    def _give_up(self, node: orm.CalcJobNode, instead: Outcome | None = None) -> ProcessHandlerReport:
        """End with its exit status; with another one where it alone does not tell."""
        status = int(node.exit_status or 0)
        if instead is not None and status not in _TELLING:
            status = int(instead)
        self._given_up = self.exit_codes(ENDINGS[status].label).format(found=self._said(node))
        return ProcessHandlerReport(do_break=True, exit_code=self._given_up)

    def _keep(self, node: orm.CalcJobNode) -> None:
        if findings(node).sane:
            self.ctx.sane = self.ctx.refuge = node

    def _may_try(self, cure: str, times: int) -> bool:
        """Whether a cure may be tried once more; counts the attempt."""
        tried = self.ctx.tried.get(cure, 0)
        self.ctx.tried[cure] = tried + 1
        return tried < times

    def _iterates(self, node: orm.CalcJobNode) -> bool:
        """Whether the iterations of a calculation lead to another potential."""
        return changes_potential(self.ctx.settings) and not findings(node).density_of_states

    def _said(self, node: orm.CalcJobNode) -> str:
        settings = {**self.ctx.settings, **node.inputs.parameters.get_dict()}
        return f'{name_of(node)}, number {self.ctx.iteration}, with {mixing_words(settings)}: {node.exit_message}'

    @property
    def _cures(self) -> Cures:
        return Cures.from_values(default_cures(), self.inputs.cures.get_dict())
