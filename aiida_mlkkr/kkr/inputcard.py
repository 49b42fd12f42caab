"""``inputcard``, the settings of KKRhost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.cluster import HostLattice
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.fortran import parse_floats

_LOGICAL: Final = {'T': True, 'TRUE': True, '.TRUE.': True, 'F': False, 'FALSE': False, '.FALSE.': False}


@dataclass(frozen=True)
class InputCard:
    """An inputcard: ``KEY= value`` on one line, or a key with the rows of a table below.

    :param name: what to call the file in messages.
    """

    name: str
    lines: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> InputCard:
        """Read the file.

        :raises KkrFileError: if it is not text.
        """
        try:
            return cls.of_text(path.read_text(encoding='ascii'), str(path))
        except UnicodeDecodeError as error:
            raise KkrFileError(f'{path}: not an inputcard, it holds bytes that are not ASCII text') from error

    @classmethod
    def of_text(cls, text: str, name: str = 'inputcard') -> InputCard:
        """The inputcard with this content."""
        return cls(name, tuple(text.splitlines()))

    def words(self, key: str) -> list[str]:
        """What follows ``KEY=`` on its line; empty if the key is absent.

        :raises KkrFileError: if nothing follows.
        """
        pattern = re.compile(rf'(?:^|\s){re.escape(key)}\s*=(.*)', re.IGNORECASE)
        for line in self.lines:
            if found := pattern.search(line):
                if not found[1].split():
                    raise KkrFileError(f'{self.name}: {key} has no value')
                return found[1].split()
        return []

    def numbers(self, key: str, count: int, default: tuple[float, ...] | None = None) -> list[float]:
        """The numbers that follow ``KEY=``.

        :raises KkrFileError: if they are not numbers, too few, or there are none and no default.
        """
        words = self.words(key)[:count]
        if not words and default is not None:
            return list(default)
        values = self._floats(' '.join(words))
        if len(values) != count:
            raise KkrFileError(
                f'{self.name}: {key}= and {count} number{"s" if count > 1 else ""} expected, found {words}'
            )
        return values

    def number(self, key: str, default: float | None = None) -> float:
        """The number that follows ``KEY=``.

        :raises KkrFileError: see :meth:`numbers`.
        """
        return self.numbers(key, 1, None if default is None else (default,))[0]

    def integer(self, key: str, default: int | None = None) -> int:
        """The integer that follows ``KEY=``.

        :raises KkrFileError: see :meth:`numbers`, or if it is not an integer.
        """
        value = self.number(key, default)
        if value != int(value):
            raise KkrFileError(f'{self.name}: {key}= {value:g} is not an integer')
        return int(value)

    def logical(self, key: str) -> bool:
        """Whether ``KEY=`` is true; false if the key is absent.

        :raises KkrFileError: if it is neither true nor false.
        """
        words = self.words(key)
        if not words:
            return False
        if words[0].upper() not in _LOGICAL:
            raise KkrFileError(f'{self.name}: {key}= {words[0]} is neither T nor F')
        return _LOGICAL[words[0].upper()]

    def table(self, key: str, rows: int, columns: int) -> NDArray[np.float64]:
        """The rows of numbers below a line that begins with the key, shape (rows, columns); empty if it is absent.

        :raises KkrFileError: if there are fewer rows, or something else is in them.
        """
        for index, line in enumerate(self.lines):
            if line.split()[:1] == [key]:
                values = [self._floats(row)[:columns] for row in self.lines[index + 1 : index + 1 + rows]]
                if len(values) != rows or any(len(row) != columns for row in values):
                    raise KkrFileError(f'{self.name}: {rows} rows of {columns} numbers expected below {key}')
                return np.array(values)
        return np.empty((0, columns))

    def lattice(self, z: NDArray[np.float64]) -> HostLattice:
        """The crystal, lengths in units of the lattice constant.

        :param z: nuclear charges of the atoms of its cell.
        :raises KkrFileError: if there is none.
        """
        cell, positions = self.table('BRAVAIS', 3, 3), self.table('<RBASIS>', len(z), 3)
        if not len(cell) or not len(positions):
            raise KkrFileError(f'{self.name}: no {"<RBASIS>" if len(cell) else "BRAVAIS"}, so that there is no crystal')
        if self.words('CARTESIAN') and not self.logical('CARTESIAN'):
            positions = positions @ cell
        try:
            return HostLattice(cell, positions, z, periodic_z=not self.logical('INTERFACE'), alat=1.0)
        except ValueError as error:
            raise KkrFileError(f'{self.name}: no crystal: {error}') from error

    def options(self) -> set[str]:
        """Names of the options that are set: words below RUNOPT and TESTOPT, and in lower case keys ``<name>= T``."""
        names: set[str] = set()
        for index, line in enumerate(self.lines):
            if line.split()[:1] == ['RUNOPT']:
                names.update(_fields(self.lines[index + 1 : index + 2]))
            elif line.split()[:1] == ['TESTOPT']:
                names.update(_fields(self.lines[index + 1 : index + 3]))
            elif (found := re.match(r'\s*(<\w+>)\s*=\s*(\S+)', line)) and _LOGICAL.get(found[2].upper()):
                names.add(found[1].lower())
        return names

    @staticmethod
    def _floats(text: str) -> list[float]:
        try:
            return [float(value) for value in parse_floats(text)]
        except ValueError:
            return []


def _fields(lines: Iterable[str]) -> Iterator[str]:
    """Options; each takes up to eight characters, and one of eight is not separated from the next."""
    for word in ' '.join(lines).split():
        yield from (word[k : k + 8] for k in range(0, len(word), 8))
