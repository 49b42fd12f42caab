"""Extremely randomised trees on nuclear charges, geometry and moments in the host (P. Geurts, D. Ernst, L. Wehenkel,
Machine Learning 63, 3 (2006)).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt
from sklearn.ensemble import ExtraTreesRegressor

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.elements import element_features
from aiida_mlkkr.ml.exchange.models.base import Arrays, PairEstimate, PairModel
from aiida_mlkkr.ml.exchange.moments import SiteMoments
from aiida_mlkkr.ml.models.base import Options

FloatArray = NDArray[np.float64]


class TreeOptions(Options):
    """Size of the forest."""

    trees: PositiveInt = 200


class ExtraTrees(PairModel):
    """Learns every pair in both orders and predicts the mean of both; it is grown again when it is taken back."""

    name: ClassVar[str] = 'extra_trees'
    options_type: ClassVar[type[Options]] = TreeOptions

    @classmethod
    def choose(cls, pairs: Pairs, options: Any, seed: int) -> Arrays:
        """Nothing is chosen."""
        return {}

    def prepare(self) -> None:
        """Grow the trees."""
        self._moments = SiteMoments.of_training(self.pairs)
        both = [site_features(pairs, self._moments) for pairs in (self.pairs, self.pairs.exchanged())]
        self._forest = ExtraTreesRegressor(self.options.trees, random_state=self.seed)
        self._forest.fit(np.vstack(both), np.tile(self.pairs.j, 2))

    def predict(self, pairs: Pairs) -> PairEstimate:
        """Mean of the trees, and how far they are apart."""
        both = [site_features(order, self._moments) for order in (pairs, pairs.exchanged())]
        single = np.array([0.5 * (tree.predict(both[0]) + tree.predict(both[1])) for tree in self._forest.estimators_])
        return PairEstimate(single.mean(axis=0), single.std(axis=0) + 1e-3)


def site_features(pairs: Pairs, moments: SiteMoments) -> FloatArray:
    """Z, period, group and moment of both sites, what is the same in both orders of them, and the geometry.

    The same in both orders are the product of the moments, also divided by the cube of the distance, the smaller and
    the larger one, sums of groups and periods and the difference of the groups.
    """
    places = np.array([[element_features(z)[:2] for z in both] for both in pairs.z.tolist()])
    sizes = moments.of_sites(pairs.z, pairs.layers)
    product, distances = sizes.prod(axis=1), pairs.distances
    apart = np.abs(places[:, 0, 1] - places[:, 1, 1])
    either = [product, product / distances**3, sizes.min(axis=1), sizes.max(axis=1), places.sum(axis=1), apart]
    geometry = [distances, np.abs(pairs.vectors[:, 2]), pairs.layers]
    return np.column_stack([pairs.z, places.reshape(len(pairs), 4), sizes, *either, *geometry])
