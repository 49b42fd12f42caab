"""Self-consistency of real clusters: JuKKR's own numbers, the host from itself, symmetries, fields and limits."""

import copy
import dataclasses
import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from aiida_mlkkr.kkr.history import ScfHistory, read_history
from aiida_mlkkr.kkr.kkrflex import read_atominfo, write_atominfo
from aiida_mlkkr.kkr.mesh import RadialMesh
from aiida_mlkkr.kkr.potential import CoreState, ImpurityPotential
from aiida_mlkkr.solver.config import KkrimpConfig, read_config
from aiida_mlkkr.solver.core import CoreStateError
from aiida_mlkkr.solver.errors import ScfBreakdownError
from aiida_mlkkr.solver.mixing import Potentials
from aiida_mlkkr.solver.problem import ImpurityProblem, read_problem
from aiida_mlkkr.solver.quadrature import simpson_weights
from aiida_mlkkr.solver.scf import Iteration, iterate

ONE_STEP = KkrimpConfig(scfsteps=1)


@pytest.fixture
def pair(make_run: Callable[..., Path]) -> ImpurityProblem:
    """Two Mn atoms, at the potential from which JuKKR went on to convergence."""
    return read_problem(make_run('calc1'), ONE_STEP)


@pytest.fixture
def copper(
    make_run: Callable[..., Path], pair_source: Path, read_stored_potential: Callable[[Path], ImpurityPotential]
) -> ImpurityProblem:
    """Two Cu atoms of the host in the places of the pair."""
    folder = make_run('calc1')
    atoms = read_atominfo(folder / 'kkrflex_atominfo')
    problem = read_problem(folder, ONE_STEP)
    host = read_stored_potential(pair_source / 'gf' / 'out_potential.gz').sites[0]
    assert atoms.natom == 2
    return dataclasses.replace(problem, z=np.array([29.0, 29.0]), potential=ImpurityPotential((host, host)))


def with_potentials(problem: ImpurityProblem, potentials: Potentials) -> ImpurityProblem:
    """The same problem at other potentials, one array (nspin, n) per site."""
    sites = tuple(
        tuple(dataclasses.replace(blocks[spin], v=v[spin]) for spin in range(len(v)))
        for blocks, v in zip(problem.potential.sites, potentials, strict=True)
    )
    return dataclasses.replace(problem, potential=ImpurityPotential(sites))


def potentials_of(problem: ImpurityProblem | ImpurityPotential) -> Potentials:
    potential = problem.potential if isinstance(problem, ImpurityProblem) else problem
    return [np.stack([block.v for block in blocks]) for blocks in potential.sites]


def first(problem: ImpurityProblem, config: KkrimpConfig = ONE_STEP) -> Iteration:
    return next(iterate(problem, config))


def charges(iteration: Iteration) -> np.ndarray:
    return np.array([site.charge for site in iteration.sites])


def moments(iteration: Iteration) -> np.ndarray:
    return np.array([site.moment for site in iteration.sites])


def log_of(pair_source: Path, calculation: str) -> str:
    return gzip.decompress((pair_source / calculation / 'out' / 'out_log.000.txt.gz').read_bytes()).decode()


def history_of(pair_source: Path, calculation: str) -> ScfHistory:
    return read_history(log_of(pair_source, calculation))


def root_mean_square(problem: ImpurityProblem, a: Potentials, b: Potentials) -> float:
    """√(∫ΔV² r² dr / ∫r² dr) over all sites and spins [Ry]."""
    square, volume = 0.0, 0.0
    for mesh, v, w in zip(problem.meshes, a, b, strict=True):
        weights = simpson_weights(mesh.n) * mesh.drdi * mesh.r**2
        square += float(((v - w) ** 2 @ weights).sum())
        volume += len(v) * float(weights.sum())
    return (square / volume) ** 0.5


