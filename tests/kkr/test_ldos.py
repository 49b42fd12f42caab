"""Files of local densities of states."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.ldos import LocalDensityOfStates, read_ldos

ENERGIES = np.linspace(-0.5, 0.5, 11)


def table(rows: np.ndarray) -> str:
    columns = np.vstack([ENERGIES, rows.sum(axis=0), rows, np.zeros(11)]).T
    return '# serial: JuKKR\n' + '\n'.join(' '.join(f'{value:.15e}' for value in row) for row in columns)


def files(digits: int = 2, natom: int = 2, nspin: int = 2, interpol: str = '') -> dict[str, str]:
    return {
        f'out_ldos.{interpol}atom={site:0{digits}d}_spin{spin}.dat': table(
            np.stack([np.full(11, 10.0 * site + spin + l / 10) for l in range(3)])
        )
        for site in range(1, natom + 1)
        for spin in range(1, nspin + 1)
    }


@pytest.mark.parametrize('digits', [2, 3])
@pytest.mark.parametrize('nspin', [1, 2])
def test_sites_spins_and_l(digits: int, nspin: int) -> None:
    found = read_ldos({**files(digits, nspin=nspin), **files(digits, 1, interpol='interpol.'), 'out_log.000.txt': 'no'})
    assert found.values.shape == (2, nspin, 3, 11)
    np.testing.assert_allclose(found.energies, ENERGIES, atol=1e-14)
    np.testing.assert_allclose(found.values[1, nspin - 1, :, 4], 20 + nspin + np.array([0.0, 0.1, 0.2]))
    on_axis = read_ldos({**files(digits), **files(digits, 1, interpol='interpol.')}, on_axis=True)
    assert on_axis.values.shape == (1, 2, 3, 11)


def test_electrons_up_to_an_energy_between_two() -> None:
    # ∫ (1 + E) dE from −1/2 to 0.23: exact by the trapezoidal rule
    values = np.broadcast_to(1 + ENERGIES, (2, 2, 3, 11))
    found = LocalDensityOfStates(ENERGIES, values).electrons(0.23)
    np.testing.assert_allclose(found, np.full((2, 2, 3), 0.73 + (0.23**2 - 0.25) / 2), rtol=1e-12)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda texts: texts.clear(), 'not one with RUNFLAG= ldos'),
        (lambda texts: texts.pop('out_ldos.atom=01_spin2.dat'), 'no out_ldos file of site 1, spin 2'),
        (
            lambda texts: texts.update({'out_ldos.atom=02_spin1.dat': '1 2 3 4 5\n2 3 4 5 6'}),
            'site 2, spin 1 has other',
        ),
        (lambda texts: texts.update({'out_ldos.atom=02_spin1.dat': '1 2 3 ****'}), 'spin1.dat: '),
        (lambda texts: texts.update({'out_ldos.atom=02_spin1.dat': '1 nan 3 4 5'}), 'spin1.dat: energies and'),
    ],
)
def test_what_cannot_be_read(change, message: str) -> None:
    texts = files()
    change(texts)
    with pytest.raises(KkrFileError, match=message):
        read_ldos(texts)
