"""The written files against JuKKR's own, for the same input."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.kkrflex import read_green, read_intercell_cmoms, read_intercell_ref, read_tmat
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential, write_potential
from aiida_mlkkr.solver.config import KkrimpConfig
from aiida_mlkkr.solver.host.write_out import write_out
from aiida_mlkkr.solver.problem import ImpurityProblem
from aiida_mlkkr.solver.scf import iterate

HOST_FILES = ('kkrflex_green', 'kkrflex_tmat', 'kkrflex_intercell_ref', 'kkrflex_intercell_cmoms')


def test_green_function_of_jukkr(written: Path, jukkr_files: Path) -> None:
    ours, theirs = read_green(written / 'kkrflex_green'), read_green(jukkr_files / 'kkrflex_green')
    np.testing.assert_allclose(ours.energies, theirs.energies, rtol=0, atol=1e-15)
    np.testing.assert_allclose(ours.weights, theirs.weights, rtol=0, atol=1e-15)
    for ours_spin, theirs_spin in zip(ours.values, theirs.values, strict=True):
        for matrix, reference in zip(ours_spin, theirs_spin, strict=True):
            assert np.abs(matrix - reference).max() < 2e-7 * np.abs(reference).max()


def test_t_matrices_of_jukkr(written: Path, jukkr_files: Path, tmp_path: Path) -> None:
    (tmp_path / 'kkrflex_tmat').write_bytes(gzip.decompress((jukkr_files / 'kkrflex_tmat.gz').read_bytes()))
    ours, theirs = read_tmat(written / 'kkrflex_tmat').values, read_tmat(tmp_path / 'kkrflex_tmat').values
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_electrostatics_of_jukkr(written: Path, jukkr_files: Path) -> None:
    ours, theirs = (read_intercell_ref(folder / 'kkrflex_intercell_ref') for folder in (written, jukkr_files))
    np.testing.assert_allclose(ours.coefficients, theirs.coefficients, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(ours.vbc, theirs.vbc)
    assert ours.alat == theirs.alat
    moments, reference = (read_intercell_cmoms(folder / 'kkrflex_intercell_cmoms') for folder in (written, jukkr_files))
    np.testing.assert_allclose(moments.moments, reference.moments, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(moments.z_host, reference.z_host)


def test_sites_of_jukkr_and_the_host_potential(written: Path, jukkr_files: Path) -> None:
    # the first line holds the serial number; the sites have the host's nuclear charge although scoef says 25
    ours, theirs = ((folder / 'kkrflex_atominfo').read_text().splitlines() for folder in (written, jukkr_files))
    assert ours[1:] == theirs[1:]
    assert (written / 'out_potential').read_bytes() == (written / 'potential').read_bytes()


def test_an_impurity_in_the_written_host(
    written: Path,
    make_run: Callable[..., Path],
    read_run: Callable[[Path], tuple[ImpurityProblem, KkrimpConfig]],
) -> None:
    settings = 'INS= 0\nNSPIN= 2\nSCFSTEPS= 1\nIMIX= 0\nMIXFAC= 0.05\nQBOUND= 1e-9\n'
    charges = []
    for host in (None, written):
        folder = make_run('calc1', settings)
        if host is not None:
            for name in HOST_FILES:
                shutil.copy(host / name, folder)
            serial = (host / 'kkrflex_atominfo').read_text().splitlines()[0]
            impurities = (folder / 'kkrflex_atominfo').read_text().splitlines()[1:]
            (folder / 'kkrflex_atominfo').write_text('\n'.join([serial, *impurities]) + '\n')
        problem, config = read_run(folder)
        (iteration,) = iterate(problem, config)
        charges.append([(site.charge, site.moment) for site in iteration.sites])
    np.testing.assert_allclose(charges[1], charges[0], rtol=0, atol=1e-6)


def test_a_host_with_one_spin(written: Path, make_input: Callable[[], Path]) -> None:
    folder = make_input()
    down = read_potential(folder / 'potential').sites[0][0]
    alone = replace(down, title='Cu29 POTENTIAL')
    write_potential(ImpurityPotential(((alone,),)), folder / 'potential', 'kkrhost')
    card = (folder / 'inputcard').read_text()
    (folder / 'inputcard').write_text(card.replace('NSPIN= 2', 'NSPIN= 1'))
    _, charge = write_out(folder)
    one, two = read_green(folder / 'kkrflex_green'), read_green(written / 'kkrflex_green')
    assert one.nspin == 1
    np.testing.assert_array_equal(one.values[0], two.values[0])
    moments = [read_intercell_cmoms(path / 'kkrflex_intercell_cmoms').moments for path in (folder, written)]
    np.testing.assert_allclose(*moments, rtol=0, atol=1e-12)
    assert charge.spin_moment == 0.0


def test_double_precision(written: Path, make_input: Callable[[], Path]) -> None:
    folder = make_input()
    card = (folder / 'inputcard').read_text().replace('BZDIVIDE= 20 20 20', 'BZDIVIDE= 4 4 4')
    card = card.replace('RCLUSTZ=        2.3', 'RCLUSTZ=        1.1')
    (folder / 'inputcard').write_text(card + '<WRITE_DOUBLE_PRECISION>= T\n<SET_KMESH_LARGE>= True\n')
    problem, _ = write_out(folder)
    green = read_green(folder / 'kkrflex_green', double_precision=True)
    assert set(problem.meshes) == {(4, 4, 4)}
    onsite = np.array(green.values)[:, :, :9, :9]
    assert np.abs(onsite.imag).max() > 0
    assert onsite == pytest.approx(onsite.swapaxes(-1, -2), abs=1e-12)
    assert (onsite != onsite.astype(np.complex64)).any()
