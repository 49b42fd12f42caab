"""Charges and moments beside JuKKR's, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import GOOD, INK, JUKKR, OURS, figure_style

_RESOLUTION = 1e-6


@dataclass(frozen=True, eq=False)
class SiteComparison:
    """One impurity, computed here and by JuKKR.

    :param charges, jukkr_charges: electrons on every site (natom,), the impurity first.
    :param moment, jukkr_moment: total spin moment in Bohr magnetons.
    """

    label: str
    nuclear_charge: float
    charges: NDArray[np.float64]
    jukkr_charges: NDArray[np.float64]
    moment: float
    jukkr_moment: float


def comparison_figure(
    impurities: Sequence[SiteComparison],
    charge_tolerance: float,
    moment_tolerance: float,
    labels: tuple[str, str] = ('embedded solver', 'JuKKR'),
) -> Figure:
    """Above the values, below the absolute deviations from JuKKR on a logarithmic scale.

    Deviations below the six digits that the codes print are drawn hollow, at that resolution.

    :param charge_tolerance: band of agreement for charges, in electrons.
    :param moment_tolerance: band of agreement for moments, in Bohr magnetons.
    :raises ValueError: no impurity is given.
    """
    if not impurities:
        raise ValueError('a figure needs at least one impurity')
    positions = np.arange(len(impurities), dtype=np.float64)
    excess = np.array([[i.charges[0], i.jukkr_charges[0]] for i in impurities])
    excess -= np.array([[i.nuclear_charge] for i in impurities])
    moments = np.array([[i.moment, i.jukkr_moment] for i in impurities])
    impurity_deviation = np.array([abs(i.charges[0] - i.jukkr_charges[0]) for i in impurities], dtype=np.float64)
    neighbour_deviation = np.array(
        [np.abs(i.charges - i.jukkr_charges)[1:].max(initial=0.0) for i in impurities], dtype=np.float64
    )

    with figure_style():
        figure = Figure(figsize=(10.0, 5.6), layout='constrained')
        axes = figure.subplots(2, 2, sharex='col', height_ratios=(1.25, 1.0))
        for panel, values, title, unit in (
            (axes[0, 0], excess, 'Charge of the impurity site', 'electrons − nuclear charge'),
            (axes[0, 1], moments, 'Total spin moment', r'moment ($\mu_\mathrm{B}$)'),
        ):
            panel.axhline(0.0, color='#7b8794', linewidth=0.8)
            panel.bar(positions, values[:, 0], width=0.56, color=OURS, alpha=0.85, label=labels[0])
            panel.hlines(values[:, 1], positions - 0.38, positions + 0.38, color=INK, linewidth=1.8, label=labels[1])
            panel.set_title(title)
            panel.set_ylabel(unit)
            panel.grid(axis='x', visible=False)
            panel.margins(y=0.12)
        axes[0, 0].legend(loc='best')

        moment_deviation = np.abs(moments[:, 0] - moments[:, 1])
        largest = max(impurity_deviation.max(), neighbour_deviation.max())
        _deviation_panel(axes[1, 0], charge_tolerance, largest, 'deviation (electrons)')
        _dots(axes[1, 0], positions - 0.12, impurity_deviation, OURS, 'impurity')
        _dots(axes[1, 0], positions + 0.12, neighbour_deviation, JUKKR, 'worst neighbour')
        axes[1, 0].legend(loc='upper right', ncols=2, handletextpad=0.1, columnspacing=1.0)
        _deviation_panel(axes[1, 1], moment_tolerance, moment_deviation.max(), r'deviation ($\mu_\mathrm{B}$)')
        _dots(axes[1, 1], positions, moment_deviation, OURS, 'total moment')
        for panel in axes[1]:
            panel.set_xticks(positions, [i.label for i in impurities])
            panel.set_xlim(-0.6, len(impurities) - 0.4)
        return figure


def _deviation_panel(panel: Axes, tolerance: float, largest: float, label: str) -> None:
    panel.set_yscale('log')
    panel.set_ylim(_RESOLUTION / 3, 10 * max(3 * tolerance, largest))
    panel.axhspan(_RESOLUTION / 3, tolerance, color=GOOD, zorder=0)
    panel.axhline(tolerance, color='#3f9165', linewidth=1.0)
    panel.text(
        0.01, tolerance * 1.15, 'agreement below this line',
        transform=panel.get_yaxis_transform(), color='#2f6f4d', fontsize=8.5, va='bottom',
    )  # fmt: skip
    panel.set_ylabel(label)
    panel.grid(axis='x', visible=False)


def _dots(panel: Axes, positions: NDArray[np.float64], deviations: NDArray[np.float64], color: str, label: str) -> None:
    shown = np.clip(deviations, _RESOLUTION, None)
    panel.vlines(positions, _RESOLUTION / 3, shown, color=color, linewidth=1.0, alpha=0.5)
    for positions_of_kind, heights, fill in (
        (positions[deviations >= _RESOLUTION / 2], shown[deviations >= _RESOLUTION / 2], color),
        (positions[deviations < _RESOLUTION / 2], shown[deviations < _RESOLUTION / 2], 'white'),
    ):
        panel.plot(positions_of_kind, heights, 'o', color=color, markerfacecolor=fill, markersize=6.5)
    panel.plot([], [], 'o', color=color, markersize=6.5, label=label)
