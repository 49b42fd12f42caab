"""Reading of exchange tables whose mapping says what they mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .conventions import OURS, PairTerms, convert
from .errors import ExchangeError
from .mapping import Mapping
from .pairs import Pairs

if TYPE_CHECKING:
    import pandas

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RawTable:
    """All rows of a table as they are, in our convention and units.

    :param pairs: one for each row; nuclear charges that are no whole number are −1, numbers may be NaN.
    :param own_site: whether i and j are one site, shape (n).
    """

    pairs: Pairs
    own_site: NDArray[np.bool_]


def read_table(path: Path, mapping: Mapping) -> RawTable:
    """Read a CSV file.

    :raises ExchangeError: it cannot be read, a column is missing, or one holds something else than numbers.
    """
    from pandas import read_csv
    from pandas.errors import EmptyDataError, ParserError

    try:
        frame = read_csv(path)
    except (OSError, UnicodeDecodeError, EmptyDataError, ParserError) as error:
        raise ExchangeError(f'{path} is no readable CSV file: {error}') from error
    named = mapping.columns.model_dump(exclude_none=True)
    if missing := [column for column in named.values() if column not in frame]:
        raise ExchangeError(f'{path} has no column {", ".join(missing)}; it has {", ".join(map(str, frame.columns))}')
    columns = {name: _numbers(frame, column, path) for name, column in named.items()}
    return _in_our_convention(columns, mapping)


def _numbers(frame: pandas.DataFrame, column: str, path: Path) -> FloatArray:
    try:
        return np.array(frame[column], dtype=np.float64)
    except ValueError as error:
        raise ExchangeError(f'column {column} of {path} holds something else than numbers: {error}') from error


def _in_our_convention(columns: dict[str, FloatArray], mapping: Mapping) -> RawTable:
    number = len(columns['j'])

    def both(name: str, otherwise: float) -> FloatArray:
        return np.column_stack([columns.get(f'{name}_{site}', np.full(number, otherwise)) for site in 'ij'])

    moments = both('moment', 0.0)
    signs: FloatArray = np.where(moments < 0, -1.0, 1.0).prod(axis=1)
    d = np.column_stack([columns.get(f'd{axis}', np.zeros(number)) for axis in 'xyz'])
    source = replace(mapping.its_convention, unit=mapping.energy_unit)
    terms = convert(PairTerms(source, columns['j'], d, signs=signs), OURS)
    vectors = mapping.length_unit * np.column_stack([columns[axis] for axis in 'xyz'])
    host = mapping.structure.structure() if mapping.structure else None
    sites = np.column_stack([columns.get('site_i', np.zeros(number)), columns.get('site_j', np.ones(number))])
    pairs = Pairs(_whole(both('z', -1.0)), vectors, _whole(both('layer', 1.0)), moments, terms.j, terms.d, host)
    return RawTable(pairs, sites[:, 0] == sites[:, 1])


def _whole(values: FloatArray) -> IntArray:
    whole = np.isfinite(values) & (values == np.round(values))
    return np.where(whole, values, -1).astype(np.int64)
