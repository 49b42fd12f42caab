"""Files of models, datasets and checkpoints: arrays in the safetensors format, with what they are and a checksum.

The format holds numbers and text only: reading a stranger's file executes nothing. The checksum finds damage, it does
not prove who made a file. Equal contents give equal files, byte for byte. A file is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.monitor import Checkpoint
from aiida_mlkkr.ml.spec import Arrays, DatasetSpec, SurrogateSpec, describe

_T = TypeVar('_T')

# safetensors writes several entries in no fixed order, so there is one.
_ENTRY: Final = 'aiida_mlkkr'

# How files begin that users may take for models; most of them can carry code.
_FOREIGN: Final = {
    b'PK': 'a zip archive (npz, PyTorch or Keras)',
    b'\x80': 'a Python pickle',
    b'\x1f\x8b': 'a gzip file',
    b'\x89HDF': 'an HDF5 file',
    b'\x93NUMPY': 'a NumPy file',
}


@dataclass(frozen=True)
class _Contents:
    """What a file holds.

    :param noun: for the user; it stands in the file, too.
    :param origin: how such files are made, for the user.
    :param error: raised when a file is refused.
    """

    noun: str
    origin: str
    error: type[ValueError]


_MODEL: Final = _Contents('model', 'SurrogateData.to_file', ModelError)
_DATASET: Final = _Contents('dataset', 'ImpurityDatasetData.to_file', DatasetError)
_CHECKPOINT: Final = _Contents('checkpoint', 'aiida-mlkkr-train', ModelError)


def write_model(path: Path, arrays: Arrays, spec: SurrogateSpec) -> None:
    """Write a model file.

    :raises ModelError: if arrays and spec do not fit; nothing is written then.
    """
    spec.check(arrays)
    _write(path, _MODEL, arrays, spec.model_dump(mode='json'))


def read_model(path: Path) -> tuple[dict[str, NDArray[Any]], SurrogateSpec]:
    """Read a model file.

    :return: its arrays and its spec.
    :raises ModelError: if the file is missing, foreign, truncated or damaged, or of another format version.
    """
    arrays, spec = _read(path, _MODEL, SurrogateSpec.read)
    spec.check(arrays)
    return arrays, spec


def write_dataset(path: Path, dataset: ImpurityDataset) -> None:
    """Write a dataset file.

    :raises DatasetError: if an array holds a number that is not finite; nothing is written then.
    """
    arrays, spec = dataset_to_arrays(dataset)
    spec.check(arrays)
    _write(path, _DATASET, arrays, spec.model_dump(mode='json'))


def read_dataset(path: Path) -> ImpurityDataset:
    """Read a dataset file.

    :raises DatasetError: if the file is missing, foreign, truncated or damaged, or of another format version.
    """
    arrays, spec = _read(path, _DATASET, DatasetSpec.read)
    spec.check(arrays)
    return dataset_from_arrays(arrays, spec)


def dataset_to_arrays(
    dataset: ImpurityDataset, left_out: Mapping[str, str] | None = None
) -> tuple[dict[str, NDArray[Any]], DatasetSpec]:
    """A dataset as arrays with their spec.

    :param left_out: what could not be used, by name, and why.
    """
    arrays, description = dataset.to_arrays()
    spec = DatasetSpec(
        kind=description.pop('kind'),
        hosts=[host.name for host in dataset.hosts],
        elements=list(dataset.elements),
        number=len(dataset.impurities),
        arrays=describe(arrays),
        details=description,
        left_out=dict(left_out or {}),
    )
    return arrays, spec


def dataset_from_arrays(arrays: Arrays, spec: DatasetSpec) -> ImpurityDataset:
    """Take back what :func:`dataset_to_arrays` gave.

    :raises DatasetError: if the arrays do not fit together.
    """
    return ImpurityDataset.from_arrays(dict(arrays), {'kind': spec.kind, **spec.details})


def write_checkpoint(path: Path, arrays: Arrays, state: Mapping[str, Any]) -> None:
    """Write the state of a training in place of the last one.

    :param state: plain JSON.
    """
    _write(path, _CHECKPOINT, arrays, state)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the state of a training.

    :raises ModelError: if the file is missing, foreign, truncated or damaged.
    """
    return _read(path, _CHECKPOINT, dict)


def checksum(content: Mapping[str, Any], arrays: Arrays) -> str:
    """SHA-256 of arrays, their names, types and shapes, and of what is said of them in plain JSON."""
    digest = hashlib.sha256(_as_json(content).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f'{name} {array.dtype.name} {array.shape} '.encode())
        digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder('<')).data)
    return digest.hexdigest()


def _write(path: Path, contents: _Contents, arrays: Arrays, spec: Mapping[str, Any]) -> None:
    in_order = {name: np.array(arrays[name], order='C') for name in sorted(arrays)}
    entry = {'contents': contents.noun, 'spec': spec, 'sha256': checksum(spec, in_order)}
    unfinished = path.with_name(f'{path.name}.part')
    unfinished.write_bytes(save(in_order, {_ENTRY: _as_json(entry)}))
    unfinished.replace(path)


def _read(
    path: Path, contents: _Contents, read_spec: Callable[[Mapping[str, Any]], _T]
) -> tuple[dict[str, NDArray[Any]], _T]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise contents.error(f'the {contents.noun} file {path} cannot be read: {error.strerror}') from error
    try:
        arrays = load(data)
    except (SafetensorError, KeyError) as error:
        foreign = [name for magic, name in _FOREIGN.items() if data.startswith(magic)]
        what = f'is {foreign[0]}; such a file is not opened' if foreign else f'is damaged or foreign ({error})'
        _refuse(path, contents, what)
    entry = _entry(data)
    if not (isinstance(entry, Mapping) and isinstance(entry.get('spec'), Mapping)):
        _refuse(path, contents, 'is a safetensors file, but none of aiida-mlkkr')
    if entry.get('contents') != contents.noun:
        _refuse(path, contents, f'is no {contents.noun}, but a {entry.get("contents")!s:.20}')
    spec = read_spec(entry['spec'])  # a newer version may have another checksum
    if entry.get('sha256') != checksum(entry['spec'], arrays):
        _refuse(path, contents, 'is damaged: its content does not have the checksum written in it')
    return arrays, spec


def _entry(data: bytes) -> Any:
    """This package's part of the header of a file that safetensors has accepted; None if there is none."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], 'little')])
    try:
        return json.loads(header.get('__metadata__', {}).get(_ENTRY, 'null'), parse_constant=_no_json)
    except (ValueError, RecursionError):
        return None


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f'{constant} is no JSON')


def _refuse(path: Path, contents: _Contents, what: str) -> NoReturn:
    raise contents.error(f'{path} {what}. {contents.noun.title()} files of aiida-mlkkr are made by {contents.origin}.')


def _as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(',', ':'), allow_nan=False)
