"""Spin models, checkpoints and results as files: arrays in NumPy's format without objects, which execute nothing."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .errors import SpinModelError
from .model import SpinModel

Arrays = Mapping[str, NDArray[Any]]

MODEL_ARRAYS: Final = (
    'box', 'sublattices', 'positions', 'moments', 'pairs', 'images', 'tensors', 'anisotropy', 'field',
)  # fmt: skip
_META: Final = 'json'


def write_arrays(path: Path, arrays: Arrays, meta: Mapping[str, Any]) -> None:
    """Write arrays and plain JSON, whole or not at all."""
    unfinished = path.with_name(f'{path.name}.part')
    with unfinished.open('wb') as file:
        np.savez(file, allow_pickle=False, **{**arrays, _META: np.array(json.dumps(meta))})
    unfinished.replace(path)


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what :func:`write_arrays` wrote.

    :raises SpinModelError: the file is missing, foreign or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        return arrays, json.loads(str(arrays.pop(_META)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise SpinModelError(f'{path.name} cannot be read: {error}') from error


def write_model(path: Path, model: SpinModel) -> None:
    """Write a model."""
    write_arrays(path, {name: getattr(model, name) for name in MODEL_ARRAYS}, model_meta(model))


def read_model(path: Path) -> SpinModel:
    """Read a model.

    :raises SpinModelError: the file is missing, foreign or damaged, or the model contradicts itself.
    """
    return model_of(*read_arrays(path))


def model_meta(model: SpinModel) -> dict[str, Any]:
    """What of a model is not in arrays."""
    return {'elements': list(model.elements), 'seed': model.seed, 'configuration': model.configuration}


def model_of(arrays: Arrays, meta: Mapping[str, Any]) -> SpinModel:
    """The model of its arrays and of what is not in them.

    :raises SpinModelError: something is missing, or the parts contradict each other.
    """
    try:
        parts = {name: arrays[name] for name in MODEL_ARRAYS}
        elements, seed, configuration = tuple(meta['elements']), meta['seed'], meta['configuration']
    except (KeyError, TypeError) as error:
        raise SpinModelError(f'no spin model: {error} is missing') from error
    return SpinModel(elements=elements, seed=seed, configuration=configuration, **parts)
