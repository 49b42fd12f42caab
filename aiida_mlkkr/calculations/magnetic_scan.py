"""The magnetic solutions of a cluster of impurities, with their energies."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_mlkkr.kkr.constants import RYDBERG_EV
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.magnetic_states import distinct_solutions, signs_of
from aiida_mlkkr.kkr.potential import read_potential
from aiida_mlkkr.kkr.start_check import is_magnetic
from aiida_mlkkr.kkr.writeout import HOST_FILES
from aiida_mlkkr.solver.config import read_config
from aiida_mlkkr.solver.core import CoreStateError
from aiida_mlkkr.solver.errors import SolverError
from aiida_mlkkr.solver.grand_potential import grand_potentials
from aiida_mlkkr.solver.problem import read_problem

RUN_FILES: Final = ('kkrflex_atominfo', 'config.cfg')

GRAND_POTENTIAL: Final = (
    "grand_potential_meV: by Lloyd's formula for all electrons, also outside of the cluster; the electrostatic and "
    'exchange-correlation energy of what changes outside enters in second order.'
)
SITES_ONLY: Final = (
    'site_energy_meV: the total energy that KKRimp sums over the sites. It misses what changes outside of the cluster '
    'and can order states of a small cluster wrongly.'
)


@calcfunction
def magnetic_solutions(course: orm.Dict, host_writeout: orm.FolderData, **states: Any) -> orm.Dict:
    """Which moments the states converged to, which of these solutions are the same, and their energies.

    :param course: ``asked``, the moments asked for of each state, and ``failures``, why a state did not converge.
    :param host_writeout: retrieved files of the Green function write-out.
    :param states: a namespace for each converged state: ``results`` and ``potential`` of its self-consistency, and
        ``retrieved``, the files of its last calculation.
    :return: ``states``, a row for each; ``solutions``, a row for each distinct one, energies in meV above the lowest;
        ``lowest``, the number of it, and ``lowest_by``, the energy that says so; ``energies``, what they are.
    """
    told = course.get_dict()
    labels = [label for label in told['asked'] if label in states]
    results = {label: states[label]['results'].get_dict() for label in labels}
    moments = {label: _moments(results[label]) for label in labels}
    with StringIO(host_writeout.base.repository.get_object_content('out_potential', 'r')) as text:
        reversible = not is_magnetic(read_potential(text))
    numbers = dict(zip(labels, distinct_solutions(list(moments.values()), reversible), strict=True))
    rows = [
        {
            'state': label,
            'moments_asked': asked,
            'converged': label in results,
            'failure': told['failures'].get(label),
            'spin_moments': moments.get(label),
            'solution': numbers.get(label),
            'iterations': results.get(label, {}).get('iterations'),
            'start': results.get(label, {}).get('start'),
        }
        for label, asked in told['asked'].items()
    ]
    first = [
        next(label for label in labels if numbers[label] == number) for number in range(len(set(numbers.values())))
    ]
    energies, unavailable = _energies(host_writeout, {label: states[label] for label in first})
    solutions = [
        {
            'solution': number,
            'signs': signs_of(moments[label]),
            'spin_moments': moments[label],
            'charges': results[label]['impurity_charges'],
            'states': [other for other in labels if numbers[other] == number],
            **{name: float(1e3 * RYDBERG_EV * (values[number] - values.min())) for name, values in energies.items()},
        }
        for number, label in enumerate(first)
    ]
    by = next(iter(energies))
    return orm.Dict(
        {
            'states': rows,
            'solutions': solutions,
            'lowest': int(np.argmin(energies[by])) if solutions else None,
            'lowest_by': by,
            'energies': {'grand_potential_meV': unavailable or GRAND_POTENTIAL, 'site_energy_meV': SITES_ONLY},
            'reversed_is_the_same': reversible,
            'units': {'spin_moments': 'mu_Bohr', 'charges': 'e'},
        }
    )


def _moments(results: Mapping[str, Any]) -> list[float]:
    """Of the impurities; of one spin none."""
    return [float(moment) for moment in results.get('magnetic_state', {}).get('obtained', [])] or [
        0.0 for _ in results['impurity_sites']
    ]


def _energies(writeout: orm.FolderData, solutions: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Energies of the solutions in Ry, the best kind first, and why there is none by Lloyd's formula, if so."""
    summed = np.array([solution['results']['total_energy'] for solution in solutions.values()], dtype=np.float64)
    sites_only = {'site_energy_meV': summed}
    if len(solutions) < 2:
        return sites_only, 'Not computed: there is one solution only.'
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        potentials = [solution['potential'].get_content('r') for solution in solutions.values()]
        (folder / 'potential').write_text(potentials[0], encoding='ascii')
        run = next(iter(solutions.values()))['retrieved']
        for source, names in ((writeout, HOST_FILES), (run, RUN_FILES)):
            for name in set(names).intersection(source.base.repository.list_object_names()):
                (folder / name).write_bytes(source.base.repository.get_object_content(name, 'rb'))
        try:
            config = read_config(folder / 'config.cfg')
            omega, _ = grand_potentials(
                read_problem(folder, config), config, [read_potential(StringIO(text)) for text in potentials]
            )
        except (KkrFileError, SolverError, CoreStateError) as error:
            return sites_only, f'Not available: {str(error).replace(f"{directory}/", "")}'
    return {'grand_potential_meV': omega, **sites_only}, ''
