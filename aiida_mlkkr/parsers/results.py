"""The dictionary ``output_parameters`` of a KKRimp calculation, in the layout of aiida-kkr's own parser.

aiida-kkr's workchains and tools read it as they read their own. It is filled from one pass over the files: masci-tools'
``parse_kkrimp_outputfile`` takes half a minute for a log of 6 MB, drops a whole group of results at the first number it
does not understand, and passes NaN on. What differs on purpose is listed under ``corrections`` in ``mlkkr_group``.
"""

import math
from typing import Any, Final

import numpy as np
from aiida_kkr.calculations.kkrimp import KkrimpCalculation
from masci_tools.util.constants import RY_TO_EV_KKR
from numpy.typing import NDArray

from aiida_mlkkr import __version__
from aiida_mlkkr.kkr.elements import L_LETTERS
from aiida_mlkkr.kkr.outcome import Outcome, Verdict
from aiida_mlkkr.kkr.run import ORBITAL_MOMENTS, POTENTIAL, SPIN_MOMENTS, STDOUT, TIMING, KkrimpRun

Floats = NDArray[np.float64]

CORRECTIONS: Final = (
    'single_particle_energies and total_energies_atom are in eV, as the files give them; aiida-kkr multiplies them by '
    '13.6057 once more. total_energies_atom holds single-particle energies with core states: JuKKR writes these, not '
    'total energies, into out_energytotal_per_atom_eV.',
    'calculation_converged asks for both errors, of charge and of spin, as KKRimp does; aiida-kkr asks for the charge.',
    'rms_spin_per_atom is kept as aiida-kkr gives it, with the errors of the charge; the errors of the spin are '
    'rms_spin_per_atom of mlkkr_group.',
)

_OPTIONAL_FILES: Final = ('kkrflex_llyfac', 'kkrflex_angle', SPIN_MOMENTS, ORBITAL_MOMENTS)
_TIMINGS: Final = ('vpot->tmat', 'gref->gmat', 'gonsite->density', 'energyloop', 'Iteration number')


def output_parameters(run: KkrimpRun, verdict: Verdict, density_of_states: bool = False) -> dict[str, Any]:
    """All that could be read, without NaN and infinities, which AiiDA does not store: they become None.

    Groups that the files do not give are left out.
    """
    results: dict[str, Any] = {
        'parser_version': __version__,
        'calculation_plugin_version': KkrimpCalculation._CALCULATION_PLUGIN_VERSION,
        'convergence_group': _convergence(run),
        'warnings_group': _warnings(run),
        'timings_group': _timings(run.text(TIMING)),
        'timings_unit': 'seconds',
        'parser_errors': [verdict.message] if verdict.outcome < Outcome.NOT_CONVERGED and verdict.outcome else [],
        'parser_warnings': _missing_files(run),
    }
    if density_of_states:
        results['convergence_group']['doscalc'] = True
    results.update(_code_info(run))
    results.update(_settings(run))
    results.update(_magnetism(run))
    results.update(_energies(run))
    results.update(_charges(run))
    results.update(_contour(run))
    results.update(_core_states(run))
    results['mlkkr_group'] = _own_group(run, verdict)
    not_finite: list[str] = []
    results = _storable(results, '', not_finite)
    results['mlkkr_group']['not_finite'] = not_finite
    return results


def _code_info(run: KkrimpRun) -> dict[str, Any]:
    parts = run.history.serial.split('_')
    if len(parts) < 4:
        return {}
    keys = ('code_version', 'compile_options', 'calculation_serial_number')
    return {'code_info_group': dict(zip(keys, parts[1:4], strict=True))}


def _settings(run: KkrimpRun) -> dict[str, Any]:
    settings = run.history.settings
    values = {
        'nspin': settings.nspin,
        'number_of_atoms_in_unit_cell': settings.natom,
        'use_newsosol': settings.spin_orbit,
    }
    return {key: value for key, value in values.items() if value is not None}


def _convergence(run: KkrimpRun) -> dict[str, Any]:
    history, settings = run.history, run.history.settings
    group: dict[str, Any] = {
        'number_of_iterations': int(history.iteration[-1]) if history.niter else 0,
        'number_of_iterations_max': settings.scfsteps,
        'calculation_converged': history.converged,
        'nsteps_exhausted': bool(history.niter and history.iteration[-1] == settings.scfsteps),
        'imix': settings.imix,
        'strmix': settings.mixfac,
        'qbound': settings.qbound,
        'fcm': settings.fcm,
        'brymix': settings.mixfac,
    }
    group |= _moment_history(run)
    if not history.niter:
        return group
    polarised = settings.nspin != 1
    per_site = history.rms_charge_site[-1].tolist()
    group |= {
        'rms': float(history.rms_charge[-1]),
        'rms_all_iterations': history.rms_charge.tolist(),
        'rms_per_atom': per_site,
        'rms_spin': float(history.rms_spin[-1]) if polarised else None,
        'rms_spin_all_iterations': history.rms_spin.tolist() if polarised else [],
        'rms_spin_per_atom': list(per_site),
        'rms_unit': 'unitless',
    }
    if not np.isnan(history.total_energy).all():
        group['total_energy_Ry_all_iterations'] = history.total_energy.tolist()
    return group


