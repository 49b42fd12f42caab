"""Whether a potential can be the start of an impurity cluster, and whether it is a magnetic one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.potential import AtomicPotential, ImpurityPotential
from aiida_mlkkr.kkr.sanity import EDGE_ABOVE_FERMI, EDGE_BELOW_FERMI, edge

MAGNETIC: Final = 1e-3
"""Splitting of the spins (Ry) from which on a potential is magnetic: its absolute value in the mean over a site.

0.027 for Ti in Ag (0.7 Bohr magnetons), the smallest of the magnetic impurities in the archives. The start potentials
of the voronoi code differ between the spins as well, by several Ry, but only at five points near the nucleus of Cr, Mn,
Fe, Co and Ni; in the mean that is below 3e-5.
"""


def shape_fault(potential: ImpurityPotential, z: Sequence[float] | NDArray[np.float64], nspin: int) -> str:
    """In what a potential does not fit a cluster; '' if it does.

    :param z: (natom,) nuclear charges of the cluster's sites, the impurities in place.
    :param nspin: number of spins of the calculation.
    """
    if potential.natom != len(z):
        return f'it has {potential.natom} sites, the cluster {len(z)}'
    if potential.nspin != nspin:
        return f'it has {potential.nspin} spin{"s" * (potential.nspin > 1)}, the calculation {nspin} (NSPIN)'
    for number, (site, charge) in enumerate(zip(potential.sites, z, strict=True), start=1):
        if abs(site[0].z - charge) > 1e-4:
            return f'its site {number} is {symbol(site[0].z)}, that of the cluster {symbol(charge)}'
    return ''


def sanity_fault(potential: ImpurityPotential) -> str:
    """What is impossible about a potential; '' if it may lead to a solution."""
    for number, site in enumerate(potential.sites, start=1):
        for atom in site:
            height = edge(atom) - atom.efermi
            if not -EDGE_BELOW_FERMI <= height <= EDGE_ABOVE_FERMI:
                return (
                    f'at the boundary of its site {number} it lies {height:+.3g} Ry from the Fermi energy, where the '
                    'bottom of the valence electrons cannot be'
                )
    return ''


def is_magnetic(potential: ImpurityPotential) -> bool:
    """Whether the two spins feel different potentials on some site."""
    return any(_splitting(site) > MAGNETIC for site in potential.sites)


def _splitting(site: tuple[AtomicPotential, ...]) -> float:
    """Mean of the absolute difference of the two spins within the muffin-tin radius, Ry; 0 for one spin."""
    mesh = site[0].mesh
    inside = mesh.r <= site[0].rmtnew  # in full potential the mesh beyond is another one
    volume = (mesh.r**2 * mesh.drdi)[inside]
    return float(volume @ np.abs(site[-1].v - site[0].v)[inside] / volume.sum())
