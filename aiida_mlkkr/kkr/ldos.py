"""Local densities of states that KKRimp writes with ``RUNFLAG= ldos``, for each site, spin and l.

``out_ldos.atom=01_spin1.dat`` has −Im n_l(E)/π at the energies of the contour, πkT above the real axis, as functions of
Re E; ``out_ldos.interpol.atom=01_spin1.dat`` the same continued to the real axis, without the first and last energy.
The columns are E, the sum, s, p, d … and the part that depends on no l (zero here).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.errors import KkrFileError

FloatArray = NDArray[np.float64]

_NAME: Final = re.compile(r'out_ldos\.(interpol\.)?atom=(\d+)_spin([12])\.dat')
_SHORTEST: Final = 4  # E, sum, s, and what depends on no l


@dataclass(frozen=True, eq=False)
class LocalDensityOfStates:
    """Densities of states of the sites of a cluster.

    :param energies: shape (nE,) [Ry].
    :param values: of each site, spin (down first) and l, shape (natom, nspin, lmax+1, nE) [1/Ry]; with one spin that of
        each of the two.
    """

    energies: FloatArray
    values: FloatArray

    def electrons(self, fermi_energy: float) -> FloatArray:
        """Integral up to an energy [Ry] within those that are given, shape (natom, nspin, lmax+1).

        By the trapezoidal rule, with a straight line to the last energy.
        """
        below = self.energies < fermi_energy
        last = [np.interp(fermi_energy, self.energies, row) for row in self.values.reshape(-1, self.energies.size)]
        ends = np.array(last).reshape(*self.values.shape[:-1], 1)
        energies = np.append(self.energies[below], fermi_energy)
        integrals: FloatArray = np.trapezoid(np.concatenate([self.values[..., below], ends], axis=-1), energies)
        return integrals


def read_ldos(files: Mapping[str, str], on_axis: bool = False) -> LocalDensityOfStates:
    """Read the densities of states of all sites and spins.

    :param files: texts by name; others than ``out_ldos*`` are left alone.
    :param on_axis: those on the real axis.
    :raises KkrFileError: if there are none, one of a site or spin is missing or damaged, or they do not fit together.
    """
    tables: dict[tuple[int, int], FloatArray] = {}
    for name, text in files.items():
        found = _NAME.fullmatch(name)
        if found and bool(found[1]) == on_axis:
            tables[int(found[2]), int(found[3])] = _table(name, text)
    if not tables:
        raise KkrFileError('no out_ldos files: the calculation was not one with RUNFLAG= ldos, or broke off')
    natom, nspin = (max(numbers) for numbers in zip(*tables, strict=True))
    missing = sorted(set(product(range(1, natom + 1), range(1, nspin + 1))) - tables.keys())
    if missing:
        raise KkrFileError('no out_ldos file of site {}, spin {}'.format(*missing[0]))
    first = tables[1, 1]
    for (site, spin), table in tables.items():
        if table.shape != first.shape or not np.array_equal(table[:, 0], first[:, 0]):
            raise KkrFileError(
                f'out_ldos of site {site}, spin {spin} has other energies or columns than that of site 1'
            )
    values = np.stack([tables[key][:, 2:-1].T for key in sorted(tables)])
    return LocalDensityOfStates(first[:, 0], values.reshape(natom, nspin, *values.shape[1:]))


def _table(name: str, text: str) -> FloatArray:
    try:
        table = np.loadtxt(StringIO(text), ndmin=2)
    except ValueError as error:
        raise KkrFileError(f'{name}: {error}') from error
    if table.shape[1] < _SHORTEST or len(table) < 1 or not np.isfinite(table).all():
        raise KkrFileError(f'{name}: energies and densities of states expected, in {_SHORTEST} columns or more')
    return table
