"""Measurements and observables as arrays, for files and nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .observables import Measurements
from .transition import OF_TRANSITIONS

Arrays = dict[str, NDArray[Any]]

_ARRAYS: Final = ('temperatures', 'distances', 'thermalised', 'autocorrelation', 'exchanges')
_NUMBERS: Final = ('number', 'moment', 'in_field')
_BLOCKS: Final = 'blocks_'


def measurements_to_arrays(measurements: Measurements) -> tuple[Arrays, dict[str, Any]]:
    """Arrays, and the rest in plain JSON."""
    arrays = {name: getattr(measurements, name) for name in _ARRAYS}
    arrays |= {f'{_BLOCKS}{name}': values for name, values in measurements.blocks.items()}
    meta = {name: getattr(measurements, name) for name in _NUMBERS}
    return arrays, meta | {'groups': list(measurements.groups)}


def measurements_from_arrays(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Measurements:
    """Take back what :func:`measurements_to_arrays` gave."""
    blocks = {name.removeprefix(_BLOCKS): values for name, values in arrays.items() if name.startswith(_BLOCKS)}
    parts: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
    parts |= {name: meta[name] for name in _NUMBERS}
    return Measurements(groups=tuple(meta['groups']), blocks=blocks, **parts)


def results_to_arrays(parts: Sequence[Measurements]) -> tuple[Arrays, dict[str, Any]]:
    """Observables of configurations as arrays by name with errors in ``NAME_error``, and the rest in plain JSON.

    The errors are those of the mean over the configurations, of a single one those of its blocks of rounds;
    ``NAME_deviations`` has the parts of those that transitions are found from.
    """
    whole = parts[0] if len(parts) == 1 else Measurements.over_configurations(parts)
    observables = whole.observables()
    arrays: Arrays = {name: getattr(whole, name) for name in _ARRAYS}
    arrays |= observables.values
    arrays |= {f'{name}_error': values for name, values in observables.errors.items()}
    arrays |= {f'{name}_deviations': observables.deviations[name] for name in OF_TRANSITIONS}
    arrays['thermalised'] = whole.thermalised.astype(np.int64)
    return arrays, {'number': whole.number, 'in_field': whole.in_field, 'groups': list(whole.groups)}