def _magnetism(run: KkrimpRun) -> dict[str, Any]:
    history = run.history
    if not history.niter or history.settings.nspin == 1:
        return {}
    moments = history.spin_moment
    group: dict[str, Any] = {'total_spin_moment': float(moments[-1].sum()), 'total_spin_moment_unit': 'mu_Bohr'}
    if history.settings.spin_orbit:
        spin = _table(run.text(SPIN_MOMENTS), 3)[-history.natom :]
        if len(spin) == history.natom:
            group |= {
                'total_abs_spin_moment': float(np.linalg.norm(spin, axis=1).sum()),
                'spin_moment_per_atom': spin.tolist(),
                'spin_moment_unit': 'mu_Bohr',
            }
        orbital = _table(run.text(ORBITAL_MOMENTS), 6)[-history.natom :, 1::2]
        if len(orbital) == history.natom:
            group |= {
                'total_orbital_moment': orbital.sum(axis=0).tolist(),
                'orbital_moment_per_atom': orbital.tolist(),
                'orbital_moment_unit': 'mu_Bohr',
            }
    return {'magnetism_group': group}


def _moment_history(run: KkrimpRun) -> dict[str, Any]:
    """Moments of all iterations, as aiida-kkr puts them into the convergence group."""
    history = run.history

    def vectors(moments: Floats) -> list[list[float]]:
        return [[0.0, 0.0, float(moment)] for moment in moments]

    if history.settings.nspin == 1 or not history.niter:
        return {'total_spin_moment_all_iterations': [[], [], []]}
    moments = history.spin_moment
    every = [vectors(moments[-1]), vectors(moments.ravel()), float(moments[-1].sum())]
    group: dict[str, Any] = {'total_spin_moment_all_iterations': every}
    if history.settings.spin_orbit:
        group['spin_moment_per_atom_all_iterations'] = _table(run.text(SPIN_MOMENTS), 3).tolist()
        group['orbital_moment_per_atom_all_iterations'] = _table(run.text(ORBITAL_MOMENTS), 6)[:, 1::2].tolist()
    return group


def _energies(run: KkrimpRun) -> dict[str, Any]:
    results: dict[str, Any] = {}
    energy = run.history.total_energy
    if energy.size and not np.isnan(energy).all():
        results |= {
            'energy': float(energy[-1]) * RY_TO_EV_KKR,
            'energy_unit': 'eV',
            'total_energy_Ry': float(energy[-1]),
            'total_energy_Ry_unit': 'Rydberg',
        }
    fermi_energy = _fermi_energy(run)
    if fermi_energy is not None:
        results |= {'fermi_energy': fermi_energy, 'fermi_energy_units': 'Ry'}
    for key, values in (
        ('single_particle_energies', run.band_energies),
        ('total_energies_atom', run.single_particle_energies),
    ):
        if values is not None:
            results |= {key: values.tolist(), f'{key}_unit': 'eV'}
    return results


def _fermi_energy(run: KkrimpRun) -> float | None:
    if run.potential is not None:
        return run.potential.sites[0][0].efermi
    try:
        return float(run.text(POTENTIAL).splitlines()[3].split()[1])
    except (IndexError, ValueError):
        return None


def _charges(run: KkrimpRun) -> dict[str, Any]:
    history = run.history
    if not history.niter:
        return {}
    charge, core = history.charge[-1], history.core_charge[-1]
    values = {
        'total_charge_per_atom': charge,
        'charge_core_states_per_atom': core,
        'charge_valence_states_per_atom': charge - core,
    }
    results: dict[str, Any] = {}
    for key, array in values.items():
        if history.has_nan or not np.isnan(array).all():
            results |= {key: array.tolist(), f'{key}_unit': 'electron charge'}
    return results


def _contour(run: KkrimpRun) -> dict[str, Any]:
    history = run.history
    if not history.energies.size:
        return {}
    return {
        'energy_contour_group': {
            'emin': float(history.energies.real[0]),
            'emin_unit': 'Rydberg',
            'number_of_energy_points': len(history.energies),
            'epoints_contour': _pairs(history.energies),
            'epoints_contour_unit': 'Rydberg',
            'epoints_weights': _pairs(history.weights),
        }
    }


