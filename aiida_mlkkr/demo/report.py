"""The demo's report: a table on the terminal, CSV, figures, and an HTML page that holds everything."""

from __future__ import annotations

import base64
import csv
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aiida_mlkkr.demo.results import (
    CHARGE_TOLERANCE,
    MOMENT_TOLERANCE,
    POTENTIAL_TOLERANCE,
    Comparison,
    ImpurityResult,
)
from aiida_mlkkr.demo.runs import GROUP
from aiida_mlkkr.plot.comparison import SiteComparison, comparison_figure
from aiida_mlkkr.plot.convergence import ConvergenceCurve, convergence_figure
from aiida_mlkkr.plot.potentials import RadialPotential, potentials_figure

CRITERION = 1e-6
_COMMAND_WIDTH = 52
_HEADINGS = ('', '', 'steps', 'charge (e)', 'moment (µB)', 'energy (Ry)', 'ΔV (Ry)', 'time (s)', 'nodes')


@dataclass(frozen=True)
class RunInfo:
    """What belongs to the report beside the numbers.

    :param field_kept: whether the settings differ from JuKKR's in that the initial field stays in the potential.
    :param host: what the impurities sit in, for example `Cu`.
    :param problems: impurities without a result, and why.
    :param seconds: wall time of this demo.
    """

    profile: str
    code: str
    code_is_ours: bool
    field_kept: bool
    host: str
    problems: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def code_name(self) -> str:
        """How the code is called in tables and figures."""
        return 'embedded solver' if self.code_is_ours else self.code


def _signed(value: float) -> str:
    return '0' if value == 0 else f'{value:+.0e}'


def _numbers(result: ImpurityResult) -> list[str]:
    return [
        f'{result.iterations}',
        f'{result.charges[0]:.5f}',
        f'{result.moment:.5f}',
        f'{result.energy:.6f}',
    ]


def _deviations(row: Comparison) -> list[str]:
    return [
        f'{row.ours.iterations - row.jukkr.iterations:+d}',
        _signed(row.charge_deviation),
        _signed(row.moment_deviation),
        _signed(row.energy_deviation),
        f'{row.potential_deviation:.0e}',
    ]


def _nodes(result: ImpurityResult) -> str:
    return ' '.join(map(str, result.pks))


def explanation(info: RunInfo) -> str:
    """What was done and what the columns mean."""
    field = (
        " (test flag accumulate_hfield: the initial field stays in the potential, as in JuKKR's release build)"
        if info.field_kept
        else ''
    )
    return (
        f"Single impurities in {info.host}, from the archived start potentials with JuKKR's settings{field}, "
        f"computed by {info.code}, compared with JuKKR's stored results. Charge: electrons on the impurity site. "
        'Moment, energy: of the whole cluster. ΔV: root mean square difference of the converged potentials, all sites '
        "and spins. Time: the code's own run time, JuKKR's on the machine of the archive."
    )


def verdict(rows: Sequence[Comparison], info: RunInfo) -> str:
    """One sentence on the agreement, and one for each impurity that stands apart."""
    same = sum(row.agrees for row in rows)
    sane = sum(row.ours.sane for row in rows)
    lines = []
    if rows:
        lines = [
            f'{sane} of {len(rows)} results passed the sanity check: charges, neutrality, moments, core states.',
            f'{same} of {len(rows)} impurities agree with JuKKR within {CHARGE_TOLERANCE:g} e on every site, '
            f'{MOMENT_TOLERANCE:g} µB in the moment and {1e3 * POTENTIAL_TOLERANCE:g} mRy in the potential.',
        ]
    for row in rows:
        if not row.agrees:
            lines.append(
                f'{row.ours.symbol} stands apart: charge {row.largest_charge_deviation:.1e} e on the worst site, '
                f'moment {abs(row.moment_deviation):.1e} µB, potential {1e3 * row.potential_deviation:.1e} mRy.'
            )
    lines += [f'{symbol} has no result: {problem}' for symbol, problem in info.problems]
    return '\n'.join(lines)