# --- JuKKR's numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(('calculation', 'iterations'), [('calc0', 38), ('calc1', 3)])
def test_iterations_are_jukkrs(
    make_run: Callable[..., Path], pair_source: Path, calculation: str, iterations: int
) -> None:
    # all of the simple mixing from the start potential; the first steps of Anderson's method, which amplifies rounding
    folder = make_run(calculation)
    config = read_config(folder / 'config.cfg')
    config = dataclasses.replace(config, scfsteps=3 if calculation == 'calc1' else config.scfsteps)
    history = history_of(pair_source, calculation)
    steps = list(iterate(read_problem(folder, config), config))
    assert [step.number for step in steps] == list(range(1, iterations + 1))
    for number, step in enumerate(steps):
        # Half a unit of the last printed digit and a bit: six digits of charges, eight of valence charges and energies,
        # five significant ones of errors. The energy sums up 5000 Ry, which rounds differently elsewhere.
        np.testing.assert_allclose(charges(step), history.charge[number], atol=6e-7)
        np.testing.assert_allclose(moments(step), history.spin_moment[number], atol=6e-7)
        np.testing.assert_allclose(step.error.charge, history.rms_charge_site[number], rtol=6e-5)
        np.testing.assert_allclose(step.error.spin, history.rms_spin_site[number], rtol=6e-5)
        assert step.error.mean_charge == pytest.approx(history.rms_charge[number], rel=6e-5)
        assert step.error.mean_spin == pytest.approx(history.rms_spin[number], rel=6e-5)
        assert step.total_energy == pytest.approx(history.total_energy[number], abs=2e-8)
        for site, result in enumerate(step.sites):
            np.testing.assert_allclose(result.valence_charges.T, history.l_charge[number, site], atol=1e-8)
            core = sum(solution.charge for solution in result.core)
            assert core == pytest.approx(history.core_charge[number, site], abs=6e-7)


def printed_energies(log: str) -> Iterator[tuple[str, list[float]]]:
    """The numbers of the first 'Total energies atom' block."""
    block = log[log.index('Total energies atom   1') : log.index('Total contribution of atom  1')]
    block += log[log.index('Total contribution of atom  1') :].splitlines()[0]
    for what in ('core   contribution', 'valence  contribution'):
        for match in re.finditer(rf'{what} :((?:\s*\w+ ?=?\s+-?\d+\.\d+)+)', block):
            yield what, [float(number) for number in re.findall(r'-?\d+\.\d+', match.group(1))]
    for what in ('tot. coulomb contribution', 'tot. ex.-cor. contribution', 'eff. pot. contribution'):
        yield what, [float(re.search(rf'{re.escape(what)}\s*:\s*(-?\d+\.\d+)', block)[1])]
    yield 'total', [float(re.search(r'Total contribution of atom  1 =\s*(-?\d+\.\d+)', block)[1])]


def test_energies_of_a_site_are_jukkrs(pair: ImpurityProblem, pair_source: Path) -> None:
    printed = list(printed_energies(log_of(pair_source, 'calc1')))
    assert [what.split()[0] for what, _ in printed] == ['core'] * 2 + ['valence'] * 2 + ['tot.'] * 2 + ['eff.', 'total']
    energies = first(pair).sites[0].energies
    found = [
        energies.core[0, :2],
        energies.core[1, :2],
        energies.valence[0],
        energies.valence[1],
        [energies.coulomb],
        [energies.exchange_correlation],
        [energies.potential],
        [energies.total],
    ]
    for (_, numbers), values in zip(printed, found, strict=True):
        # eight digits are printed; the sums over 349 points of numbers up to 1e5 round to 1e-8
        np.testing.assert_allclose(values, numbers[: len(values)], atol=4e-8)


def test_convergence_of_the_pair_is_jukkrs(
    make_run: Callable[..., Path], pair_source: Path, read_stored_potential: Callable[[Path], ImpurityPotential]
) -> None:
    folder = make_run('calc1')
    config = read_config(folder / 'config.cfg')
    problem = read_problem(folder, config)
    history = history_of(pair_source, 'calc1')
    steps = list(iterate(problem, config))
    # Anderson's method amplifies rounding: the last step may come earlier or later
    assert abs(len(steps) - history.niter) <= 1
    last = steps[-1]
    assert last.error.largest < config.qbound
    assert all(step.error.largest >= config.qbound for step in steps[:-1])
    # both stop at 1e-6 in the potential, at different points around the solution
    np.testing.assert_allclose(charges(last), history.charge[-1], atol=1e-5)
    np.testing.assert_allclose(moments(last), history.spin_moment[-1], atol=1e-5)
    # the energy functional is not variational for a finite contour: it follows the error of the potential linearly
    assert last.total_energy == pytest.approx(history.total_energy[-1], abs=1e-5)
    theirs = potentials_of(read_stored_potential(pair_source / 'calc1' / 'out' / 'out_potential.gz'))
    assert root_mean_square(problem, last.mixed, theirs) < 1e-5  # Ry: a tenth of 0.1 mRy
    # a solution of physics: like pairs of Mn in Cu, a few tenths of an electron go to the atoms around
    assert 2.5 < moments(last)[0] < 3.5
    assert -0.3 < charges(last)[0] - 25.0 < 0.0


