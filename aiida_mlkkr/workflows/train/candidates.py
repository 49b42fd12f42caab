"""Candidates for a search over hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any


def grid(model: str, seed: int = 0, **choices: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Settings of emulators with every combination of choices, by label (``network_0``, ``network_1`` …).

    :param model: the method.
    :param seed: of all of them.
    :param choices: the values to try of ``radial_functions`` and of the model's options, by name.
    """
    candidates = {}
    for number, values in enumerate(product(*choices.values())):
        options = dict(zip(choices, values, strict=True))
        settings = {name: options.pop(name) for name in ('radial_functions',) if name in options}
        candidates[f'{model}_{number}'] = {'model': model, 'seed': seed, **settings, 'options': options}
    return candidates
