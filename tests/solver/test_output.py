"""Output files: JuKKR's own lines, readable by masci-tools and by ourselves, whole at any time."""

import dataclasses
import gzip
import io
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from masci_tools.io.parsers.kkrimp_parser_functions import KkrimpParserFunctions

from aiida_mlkkr import __version__
from aiida_mlkkr.kkr.constants import JUKKR_RYDBERG_EV
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.history import ScfHistory, read_history
from aiida_mlkkr.kkr.potential import ImpurityPotential, read_potential
from aiida_mlkkr.solver.config import KkrimpConfig, read_config
from aiida_mlkkr.solver.mixing import PotentialError
from aiida_mlkkr.solver.output import OutputFiles, replace_file
from aiida_mlkkr.solver.problem import ImpurityProblem, read_problem
from aiida_mlkkr.solver.scf import Iteration, iterate

STEPS = 3


@dataclass
class Run:
    """A short run of the pair with its files and what they should hold."""

    folder: Path
    config: KkrimpConfig
    problem: ImpurityProblem
    iterations: list[Iteration]
    stdout: str

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    @property
    def history(self) -> ScfHistory:
        return read_history(self.text('out_log.000.txt'), self.stdout, self.text('out_timing.000.txt'))


def write_all(folder: Path, config: KkrimpConfig, problem: ImpurityProblem, iterations: list[Iteration]) -> Run:
    stdout = io.StringIO()
    files = OutputFiles(folder, config, stdout, time.perf_counter())
    files.banner()
    files.problem(problem)
    for iteration in iterations:
        files.iteration(problem, iteration)
    files.close()
    return Run(folder, config, problem, iterations, stdout.getvalue())


@pytest.fixture
def run(make_run: Callable[..., Path]) -> Run:
    folder = make_run('calc1')
    config = dataclasses.replace(read_config(folder / 'config.cfg'), scfsteps=STEPS, run_flags=frozenset({'ldos'}))
    problem = read_problem(folder, config)
    return write_all(folder, config, problem, list(iterate(problem, config)))


def of_jukkr(pair_source: Path, name: str) -> str:
    return gzip.decompress((pair_source / 'calc1' / 'out' / f'{name}.gz').read_bytes()).decode()


def shape(line: str) -> str:
    """A line with all digits alike."""
    return re.sub(r'\d', '0', line.rstrip())


@pytest.mark.parametrize('name', ['out_kkrimp', 'out_log.000.txt'])
def test_lines_are_jukkrs(run: Run, pair_source: Path, name: str) -> None:
    theirs = {shape(line) for line in of_jukkr(pair_source, name).splitlines()}
    ours = run.stdout if name == 'out_kkrimp' else run.text(name)
    others = [line for line in ours.splitlines() if shape(line) not in theirs]
    # what says who computes, and settings of this run
    of_our_own = (
        'KKR IMPURITY SOLVER',
        'Version:',
        '# serial:',
        'SCFSTEPS =',
        'TESTFLAG',
        'RUNFLAGS',
        'Spin orbit coupling',
    )
    assert [line for line in others if not any(mark in line for mark in of_our_own)] == []


def test_numbers_of_the_log_are_jukkrs(run: Run, pair_source: Path) -> None:
    ours = run.history
    theirs = read_history(of_jukkr(pair_source, 'out_log.000.txt'))
    assert ours.niter == STEPS
    assert ours.natom == 2
    # the last printed digit may round the other way: see test_scf
    for name, digits in {
        'charge': 1e-6,
        'spin_moment': 1e-6,
        'core_charge': 1e-6,
        'l_charge': 1e-8,
        'total_energy': 2e-8,
        'nuclear_charge': 0.0,
        'energies': 1e-14,
        'weights': 1e-14,
    }.items():
        expected = np.asarray(getattr(theirs, name))
        expected = expected[:STEPS] if len(expected) == theirs.niter else expected
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=0, atol=1.01 * digits, err_msg=name)
    for name in ('rms_charge', 'rms_spin', 'rms_charge_site', 'rms_spin_site'):
        # five significant digits
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name)[:STEPS], rtol=1.1e-4)


def test_log_tells_settings_and_end(run: Run) -> None:
    history = run.history
    settings = history.settings
    assert (settings.nspin, settings.natom, settings.ins, settings.kvrel, settings.imix) == (2, 2, 0, 1, 5)
    assert (settings.mixfac, settings.fcm, settings.qbound, settings.scfsteps) == (0.03, 2.0, 1e-6, STEPS)
    assert settings.spin_orbit is False
    assert settings.runflags == ('ldos',)
    assert history.serial.startswith(f'mlkkr-kkrimp_v{__version__}_embedded_')
    assert history.complete
    assert not history.stopped_by_criterion
    assert history.runs_in_file == 1