# --- the host from itself ---------------------------------------------------------------------------------------------


def test_copper_in_copper_is_copper(copper: ImpurityProblem) -> None:
    step = first(copper)
    # the host was converged to 1e-6 Ry and its Green function is in single precision
    np.testing.assert_allclose(charges(step), 29.0, atol=1e-5)
    np.testing.assert_allclose(moments(step), 0.0, atol=1e-9)
    assert step.error.mean_charge < 1e-5
    assert step.error.mean_spin < 1e-9
    for site in step.sites:
        assert sum(core.charge for core in site.core) == pytest.approx(18.0, abs=1e-9)


def test_copper_in_copper_stays_copper(copper: ImpurityProblem) -> None:
    config = KkrimpConfig(scfsteps=30, imix=5, mixfac=0.05, itdbry=20, qbound=1e-8)
    *_, last = iterate(copper, config)
    assert last.error.largest < 1e-8
    assert last.number < 20
    np.testing.assert_allclose(charges(last), 29.0, atol=1e-5)  # as above
    assert root_mean_square(copper, last.mixed, potentials_of(copper)) < 3e-5


def test_nonmagnetic_copper_answers_to_a_field(copper: ImpurityProblem) -> None:
    fields = (0.001, -0.001, 0.002)
    steps = [first(copper, KkrimpConfig(scfsteps=1, hfield=field, hfield_iterations=1)) for field in fields]
    response = [moments(step)[0] / field for step, field in zip(steps, fields, strict=True)]
    # the moment follows the field: spin up is lowered by it. Linear up to the third order, (0.002/0.1)²
    assert response[0] > 0
    assert response[1] == pytest.approx(response[0], rel=1e-6)
    assert response[2] == pytest.approx(response[0], rel=1e-3)
    # Pauli: 2 µB h times the density of states at the Fermi energy of one spin; two sites respond alone, and the last
    # energy of the contour lies 0.012 Ry above the axis
    density_of_states = -first(copper).sites[0].dos[:, :, -1].imag.sum() / np.pi
    assert response[0] == pytest.approx(density_of_states, rel=0.1)
    # even in the field
    np.testing.assert_allclose(charges(steps[0]), charges(steps[1]), atol=1e-9)


# --- symmetries -------------------------------------------------------------------------------------------------------


def test_equivalent_sites_are_equal(pair: ImpurityProblem) -> None:
    a, b = first(pair).sites
    # the Green function is in single precision; the blocks of the two sites differ by some 1e-7
    assert a.charge == pytest.approx(b.charge, abs=2e-6)
    assert a.moment == pytest.approx(b.moment, abs=2e-6)
    assert a.energies.total == pytest.approx(b.energies.total, abs=2e-5)
    np.testing.assert_allclose(a.potential, b.potential, atol=1e-5)


def test_exactly_equivalent_sites_are_equal_to_rounding(pair: ImpurityProblem) -> None:
    # with a void symmetric under inversion at the middle of the pair nothing but rounding is left
    swap = np.concatenate([np.arange(9, 18), np.arange(9)])
    parity = np.repeat([1.0, -1.0, 1.0], [1, 3, 5])
    signs = np.concatenate([parity, parity])
    whole = pair.void[0].whole()
    symmetric = 0.5 * (whole + signs[:, None] * signs * whole[:, swap][:, :, swap])
    void = copy.deepcopy(pair.void[0])
    for energy, matrix in enumerate(symmetric):
        void.set_energy(energy, matrix)
    mirror = 0.5 * (
        pair.host_coefficients + pair.host_coefficients[::-1] * np.repeat([1, -1, 1, -1, 1], [1, 3, 5, 7, 9])
    )
    a, b = first(dataclasses.replace(pair, void=(void, void), host_coefficients=mirror)).sites
    # rounding of 25 electrons and of energies of 2000 Ry
    assert a.charge == pytest.approx(b.charge, abs=1e-10)
    assert a.moment == pytest.approx(b.moment, abs=1e-10)
    assert a.energies.total == pytest.approx(b.energies.total, abs=1e-7)
    np.testing.assert_allclose(a.potential, b.potential, atol=1e-9)