def commands(rows: Sequence[Comparison], info: RunInfo) -> list[tuple[str, str]]:
    """Commands to look further, each with what it shows."""
    verdi = f'verdi -p {info.profile}'
    lines = [(f'{verdi} process list -a -G {GROUP}', 'the calculations of the demo')]
    if rows:
        ours, jukkr = rows[0].ours, rows[0].jukkr
        lines += [
            (f'{verdi} process show {ours.pks[-1]}', f'inputs and outputs of the last calculation of {ours.symbol}'),
            (f'{verdi} calcjob outputcat {ours.pks[-1]} | less', 'what the code printed'),
            (f'{verdi} calcjob res {ours.pks[-1]}', 'the parsed results'),
            (f'{verdi} node graph generate {ours.pks[-1]}', 'where it comes from, as a picture (needs graphviz)'),
            (f'{verdi} process show {jukkr.pks[-1]}', "JuKKR's calculation in the archive"),
        ]
    lines.append((f'{verdi} shell', 'Python with AiiDA loaded'))
    return lines


def print_report(console: Console, rows: Sequence[Comparison], info: RunInfo) -> None:
    """Print table, verdict and commands."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for heading in _HEADINGS:
        table.add_column(heading, justify='left' if heading in ('', 'nodes') else 'right', no_wrap=True)
    for row in rows:
        ours, jukkr = row.ours, row.jukkr
        style = 'green' if row.agrees else 'red'
        table.add_row(Text(ours.symbol, 'bold'), 'here', *_numbers(ours), '', f'{ours.seconds:.1f}', _nodes(ours))
        table.add_row('', 'JuKKR', *_numbers(jukkr), '', f'{jukkr.seconds:.1f}', _nodes(jukkr), style='dim')
        table.add_row('', 'Δ', *_deviations(row), '', '', style=style, end_section=True)
    console.print()
    if rows:
        console.print(table)
        console.print(Text(explanation(info), style='dim'))
        console.print()
    console.print(Text(verdict(rows, info)))
    console.print()
    for command, meaning in commands(rows, info):
        console.print(Text(f'  {command:<{_COMMAND_WIDTH}} # {meaning}'), soft_wrap=True)
    console.print()


def write_report(folder: Path, rows: Sequence[Comparison], info: RunInfo) -> list[Path]:
    """Write CSV, figures and HTML page into the folder, which is made where it does not exist.

    :returns: the files written, the HTML page last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [_write_csv(folder / 'results.csv', rows)]
    figures = _write_figures(folder, rows, info) if rows else []
    page = folder / 'report.html'
    page.write_text(_page(rows, info, figures), encoding='utf-8')
    return [*files, *figures, page]


def _write_csv(path: Path, rows: Sequence[Comparison]) -> Path:
    with path.open('w', newline='', encoding='utf-8') as handle:
        writer = csv.writer(handle)
        writer.writerow(
            [
                'impurity',
                'iterations',
                'iterations_jukkr',
                'charge_e',
                'charge_jukkr_e',
                'largest_charge_deviation_e',
                'moment_muB',
                'moment_jukkr_muB',
                'energy_Ry',
                'energy_jukkr_Ry',
                'potential_deviation_mRy',
                'sanity_check',
                'seconds',
                'seconds_jukkr',
                'nodes',
                'nodes_jukkr',
            ]
        )
        for row in rows:
            ours, jukkr = row.ours, row.jukkr
            writer.writerow(
                [
                    ours.symbol,
                    ours.iterations,
                    jukkr.iterations,
                    f'{ours.charges[0]:.6f}',
                    f'{jukkr.charges[0]:.6f}',
                    f'{row.largest_charge_deviation:.6f}',
                    f'{ours.moment:.6f}',
                    f'{jukkr.moment:.6f}',
                    f'{ours.energy:.8f}',
                    f'{jukkr.energy:.8f}',
                    f'{1e3 * row.potential_deviation:.3e}',
                    'passed' if ours.sane else 'not done',
                    f'{ours.seconds:.2f}',
                    f'{jukkr.seconds:.2f}',
                    ' '.join(map(str, ours.pks)),
                    ' '.join(map(str, jukkr.pks)),
                ]
            )
    return path


