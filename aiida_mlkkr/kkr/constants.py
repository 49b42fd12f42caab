"""Physical constants, each named by its source."""

from typing import Final

RYDBERG_EV: Final = 13.605693122990
"""Rydberg energy in eV, CODATA 2022."""

JUKKR_RYDBERG_EV: Final = 13.6058
"""Rydberg energy in eV that JuKKR uses for its output files in eV."""

BOHR_ANGSTROM: Final = 0.529177210544
"""Bohr radius in Angstrom, CODATA 2022."""

SPEED_OF_LIGHT: Final = 274.0720442
"""Speed of light in Rydberg units (2 / fine-structure constant), the value of JuKKR."""

JUKKR_BOLTZMANN_RY: Final = 0.6333659e-5
"""Boltzmann constant in Ry/K that JuKKR uses for its energy contours."""
