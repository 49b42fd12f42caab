"""Surrogates of exchange: predicted over computed J, and learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from aiida_mlkkr.plot.emulators import COLORS, parity_figure
from aiida_mlkkr.plot.style import figure_style

Floats = NDArray[np.float64]


def pair_parity_figure(models: Mapping[str, tuple[Floats, Floats]]) -> Figure:
    """A panel for each model: predicted over computed J in meV.

    :param models: computed and predicted J (n,) by model.
    """
    return parity_figure(models, 'J (meV)')


def learning_curves_figure(models: Mapping[str, tuple[Floats, Floats]]) -> Figure:
    """Mean absolute error in meV against the number of rows learnt from, by model."""
    with figure_style():
        figure = Figure(figsize=(6.0, 4.0), layout='constrained')
        panel = figure.subplots()
        for (name, (sizes, errors)), color in zip(models.items(), cycle(COLORS), strict=False):
            panel.loglog(sizes, errors, 'o-', color=color, label=name, markersize=4.5, linewidth=1.4)
        panel.set_xlabel('rows learnt from')
        panel.set_ylabel('mean absolute error of unseen pairs of elements (meV)')
        panel.legend()
        return figure
