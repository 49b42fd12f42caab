"""Constants (CODATA 2018)."""

from typing import Final

BOHR_MAGNETON: Final = 0.057883818060
"""µB in meV/T."""

BOLTZMANN: Final = 0.08617333262
"""k_B in meV/K."""
