"""The demo's page of magnets: single impurities, their pairs, and the alloys that they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.text import Text

from aiida_mlkkr.demo.chain import SHARE, ChainRun
from aiida_mlkkr.demo.page import Commands, html_page
from aiida_mlkkr.demo.report import terminal_table
from aiida_mlkkr.demo.tables import NOTHING, TextTable
from aiida_mlkkr.workflows.multiscale.tools import name_of_shares

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_mlkkr.workflows.multiscale.tools import MultiscaleTools

PAGE = 'magnets.html'

EXPLANATION = (
    'All by the programs of this package, without JuKKR: single impurities from the predictions of an emulator '
    'that has not seen these elements; every two of them on the first shells, brought to self-consistency '
    "together; the exchange between them by Liechtenstein's formula, J > 0 ferromagnetic; random alloys, in boxes "
    'of two sizes with several arrangements each; parallel tempering. Frozen: two copies of a box become alike '
    'without a magnetisation, as in a spin glass or an antiferromagnet. The transition is where the cumulants of '
    'both sizes cross, with an error from arrangements and simulation; where they do not cross for sure it is '
    'where the larger box shows it, with the width of that as error, which is not yet the transition of a large '
    'alloy. '
    'Mean field: the ferromagnetic or antiparallel order of the average alloy; of the glass: what the squares of '
    'J alone would freeze at.'
)


def tables(tools: MultiscaleTools) -> list[TextTable]:
    """Impurities, J by shell, and the alloys."""
    return [_elements_table(tools), _pairs_table(tools), _alloys_table(tools)]


def print_magnets(console: Console, chain: ChainRun) -> None:
    """Print tables and what was found."""
    tools = _tools(chain)
    for table in tables(tools):
        console.print(terminal_table(table))
    console.print(Text(EXPLANATION, style='dim'))
    console.print()
    console.print(Text(_verdict(tools, chain)))
    console.print()


def write_magnets(folder: Path, chain: ChainRun) -> Path:
    """Write the page, its pictures and a CSV file of the pairs into the folder, which is made where it does not exist.

    :returns: the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tools = _tools(chain)
    if tools.shells():
        tools.exchange.write_csv(folder / 'pairs.csv')
    figures = {folder / name: caption for name, caption in _write_figures(folder, tools).items()}
    page = folder / PAGE
    lead = f'by aiida-mlkkr demo --full in {_seconds(chain):.0f} s (workchain {_pk(chain)})'
    texts = (_verdict(tools, chain), EXPLANATION)
    title = 'Chromium, manganese and iron in copper: from impurities to magnets'
    page.write_text(html_page(title, lead, texts, tables(tools), figures, _commands(chain)), encoding='utf-8')
    return page


def _tools(chain: ChainRun) -> MultiscaleTools:
    assert chain.node is not None
    tools: Any = chain.node.tools
    return tools


def _elements_table(tools: MultiscaleTools) -> TextTable:
    rows = [
        (name, _number(entry.get('moment'), 3), _number(entry.get('charge'), 3), entry['origin'] or NOTHING)
        for name, entry in tools.results['elements'].items()
    ]
    return TextTable('Single impurities', ('', 'moment (µB)', 'charge (e)', 'origin'), tuple(rows))


def _pairs_table(tools: MultiscaleTools) -> TextTable:
    shells = tools.shells()
    names = sorted({pair for pairs in shells.values() for pair in pairs})
    rows = [('-'.join(pair), *(_number(pairs.get(pair), 2) for pairs in shells.values())) for pair in names]
    headings = ('', *(f'{distance:.2f} Å' for distance in shells))
    return TextTable('J (meV) of pairs, by distance', headings, tuple(rows))


def _alloys_table(tools: MultiscaleTools) -> TextTable:
    headings = (
        '',
        'order',
        'transition\n(K)',
        '\n±',
        'seen\nin',
        'mean field:\n(K)',
        'of the glass\n(K)',
        'ground state:\nM / M(0)',
    )
    rows = []
    for entry in tools.results['compositions']:
        transition = entry['transition']
        ground = [state['magnetisation'] for state in entry['ground_states'] or ()]
        rows.append(
            (
                name_of_shares(entry['shares']),
                entry['order'] or NOTHING,
                _number(transition['temperature'], 1),
                _number(transition.get('total_error'), 1),
                NOTHING if transition['temperature'] is None else _seen_in(transition),
                _number(entry['mean_field_temperature'], 0),
                _number(entry['glass_mean_field_temperature'], 0),
                _number(float(np.mean(ground)) if ground else None, 3),
            )
        )
    return TextTable('Alloys', headings, tuple(rows))


def _seen_in(transition: dict[str, Any]) -> str:
    return 'a crossing' if transition['reason'] is None else 'one box'


def _verdict(tools: MultiscaleTools, chain: ChainRun) -> str:
    """What was found, and what failed."""
    return '\n'.join([*tools.summary(), *([chain.problem] if chain.problem else [])])


def _write_figures(folder: Path, tools: MultiscaleTools) -> dict[str, str]:
    figures: dict[str, tuple[Figure, str]] = {}
    if tools.shells():
        figures['exchange.png'] = (tools.plot_exchange(), 'J in meV of every two elements, for each shell.')
    if tools.labels:
        share = f'{100 * SHARE:g} % of the sites'
        figures['transitions.png'] = (tools.plot_transitions(), f'Where alloys order or freeze, {share} together.')
    for label in tools.labels:
        name = name_of_shares(tools.entry(label)['shares'])
        figures[f'{label}_curves.png'] = (
            tools.plot_order(label),
            f'{name}: magnetisation and overlap of two copies over the temperature.',
        )
        figures[f'{label}_cumulants.png'] = (
            tools.plot_cumulants(label),
            f'{name}: cumulants of the boxes, which cross at a transition.',
        )
    for label in tools.labels[:1]:
        name = name_of_shares(tools.entry(label)['shares'])
        figures[f'{label}_correlations.png'] = (
            tools.plot_correlations(label),
            f'{name}: correlations of moments over their distance.',
        )
        figures[f'{label}_ground_state.png'] = (tools.plot_ground_state(label), f'{name}: a ground state.')
    for file, (figure, _) in figures.items():
        figure.savefig(folder / file)
    return {file: caption for file, (_, caption) in figures.items()}


def _commands(chain: ChainRun) -> Commands:
    pk = _pk(chain)
    return [
        (f'verdi process status {pk}', 'what the chain called'),
        (f'verdi process report {pk}', 'what it said'),
        (f'verdi node graph generate {pk}', 'where it comes from, as a picture (needs graphviz)'),
        (f'load_node({pk}).tools.compositions()', 'in verdi shell: the alloys as a table; see also dir(….tools)'),
    ]


def _pk(chain: ChainRun) -> int:
    assert chain.node is not None
    assert chain.node.pk is not None
    return chain.node.pk


def _seconds(chain: ChainRun) -> float:
    """From the beginning of the workchain to its end."""
    assert chain.node is not None
    return float((chain.node.mtime - chain.node.ctime).total_seconds())


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f'{value:.{digits}f}'
