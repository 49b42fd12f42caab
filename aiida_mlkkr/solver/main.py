"""``mlkkr-kkrimp``: the embedded impurity solver as a program that runs where KKRimp's input files are."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from aiida_mlkkr import __version__
from aiida_mlkkr.kkr.errors import KkrFileError

from .config import read_config
from .core import CoreStateError
from .errors import SolverError
from .output import OutputFiles
from .problem import read_problem
from .scf import iterate

EXIT_REFUSED = 2
EXIT_FAILED = 3


def run(directory: Path) -> bool:
    """Run the self-consistency in ``directory``; return whether it converged.

    :raises KkrFileError: if an input file is missing or damaged.
    :raises SolverError: if the input is inconsistent or unsupported, or the iterations break down; the last potential
        that was found stays in ``out_potential``.
    """
    config = read_config(directory / 'config.cfg')
    problem = read_problem(directory, config)
    output = OutputFiles(directory, config, sys.stdout)
    output.banner()
    output.problem(problem)
    converged = False
    for iteration in iterate(problem, config):
        output.iteration(problem, iteration)
        converged = iteration.error.largest < config.qbound
    if converged:
        output.converged()
    output.close()
    return converged


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='mlkkr-kkrimp',
        description="KKR impurity self-consistency in the atomic-sphere approximation: reads and writes KKRimp's files in "
        'the current directory. See the documentation of aiida-mlkkr for what it covers.',
    )
    parser.add_argument('--version', action='version', version=f'mlkkr-kkrimp {__version__}')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run in the current directory. Exit status: 0 done, 2 input refused, 3 the iterations broke down."""
    _parser().parse_args(arguments)
    try:
        run(Path.cwd())
    except (KkrFileError, SolverError, CoreStateError) as error:
        status = EXIT_REFUSED if isinstance(error, (KkrFileError, SolverError)) else EXIT_FAILED
        print(f'mlkkr-kkrimp: error: {error}', file=sys.stderr)
        sys.stdout.flush()
        raise SystemExit(status) from None
