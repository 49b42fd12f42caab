"""Reading of an impurity problem: what a good one holds, and a clear message for each that does not fit together."""

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.constants import SPEED_OF_LIGHT
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.kkrflex import (
    AtomInfo,
    HostGreen,
    TMatrix,
    read_atominfo,
    read_green,
    read_intercell_cmoms,
    read_intercell_ref,
    read_tmat,
    write_atominfo,
    write_green,
    write_intercell_cmoms,
    write_intercell_ref,
    write_tmat,
)
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential, write_potential
from aiida_mlkkr.solver.config import KkrimpConfig
from aiida_mlkkr.solver.errors import InconsistentInputError, UnsupportedSettingError
from aiida_mlkkr.solver.problem import read_problem

CONFIG = KkrimpConfig()


@pytest.fixture
def folder(make_run: Callable[..., Path]) -> Path:
    return make_run()


def edit_atoms(folder: Path, **changes: object) -> None:
    path = folder / 'kkrflex_atominfo'
    write_atominfo(dataclasses.replace(read_atominfo(path), **changes), path)


def edit_potential(folder: Path, change: Callable[[ImpurityPotential], ImpurityPotential]) -> None:
    path = folder / 'potential'
    write_potential(change(read_potential(path, 2)), path)


def edit_green(folder: Path, change: Callable[[HostGreen], HostGreen]) -> None:
    path = folder / 'kkrflex_green'
    green = read_green(path)
    # the file is mapped into memory: copy before it is written again
    write_green(change(dataclasses.replace(green, values=np.array(green.values))), path)


def edit_t(folder: Path, change: Callable[[TMatrix], TMatrix]) -> None:
    write_tmat(change(read_tmat(folder / 'kkrflex_tmat')), folder / 'kkrflex_tmat')


def with_values(dataset: HostGreen | TMatrix, values: np.ndarray, **others: object) -> HostGreen | TMatrix:
    return dataclasses.replace(dataset, values=np.ascontiguousarray(values), **others)


def refusal(folder: Path, kind: type[Exception] = InconsistentInputError, config: KkrimpConfig = CONFIG) -> str:
    with pytest.raises(kind) as error:
        read_problem(folder, config)
    return str(error.value)


def only_site(info: AtomInfo, site: int) -> dict[str, np.ndarray]:
    return {
        field.name: getattr(info, field.name)[site : site + 1]
        for field in dataclasses.fields(info)
        if field.name != 'serial'
    }


# --- a good problem ---------------------------------------------------------------------------------------------------


def test_the_pair(folder: Path) -> None:
    problem = read_problem(folder, CONFIG)
    green = read_green(folder / 'kkrflex_green')
    assert (problem.natom, problem.nspin) == (2, 2)
    np.testing.assert_array_equal(problem.z, [25, 25])
    np.testing.assert_array_equal(problem.lmax, [2, 2])
    np.testing.assert_array_equal(problem.offsets, [0, 9, 18])
    np.testing.assert_array_equal(problem.contour.energies, green.energies)
    np.testing.assert_array_equal(problem.contour.weights, green.weights)
    assert problem.contour.inverse_c2 == pytest.approx(SPEED_OF_LIGHT**-2)
    # the zero of the host's potential, which KKRhost printed one iteration before
    assert problem.vbc == pytest.approx(0.734836475502750, abs=1e-7)
    assert [mesh.n for mesh in problem.meshes] == [349, 349]
    assert len(problem.void) == 2
    assert problem.void[0].whole().shape == (30, 18, 18)
    # a non-magnetic host is kept once
    assert problem.void[1] is problem.void[0]


def test_nonrelativistic_contour(folder: Path) -> None:
    assert read_problem(folder, KkrimpConfig(relativistic=False)).contour.inverse_c2 == 0.0


def test_host_atoms_put_back_restore_the_potential_of_the_host(folder: Path) -> None:
    problem = read_problem(folder, CONFIG)
    a_matrix, b_matrix = problem.coupling
    moments = read_intercell_cmoms(folder / 'kkrflex_intercell_cmoms')
    outside = problem.host_coefficients + np.einsum('ijkl,jl->ik', a_matrix, moments.moments)
    outside += np.einsum('ijk,j->ik', b_matrix, moments.z_host)
    reference = read_intercell_ref(folder / 'kkrflex_intercell_ref').coefficients
    # rounding of terms of up to 29 electrons over 5 Bohr, some 40 in a_00
    np.testing.assert_allclose(outside, reference, atol=1e-11)


