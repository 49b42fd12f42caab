"""`aiida-mlkkr benchmark`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.benchmark_exchange import exchange
from aiida_mlkkr.cli.options import chosen

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Group
    from rich.console import Console

    from aiida_mlkkr.benchmark.cases import Case
    from aiida_mlkkr.benchmark.iterations import Converge
    from aiida_mlkkr.benchmark.plan import Plan


@click.group('benchmark')
def benchmark() -> None:
    """Measure what this package promises, on data of yours."""


benchmark.add_command(exchange)


@benchmark.command('emulator')
@options.PROFILE()
@options.GROUPS()
@click.option(
    '-d',
    '--dataset',
    'datasets',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help='File with a dataset of finished impurities: their potentials are compared, without self-consistencies.',
)
@options.MODELS(help='Models, separated by commas.  [default: all that are installed with what they need]')
@options.SPLITS(default='impurity,element,row,host', show_default=True, help='What is left out, separated by commas.')
@click.option(
    '--scf-models', metavar='NAMES', help='Models with which self-consistencies are run.  [default: all of --models]'
)
@click.option('--scf-splits', metavar='NAMES', help='What they have not seen then.  [default: all of --splits]')
@click.option('--starts', metavar='NAMES', help='Starts that are not learnt.  [default: voronoi, free_atoms and host]')
@click.option('--schedules', metavar='NAMES', help='Mixing schedules.  [default: default and tuned]')
@click.option('--scf/--no-scf', default=True, show_default=True, help='Whether self-consistencies are run at all.')
@click.option('--quick', is_flag=True, help='Four impurities of every host, and impurities left out only: a try.')
@options.KKRIMP(
    help='A KKRimp code of the profile for the self-consistencies (by mlkkr.imp_scf) instead of the embedded solver.',
)
@options.FOLDER(
    default=Path('emulator-benchmark'),
    help='Folder for tables and figures; what its tables hold already is not computed again.',
)
def emulator(
    groups: tuple[Group, ...],
    datasets: tuple[Path, ...],
    models: str | None,
    splits: str,
    scf_models: str | None,
    scf_splits: str | None,
    starts: str | None,
    schedules: str | None,
    scf: bool,
    quick: bool,
    code: AbstractCode | None,
    output: Path,
) -> None:
    """Compare models of impurity potentials, and what they must beat, on finished impurities.

    Each impurity is predicted by models that have not seen it (nor its element, its row of the periodic table, its
    host). Written are the errors of the potentials, learning curves, and the iterations of self-consistencies from
    predicted potentials and from those that are not learnt, with both mixing schedules. A start that does not lead to
    the known solution saves nothing. The self-consistencies run in this process unless there is a code for them, which
    those in full potential need.
    """
    from rich.console import Console

    from aiida_mlkkr.ml.errors import DatasetError, ModelError
    from aiida_mlkkr.query import QueryError

    if not groups and not datasets:
        raise click.UsageError('nothing to measure with: give --group or --dataset')
    console = Console()
    plan = _plan(console, models, 'impurity' if quick else splits, scf_models, scf_splits, starts, schedules, scf)
    try:
        with _cases(console, groups, datasets, quick) as cases:
            _run(console, cases, _possible(console, plan, cases, code), output, _runner(code))
    except (QueryError, DatasetError, ModelError) as error:
        raise click.ClickException(str(error)) from error


def _models(console: Console, text: str | None) -> tuple[str, ...]:
    """The models that a list names; without one all that can be used here."""
    from aiida_mlkkr.ml.errors import ModelError
    from aiida_mlkkr.ml.models import model_names, model_type

    usable = []
    for name in chosen(text, model_names(), '--models'):
        try:
            model_type(name)
        except ModelError as error:
            if text is not None:
                raise click.BadParameter(str(error), param_hint='--models') from error
            console.print(f'left out: {error}', markup=False, highlight=False, soft_wrap=True)
        else:
            usable.append(name)
    return tuple(usable)


def _plan(
    console: Console,
    models: str | None,
    splits: str,
    scf_models: str | None,
    scf_splits: str | None,
    starts: str | None,
    schedules: str | None,
    scf: bool,
) -> Plan:
    from aiida_mlkkr.benchmark.plan import Plan
    from aiida_mlkkr.benchmark.starts import FIXED_STARTS
    from aiida_mlkkr.kkr.schedule import Schedule, schedule_values
    from aiida_mlkkr.ml.emulator import EmulatorSettings
    from aiida_mlkkr.ml.splits import SPLITS
    from aiida_mlkkr.workflows.protocols import protocol_inputs, read_protocols

    left_out = chosen(splits, SPLITS, '--splits')
    fixed = chosen(starts, FIXED_STARTS, '--starts')
    definitions = read_protocols('schedules')
    mixing = chosen(schedules, tuple(definitions), '--schedules')
    names = _models(console, models)
    defaults = protocol_inputs('imp_scf')
    return Plan(
        models=tuple(EmulatorSettings(model=name) for name in names),
        splits=left_out,
        scf_models=chosen(scf_models, names, '--scf-models') if scf else (),
        scf_splits=chosen(scf_splits, left_out, '--scf-splits'),
        fixed=fixed,
        scf_fixed=fixed if scf else (),
        schedules=tuple(
            Schedule.from_values(schedule_values(definitions, name, defaults['convergence'])) for name in mixing
        ),
        max_expected=defaults['max_predicted_error'],
    )


@contextmanager
def _cases(console: Console, groups: Sequence[Group], datasets: Sequence[Path], quick: bool) -> Iterator[list[Case]]:
    """The impurities of groups and files; while the context lasts their folders are there."""
    from aiida_mlkkr.benchmark.cases import cases_of_dataset, comparable, first_of_hosts
    from aiida_mlkkr.campaign.cases import CaseFolders
    from aiida_mlkkr.ml.files import read_dataset
    from aiida_mlkkr.query import find_impurities

    with TemporaryDirectory(prefix='mlkkr-benchmark-') as folder:
        cases = [case for path in datasets for case in cases_of_dataset(read_dataset(path))]
        with console.status('looking at impurities'):
            nodes = [node for group in groups for node in group.nodes]
            found, dropped = CaseFolders(Path(folder)).cases(find_impurities(nodes=nodes).usable if nodes else [])
        for label, reason in dropped.items():
            console.print(f'{label} is left out: {reason}', markup=False, highlight=False)
        usable = comparable([*found, *cases])
        yield first_of_hosts(usable, 4) if quick else usable


def _possible(console: Console, plan: Plan, cases: Sequence[Case], code: AbstractCode | None) -> Plan:
    """A plan without the self-consistencies that only a code can do: those in full potential."""
    asked = (plan.scf_models or plan.scf_fixed) and any(case.files for case in cases)
    if code is not None or not asked or not cases[0].kind.full_potential:
        return plan
    console.print('No self-consistencies: those in full potential need a KKRimp code, name one with --kkrimp.')
    return replace(plan, scf_models=(), scf_fixed=())


def _runner(code: AbstractCode | None) -> Converge:
    from aiida_mlkkr.benchmark.scf import InProcess
    from aiida_mlkkr.campaign.cases import WithCode
    from aiida_mlkkr.kkr.cures import Cures
    from aiida_mlkkr.workflows.protocols import protocol_inputs

    if code is not None:
        return WithCode(code)
    return InProcess(Cures.from_values(protocol_inputs('kkrimp_base')['cures'], {}))


def _run(console: Console, cases: list[Case], plan: Plan, output: Path, converge: Converge) -> None:
    from rich.progress import Progress

    from aiida_mlkkr.benchmark.plan import EmulatorBenchmark
    from aiida_mlkkr.benchmark.report import write_report

    output.mkdir(parents=True, exist_ok=True)
    hosts = ', '.join(dict.fromkeys(case.record.host.name for case in cases))
    console.print(f'{len(cases)} impurities in {hosts}', markup=False, highlight=False)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        measured = EmulatorBenchmark(cases, plan, output, converge, progress)
        measured.run()
        written = write_report(measured, output)
    console.print((output / 'report.md').read_text(encoding='utf-8'), markup=False, highlight=False, soft_wrap=True)
    console.print(f'written to {output}: {", ".join(written)}', markup=False, highlight=False, soft_wrap=True)
