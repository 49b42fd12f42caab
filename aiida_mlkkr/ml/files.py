"""Model files: arrays in the safetensors format, the spec and a checksum in its metadata.

The format holds numbers and text only: reading a stranger's file executes nothing. The checksum finds damage, it does
not prove who made a file. Equal models give equal files, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.spec import Arrays, SurrogateSpec

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


def write_model(path: Path, arrays: Arrays, spec: SurrogateSpec) -> None:
    """Write a model file.

    :raises ModelError: if arrays and spec do not fit; nothing is written then.
    """
    spec.check(arrays)
    content = spec.model_dump(mode='json')
    in_order = {name: np.array(arrays[name], order='C') for name in sorted(arrays)}
    entry = {'spec': content, 'sha256': _checksum(content, in_order)}
    path.write_bytes(save(in_order, {_ENTRY: _as_json(entry)}))


def read_model(path: Path) -> tuple[dict[str, NDArray[Any]], SurrogateSpec]:
    """Read a model file.

    :return: its arrays and its spec.
    :raises ModelError: if the file is missing, foreign, truncated or damaged, or of another format version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f'the model file {path} cannot be read: {error.strerror}') from error
    try:
        arrays = load(data)
    except (SafetensorError, KeyError) as error:
        foreign = [name for magic, name in _FOREIGN.items() if data.startswith(magic)]
        _refuse(path, f'is {foreign[0]}; such a file is not opened' if foreign else f'is damaged or foreign ({error})')
    entry = _entry(data)
    if not (isinstance(entry, Mapping) and isinstance(entry.get('spec'), Mapping)):
        _refuse(path, 'is a safetensors file, but none of aiida-mlkkr')
    spec = SurrogateSpec.read(entry['spec'])
    if entry.get('sha256') != _checksum(entry['spec'], arrays):
        _refuse(path, 'is damaged: its content does not have the checksum written in it')
    spec.check(arrays)
    return arrays, spec


def _entry(data: bytes) -> Any:
    """This package's part of the header of a file that safetensors has accepted; None if there is none."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], 'little')])
    try:
        return json.loads(header.get('__metadata__', {}).get(_ENTRY, 'null'))
    except (ValueError, RecursionError):
        return None


def _refuse(path: Path, what: str) -> NoReturn:
    raise ModelError(f'{path} {what}. Model files of aiida-mlkkr are made by SurrogateData.to_file.')


def _checksum(content: Mapping[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(_as_json(content).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f'{name} {array.dtype.name} {array.shape} '.encode())
        digest.update(array.astype(array.dtype.newbyteorder('<')).tobytes())
    return digest.hexdigest()


def _as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(',', ':'), allow_nan=False)