def test_order_of_the_sites_does_not_matter(copper: ImpurityProblem, pair: ImpurityProblem) -> None:
    # one Mn beside one Cu: at the first site or at the second
    mn_cu = dataclasses.replace(
        pair,
        z=np.array([25.0, 29.0]),
        potential=ImpurityPotential((pair.potential.sites[0], copper.potential.sites[0])),
    )
    cu_mn = dataclasses.replace(
        pair,
        z=np.array([29.0, 25.0]),
        potential=ImpurityPotential((copper.potential.sites[0], pair.potential.sites[0])),
    )
    one, other = first(mn_cu), first(cu_mn)
    # single precision of the Green function, as above
    np.testing.assert_allclose(charges(one), charges(other)[::-1], atol=2e-6)
    np.testing.assert_allclose(moments(one), moments(other)[::-1], atol=2e-6)
    assert one.total_energy == pytest.approx(other.total_energy, abs=2e-5)
    # and it is physics: the moment of Mn polarises its neighbour weakly
    assert moments(one)[0] > 2
    assert abs(moments(one)[1]) < 0.2


def test_exchanging_the_spins_flips_the_moments(pair: ImpurityProblem) -> None:
    config = KkrimpConfig(scfsteps=3, imix=5, mixfac=0.05)
    up = list(iterate(pair, config))
    down = list(iterate(with_potentials(pair, [v[::-1] for v in potentials_of(pair)]), config))
    for one, other in zip(up, down, strict=True):
        # the host is the same for both spins, bit by bit; rounding of sums over spins
        np.testing.assert_allclose(moments(other), -moments(one), atol=1e-9)
        np.testing.assert_allclose(charges(other), charges(one), atol=1e-9)
        assert other.total_energy == pytest.approx(one.total_energy, abs=1e-7)
        np.testing.assert_allclose(other.error.charge, one.error.charge, atol=1e-10)


def test_parallel_and_antiparallel_pairs_are_two_solutions(pair: ImpurityProblem) -> None:
    v = potentials_of(pair)
    step = first(with_potentials(pair, [v[0], v[1][::-1]]))
    moment = moments(step)
    assert moment[0] > 2
    assert moment[0] == pytest.approx(-moment[1], abs=1e-4)  # equivalent but for the sign


# --- spin restricted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('imix', [0, 5])
def test_one_spin_is_two_equal_spins(pair: ImpurityProblem, imix: int) -> None:
    average = [0.5 * (v[0] + v[1]) for v in potentials_of(pair)]
    config = KkrimpConfig(scfsteps=4, imix=imix, mixfac=0.05, nspin=2)
    both = list(iterate(with_potentials(pair, [np.stack([v, v]) for v in average]), config))
    restricted = with_potentials(pair, [v[None] for v in average])
    restricted = dataclasses.replace(restricted, void=pair.void[:1])
    one = list(iterate(restricted, dataclasses.replace(config, nspin=1)))
    for two_spins, one_spin in zip(both, one, strict=True):
        # the same numbers, summed in another order
        np.testing.assert_allclose(charges(one_spin), charges(two_spins), atol=1e-9)
        np.testing.assert_allclose(moments(two_spins), 0.0, atol=1e-10)
        assert one_spin.total_energy == pytest.approx(two_spins.total_energy, abs=1e-6)
        assert one_spin.error.mean_charge == pytest.approx(two_spins.error.mean_charge, rel=1e-8)
        assert one_spin.error.mean_spin == 0.0
        for a, b in zip(one_spin.mixed, two_spins.mixed, strict=True):
            np.testing.assert_allclose(a[0], b[0], atol=1e-8)
        assert one_spin.sites[0].valence_charges.shape == (3, 1)


# --- the initial field ------------------------------------------------------------------------------------------------


