"""``out_Jijmatrix`` as KKRimp writes it with CALCJIJMAT=1: the exchange matrices with moments along z, x and y.

Without spin-orbit coupling nothing depends on the direction of the moments. Across them the matrix is −J_ij (JuKKR's
sign, ½ Σ e_i·𝒥_ij e_j); along them it is −(1/4π) Im ∫ dE Σ_σ Tr[δt_i Gσ_ij δt_j Gσ_ji], which is no exchange.
"""

from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from .biquadratic import PairEnergy, pair_energy
from .exchange import DOWN, UP, MagneticSites, exchange_matrix

DIRECTIONS = ((2, 0.0, 0.0), (0, 1.57, 0.0), (1, 1.57, 1.57))
"""Cartesian direction of the moments and its angles, in the order of the iterations."""

WEAKEST = 1e-6
"""Exchange of pairs whose higher orders are computed, at least [Ry]."""


def jij_matrix_file(sites: MagneticSites, serial_number: str) -> str:
    """Return the text of the file for all pairs of the sites."""
    across, along = _elements(sites, UP, DOWN), 0.5 * (_elements(sites, UP, UP) + _elements(sites, DOWN, DOWN))
    rule = ' ' + 64 * '#'
    lines = [f'# serial: {serial_number}']
    for iteration, (axis, theta, phi) in enumerate(DIRECTIONS, start=1):
        lines += [' # ', rule, f' # Iteration number {iteration:12d}', rule]
        for i, j in product(range(sites.number), repeat=2):
            matrix = np.diag(np.where(np.arange(3) == axis, along[i, j], across[i, j]))
            lines.append(f'# coupling between{i + 1:3d}{j + 1:3d}')
            lines += [f'# direction of atom{site + 1:7d} theta/phi:{theta:8.2f}{phi:8.2f}' for site in (i, j)]
            lines.append('# gen. Jij matrix is')
            lines += [''.join(f'{value:26.16E}' for value in row) for row in matrix]
            lines.append(rule)
    return '\n'.join(lines) + '\n'


def biquadratic_file(sites: MagneticSites, serial_number: str) -> str:
    """Return the text of ``out_biquadratic``: E(θ) of each pair of the sites, in the project's convention [Ry].

    Pairs with an exchange below :data:`WEAKEST` are not turned: their higher orders are smaller still.
    """
    lines = [
        f'# serial: {serial_number}',
        '# H = -1/2 sum_(i/=j) [J e_i.e_j + B (e_i.e_j)^2], e along the spins up, Ry',
    ]
    lines.append('# i j J B rest E(pi)-E(0)')
    exchange = exchange_matrix(sites)
    for i, j in combinations(range(sites.number), 2):
        strong = abs(exchange[i, j]) >= WEAKEST
        found = pair_energy(sites, i, j) if strong else PairEnergy(exchange[i, j], 0.0, 0.0, 2 * exchange[i, j])
        values = (found.bilinear, found.biquadratic, found.rest, found.reversal)
        lines.append(f'{i + 1:4d}{j + 1:4d}' + ''.join(f'{value:20.11E}' for value in values))
    return '\n'.join(lines) + '\n'


def _elements(sites: MagneticSites, there: int, back: int) -> NDArray[np.float64]:
    """−(1/2π) Im ∫ dE Tr[δt_i G_ij δt_j G_ji] with the spins there and back, shape (n, n) [Ry]."""
    total = np.zeros(sites.green.shape[2:])
    for step, delta, g_there, g_back in zip(
        sites.steps, sites.delta_t, sites.green[there], sites.green[back], strict=True
    ):
        total += np.imag(step * delta[:, None] * g_there * delta * g_back)
    first = sites.offsets[:-1]
    elements: NDArray[np.float64] = np.add.reduceat(np.add.reduceat(total, first, axis=0), first, axis=1)
    return -elements / (2 * np.pi)