def test_masci_tools_reads_all_of_it(run: Run) -> None:
    (run.folder / 'out_kkrimp').write_text(run.stdout)
    names = {
        'outfile': 'out_kkrimp',
        'out_log': 'out_log.000.txt',
        'out_pot': 'out_potential',
        'out_enersp_at': 'out_energysp_per_atom_eV',
        'out_enertot_at': 'out_energytotal_per_atom_eV',
        'out_timing': 'out_timing.000.txt',
    }
    files = {key: str(run.folder / name) for key, name in names.items()}
    absent = {'kkrflex_llyfac': '', 'kkrflex_angles': '', 'out_spinmoms': '', 'out_orbmoms': ''}
    success, messages, results = KkrimpParserFunctions().parse_kkrimp_outputfile({}, {**files, **absent})
    assert success, messages
    assert messages == []
    last = run.iterations[-1]
    assert results['convergence_group']['rms'] == pytest.approx(last.error.mean_charge, rel=1e-4)
    assert results['convergence_group']['number_of_iterations'] == STEPS
    assert results['convergence_group']['calculation_converged'] is False
    assert results['total_energy_Ry'] == pytest.approx(last.total_energy, abs=1e-8)
    assert results['magnetism_group']['total_spin_moment'] == pytest.approx(
        sum(site.moment for site in last.sites), abs=1e-6
    )
    np.testing.assert_allclose(results['total_charge_per_atom'], [site.charge for site in last.sites], atol=1e-6)
    np.testing.assert_allclose(results['charge_core_states_per_atom'], 18.0, atol=1e-6)
    assert results['fermi_energy'] == pytest.approx(run.problem.contour.fermi_energy, abs=1e-9)
    assert results['energy_contour_group']['number_of_energy_points'] == 30
    assert results['warnings_group']['number_of_warnings'] == 0
    assert results['timings_group']['Total running time'] > 0
    assert results['code_info_group']['calculation_serial_number']


def test_energies_in_electron_volts(run: Run, pair_source: Path) -> None:
    for name, of_iteration in {
        'out_energysp_eV': [sum(site.energies.valence.sum() for site in step.sites) for step in run.iterations],
        'out_energytotal_eV': [step.total_energy for step in run.iterations],
    }.items():
        serial, *lines = run.text(name).splitlines()
        assert serial.startswith('# serial: mlkkr-kkrimp')
        np.testing.assert_allclose(
            [float(line) for line in lines], np.array(of_iteration) * JUKKR_RYDBERG_EV, rtol=1e-14
        )
    for name in ('out_energysp_per_atom_eV', 'out_energytotal_per_atom_eV'):
        ours = np.loadtxt(run.folder / name)
        theirs = np.loadtxt(pair_source / 'calc1' / 'out' / name)[: 2 * STEPS]
        np.testing.assert_array_equal(ours[:, 0], theirs[:, 0])
        # Ry to 1e-9 in sums of 1300 Ry, see test_scf
        np.testing.assert_allclose(ours[:, 1], theirs[:, 1], rtol=1e-11, atol=2e-8)


def test_potential_of_the_next_iteration(run: Run, pair_source: Path) -> None:
    potential = read_potential(run.folder / 'out_potential')
    last = run.iterations[-1]
    assert (potential.natom, potential.nspin) == (2, 2)
    for site, blocks in enumerate(potential.sites):
        for spin, block in enumerate(blocks):
            old = run.problem.potential.sites[site][spin]
            # thirteen significant digits are written, ten behind the point
            np.testing.assert_allclose(block.v, last.mixed[site][spin], rtol=1e-12, atol=1e-12)
            core = [state.energy for state in block.core]
            np.testing.assert_allclose(core, last.sites[site].core[spin].energies, rtol=1e-11)
            assert [state.l for state in block.core] == [state.l for state in old.core]
            assert (block.z, block.mesh, block.alat, block.rmt) == (old.z, old.mesh, old.alat, old.rmt)
            assert block.efermi == pytest.approx(run.problem.contour.fermi_energy, abs=1e-10)
            assert block.vbc == pytest.approx(run.problem.vbc, abs=1e-10)
            assert block.title.startswith(f'Mn25 POTENTIAL SPIN {"UP  " if spin else "DOWN"}')
            assert 'exc: Vosko,Wilk,Nusair' in block.title
            assert '#serial: mlkkr-kkrimp' in block.title
    # line by line in JuKKR's columns
    theirs = of_jukkr(pair_source, 'out_potential').splitlines()
    ours = run.text('out_potential').splitlines()
    assert len(ours) == len(theirs)
    assert [shape(line) for line in ours[1:12]] == [shape(line) for line in theirs[1:12]]
    lengths = [[len(line) for line in lines if 'POTENTIAL' not in line] for lines in (ours, theirs)]
    assert lengths[0] == lengths[1]


def test_density_of_states(run: Run) -> None:
    for site in (1, 2):
        for spin in (1, 2):
            table = np.loadtxt(run.folder / f'out_ldos.atom=0{site}_spin{spin}.dat')
            dos = run.iterations[-1].sites[site - 1].dos[spin - 1]
            assert table.shape == (30, 2 + 3 + 1)
            np.testing.assert_allclose(table[:, 0], run.problem.contour.energies.real, rtol=1e-15)
            np.testing.assert_allclose(table[:, 1], table[:, 2:].sum(axis=1), rtol=1e-14)
            np.testing.assert_allclose(table[:, 2:5].T, -dos.imag / np.pi, rtol=1e-14)
            assert (table[:, 1] > 0).all()
            on_axis = np.genfromtxt(run.folder / f'out_ldos.interpol.atom=0{site}_spin{spin}.dat')
            assert on_axis.shape == (28, 6)


