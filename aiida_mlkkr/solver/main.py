"""``mlkkr-kkrimp``: the embedded impurity solver as a program that runs where KKRimp's input files are."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np

from aiida_mlkkr.common.program import argument_parser, exit_statuses
from aiida_mlkkr.kkr.elements import L_LETTERS, SYMBOLS
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.kkrflex import read_atominfo, read_green
from aiida_mlkkr.kkr.potential import read_potential, write_potential

from .atom import AtomError, solve_atom
from .config import read_config
from .core import CoreStateError
from .errors import InconsistentInputError, ScfBreakdownError, SolverError
from .output import OutputFiles
from .problem import read_problem
from .scf import iterate
from .start import standard_start

PROGRAM = 'mlkkr-kkrimp'

REFUSED = (KkrFileError, SolverError, CoreStateError, AtomError)
"""Errors that say what is wrong with the input."""

MPI_SIZES = ('OMPI_COMM_WORLD_SIZE', 'PMI_SIZE', 'SLURM_STEP_NUM_TASKS')
"""Where Open MPI, MPICH with Intel MPI, and srun tell a process how many of it there are."""


def run(directory: Path) -> bool:
    """Run the self-consistency in ``directory``; return whether it converged.

    :raises KkrFileError: if an input file is missing or damaged.
    :raises SolverError: if the input is inconsistent or unsupported, or the iterations break down; the last potential
        that was found stays in ``out_potential``.
    :raises CoreStateError: if a core state cannot be found.
    :raises KeyboardInterrupt: after the end of the iteration in which the user interrupts.
    """
    begin = time.perf_counter()
    config = read_config(directory / 'config.cfg')
    problem = read_problem(directory, config)
    output = OutputFiles(directory, config, sys.stdout, begin)
    output.banner()
    output.problem(problem)
    converged = False
    with interruptions_wait() as check_interruption:
        for iteration in iterate(problem, config):
            output.iteration(problem, iteration)
            converged = iteration.error.largest < config.qbound
            check_interruption()
    if config.exchange:
        output.exchange(problem)
    if converged:
        output.converged()
    output.close()
    return converged


@contextmanager
def interruptions_wait() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C wait for the function that is yielded to be called; a second Ctrl-C acts at once."""
    asked = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


def check_serial(environment: Mapping[str, str], program: str) -> None:
    """Check that MPI has not started the program several times: all would write the same files.

    :raises SolverError: if it has.
    """
    for name in MPI_SIZES:
        if environment.get(name, '1') not in ('', '1'):
            raise SolverError(
                f'{program} is a serial program, but MPI started {environment[name]} of it ({name}); set with_mpi: '
                'false for the code, or withmpi: False in the options of the calculation'
            )


def write_start(directory: Path, host_potential: Path, moments: Sequence[float], nspin: int, output: Path) -> None:
    """Write the standard start potential of the cluster that the kkrflex files in ``directory`` describe.

    :param moments: spin moments to start with, µB, site by site; sites beyond the list have none.
    :raises KkrFileError: if a file is missing or damaged.
    :raises InconsistentInputError: if the host potential or the moments do not fit the cluster.
    """
    for path in (directory / 'kkrflex_atominfo', directory / 'kkrflex_green', host_potential):
        if not path.is_file():
            raise KkrFileError(f'{path} is missing')
    atoms = read_atominfo(directory / 'kkrflex_atominfo')
    z, lmax = atoms.z[~atoms.removed], atoms.lmax[~atoms.removed]
    if len(moments) > z.size:
        raise InconsistentInputError(f'{len(moments)} start moments for {z.size} sites')
    contour_bottom = read_green(directory / 'kkrflex_green').contour_bottom
    padded = np.zeros(z.size)
    padded[: len(moments)] = moments
    start = standard_start(z, lmax, read_potential(host_potential), contour_bottom, padded, nspin)
    write_potential(start, output)


def print_atom(element: str) -> None:
    """Print the self-consistent free atom of an element symbol or nuclear charge.

    :raises AtomError: if there is no such element from H to U.
    """
    if element.capitalize() in SYMBOLS:
        z = SYMBOLS.index(element.capitalize())
    elif element.isdecimal():
        z = int(element)
    else:
        raise AtomError(f'{element} is neither an element symbol nor a nuclear charge')
    atom = solve_atom(z)
    print(f'{atom.symbol} (Z = {z}), scalar-relativistic, LDA (Vosko-Wilk-Nusair)')
    for state in atom.states:
        print(f'  {state.n}{L_LETTERS[state.l]}  {state.occupation:5.2f} electrons  {state.energy:18.8f} Ry')
    print(f'total energy {atom.total_energy:.8f} Ry')


def _parser() -> argparse.ArgumentParser:
    parser = argument_parser(
        PROGRAM,
        'KKR impurity self-consistency in the atomic-sphere approximation. Without a command it reads '
        "KKRimp's input files in the current directory and writes its output files there.",
        '0 done (converged or not), 2 input refused, 3 the iterations broke down, 4 a file can be neither read nor '
        'written, 130 interrupted',
    )
    commands = parser.add_subparsers(dest='command')
    start = commands.add_parser('start', help='write the standard start potential of the cluster in this directory')
    start.add_argument(
        'host_potential', type=Path, help='potential of the host, such as out_potential of its write-out'
    )
    start.add_argument('--moments', type=float, nargs='*', default=[], help='start moments in µB, first site first')
    start.add_argument('--nspin', type=int, choices=(1, 2), default=2, help='number of spins (default: 2)')
    start.add_argument('--output', type=Path, default=Path('potential'), help='file to write (default: potential)')
    atom = commands.add_parser('atom', help='print the self-consistent free atom of an element')
    atom.add_argument('element', help='symbol or nuclear charge, H to U')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; its help lists the exit statuses."""
    options = _parser().parse_args(arguments)
    left = '; out_potential holds the last complete iteration, if any'
    with exit_statuses(PROGRAM, REFUSED, broken_down=(ScfBreakdownError, CoreStateError), left=left):
        if options.command == 'start':
            write_start(Path.cwd(), options.host_potential, options.moments, options.nspin, options.output)
        elif options.command == 'atom':
            print_atom(options.element)
        else:
            check_serial(os.environ, PROGRAM)
            run(Path.cwd())
