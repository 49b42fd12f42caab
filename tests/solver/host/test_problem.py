"""Input that is refused, with a message that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.solver.errors import InconsistentInputError
from aiida_mlkkr.solver.host.errors import UnsupportedHostError
from aiida_mlkkr.solver.host.main import main
from aiida_mlkkr.solver.host.problem import read_host_problem


def test_what_the_inputcard_says(make_input: Callable[[], Path]) -> None:
    problem = read_host_problem(make_input())
    assert (problem.nspin, problem.lmax, problem.relativistic) == (2, 2, True)
    assert len(problem.reference.steps) == 79
    assert problem.reference.radius == 2.38
    np.testing.assert_array_equal(problem.steps, [[0, 0, 0], [0, 0, 1]])
    assert not problem.repeated_meshes
    assert not problem.double_precision


@pytest.mark.parametrize(
    ('old', 'new', 'error', 'message'),
    [
        ('NAEZ= 1', 'NAEZ= 2', UnsupportedHostError, 'NAEZ= 2 .* one atom per cell only'),
        ('NAEZ= 1', 'NAEZ= 1\nNATYP= 2', UnsupportedHostError, 'no alloy'),
        ('INS= 0', 'INS= 1', UnsupportedHostError, 'INS= 1 .* no full potential'),
        ('KSHAPE= 0', 'KSHAPE= 2', UnsupportedHostError, 'no full potential'),
        ('KKRFLEX', 'KKRFLEX NEWSOSOL', UnsupportedHostError, 'no spin-orbit coupling'),
        ('KKRFLEX', 'KKRFLEX LLOYD', UnsupportedHostError, "Lloyd's formula"),
        ('LMAX= 2', 'LMAX= 2\n<USE_CHEBYCHEV_SOLVER>= T', UnsupportedHostError, 'no spin-orbit coupling'),
        ('LMAX= 2', 'LMAX= 2\nINTERFACE= T', UnsupportedHostError, 'no films'),
        ('LMAX= 2', 'LMAX= 2\nKVREL= 2', UnsupportedHostError, 'no Dirac'),
        ('KKRFLEX', '', UnsupportedHostError, 'without RUNOPT KKRFLEX'),
        ('NPOL= 5', 'NPOL= -3', UnsupportedHostError, 'poles of the Fermi function'),
        ('NPOL= 5', 'NPOL= 0\nEMAX= -0.6', KkrFileError, 'EMAX above EMIN'),
        ('HFIELD=        0.0', 'HFIELD=        0.1', UnsupportedHostError, 'no magnetic field'),
        ('NSPIN= 2', 'NSPIN= 1', InconsistentInputError, '2 spins, but the inputcard says NSPIN= 1'),
        ('29.000000000000', '30.000000000000', InconsistentInputError, 'nuclear charge is 30'),
        ('ALATBASIS=        4.8', 'ALATBASIS=        4.9', InconsistentInputError, 'lattice constant is 4.92'),
        (
            '       0.707106781187        0.707106781187        0.0',
            '  1.0 0.0 0.0',
            InconsistentInputError,
            'scoef: site 2',
        ),
        ('BZDIVIDE= 20 20 20', 'BZDIVIDE= 20 20', KkrFileError, 'BZDIVIDE= and 3 numbers expected'),
        ('BZDIVIDE= 20 20 20', 'BZDIVIDE= 20 20 0', KkrFileError, 'has to be positive'),
        ('NPT1= 5', 'NPT1= 0', KkrFileError, 'have to be positive'),
        ('LMAX= 2', '', KkrFileError, 'LMAX= and 1 number expected'),
        ('BRAVAIS', 'BRAVO', KkrFileError, 'no BRAVAIS'),
        ('RCLUSTZ=        2.3', 'RCLUSTZ=        0.3', KkrFileError, 'cluster of one site'),
    ],
)
def test_refused_inputcards(
    make_input: Callable[[], Path], old: str, new: str, error: type[Exception], message: str
) -> None:
    folder = make_input()
    card = (folder / 'inputcard').read_text()
    assert old in card
    (folder / 'inputcard').write_text(card.replace(old, new, 1))
    with pytest.raises(error, match=message):
        read_host_problem(folder)


@pytest.mark.parametrize('name', ['inputcard', 'potential', 'scoef'])
def test_missing_files(make_input: Callable[[], Path], name: str) -> None:
    folder = make_input()
    (folder / name).unlink()
    with pytest.raises(KkrFileError, match=f'{name} is missing'):
        read_host_problem(folder)


def test_potential_of_two_atoms(make_input: Callable[[], Path]) -> None:
    folder = make_input()
    (folder / 'potential').write_text(2 * (folder / 'potential').read_text())
    with pytest.raises(InconsistentInputError, match='2 atoms'):
        read_host_problem(folder)


def test_full_potential(make_input: Callable[[], Path]) -> None:
    folder = make_input()
    lines = (folder / 'potential').read_text().splitlines()
    half = len(lines) // 2
    head = next(i for i, line in enumerate(lines) if i > 6 and len(line.split()) == 4)
    block = [*lines[:head], '  349    0   25    1', *lines[head:half], '    1']
    up = [*lines[half : half + head], '  349    0   25    1', *lines[half + head :], '    1']
    (folder / 'potential').write_text('\n'.join(block + up) + '\n')
    with pytest.raises(UnsupportedHostError, match='no full potential'):
        read_host_problem(folder)


def test_meshes_too_coarse_for_the_cluster(make_input: Callable[[], Path]) -> None:
    folder = make_input()
    scoef = (folder / 'scoef').read_text().splitlines()
    far = ' 2.8284271247480e+00  2.8284271247480e+00  0.0e+00    1 25.0  4.0e+00'
    (folder / 'scoef').write_text('\n'.join([*scoef[:2], far]) + '\n')
    assert read_host_problem(folder).repeated_meshes == {(7, 7, 7)}
    with (folder / 'inputcard').open('a') as card:
        card.write('<SET_KMESH_LARGE>= T\n')
    assert not read_host_problem(folder).repeated_meshes


def test_energies_of_a_density_of_states(make_input: Callable[[], Path]) -> None:
    folder = make_input()
    card = (folder / 'inputcard').read_text()
    assert not read_host_problem(folder).is_for_densities_of_states
    (folder / 'inputcard').write_text(card.replace('NPOL= 5', 'NPOL= 0\nEMAX= 0.9'))
    problem = read_host_problem(folder)
    assert problem.is_for_densities_of_states
    energies = problem.contour.energies
    # NPT2 points from EMIN to EMAX, πkT above the axis (T = 600 K), all with the finest k mesh, as KKRhost does it
    np.testing.assert_allclose(energies, np.linspace(-0.5, 0.9, 15) + 0.011938666j, rtol=1e-8)
    np.testing.assert_allclose(problem.contour.weights, -2 / np.pi * 0.1, rtol=1e-12)
    assert set(problem.meshes) == {(20, 20, 20)}


def test_program(make_input: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    folder = make_input()
    monkeypatch.chdir(folder)
    card = folder / 'inputcard'
    text = card.read_text()
    card.write_text(text.replace('NAEZ= 1', 'NAEZ= 2'))
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert 'mlkkr-kkrhost: error: NAEZ= 2 is not supported' in capsys.readouterr().err
    small = text.replace('RCLUSTZ=        2.3', 'RCLUSTZ=        1.1')
    card.write_text(small.replace('BZDIVIDE= 20 20 20', 'BZDIVIDE= 3 3 3'))
    main([])
    output = capsys.readouterr().out
    assert 'k meshes = 3 3 3, 2 2 2, 1 1 1\n' in output
    assert 'WARNING: the cluster is too large for the coarsest k meshes' in output
    assert (folder / 'kkrflex_green').is_file()
    (folder / 'kkrflex_tmat').unlink()
    (folder / 'kkrflex_tmat').mkdir()
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 4
