"""`aiida-mlkkr show`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.exchange import show_exchange
from aiida_mlkkr.cli.exchange_models import exchange_facts, made_of, show_exchange_report, where_from
from aiida_mlkkr.cli.model import check_model, find_model, predicts_exchange

if TYPE_CHECKING:
    from rich.console import Console

    from aiida_mlkkr.data.surrogate import SurrogateData

_QUANTITIES = {'average': 'spin average', 'splitting': 'splitting'}
_PERIODS = 7
_PARTS = {'own': 'with an impurity', 'around': 'beside one'}
_FACTORS = {**_PARTS, 'magnetic': 'with a magnetic one', 'unseen_host': 'in hosts not seen'}


@click.group('show')
def show() -> None:
    """Look at what there is."""


show.add_command(show_exchange)


@show.command('model')
@options.PROFILE()
@click.argument('what', metavar='MODEL')
def show_model(what: str) -> None:
    """What a trained model is: MODEL is a pk, UUID or label, or a file.

    Method and settings, hosts and elements that it has seen, what potentials it is for, how well it predicts what was
    left out of its training, and whether all of it fits together; surrogates of exchange likewise.
    """
    from rich.console import Console

    model = find_model(what)
    check_model(model)
    console, of_exchange = Console(), predicts_exchange(model)
    _print(console, exchange_facts(model) if of_exchange else _facts(model))
    console.print('\n'.join(periodic_table(model.spec.elements)), markup=False, highlight=False)
    report: Any = model.spec.details['report']
    if of_exchange:
        show_exchange_report(console, report)
    else:
        show_report(console, report)


def show_report(console: Console, report: dict[str, Any]) -> None:
    """How well an emulator predicts what was left out of its training, as a table."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title='Errors of sites left out of the training, in mRy')
    for title in ('', 'sites', 'number', 'to be learnt', 'left out', 'median'):
        table.add_column(title, justify='left' if title in ('', 'sites') else 'right')
    for quantity, its_name in _QUANTITIES.items():
        for part, sites in _PARTS.items():
            if row := report.get(f'{quantity}_{part}'):
                numbers = (row[name] for name in ('rms_Ry', 'left_out_rms_Ry', 'left_out_median_Ry'))
                table.add_row(its_name, sites, str(row['number_of_sites']), *(f'{1e3 * x:.2f}' for x in numbers))
    console.print(table, markup=False)
    moment = report.get('splitting_own', {}).get('left_out_moment_rms_muB')
    if moment is not None:
        console.print(f'Moments of impurities left out: {moment:.2f} µB off (rms).', markup=False, highlight=False)
    if outliers := report.get('outliers_Ry'):
        named = ', '.join(f'{name} (off by {off:.2f} Ry)' for name, off in outliers.items())
        console.print(
            f'Not learnt from, as they do not follow from the others: {named}. Most likely they are another kind of '
            'solution; look at their cores.',
            markup=False,
            highlight=False,
        )


def periodic_table(elements: Iterable[str]) -> Iterator[str]:
    """Lines of a periodic table, of the rows from the first to the last with one of the elements; others are dots."""
    from aiida_mlkkr.kkr.elements import SYMBOLS

    wanted = set(elements)
    rows: dict[int, dict[int, str]] = {}
    for z, symbol in enumerate(SYMBOLS[1:], start=1):
        row, column = _place(z)
        rows.setdefault(row, {})[column] = symbol if symbol in wanted else '·'
    filled = [row for row, cells in sorted(rows.items()) if wanted & set(cells.values())]
    for row in range(filled[0], filled[-1] + 1) if filled else ():
        if row in filled or row <= _PERIODS:
            yield ' '.join(f'{rows[row].get(column, ""):2}' for column in range(18)).rstrip()


def _place(z: int) -> tuple[int, int]:
    """Row and column of an element; the f elements of a period have a row of their own below all."""
    from aiida_mlkkr.kkr.cluster import MAX_Z
    from aiida_mlkkr.kkr.elements import NOBLE_GASES

    closed = (*NOBLE_GASES, MAX_Z)
    period = sum(electrons < z for electrons in closed)
    from_left, from_right = z - closed[period - 1] - 1, closed[period] - z
    if period >= 6 and 2 <= from_left < 17:
        return period + 2, from_left
    return period, from_left if from_left < 2 and from_right else 17 - from_right


def _facts(model: SurrogateData) -> dict[str, str]:
    """What is said of a model, by headings."""
    spec = model.spec
    settings: Any = spec.details['settings']
    options_ = ', '.join(f'{name} {value}' for name, value in settings['options'].items())
    calibration: Any = spec.details['calibration']
    return {
        'model': where_from(model),
        'method': f'{spec.model}, {settings["radial_functions"]} radial functions, seed {spec.seed}, '
        f'{options_ or "default options"}',
        'trained on': f'{spec.number} impurities ({", ".join(spec.elements)})',
        'hosts': ', '.join(spec.hosts),
        'potentials': ', '.join(f'{name} {value}' for name, value in spec.kind.items()),
        'errors times': ', '.join(f'{value:.2f} {_FACTORS[part]}' for part, value in calibration.items()),
        **made_of(model),
    }


def _print(console: Console, facts: dict[str, str]) -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        table.add_row(name, value)
    console.print(table, markup=False, highlight=False)