def test_removed_site(folder: Path) -> None:
    edit_atoms(folder, removed=np.array([False, True]))
    edit_potential(folder, lambda potential: ImpurityPotential(potential.sites[:1]))
    problem = read_problem(folder, CONFIG)
    assert problem.natom == 1
    np.testing.assert_array_equal(problem.offsets, [0, 9])
    assert problem.void[0].whole().shape == (30, 9, 9)
    # the hole is not filled: the nucleus and the electrons of the host's atom are gone from its neighbour
    assert not problem.coupling[0].any()


def test_single_site_of_the_cluster(folder: Path) -> None:
    # all files cut to the first site; its green function needs double precision, as its records are short
    atoms = read_atominfo(folder / 'kkrflex_atominfo')
    edit_atoms(folder, **only_site(atoms, 0))
    edit_potential(folder, lambda potential: ImpurityPotential(potential.sites[:1]))
    edit_green(folder, lambda green: with_values(green, green.values[:, :, :9, :9].astype(complex), natom=1))
    edit_t(folder, lambda t: with_values(t, t.values[:1]))
    for name, read, write in (
        ('kkrflex_intercell_ref', read_intercell_ref, write_intercell_ref),
        ('kkrflex_intercell_cmoms', read_intercell_cmoms, write_intercell_cmoms),
    ):
        data = read(folder / name)
        cut = {
            field.name: getattr(data, field.name)[:1]
            for field in dataclasses.fields(data)
            if field.name in ('coefficients', 'moments', 'z_host')
        }
        write(dataclasses.replace(data, **cut), folder / name)
    problem = read_problem(folder, KkrimpConfig(test_flags=frozenset({'read_doubleprecision'})))
    assert problem.natom == 1
    np.testing.assert_array_equal(
        problem.host_coefficients, read_intercell_ref(folder / 'kkrflex_intercell_ref').coefficients
    )


def test_lower_lmax_than_the_host(folder: Path) -> None:
    full = read_problem(folder, CONFIG)
    edit_atoms(folder, lmax=np.array([2, 1]))
    problem = read_problem(folder, CONFIG)
    np.testing.assert_array_equal(problem.offsets, [0, 9, 13])
    # the host's atoms are taken out with all their angular momenta, and the result is cut
    np.testing.assert_allclose(problem.void[0].whole(), full.void[0].whole()[:, :13, :13], rtol=1e-12)
    edit_atoms(folder, lmax=np.array([1, 1]))
    problem = read_problem(folder, CONFIG)
    np.testing.assert_allclose(problem.host_coefficients, full.host_coefficients[:, :9], rtol=1e-12)


def test_lloyds_factor(folder: Path) -> None:
    config = KkrimpConfig(run_flags=frozenset({'llysimple'}))
    assert 'kkrflex_llyfac: RUNFLAG LLYsimple needs this file' in refusal(folder, KkrFileError, config)
    plain = read_problem(folder, CONFIG)
    (folder / 'kkrflex_llyfac').write_text(' (0.998,-1.0d-3)\n'.replace('d', 'e'))
    factor = 0.998 - 0.001j
    np.testing.assert_allclose(read_problem(folder, config).contour.weights, plain.contour.weights * factor, rtol=1e-14)
    # as aiida-kkr takes it from the output of the host
    (folder / 'kkrflex_llyfac').write_text('0.998000000E+00')
    np.testing.assert_allclose(read_problem(folder, config).contour.weights, plain.contour.weights * 0.998, rtol=1e-14)
    for text in ('0.998 0.0 1.0', '(a,b)', '(nan,0.0)', ''):
        (folder / 'kkrflex_llyfac').write_text(text)
        assert 'kkrflex_llyfac' in refusal(folder, KkrFileError, config)


# --- files that are missing or damaged --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'name',
    [
        'potential',
        'kkrflex_atominfo',
        'kkrflex_tmat',
        'kkrflex_green',
        'kkrflex_intercell_ref',
        'kkrflex_intercell_cmoms',
    ],
)
def test_missing_and_truncated_files_are_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) * 3 // 5])
    assert name in refusal(folder, KkrFileError)
    (folder / name).unlink()
    assert refusal(folder, KkrFileError) == f'input files are missing: {name}'


