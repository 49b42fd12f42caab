"""Tabulated properties of the two elements with automated model selection, as is usual for compositions.

The properties are pymatgen's; each gives its mean, difference, largest and smallest value of the pair. Five kinds of
regression are tried by five-fold cross-validation on the training rows, dealt at random as is usual, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aiida_mlkkr.exchange.pairs import Pairs
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.ml.exchange.models.base import FOLDS, Arrays, PairEstimate, PairModel

FloatArray = NDArray[np.float64]

PROPERTIES: Final = (
    'Z', 'row', 'group', 'atomic_mass', 'X', 'mendeleev_no', 'atomic_radius', 'atomic_radius_calculated',
    'van_der_waals_radius', 'electron_affinity', 'ionization_energy', 'melting_point', 'boiling_point',
    'density_of_solid', 'thermal_conductivity', 'electrical_resistivity', 'molar_volume', 'bulk_modulus',
    'youngs_modulus', 'velocity_of_sound', 'coefficient_of_linear_thermal_expansion', 'average_ionic_radius',
)  # fmt: skip
"""Attributes of pymatgen's elements."""

KINDS: Final[dict[str, Callable[[int], Any]]] = {
    'kernel ridge': lambda seed: make_pipeline(StandardScaler(), KernelRidge(kernel='laplacian', alpha=0.1)),
    'nearest neighbours': lambda seed: make_pipeline(StandardScaler(), KNeighborsRegressor(5, weights='distance')),
    'random forest': lambda seed: RandomForestRegressor(100, max_features=0.4, random_state=seed),
    'extra trees': lambda seed: ExtraTreesRegressor(100, max_features=0.4, random_state=seed),
    'gradient boosting': lambda seed: HistGradientBoostingRegressor(random_state=seed),
}
"""What is tried."""


class Composition(PairModel):
    """The best of five kinds of regression; it is fitted again when it is taken back."""

    name: ClassVar[str] = 'composition_automl'

    @classmethod
    def choose(cls, pairs: Pairs, options: Any, seed: int) -> Arrays:
        """The number of the best kind, and its root mean square error."""
        features = pair_features(pairs)
        dealt = KFold(FOLDS, shuffle=True, random_state=seed)
        squares = [
            np.mean((cross_val_predict(make(seed), features, pairs.j, cv=dealt) - pairs.j) ** 2)
            for make in KINDS.values()
        ]
        return {'kind': np.array([np.argmin(squares)]), 'error': np.array([np.sqrt(min(squares))])}

    def prepare(self) -> None:
        """Fit the best kind to all training rows."""
        make = list(KINDS.values())[int(self.chosen['kind'][0])]
        self._regression = make(self.seed).fit(pair_features(self.pairs), self.pairs.j)

    def predict(self, pairs: Pairs) -> PairEstimate:
        """The same error is expected of all."""
        mean = np.asarray(self._regression.predict(pair_features(pairs)), dtype=np.float64)
        return PairEstimate(mean, np.full(len(pairs), self.chosen['error'][0]))


def pair_features(pairs: Pairs) -> FloatArray:
    """Distance, height, and the statistics of the properties of both elements."""
    both = np.array([[element_properties(z) for z in two] for two in pairs.z.tolist()])
    parts = [both.mean(axis=1), np.abs(both[:, 0] - both[:, 1]), both.max(axis=1), both.min(axis=1)]
    geometry = np.column_stack([pairs.distances, np.abs(pairs.vectors[:, 2])])
    return np.column_stack([geometry, *parts])


@cache
def element_properties(z: int) -> FloatArray:
    """Properties of an element, shape (p); 0 where nothing is known."""
    from pymatgen.core.periodic_table import Element

    element = Element(symbol(z))
    with warnings.catch_warnings(action='ignore', category=UserWarning):  # pymatgen's, of each value that it lacks
        found = [getattr(element, name, None) for name in PROPERTIES]
    values: FloatArray = np.nan_to_num(np.array([np.nan if value is None else float(value) for value in found]))
    return values