def _write_figures(folder: Path, rows: Sequence[Comparison], info: RunInfo) -> list[Path]:
    labels = (info.code_name, 'JuKKR')
    curves, sites, potentials = [], [], []
    for row in rows:
        ours, jukkr = row.ours, row.jukkr
        atom = ours.potential.sites[0][0]
        name = f'{ours.symbol} in {info.host}'
        curves.append(ConvergenceCurve(name, ours.errors, jukkr.errors, ours.stage_ends))
        sites.append(SiteComparison(ours.symbol, atom.z, ours.charges, jukkr.charges, ours.moment, jukkr.moment))
        radial = [np.array([spin.v for spin in result.potential.sites[0]]) for result in (ours, jukkr)]
        potentials.append(RadialPotential(name, atom.z, atom.mesh.r, *radial))
    figures = {
        'convergence.png': convergence_figure(curves, CRITERION, labels),
        'charges_and_moments.png': comparison_figure(sites, CHARGE_TOLERANCE, MOMENT_TOLERANCE, labels),
        'potentials.png': potentials_figure(potentials, labels),
    }
    for name, figure in figures.items():
        figure.savefig(folder / name)
    return [folder / name for name in figures]


_CAPTIONS = {
    'convergence.png': 'Error of the potential against the iteration. Dashed: the change of the mixing scheme.',
    'charges_and_moments.png': "Above: values, JuKKR's as black bars. Below: deviations, hollow: no digit differs.",
    'potentials.png': 'Converged potential of the impurity: spin average, spin splitting, difference to JuKKR.',
}

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 1180px; margin: 2.5rem auto; padding: 0 1.5rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.2rem; margin-top: 2.4rem }
p.lead, p.note { color: #52606d; margin-top: 0 } p.note { font-size: .9rem } p.verdict { white-space: pre-line }
.scroll { overflow-x: auto; margin: 1.5rem 0 }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; white-space: nowrap }
th, td { text-align: right; padding: .18rem .9rem }
th { font-weight: 600; color: #52606d } tbody { border-top: 1px solid #cbd2d9 }
th:nth-child(-n+2), td:nth-child(-n+2), td:nth-child(9) { text-align: left } td:first-child { font-weight: 700 }
tr.jukkr td { color: #7b8794 } tr.same td { color: #2f6f4d } tr.apart td { color: #b42318; font-weight: 600 }
figure { margin: 1.2rem 0 2.2rem } img { max-width: 100% } figcaption { color: #52606d; font-size: .9rem }
pre { background: #f5f7fa; padding: 1rem; overflow-x: auto; font-size: .85rem }
"""

_PAGE_HEADING = ''.join(f'<th>{name}</th>' for name in _HEADINGS)


def _page_rows(row: Comparison) -> str:
    ours, jukkr = row.ours, row.jukkr
    lines = (
        ('', [ours.symbol, 'here', *_numbers(ours), '', f'{ours.seconds:.1f}', _nodes(ours)]),
        ('jukkr', ['', 'JuKKR', *_numbers(jukkr), '', f'{jukkr.seconds:.1f}', _nodes(jukkr)]),
        ('same' if row.agrees else 'apart', ['', 'Δ', *_deviations(row), '', '']),
    )
    cells = (''.join(f'<td>{html.escape(cell)}</td>' for cell in line) for _, line in lines)
    joined = '\n'.join(f'<tr class="{name}">{cell}</tr>' for (name, _), cell in zip(lines, cells, strict=True))
    return f'<tbody>\n{joined}\n</tbody>\n'


def _page(rows: Sequence[Comparison], info: RunInfo, figures: Sequence[Path]) -> str:
    body = ''.join(_page_rows(row) for row in rows)
    images = ''.join(
        f'<figure><img alt="{html.escape(_CAPTIONS[path.name])}" '
        f'src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode("ascii")}">'
        f'<figcaption>{html.escape(_CAPTIONS[path.name])}</figcaption></figure>\n'
        for path in figures
    )
    shell = '\n'.join(f'{command:<{_COMMAND_WIDTH}} # {meaning}' for command, meaning in commands(rows, info))
    title = html.escape(f'Impurities in {info.host}')
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body>
<h1>{title}</h1>
<p class="lead">{html.escape(info.code_name)} against JuKKR, by <code>aiida-mlkkr demo</code>
in {info.seconds:.0f} s (profile <code>{html.escape(info.profile)}</code>)</p>
<p class="verdict">{html.escape(verdict(rows, info))}</p>
<div class="scroll"><table><thead><tr>{_PAGE_HEADING}</tr></thead>
{body}</table></div>
<p class="note">{html.escape(explanation(info))}</p>
<h2>Figures</h2>
{images}<h2>Look further</h2>
<pre>{html.escape(shell)}</pre>
</body></html>
"""
