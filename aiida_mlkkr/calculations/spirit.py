"""Spin models for aiida-spirit's ``SpiritCalculation``, and what it leaves behind, checked against direct sums."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.spirit import NEGLECTED, pair_rows, parameters_of

AGREEMENT: Final = 1e-5
"""Difference of energies per moment that the files' ten digits explain [meV]."""

_IGNORED: Final = ('pinning', 'defects')
LARGEST_STEP: Final = 1e-3
"""Time step of thermal dynamics that the thermal dimer proves right, with the solver Depondt [ps]."""


def validate_parameters(value: orm.Dict, _: object) -> str | None:
    """Message on parameters that belong to the model, or that Spirit's package from PyPI would ignore."""
    parameters = value.get_dict()
    own = [
        name
        for name in ('mu_s', 'n_basis_cells', 'boundary_conditions', 'external_field_magnitude')
        if name in parameters
    ]
    if own:
        return f'{", ".join(own)}: the spin model says this'
    if parameters.get('llg_temperature', 0) > 0 and parameters.get('llg_dt', LARGEST_STEP) > LARGEST_STEP:
        return f'llg_dt: steps above {LARGEST_STEP} ps are wrong at a temperature'
    return None


def validate_run_options(value: orm.Dict, _: object) -> str | None:
    """Message on methods and solvers that are known to give wrong results."""
    options = value.get_dict()
    if options.get('simulation_method', 'LLG').upper() != 'LLG':
        return "Spirit's Monte Carlo violates detailed balance; use mlkkr.monte_carlo"
    if options.get('solver') != 'Depondt':
        return 'solver: only Depondt keeps the right temperature'
    return None


@calcfunction
def spirit_inputs(
    model: SpinModelData, parameters: orm.Dict | None = None, neglected: orm.Float | None = None
) -> dict[str, orm.Data] | ExitCode:
    """Inputs of a ``SpiritCalculation`` for a spin model.

    :param parameters: further parameters of Spirit, such as ``llg_temperature``.
    :param neglected: largest element of S that may be left out [meV].
    :return: ``structure``, ``jij_data`` and ``parameters``; exit code 222 if Spirit has no place for a term.
    """
    try:
        spins = model.model
        rows = pair_rows(spins, NEGLECTED if neglected is None else neglected.value)
        own = parameters_of(spins)
    except (SpinModelError, ExchangeError) as error:
        return ExitCode(222, f'Spirit cannot run this model: {error}')
    structure = orm.StructureData(cell=spins.box.tolist(), pbc=(False, False, False))
    for element, position in zip(spins.elements, spins.positions.tolist(), strict=True):
        structure.append_atom(symbols=element, position=position)
    jij_data = orm.ArrayData({'Jij_expanded': rows})
    jij_data.base.attributes.set('convention', 'spirit')
    further: dict[str, Any] = {} if parameters is None else parameters.get_dict()
    return {'structure': structure, 'jij_data': jij_data, 'parameters': orm.Dict({**further, **own})}


@calcfunction
def spirit_results(
    model: SpinModelData, magnetization: orm.ArrayData, energies: orm.ArrayData
) -> dict[str, orm.Data] | ExitCode:
    """What Spirit found, if it is what the model says.

    :return: ``configuration`` with directions (n, 3), and ``report`` with the energy per moment [meV]; exit code 320 if
        directions are missing or no unit vectors, 321 if Spirit's energy is not that of its configuration.
    """
    spins = model.model
    directions = magnetization.get_array('final')
    if directions.shape != (len(spins), 3) or not np.allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-6):
        return ExitCode(320, 'Spirit has not written a unit vector for every moment: it has died. See its output.')
    energy = spins.energy(directions) / len(spins)
    told = float(np.atleast_2d(energies.get_array('energies'))[-1, 1])
    if abs(told - energy) > AGREEMENT:
        return ExitCode(321, f'Spirit says {told:.6f} meV per moment, its configuration has {energy:.6f}')
    configuration = orm.ArrayData({'directions': directions})
    return {'configuration': configuration, 'report': orm.Dict({'energy': energy, 'energy_of_spirit': told})}
