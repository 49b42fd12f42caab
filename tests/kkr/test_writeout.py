"""The files of a write-out as a whole: JuKKR's own, and what damage is found in them."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.writeout import GREEN, read_summary

JUKKR = Path(__file__).parents[1] / 'data' / 'mn_pair' / 'gf'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for source in JUKKR.iterdir():
        if source.suffix == '.gz':
            (tmp_path / source.stem).write_bytes(gzip.decompress(source.read_bytes()))
        else:
            shutil.copy(source, tmp_path)
    return tmp_path


def test_summary(folder: Path) -> None:
    (folder / 'out_kkr').write_text(
        '      ITERATION   1 charge neutrality in unit cell =    -0.000002\n WARNING: of something\n'
    )
    summary = read_summary(folder)
    assert (summary.nspin, summary.natom_cell, summary.natom_cluster, summary.energies) == (2, 1, 2, 30)
    assert summary.serial.startswith('JuKKR_v3.1-1949-g2a47b06b_gnu_')
    assert (summary.alat, summary.contour_bottom, summary.spin_orbit) == (4.823819747883, -0.5, False)
    # the potential of the next iteration, which JuKKR writes
    assert summary.fermi_energy == pytest.approx(0.6627675578, abs=1e-10)
    assert summary.core_counts == (5, 5)
    assert summary.core_energies == pytest.approx([-4.45528, -4.45528], abs=1e-5)
    assert summary.neutrality == -2e-6
    assert summary.warnings == ('WARNING: of something',)


def test_without_the_green_function(folder: Path) -> None:
    for name in GREEN:
        (folder / name).unlink()
    summary = read_summary(folder, with_green=False)
    assert summary.energies is None
    assert summary.neutrality is None
    with pytest.raises(KkrFileError, match='kkrflex_green, kkrflex_tmat missing'):
        read_summary(folder)


def test_files_of_different_clusters(folder: Path) -> None:
    lines = (folder / 'scoef').read_text().splitlines()
    (folder / 'scoef').write_text('\n'.join(['1', lines[1]]) + '\n')
    with pytest.raises(KkrFileError, match='numbers of sites differ: scoef 1, kkrflex_atominfo 2'):
        read_summary(folder)


def test_t_matrices_of_another_host(folder: Path) -> None:
    lines = (folder / 'kkrflex_tmat').read_text().splitlines()
    rows = [line for line in lines[2:] if line.split()[1] == '1']
    (folder / 'kkrflex_tmat').write_text('\n'.join([lines[0], ' # 2 1 30 9 0', *rows]) + '\n')
    with pytest.raises(KkrFileError, match='kkrflex_green and kkrflex_tmat differ'):
        read_summary(folder)


def test_a_truncated_green_function(folder: Path) -> None:
    content = (folder / 'kkrflex_green').read_bytes()
    (folder / 'kkrflex_green').write_bytes(content[:-1000])
    with pytest.raises(KkrFileError, match='truncated'):
        read_summary(folder)
