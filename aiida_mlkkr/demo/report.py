"""The demo's report: tables and their explanation on the terminal, CSV, figures, and an HTML page that holds it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aiida_mlkkr.demo.page import Commands, html_page
from aiida_mlkkr.demo.results import (
    CHARGE_TOLERANCE,
    MOMENT_TOLERANCE,
    POTENTIAL_TOLERANCE,
    Impurity,
    median_saving,
)
from aiida_mlkkr.demo.runs import GROUP, SCHEDULES, STARTS
from aiida_mlkkr.demo.tables import TextTable, by_kind, percent, tables, write_csv
from aiida_mlkkr.kkr.potential import ImpurityPotential
from aiida_mlkkr.plot.comparison import SiteComparison, comparison_figure
from aiida_mlkkr.plot.convergence import StartCurves, convergence_figure
from aiida_mlkkr.plot.potentials import StartPotentials, potentials_figure

CRITERION = 1e-6
COMMAND_WIDTH = 52


@dataclass(frozen=True)
class RunInfo:
    """What belongs to the report beside the numbers.

    :param host: what the impurities sit in, for example `Cu`.
    :param problems: runs without a result, and why.
    :param seconds: wall time of this demo.
    """

    profile: str
    code: str
    code_is_ours: bool
    host: str
    problems: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def code_name(self) -> str:
        """How the code is called in tables and figures."""
        return 'embedded solver' if self.code_is_ours else self.code


def explanation(info: RunInfo) -> str:
    """What was done and what the columns mean."""
    return (
        f"Single impurities in {info.host}, computed by {info.code}. Standard start: the archive's potential by the "
        'voronoi code. Emulator: a start predicted by a model trained on all impurities of the archive but those of '
        'this element. Iterations: until the error of the potential is below '
        f'{CRITERION:g} Ry, with the same mixing schedule for both starts, of which the tuned one takes larger steps '
        'from a prediction; "!": not converged, which counts as no saving; "*": a start that was given up is counted '
        'in. Predicted: what the first iteration gives with the '
        'predicted potential. Moment: of the whole cluster. Charge: electrons on the impurity site. |Δ|, ΔV: largest '
        "deviation of any run from JuKKR's stored result, of the charges on any site, of the potentials as root mean "
        "square over all sites and spins. Time: the code's own run time, JuKKR's on the machine of the archive; the "
        "embedded solver's first runs on a machine take longer, because they compile it. The datasets are made once "
        'for all emulators; training: with the prediction.'
    )


def verdict(impurities: Sequence[Impurity], info: RunInfo) -> str:
    """What the emulator saved, whether the solutions are the same, and what did not go well."""
    lines = []
    for schedule in SCHEDULES:
        savings = [
            f'{percent(median_saving(members, schedule))} of the iterations of {kind} impurities '
            f'({", ".join(member.symbol for member in members)})'
            for kind, members in by_kind(impurities).items()
        ]
        if savings:
            lines.append(f'{schedule.capitalize()} schedule: the emulator saves {" and ".join(savings)} in the median.')
    if impurities:
        agreeing = sum(impurity.agrees for impurity in impurities)
        lines.append(
            f'{agreeing} of {len(impurities)} impurities agree with JuKKR, whatever the start, within '
            f'{CHARGE_TOLERANCE:g} e on every site, {MOMENT_TOLERANCE:g} µB in the moment and '
            f'{1e3 * POTENTIAL_TOLERANCE:g} mRy in the potential.'
        )
        lines += _time_spent(impurities)
    for impurity in impurities:
        lines += _remarks(impurity)
    return '\n'.join([*lines, *(f'{name}: no result: {problem}' for name, problem in info.problems)])


def _time_spent(impurities: Sequence[Impurity]) -> list[str]:
    """How long the runs with the default schedule took from each start, and the emulators themselves."""
    compared = [impurity for impurity in impurities if impurity.saving('default') is not None and impurity.prediction]
    if not compared:
        return []
    standard, emulator = (sum(impurity.runs[start, 'default'].seconds for impurity in compared) for start in STARTS)
    predictions = [impurity.prediction for impurity in compared if impurity.prediction is not None]
    datasets = max(prediction.datasets for prediction in predictions)
    training = sum(prediction.training for prediction in predictions)
    return [
        f'With the default schedule {len(compared)} runs took {standard:.0f} s from the standard start and '
        f"{emulator:.0f} s from the emulator's; besides, the emulators took {datasets:.0f} s for datasets and "
        f'{training:.0f} s for training and prediction.'
    ]


def _remarks(impurity: Impurity) -> list[str]:
    """What stands out of an impurity's runs."""
    lines = []
    for (start, schedule), run in impurity.runs.items():
        name = f'{impurity.symbol}, {start} start, {schedule} schedule'
        lines += [f'{name}: the start {dropped!r} was given up: {reason}' for dropped, reason in run.dropped]
        if run.solution is None:
            lines.append(f'{name}: not converged in {run.iterations} iterations.')
    if impurity.solutions and not impurity.agrees:
        lines.append(
            f'{impurity.symbol} stands apart from JuKKR: charge {impurity.charge_deviation:.1e} e on the worst site, '
            f'moment {impurity.moment_spread:.1e} µB, potential {1e3 * impurity.potential_deviation:.1e} mRy.'
        )
    return lines


