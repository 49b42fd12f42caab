"""Exchange tables for Spirit, H = −Σ_(listed) [J S_i·S_j + D·(S_i×S_j)]: the cluster as one cell, each pair once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .conventions import CONVENTIONS, convert, without_small
from .table import ExchangeTable

FloatArray = NDArray[np.float64]


def spirit_rows(table: ExchangeTable, neglected: float = 0.0) -> FloatArray:
    """Return rows ``i j da db dc J Dx Dy Dz`` [meV], the array ``Jij_expanded`` of aiida-spirit; shape (p, 9).

    :param neglected: largest element of S, and largest B, that may be left out [meV]: Spirit's pairs have neither.
    :raises ExchangeError: S or B is larger.
    """
    target = CONVENTIONS['spirit']
    spirit = convert(without_small(table.terms(), target, neglected), target)
    return np.column_stack([table.pairs, np.zeros((len(table.pairs), 3)), spirit.j, spirit.d])


def spirit_moments(table: ExchangeTable) -> FloatArray:
    """Return the sizes of the moments, ``mu_s``, shape (n) [µB]: their directions are those of Spirit's spins."""
    return np.abs(table.moments)


def write_spirit_pairs(table: ExchangeTable, path: Path, neglected: float = 0.0) -> None:
    """Write an ``interaction_pairs_file`` for Spirit's ``hamiltonian heisenberg_pairs``.

    :param neglected: as in :func:`spirit_rows`.
    :raises ExchangeError: S or B is larger.
    """
    lines = ['i j da db dc Jij Dij Dijx Dijy Dijz']
    for i, j, *cell, exchange, dx, dy, dz in spirit_rows(table, neglected).tolist():
        size = float(np.linalg.norm([dx, dy, dz]))
        direction = np.array([dx, dy, dz]) / size if size else np.array([0.0, 0.0, 1.0])
        numbers = ' '.join(f'{number:.12g}' for number in (exchange, size, *direction))
        lines.append(f'{i:.0f} {j:.0f} {" ".join(f"{n:.0f}" for n in cell)} {numbers}')
    path.write_text('\n'.join(lines) + '\n', encoding='ascii')
