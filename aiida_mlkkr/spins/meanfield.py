"""Ordering temperatures in mean field, for dilute magnets without any supercell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import eigsh

from .couplings import Couplings
from .dilute import Dopants
from .model import SpinModel
from .units import BOLTZMANN

FloatArray = NDArray[np.float64]


def mean_field_temperature(sums: FloatArray, concentrations: FloatArray) -> float:
    """k_B T_c = ⅓ λ_max[√c_a Σ_R J_ab(R) √c_b], in K; 0 if nothing orders ferromagnetically or antiparallel by kind.

    For classical unit vectors in the convention of :mod:`aiida_mlkkr.spins` (P. W. Anderson, Solid State Phys. 14, 99,
    1963, with virtual concentrations); 2J for nearest neighbours on the simple cubic lattice, where 1.443 J is exact.

    :param sums: Σ_R J_ab(R) over the sites around one of kind a, if all of them were of kind b, shape (k, k) [meV].
    :param concentrations: of the kinds, shape (k).
    """
    roots = np.sqrt(concentrations)
    largest = float(np.linalg.eigvalsh(roots[:, None] * sums * roots)[-1])
    return max(largest, 0.0) / (3.0 * BOLTZMANN)


def exchange_sums(couplings: Couplings, dopants: Dopants) -> FloatArray:
    """Σ_R J_ab(R) of all kinds, which are the elements on each site of the sublattice, shape (k, k) [meV].

    Kinds are in the order of the sublattice, and of the elements within a site.
    """
    elements, sublattice = list(dopants.concentrations), list(dopants.sublattice)
    numbers = [couplings.elements.index(element) for element in elements]
    exchange = np.trace(couplings.tensors, axis1=3, axis2=4)[:, numbers][:, :, numbers] / 3
    count = len(elements)
    sums = np.zeros((len(sublattice), count, len(sublattice), count))
    for (one, other), values in zip(couplings.ends.tolist(), exchange, strict=True):
        if one in sublattice and other in sublattice:
            sums[sublattice.index(one), :, sublattice.index(other)] += values
    return sums.reshape(len(sublattice) * count, -1)


def dilute_mean_field_temperature(couplings: Couplings, dopants: Dopants) -> float:
    """The mean-field ordering temperature of a dilute magnet [K]."""
    shares = np.tile(list(dopants.concentrations.values()), len(dopants.sublattice))
    return mean_field_temperature(exchange_sums(couplings, dopants), shares)


def model_mean_field_temperature(model: SpinModel) -> float:
    """The mean-field ordering temperature of a model, its elements on each sublattice taken as the kinds [K]."""
    names = [f'{element}_{site}' for element, site in zip(model.elements, model.sublattices.tolist(), strict=True)]
    _, kinds, counts = np.unique(names, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), len(counts)))
    i, j = model.pairs.T
    exchange = np.trace(model.tensors, axis1=1, axis2=2) / 3
    np.add.at(sums, (kinds[i], kinds[j]), exchange)
    sums = (sums + sums.T) / np.sqrt(np.outer(counts, counts))
    return mean_field_temperature(sums, np.ones(len(counts)))


def glass_mean_field_temperature(model: SpinModel) -> float:
    """k_B T_g = ⅓ √⟨Σ_j J_ij²⟩, in K: that of the infinite-range glass of vectors with three components.

    D. Sherrington and S. Kirkpatrick, Phys. Rev. Lett. 35, 1792, 1975; far above the freezing of a short-ranged one.
    """
    exchange = np.trace(model.tensors, axis1=1, axis2=2) / 3
    return float(np.sqrt(2 * np.sum(exchange**2) / len(model)) / (3 * BOLTZMANN))


def soft_mode_temperature(model: SpinModel) -> float:
    """k_B T = ⅓ λ_max of the matrix of all exchange tensors, in K: where mean field has the first order of any kind.

    In a random model that is order of a few moments with strong neighbours; transitions lie below it.
    """
    if not len(model.pairs):
        return 0.0
    matrix = model.graph.matrix
    largest = (
        np.linalg.eigvalsh(matrix.toarray())[-1] if len(model) < 10 else eigsh(matrix, 1, which='LA', tol=1e-4)[0][0]
    )
    return max(float(largest), 0.0) / (3.0 * BOLTZMANN)
