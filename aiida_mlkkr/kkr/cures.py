"""What a KKRimp calculation does differently when it is done again: decisions on plain settings, without AiiDA.

Settings are the keys of ``config.cfg``, as ``KkrimpCalculation`` takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

Settings = Mapping[str, Any]

DEFAULT_IMIX: Final = 0
DEFAULT_MIXFAC: Final = 0.05
DEFAULT_ITDBRY: Final = 20
"""What ``KkrimpCalculation`` writes where the settings do not say."""

ANDERSON: Final = 5
FIRST_QUASI_NEWTON: Final = 3
"""IMIX of the generalised Anderson method; of the first one of the methods that use the history."""


@dataclass(frozen=True)
class Cures:
    """By how much, and how often, see ``protocols/kkrimp_base.yaml``.

    :param mixing_factor: factor on MIXFAC where smaller steps may help, between 0 and 1.
    :param simple_steps: steps of simple mixing before Anderson mixing.
    :param stagnating: how often the mixing is changed for lack of progress.
    :param diverging: how often it is reduced because the error grew or a core state was lost.
    :param false_convergence: how often it is reduced because the solution was false.
    :param repeats: how often a calculation that crashed, excepted or was cut off is done again as it was.
    """

    mixing_factor: float
    simple_steps: int
    stagnating: int
    diverging: int
    false_convergence: int
    repeats: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == 'mixing_factor':
                if not isinstance(value, int | float) or not 0 < value < 1:
                    raise ValueError(f'{field.name} is a number between 0 and 1, not {value}')
            elif not isinstance(value, int) or value < 0:
                raise ValueError(f'{field.name} is a whole number from 0 on, not {value}')

    @classmethod
    def from_values(cls, defaults: Mapping[str, Any], values: Mapping[str, Any]) -> Cures:
        """The defaults with some values replaced.

        :raises ValueError: a name is unknown, or a value is out of range.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            names = ', '.join(field.name for field in fields(cls))
            raise ValueError(f'unknown: {", ".join(unknown)}; there are {names}')
        return cls(**{**defaults, **values})

    def calmer(self, settings: Settings) -> dict[str, Any]:
        """After a divergence or a false solution: smaller steps, and Anderson mixing after a few simple ones.

        Simple mixing alone can be unstable with any step that gets anywhere: the charge of 3d impurities oscillates.
        """
        return self._anderson(settings, self.mixing_factor, max(self.simple_steps, settings.get('NSIMPLEMIXFIRST', 0)))

    def other_mixing(self, settings: Settings) -> dict[str, Any]:
        """Where nothing moves: Anderson mixing instead of simple mixing; Anderson mixing with smaller steps."""
        if uses_history(settings):
            return self._anderson(settings, self.mixing_factor, self.simple_steps)
        return self._anderson(settings, 1.0, 0)

    @staticmethod
    def _anderson(settings: Settings, factor: float, simple_steps: int) -> dict[str, Any]:
        return {
            **settings,
            'IMIX': ANDERSON,
            'ITDBRY': settings.get('ITDBRY', DEFAULT_ITDBRY),
            'MIXFAC': factor * settings.get('MIXFAC', DEFAULT_MIXFAC),
            'NSIMPLEMIXFIRST': simple_steps,
        }


def uses_history(settings: Settings) -> bool:
    """Whether the mixing is one that remembers earlier iterations, such as Anderson's; simple mixing does not."""
    return bool(settings.get('IMIX', DEFAULT_IMIX) >= FIRST_QUASI_NEWTON)


def mixing_words(settings: Settings) -> str:
    """The mixing as it stands in ``config.cfg``."""
    keys = {'IMIX': DEFAULT_IMIX, 'MIXFAC': DEFAULT_MIXFAC}
    if uses_history(settings):
        keys['NSIMPLEMIXFIRST'] = 0
    return ', '.join(f'{key}= {settings.get(key, default):g}' for key, default in keys.items())


def changes_potential(settings: Settings) -> bool:
    """Whether the iterations lead from one potential to the next; not for exchange tensors, and not without mixing."""
    return not settings.get('CALCJIJMAT') and settings.get('MIXFAC', DEFAULT_MIXFAC) != 0


def remaining_field(settings: Settings, iterations: int) -> dict[str, Any]:
    """What is left of the initial field HFIELD = [h, n] after so many iterations with these settings."""
    if not settings.get('HFIELD'):
        return {}
    field, steps = settings['HFIELD']
    return {'HFIELD': [field, steps - iterations] if steps > iterations else [0.0, 0]}


def remaining_simple_steps(settings: Settings, iterations: int) -> dict[str, Any]:
    """What is left of the simple mixing before Anderson mixing after so many iterations with this mixing."""
    steps = settings.get('NSIMPLEMIXFIRST')
    return {} if steps is None else {'NSIMPLEMIXFIRST': max(0, steps - iterations)}
