"""J as a Gaussian process over pairs of elements and geometries, symmetric under their exchange.

Elements are alike that stand close to each other along the 3d and 4d rows; how strongly one couples follows its moment
in the host, as the training rows tell it. Geometries are alike of similar distance, direction and layers.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.ml.elements import element_features
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.ml.exchange.induced import InducedExchange, have_moments
from aiida_mlkkr.ml.exchange.label_covariance import LabelCovariance, Labels, Points, Prior
from aiida_mlkkr.ml.exchange.models.base import Arrays, PairEstimate, PairModel
from aiida_mlkkr.ml.exchange.moments import SiteMoments
from aiida_mlkkr.ml.exchange.pair_covariance import Numbered, PairLikelihood, symmetric_products, variances
from aiida_mlkkr.ml.models.base import Options

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_NO_MOMENT: Final = 0.03
"""Added to moments before the logarithm [µB]."""
_USUAL_DISTANCE: Final = 5.0
_ELEMENTS: Final = Prior(level=(0.0, 0.01), slope=(1.0, 0.5), lengths=(0.0, 0.7), strength=0.3, place=0.3)
_GEOMETRIES: Final = Prior(level=(0.0, 2.0), slope=(-3.0, 1.5), lengths=(0.0, 0.7), strength=0.7, place=0.3)


class GaussianOptions(Options):
    """How long hyperparameters are looked for."""

    steps: PositiveInt = 60


class GaussianProcess(PairModel):
    """The process, given the training pairs of elements with moments; rows of one dimer count as one, with their mean.

    Pairs with an element that has no moment of its own are the matter of :mod:`aiida_mlkkr.ml.exchange.induced`.
    """

    name: ClassVar[str] = 'gaussian_process'
    options_type: ClassVar[type[Options]] = GaussianOptions
    folds: ClassVar[int] = 10

    @classmethod
    def choose(cls, pairs: Pairs, options: Any, seed: int) -> Arrays:
        """The most likely hyperparameters."""
        data = _Data(pairs)
        return {'hyperparameters': data.likelihood.maximised(options.steps)}

    def prepare(self) -> None:
        """Condition the process on the training pairs."""
        self._data = _Data(self.pairs)
        likelihood, x = self._data.likelihood, self.chosen['hyperparameters']
        if len(x) != len(likelihood.expected):
            raise ValueError(f'{len(likelihood.expected)} hyperparameters expected, found {len(x)}')
        of_elements, of_geometries, _ = likelihood.parts(x)
        self._elements = likelihood.elements.points(of_elements)
        self._geometries = likelihood.geometries.points(of_geometries)
        dimers = self._data.dimers
        matrix = self._covariance(dimers, self._elements, self._geometries)
        matrix[np.diag_indices_from(matrix)] += likelihood.noise(x, dimers, self._elements, self._geometries)
        self._factor = cho_factor(matrix, lower=True)
        self._solved = cho_solve(self._factor, self._data.j)

    def predict(self, pairs: Pairs) -> PairEstimate:
        """Mean and standard error of labels, their noise included."""
        own = have_moments(pairs, self._data.moments)
        return _joined(own, self._predict(pairs.subset(own)), self._data.induced.predict(pairs.subset(~own)))

    def of_part(self, rows: IntArray) -> GaussianProcess:
        """With hyperparameters of its own: those of all pairs have seen the others, and are too sure of them."""
        return GaussianProcess.fit(self.pairs.subset(rows), self.options, self.seed)

    def _predict(self, pairs: Pairs) -> tuple[FloatArray, FloatArray]:
        if not len(pairs):
            return np.zeros(0), np.zeros(0)
        likelihood, x = self._data.likelihood, self.chosen['hyperparameters']
        asked, rows, elements, geometries = self._data.asked(pairs, x)
        cross = self._covariance(asked, elements, geometries)
        known = solve_triangular(self._factor[0], cross.T, lower=True)
        variance = variances(elements, geometries, asked)[0] - np.sum(known**2, axis=0)
        variance = np.maximum(variance, 0.0) + likelihood.noise(x, asked, elements, geometries)
        return (cross @ self._solved)[rows], np.sqrt(variance)[rows]

    def _covariance(self, asked: Numbered, elements: Points, geometries: Points) -> FloatArray:
        trained = self._data.dimers
        products = symmetric_products(elements.with_others(self._elements), asked, trained)
        propagators = geometries.with_others(self._geometries)[asked.g][:, trained.g]
        covariance: FloatArray = propagators * products
        return covariance


def _joined(
    own: NDArray[np.bool_], of_own: tuple[FloatArray, FloatArray], others: tuple[FloatArray, FloatArray]
) -> PairEstimate:
    estimate = PairEstimate(np.zeros(len(own)), np.zeros(len(own)))
    for chosen, (mean, error) in ((own, of_own), (~own, others)):
        estimate.mean[chosen], estimate.error[chosen] = mean, error
    return estimate


class _Data:
    """Training pairs as the process sees them: those of two elements with moments, and the others."""

    def __init__(self, all_pairs: Pairs) -> None:
        self.moments = SiteMoments.of_training(all_pairs)
        self.own = have_moments(all_pairs, self.moments)
        if not self.own.any():
            raise ModelError('no pair to learn from has two elements with moments of their own')
        self.induced = InducedExchange(all_pairs.subset(~self.own), self.moments)
        pairs = all_pairs.subset(self.own)
        self._z, self._names, first, self.dimers, self.rows = _dimers(pairs)
        self.j = np.bincount(self.rows, pairs.j) / np.bincount(self.rows)
        self._geometry_labels = _geometry_labels(pairs.subset(first))

    @cached_property
    def likelihood(self) -> PairLikelihood:
        """Of the hyperparameters."""
        elements = LabelCovariance(_element_labels(self._z, self.moments), _ELEMENTS)
        return PairLikelihood(elements, LabelCovariance(self._geometry_labels, _GEOMETRIES), self.dimers, self.j)

    def asked(self, pairs: Pairs, x: FloatArray) -> tuple[Numbered, IntArray, Points, Points]:
        """Different dimers among other pairs, which of them each is, and their elements and geometries."""
        z, names, first, dimers, rows = _dimers(pairs)
        of_elements, of_geometries, _ = self.likelihood.parts(x)
        covariances = self.likelihood.elements, self.likelihood.geometries
        elements = _points(covariances[0], of_elements, _element_labels(z, self.moments), self._z.tolist(), z.tolist())
        labels = _geometry_labels(pairs.subset(first))
        return dimers, rows, elements, _points(covariances[1], of_geometries, labels, self._names, names)


def _points(covariance: LabelCovariance, x: FloatArray, labels: Labels, known: list[Any], asked: list[Any]) -> Points:
    """Those of labels: as learnt where they are known, by their features where they are not."""
    found, learnt = covariance.unseen(x, labels), covariance.points(x)
    for place, label in enumerate(asked):
        if label in known:
            found.logarithm[place] = learnt.logarithm[known.index(label)]
            found.place[place] = learnt.place[known.index(label)]
    return found


def _dimers(pairs: Pairs) -> tuple[IntArray, list[str], IntArray, Numbered, IntArray]:
    """Elements, geometries and one row of each, the different dimers, and which of them each row is."""
    z, numbers = np.unique(np.sort(pairs.z, axis=1), return_inverse=True)
    names, first, geometry = np.unique(pairs.geometries, return_index=True, return_inverse=True)
    table = np.column_stack([numbers.reshape(-1, 2), geometry])
    dimers, rows = np.unique(table, axis=0, return_inverse=True)
    return z, names.tolist(), first, Numbered(*dimers.T), rows.reshape(-1)


def _element_labels(z: IntArray, moments: SiteMoments) -> Labels:
    features = np.array([element_features(int(a)) for a in z])
    place = np.column_stack([(features[:, 1] - 7.0) / 2.0, features[:, 0] / 2.0])
    return Labels(np.log(moments.of_elements(z) + _NO_MOMENT), place)


def _geometry_labels(pairs: Pairs) -> Labels:
    """By the logarithm of the distance, the direction against z, and whether the layers are the same."""
    logarithm = np.log(pairs.distances / _USUAL_DISTANCE)
    steepness = np.abs(pairs.vectors[:, 2]) / pairs.distances
    across = (pairs.layers[:, 0] != pairs.layers[:, 1]).astype(np.float64)
    return Labels(logarithm, np.column_stack([2.0 * logarithm, 1.5 * steepness, across]))
