"""Spin models: magnetisation and cumulants against temperature, correlations, transitions, and moments as arrows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import AGREEMENT, EMULATOR, INK, MUTED, STANDARD, figure_style

Floats = NDArray[np.float64]

_COLORS = (EMULATOR, STANDARD, AGREEMENT, INK, MUTED)
_MARKERS = ('o', 's', '^', 'D', 'v')
_ARROW = 0.8
"""Length of an arrow as share of the mean distance of moments."""

_WIDE = 30.0
"""From a highest temperature that is so many times the lowest on, the axis is logarithmic."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A quantity against the temperature.

    :param temperatures, values, errors: shape (t); temperatures in K.
    """

    label: str
    temperatures: Floats
    values: Floats
    errors: Floats


def magnetisation_figure(
    magnetisation: Sequence[Curve], susceptibility: Sequence[Curve], transition: tuple[float, float] | None = None
) -> Figure:
    """The magnetisation, and below it the susceptibility.

    :param magnetisation: shares of saturation; ``susceptibility`` in µB/T per moment.
    :param transition: temperature of the transition and its error [K].
    :raises ValueError: there is no curve.
    """
    return curves_figure([('M / M(0)', magnetisation), ('χ (µB/T per moment)', susceptibility)], transition)


def binder_figure(cumulants: Sequence[Curve], transition: tuple[float, float] | None = None) -> Figure:
    """Cumulants of boxes of different size, which cross at the transition.

    :param transition: temperature of the transition and its error [K].
    :raises ValueError: there is no curve.
    """
    return curves_figure([('Binder cumulant', cumulants)], transition)


def correlations_figure(distances: Floats, temperatures: Floats, correlations: Floats, errors: Floats) -> Figure:
    """Correlations of moments against their distance, a line for each temperature.

    :param distances: shape (s) [Å]; ``temperatures`` shape (t) [K].
    :param correlations: mean of e_i·e_j, shape (t, s), and their ``errors``.
    :raises ValueError: there is no distance or no temperature.
    """
    if not correlations.size:
        raise ValueError('a figure needs at least one distance and one temperature')
    colors = matplotlib.colormaps['viridis'](np.linspace(0.0, 0.9, len(temperatures)))
    with figure_style():
        figure = Figure(figsize=(6.4, 4.2), layout='constrained')
        panel = figure.subplots()
        panel.axhline(0.0, color=MUTED, linewidth=0.8)
        for temperature, values, spread, color in zip(temperatures, correlations, errors, colors, strict=True):
            panel.errorbar(
                distances, values, spread, color=color, marker='o', markersize=4.0, linewidth=1.2, capsize=2.0,
                label=f'{temperature:.4g} K',
            )  # fmt: skip
        panel.set_xlabel('distance (Å)')
        panel.set_ylabel('⟨e·e′⟩')
        panel.legend(fontsize=8.0, ncols=2)
        return figure


def transition_matrix_figure(
    elements: Sequence[str], temperatures: Floats, errors: Floats | None = None, label: str = 'transition (K)'
) -> Figure:
    """Temperatures of magnets with two dopants each, with one on the diagonal.

    :param temperatures: shape (e, e) [K]; NaN where there is none, shown as a dash. ``errors`` likewise.
    :raises ValueError: there is no element, or the matrix has another shape.
    """
    count = len(elements)
    if not count or temperatures.shape != (count, count):
        raise ValueError(f'{count} elements and temperatures of shape {temperatures.shape}')
    with figure_style():
        figure = Figure(figsize=(2.2 + 0.85 * count, 1.4 + 0.75 * count), layout='constrained')
        panel = figure.subplots()
        highest = max(float(np.nanmax(temperatures, initial=0.0)), 1e-9)
        image = panel.imshow(np.ma.masked_invalid(temperatures), cmap='YlOrRd', vmin=0.0, vmax=highest)
        for (i, j), value in np.ndenumerate(temperatures):
            text = '–' if np.isnan(value) else f'{value:.3g}'
            if errors is not None and np.isfinite(errors[i, j]) and np.isfinite(value):
                text += f'\n± {errors[i, j]:.2g}'
            color = 'white' if value > 0.65 * highest else INK
            panel.text(j, i, text, ha='center', va='center', color=color, fontsize=9.0)
        panel.set_xticks(range(count), elements)
        panel.set_yticks(range(count), elements)
        panel.grid(visible=False)
        figure.colorbar(image, ax=panel, label=label, shrink=0.85)
        return figure


def configuration_figure(positions: Floats, directions: Floats, elements: Sequence[str], box: Floats) -> Figure:
    """A configuration as arrows, coloured by their component along z; each element has a marker of its own.

    :param positions: shape (n, 3) [Å]; ``directions`` unit vectors, shape (n, 3).
    :param box: vectors of the box in rows, shape (3, 3) [Å].
    """
    colors = matplotlib.colormaps['coolwarm']
    with figure_style():
        figure = Figure(figsize=(7.6, 6.0))
        panel = cast(Axes3D, figure.add_axes((0.0, 0.0, 0.86, 1.0), projection='3d', computed_zorder=False))
        _draw_box(panel, box)
        for element, marker in zip(sorted(set(elements)), _MARKERS * len(elements), strict=False):
            places = positions[np.array(elements) == element]
            panel.scatter(*places.T, s=16, marker=marker, color=MUTED, linewidths=0, label=element, depthshade=False)
        length = _ARROW * float((abs(np.linalg.det(box)) / len(positions)) ** (1 / 3))
        tails = positions - 0.5 * length * directions
        shades = colors(0.5 * (1 + directions[:, 2]))
        panel.quiver(
            *tails.T, *(length * directions).T, colors=shades, linewidths=2.0, arrow_length_ratio=0.35, zorder=3
        )
        panel.set_aspect('equal')
        panel.set_box_aspect(None, zoom=1.25)
        panel.set_axis_off()
        panel.legend(loc='upper left', bbox_to_anchor=(0.04, 0.96))
        scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(-1, 1), colors)
        figure.colorbar(scale, cax=figure.add_axes((0.86, 0.2, 0.025, 0.6)), label='component along z')
        return figure


def _draw_box(panel: Axes3D, box: Floats) -> None:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    for one in corners:
        for other in corners:
            if np.sum(other - one) == 1 == np.abs(other - one).sum():
                panel.plot(*np.stack([one @ box, other @ box]).T, color=MUTED, linewidth=0.8)


def curves_figure(
    quantities: Sequence[tuple[str, Sequence[Curve]]], transition: tuple[float, float] | None = None
) -> Figure:
    """Several quantities over the temperature, a panel for each, from zero on.

    :param transition: temperature of the transition and its error [K].
    :raises ValueError: there is no curve.
    """
    if not all(curves for _, curves in quantities):
        raise ValueError('a figure needs at least one curve')
    with figure_style():
        figure = Figure(figsize=(6.4, 1.0 + 2.9 * len(quantities)), layout='constrained')
        panels = figure.subplots(len(quantities), 1, sharex=True, squeeze=False)[:, 0]
        for panel, (label, curves) in zip(panels, quantities, strict=True):
            _draw(panel, curves, transition)
            panel.set_ylabel(label)
            panel.set_ylim(bottom=min(panel.get_ylim()[0], 0.0))
        every = np.concatenate([curve.temperatures for _, curves in quantities for curve in curves])
        if every.max() > _WIDE * every.min():
            panels[-1].set_xscale('log')
            panels[-1].xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            panels[-1].xaxis.set_major_formatter('{x:g}')
        panels[-1].set_xlabel('temperature (K)')
        panels[0].legend()
        return figure


def _draw(panel: Axes, curves: Sequence[Curve], transition: tuple[float, float] | None) -> None:
    for curve, color in zip(curves, _COLORS * len(curves), strict=False):
        panel.errorbar(
            curve.temperatures, curve.values, curve.errors, color=color, marker='o', markersize=4.0, linewidth=1.4,
            capsize=2.0, label=curve.label,
        )  # fmt: skip
    if transition is not None:
        temperature, error = transition
        panel.axvline(temperature, color=MUTED, linestyle=(0, (3.0, 1.6)), label=f'{temperature:.1f} ± {error:.1f} K')
        panel.axvspan(temperature - error, temperature + error, color=MUTED, alpha=0.2, linewidth=0)
