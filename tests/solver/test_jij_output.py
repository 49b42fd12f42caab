"""``out_Jijmatrix`` by the embedded solver: what reads JuKKR's file reads this one, and finds Liechtenstein's J."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.exchange.jukkr import physical_tensors
from aiida_mlkkr.exchange.tensors import dm_vector, isotropic
from aiida_mlkkr.kkr.jij_matrix import parse_biquadratic, read_jij_matrices
from aiida_mlkkr.kkr.outcome import Outcome, judge
from aiida_mlkkr.kkr.run import read_run
from aiida_mlkkr.solver.main import main

# as aiida-kkr writes it with CALCJIJMAT= 1
SETTINGS = """RUNFLAG= force_angles
TESTFLAG= Jij(E)
INS= 0
NSPIN= 2
SCFSTEPS= 3
IMIX= 0
MIXFAC=        0.000000000000
QBOUND= 1.000000e-06
NCOLL= 0
CALCJIJMAT= 1
"""


@pytest.fixture
def folder(make_run: Callable[..., Path], pair_source: Path) -> Path:
    """The converged Mn pair of the archive."""
    folder = make_run('calc1', SETTINGS)
    converged = pair_source / 'calc1' / 'out' / 'out_potential.gz'
    (folder / 'potential').write_bytes(gzip.decompress(converged.read_bytes()))
    return folder


def test_manganese_pair(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(folder)
    main([])
    (folder / 'out_kkrimp').write_text(capsys.readouterr().out)
    matrices = read_jij_matrices(folder / 'out_Jijmatrix')
    found = physical_tensors(matrices)
    tensor = found.tensors[0, 1]
    assert isotropic(tensor) == pytest.approx(-96.22, abs=0.05)
    np.testing.assert_allclose(tensor, isotropic(tensor) * np.eye(3), atol=1e-9)
    np.testing.assert_allclose(found.tensors[1, 0], tensor.T, rtol=1e-13)
    np.testing.assert_allclose(dm_vector(tensor), 0.0, atol=1e-12)
    assert not found.spread.any()
    # along the moments it is another number
    raw = matrices.values[2, 0, 1]
    assert raw[0, 0] == pytest.approx(96.22e-3 / 13.6057, rel=1e-3)
    assert abs(raw[2, 2] - raw[0, 0]) > 1e-3
    biquadratic = parse_biquadratic((folder / 'out_biquadratic').read_text(), 2)
    assert biquadratic[0, 1] * 13605.69 == pytest.approx(2.32, abs=0.05)
    assert biquadratic[1, 0] == biquadratic[0, 1]
    assert (
        judge(read_run({path.name: path.read_text() for path in folder.iterdir() if 'green' not in path.name})).outcome
        == Outcome.DONE
    )


def test_without_being_asked_there_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / 'config.cfg').write_text(SETTINGS.replace('CALCJIJMAT= 1', 'CALCJIJMAT= 0'))
    monkeypatch.chdir(folder)
    main([])
    assert not (folder / 'out_Jijmatrix').exists()
