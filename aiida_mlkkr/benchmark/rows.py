"""Rows of results in CSV files, to which an interrupted benchmark adds what is missing."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, get_type_hints

from aiida_mlkkr.ml.errors import DatasetError


@dataclass(frozen=True)
class Row:
    """One result; its fields are plain strings, numbers and truth values.

    Every subclass names the fields that tell what was computed in :attr:`key_fields`.
    """

    key_fields: ClassVar[tuple[str, ...]]

    @property
    def key(self) -> tuple[str, ...]:
        """What was computed."""
        return tuple(str(getattr(self, name)) for name in self.key_fields)

    @classmethod
    def from_strings(cls, strings: dict[str, str]) -> Self:
        """Take back what a CSV file holds."""
        hints = get_type_hints(cls)
        readers: dict[type, Callable[[str], Any]] = {bool: 'True'.__eq__, int: int, float: float, str: str}
        values: dict[str, Any] = {field.name: readers[hints[field.name]](strings[field.name]) for field in fields(cls)}
        return cls(**values)


R = TypeVar('R', bound=Row)


class Table(Generic[R]):
    """Rows in a file, each written as soon as it is there.

    :param path: CSV file; rows that it holds already are read.
    :raises DatasetError: if it is not such a table, or damaged.
    """

    def __init__(self, path: Path, row_type: type[R]) -> None:
        self.path = path
        self._names = [field.name for field in fields(row_type)]
        self.rows: list[R] = []
        if path.is_file():
            self.rows = list(self._read(row_type))
        self._keys = {row.key for row in self.rows}

    def _read(self, row_type: type[R]) -> Iterator[R]:
        with self.path.open(newline='') as stream:
            entries = csv.DictReader(stream)
            if entries.fieldnames != self._names:
                raise DatasetError(f'{self.path} has other columns than this benchmark writes: move it out of the way')
            for entry in entries:
                try:
                    yield row_type.from_strings(entry)
                except (TypeError, ValueError) as error:
                    raise DatasetError(f'{self.path}, line {entries.line_num} is damaged: take it out') from error

    def __contains__(self, key: tuple[str, ...]) -> bool:
        return key in self._keys

    def add(self, row: R) -> None:
        """Keep a row, in memory and in the file."""
        first = not self.path.is_file()
        with self.path.open('a', newline='') as stream:
            writer = csv.DictWriter(stream, self._names)
            if first:
                writer.writeheader()
            writer.writerow({name: _text(value) for name, value in asdict(row).items()})
        self.rows.append(row)
        self._keys.add(row.key)


def _text(value: Any) -> Any:
    return f'{value:.6g}' if isinstance(value, float) else value
