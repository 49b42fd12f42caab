"""JuKKR's objects and files as plain Python, without AiiDA: potentials, impurity clusters, kkrflex files.

Units are Rydberg and Bohr; positions are in units of the lattice constant ``alat``.
"""
