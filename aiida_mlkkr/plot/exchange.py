"""Exchange interactions: over elements, over the distance, in the crystal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import SYMBOLS
from aiida_mlkkr.plot.emulators import COLORS
from aiida_mlkkr.plot.style import INK, MUTED, figure_style, panel_grid

Floats = NDArray[np.float64]
Pair = tuple[str, str]

_JS: Final = 'RdBu'
"""Ferromagnetic is blue, antiferromagnetic red."""
_ABSENT: Final = '#e4e7eb'
_FINE: Final = 400


def heat_map_figure(panels: Mapping[str, Mapping[Pair, float]]) -> Figure:
    """A panel for each shell: J in meV over both elements, blue where it is ferromagnetic; pairs not known are grey.

    :param panels: J by elements, by title; one order of a pair is enough.
    :raises ValueError: there is no panel.
    """
    elements = sorted({name for pairs in panels.values() for pair in pairs for name in pair}, key=SYMBOLS.index)
    colours = colormaps[_JS].with_extremes(bad=_ABSENT)
    with figure_style():
        width = max(3.2, 0.52 * len(elements) + 1.0)
        figure, axes, _ = panel_grid(len(panels), 3, 3 * width, 0.88 * width)
        for panel, (title, pairs) in zip(axes, panels.items(), strict=True):
            matrix = _matrix(elements, pairs)
            largest = np.nanmax(np.abs(matrix), initial=1e-12)
            image = panel.imshow(np.ma.masked_invalid(matrix), cmap=colours, vmin=-largest, vmax=largest)
            for i, j in np.argwhere(np.isfinite(matrix)):
                color = 'white' if abs(matrix[i, j]) > 0.6 * largest else INK
                size = 7.0 if len(elements) > 5 else 9.0
                panel.text(j, i, _short(matrix[i, j]), ha='center', va='center', color=color, fontsize=size)
            panel.set_xticks(range(len(elements)), elements)
            panel.set_yticks(range(len(elements)), elements)
            panel.tick_params(length=0, labelbottom=True, labelleft=True)
            panel.grid(visible=False)
            panel.set_title(title)
            figure.colorbar(image, ax=panel, shrink=0.8, label='J (meV)')
        return figure


def distance_figure(
    pairs: Mapping[str, tuple[Floats, Floats]], tails: Mapping[str, tuple[Floats, Floats]] | None = None
) -> Figure:
    """J and J R³ over the distance, points for what was computed and lines for tails.

    :param pairs: distances (n,) in Å and J (n,) in meV by name.
    :param tails: the same for lines, fine enough to be drawn, under the same names.
    :raises ValueError: there is no pair.
    """
    if not pairs:
        raise ValueError('a figure needs at least one pair')
    with figure_style():
        figure = Figure(figsize=(6.6, 6.0), layout='constrained')
        above, below = figure.subplots(2, 1, sharex=True)
        for panel in (above, below):
            panel.axhline(0.0, color=MUTED, linewidth=0.9, zorder=1)
        for (name, (r, j)), color in zip(pairs.items(), cycle(COLORS), strict=False):
            _both(above, below, r, j, 'o', color=color, label=name, markersize=5.0)
            if tails and name in tails:
                _both(above, below, *tails[name], '-', color=color, linewidth=1.2)
        above.set_ylabel('J (meV)')
        below.set_ylabel('J R³ (meV Å³)')
        below.set_xlabel('distance R (Å)')
        above.legend(ncols=1 + len(pairs) // 7)
        return figure


def vectors_figure(
    positions: Floats, elements: Sequence[str], pairs: NDArray[np.int64], j: Floats, d: Floats
) -> Figure:
    """The sites in space; a line for each pair, its colour J, and in its middle the vector D of i to j.

    The longest D, whose size is in the title, is drawn half as long as the shortest pair.

    :param positions: (n, 3) in Å; ``elements`` of the n sites.
    :param pairs: numbers of the sites (p, 2), from 0.
    :param j: (p,) in meV; ``d`` (p, 3) in meV.
    :raises ValueError: there is no pair.
    """
    if not len(pairs):
        raise ValueError('a figure needs at least one pair')
    with figure_style():
        figure = Figure(figsize=(6.4, 5.6), layout='constrained')
        panel = figure.add_subplot(projection='3d')
        scale = Normalize(-np.abs(j).max(initial=1e-12), np.abs(j).max(initial=1e-12))
        ends = positions[pairs]
        for (begin, end), color in zip(ends, colormaps[_JS](scale(j)), strict=True):
            panel.plot(*np.array([begin, end]).T, color=color, linewidth=3.0, zorder=1)
        longest, shortest = (np.linalg.norm(d, axis=1).max(), np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).min())
        arrows = d * (0.5 * shortest / longest if longest > 0 else 0.0)
        middles = ends.mean(axis=1)
        if longest > 0:
            panel.quiver(*middles.T, *arrows.T, color=INK, linewidth=1.4)
        _cube(panel, np.concatenate([positions, middles + arrows]))
        panel.scatter(*positions.T, s=90, color=MUTED, depthshade=False)
        for place, name in zip(positions, elements, strict=True):
            panel.text(*place, f'  {name}', color=INK)
        for axis, name in zip((panel.xaxis, panel.yaxis, panel.zaxis), 'xyz', strict=True):
            axis.set_label_text(f'{name} (Å)')
        panel.set_title(f'longest arrow: D = {longest:.3g} meV')
        figure.colorbar(ScalarMappable(scale, _JS), ax=panel, shrink=0.7, label='J (meV)', pad=0.12)
        return figure


def fine_distances(r: Floats) -> Floats:
    """Distances between the shortest and the longest, for a line."""
    return np.linspace(r.min(), r.max(), _FINE)


def _matrix(elements: Sequence[str], pairs: Mapping[Pair, float]) -> Floats:
    """J of all pairs, in both orders; not a number where it is not known."""
    matrix = np.full((len(elements), len(elements)), np.nan)
    for (a, b), value in pairs.items():
        row, column = elements.index(a), elements.index(b)
        matrix[row, column] = value
        if (b, a) not in pairs:
            matrix[column, row] = value
    return matrix


def _short(value: float) -> str:
    return f'{value:.0f}' if abs(value) >= 9.95 else f'{round(value, 1) + 0.0:.1f}'


def _cube(panel: Any, points: Floats) -> None:
    """The same scale along all axes, and room for these points."""
    middle, half = (points.max(axis=0) + points.min(axis=0)) / 2, 0.55 * np.ptp(points, axis=0).max()
    for axis, place in zip('xyz', middle, strict=True):
        getattr(panel, f'set_{axis}lim')(place - half, place + half)
    panel.set_box_aspect((1, 1, 1))


def _both(above: Axes, below: Axes, r: Floats, j: Floats, line: str, **style: Any) -> None:
    above.plot(r, j, line, **style)
    below.plot(r, j * r**3, line, **style)
