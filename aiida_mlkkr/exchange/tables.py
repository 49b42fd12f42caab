"""Pairs of many clusters in one table: joined, read from CSV files, and those in copper that come with the package."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .errors import ExchangeError
from .origins import Origins
from .table import CONVENTION_LINE, S_COLUMNS, ExchangeTable
from .tensors import compose

FloatArray = NDArray[np.float64]

_ONE_FOR_ALL: Final = ('host', 'method')


def copper_pairs() -> ExchangeTable:
    """3d and 4d impurities on the first shells of fcc Cu, by the embedded solver; see the documentation."""
    with as_file(files(__package__) / 'cu_pairs.csv') as path:
        return read_csv(path)


def read_csv(path: Path) -> ExchangeTable:
    """Read what :meth:`ExchangeTable.write_csv` writes. Each pair gets two sites of its own, the first at the origin.

    :raises ExchangeError: the file states another convention or none, is empty, or a column is missing or damaged.
    """
    with path.open(encoding='utf-8', newline='') as stream:
        first = stream.readline().rstrip('\r\n')
        rows = list(csv.DictReader(stream)) if first == CONVENTION_LINE else []
    if first != CONVENTION_LINE:
        raise ExchangeError(f'{path}: the first line is not {CONVENTION_LINE!r}; the convention has to be known')
    if not rows:
        raise ExchangeError(f'{path}: there are no pairs in it')
    try:
        return _table(rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ExchangeError(f'{path}: a column is missing or damaged: {error}') from error


def _table(rows: Sequence[Mapping[str, str]]) -> ExchangeTable:
    common = {name: {row[name] for row in rows} for name in _ONE_FOR_ALL}
    several = [name for name, values in common.items() if len(values) > 1]
    if several:
        raise ExchangeError(f'pairs of different {" and ".join(several)} are in one file')
    positions = np.zeros((2 * len(rows), 3))
    positions[1::2] = _columns(rows, 'x_A', 'y_A', 'z_A')
    return ExchangeTable(
        host=common['host'].pop(),
        elements=tuple(row[f'element_{site}'] for row in rows for site in 'ij'),
        positions=positions,
        moments=_columns(rows, 'moment_i_muB', 'moment_j_muB').ravel(),
        pairs=np.arange(2 * len(rows)).reshape(-1, 2),
        tensors=compose(
            _columns(rows, 'J_meV')[:, 0], _columns(rows, 'Dx_meV', 'Dy_meV', 'Dz_meV'), _anisotropies(rows)
        ),
        method=common['method'].pop(),
        spread=_columns(rows, 'spread_meV')[:, 0],
        biquadratic=_columns(rows, 'B_meV')[:, 0] if any(row['B_meV'] for row in rows) else None,
        origins=_origins(rows) if 'origin' in rows[0] else None,
    )


def _origins(rows: Sequence[Mapping[str, str]]) -> Origins:
    return Origins(
        tuple(row['source'] for row in rows),
        np.array([_either(row['origin'], 'computed', 'predicted') for row in rows]),
        _columns(rows, 'uncertainty_meV')[:, 0],
        np.array([_either(row['outside'], 'False', 'True') for row in rows]),
        np.array([float(row['D_uncertainty_meV'] or 'nan') for row in rows]),
    )


def _either(value: str, no: str, yes: str) -> bool:
    if value not in (no, yes):
        raise ValueError(f'{no} or {yes} expected, found {value!r}')
    return value == yes


def _columns(rows: Sequence[Mapping[str, str]], *names: str) -> FloatArray:
    return np.array([[float(row[name]) for name in names] for row in rows])


def _anisotropies(rows: Sequence[Mapping[str, str]]) -> FloatArray:
    """S, of which the rows have the independent elements."""
    s = np.zeros((len(rows), 3, 3))
    for name, (a, b) in S_COLUMNS.items():
        s[:, a, b] = s[:, b, a] = _columns(rows, f'S{name}_meV')[:, 0]
    s[:, 2, 2] = -s[:, 0, 0] - s[:, 1, 1]
    return s


def joined(tables: Sequence[ExchangeTable]) -> ExchangeTable:
    """The pairs of several clusters in one host as one table; the sites of each cluster follow those of the one before.

    :raises ExchangeError: there is no table, they are of different hosts, or B is known in some of them only.
    """
    if not tables:
        raise ExchangeError('there are no tables to join')
    hosts, methods = ({getattr(table, name) for table in tables} for name in ('host', 'method'))
    if len(hosts) > 1 or len(methods) > 1:
        raise ExchangeError(f'these tables are not alike: {", ".join(sorted(hosts))}; {", ".join(sorted(methods))}')
    quadratic = [table.biquadratic for table in tables if table.biquadratic is not None]
    if len(quadratic) not in (0, len(tables)):
        raise ExchangeError('B is known in some of the tables only')
    first = np.cumsum([0, *(len(table.elements) for table in tables)])
    return ExchangeTable(
        host=tables[0].host,
        elements=tuple(element for table in tables for element in table.elements),
        positions=np.concatenate([table.positions for table in tables]),
        moments=np.concatenate([table.moments for table in tables]),
        pairs=np.concatenate([table.pairs + start for table, start in zip(tables, first, strict=False)]),
        tensors=np.concatenate([table.tensors for table in tables]),
        method=tables[0].method,
        spread=np.concatenate([table.spread for table in tables]),
        biquadratic=np.concatenate(quadratic) if quadratic else None,
        origins=_joined_origins(tables),
    )


def _joined_origins(tables: Sequence[ExchangeTable]) -> Origins | None:
    if all(table.origins is None for table in tables):
        return None
    return Origins.joined([table.origins or Origins.computed([''] * len(table.pairs)) for table in tables])
