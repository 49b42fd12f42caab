"""Full potentials from files of finished runs to a potential file for KKRimp."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import full_potential as cu
import numpy as np
import pytest

from aiida_mlkkr.calculations.records import predicted_potential, read_writeout, record_of_run, unusable
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.potential import read_potential, write_potential
from aiida_mlkkr.kkr.run import KkrimpRun, read_run
from aiida_mlkkr.kkr.shapes import values_of
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
from aiida_mlkkr.ml.errors import DatasetError
from aiida_mlkkr.ml.radial import volume_weights


@pytest.fixture(scope='module')
def run() -> KkrimpRun:
    """Zn in Cu, the last of two runs."""
    with tarfile.open(cu.DATA / 'zn_run.tar.xz') as tar:
        return read_run({member.name: tar.extractfile(member).read().decode() for member in tar.getmembers()})


def test_a_good_run_is_used(run: KkrimpRun) -> None:
    assert not unusable(run)
    kind, record = record_of_run('zn', cu.writeout(), {'Zimp': [30]}, run)
    assert kind == cu.KIND
    assert [v.shape for v in record.v] == 13 * [(2, 484 + 24 * 200)]
    # free atoms cut off at the cell leave 20 mRy, the host's own potential on the site of Zn many Ry
    mesh = record.host.meshes[0]
    left = record.v[0] - record.reference[0]
    assert np.sqrt(np.mean(left**2 @ volume_weights(mesh))) == pytest.approx(0.020, abs=0.002)


def test_without_shape_functions(run: KkrimpRun, tmp_path: Path) -> None:
    folder = cu.folder_of_writeout(tmp_path)
    (folder / 'shapefun').unlink()
    with pytest.raises(DatasetError, match=r'the shape functions of its voronoi calculation \(the file shapefun\)'):
        record_of_run('zn', read_writeout(folder), {'Zimp': [30]}, run)


def test_a_shape_that_is_not_there(tmp_path: Path) -> None:
    folder = cu.folder_of_writeout(tmp_path)
    inputcard = folder / 'inputcard'
    inputcard.write_text(inputcard.read_text().replace('<SHAPE>\n1', '<SHAPE>\n2'))
    with pytest.raises(KkrFileError, match='but there are 1'):
        read_writeout(folder)


def test_predicted_file_is_one_that_jukkr_reads() -> None:
    emulator = PotentialEmulator.fit(cu.dataset('v', 'mn'), EmulatorSettings(model='nearest_in_host'))
    settings = {'INS': 1, 'NSPIN': 2}
    potential, prediction = predicted_potential(emulator, cu.writeout(), {'Zimp': [24]}, settings=settings)
    stream = io.StringIO()
    write_potential(potential, stream)
    again = read_potential(io.StringIO(stream.getvalue()))
    own, archived = again.sites[0][0], cu.potential('cr').sites[0][0]
    assert again.natom == 13
    assert (own.z, own.mesh.n, own.alat) == (24.0, 484, archived.alat)
    assert own.rmtnew == pytest.approx(archived.rmtnew, abs=1e-10)
    assert [state.l for state in own.core] == [state.l for state in archived.core]
    np.testing.assert_allclose([state.energy for state in own.core], [state.energy for state in archived.core], atol=2)
    assert own.nonspherical.components.keys() == archived.nonspherical.components.keys() == {21, 25}
    values = np.array([values_of(block, cu.writeout().host.meshes[0]) for block in again.sites[0]])
    np.testing.assert_allclose(values, prediction.v[0], atol=1e-9)
    assert again.sites[1][0].core == cu.writeout().potential.sites[0][0].core
