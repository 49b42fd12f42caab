"""The periodic table as far as KKR needs it: symbols, and the shells of the neutral atom by the Madelung rule."""

from collections.abc import Iterable
from typing import Final

#: Chemical symbols; the index is the nuclear charge, 0 an empty sphere.
SYMBOLS: Final = (
    'Vc', 'H', 'He', 'Li', 'Be', 'B', 'C', 'N', 'O', 'F', 'Ne', 'Na', 'Mg', 'Al', 'Si', 'P', 'S', 'Cl', 'Ar',
    'K', 'Ca', 'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Co', 'Ni', 'Cu', 'Zn', 'Ga', 'Ge', 'As', 'Se', 'Br', 'Kr',
    'Rb', 'Sr', 'Y', 'Zr', 'Nb', 'Mo', 'Tc', 'Ru', 'Rh', 'Pd', 'Ag', 'Cd', 'In', 'Sn', 'Sb', 'Te', 'I', 'Xe',
    'Cs', 'Ba', 'La', 'Ce', 'Pr', 'Nd', 'Pm', 'Sm', 'Eu', 'Gd', 'Tb', 'Dy', 'Ho', 'Er', 'Tm', 'Yb', 'Lu', 'Hf',
    'Ta', 'W', 'Re', 'Os', 'Ir', 'Pt', 'Au', 'Hg', 'Tl', 'Pb', 'Bi', 'Po', 'At', 'Rn', 'Fr', 'Ra', 'Ac', 'Th',
    'Pa', 'U', 'Np', 'Pu', 'Am', 'Cm', 'Bk', 'Cf', 'Es', 'Fm', 'Md', 'No', 'Lr',
)  # fmt: skip

NOBLE_GASES: Final = (0, 2, 10, 18, 36, 54, 86)
"""Numbers of electrons of the closed-shell configurations, beginning with no electrons at all."""

L_LETTERS: Final = 'spdf'

_FILLING: Final = (
    '1s', '2s', '2p', '3s', '3p', '4s', '3d', '4p', '5s', '4d', '5p', '6s', '4f', '5d', '6p', '7s', '5f', '6d',
)  # fmt: skip


def symbol(z: float) -> str:
    """Chemical symbol of a nuclear charge; ``Z=…`` for one that is no element's."""
    number = round(z) if z == z and abs(z) < len(SYMBOLS) else -1
    return SYMBOLS[number] if number >= 0 and abs(z - number) < 1e-6 else f'Z={z:g}'


def crystal_name(charges: Iterable[float], alat: float) -> str:
    """Elements of the cell and lattice constant in Bohr, for people: ``Cu (alat 6.822)``."""
    return f'{"-".join(symbol(z) for z in charges)} (alat {alat:.3f})'


def shells(electrons: int) -> dict[tuple[int, int], int]:
    """Electrons in each shell (n, l) of a neutral atom, filled by the Madelung rule.

    The rule moves one or two electrons between s, d and f in some twenty elements; no shell appears or disappears by
    that except the 5s shell of Pd.
    """
    filled = {}
    for name in _FILLING:
        n, angular = int(name[0]), L_LETTERS.index(name[1])
        number = min(electrons, 2 * (2 * angular + 1))
        if number <= 0:
            break
        filled[n, angular] = number
        electrons -= number
    return filled


def noble_gas_core(z: int) -> int:
    """Electrons of the largest closed-shell configuration with fewer than Z electrons."""
    return max((count for count in NOBLE_GASES if count < z), default=0)


def block(z: int) -> str:
    """The block of the periodic table, 's', 'p', 'd' or 'f': the shell that fills up by the Madelung rule.

    La and Ac count to the f block, Lu, Zn and Hg to the d block; an empty sphere to the s block.
    """
    filled = list(shells(z))
    return L_LETTERS[filled[-1][1]] if filled else 's'


def open_shell_electrons(z: int) -> int:
    """Electrons of the neutral atom outside of its noble-gas core and of closed d and f shells beneath the valence.

    7 for Mn, 11 for Cu, 12 for Zn, 3 for Al and Ga, 10 for Gd, 3 for Lu.
    """
    electrons = z - noble_gas_core(z)
    filled = shells(z)
    top = max((n for n, _ in filled), default=0)
    if block(z) == 'p' and (top - 1, 2) in filled:
        electrons -= 10
    if block(z) in 'pd' and (top - 2, 3) in filled:
        electrons -= 14
    return electrons