def test_density_of_states_on_the_real_axis(make_run: Callable[..., Path], run: Run) -> None:
    # linear in E, so that the continuation from a contour above the axis is exact
    energies = np.linspace(-0.5, 0.9, 30) + 0.02j
    slopes, at_zero = np.array([[1.0 - 2.0j], [0.3 + 1.0j], [-0.7j]]), np.array([[-3.0j], [0.2 - 5.0j], [1.0 - 1.0j]])
    contour = dataclasses.replace(run.problem.contour, energies=energies)
    site = dataclasses.replace(run.iterations[0].sites[0], dos=np.stack([at_zero + slopes * energies] * 2))
    first = dataclasses.replace(run.iterations[0], sites=(site, site))
    folder = make_run('calc1')
    write_all(folder, run.config, dataclasses.replace(run.problem, contour=contour), [first])
    table = np.loadtxt(folder / 'out_ldos.interpol.atom=02_spin1.dat')
    expected = -(at_zero + slopes * energies.real[1:-1]).imag / np.pi
    np.testing.assert_allclose(table[:, 2:5].T, expected, rtol=1e-12)


def test_no_density_of_states_unless_asked_for(make_run: Callable[..., Path], run: Run) -> None:
    folder = make_run('calc1')
    config = dataclasses.replace(run.config, run_flags=frozenset())
    write_all(folder, config, run.problem, run.iterations[:1])
    assert list(folder.glob('out_ldos*')) == []


def test_errors_of_single_sites_on_stdout_of_small_clusters_only(make_run: Callable[..., Path], run: Run) -> None:
    # eleven sites: the pair over and over
    first = run.iterations[0]
    problem = dataclasses.replace(
        run.problem,
        z=np.full(11, 25.0),
        lmax=np.full(11, 2),
        potential=ImpurityPotential((run.problem.potential.sites * 6)[:11]),
    )
    many = Iteration(
        1,
        (first.sites * 6)[:11],
        PotentialError(np.resize(first.error.charge, 11), np.resize(first.error.spin, 11)),
        (first.mixed * 6)[:11],
    )
    assert run.stdout.count('rms-error for atom') == 2 * STEPS
    for flags, lines in ((set(), 0), ({'rmsdisplayall'}, 11)):
        config = dataclasses.replace(run.config, run_flags=frozenset(flags))
        result = write_all(make_run('calc1'), config, problem, [many])
        assert result.stdout.count('rms-error for atom') == lines
        assert result.text('out_log.000.txt').count('rms-error for atom') == 11


def test_one_spin(make_run: Callable[..., Path], run: Run) -> None:
    folder = make_run('calc1')
    potential = ImpurityPotential(tuple(blocks[:1] for blocks in run.problem.potential.sites))
    problem = dataclasses.replace(run.problem, potential=potential, void=run.problem.void[:1])
    config = dataclasses.replace(run.config, nspin=1, scfsteps=2, run_flags=frozenset())
    result = write_all(folder, config, problem, list(iterate(problem, config)))
    history = result.history
    assert history.settings.nspin == 1
    assert history.l_charge.shape == (2, 2, 1, 3)
    np.testing.assert_allclose(
        history.charge, [[site.charge for site in step.sites] for step in result.iterations], atol=1e-6
    )
    np.testing.assert_array_equal(history.rms_spin, 0.0)
    np.testing.assert_array_equal(history.spin_moment, 0.0)
    log = result.text('out_log.000.txt')
    assert 'paramagnetic' in log
    assert 'v+ - v-' not in log
    assert read_potential(folder / 'out_potential', 1).natom == 2


def test_converged_run_says_so(make_run: Callable[..., Path], run: Run) -> None:
    stdout = io.StringIO()
    files = OutputFiles(make_run('calc1'), run.config, stdout, time.perf_counter())
    files.converged()
    files.close()
    assert stdout.getvalue().splitlines() == [f'{" " * 17}++++++ SCF ITERATION CONVERGED ++++++', '*' * 79]


def test_potential_is_replaced_as_a_whole(run: Run) -> None:
    path = run.folder / 'out_potential'
    before = path.read_bytes()
    blocks = run.problem.potential.sites[0]
    damaged = dataclasses.replace(blocks[1], v=np.full_like(blocks[1].v, np.nan))
    with pytest.raises(KkrFileError, match='not finite'):
        replace_file(path, ImpurityPotential(((blocks[0], damaged),)))
    assert path.read_bytes() == before
    replace_file(path, ImpurityPotential((blocks,)))
    assert read_potential(path).natom == 1
    assert [file.name for file in run.folder.glob('*.part')] == []