def commands(impurities: Sequence[Impurity], info: RunInfo) -> Commands:
    """Commands to look further, each with what it shows."""
    verdi = f'verdi -p {info.profile}'
    lines = [(f'{verdi} process list -a -G {GROUP}', 'the workchains of the demo')]
    run = impurities[0].runs.get(('emulator', 'default')) if impurities else None
    if run is not None:
        pk, symbol = run.pks[0], impurities[0].symbol
        lines += [
            (f'{verdi} process status {pk}', f'what the workchain for {symbol} called'),
            (f'{verdi} process show {pk}', 'its inputs and outputs'),
            (f'{verdi} process report {pk}', 'what it said'),
            (f'{verdi} node graph generate {pk}', 'where it comes from, as a picture (needs graphviz)'),
            (f'{verdi} process show {impurities[0].jukkr.pks[-1]}', "JuKKR's calculation in the archive"),
        ]
    return [*lines, (f'{verdi} shell', 'Python with AiiDA loaded')]


def print_report(console: Console, impurities: Sequence[Impurity], info: RunInfo) -> None:
    """Print tables, verdict and commands."""
    console.print()
    if impurities:
        for table in tables(impurities):
            console.print(terminal_table(table))
        console.print(Text(explanation(info), style='dim'))
        console.print()
    console.print(Text(verdict(impurities, info)))
    console.print()
    for command, meaning in commands(impurities, info):
        console.print(Text(f'  {command:<{COMMAND_WIDTH}} # {meaning}'), soft_wrap=True)
    console.print()


def terminal_table(content: TextTable) -> Table:
    """A table for the terminal."""
    table = Table(
        title=content.title, title_justify='left', title_style='bold', box=box.SIMPLE_HEAD, pad_edge=False, padding=0
    )
    for number, heading in enumerate(content.headings):
        table.add_column(heading, justify='right' if number else 'left', no_wrap=True)
    for number, row in enumerate(content.rows, start=1):
        table.add_row(Text(row[0], 'bold'), *row[1:], end_section=number == len(content.rows))
    for row in content.medians:
        table.add_row(*row, style='bold')
    return table


def write_report(
    folder: Path, impurities: Sequence[Impurity], info: RunInfo, more: Mapping[str, str] = MappingProxyType({})
) -> list[Path]:
    """Write CSV, figures and HTML page into the folder, which is made where it does not exist.

    :param more: other pages in the folder, and what is on them.
    :returns: the files written, the HTML page last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [write_csv(folder / 'results.csv', impurities, info.code)]
    figures = _write_figures(folder, impurities, info) if impurities else {}
    page = folder / 'report.html'
    title = f'Impurities in {info.host}: start potentials from an emulator'
    lead = f'{info.code_name} against JuKKR, by aiida-mlkkr demo in {info.seconds:.0f} s (profile {info.profile})'
    texts = (verdict(impurities, info), explanation(info))
    content = html_page(title, lead, texts, tables(impurities), figures, commands(impurities, info), more)
    page.write_text(content, encoding='utf-8')
    return [*files, *figures, page]


def _write_figures(folder: Path, impurities: Sequence[Impurity], info: RunInfo) -> dict[Path, str]:
    """Write the figures; they come with their captions."""
    figures = {
        'convergence.png': (
            convergence_figure([_curves(impurity, info.host) for impurity in impurities], CRITERION),
            'Error of the potential against the iteration, from the standard and from the predicted start, with both '
            'mixing schedules. Grey: JuKKR. A cross ends a run that did not converge.',
        )
    }
    predicted = [
        impurity for impurity in impurities if impurity.prediction is not None and impurity.solution is not None
    ]
    if predicted:
        figures['potentials.png'] = (
            potentials_figure([_potentials(impurity, info.host) for impurity in predicted]),
            'Potential of the impurity site. Above: by how much the starts are off, averaged over spins. Below: the '
            'spin splitting of the starts and of the converged potential.',
        )
        figures['charges_and_moments.png'] = (
            comparison_figure(
                [_sites(impurity) for impurity in predicted], CHARGE_TOLERANCE, MOMENT_TOLERANCE, info.code_name
            ),
            "Above: charges and moments from the emulator's start. Below: deviations from JuKKR, of the charges on the "
            'worst site; hollow dots: no digit differs.',
        )
    for name, (figure, _) in figures.items():
        figure.savefig(folder / name)
    return {folder / name: caption for name, (_, caption) in figures.items()}


def _curves(impurity: Impurity, host: str) -> StartCurves:
    runs = [[impurity.runs.get((start, schedule)) for schedule in SCHEDULES] for start in STARTS]
    standard, emulator = ([run.errors if run is not None else np.empty(0) for run in pair] for pair in runs)
    name = f'{impurity.symbol} in {host}'
    return StartCurves(name, (standard[0], standard[1]), (emulator[0], emulator[1]), impurity.jukkr.errors)


def _potentials(impurity: Impurity, host: str) -> StartPotentials:
    assert impurity.prediction is not None
    assert impurity.solution is not None
    converged = impurity.solution.potential
    radial = [_impurity_site(potential) for potential in (impurity.start, impurity.prediction.potential, converged)]
    return StartPotentials(f'{impurity.symbol} in {host}', converged.sites[0][0].mesh.r, *radial)


def _impurity_site(potential: ImpurityPotential) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([spin.v for spin in potential.sites[0]])


def _sites(impurity: Impurity) -> SiteComparison:
    solution, reference = impurity.solution, impurity.reference
    assert impurity.prediction is not None
    assert solution is not None
    return SiteComparison(
        label=impurity.symbol,
        nuclear_charge=solution.potential.sites[0][0].z,
        charges=solution.charges,
        jukkr_charges=reference.charges,
        moment=solution.moment,
        jukkr_moment=reference.moment,
        predicted_charge=impurity.prediction.charge,
        predicted_moment=impurity.prediction.moment,
    )
