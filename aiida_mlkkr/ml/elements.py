"""Smooth descriptions of chemical elements, for models that have to tell what an element does from its neighbours."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.elements import block, noble_gas_core, shells

FEATURES: Final = ('period', 'group', 'sp electrons', 'd electrons', 'f electrons')
"""What the numbers of :func:`element_features` are."""

ON_SITE: Final = [FEATURES.index(name) for name in ('period', 'group', 'sp electrons', 'f electrons')]
"""Features that decide on the potential of an impurity's own site."""

AROUND: Final = [FEATURES.index(name) for name in ('period', 'sp electrons', 'd electrons', 'f electrons')]
"""Features that decide on what an impurity does to its neighbours: its valence, however the shells are placed."""

_NOBLE_GAS_GROUP: Final = 18
_ROWS_WITHOUT_D: Final = (2.0, 3.0)


@cache
def element_features(z: int) -> NDArray[np.float64]:
    """Place of an element in the periodic table and electrons of its open and valence shells, shape (5,), read-only.

    The features are named in :data:`FEATURES`. Electrons are those of the Madelung rule, with two s electrons in every
    transition metal: no feature steps back along a row. The f block stands in group 3. An empty sphere (Z = 0) is all
    zeros.

    :raises ValueError: if Z is negative.
    """
    if z < 0:
        raise ValueError(f'there is no element with Z={z}')
    filled = shells(z)
    core = noble_gas_core(z)
    valence = {shell: number for shell, number in filled.items() if shell not in shells(core)}
    electrons = [
        sum(number for (_, angular), number in valence.items() if angular in kind) for kind in ((0, 1), (2,), (3,))
    ]
    features = np.array([max((n for n, _ in filled), default=0), _group(z, electrons), *electrons], dtype=np.float64)
    features.flags.writeable = False
    return features


def free_spin(z: int) -> float:
    """Spin moment in µB that the open d or f shell of the free atom has by Hund's rule; 0 if all are closed.

    With two s electrons in every transition metal: 4 for Cr and for Fe, 1 for Cu, 7 for Eu.
    """
    _, _, _, d, f = element_features(z)
    return float(max(min(d, 10.0 - d), min(f, 14.0 - f)))


def gapless_group(z: int) -> float:
    """Group of an element where rows without a d shell have no gap: Mg stands above Zn and beside Al."""
    period, group = element_features(z)[:2]
    return float(group + 10.0 if period in _ROWS_WITHOUT_D and group <= 2.0 else group)


def _group(z: int, electrons: list[int]) -> int:
    sp, d, _ = electrons
    match block(z):
        case 'f':
            return 3
        case 'd':
            return sp + d
        case 'p':
            return _NOBLE_GAS_GROUP - 8 + sp
        case _:
            return _NOBLE_GAS_GROUP if z == 2 else sp
