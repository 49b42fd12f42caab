"""Spin models for aiida-spirit's ``SpiritCalculation``, and what it leaves behind, checked against direct sums."""

from __future__ import annotations

from typing import Annotated, Any, Final

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from aiida_mlkkr.common.complaints import complaint_on
from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.spins.errors import SpinModelError
from aiida_mlkkr.spins.schedule import Temperature
from aiida_mlkkr.spins.spirit import DIRECTIONS, NEGLECTED, TRAJECTORY, pair_rows, parameters_of, trajectory_script

AGREEMENT: Final = 1e-5
"""Difference of energies per moment that the files' ten digits explain [meV]."""

KNOWN: Final = (
    'llg_n_iterations', 'llg_n_iterations_log', 'llg_force_convergence', 'llg_damping', 'llg_dt', 'llg_temperature',
    'llg_seed',
)  # fmt: skip
"""Parameters of Spirit that aiida-spirit hands on and that are not the model's; most others are ignored silently."""

OF_THE_MODEL: Final = (
    'mu_s', 'n_basis_cells', 'boundary_conditions', 'external_field_magnitude', 'external_field_normal',
)  # fmt: skip

LARGEST_STEP: Final = 1e-3
"""Time step of thermal dynamics that the thermal dimer proves right, with the solver Depondt [ps]."""


class DynamicsSettings(BaseModel):
    """Landau, Lifshitz and Gilbert's equation at temperatures.

    :param temperatures: ascending [K].
    :param dt: time step [ps].
    :param damping: Gilbert's constant.
    :param thermalisation: steps before the first sample.
    :param samples: how many are taken, ``steps`` steps from one to the next.
    :param seed: of the noise.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    temperatures: tuple[Temperature, ...] = Field(min_length=1)
    dt: Annotated[float, Field(gt=0.0, le=LARGEST_STEP)] = LARGEST_STEP
    damping: Annotated[float, Field(gt=0.0)] = 0.3
    thermalisation: PositiveInt = 10_000
    samples: Annotated[int, Field(ge=64)] = 500
    steps: PositiveInt = 100
    seed: NonNegativeInt = 0

    def parameters(self, temperature: float) -> dict[str, Any]:
        """Those of a ``SpiritCalculation``."""
        return {
            'llg_temperature': temperature,
            'llg_dt': self.dt,
            'llg_damping': self.damping,
            'llg_n_iterations': self.thermalisation,
            'llg_n_iterations_log': self.thermalisation,
            'llg_seed': self.seed,
        }

    def run_options(self) -> dict[str, Any]:
        """Those of a ``SpiritCalculation``."""
        return {**RUN_OPTIONS, 'post_processing': trajectory_script(self.samples, self.steps)}


RUN_OPTIONS: Final = {'simulation_method': 'LLG', 'solver': 'Depondt', 'configuration': {'random': 1}}
RETRIEVED: Final = (TRAJECTORY, DIRECTIONS)


def validate_dynamics(value: orm.Dict, _: object) -> str | None:
    """Message on settings of dynamics that are not valid."""
    return complaint_on(value.get_dict(), DynamicsSettings)


def validate_parameters(value: orm.Dict, _: object) -> str | None:
    """Message on parameters that belong to the model, that would be ignored, or that give wrong results."""
    parameters = value.get_dict()
    own = [name for name in OF_THE_MODEL if name in parameters]
    if own:
        return f'{", ".join(own)}: the spin model says this'
    unknown = [name for name in parameters if name not in KNOWN]
    if unknown:
        return f'{", ".join(unknown)}: this would be ignored; there are {", ".join(KNOWN)}'
    if parameters.get('llg_temperature', 0) > 0 and parameters.get('llg_dt', LARGEST_STEP) > LARGEST_STEP:
        return f'llg_dt: steps above {LARGEST_STEP} ps are wrong at a temperature'
    return None


def death_of(node: orm.CalcJobNode) -> str | None:
    """How a ``SpiritCalculation`` died, which may have exit code 0 nevertheless; None if it came to its end."""
    if not node.is_finished_ok:
        return node.exit_message or 'it was killed, or has excepted'
    missing = [name for name in ('magnetization', 'energies') if name not in node.outputs]
    if not missing and 'runtime' in node.outputs.output_parameters.get_dict():
        return None
    lines = [line for line in (node.get_scheduler_stderr() or '').splitlines() if line.strip()]
    return f'it has died: {lines[-1] if lines else "it did not say why, see its output"}'


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


@calcfunction
def initial_state(ground_state: orm.ArrayData) -> orm.ArrayData:
    """Directions as the input ``initial_state`` of a ``SpiritCalculation``."""
    return orm.ArrayData({'initial_state': ground_state.get_array('directions')})


@calcfunction
def spirit_trajectory(
    model: SpinModelData, retrieved: orm.FolderData, dynamics: orm.Dict, temperature: orm.Float
) -> orm.ArrayData | ExitCode:
    """The trajectory that Spirit has left, if its end is what the model says.

    :param dynamics: fields of :class:`DynamicsSettings`.
    :return: by time: energy per moment [meV], mean direction (k, 3), overlap with the first configuration; exit code
        320 if it is not complete, 321 if the last energy is not that of the last configuration.
    """
    settings, spins = DynamicsSettings.model_validate(dynamics.get_dict()), model.model
    present = retrieved.base.repository.list_object_names()
    if any(name not in present for name in RETRIEVED):
        return ExitCode(320, 'Spirit has died: it has left no trajectory. See its output.')
    rows, directions = (_table(retrieved, name) for name in RETRIEVED)
    if rows.shape != (settings.samples, 5) or directions.shape != (len(spins), 3):
        return ExitCode(320, 'Spirit has died: its trajectory is not complete. See its output.')
    energy = spins.energy(directions) / len(spins)
    if abs(rows[-1, 0] - energy) > AGREEMENT * max(1.0, abs(energy)):
        return ExitCode(321, f'Spirit says {rows[-1, 0]:.6f} meV per moment, its configuration has {energy:.6f}')
    times = settings.dt * settings.steps * np.arange(1, settings.samples + 1)
    arrays = {'time': times, 'energy': rows[:, 0], 'magnetisation': rows[:, 1:4], 'memory': rows[:, 4]}
    node = orm.ArrayData({**arrays, 'directions': directions})
    node.base.attributes.set_many({'temperature': temperature.value, 'units': {'time': 'ps', 'energy': 'meV'}})
    return node


def _table(folder: orm.FolderData, name: str) -> np.ndarray:
    with folder.base.repository.open(name, 'r') as file:
        return np.loadtxt(file, ndmin=2)
