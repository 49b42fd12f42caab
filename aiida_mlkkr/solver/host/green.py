"""Green function of a host between the sites of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..angular import l_of_lm
from ..scattering import SingleSite
from .brillouin import crystal_green_function
from .problem import HostProblem

IntArray = NDArray[np.int64]
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class ClusterGreen:
    """Structural Green function G_ij = G(R_i − R_j) of a cluster, each distinct vector once.

    :param values: shape (nspin, nE, vectors, lm, lm).
    :param pairs: which vector each pair of sites has, shape (natom, natom).
    """

    values: ComplexArray
    pairs: IntArray

    @property
    def onsite(self) -> ComplexArray:
        """On-site blocks, shape (nspin, nE, lm, lm)."""
        return self.values[:, :, self.pairs[0, 0]]

    def matrices(self) -> Iterator[ComplexArray]:
        """Yield the matrices of the cluster, shape (natom lm, natom lm), energy by energy, spin by spin."""
        order = len(self.pairs) * self.values.shape[-1]
        for spin in self.values:
            for energy in spin:
                yield energy[self.pairs].swapaxes(1, 2).reshape(order, order)


def cluster_green(problem: HostProblem, sites: list[SingleSite]) -> ClusterGreen:
    """Return the Green function of the host between the sites of its cluster.

    :param sites: single-site solutions of each spin.
    """
    differences = (problem.steps[:, None] - problem.steps).reshape(-1, 3)
    vectors, pairs = np.unique(differences, axis=0, return_inverse=True)
    energies = problem.contour.energies
    l_index = l_of_lm(problem.lmax)
    values = np.empty((problem.nspin, energies.size, len(vectors), *[l_index.size] * 2), dtype=np.complex128)
    for k, (energy, mesh) in enumerate(zip(energies, problem.meshes, strict=True)):
        reference = problem.reference.green_function(energy)
        t_reference = problem.reference.t(energy)
        for spin, site in enumerate(sites):
            if spin and np.array_equal(site.t[:, k], sites[0].t[:, k]):
                values[spin, k] = values[0, k]
                continue
            delta_t = (site.t[:, k] - t_reference)[l_index]
            values[spin, k] = crystal_green_function(reference, problem.reference.steps, delta_t, mesh, vectors)
    return ClusterGreen(values, pairs.reshape(len(problem.steps), -1))
