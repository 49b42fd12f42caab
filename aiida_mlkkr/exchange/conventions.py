"""Conventions of exchange Hamiltonians, and the only place where numbers go from one to another.

A convention says what a pair adds to the energy: its term, a coefficient, and how often the sum meets the pair,

    H = Σ_pairs [ c_J J e_i·e_j + c_D D·(e_i×e_j) + c_S e_i·S e_j + c_B B (e_i·e_j)² ] .

The energy of a pair is the same in all of them, which is all that :func:`convert` uses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aiida_mlkkr.kkr.constants import RYDBERG_EV

from .errors import ExchangeError

FloatArray = NDArray[np.float64]

RYDBERG_MEV: Final = 1000 * RYDBERG_EV
UNITS: Final = {'meV': 1.0, 'Ry': RYDBERG_MEV}
"""Units of energy in meV."""


@dataclass(frozen=True)
class Convention:
    """How numbers become an energy. A coefficient is None where the Hamiltonian has no such term.

    :param counted: how often the sum meets a pair: 1 for Σ_(i<j) or a list with each pair once, 2 for Σ_(i≠j).
    :param j: coefficient c_J; ``d``, ``s`` and ``b`` those of D, S and B.
    :param along_moments: whether e_i points along the moment; otherwise it is the axis of the spins up, opposite to a
        negative moment.
    :param unit: of the energies.
    """

    name: str
    hamiltonian: str
    counted: int
    j: float
    d: float | None
    s: float | None = None
    b: float | None = None
    along_moments: bool = True
    unit: str = 'meV'


OURS: Final = Convention(
    'aiida-mlkkr',
    '−½ Σ_(i≠j) [J e_i·e_j + D·(e_i×e_j) + e_i·S e_j + B (e_i·e_j)²]',
    counted=2, j=-0.5, d=-0.5, s=-0.5, b=-0.5,
)  # fmt: skip

_KNOWN = (
    OURS,
    Convention('pairs-once', '−Σ_(i<j) [J S_i·S_j + D·(S_i×S_j)]', 1, -1.0, -1.0),
    Convention('half-sum', '−½ Σ_(i≠j) [J S_i·S_j + D·(S_i×S_j)]', 2, -0.5, -0.5),
    Convention('tensor-dm-reversed', '−Σ_(i<j) m_i·𝒥 m_j with 𝒥_xy = −D_z', 1, -1.0, 1.0, -1.0),
    Convention(
        'positive-half-sum', '½ Σ_(ij) J S_i·S_j + ½ Σ_(ij) B (S_i·S_j)² + Σ_(ij) D·(S_i×S_j)', 2, 0.5, 1.0, b=0.5
    ),
    Convention(
        'jukkr-out_Jijmatrix',
        '½ Σ_(i≠j) e_i·𝒥 e_j',
        2,
        0.5,
        0.5,
        0.5,
        along_moments=False,
        unit='Ry',
    ),
    Convention('aiida-kkr-parse_Jij', '−½ Σ_(i≠j) [J e_i·e_j + ½ D·(e_i×e_j)]', 2, -0.5, -0.25, along_moments=False),
    Convention('aiida-kkr-kkrhost', '−Σ_(i≠j) [J e_i·e_j + D·(e_i×e_j)]', 2, -1.0, -1.0),
    Convention('spirit', '−Σ_(listed) [J S_i·S_j + D·(S_i×S_j)], each pair listed once', 1, -1.0, -1.0),
    Convention('spirit-both-directions', '−Σ_(listed) [J S_i·S_j + D·(S_i×S_j)], each listed twice', 2, -1.0, -1.0),
    Convention('tb2j', '−Σ_(i≠j) [J S_i·S_j + D·(S_i×S_j) + S_i·S^ani S_j]', 2, -1.0, -1.0, -1.0),
)
CONVENTIONS: Final[dict[str, Convention]] = {convention.name: convention for convention in _KNOWN}
"""Conventions by name; ``docs/source/topics/exchange.md`` says where each is met."""


def convention(name: str) -> Convention:
    """Return a convention by its name.

    :raises ExchangeError: there is none.
    """
    if name not in CONVENTIONS:
        raise ExchangeError(f'there is no convention {name!r}; there are {", ".join(CONVENTIONS)}')
    return CONVENTIONS[name]


@dataclass(frozen=True, eq=False)
class PairTerms:
    """Numbers of some pairs in a convention. S and B are None where they are not known or the convention has none.

    :param convention: what the numbers mean.
    :param j: J, shape (n); ``d`` the vectors D of i to j, shape (n, 3); ``s`` the matrices S, shape (n, 3, 3); ``b`` B,
        shape (n).
    :param signs: product of the signs of the two moments along their axes, +1 or −1, shape (n): needed to go between
        spin axes and moments.
    """

    convention: Convention
    j: FloatArray
    d: FloatArray
    s: FloatArray | None = None
    b: FloatArray | None = None
    signs: FloatArray | None = None


def convert(terms: PairTerms, target: Convention) -> PairTerms:
    """Return the same pairs in another convention.

    :raises ExchangeError: the target has no place for a term that is not zero, or e_i is along the moments in one
        convention and along the spin axes in the other, and the signs of the moments are not given.
    """
    source = terms.convention
    axes: FloatArray = np.ones_like(terms.j)
    if source.along_moments != target.along_moments:
        if terms.signs is None:
            raise ExchangeError(
                f'{source.name} and {target.name} differ in e_i, which is along the moment or along the axis of the '
                'spins up; give the signs of the moments'
            )
        axes = terms.signs
    unit = UNITS[source.unit] / UNITS[target.unit] * source.counted / target.counted

    def of(what: str, values: FloatArray | None, signs: FloatArray) -> FloatArray | None:
        old, new = getattr(source, what), getattr(target, what)
        if values is None or old is None or not np.any(values):
            return None if values is None or new is None else np.zeros_like(values)
        if new is None:
            raise ExchangeError(
                f'{target.name} has no place for {what.upper()}; set it to zero knowingly, or leave it out'
            )
        scaled: FloatArray = unit * old / new * signs.reshape(-1, *[1] * (values.ndim - 1)) * values
        return scaled

    j, d = of('j', terms.j, axes), of('d', terms.d, axes)
    assert j is not None
    assert d is not None
    return replace(terms, convention=target, j=j, d=d, s=of('s', terms.s, axes), b=of('b', terms.b, np.ones_like(axes)))


def without_small(terms: PairTerms, target: Convention, neglected: float) -> PairTerms:
    """Leave out S and B where the target has no place for them.

    :param neglected: largest element of S, and largest B, that may be left out [meV].
    :raises ExchangeError: S or B is larger.
    """
    left_out = [name for name in ('s', 'b') if getattr(target, name) is None]
    sizes = [np.abs(values).max(initial=0.0) for name in left_out if (values := getattr(terms, name)) is not None]
    if (largest := UNITS[terms.convention.unit] * max(sizes, default=0.0)) > neglected:
        raise ExchangeError(
            f'{target.name} has no place for {", ".join(left_out).upper()}, which is up to {largest:.3g} meV here; '
            'allow it to be neglected'
        )
    return replace(terms, s=None if 's' in left_out else terms.s, b=None if 'b' in left_out else terms.b)
