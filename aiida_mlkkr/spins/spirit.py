"""Spin models for Spirit: one large cell with a basis of all moments, and each pair once in a file.

Spirit's H = −Σ_(listed) [J S_i·S_j + D·(S_i×S_j)] − Σ K(n·S)² − Σ µ_B mu_s B·S has no place for S of a pair, and knows
one axis of anisotropy for each moment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.exchange.spirit import spirit_moments, spirit_rows, write_spirit_pairs
from aiida_mlkkr.exchange.table import ExchangeTable

from .errors import SpinModelError
from .model import SpinModel
from .units import BOHR_MAGNETON

FloatArray = NDArray[np.float64]

INPUT: Final = 'input.cfg'
PAIRS: Final = 'pairs.txt'
ANISOTROPY: Final = 'anisotropy.txt'
TRAJECTORY: Final = 'trajectory.txt'
"""Rows of energy per moment [meV], the mean direction and its overlap with the first configuration."""

DIRECTIONS: Final = 'directions.txt'
"""Directions at the end of a trajectory."""

NEGLECTED: Final = 1e-6
"""Largest element of S that is rounding [meV]."""

_BOHR_MAGNETON_OF_SPIRIT: Final = 0.057883817555
"""``spirit.constants.mu_B`` in meV/T."""

_SMALLEST_D: Final = 1e-30
"""In place of D = 0 [meV]: aiida-spirit divides D by its size."""


def write_spirit(model: SpinModel, folder: Path, neglected: float = NEGLECTED) -> None:
    """Write ``input.cfg`` and the files that it names.

    :param neglected: largest element of S that may be left out [meV].
    :raises ExchangeError: S is larger.
    :raises SpinModelError: an anisotropy has more than one axis.
    """
    write_spirit_pairs(_table(model), folder / PAIRS, neglected)
    axes = anisotropy_axes(model)
    strength, normal = field_of(model)
    basis = model.positions @ np.linalg.inv(model.box) % 1.0
    lines = ['bravais_vectors', *_rows(model.box), 'lattice_constant 1.0', 'n_basis_cells 1 1 1']
    lines += ['basis', str(len(model)), *_rows(basis)]
    lines += ['boundary_conditions 0 0 0', 'hamiltonian heisenberg_pairs', f'interaction_pairs_file {PAIRS}']
    lines += [f'mu_s {" ".join(map(repr, model.moments.tolist()))}', 'ddi_method none']
    lines += [f'external_field_magnitude {strength!r}', f'external_field_normal {" ".join(map(repr, normal))}']
    if len(axes):
        lines.append(f'anisotropy_file {ANISOTROPY}')
        table = ['i K Kx Ky Kz', *(f'{i:.0f} {" ".join(map(repr, row))}' for i, *row in axes.tolist())]
        (folder / ANISOTROPY).write_text('\n'.join(table) + '\n', encoding='ascii')
    (folder / INPUT).write_text('\n'.join(lines) + '\n', encoding='ascii')


def pair_rows(model: SpinModel, neglected: float = NEGLECTED) -> FloatArray:
    """Rows ``i j da db dc J Dx Dy Dz`` [meV], the array ``Jij_expanded`` of aiida-spirit.

    :raises ExchangeError: S is larger than what may be neglected.
    """
    rows = spirit_rows(_table(model), neglected)
    rows[~np.any(rows[:, 6:], axis=1), 8] = _SMALLEST_D
    return rows


def parameters_of(model: SpinModel) -> dict[str, Any]:
    """What a ``SpiritCalculation`` must have in its ``parameters`` for a model.

    :raises SpinModelError: there is anisotropy, which the plugin gives to all moments alike.
    """
    if model.anisotropy.any():
        raise SpinModelError('aiida-spirit knows no anisotropy of single moments; write_spirit does')
    strength, normal = field_of(model)
    return {
        'mu_s': spirit_moments(_table(model)).tolist(),
        'n_basis_cells': [1, 1, 1],
        'boundary_conditions': [False, False, False],
        'external_field_magnitude': strength,
        'external_field_normal': normal,
    }


def field_of(model: SpinModel) -> tuple[float, list[float]]:
    """Strength [T] and direction of the field, for Spirit's µB."""
    strength = float(np.linalg.norm(model.field))
    normal = (model.field / strength).tolist() if strength else [0.0, 0.0, 1.0]
    return strength * BOHR_MAGNETON / _BOHR_MAGNETON_OF_SPIRIT, normal


def anisotropy_axes(model: SpinModel) -> FloatArray:
    """Rows ``i K Kx Ky Kz`` of the moments that have an anisotropy K(n·e)² [meV].

    :raises SpinModelError: a matrix is not K n nᵀ.
    """
    rows = []
    for i in np.flatnonzero(np.any(model.anisotropy, axis=(1, 2))).tolist():
        values, axes = np.linalg.eigh(model.anisotropy[i])
        k = int(np.abs(values).argmax())
        if np.abs(np.delete(values, k)).max() > NEGLECTED:
            raise SpinModelError(f'Spirit knows one axis of anisotropy; that of moment {i} is not K n nᵀ')
        rows.append([i, values[k], *axes[:, k]])
    return np.array(rows).reshape(-1, 5)


def trajectory_script(samples: int, steps: int) -> str:
    """What aiida-spirit's ``post_processing`` runs: LLG goes on, and is looked at after every ``steps`` steps."""
    return f"""
from spirit import parameters, system
import numpy as np
parameters.llg.set_output_general(p_state, any=False)
first = system.get_spin_directions(p_state).copy()
rows = []
simulation.start(p_state, simulation.METHOD_LLG, simulation.SOLVER_DEPONDT,
                 n_iterations={samples * steps + 1}, n_iterations_log={samples * steps + 1}, single_shot=True)
for _ in range({samples}):
    simulation.n_shot(p_state, {steps})
    system.update_data(p_state)
    spins = system.get_spin_directions(p_state)
    rows.append([system.get_energy(p_state) / len(spins), *spins.mean(axis=0), (spins * first).sum() / len(spins)])
np.savetxt('{TRAJECTORY}', rows)
np.savetxt('{DIRECTIONS}', spins)
simulation.stop(p_state)
"""


def _table(model: SpinModel) -> ExchangeTable:
    return ExchangeTable(
        host='',
        elements=model.elements,
        positions=model.positions,
        moments=model.moments,
        pairs=model.pairs,
        tensors=model.tensors,
        method='spin model',
        spread=np.zeros(len(model.pairs)),
    )


def _rows(array: FloatArray) -> list[str]:
    return [' '.join(map(repr, row)) for row in array.tolist()]
