"""What a KKRimp calculation left behind, as far as the next one is concerned; read from its ``output_parameters``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiida_mlkkr.kkr.outcome import Outcome

_LED_ASTRAY = (Outcome.DIVERGING.label, Outcome.NOT_FINITE.label, Outcome.CORE_STATE_LOST.label)


@dataclass(frozen=True)
class Findings:
    """What there is to go on with.

    :param errors: error of each complete iteration [Ry], the larger one of charge and spin; NaN where it was.
    :param potential_usable: whether ``out_potential`` is whole and finite.
    :param checked: whether charges, moments and core states were compared with what is possible.
    :param unphysical: whether one of them is not possible.
    :param led_astray: whether the error grew, NaN came up or a core state was lost.
    :param density_of_states: whether its contour is one for densities of states.
    """

    errors: tuple[float, ...] = ()
    potential_usable: bool = False
    checked: bool = False
    unphysical: bool = False
    led_astray: bool = False
    density_of_states: bool = False

    @classmethod
    def from_results(cls, results: Mapping[str, Any]) -> Findings:
        """Of the parser ``mlkkr.kkrimp``; nothing is found in an empty dictionary."""
        own = results.get('mlkkr_group', {})
        return cls(
            errors=_errors(results.get('convergence_group', {})),
            potential_usable=own.get('potential_usable', False),
            checked=own.get('sanity_checked', False),
            unphysical=bool(own.get('problems')),
            led_astray=own.get('diverging', False) or own.get('outcome') in _LED_ASTRAY,
            density_of_states=results.get('convergence_group', {}).get('doscalc', False),
        )

    @property
    def iterations(self) -> int:
        """Number of complete iterations."""
        return len(self.errors)

    @property
    def leads_on(self) -> bool:
        """Whether its potential is ahead of the one it started from."""
        return self.iterations > 0 and self.potential_usable

    @property
    def sane(self) -> bool:
        """Whether its potential is one to come back to."""
        return self.leads_on and self.checked and not (self.unphysical or self.led_astray)


def _errors(convergence: Mapping[str, Any]) -> tuple[float, ...]:
    charge = convergence.get('rms_all_iterations', [])
    spin = convergence.get('rms_spin_all_iterations') or charge
    return tuple(math.nan if None in pair else float(max(pair)) for pair in zip(charge, spin, strict=True))


def last_words(traceback: str) -> str:
    """The line of a traceback that says what went wrong at first."""
    return traceback.split('\n\nThe above exception was the direct cause')[0].strip().splitlines()[-1]
