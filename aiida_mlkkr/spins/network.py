"""The network that pairs make of the moments: who has how many neighbours, and whether it goes on for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from aiida_mlkkr.exchange.tensors import LEVI_CIVITA

from .model import SpinModel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SAME_DISTANCE: Final = 1e-3
"""Up to which distances are the same [Å]."""


@dataclass(frozen=True, eq=False)
class Network:
    """What the pairs of a model join.

    :param coordination: number of neighbours of each moment, shape (n); ``nearest`` of those at the shortest distance.
    :param clusters: number of the cluster of each moment, shape (n).
    :param dimensions: along how many independent directions each cluster goes on through the images of the box.
    """

    coordination: IntArray
    nearest: IntArray
    clusters: IntArray
    dimensions: IntArray

    @property
    def percolates(self) -> int:
        """Along how many directions the network goes on for ever: 0 to 3."""
        return int(self.dimensions.max())

    @property
    def largest_share(self) -> float:
        """Share of the moments that are in the largest cluster."""
        return float(np.bincount(self.clusters).max() / len(self.clusters))

    @property
    def isolated_share(self) -> float:
        """Share of the moments without a neighbour."""
        return float(np.mean(self.coordination == 0))

    @property
    def crowded_share(self) -> float:
        """Share of the moments with two nearest neighbours or more, whose exchange is not that of pairs alone."""
        return float(np.mean(self.nearest > 1))

    def statistics(self) -> dict[str, float]:
        """The numbers that a report wants."""
        return {
            'mean_coordination': float(self.coordination.mean()),
            'isolated_share': self.isolated_share,
            'crowded_share': self.crowded_share,
            'largest_cluster_share': self.largest_share,
            'clusters': len(self.dimensions),
            'percolating_directions': self.percolates,
        }


def network(model: SpinModel, threshold: float = 0.0) -> Network:
    """The network of a model.

    :param threshold: pairs whose tensors have no element above it do not count [meV].
    """
    strong = np.abs(model.tensors).max(axis=(1, 2)) > threshold if len(model.pairs) else np.zeros(0, dtype=bool)
    pairs, images = model.pairs[strong], model.images[strong]
    n = len(model)
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n)).tocsr()
    number, clusters = connected_components(graph, directed=False)
    potentials = _positions_on_trees(pairs, images, clusters)
    i, j = pairs.T
    distances = np.linalg.norm(model.vectors[strong], axis=1)
    closest = pairs[distances < distances.min(initial=np.inf) + _SAME_DISTANCE]
    windings = potentials[i] + images - potentials[j]  # zero on the trees, and on loops that close in the box
    dimensions = np.zeros(number, dtype=np.int64)
    wound = np.any(windings, axis=1)
    for cluster in np.unique(clusters[i[wound]]):
        dimensions[cluster] = np.linalg.matrix_rank(windings[wound & (clusters[i] == cluster)])
    coordination, nearest = (np.bincount(listed.ravel(), minlength=n) for listed in (pairs, closest))
    return Network(coordination, nearest, clusters.astype(np.int64), dimensions)


def _positions_on_trees(pairs: IntArray, images: IntArray, clusters: IntArray) -> IntArray:
    """The image of the box in which each moment lies when it is reached along a tree of its cluster, shape (n, 3)."""
    n = len(clusters)
    _, roots = np.unique(clusters, return_index=True)
    one, other = np.concatenate([pairs, np.stack([np.full(len(roots), n), roots], axis=1)]).T  # n joins the trees
    steps = np.concatenate([images, np.zeros((len(roots), 3), dtype=np.int64)])
    numbers = coo_array((np.arange(1, len(one) + 1), (one, other)), shape=(n + 1, n + 1)).tocsr()
    order, previous = breadth_first_order(numbers, n, directed=False)
    child, parent = order[1:], previous[order[1:]]
    forward, backward = numbers[parent, child], numbers[child, parent]
    step = np.where((forward > 0)[:, None], steps[forward - 1], -steps[backward - 1])
    potentials = np.zeros((n + 1, 3), dtype=np.int64)
    for k, (node, before) in enumerate(zip(child.tolist(), parent.tolist(), strict=True)):
        potentials[node] = potentials[before] + step[k]
    return potentials[:n]


def free_rotations(model: SpinModel) -> int:
    """How many independent rotations of all moments together leave the energy as it is: 3, 1 or 0.

    A rotation about n does where [n×, M] = 0 for every tensor and every matrix of the anisotropy.
    """
    matrices = np.concatenate([model.tensors, model.anisotropy])
    matrices = matrices[np.abs(matrices).max(axis=(1, 2)) > 0]
    matrices = np.unique(np.round(matrices, 9), axis=0)
    turns = LEVI_CIVITA[:, None] @ matrices - matrices @ LEVI_CIVITA[:, None]
    equations = turns.reshape(3, -1)
    if model.field.any():
        equations = np.concatenate([equations, LEVI_CIVITA @ model.field], axis=1)
    scale = np.abs(matrices).max(initial=0.0) + np.abs(model.field).max()
    return 3 - int(np.linalg.matrix_rank(equations, tol=1e-6 * scale * np.sqrt(equations.shape[1] or 1)))


def order_forbidden(model: SpinModel, threshold: float = 0.0) -> str | None:
    """Why the model has no transition to an ordered state at any temperature; None if it may have one.

    Pairs of short range order in no direction or along one only at zero temperature, and where all rotations are free
    neither in a plane (N. D. Mermin and H. Wagner, Phys. Rev. Lett. 17, 1133, 1966).
    """
    if model.field.any():
        return 'a field acts on the moments: they are magnetic at any temperature'
    directions = network(model, threshold).percolates
    if directions < 2:
        return f'the network of pairs does not percolate: it goes on along {directions} directions'
    if directions == 2 and free_rotations(model) == 3:
        return 'the network of pairs is two-dimensional and nothing fixes a direction (theorem of Mermin and Wagner)'
    return None