def _core_states(run: KkrimpRun) -> dict[str, Any]:
    if run.potential is None:
        return {}
    numbers: list[int] = []
    energies: list[float | None] = []
    names: list[str] = []
    for site in run.potential.sites:
        for atom in site:
            numbers.append(len(atom.core))
            if not atom.core:
                energies.append(None)
                names.append('no core states')
                continue
            highest = max(atom.core, key=lambda state: state.energy)
            n = highest.l + sum(state.l == highest.l for state in atom.core)
            energies.append(highest.energy)
            names.append(f'{n}{L_LETTERS[highest.l]}' if highest.l < len(L_LETTERS) else f'n={n}, l={highest.l}')
    return {
        'core_states_group': {
            'number_of_core_states_per_atom': numbers,
            'energy_highest_lying_core_state_per_atom': energies,
            'energy_highest_lying_core_state_per_atom_unit': 'Rydberg',
            'descr_highest_lying_core_state_per_atom': names,
        }
    }


def _warnings(run: KkrimpRun) -> dict[str, Any]:
    lines = [line.strip() for line in run.text(STDOUT).splitlines() if 'WARNING' in line.upper()]
    return {'number_of_warnings': len(lines), 'warnings_list': lines}


def _timings(text: str) -> dict[str, float]:
    """Seconds; those of the iterations are averages over the iterations."""
    sums: dict[str, float] = {}
    single: dict[str, float] = {}
    iterations = 0
    for line in text.splitlines():
        head, _, value = line.rstrip().rpartition(' ')
        name = head.strip()
        key = 'Iteration number' if name.startswith('Iteration number') else name
        if key not in (*_TIMINGS, 'time until scf starts', 'Total running time'):
            continue
        try:
            seconds = float(value)
        except ValueError:
            continue
        if key in _TIMINGS:
            sums[key] = sums.get(key, 0.0) + seconds
            iterations += key == 'Iteration number'
        else:
            single.setdefault(key, seconds)
    return single | {key: total / iterations for key, total in sums.items() if iterations}


def _missing_files(run: KkrimpRun) -> list[str]:
    missing = [f"Warning! File '{name}' not found." for name in _OPTIONAL_FILES if name not in run.files]
    if not run.text(TIMING).strip():
        missing.append(f"Warning! File '{TIMING}' is missing or empty; timings are unknown.")
    return missing


def _own_group(run: KkrimpRun, verdict: Verdict) -> dict[str, Any]:
    history = run.history
    group: dict[str, Any] = {
        'parser': 'mlkkr.kkrimp',
        'outcome': verdict.outcome.label,
        'message': verdict.message,
        'problems': [{'name': problem.name, 'message': problem.message} for problem in run.problems],
        'sanity_checked': not run.unchecked,
        'host_charges_known': run.host_known,
        'potential_usable': run.potential is not None and run.potential_finite,
        'converged': history.converged,
        'diverging': history.diverging,
        'stagnating': history.stagnating,
        'run_complete': history.complete,
        'iterations_started': history.iterations_started,
        'iterations_complete': history.niter,
        'last_step': history.step,
        'runs_in_log': history.runs_in_file,
        'corrections': list(CORRECTIONS),
    }
    if history.niter:
        group |= {
            'rms_spin_per_atom': history.rms_spin_site[-1].tolist(),
            'spin_moment_per_atom': history.spin_moment[-1].tolist(),
            'nuclear_charge_per_atom': history.nuclear_charge.tolist(),
        }
        if history.l_charge.size:
            group['valence_charge_by_spin_and_l'] = history.l_charge[-1].tolist()
    return group


def _pairs(values: NDArray[np.complex128]) -> list[list[float]]:
    return [[float(value.real), float(value.imag)] for value in values]


def _table(text: str, columns: int) -> Floats:
    """Rows of ``columns`` numbers, up to the first row that is damaged."""
    rows: list[list[float]] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith('#'):
            continue
        try:
            row = [float(token.replace('D', 'E')) for token in line.split()]
        except ValueError:
            break
        if len(row) != columns:
            break
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(-1, columns)


def printable(text: str) -> str:
    """The text with blanks for control characters: PostgreSQL stores no NUL."""
    return ''.join(char if char.isprintable() else ' ' for char in text)


def _storable(value: Any, place: str, not_finite: list[str]) -> Any:
    """The value with None for what is not finite; ``not_finite`` collects where that was."""
    if isinstance(value, dict):
        return {key: _storable(item, f'{place}.{key}'.lstrip('.'), not_finite) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item, place, not_finite) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        if place not in not_finite:
            not_finite.append(place)
        return None
    if isinstance(value, str):
        return printable(value)
    return value
