"""The look that all figures share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

INK = '#1f2933'
MUTED = '#7b8794'
STANDARD = '#c2410c'
EMULATOR = '#0f6cbd'
JUKKR = '#9aa5b1'
GOOD = '#e6f2ea'
AGREEMENT = '#2f6f4d'

_SETTINGS: dict[RcKeyType, Any] = {
    'font.size': 10.0,
    'font.family': 'sans-serif',
    'mathtext.fontset': 'dejavusans',
    'text.color': INK,
    'axes.labelcolor': INK,
    'axes.edgecolor': MUTED,
    'axes.linewidth': 0.8,
    'axes.titlesize': 11.0,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': '#e4e7eb',
    'grid.linewidth': 0.7,
    'axes.axisbelow': True,
    'xtick.color': '#52606d',
    'ytick.color': '#52606d',
    'lines.solid_capstyle': 'round',
    'legend.frameon': False,
    'figure.facecolor': 'white',
    'savefig.dpi': 160.0,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Within this context new figures, axes and texts take the package's settings."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def panel_grid(count: int, columns: int, width: float, row_height: float) -> tuple[Figure, list[Axes], list[Axes]]:
    """A figure of `count` equal panels in rows of at most `columns`, sharing both axes.

    :param width: width of the figure in inches.
    :param row_height: height of a row of panels in inches.
    :returns: the figure, its panels, and the empty places that are left in the last row, without axes.
    :raises ValueError: there is nothing to show.
    """
    if count < 1:
        raise ValueError('a figure needs at least one panel')
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns / 3 if columns < 3 else width, row_height * rows), layout='constrained')
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for panel in panels[count:]:
        panel.set_axis_off()
    for panel in panels[max(count - columns, 0) : count]:
        panel.tick_params(labelbottom=True)
    return figure, panels[:count], panels[count:]