def test_not_a_number(folder: Path) -> None:
    lines = (folder / 'potential').read_text().splitlines()
    number = len(lines) // 2
    lines[number] = lines[number].replace(lines[number].split()[1], 'NaN')
    (folder / 'potential').write_text('\n'.join(lines) + '\n')
    message = refusal(folder, KkrFileError)
    assert 'potential' in message
    assert f'line {number + 1}' in message


def test_not_a_number_in_the_green_function(folder: Path) -> None:
    content = bytearray((folder / 'kkrflex_green').read_bytes())
    content[-8:-4] = np.float32(np.nan).tobytes()
    (folder / 'kkrflex_green').write_bytes(content)
    message = refusal(folder, KkrFileError)
    assert 'kkrflex_green: spin 2, energy 30' in message


def test_green_function_in_the_other_precision(folder: Path) -> None:
    edit_green(folder, lambda green: with_values(green, green.values.astype(complex)))
    assert 'kkrflex_green' in refusal(folder, KkrFileError)
    double = KkrimpConfig(test_flags=frozenset({'read_doubleprecision'}))
    assert read_problem(folder, double).natom == 2


# --- potentials that do not belong to the cluster ---------------------------------------------------------------------


def edited_blocks(
    potential: ImpurityPotential, site: int, spins: tuple[int, ...], **changes: object
) -> ImpurityPotential:
    sites = [list(blocks) for blocks in potential.sites]
    for spin in spins:
        sites[site][spin] = dataclasses.replace(sites[site][spin], **changes)
    return ImpurityPotential(tuple(tuple(blocks) for blocks in sites))


def test_potential_of_another_impurity(folder: Path) -> None:
    edit_potential(folder, lambda potential: edited_blocks(potential, 1, (0, 1), z=26.0))
    message = refusal(folder)
    assert message == (
        'potential: site 2 has nuclear charge 26, but kkrflex_atominfo says 25; the start potential belongs to another '
        'impurity'
    )


def test_potential_of_another_cluster(folder: Path) -> None:
    edit_potential(folder, lambda potential: ImpurityPotential(potential.sites[:1]))
    assert 'potential has 1 sites, but kkrflex_atominfo keeps 2' in refusal(folder)


def test_spin_polarised_potential_with_nspin_one(folder: Path) -> None:
    assert 'potential has 4 sites, but kkrflex_atominfo keeps 2' in refusal(folder, config=KkrimpConfig(nspin=1))


def test_potential_of_another_host(folder: Path) -> None:
    # silver's lattice constant
    edit_potential(folder, lambda potential: edited_blocks(potential, 0, (0, 1), alat=5.4546218))
    message = refusal(folder)
    assert 'site 1 has lattice constant 5.4546218 Bohr, but the host has 4.8238' in message
    # TOL_ALAT_CHECK decides; the lattice constant of the potential is used for nothing else
    assert read_problem(folder, KkrimpConfig(alat_tolerance=1.0)).natom == 2


def test_meshes_differ_between_the_spins(folder: Path) -> None:
    def finer(potential: ImpurityPotential) -> ImpurityPotential:
        mesh = dataclasses.replace(potential.sites[0][1].mesh, a=0.024)
        return edited_blocks(potential, 0, (1,), mesh=mesh)

    edit_potential(folder, finer)
    message = refusal(folder, KkrFileError)
    assert 'site 1: the two spins differ in nuclear charge, mesh or lattice constant' in message


def test_mesh_of_a_few_points(folder: Path) -> None:
    def coarse(potential: ImpurityPotential) -> ImpurityPotential:
        block = potential.sites[1][0]
        mesh = dataclasses.replace(block.mesh, a=0.3, n=30)
        return edited_blocks(potential, 1, (0, 1), mesh=mesh, v=block.v[:30])

    edit_potential(folder, coarse)
    assert 'the mesh of site 2 has 30 points; at least 35 are needed' in refusal(folder)


def test_core_states_differ_between_the_spins(folder: Path) -> None:
    edit_potential(folder, lambda potential: edited_blocks(potential, 1, (0,), core=potential.sites[1][0].core[:-1]))
    assert 'the two spins of site 2 have different lists of core states' in refusal(folder)


