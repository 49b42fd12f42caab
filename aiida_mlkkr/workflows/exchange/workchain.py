"""The exchange of many pairs in a host: what is there is taken, the rest predicted where that is sure, or computed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ToContext, WorkChain, while_

from aiida_mlkkr.calculations.exchange_collection import MISSING, collected_exchange
from aiida_mlkkr.calculations.exchange_surrogates import predicted_exchange
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.matching import Match
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.patterns import nuclear_charge
from aiida_mlkkr.workflows.cluster import KkrClusterWorkChain
from aiida_mlkkr.workflows.exchange.clusters import pair_inputs
from aiida_mlkkr.workflows.exchange.dimers import DimerShape, dimer_shape, planned_dimer
from aiida_mlkkr.workflows.exchange.known import found_exchange, given_exchange, kinds_of_places
from aiida_mlkkr.workflows.exchange.ports import define_inputs, define_outputs
from aiida_mlkkr.workflows.exchange.protocol import ProtocolMixin
from aiida_mlkkr.workflows.messages import name_of, reason_of

Row = dict[str, Any]

_WHOLE: Final = Match(0, np.eye(3), False)
"""The pair of a table of one, as it stands."""


class ExchangeWorkChain(ProtocolMixin, WorkChain):
    """Gather the exchange of pairs from nodes given, the database, a surrogate, and ``KkrClusterWorkChain``.

    A pair that cannot be had is missing in the table, and the results say why; the others stay.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        """Define the process specification."""
        super().define(spec)
        define_inputs(spec)
        define_outputs(spec)
        spec.outline(
            cls.setup,
            cls.take_given,
            cls.take_found,
            cls.predict,
            while_(cls.should_run_clusters)(
                cls.run_clusters,
                cls.inspect_clusters,
            ),
            cls.results,
        )

    def setup(self) -> ExitCode | None:
        """All pairs are missing."""
        self.ctx.nodes = {}
        self.ctx.rows = []
        shapes: dict[tuple[int, int], DimerShape] = {}
        try:
            for pair in self.inputs.pairs.get_list():
                shell, centre = pair['shell'], pair.get('centre', 0)
                if (shell, centre) not in shapes:
                    shapes[shell, centre] = dimer_shape(self.inputs.host, shell, self._screening, centre)
                self.ctx.rows.append(_row(shapes[shell, centre], pair['elements']))
        except ValueError as error:
            return self.exit_codes.ERROR_PAIRS_REFUSED.format(reason=error)
        self.ctx.host_name = next(iter(shapes.values())).host_name
        return None

    def take_given(self) -> ExitCode | None:
        """Take pairs from the exchange data that are given."""
        given = dict(self.inputs.get('exchange', {}))
        try:
            foreign = [label for label, node in given.items() if node.table.host != self.ctx.host_name]
            if foreign:
                raise ExchangeError(f'{", ".join(foreign)} is not of {self.ctx.host_name}')
            found = given_exchange(self.inputs.host, self.ctx.rows, given)
        except ExchangeError as error:
            return self.exit_codes.ERROR_EXCHANGE_REFUSED.format(reason=error)
        for number, (label, match) in found.items():
            self._take(number, 'given', f'given_{label}', given[label], match)
        return None

    def take_found(self) -> None:
        """Take pairs from finished clusters of the database."""
        if not self.inputs.search.value or not self._open:
            return
        numbers = self._open
        rows = [self.ctx.rows[number] for number in numbers]
        for place, node in found_exchange(self.inputs.host, rows, self._common).items():
            self._take(numbers[place], 'found', f'found_{node.pk}', node)

    def predict(self) -> ExitCode | None:
        """Ask the surrogate for what is missing, and take what it is sure of."""
        numbers = self._open
        if 'surrogate' not in self.inputs or not numbers:
            return None
        rows = [self.ctx.rows[number] for number in numbers]
        if reason := self._unlike(rows):
            return self.exit_codes.ERROR_SURROGATE_REFUSED.format(reason=reason)
        asked = {'host': self.ctx.host_name} | {name: [row[name] for row in rows] for name in ('elements', 'positions')}
        predicted: Any
        predicted, node = predicted_exchange.run_get_node(
            model=self.inputs.surrogate, pairs=orm.Dict(asked), metadata={'call_link_label': 'predicted_exchange'}
        )
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_SURROGATE_REFUSED.format(reason=node.exit_message)
        self.out('predicted', predicted)
        for place, (number, found) in enumerate(zip(numbers, predicted.table.rows(), strict=True)):
            row = self.ctx.rows[number]
            row['prediction'] = {name: found[name] for name in ('J_meV', 'uncertainty_meV', 'outside')}
            row['reason'] = self._doubt(found)
            if not row['reason']:
                self._take(number, 'predicted', 'predicted', predicted, Match(place, np.eye(3), False))
        return None

    def should_run_clusters(self) -> bool:
        """Whether there are pairs to be computed."""
        return self._common is not None and bool(self._waiting)

    def run_clusters(self) -> ToContext:
        """Compute as many pairs at the same time as are allowed."""
        self.ctx.running = self._waiting[: self.inputs.max_parallel.value]
        singles = {nuclear_charge(name): parts for name, parts in self.inputs.get('singles', {}).items()}
        clusters = {}
        for number in self.ctx.running:
            row = self.ctx.rows[number]
            inputs = AttributeDict(pair_inputs(self._common, self.inputs.host, row['impurity_info'], singles))
            inputs.metadata = {'call_link_label': f'pair_{number + 1:03d}', 'label': row['name']}
            clusters[f'pair_{number}'] = self.submit(KkrClusterWorkChain, **inputs)
        return ToContext(**clusters)

    def inspect_clusters(self) -> None:
        """Take what was computed; a pair that failed stays missing."""
        for number in self.ctx.running:
            cluster, row = self.ctx[f'pair_{number}'], self.ctx.rows[number]
            row['process'] = cluster.uuid
            if cluster.is_finished_ok:
                self._take(number, 'computed', f'computed_{number + 1:03d}', cluster.outputs.exchange)
                continue
            row['reason'] = f'{name_of(cluster)}: {reason_of(cluster)}'
            self.report(f'{row["name"]} failed: {row["reason"]}')

    def results(self) -> ExitCode | None:
        """Put all pairs together."""
        for number in self._open:
            self.ctx.rows[number]['reason'] = (
                self.ctx.rows[number]['reason'] or 'it is not there, and there are no codes'
            )
        outputs: Any
        outputs, node = collected_exchange.run_get_node(
            plan=orm.Dict({'host': self.ctx.host_name, 'pairs': self.ctx.rows}),
            metadata={'call_link_label': 'collected_exchange'},
            **self.ctx.nodes,
        )
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_EXCHANGE_REFUSED.format(reason=node.exit_message)
        for name, output in outputs.items():
            self.out(name, output)
        if 'exchange' in outputs:
            return None
        reasons = '; '.join(f'{row["name"]}: {row["reason"]}' for row in self.ctx.rows)
        return self.exit_codes.ERROR_NO_EXCHANGE.format(reasons=reasons)

    @property
    def _screening(self) -> dict[str, Any]:
        return self.inputs.screening.get_dict()

    @property
    def _common(self) -> Any:
        """Inputs of all pairs that are computed; None if none are."""
        return self.exposed_inputs(KkrClusterWorkChain, 'cluster') if self.inputs.get('cluster') else None

    @property
    def _open(self) -> list[int]:
        """Numbers of the pairs that are missing."""
        return [number for number, row in enumerate(self.ctx.rows) if row['origin'] == MISSING]

    @property
    def _waiting(self) -> list[int]:
        """Those of them that have not been tried."""
        return [number for number in self._open if 'process' not in self.ctx.rows[number]]

    def _take(self, number: int, origin: str, label: str, node: ExchangeData, match: Match = _WHOLE) -> None:
        self.ctx.nodes[label] = node
        self.ctx.rows[number] |= {
            'origin': origin,
            'label': label,
            'row': match.row,
            'rotation': match.rotation.tolist(),
            'reversed': match.reversed,
        }

    def _unlike(self, rows: list[Row]) -> str:
        """Why a surrogate cannot know pairs together; empty if it can."""
        kinds = kinds_of_places(self.inputs.host, rows)
        if len(kinds) == 1:
            return ''
        atoms = ', '.join(map(str, kinds))
        return f'to it all sites are alike, but atoms {atoms} of the cell are not; ask for pairs of one kind alone'

    def _doubt(self, found: Row) -> str:
        """Why a prediction is not taken; empty if it is."""
        if found['outside']:
            return 'it is outside of what the surrogate has learnt'
        allowed = self.inputs.max_uncertainty.value
        if found['uncertainty_meV'] > allowed:
            return f'the surrogate knows it to {found["uncertainty_meV"]:.2g} meV only, {allowed:g} meV are asked for'
        return ''


def _row(shape: DimerShape, elements: list[str | float]) -> Row:
    pair = planned_dimer(shape, elements)
    return {
        'name': pair.name,
        'elements': [symbol(z) for z in pair.charges],
        'shell': shape.shell,
        'centre': shape.centre,
        'positions': shape.places.tolist(),
        'distance_A': float(np.linalg.norm(shape.places[1] - shape.places[0])),
        'impurity_info': pair.info,
        'origin': MISSING,
        'reason': '',
    }
