"""Potential emulators against what they must beat: errors of potentials, and iterations of the self-consistency."""