@pytest.mark.parametrize(
    ('kept', 'fault'),
    [
        # 1s 2s 3s 2p 3p are the core of Mn
        (slice(0, 4), 'the 3p states are missing in the core'),
        (slice(0, 0), 'the 1s states are missing in the core'),
        (slice(2, 5), 'a 2p core state without the deeper 2s states'),
    ],
)
def test_hole_in_the_core_of_the_start_potential(folder: Path, kept: slice, fault: str) -> None:
    edit_potential(folder, lambda potential: edited_blocks(potential, 1, (0, 1), core=potential.sites[1][0].core[kept]))
    assert f'site 2 (Mn): {fault}' in refusal(folder)


def test_full_potential(folder: Path, pair_source: Path) -> None:
    full = pair_source.parent / 'kkr' / 'mn_cu_fp_start_2sites.gz'
    (folder / 'potential').write_bytes(gzip.decompress(full.read_bytes()))
    message = refusal(folder, UnsupportedSettingError)
    assert 'full potential' in message
    assert 'JuKKR' in message


# --- host files that are not of one write-out -------------------------------------------------------------------------


def without_serials(folder: Path) -> None:
    """Remove the serial lines, which alone would tell that files are of different write-outs."""
    for name in ('kkrflex_atominfo', 'kkrflex_tmat', 'kkrflex_intercell_ref', 'kkrflex_intercell_cmoms'):
        lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text(''.join(line for line in lines if 'serial' not in line))


def test_files_of_two_write_outs(folder: Path) -> None:
    text = (folder / 'kkrflex_tmat').read_text()
    first = text.splitlines()[0]
    stamp = first.split('_')[-1].split(';')[0]
    (folder / 'kkrflex_tmat').write_text(text.replace(stamp, '20200101000000', 1))
    message = refusal(folder)
    assert 'written by different calculations' in message
    assert '20200101000000' in message


def test_files_without_serials_are_accepted(folder: Path) -> None:
    without_serials(folder)
    assert read_problem(folder, CONFIG).natom == 2


@pytest.mark.parametrize(
    'name', ['kkrflex_atominfo', 'kkrflex_green', 'kkrflex_tmat', 'kkrflex_intercell_ref', 'kkrflex_intercell_cmoms']
)
def test_number_of_sites_differs(folder: Path, name: str) -> None:
    double = KkrimpConfig(test_flags=frozenset({'read_doubleprecision'}))
    # double precision, so that a green function of a single site has room for its header
    edit_green(folder, lambda green: with_values(green, green.values.astype(complex)))
    if name == 'kkrflex_atominfo':
        edit_atoms(folder, **only_site(read_atominfo(folder / name), 0))
        edit_potential(folder, lambda potential: ImpurityPotential(potential.sites[:1]))
    elif name == 'kkrflex_green':
        green = read_green(folder / name, double_precision=True)
        cut = with_values(green, np.array(green.values[:, :, :9, :9]), natom=1)
        write_green(cut, folder / name)
    elif name == 'kkrflex_tmat':
        edit_t(folder, lambda t: with_values(t, t.values[:1]))
    elif name == 'kkrflex_intercell_ref':
        reference = read_intercell_ref(folder / name)
        write_intercell_ref(dataclasses.replace(reference, coefficients=reference.coefficients[:1]), folder / name)
    else:
        moments = read_intercell_cmoms(folder / name)
        cut_moments = dataclasses.replace(moments, z_host=moments.z_host[:1], moments=moments.moments[:1])
        write_intercell_cmoms(cut_moments, folder / name)
    message = refusal(folder, config=double)
    assert message.startswith('number of host sites differs between the files of the host')
    assert f'{name} 1' in message


def test_number_of_energies_differs(folder: Path) -> None:
    edit_t(folder, lambda t: with_values(t, t.values[:, :, :-1]))
    assert 'number of energies differs between the files of the host: kkrflex_green 30, kkrflex_tmat 29' in refusal(
        folder
    )


def test_number_of_spins_differs(folder: Path) -> None:
    edit_t(folder, lambda t: with_values(t, t.values[:, :1]))
    assert 'number of spins differs between the files of the host: kkrflex_green 2, kkrflex_tmat 1' in refusal(folder)


def test_number_of_angular_momenta_differs(folder: Path) -> None:
    edit_t(folder, lambda t: with_values(t, t.values[..., :4, :4]))
    assert 'number of angular momenta (l, m) differs' in refusal(folder)
    assert 'kkrflex_green 9, kkrflex_tmat 4' in refusal(folder)


def test_lmax_beyond_the_host(folder: Path) -> None:
    edit_atoms(folder, lmax=np.array([2, 3]))
    assert 'kkrflex_atominfo asks for lmax 3, but kkrflex_green has' in refusal(folder)