def test_field_is_taken_back(pair: ImpurityProblem) -> None:
    field = KkrimpConfig(scfsteps=2, hfield=0.02, hfield_iterations=1, mixfac=0.03)
    plain = list(iterate(pair, dataclasses.replace(field, hfield=0.0)))
    with_field = list(iterate(pair, field))
    # the field makes the moment larger while it is on
    assert (moments(with_field[0]) > moments(plain[0]) + 0.05).all()
    # the error is that of the potential without the field, and so is what is mixed: a spin part of FCM · MIXFAC = 6 %
    # of the change is left
    change = moments(with_field[1]) - moments(plain[1])
    assert (np.abs(change) < 0.5 * (moments(with_field[0]) - moments(plain[0]))).all()
    for step in with_field:
        for v_mixed, v_new, v_old in zip(
            step.mixed,
            [site.potential for site in step.sites],
            potentials_of(pair) if step.number == 1 else with_field[0].mixed,
            strict=True,
        ):
            charge = v_old.sum(axis=0) + 0.03 * (v_new - v_old).sum(axis=0)
            np.testing.assert_allclose(v_mixed.sum(axis=0), charge, rtol=1e-10)
    # no field at all: as many iterations as one likes
    unused = first(pair, dataclasses.replace(field, hfield_iterations=0))
    np.testing.assert_array_equal(moments(unused), moments(plain[0]))


def test_field_that_stays_as_in_the_release_build_of_jukkr(pair: ImpurityProblem) -> None:
    config = KkrimpConfig(scfsteps=1, hfield=0.02, hfield_iterations=1, test_flags=frozenset({'accumulate_hfield'}))
    stays, goes = first(pair, config), first(pair, dataclasses.replace(config, test_flags=frozenset()))
    # the valence electrons see the same field
    np.testing.assert_allclose(stays.sites[0].valence_charges, goes.sites[0].valence_charges, rtol=1e-12)
    # but it counts as a part of the input: V is off by ∓0.02, which is root 3 times 0.02 in JuKKR's measure at most
    shifted = with_potentials(pair, [v + 0.02 * np.array([[1.0], [-1.0]]) for v in potentials_of(pair)])
    np.testing.assert_allclose(first(shifted).error.spin, stays.error.spin, rtol=1e-10)
    assert stays.error.mean_spin != pytest.approx(goes.error.mean_spin, rel=0.01)


# --- other physics ----------------------------------------------------------------------------------------------------


def test_removed_site_is_the_same_hole_at_either_side(make_run: Callable[..., Path], pair: ImpurityProblem) -> None:
    results = []
    for site in (0, 1):
        folder = make_run('calc1')
        atoms = read_atominfo(folder / 'kkrflex_atominfo')
        removed = np.arange(2) == site
        write_atominfo(dataclasses.replace(atoms, removed=removed), folder / 'kkrflex_atominfo')
        lines = (folder / 'potential').read_text().splitlines(keepends=True)
        titles = [number for number, line in enumerate(lines) if 'POTENTIAL' in line]
        blocks = lines[titles[2] :] if site == 0 else lines[: titles[2]]
        (folder / 'potential').write_text(''.join(blocks))
        results.append(first(read_problem(folder, ONE_STEP)))
    # single precision of the Green function, as above
    assert charges(results[0])[0] == pytest.approx(charges(results[1])[0], abs=2e-6)
    assert results[0].total_energy == pytest.approx(results[1].total_energy, abs=2e-5)
    # a hole beside the atom takes more away than another Mn does
    assert charges(results[0])[0] < charges(first(pair))[0]


def test_cutoff_of_one_site(make_run: Callable[..., Path], pair: ImpurityProblem) -> None:
    # d electrons of one Mn are cut off: it loses some five electrons, and the other one keeps its own
    folder = make_run('calc1')
    atoms = read_atominfo(folder / 'kkrflex_atominfo')
    write_atominfo(dataclasses.replace(atoms, lmax=np.array([2, 1])), folder / 'kkrflex_atominfo')
    step = first(read_problem(folder, ONE_STEP))
    full = first(pair)
    assert [site.valence_charges.shape for site in step.sites] == [(3, 2), (2, 2)]
    d_electrons = full.sites[1].valence_charges[2].sum()
    assert charges(full)[1] - charges(step)[1] == pytest.approx(d_electrons, abs=0.1)
    assert charges(step)[0] == pytest.approx(charges(full)[0], abs=0.3)  # it misses the overlap with its neighbour's d


