"""Models of impurity potentials: datasets, emulators, their specs and files."""
