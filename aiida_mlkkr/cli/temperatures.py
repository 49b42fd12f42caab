"""`aiida-mlkkr plot temperatures`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.exchange import find_table

if TYPE_CHECKING:
    from aiida.orm import StructureData

    from aiida_mlkkr.exchange.table import ExchangeTable
    from aiida_mlkkr.spins.lattice import HostLattice
    from aiida_mlkkr.spins.pair_temperatures import PairTemperatures

_COPPER = 3.61
"""Lattice constant of the pairs in copper [Å]."""


@click.command('temperatures')
@options.PROFILE()
@click.argument('what', metavar='[WHAT]...', nargs=-1)
@options.STRUCTURE(help='The host crystal; needed with WHAT.')
@click.option(
    '-c',
    '--concentrations',
    type=(float, float),
    default=(0.05, 0.05),
    show_default=True,
    metavar='C C',
    help='Shares of the sites that the dopant of the row and that of the column have.',
)
@options.ELEMENTS(help="The dopants in their order, such as 'V,Cr,Mn'.  [default: all]")
@click.option('--shells', type=click.IntRange(1), metavar='NUMBER', help='Only the closest ones.')
@click.option('--sublattice', default='0', show_default=True, metavar='LIST', help='Atoms of the cell, from 0.')
@options.MISSING_IS_ZERO()
@options.SEED(help='With which predictions are drawn.')
@options.FIGURE(default=Path('temperatures.png'))
def plot_temperatures(
    what: tuple[str, ...],
    structure: StructureData | None,
    concentrations: tuple[float, float],
    elements: str | None,
    shells: int | None,
    sublattice: str,
    missing_is_zero: bool,
    seed: int,
    output: Path,
) -> None:
    """Draw mean-field ordering temperatures of magnets with two dopants, one of them on the diagonal.

    WHAT is as for `show exchange`; without it, the pairs in copper that come with the package are taken. Where pairs
    are predicted the temperature is the mean over draws within their errors, with its standard deviation. Pairs that
    lack exchange where others have one are left out.
    """
    from aiida_mlkkr.exchange.errors import ExchangeError
    from aiida_mlkkr.exchange.tables import copper_pairs
    from aiida_mlkkr.exchange.views import closest
    from aiida_mlkkr.spins.errors import SpinModelError
    from aiida_mlkkr.spins.pair_temperatures import pair_temperatures

    if what and structure is None:
        raise click.UsageError('--structure is missing: the host of these pairs.')
    try:
        table = find_table(what) if what else copper_pairs()
        found = pair_temperatures(
            table if shells is None else closest(table, shells),
            _lattice(structure),
            concentrations,
            sublattice=[int(number) for number in sublattice.split(',')],
            elements=None if elements is None else [name.strip() for name in elements.split(',')],
            seed=seed,
            missing_is_zero=missing_is_zero,
        )
        _figure(found, output)
    except (ExchangeError, SpinModelError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    _tell(found, table, output)


def _lattice(structure: StructureData | None) -> HostLattice:
    import numpy as np

    from aiida_mlkkr.calculations.spin_models import lattice_of_structure
    from aiida_mlkkr.spins.lattice import HostLattice

    if structure is not None:
        return lattice_of_structure(structure)
    return HostLattice(_COPPER / 2 * (np.ones((3, 3)) - np.eye(3)), ('Cu',), np.zeros((1, 3)))


def _figure(found: PairTemperatures, output: Path) -> None:
    from aiida_mlkkr.plot.magnets import transition_matrix_figure

    errors = found.spread if (found.spread > 0).any() else None
    transition_matrix_figure(found.elements, found.mean, errors, 'mean field (K)').savefig(output)


def _tell(found: PairTemperatures, table: ExchangeTable, output: Path) -> None:
    """The highest temperature, and how many pairs of dopants there are."""
    import numpy as np

    known = np.isfinite(found.mean)
    text = f'{known.sum()} of {known.size} pairs of dopants in {table.host}: {output}'
    if known.any():
        row, column = np.unravel_index(np.nanargmax(found.mean), found.mean.shape)
        highest, spread = found.mean[row, column], found.spread[row, column]
        error = f' ± {spread:.2g}' if spread > 0 else ''
        text += f'\nhighest: {found.elements[row]}-{found.elements[column]}, {highest:.4g}{error} K'
    click.echo(text)
