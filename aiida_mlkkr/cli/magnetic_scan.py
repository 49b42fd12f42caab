"""`aiida-mlkkr launch magnetic-scan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aiida_mlkkr.cli import options
from aiida_mlkkr.cli.workchains import host_inputs, run_or_submit

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, Node, ProcessNode


@click.command('magnetic-scan')
@options.PROFILE()
@options.HOST()
@options.KKR()
@options.ELEMENTS(required=True, help="Impurities, such as 'Mn,Fe'.")
@options.PATTERN()
@options.SHELL()
@click.option(
    '--state',
    'states',
    multiple=True,
    metavar='NAME=LIST',
    help="Starting moments in µB, such as 'high=5,5'; once for each.  [default: all signs of the moments of the free "
    'atoms, a low moment, none]',
)
@options.KKRIMP()
@options.protocol('cluster')
@options.SCREENING()
@options.DAEMON()
def magnetic_scan(
    host: Node,
    kkr: AbstractCode | None,
    elements: str,
    pattern: str,
    shell: int | None,
    states: tuple[str, ...],
    code: AbstractCode | None,
    protocol: str | None,
    screening: int | None,
    daemon: bool,
) -> None:
    """Which moments impurities converge to from several starting moments, and the energies of these solutions."""
    from aiida_mlkkr.demo.codes import embedded_solver
    from aiida_mlkkr.demo.errors import DemoError
    from aiida_mlkkr.workflows.magnetic_scan import MagneticScanWorkChain

    names = [name.strip() for name in elements.split(',')]
    wish: Any = [{'element': names[0]}] if len(names) == 1 else {'pattern': pattern, 'elements': names}
    if shell is not None and len(names) > 1:
        wish['shell'] = shell
    try:
        builder = MagneticScanWorkChain.get_builder_from_protocol(
            code or embedded_solver(),
            wish,
            states=dict(_state(text) for text in states) or None,
            protocol=protocol,
            overrides={} if screening is None else {'screening': {'shells': screening}},
            **host_inputs(host, kkr),
        )
    except (ValueError, DemoError) as error:
        raise click.ClickException(str(error)) from error
    run_or_submit(builder, daemon, 'results', _show)


def _show(node: ProcessNode) -> None:
    click.echo('\n'.join(report(node.outputs.results.get_dict())))


def report(results: dict[str, Any]) -> list[str]:
    """Lines on the states and the solutions of a scan."""
    lines = []
    for row in results['states']:
        asked = _moments(row['moments_asked'])
        found = f'solution {row["solution"]}' if row['converged'] else f'no solution: {row["failure"]}'
        lines.append(f'{row["state"]} ({asked}): {found}')
    for row in results['solutions']:
        energies = ', '.join(f'{name} {row[name]:.2f}' for name in results['energies'] if name in row)
        lines.append(f'solution {row["solution"]} {row["signs"]} ({_moments(row["spin_moments"])}): {energies}')
    lines.append(f'lowest: solution {results["lowest"]}, by {results["lowest_by"]}')
    return lines + [f'{name}: {words.removeprefix(f"{name}: ")}' for name, words in results['energies'].items()]


def _moments(moments: list[float]) -> str:
    return ', '.join(f'{moment:.3f}' for moment in moments) + ' µB'


def _state(text: str) -> tuple[str, list[float]]:
    name, _, moments = text.partition('=')
    try:
        return name.strip(), [float(word) for word in moments.split(',')]
    except ValueError as error:
        raise ValueError(f"--state {text}: a name and a moment for each impurity, such as 'high=5,5'") from error