def test_different_meshes_in_one_cluster(pair: ImpurityProblem) -> None:
    # the second site on a finer mesh of the same sphere, even number of points
    old = pair.potential.sites[1][0].mesh
    n, a = 450, 0.0195
    mesh = RadialMesh(a=a, b=old.rmax / np.expm1(a * (n - 1)), n=n)
    blocks = tuple(
        dataclasses.replace(
            block, mesh=mesh, v=CubicSpline(np.arange(old.n), block.v)(np.log1p(mesh.r / old.b) / old.a)
        )
        for block in pair.potential.sites[1]
    )
    finer = dataclasses.replace(pair, potential=ImpurityPotential((pair.potential.sites[0], blocks)))
    step, reference = first(finer), first(pair)
    # the scheme errs by 1e-5 in the phase shifts on the usual mesh
    np.testing.assert_allclose(charges(step), charges(reference), atol=1e-4)
    np.testing.assert_allclose(moments(step), moments(reference), atol=1e-4)
    assert step.sites[1].potential.shape == (2, n)
    # the core states err more: JuKKR's energy of a 13-site cluster changes by 2e-3 Ry with 401 points for Mn
    assert step.total_energy == pytest.approx(reference.total_energy, abs=1e-2)


def test_nonrelativistic_equations(pair: ImpurityProblem) -> None:
    limit = dataclasses.replace(pair, contour=dataclasses.replace(pair.contour, inverse_c2=0.0))
    step, reference = first(limit, KkrimpConfig(scfsteps=1, relativistic=False)), first(pair)
    # relativity binds: some 18 Ry per Mn in the free atom; the charge stays within a tenth of an electron
    assert 15 < (step.total_energy - reference.total_energy) / 2 < 22
    np.testing.assert_allclose(charges(step), charges(reference), atol=0.2)


@pytest.mark.parametrize('xc', ['LDA-VWN', 'LDA-vBH', 'LDA-MJW'])
def test_functionals(pair: ImpurityProblem, xc: str) -> None:
    step, reference = first(pair, KkrimpConfig(scfsteps=1, xc=xc)), first(pair)
    # the same densities come from the same potential; exchange and correlation differ by some per cent of -100 Ry
    np.testing.assert_array_equal(charges(step), charges(reference))
    difference = step.sites[0].energies.exchange_correlation - reference.sites[0].energies.exchange_correlation
    assert difference == 0.0 if xc == 'LDA-VWN' else 0.01 < abs(difference) < 1.0


# --- the end of a run -------------------------------------------------------------------------------------------------


def test_number_of_steps_and_criterion(pair: ImpurityProblem) -> None:
    assert len(list(iterate(pair, KkrimpConfig(scfsteps=2, qbound=1e-8)))) == 2
    # the error of the first iteration is 9.03e-3
    assert len(list(iterate(pair, KkrimpConfig(scfsteps=2, qbound=9.1e-3)))) == 1
    assert len(list(iterate(pair, KkrimpConfig(scfsteps=2, qbound=9.0e-3)))) == 2


def test_simple_mixing_comes_first(pair: ImpurityProblem) -> None:
    config = KkrimpConfig(scfsteps=3, imix=5, mixfac=0.03)
    simple = list(iterate(pair, dataclasses.replace(config, imix=0)))
    late = list(iterate(pair, dataclasses.replace(config, nsimplemixfirst=2)))
    for a, b in zip(simple, late, strict=True):
        # two simple steps, and the first step of Anderson's method, which is simple too
        np.testing.assert_array_equal(a.mixed[0], b.mixed[0])
    early = list(iterate(pair, config))
    assert not np.array_equal(early[1].mixed[0], simple[1].mixed[0])


def test_core_states_that_are_not_bound(pair: ImpurityProblem) -> None:
    core = (*pair.potential.sites[0][0].core, CoreState(2, -0.3))
    sites = tuple(tuple(dataclasses.replace(block, core=core) for block in blocks) for blocks in pair.potential.sites)
    with pytest.raises(CoreStateError, match='site 1, spin down'):
        first(dataclasses.replace(pair, potential=ImpurityPotential(sites)))


def test_potentials_that_are_not_numbers(pair: ImpurityProblem) -> None:
    coefficients = pair.host_coefficients.copy()
    coefficients[1, 0] = np.nan
    with pytest.raises(ScfBreakdownError, match=r'iteration 1: .*not a number.*Reduce MIXFAC'):
        first(dataclasses.replace(pair, host_coefficients=coefficients))
