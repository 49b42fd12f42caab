"""Exchange of pairs from many sources in one table, and where each comes from."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.exchange.conventions import OURS
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.matching import Match
from aiida_mlkkr.exchange.origins import Origins
from aiida_mlkkr.exchange.table import ExchangeTable

Row = dict[str, Any]

MISSING = 'missing'

_TOLD = ('J_meV', 'moment_i_muB', 'moment_j_muB', 'source', 'uncertainty_meV', 'D_uncertainty_meV', 'outside')


@calcfunction
def collected_exchange(plan: orm.Dict, **exchange: ExchangeData) -> dict[str, orm.Data] | ExitCode:
    """Put pairs of several exchange data together.

    :param plan: ``host``, and ``pairs``, for each ``name``, ``elements``, ``positions`` of both sites [Å], ``shell``,
        ``origin`` (``given``, ``found``, ``computed``, ``predicted`` or ``missing``), ``reason``, and where it is not
        missing ``label`` of the input, ``row`` in its table, ``rotation`` and ``reversed``.
    :param exchange: tables by label.
    :return: ``results``, what came out of each pair, and ``exchange`` unless all are missing; exit code 221 if a table
        is damaged or of another host.
    """
    told = plan.get_dict()
    there = [row for row in told['pairs'] if row['origin'] != MISSING]
    outputs: dict[str, orm.Data] = {}
    try:
        table = _table(told['host'], there, exchange) if there else None
    except (ExchangeError, IndexError) as error:
        return ExitCode(221, f'the exchange data cannot be put together: {error}')
    if table is not None:
        outputs['exchange'] = ExchangeData.from_table(table)
    outputs['results'] = orm.Dict(
        {
            'host': told['host'],
            'pairs': _rows(told['pairs'], table),
            'numbers': dict(Counter(row['origin'] for row in told['pairs'])),
            'missing': [row['name'] for row in told['pairs'] if row['origin'] == MISSING],
            'convention': OURS.hamiltonian,
            'units': {
                'J': 'meV',
                'uncertainty': 'meV, half width of 90 %, of |ΔD| too',
                'distance': 'Angstrom',
                'moment': 'mu_B',
            },
        }
    )
    return outputs


def _table(host: str, rows: list[Row], exchange: dict[str, ExchangeData]) -> ExchangeTable:
    tables = {label: exchange[label].table for label in dict.fromkeys(row['label'] for row in rows)}
    if hosts := {table.host for table in tables.values()} - {host}:
        raise ExchangeError(f'the pairs are in {host}, but there is exchange of {", ".join(sorted(hosts))}')
    found = [(tables[row['label']], Match(row['row'], np.array(row['rotation']), row['reversed'])) for row in rows]
    quadratic = [table.biquadratic for table, _ in found]
    return ExchangeTable(
        host=host,
        elements=tuple(name for row in rows for name in row['elements']),
        positions=np.array([row['positions'] for row in rows]).reshape(-1, 3),
        moments=np.concatenate([match.moments(table) for table, match in found]),
        pairs=np.arange(2 * len(rows)).reshape(-1, 2),
        tensors=np.array([match.tensor(table) for table, match in found]),
        method='; '.join(sorted({table.method for table in tables.values()})),
        spread=np.array([table.spread[match.row] for table, match in found]),
        biquadratic=None
        if any(one is None for one in quadratic)
        else np.array([one[match.row] for one, (_, match) in zip(quadratic, found, strict=True) if one is not None]),
        origins=Origins.joined(
            [
                _origin(table, match.row, exchange[row['label']].uuid)
                for row, (table, match) in zip(rows, found, strict=True)
            ]
        ),
    )


def _origin(table: ExchangeTable, row: int, uuid: str) -> Origins:
    """What the table says of its pair; if that is nothing, the table itself is the source."""
    own = table.origins
    if own is None or not own.sources[row]:
        return Origins.computed([uuid])
    return own.subset(np.array([row]))


def _rows(planned: list[Row], table: ExchangeTable | None) -> list[Row]:
    values = iter([] if table is None else table.rows())
    rows = []
    for row in planned:
        kept = ('name', 'elements', 'shell', 'centre', 'distance_A', 'origin', 'reason', 'prediction', 'process')
        told = {name: row[name] for name in kept if name in row}
        if row['origin'] != MISSING:
            value = next(values)
            told |= {name: value[name] for name in _TOLD}
        rows.append(told)
    return rows
