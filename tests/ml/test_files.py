"""Files of models, datasets and checkpoints: exact, equal for equal content, and harmless whoever wrote them."""

from __future__ import annotations

import gzip
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from model_clusters import KIND, host, record

from aiida_mlkkr.ml.dataset import ImpurityDataset
from aiida_mlkkr.ml.errors import DatasetError, ModelError
from aiida_mlkkr.ml.files import (
    read_checkpoint,
    read_dataset,
    read_model,
    write_checkpoint,
    write_dataset,
    write_model,
)
from aiida_mlkkr.ml.spec import FORMAT_VERSION, SurrogateSpec, describe

ARRAYS = {
    'weights': np.random.default_rng(1).normal(size=(5, 4)),
    'sites': np.array([1, 2, 7]),
    'single': np.linspace(0, 1, 3, dtype=np.float32),
    'flags': np.array([[True, False]]),
    'nothing': np.empty((0, 3)),
    'constant': np.array(1.5),
}


def spec_of(arrays) -> SurrogateSpec:
    return SurrogateSpec(
        task='impurity_potential',
        model='gaussian_process',
        kind={'nspin': 2},
        hosts=['Cu'],
        elements=['V', 'Mn'],
        number=2,
        seed=0,
        arrays=describe(arrays),
        details={'third': 1 / 3, 'text': 'Hügel'},
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / 'model.safetensors'
    write_model(path, ARRAYS, spec_of(ARRAYS))
    return path


def with_header(model: Path, change) -> Path:
    """The file with another header: ``change`` gets and returns its JSON."""
    data = model.read_bytes()
    end = 8 + int.from_bytes(data[:8], 'little')
    header = json.dumps(change(json.loads(data[8:end]))).encode()
    changed = model.with_name('changed.safetensors')
    changed.write_bytes(len(header).to_bytes(8, 'little') + header + data[end:])
    return changed


def with_entry(model: Path, change) -> Path:
    """The file with another entry of this package: ``change`` alters it."""

    def change_header(header):
        entry = json.loads(header['__metadata__']['aiida_mlkkr'])
        change(entry)
        return {**header, '__metadata__': {'aiida_mlkkr': json.dumps(entry)}}

    return with_header(model, change_header)


def test_what_is_written_is_read(model: Path):
    arrays, spec = read_model(model)
    assert spec == spec_of(ARRAYS)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_equal_models_give_equal_files(model: Path, tmp_path: Path):
    """In whatever order and memory layout the arrays come."""
    others = {name: np.asfortranarray(array) for name, array in reversed(ARRAYS.items())}
    others['constant'] = ARRAYS['constant'].astype('>f8')
    write_model(tmp_path / 'other.safetensors', others, spec_of(others))
    assert (tmp_path / 'other.safetensors').read_bytes() == model.read_bytes()


def test_arrays_that_do_not_fit_are_not_written(tmp_path: Path):
    with pytest.raises(ModelError, match='array weights of the model is'):
        write_model(tmp_path / 'model', {**ARRAYS, 'weights': np.zeros(2)}, spec_of(ARRAYS))
    assert not (tmp_path / 'model').exists()


def test_nothing_half_written_stays(model: Path, monkeypatch):
    """The old file is there until the new one is whole."""
    before = model.read_bytes()
    monkeypatch.setattr(Path, 'replace', lambda *_: (_ for _ in ()).throw(OSError('the machine went down')))
    with pytest.raises(OSError, match='went down'):
        write_model(model, {**ARRAYS, 'single': ARRAYS['single'] + 1}, spec_of(ARRAYS))
    assert model.read_bytes() == before


def test_missing_file(tmp_path: Path):
    with pytest.raises(ModelError, match=r'missing\.safetensors cannot be read: No such file'):
        read_model(tmp_path / 'missing.safetensors')


def test_every_truncation_and_every_flipped_byte_is_refused(model: Path):
    data = model.read_bytes()
    damaged = model.with_name('damaged.safetensors')
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 0x01
        for content in (data[:position], bytes(flipped)):
            damaged.write_bytes(content)
            with pytest.raises(ModelError):
                read_model(damaged)


def test_a_changed_number_is_found_by_the_checksum(model: Path):
    data = bytearray(model.read_bytes())
    data[-3] ^= 0x01
    model.write_bytes(data)
    with pytest.raises(ModelError, match='is damaged: its content does not have the checksum'):
        read_model(model)

    def other_range(entry):
        entry['spec']['elements'] = ['Gd']

    write_model(model, ARRAYS, spec_of(ARRAYS))
    with pytest.raises(ModelError, match='is damaged: its content does not have the checksum'):
        read_model(with_entry(model, other_range))


def test_a_newer_format_asks_for_an_update(model: Path):
    def newer(entry):
        entry['spec']['format_version'] = FORMAT_VERSION + 1
        entry['checksum_of_the_future'] = entry.pop('sha256')

    with pytest.raises(ModelError, match=r'made by a newer aiida-mlkkr.*update the package'):
        read_model(with_entry(model, newer))


@pytest.mark.parametrize(
    'metadata',
    [
        None,
        {},
        {'format': 'pt'},
        {'aiida_mlkkr': '7'},
        {'aiida_mlkkr': '[' * 100_000},
        {'aiida_mlkkr': '{"contents": "model", "spec": {"loss": NaN}}'},
    ],
)
def test_safetensors_files_of_others(model: Path, metadata):
    def change(header):
        del header['__metadata__']
        return header if metadata is None else {**header, '__metadata__': metadata}

    with pytest.raises(ModelError, match='a safetensors file, but none of aiida-mlkkr'):
        read_model(with_header(model, change))


def test_types_that_numpy_does_not_know(tmp_path: Path):
    path = tmp_path / 'bfloat.safetensors'
    data = safetensors.numpy.save({'x': np.zeros(2, dtype=np.float16)})
    path.write_bytes(data.replace(b'"F16"}', b'"BF16"').replace(b'"F16"', b'"BF16"'))
    data = path.read_bytes()
    path.write_bytes((int.from_bytes(data[:8], 'little') + 1).to_bytes(8, 'little') + data[8:])
    with pytest.raises(ModelError, match=r'damaged or foreign.*BF16'):
        read_model(path)


class Bomb:
    """Unpickling it creates the file ``exploded``."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), 'w')


@pytest.mark.parametrize(
    ('kind', 'words'),
    [
        ('pickle', 'a Python pickle'),
        ('npz', 'a zip archive'),
        ('torch', 'a zip archive'),
        ('npy', 'a NumPy file'),
        ('gzip', 'a gzip file'),
        ('text', 'damaged or foreign'),
    ],
)
def test_files_that_may_carry_code_are_not_opened(tmp_path: Path, kind: str, words: str):
    trace, path = tmp_path / 'exploded', tmp_path / 'model.safetensors'
    bomb = pickle.dumps(Bomb(trace))
    if kind in ('npz', 'npy'):
        with path.open('wb') as file:
            (np.savez if kind == 'npz' else np.save)(file, np.array([Bomb(trace)]), allow_pickle=True)
    elif kind == 'torch':
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('archive/data.pkl', bomb)
    else:
        path.write_bytes({'pickle': bomb, 'gzip': gzip.compress(bomb), 'text': b'version https://git-lfs'}[kind])
    with pytest.raises(ModelError, match=rf'{words}.*made by SurrogateData\.to_file'):
        read_model(path)
    assert not trace.exists()


@pytest.fixture(scope='module')
def dataset() -> ImpurityDataset:
    """Two hosts, a pair, and a potential on its way to convergence."""
    copper, silver = host(), host(47.0, alat=7.7)
    unfinished = replace(record({0: 26.0}, silver), error=0.01)
    return ImpurityDataset(KIND, (record({0: 25.0, 1: 26.0}, copper, {1: -1}), unfinished))


@pytest.fixture
def dataset_file(tmp_path: Path, dataset: ImpurityDataset) -> Path:
    path = tmp_path / 'dataset.safetensors'
    write_dataset(path, dataset)
    return path


def test_datasets_are_read_as_they_were_written(dataset_file: Path, dataset: ImpurityDataset):
    (arrays, description), (expected, expected_description) = (
        one.to_arrays() for one in (read_dataset(dataset_file), dataset)
    )
    assert description == expected_description
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_damaged_datasets_are_refused(dataset_file: Path):
    data = dataset_file.read_bytes()
    for position in np.linspace(0, len(data) - 1, 40, dtype=int):
        flipped = bytearray(data)
        flipped[position] ^= 0x01
        for content in (data[:position], bytes(flipped)):
            dataset_file.write_bytes(content)
            with pytest.raises(DatasetError):
                read_dataset(dataset_file)


def test_datasets_that_are_none(dataset_file: Path, model: Path, tmp_path: Path):
    def newer(entry):
        entry['spec']['format_version'] = FORMAT_VERSION + 1

    def negative(entry):
        entry['spec']['number'] = -1

    cases = {
        'the dataset file .* cannot be read: No such file': tmp_path / 'none',
        'dataset was made by a newer aiida-mlkkr': with_entry(dataset_file, newer),
        'is no dataset, but a model': model,
    }
    for message, path in cases.items():
        with pytest.raises(DatasetError, match=message):
            read_dataset(path)
    with pytest.raises(DatasetError, match='spec of the dataset is not valid: number'):
        read_dataset(with_entry(dataset_file, negative))
    with pytest.raises(ModelError, match='is no model, but a dataset'):
        read_model(dataset_file)


def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path):
    """Moments are not looked at when the record is made."""
    lost = replace(record({0: 26.0}), moments=np.full(13, np.nan))
    with pytest.raises(DatasetError, match='site_moments of the dataset holds a number that is not finite'):
        write_dataset(tmp_path / 'dataset', ImpurityDataset(KIND, (lost,)))
    assert not list(tmp_path.iterdir())


def test_checkpoints_keep_the_state_exactly(tmp_path: Path):
    path, state = tmp_path / 'checkpoint', {'epoch': 7, 'losses': [1 / 3, 1e-300], 'stage': 'committee'}
    write_checkpoint(path, {'old': np.zeros(1000)}, {})
    write_checkpoint(path, ARRAYS, state)
    arrays, read = read_checkpoint(path)
    assert read == state
    assert arrays.keys() == ARRAYS.keys()
    with pytest.raises(ModelError, match='none of aiida-mlkkr'):
        read_checkpoint(with_entry(path, lambda entry: entry['spec'].update(losses=[float('nan')])))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r'damaged.*made by aiida-mlkkr-train'):
        read_checkpoint(path)
