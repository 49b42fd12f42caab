"""What the chain from impurities to magnets makes of its parts: moments, drawn exchange, a summary."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import stdev
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.calculations.folders import run_of
from aiida_mlkkr.calculations.impurity_scf import impurity_sites
from aiida_mlkkr.data.exchange import ExchangeData
from aiida_mlkkr.exchange.conventions import OURS


@calcfunction
def impurity_moments(**singles: Any) -> orm.Dict:
    """Moment and charge of impurities that are alone in a host.

    :param singles: by element a namespace with ``retrieved``, ``impurity_info``, ``host_writeout`` and, if there is
        one, ``potential``.
    :return: by element ``moment`` [µB] and ``charge`` [e] of its site.
    """
    found = {}
    for element, parts in singles.items():
        history = run_of(parts['retrieved'], parts['host_writeout'], parts.get('potential')).history
        (site,) = impurity_sites(parts['impurity_info'].get_dict(), parts['retrieved'])[:1]
        moment, charge = history.spin_moment[-1][site], history.charge[-1][site]
        found[element] = {'moment': float(moment), 'charge': float(charge)}
    return orm.Dict(found)


@calcfunction
def sampled_exchange(exchange: ExchangeData, seed: orm.Int, number: orm.Int) -> dict[str, ExchangeData] | ExitCode:
    """Exchange with the predicted J drawn anew within their errors.

    :param number: of tables to draw: ``sample_0`` …
    """
    table = exchange.table
    if table.origins is None:
        return ExitCode(220, 'the exchange does not say how surely it is predicted: there is nothing to draw')
    rng = np.random.default_rng(seed.value)
    return {f'sample_{k}': ExchangeData.from_table(table.sampled(rng)) for k in range(number.value)}


@calcfunction
def multiscale_results(
    course: orm.Dict, moments: orm.Dict | None = None, exchange: orm.Dict | None = None, **runs: Any
) -> orm.Dict:
    """The summary of the chain.

    :param course: what the workchain knows: ``elements`` (origin, failure), ``compositions`` (shares, left_out,
        failure), ``samples``.
    :param moments: of :func:`impurity_moments`.
    :param exchange: results of ``mlkkr.exchange``.
    :param runs: by composition, ``Mn5``, and drawn exchange, ``Mn5_sample_0``, a namespace with ``models``, the reports
        of ``mlkkr.dilute_spin_models`` by size, and ``dynamics``, the results of ``mlkkr.spin_dynamics``.
    """
    told = course.get_dict()
    known = {} if moments is None else moments.get_dict()
    elements = {name: {**entry, **known.get(name, {})} for name, entry in told['elements'].items()}
    compositions = [
        {'label': label, **entry, **_of_composition(label, told['samples'], runs)}
        for label, entry in told['compositions'].items()
    ]
    found = {} if exchange is None else exchange.get_dict()
    return orm.Dict(
        {
            'elements': elements,
            'pairs': {name: found.get(name) for name in ('numbers', 'missing')},
            'compositions': compositions,
            'samples': told['samples'],
            'convention': OURS.hamiltonian,
            'units': {'moment': 'mu_Bohr', 'charge': 'e', 'temperature': 'K'},
        }
    )


def _of_composition(label: str, samples: int, runs: Mapping[str, Any]) -> dict[str, Any]:
    """Mean field, order and transition of a composition; errors with what the exchange is uncertain by."""
    own = _dynamics(runs, label)
    drawn = [f'{label}_sample_{k}' for k in range(samples)]
    temperatures = [t for name in drawn if (t := _dynamics(runs, name).get('transition', {}).get('temperature'))]
    mean_field = [t for name in drawn if (t := _mean_field(runs, name)) is not None]
    transition = dict(own.get('transition') or dict.fromkeys(('temperature', 'error', 'method', 'reason')))
    if transition['temperature'] is not None:
        transition['exchange_error'] = _spread(temperatures)
        transition['total_error'] = float(np.hypot(transition['error'] or 0.0, transition['exchange_error']))
    return {
        'mean_field_temperature': _mean_field(runs, label),
        'mean_field_error': _spread(mean_field),
        'transition': transition,
        'sampled_transitions': temperatures,
        **{name: own.get(name) for name in ('order', 'glass_mean_field_temperature', 'ground_states', 'networks')},
    }


def _dynamics(runs: Mapping[str, Any], label: str) -> dict[str, Any]:
    node = runs.get(label, {}).get('dynamics')
    return {} if node is None else node.get_dict()


def _mean_field(runs: Mapping[str, Any], label: str) -> float | None:
    """That of the first box; it does not depend on the size."""
    for node in runs.get(label, {}).get('models', {}).values():
        return float(node['mean_field_temperature'])
    return None


def _spread(values: list[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0
