"""`aiida-mlkkr benchmark exchange`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_mlkkr.cli import options

if TYPE_CHECKING:
    from aiida_mlkkr.benchmark.exchange import PairPlan

QUICK_MODELS = ('median', 'extra_trees', 'gaussian_process')
SLOW_MODELS = ('composition_automl', 'compressed_soap_krr', 'coulomb_matrix_krr', 'soap_krr', 'stack')


@click.command('exchange')
@click.option(
    '-t',
    '--table',
    'table',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help='CSV file with exchange of pairs.',
)
@click.option(
    '--mapping',
    default='bi2te3_dimers',
    show_default=True,
    help='What its columns, units and convention are: a YAML file, or the name of a packaged one.',
)
@options.MODELS()
@options.SPLITS()
@click.option('--quick', is_flag=True, help='Three models, one seed, without elements and geometries left out: a try.')
@options.JOBS(help='Trainings at a time, each on one core.  [default: the number of cores]')
@options.FOLDER(
    default=Path('exchange-benchmark'),
    help='Folder for tables and figures; what its table holds already is not computed again.',
)
def exchange(
    table: Path,
    mapping: str,
    models: str | None,
    splits: str | None,
    quick: bool,
    jobs: int | None,
    output: Path,
) -> None:
    """Compare surrogates of exchange on a table of pairs, split in honest ways and in the one that leaks.

    The table is cleaned first; what is dropped or flagged is said. No profile of AiiDA is needed.
    """
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn

    from aiida_mlkkr.benchmark.exchange import ExchangeBenchmark
    from aiida_mlkkr.benchmark.exchange_report import REPORT, write_report
    from aiida_mlkkr.exchange.cleaning import clean, with_duplicates
    from aiida_mlkkr.exchange.errors import ExchangeError
    from aiida_mlkkr.exchange.mapping import read_mapping
    from aiida_mlkkr.exchange.reading import read_table
    from aiida_mlkkr.ml.errors import DatasetError, ModelError

    console = Console()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    try:
        raw = read_table(table, read_mapping(mapping))
        cleaned = clean(raw)
        for line in cleaned.lines():
            say(line)
        output.mkdir(parents=True, exist_ok=True)
        with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console) as progress:
            plan = _plan(models, splits, quick)
            repeated = with_duplicates(raw, cleaned)
            measured = ExchangeBenchmark(cleaned.pairs, repeated, plan, output, progress, jobs)
            measured.run()
    except (ExchangeError, DatasetError, ModelError) as error:
        raise click.ClickException(str(error)) from error
    written = write_report(measured, output)
    say((output / REPORT).read_text(encoding='utf-8'))
    say(f'written to {output}: {", ".join(written)}')


def _plan(models: str | None, splits: str | None, quick: bool) -> PairPlan:
    from aiida_mlkkr.benchmark.exchange import PairPlan
    from aiida_mlkkr.ml.exchange.models import model_names
    from aiida_mlkkr.ml.exchange.splits import SEEDED, SPLITS

    names = options.chosen(models, QUICK_MODELS if quick and models is None else model_names(), '--models')
    if quick:
        return PairPlan(names, options.chosen(splits, SEEDED, '--splits'), seeds=(0,))
    return PairPlan(names, options.chosen(splits, SPLITS, '--splits'), slow=SLOW_MODELS)
