"""Liechtenstein's exchange against Lloyd's grand potential: ``python exchange_against_lloyd.py cu_fcc_asa.aiida``.

Converged potentials of single impurities are put on pairs of sites of the 13-site cluster; nothing is made
self-consistent, as the identity holds for any frozen potential.
"""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from archived_runs import extract

from aiida_mlkkr.exchange.conventions import RYDBERG_MEV
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.kkrflex import read_atominfo
from aiida_mlkkr.kkr.potential import AtomicPotential, ImpurityPotential, read_potential
from aiida_mlkkr.solver.config import read_config
from aiida_mlkkr.solver.exchange import MagneticSites, exchange_matrix, magnetic_sites, turning_energies
from aiida_mlkkr.solver.problem import read_problem

PAIRS = ((25, 25, 1), (24, 26, 1), (23, 25, 2), (26, 26, 3), (23, -24, 3), (25, 26, 4), (24, -25, 4))
"""Two elements, the second with a minus sign for antiparallel moments, and the squared distance of the sites."""

ANGLE = 0.02


def curvature(sites: MagneticSites) -> float:
    """J of two sites from moments turned by the same and by opposite angles, to fourth order of the angle."""

    def difference(angle: float) -> float:
        angles = np.array([[0.0, 0.0], [angle, angle], [angle, -angle]])
        _, same, opposite = turning_energies(sites, np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=2))
        return float(opposite - same) / (2 * np.sin(angle) ** 2)

    return (4 * difference(ANGLE) - difference(2 * ANGLE)) / 3


def turned(blocks: tuple[AtomicPotential, ...]) -> tuple[AtomicPotential, ...]:
    """The potential with its spins exchanged."""
    down, up = blocks
    return replace(down, v=up.v), replace(up, v=down.v)


def main(archive: Path, folder: Path) -> None:
    """Print one line for each pair."""
    stages = {
        run.name.split('Z=')[1].split()[0]: run.stages[-1] for run in extract(archive, folder) if 'Z=' in run.name
    }
    impurities = {z: read_potential(stages[str(z)] / 'jukkr' / 'out_potential', 2).sites for z in (23, 24, 25, 26, 28)}
    problem = read_problem(stages['28'], read_config(stages['28'] / 'config.cfg'))
    positions = read_atominfo(stages['28'] / 'kkrflex_atominfo').positions
    squares = np.sum((positions[:, None] - positions) ** 2, axis=2)
    for one, other, square in PAIRS:
        i, j = np.argwhere(np.abs(squares - square) < 1e-3)[0].tolist()
        sites = [impurities[28][-1]] * problem.natom  # a neighbour of Ni, without a moment, everywhere else
        sites[i], sites[j] = impurities[one][0], impurities[abs(other)][0]
        if other < 0:
            sites[j] = turned(sites[j])
        pair = magnetic_sites(replace(problem, potential=ImpurityPotential(tuple(sites))), [i, j])
        sign, exchange, lloyd = np.sign(other), exchange_matrix(pair)[0, 1] * RYDBERG_MEV, curvature(pair) * RYDBERG_MEV
        print(
            f'{symbol(one)}-{symbol(abs(other))} distance {np.sqrt(square):.3f}{" antiparallel" if sign < 0 else ""}: '
            f'{sign * exchange:.4f} meV, by Lloyd {sign * lloyd:.4f}, relative deviation {lloyd / exchange - 1:.1e}'
        )


if __name__ == '__main__':
    with TemporaryDirectory() as directory:
        main(Path(sys.argv[1]), Path(directory))