def test_too_few_moments_of_the_host(folder: Path) -> None:
    reference = read_intercell_ref(folder / 'kkrflex_intercell_ref')
    moments = read_intercell_cmoms(folder / 'kkrflex_intercell_cmoms')
    short = dataclasses.replace(reference, coefficients=reference.coefficients[:, :9])
    write_intercell_ref(short, folder / 'kkrflex_intercell_ref')
    assert 'number of (l, m) per site differs' in refusal(folder)
    write_intercell_cmoms(
        dataclasses.replace(moments, moments=moments.moments[:, :9]), folder / 'kkrflex_intercell_cmoms'
    )
    assert 'kkrflex_intercell_ref has 9 (l, m) per site, lmax 2 needs 25' in refusal(folder)


def test_host_with_spin_orbit_coupling(folder: Path) -> None:
    t = read_tmat(folder / 'kkrflex_tmat')
    both = np.zeros((2, 1, 30, 18, 18), dtype=complex)
    both[:, 0, :, :9, :9], both[:, 0, :, 9:, 9:] = t.values[:, 0], t.values[:, 1]
    write_tmat(dataclasses.replace(t, values=both, korbit=1), folder / 'kkrflex_tmat')
    message = refusal(folder, UnsupportedSettingError)
    assert message.startswith('A host with spin-orbit coupling is not supported')
    assert 'JuKKR' in message


def test_host_in_full_potential(folder: Path) -> None:
    path = folder / 'kkrflex_intercell_ref'
    write_intercell_ref(dataclasses.replace(read_intercell_ref(path), kshape=2), path)
    assert 'A host in full potential' in refusal(folder, UnsupportedSettingError)


def test_sites_at_the_same_position(folder: Path) -> None:
    edit_atoms(folder, positions=np.zeros((2, 3)))
    assert 'sites 1 and 2 are at the same position' in refusal(folder)


def test_virtual_site_next_to_another(folder: Path) -> None:
    edit_atoms(folder, virtual=np.array([False, True]), positions=np.array([[0.0, 0.0, 0.0], [0.1, 0.1, 0.0]]))
    message = refusal(folder, UnsupportedSettingError)
    assert 'displaced impurities are not implemented' in message


@pytest.mark.parametrize(
    'second_site', [(0.5, 0.5, 0.0), (0.70710678, 0.0, 0.70710678), (0.0, 0.0, 1.0), (0.7, -0.7, 0.0)]
)
def test_positions_of_another_cluster(folder: Path, second_site: tuple[float, float, float]) -> None:
    # sites of another lattice, another pair of the same lattice, and another distance
    edit_atoms(folder, positions=np.array([[0.0, 0.0, 0.0], second_site]))
    message = refusal(folder)
    assert 'kkrflex_green does not belong to the positions in kkrflex_atominfo' in message
    assert 'take all kkrflex files from one write-out' in message


def test_green_function_of_another_lattice_constant(folder: Path) -> None:
    reference = read_intercell_ref(folder / 'kkrflex_intercell_ref')
    write_intercell_ref(dataclasses.replace(reference, alat=5.4546218), folder / 'kkrflex_intercell_ref')
    message = refusal(folder, config=KkrimpConfig(alat_tolerance=1.0))
    assert 'kkrflex_green does not belong to' in message


def test_spin_restricted_impurity_in_a_magnetic_host(folder: Path, pair_source: Path) -> None:
    edit_potential(folder, lambda potential: ImpurityPotential(tuple(blocks[:1] for blocks in potential.sites)))
    one_spin = KkrimpConfig(nspin=1)
    assert len(read_problem(folder, one_spin).void) == 1

    def magnetic(green: HostGreen) -> HostGreen:
        green.values[1] *= 1.001
        return green

    edit_green(folder, magnetic)
    assert refusal(folder, config=one_spin) == 'NSPIN= 1, but the host is spin-polarised; set NSPIN= 2'


def test_spin_restricted_host(folder: Path) -> None:
    full = read_problem(folder, CONFIG)
    edit_green(folder, lambda green: with_values(green, green.values[:1], nspin=1))
    edit_t(folder, lambda t: with_values(t, t.values[:, :1]))
    problem = read_problem(folder, CONFIG)
    assert len(problem.void) == 1
    np.testing.assert_array_equal(problem.void[0].whole(), full.void[0].whole())
