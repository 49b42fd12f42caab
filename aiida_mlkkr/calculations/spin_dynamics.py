"""From spin models to schedules of simulations, and from simulations to curves, ground states and transitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from scipy.linalg import block_diag

from aiida_mlkkr import __version__
from aiida_mlkkr.data.spin_model import SpinModelData
from aiida_mlkkr.spins.correlations import half_thickness
from aiida_mlkkr.spins.groundstate import GroundState, largest_torque
from aiida_mlkkr.spins.meanfield import (
    glass_mean_field_temperature,
    model_mean_field_temperature,
    soft_mode_temperature,
)
from aiida_mlkkr.spins.network import network, order_forbidden
from aiida_mlkkr.spins.statistics import block_means
from aiida_mlkkr.spins.temperatures import TemperatureSettings
from aiida_mlkkr.spins.transition import OF_TRANSITIONS, BoxCurves, Transition, find_transition, order_of, turning_point

_OWN_OF_A_RUN: Final = ('autocorrelation', 'exchanges', 'distances')
_OF_ARRAYS: Final = (
    'array|directions', 'array|positions', 'array|moments', 'array|box', 'default_array_name', 'elements',
)  # fmt: skip
_BLOCKS: Final = 16
_OF_HALF: Final = 0.999
"""Of half of a box, that correlations reach at most."""


@calcfunction
def first_schedule(schedule: orm.Dict, temperatures: orm.Dict, **models: SpinModelData) -> dict[str, orm.Dict]:
    """The schedule with temperatures of a wide grid, and what is known of models before they are simulated.

    Correlations are measured up to the schedule's ``correlation_reach``, or to half of the smallest box.

    :param temperatures: fields of :class:`~aiida_mlkkr.spins.temperatures.TemperatureSettings`.
    :return: ``schedule``, and ``report`` with the composition, networks and temperatures of mean field.
    """
    settings = TemperatureSettings.model_validate(temperatures.get_dict())
    found = {label: node.model for label, node in sorted(models.items())}
    networks = {
        label: {'number': len(model), **network(model).statistics(), 'order_forbidden': order_forbidden(model)}
        for label, model in found.items()
    }
    scales = {
        name: float(np.mean([of_model(model) for model in found.values()]))
        for name, of_model in (
            ('mean_field_temperature', model_mean_field_temperature),
            ('glass_mean_field_temperature', glass_mean_field_temperature),
            ('soft_mode_temperature', soft_mode_temperature),
        )
    }
    numbers = [len(model) for model in found.values()]
    first = next(iter(found.values()))
    composition = {
        'elements': sorted(set(first.elements)),
        'composition': {name: first.elements.count(name) / len(first) for name in sorted(set(first.elements))},
        'sizes': sorted(set(numbers)),
        'configurations': {str(number): numbers.count(number) for number in sorted(set(numbers))},
    }
    grid = settings.wide(scales['soft_mode_temperature'] or 1.0)  # without exchange 1 K is as good as any
    reach = min(schedule.get('correlation_reach', 0.0), *(_OF_HALF * half_thickness(model) for model in found.values()))
    return {
        'schedule': orm.Dict({**schedule.get_dict(), 'temperatures': grid, 'correlation_reach': reach}),
        'report': orm.Dict({**composition, 'networks': networks, **scales}),
    }


@calcfunction
def deeper_schedule(schedule: orm.Dict, temperatures: orm.Dict, **observables: orm.ArrayData) -> dict[str, orm.Dict]:
    """A schedule of lower temperatures, for moments that are not ordered at the lowest ones of the wide grid.

    :param observables: by ``simulated_NUMBER_RUN``, number of moments and of the run.
    :return: ``schedule``; nothing where there is order, or where the coldest moments have not thermalised.
    """
    largest = boxes_of(observables)[-1]
    if order_of(largest) != 'none':
        return {}
    settings = TemperatureSettings.model_validate(temperatures.get_dict())
    return {'schedule': orm.Dict({**schedule.get_dict(), 'temperatures': settings.deeper(largest.temperatures[0])})}


@calcfunction
def refined_schedule(
    schedule: orm.Dict, temperatures: orm.Dict, refinement: orm.Int, **observables: orm.ArrayData
) -> dict[str, orm.Dict]:
    """A schedule of temperatures around the transition that the observables of all boxes show.

    :param observables: by ``simulated_NUMBER_RUN``, number of moments and of the run.
    :return: ``schedule``; nothing where no transition is to be seen.
    """
    settings = TemperatureSettings.model_validate(temperatures.get_dict())
    largest = boxes_of(observables)[-1]
    middle = turning_point(largest)
    if middle is None:
        return {}
    values = {**schedule.get_dict(), 'temperatures': settings.narrow(middle, refinement.value)}
    return {'schedule': orm.Dict({**values, 'cooling': 0, 'correlation_reach': 0.0})}


@calcfunction
def lowest_state(
    model: SpinModelData, label: orm.Str, annealed: orm.ArrayData | None = None, spirit: orm.ArrayData | None = None
) -> orm.ArrayData:
    """The state of lowest energy that was found for a model.

    :param label: the model among those of the simulation.
    :param annealed: ground states of the simulation; ``spirit`` the configuration that Spirit has found.
    :return: ``directions``, ``positions``, ``moments`` and ``box``; energies [meV per moment] as attributes.
    """
    spins = model.model
    states: dict[str, np.ndarray] = {}
    attributes: dict[str, Any] = {}
    if annealed is not None:
        k = annealed.base.attributes.get('models').index(label.value)
        states['annealing'] = annealed.get_array('directions')[k]
        minima = annealed.get_array('energies')[k]
        found = GroundState(states['annealing'], minima)
        attributes |= {'found_by': f'{found.found} of {len(minima)}', 'minima_meV': minima.tolist()}
    if spirit is not None:
        states['spirit'] = spirit.get_array('directions')
    energies = {name: spins.energy(directions) / len(spins) for name, directions in states.items()}
    lower = min(energies, key=lambda name: energies[name])
    directions = states[lower]
    node = orm.ArrayData({name: getattr(spins, name) for name in ('positions', 'moments', 'box')})
    node.set_array('directions', directions)
    whole = np.linalg.norm(spins.moments @ directions) / spins.moments.sum()
    attributes |= {f'energy_of_{name}_meV': energy for name, energy in energies.items()}
    attributes |= {'energy_meV': energies[lower], 'magnetisation': float(whole), 'lower': lower}
    attributes |= {'largest_torque_meV': largest_torque(spins, directions)}
    node.base.attributes.set_many({**attributes, 'model': label.value, 'elements': list(spins.elements)})
    return node


@calcfunction
def spin_results(report: orm.Dict, **found: orm.ArrayData) -> dict[str, orm.Data]:
    """Curves of all boxes, the transition, and in short what else was found.

    :param report: that of :func:`first_schedule`.
    :param found: observables by ``simulated_NUMBER_RUN``, states of :func:`lowest_state` by ``ground_state_MODEL``,
        trajectories by ``trajectory_NUMBER``.
    :return: ``results`` and ``curves``.
    """
    known = report.get_dict()
    simulated = {label: node for label, node in found.items() if label.startswith('simulated_')}
    boxes = boxes_of(simulated)
    reasons = [entry['order_forbidden'] for entry in known['networks'].values()]
    results = {
        **known,
        **_summary(find_transition(boxes, reasons[0] if all(reasons) else None)),
        'not_thermalised': {
            str(box.number): box.temperatures[~box.thermalised].tolist() for box in boxes if not box.thermalised.all()
        },
        'ground_states': [_of_state(node) for node in _of_kind(found, 'ground_state_')],
        'dynamics': [_relaxation(node) for node in _of_kind(found, 'trajectory_')],
        'version': __version__,
    }
    return {'results': orm.Dict(results), 'curves': _curves(boxes, simulated)}


def _curves(boxes: list[BoxCurves], simulated: Mapping[str, orm.ArrayData]) -> orm.ArrayData:
    arrays: dict[str, np.ndarray] = {}
    for box in boxes:
        arrays[f'temperatures_{box.number}'] = box.temperatures
        arrays[f'thermalised_{box.number}'] = box.thermalised.astype(np.int64)
        for name, values in box.values.items():
            arrays[f'{name}_{box.number}'] = values
            arrays[f'{name}_error_{box.number}'] = box.errors[name]
    for node in simulated.values():
        if len(distances := node.get_array('distances')):
            arrays[f'distances_{node.base.attributes.get("number")}'] = distances
    curves = orm.ArrayData(arrays)
    groups = next(iter(simulated.values())).base.attributes.get('groups')
    curves.base.attributes.set_many({'sizes': [box.number for box in boxes], 'groups': groups})
    return curves


def _relaxation(trajectory: orm.ArrayData) -> dict[str, float | None]:
    """Means of the second half of a trajectory, and when the moments have forgotten how they began."""
    memory, times = trajectory.get_array('memory'), trajectory.get_array('time')
    energies = trajectory.get_array('energy')
    blocks = block_means(energies[len(energies) // 2 :], _BLOCKS)
    forgotten = np.flatnonzero(memory < memory[0] / np.e)
    directions = trajectory.get_array('magnetisation')[len(energies) // 2 :]
    return {
        'temperature': trajectory.base.attributes.get('temperature'),
        'energy_meV': float(blocks.mean()),
        'energy_error_meV': float(blocks.std(ddof=1) / np.sqrt(_BLOCKS)),
        'magnetisation': float(np.linalg.norm(directions, axis=1).mean()),
        'relaxation_ps': float(times[forgotten[0]]) if len(forgotten) else None,
    }


def _of_kind(found: Mapping[str, orm.ArrayData], prefix: str) -> list[orm.ArrayData]:
    return [node for label, node in sorted(found.items()) if label.startswith(prefix)]


def _of_state(node: orm.ArrayData) -> dict[str, Any]:
    """Energies and magnetisation of a ground state, without its arrays."""
    return {name: value for name, value in node.base.attributes.all.items() if name not in _OF_ARRAYS}


def boxes_of(observables: Mapping[str, orm.ArrayData]) -> list[BoxCurves]:
    """The curves of each size of boxes, all runs together, by size.

    :param observables: by ``NUMBER_RUN``; correlations are those of the runs that have them.
    """
    runs: dict[int, list[dict[str, np.ndarray]]] = {}
    for _, node in sorted(observables.items()):
        arrays = {name: node.get_array(name) for name in node.get_arraynames() if name not in _OWN_OF_A_RUN}
        runs.setdefault(node.base.attributes.get('number'), []).append(arrays)
    return [_joined(number, parts) for number, parts in sorted(runs.items())]


def _joined(number: int, parts: list[dict[str, np.ndarray]]) -> BoxCurves:
    temperatures, order = np.unique(np.concatenate([part['temperatures'] for part in parts]), return_index=True)

    def together(name: str) -> np.ndarray:
        width = max(part[name].shape[1:] for part in parts)
        filled = [
            part[name] if part[name].shape[1:] == width else np.full((len(part[name]), *width), np.nan)
            for part in parts
        ]
        return np.concatenate(filled)[order]

    names = [name for name in parts[0] if f'{name}_error' in parts[0]]
    return BoxCurves(
        number,
        temperatures,
        together('thermalised').astype(bool),
        {name: together(name) for name in names},
        {name: together(f'{name}_error') for name in names},
        {name: block_diag(*[part[f'{name}_deviations'] for part in parts])[:, order] for name in OF_TRANSITIONS},
    )


def _summary(transition: Transition) -> dict[str, Any]:
    """The transition as a dictionary of plain values."""
    return {
        'order': transition.order,
        'transition': {
            'temperature': transition.temperature,
            'error': transition.error,
            'method': transition.method,
            'reason': transition.reason,
            'crossings': [
                {'sizes': [small, large], 'temperature': temperature, 'error': error}
                for small, large, temperature, error in transition.crossings
            ],
        },
    }
