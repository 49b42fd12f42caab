"""Charges and moments, predicted and converged, beside JuKKR's, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_mlkkr.plot.style import AGREEMENT, EMULATOR, GOOD, INK, MUTED, figure_style

Floats = NDArray[np.float64]

_RESOLUTION = 1e-6
_PREDICTED: dict[str, Any] = {
    'marker': 'D',
    'color': INK,
    'markerfacecolor': 'white',
    'markersize': 5.5,
    'linestyle': 'none',
}


@dataclass(frozen=True, eq=False)
class SiteComparison:
    """One impurity, predicted and computed here, and computed by JuKKR.

    :param charges, jukkr_charges: electrons on every site (natom,), the impurity first.
    :param moment, jukkr_moment: total spin moment in Bohr magnetons.
    :param predicted_charge, predicted_moment: of the impurity site and in total, as the predicted potential gives them.
    """

    label: str
    nuclear_charge: float
    charges: Floats
    jukkr_charges: Floats
    moment: float
    jukkr_moment: float
    predicted_charge: float
    predicted_moment: float


def comparison_figure(
    impurities: Sequence[SiteComparison], charge_tolerance: float, moment_tolerance: float, code: str
) -> Figure:
    """Above the values, below the absolute deviations from JuKKR on a logarithmic scale.

    Deviations below the six digits that the codes print are drawn hollow, at that resolution.

    :param charge_tolerance: band of agreement for charges, in electrons.
    :param moment_tolerance: band of agreement for moments, in Bohr magnetons.
    :param code: name of the code that computed what is not JuKKR's.
    :raises ValueError: no impurity is given.
    """
    if not impurities:
        raise ValueError('a figure needs at least one impurity')
    z = np.array([i.nuclear_charge for i in impurities])
    charge = np.array([[i.charges[0], i.jukkr_charges[0], i.predicted_charge] for i in impurities]) - z[:, np.newaxis]
    moment = np.array([[i.moment, i.jukkr_moment, i.predicted_moment] for i in impurities])
    worst_charge = np.array([np.abs(i.charges - i.jukkr_charges).max() for i in impurities])

    with figure_style():
        figure = Figure(figsize=(10.0, 5.6), layout='constrained')
        axes = figure.subplots(2, 2, sharex='col', height_ratios=(1.25, 1.0))
        _value_panel(axes[0, 0], charge, 'Charge of the impurity site', 'electrons − nuclear charge', code)
        _value_panel(axes[0, 1], moment, 'Total spin moment', r'moment ($\mu_\mathrm{B}$)', code)
        for panel, converged, values, tolerance, unit in (
            (axes[1, 0], worst_charge, charge, charge_tolerance, 'electrons'),
            (axes[1, 1], np.abs(moment[:, 0] - moment[:, 1]), moment, moment_tolerance, r'$\mu_\mathrm{B}$'),
        ):
            predicted = np.clip(np.abs(values[:, 2] - values[:, 1]), _RESOLUTION, None)
            _deviation_panel(panel, tolerance, max(converged.max(), predicted.max()), f'deviation ({unit})')
            _dots(panel, converged)
            panel.plot(np.arange(len(predicted)), predicted, **_PREDICTED)
            panel.set_xticks(np.arange(len(impurities)), [i.label for i in impurities])
            panel.set_xlim(-0.6, len(impurities) - 0.4)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc='outside upper right', ncols=3)
        return figure


def _value_panel(panel: Axes, values: Floats, title: str, unit: str, code: str) -> None:
    """Bars, ticks and diamonds for the columns (here, JuKKR, predicted) of ``values`` (n, 3)."""
    positions = np.arange(len(values), dtype=np.float64)
    panel.axhline(0.0, color=MUTED, linewidth=0.8)
    panel.bar(positions, values[:, 0], width=0.56, color=EMULATOR, alpha=0.85, label=f'converged, {code}')
    panel.hlines(values[:, 1], positions - 0.38, positions + 0.38, color=INK, linewidth=1.8, label='converged, JuKKR')
    panel.plot(positions, values[:, 2], **_PREDICTED, label='predicted')
    panel.set_title(title)
    panel.set_ylabel(unit)
    panel.grid(axis='x', visible=False)
    panel.margins(y=0.12)


def _deviation_panel(panel: Axes, tolerance: float, largest: float, label: str) -> None:
    panel.set_yscale('log')
    panel.set_ylim(_RESOLUTION / 3, 3 * max(3 * tolerance, largest))
    panel.axhspan(_RESOLUTION / 3, tolerance, color=GOOD, zorder=0)
    panel.axhline(tolerance, color=AGREEMENT, linewidth=1.0)
    panel.text(
        0.01, tolerance * 1.15, 'agreement below this line',
        transform=panel.get_yaxis_transform(), color=AGREEMENT, fontsize=8.5, va='bottom',
    )  # fmt: skip
    panel.set_ylabel(label)
    panel.grid(axis='x', visible=False)


def _dots(panel: Axes, deviations: Floats) -> None:
    positions, shown = np.arange(len(deviations)), np.clip(deviations, _RESOLUTION, None)
    panel.vlines(positions, _RESOLUTION / 3, shown, color=EMULATOR, linewidth=1.0, alpha=0.5)
    for visible, fill in ((deviations >= _RESOLUTION / 2, EMULATOR), (deviations < _RESOLUTION / 2, 'white')):
        panel.plot(positions[visible], shown[visible], 'o', color=EMULATOR, markerfacecolor=fill, markersize=6.5)
