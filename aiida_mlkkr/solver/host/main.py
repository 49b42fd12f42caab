"""``mlkkr-kkrhost``: the write-out of a host crystal as a program that runs where KKRhost's input files are."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from aiida_mlkkr import __version__
from aiida_mlkkr.common.program import argument_parser, exit_statuses

from ..main import REFUSED, check_serial
from .charge import HostCharge
from .problem import HostProblem
from .write_out import write_out

PROGRAM = 'mlkkr-kkrhost'


def run(directory: Path) -> None:
    """Write the kkrflex files for the input files in ``directory`` and print what was done.

    :raises KkrFileError: if an input file is missing or damaged.
    :raises SolverError: if the input is unsupported or inconsistent.
    :raises CoreStateError: if a core state cannot be found.
    """
    begin = time.perf_counter()
    problem, charge = write_out(directory)
    print(report(problem, charge, time.perf_counter() - begin))


def report(problem: HostProblem, charge: HostCharge, seconds: float) -> str:
    """Return what was done, in lines of name and value."""
    meshes = [f'{nx} {ny} {nz}' for nx, ny, nz in sorted(set(problem.meshes), reverse=True)]
    entries = [
        ('version', f'{PROGRAM} {__version__}'),
        ('nuclear charge', f'{problem.atom[0].z:g}'),
        ('spins', problem.nspin),
        ('lmax', problem.lmax),
        ('sites of the cluster', problem.cluster.natom),
        ('energies', problem.contour.energies.size),
        ('k meshes', ', '.join(meshes)),
        ('sites of the screening cluster', len(problem.reference.steps)),
        ('radius of the repulsive spheres (Bohr)', f'{problem.reference.radius:.4f}'),
        ('Fermi energy (Ry)', f'{problem.atom[0].efermi:.10f}'),
    ]
    if not problem.is_for_densities_of_states:
        entries += [
            ('density of states at the Fermi energy (1/Ry)', f'{charge.density_of_states:.6f}'),
            ('charge neutrality in unit cell', f'{charge.excess:.8f}'),
            ('spin moment in unit cell (Bohr magnetons)', f'{charge.spin_moment:.8f}'),
        ]
    entries.append(('seconds', f'{seconds:.1f}'))
    lines = [f'{name} = {value}' for name, value in entries]
    if problem.repeated_meshes:
        lines.append(
            'WARNING: the cluster is too large for the coarsest k meshes, the Green function between its distant sites '
            'is wrong; set <set_kmesh_large>, or a larger BZDIVIDE'
        )
    return '\n'.join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; its help lists the exit statuses."""
    parser = argument_parser(
        PROGRAM,
        'Green function of a host crystal between the sites of a cluster, one atom per cell, in the '
        "atomic-sphere approximation. Reads KKRhost's input files (inputcard, potential, scoef) in the current "
        'directory and writes the kkrflex files there.',
        '0 done, 2 input refused, 4 a file can be neither read nor written, 130 interrupted',
    )
    parser.parse_args(arguments)
    with exit_statuses(PROGRAM, REFUSED):
        check_serial(os.environ, PROGRAM)
        run(Path.cwd())
